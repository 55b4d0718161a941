# SPDX-License-Identifier: Apache-2.0
"""What a record survives: kills, repetition, company, and what it refuses."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benison import MetadataError, lineage
from benison.lineage import DataContent, ModelFiles, RunKey, history
from benison.lineage.ledger import Ledger
from benison.lineage.mlmd import MetadataSink
from benison.lineage.store import Store
from benison.lineage.types import EVALUATOR
from tests.lineage.stores import BLESSED, NOT_BLESSED, make_run

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("BENISON_KILLS", "0"))


def start(url: str, folder: Path, run: str = "r1", call: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.lineage.protocol", url, str(folder), run, str(call)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[int]:
    errors = [process.communicate(timeout=120)[1] for process in processes]
    codes = [process.returncode for process in processes]
    assert set(codes) <= {0, -9}, errors
    return codes


def blessed(store: Store) -> list[Any]:
    """The blessings that resolvers would see."""
    return [
        a for a in store.get_artifacts() if a.type == "ModelBlessing" and history.is_blessing(a)
    ]


def states(store: Store) -> list[int]:
    return [e.last_known_state for e in store.get_executions() if e.type == EVALUATOR]


def check_recorded_once(store: Store, url: str) -> None:
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


def calls_of_a_run(url: str, folder: Path, run: str) -> int:
    """How many calls to the store a whole run makes."""
    from tests.lineage import protocol

    counted = []
    plain = Store._call
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Store, "_call", lambda self, *args: (counted.append(args), plain(self, *args))[1]
        )
        protocol.record(url, folder, run)
    return len(counted)


@pytest.mark.slow
def test_a_killed_run_blesses_nothing_and_the_same_run_completes_it(
    url: str, tmp_path: Path
) -> None:
    """Killed before one call or another, in one store: a run each."""
    (tmp_path / "model").mkdir()
    calls_of_a_run(url, tmp_path, "first")  # which also registers the types
    last = calls_of_a_run(url, tmp_path, "second")
    store = Store.open(url)
    steps = [random.Random(1).randint(1, last) for _ in range(KILLS)] or range(1, last + 1, 4)
    for number, step in enumerate(steps):
        run = f"r{number}"
        before = len(blessed(store))
        assert ended([start(url, tmp_path, run, step)]) == [-9]
        assert len(blessed(store)) == before
        assert ended([start(url, tmp_path, run)]) == [0]
        assert ended([start(url, tmp_path, run)]) == [0]
        assert len(blessed(store)) == before + 1
    assert set(states(store)) == {3}  # COMPLETE


@pytest.mark.slow
def test_five_processes_of_one_run_make_one_blessing(url: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert ended([start(url, tmp_path) for _ in range(5)]) == [0] * 5
    check_recorded_once(Store.open(url), url)


@pytest.mark.slow
def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/m.db?create=true"
    (tmp_path / "model").mkdir()
    assert ended([start(url, tmp_path, f"r{i}") for i in range(16)]) == [0] * 16
    store = Store.open(url)
    assert states(store) == [3] * 16
    assert len(blessed(store)) == 16
    assert len([a for a in store.get_artifacts() if a.type == "Model"]) == 1


def test_a_failed_run_publishes_nothing_and_can_be_repeated(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    recorder.begin(run).fail("the disk is full")
    store = Store.open(url)
    assert states(store) == [4]
    assert not blessed(store)
    late = recorder.begin(run)
    recorder.begin(run).complete(BLESSED)
    check_recorded_once(store, url)
    late.fail("too late")
    assert states(store) == [3]


def test_the_ids_are_what_a_manifest_says(url: str, tmp_path: Path) -> None:
    ids = lineage.connect(url).begin(make_run(tmp_path)).ids
    assert {
        "store",
        "pipeline",
        "run",
        "execution",
        "model",
        "examples",
        "blessing",
        "evaluation",
    } <= ids.keys()
    assert "p w" not in str(ids)
    assert "p%20w" not in str(ids)


@pytest.mark.parametrize(
    "change",
    [
        {"data": DataContent("other, at noon", lambda: "other")},
        {"config": '{"a": 1}'},
        {"output": "/elsewhere"},
        {"model": None},
        {"model": ModelFiles("/elsewhere", "d1")},
    ],
)
def test_a_run_id_is_of_one_set_of_inputs(url: str, tmp_path: Path, change: dict[str, Any]) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    recorder.begin(run).complete(BLESSED)
    with pytest.raises(MetadataError, match="was of other data, models or config"):
        recorder.begin(dataclasses.replace(run, **change))
    assert (
        recorder.begin(dataclasses.replace(run, **change), overwrite=True).ids["key"]
        == "taxi/r1/Evaluator#2"
    )


def test_a_model_that_was_replaced_in_place_is_not_found_by_its_old_blessing(
    url: str, tmp_path: Path
) -> None:
    recorder = lineage.connect(url)
    first = make_run(tmp_path, "r1", digest="first bytes")
    recorder.begin(first).complete(BLESSED)
    assert recorder.latest_blessed("taxi").path == str(tmp_path / "model")
    second = make_run(tmp_path, "r2", digest="second bytes")
    recorder.begin(second).complete(NOT_BLESSED)
    assert recorder.latest_blessed("taxi") is None


def test_a_model_that_is_replaced_while_it_is_judged_is_not_blessed_for_the_new_bytes(
    url: str, tmp_path: Path
) -> None:
    recorder = lineage.connect(url)
    first = make_run(tmp_path, "r1", digest="first bytes")
    record = recorder.begin(first)
    recorder.begin(make_run(tmp_path, "r2", digest="second bytes"))
    record.complete(BLESSED)
    (found,) = history.blessings(Store.open(url), "taxi")
    assert found.model == str(tmp_path / "model")
    assert recorder.latest_blessed("taxi") is None


def test_a_model_of_another_pipeline_is_found_in_this_one(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    for pipeline in ("one", "two"):
        run = make_run(tmp_path, pipeline, pipeline)
        recorder.begin(run).complete(BLESSED)
    assert (
        recorder.latest_blessed("one").path
        == recorder.latest_blessed("two").path
        == str(tmp_path / "model")
    )
    assert len([a for a in Store.open(url).get_artifacts() if a.type == "Model"]) == 1
    assert recorder.latest_blessed("three") is None


def test_names_that_differ_by_case_alone_are_not_mixed_up(url: str, tmp_path: Path) -> None:
    recorder = lineage.connect(url)
    recorder.begin(make_run(tmp_path, "r1", "Taxi"))
    if url.startswith("mysql"):
        with pytest.raises(MetadataError, match="does not tell it from 'taxi"):
            recorder.begin(make_run(tmp_path, "r1", "taxi"))
    else:
        recorder.begin(make_run(tmp_path, "r1", "taxi"))
        assert states(Store.open(url)) == [2, 2]


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


def test_what_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    recorder = lineage.connect(f"sqlite:///{tmp_path}/m.db?create=true")
    run = make_run(tmp_path)
    for change in ({"output": "/o\udcff"}, {"key": RunKey("p\udcff", "r1")}):
        with pytest.raises(MetadataError, match="holds UTF-8, which '.*udcff.*' is not"):
            recorder.begin(dataclasses.replace(run, **change))  # type: ignore[arg-type]


def test_a_store_that_may_not_be_written_says_so_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    recorder = lineage.connect(f"sqlite:///{path}?create=true")
    recorder.begin(make_run(tmp_path))
    store = Store.open(f"sqlite:///{path}")
    reading = {**store.connection.fields, "connection_mode": "READONLY"}
    store.connection = dataclasses.replace(store.connection, fields=reading)
    with pytest.raises(MetadataError, match="may not be written by this user.$"):
        Ledger(MetadataSink(store)).begin(make_run(tmp_path, "r2"))


def test_hostile_text_comes_back_as_it_was(url: str, tmp_path: Path) -> None:
    text = "back\\slash 'quote' \"double\" % ? ; -- </script> é 名 \n line"
    recorder = lineage.connect(url)
    run = dataclasses.replace(make_run(tmp_path), config=text)
    recorder.begin(run).complete(dataclasses.replace(NOT_BLESSED, reasons=(text,)))
    (found,) = history.blessings(Store.open(url), "taxi")
    assert "\n".join(found.reasons) == text


def test_a_complete_run_stays_as_it_is(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    recorder.begin(run).complete(NOT_BLESSED)
    with pytest.raises(MetadataError, match="is recorded as not blessed"):
        recorder.begin(run).complete(BLESSED)
    assert not blessed(Store.open(url))


def test_a_model_may_be_its_own_baseline(url: str, tmp_path: Path) -> None:
    recorder, run = lineage.connect(url), make_run(tmp_path)
    run = dataclasses.replace(run, baseline=run.model)
    record = recorder.begin(run)
    assert "baseline_model" not in record.ids
    record.complete(BLESSED)
    (found,) = blessed(Store.open(url))
    ids = {
        name: found.custom_properties[name].int_value
        for name in ("current_model_id", "baseline_model_id")
    }
    assert len(set(ids.values())) == 1
