# SPDX-License-Identifier: Apache-2.0
"""A DAG: evaluate a taxi model against the one in use, and push it only if it is blessed.

Airflow's environment needs `benison[airflow]` alone. The models are TensorFlow's, so the evaluation runs
in the Python that BENISON_PYTHON names. `make demo` makes the data and the models; then, with this
folder as Airflow's folder of DAGs:

    airflow dags trigger taxi --conf '{"candidate": "candidate-1"}'   # not blessed: push is skipped
    airflow dags trigger taxi --conf '{"candidate": "candidate-2"}'   # blessed: push runs

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
from benison_orchestration.airflow import EvaluatorOperator

HERE = Path(__file__).resolve().parent
SERVED = "file:///models/taxi"


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


with DAG(
    "taxi",
    description="Push a taxi-tip model if it is blessed.",
    schedule=None,
    params={
        "folder": Param(str(HERE.parent / "demo-output"), type="string"),
        "candidate": Param("candidate-2", type="string"),
        "metadata": Param("", type="string"),
    },
    default_args={"retries": 1, "retry_delay": datetime.timedelta(seconds=5)},
) as dag:
    evaluate = EvaluatorOperator(
        task_id="evaluate",
        spec={
            "examples": "{{ params.folder }}/eval/*.gz",
            "config": str(HERE / "taxi_config.yaml"),
            "model": "{{ params.folder }}/models/{{ params.candidate }}",
            "baseline": "{{ params.folder }}/models/baseline",
            "output": "{{ params.folder }}/evaluations/{{ run_id }}",
        },
        python=os.environ.get("BENISON_PYTHON"),
        asset=SERVED,
        metadata_conn_id="{{ params.metadata }}",
    )
    push(evaluate.output, "{{ params.folder }}/serving")
