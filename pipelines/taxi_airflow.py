# SPDX-License-Identifier: Apache-2.0
"""DAGs: evaluate taxi models against the one in use, and push one only if it is blessed.

Airflow's environment needs `benison[airflow]` alone. The models are TensorFlow's, so the evaluation runs
in the Python that BENISON_PYTHON names. `make demo` makes the data and the models; then, with this
folder as Airflow's folder of DAGs:

    airflow dags trigger taxi --conf '{"candidate": "candidate-1"}'   # not blessed: push is skipped
    airflow dags trigger taxi --conf '{"candidate": "candidate-2"}'   # blessed: push runs
    airflow dags trigger taxi_candidates                              # pushes the best that is blessed

With `"metadata": "benison_metadata"` in the conf a run is recorded in the store of that connection.
"""

from __future__ import annotations

import datetime
import os
import shutil
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from benison.output.blessing import verify
from benison_orchestration.airflow import BlessedBranchOperator, EvaluatorOperator

HERE = Path(__file__).resolve().parent
SERVED = "file:///models/taxi"
FOLDER = Param(str(HERE.parent / "demo-output"), type="string")
TWICE = {"retries": 1, "retry_delay": datetime.timedelta(seconds=5)}


def spec(candidate: str) -> dict[str, str]:
    """What is evaluated: a candidate against the baseline, on the same trips."""
    return {
        "examples": "{{ params.folder }}/eval/*.gz",
        "config": str(HERE / "taxi_config.yaml"),
        "model": f"{{{{ params.folder }}}}/models/{candidate}",
        "baseline": "{{ params.folder }}/models/baseline",
    }


@task  # type: ignore[untyped-decorator]
def push(verdict: dict[str, Any], serving: str) -> str:
    """Copy the model to where it is served, as its next version, if it still is what was blessed."""
    model = Path(verdict["model"])
    verify(Path(verdict["output"]), model)
    folder = Path(serving)
    folder.mkdir(parents=True, exist_ok=True)
    versions = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    version = folder / str(max(versions, default=0) + 1)
    # A server looks for new versions all the time, and must not find half of one.
    partial = folder / f".{version.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(model, partial)
    partial.rename(version)
    return str(version)


HOW: dict[str, Any] = {
    "python": os.environ.get("BENISON_PYTHON"),
    "output_root": "{{ params.folder }}/evaluations",
    "asset": SERVED,
}

with DAG(
    "taxi",
    description="Push a taxi-tip model if it is blessed.",
    schedule=None,
    params={
        "folder": FOLDER,
        "candidate": Param("candidate-2", type="string"),
        "metadata": Param("", type="string"),
    },
    default_args=TWICE,
):
    evaluate = EvaluatorOperator(
        task_id="evaluate",
        spec=spec("{{ params.candidate }}"),
        metadata_conn_id="{{ params.metadata }}",
        **HOW,
    )
    push(evaluate.output, "{{ params.folder }}/serving")

with DAG(
    "taxi_candidates",
    description="Push the best of several taxi-tip models, of those that are blessed.",
    schedule=None,
    params={"folder": FOLDER, "candidates": Param(["candidate-1", "candidate-2"], type="array")},
    default_args=TWICE,
):

    @task  # type: ignore[untyped-decorator]
    def candidates(params: dict[str, Any] | None = None) -> list[str]:
        """The models to compare."""
        return list((params or {})["candidates"])

    @task.benison(on_not_blessed="continue", **HOW)  # type: ignore[untyped-decorator]
    def judge(candidate: str) -> dict[str, str]:
        """Evaluate by the spec that is returned."""
        return spec(candidate)

    gate = BlessedBranchOperator(
        task_id="gate",
        verdict=judge.expand(candidate=candidates()),
        blessed="push",
        when="best",
        by="auc",
    )
    gate >> push(gate.chosen, "{{ params.folder }}/serving")
