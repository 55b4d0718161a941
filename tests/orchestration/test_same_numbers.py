# SPDX-License-Identifier: Apache-2.0
"""Data on an object store give the same numbers in every host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.lineage import RunKey
from benison_orchestration import airflow_spec, host_task, kubeflow_task
from benison_orchestration.host_outcome import evaluate_as
from tests.object_store import Bucket
from tests.orchestration.kubeflow_host import CONFIG, executor_input

Spec = dict[str, Any]
Act = Callable[[Spec, Path, pytest.MonkeyPatch], str]


def by_command(spec: Spec, folder: Path, patch: pytest.MonkeyPatch) -> str:
    given = folder / "spec.json"
    given.write_text(json.dumps({**spec, "output": str(folder / "out")}))
    assert CliRunner().invoke(app, ["evaluate", "--spec", str(given)]).exit_code == 0
    return str(folder / "out")


def by_airflow_or_argo(spec: Spec, folder: Path, patch: pytest.MonkeyPatch) -> str:
    """What their tasks run; the output is on the store too."""
    output = spec["examples"].replace("eval.parquet", "out") + "?region=us-east-1"
    for name, value in airflow_spec.packed({**spec, "output": output}).items():
        patch.setenv(name, value)
    patch.setenv(airflow_spec.RETURN, str(folder / "outcome.json"))
    assert host_task.main() == 0
    report = json.loads((folder / "outcome.json").read_text())["report"]
    assert report == output.replace("out?", "out/report.html?")
    return output


def by_dagster_or_prefect(spec: Spec, folder: Path, patch: pytest.MonkeyPatch) -> str:
    key = RunKey("taxi", "one", "evaluate")
    return str(evaluate_as(key, spec, str(folder))["output"])


def by_kubeflow(spec: Spec, folder: Path, patch: pytest.MonkeyPatch) -> str:
    """Where the launcher has fetched the artifact, as it does before a component runs."""
    mounted = folder / "s3" / spec["examples"].removeprefix("s3://")
    mounted.parent.mkdir(parents=True)
    pq.write_table(pq.read_table(folder / "eval.parquet"), mounted)
    patch.setattr(kubeflow_task, "_MOUNTS", {"s3://": f"{folder}/s3/"})
    inputs = {"examples": [spec["examples"]]}
    given = executor_input(folder / "step", inputs, config=json.dumps(spec["config"]))
    kubeflow_task.run_task(json.dumps(given))
    return str(folder / "step/evaluation")


@pytest.mark.parametrize(
    "act", [by_command, by_airflow_or_argo, by_dagster_or_prefect, by_kubeflow]
)
def test_data_on_a_store_give_the_same_numbers_in_every_host(
    act: Act, bucket: Bucket, trips: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(trips, tmp_path / "eval.parquet")
    address = bucket.upload(tmp_path / "eval.parquet", "eval.parquet")
    output = act({"examples": address, "config": CONFIG}, tmp_path, monkeypatch)
    expected = benison.evaluate(trips, CONFIG).metrics.to_pylist()
    assert [repr(row) for row in benison.load_result(output).metrics.to_pylist()] == [
        repr(row) for row in expected
    ]
