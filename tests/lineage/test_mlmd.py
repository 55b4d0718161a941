# SPDX-License-Identifier: Apache-2.0
"""What the rows of ML Metadata hold, where TFX looks for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from benison import MetadataError, lineage
from benison.lineage import history
from benison.lineage.ledger import Ledger
from benison.lineage.mlmd import MetadataSink
from benison.lineage.store import Store
from benison.lineage.types import EVALUATOR
from tests.lineage.stores import BLESSED, NOT_BLESSED, make_run


def blessed(store: Store) -> list[Any]:
    """The blessings that resolvers would see."""
    return [
        a for a in store.get_artifacts() if a.type == "ModelBlessing" and history.is_blessing(a)
    ]


def states(store: Store) -> dict[str, str]:
    executions = [e for e in store.get_executions() if e.type == EVALUATOR]
    return {e.name: e.State.Name(e.last_known_state) for e in executions}


def check_recorded_once(store: Store) -> None:
    (execution,) = (e for e in store.get_executions() if e.type == EVALUATOR)
    assert execution.last_known_state == execution.COMPLETE
    events = store.get_events_by_execution_ids([execution.id])
    kinds = sorted((e.path.steps[0].key, e.Type.Name(e.type)) for e in events)
    assert kinds == [
        ("blessing", "OUTPUT"),
        ("blessing", "PENDING_OUTPUT"),
        ("evaluation", "OUTPUT"),
        ("evaluation", "PENDING_OUTPUT"),
        ("examples", "INPUT"),
        ("model", "INPUT"),
    ]
    kinds_of_artifacts = sorted(a.type for a in store.get_artifacts())
    assert kinds_of_artifacts == ["Examples", "Model", "ModelBlessing", "ModelEvaluation"]
    assert len(blessed(store)) == 1


def test_a_run_is_one_execution_with_its_artifacts(mlmd_url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(mlmd_url), make_run(tmp_path)
    store = Store.open(mlmd_url)
    first = recorder.begin(run)
    assert states(store) == {"taxi/r1/Evaluator": "RUNNING"}
    first.fail("the disk is full")
    assert states(store) == {"taxi/r1/Evaluator": "FAILED"}
    assert not blessed(store)
    first = recorder.begin(run)
    first.abandon("the machine is needed")
    assert states(store) == {"taxi/r1/Evaluator": "CANCELED"}
    recorder.begin(run).complete(BLESSED)
    check_recorded_once(store)


def test_a_newer_verdict_abandons_the_older_blessing_and_the_decisions_on_it(
    mlmd_url: str, tmp_path: Path
) -> None:
    ledger, store = lineage.connect(mlmd_url), Store.open(mlmd_url)
    ledger.begin(make_run(tmp_path)).complete(NOT_BLESSED)
    ledger.override("taxi", str(tmp_path / "out"), by="ada", reason="late labels")
    assert len(blessed(store)) == 1
    again = ledger.begin(make_run(tmp_path, data="more"), overwrite=True)
    assert states(store) == {"taxi/r1/Evaluator": "COMPLETE", "taxi/r1/Evaluator#2": "RUNNING"}
    assert len(blessed(store)) == 1
    again.complete(NOT_BLESSED)
    assert not blessed(store)
    blessings = [a for a in store.get_artifacts() if a.type == "ModelBlessing"]
    assert sorted(a.State.Name(a.state) for a in blessings) == ["ABANDONED", "ABANDONED", "LIVE"]
    assert set(states(store).values()) == {"COMPLETE"}


def test_a_model_may_be_its_own_baseline(mlmd_url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(mlmd_url), make_run(tmp_path)
    run = dataclasses.replace(run, baseline=run.model)
    record = recorder.begin(run)
    assert "baseline_model" not in record.ids
    record.complete(BLESSED)
    (blessing,) = blessed(Store.open(mlmd_url))
    ids = {
        name: blessing.custom_properties[name].int_value
        for name in ("current_model_id", "baseline_model_id")
    }
    assert len(set(ids.values())) == 1


def test_a_store_that_may_not_be_written_says_so_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    recorder = lineage.connect(f"sqlite:///{path}?create=true")
    recorder.begin(make_run(tmp_path))
    store = Store.open(f"sqlite:///{path}")
    reading = {**store.connection.fields, "connection_mode": "READONLY"}
    store.connection = dataclasses.replace(store.connection, fields=reading)
    with pytest.raises(MetadataError, match=r"may not be written by this user.$"):
        Ledger(MetadataSink(store)).begin(make_run(tmp_path, "r2"))


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("p" * 300, "1 to 255 characters"),
        ("p ", "no blank at either end"),
        ("p\0q", "cannot hold the NUL"),
    ],
)
def test_names_that_a_store_cannot_hold(tmp_path: Path, pipeline: str, message: str) -> None:
    recorder = lineage.connect(f"sqlite:///{tmp_path}/m.db?create=true")
    with pytest.raises(MetadataError, match=message):
        recorder.begin(make_run(tmp_path, "r1", pipeline))


def test_a_store_has_the_methods_that_it_names_and_no_others(mlmd_url: str) -> None:
    store = Store.open(mlmd_url)
    assert store.get_artifacts_by_id([]) == []
    assert not hasattr(store, "get_artefacts_by_id")
