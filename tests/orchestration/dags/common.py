# SPDX-License-Identifier: Apache-2.0
"""What the DAGs of this folder share; each file runs its DAGs when it is run as a program."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, task

FOLDER = Path(os.environ["PROBES"])
# The Python with everything in it, which gets the code that is tested.
APART: dict[str, Any] = {
    "python": os.environ["BENISON_PYTHON"],
    "env": {"PYTHONPATH": os.environ["PYTHONPATH"]},
    "append_env": True,
}
# Three tries at once, of which what no second try mends takes one.
THRICE: dict[str, Any] = {"retries": 2, "retry_delay": datetime.timedelta(0)}


def config(bound: float) -> dict[str, Any]:
    auc = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": bound}}}
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["company"]}],
        "metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}, auc]}],
    }


def spec(bound: float, **more: Any) -> dict[str, Any]:
    """Arguments; the AUC is about 0.8."""
    paths = {
        "examples": str(FOLDER / "eval.parquet"),
        "output": str(FOLDER / "{{ dag.dag_id }}" / "{{ run_id }}"),
    }
    return {"config": config(bound), **paths, **more}


@task
def push(verdict: Any) -> Any:
    return verdict["output"] if isinstance(verdict, dict) else None


@task
def alert() -> None:
    pass


def run(*dags: Any, **how: Any) -> None:
    """Run DAGs in this process, and print how their tasks ended."""
    for dag in dags:
        try:
            ended = dag.test(**how).get_task_instances()
        except AirflowTaskTimeout:  # which Airflow 2 leaves to whoever runs the task
            _tell(dag.dag_id, dag.task_ids[0], "failed", 1)
            continue
        for ti in ended:
            index = "" if ti.map_index < 0 else f"[{ti.map_index}]"
            _tell(dag.dag_id, f"{ti.task_id}{index}", ti.state, ti.try_number)


def _tell(*words: Any) -> None:
    """Print a line at once: a process that OpenLineage has forked may be printing too."""
    sys.stdout.write(f"\nSTATE {' '.join(map(str, words))}\n")
    sys.stdout.flush()
