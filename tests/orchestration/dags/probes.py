# SPDX-License-Identifier: Apache-2.0
"""Small DAGs, one for each way that a verdict can go on; as a program it runs them all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from benison_orchestration.airflow import BlessedBranchOperator, EvaluatorOperator

FOLDER = Path(os.environ["PROBES"])
PYTHON = os.environ["BENISON_PYTHON"]
ASSET = "file:///models/probe"


def spec(bound: float, **more: Any) -> dict[str, Any]:
    auc = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": bound}}}
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["company"]}],
        "metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}, auc]}],
    }
    paths = {
        "examples": str(FOLDER / "eval.parquet"),
        "output": str(FOLDER / "{{ dag.dag_id }}" / "{{ run_id }}"),
    }
    return {"config": config, **paths, **more}


@task
def push(verdict: dict[str, Any]) -> str:
    return verdict["output"]


@task
def alert() -> None:
    pass


with DAG("blessed", schedule=None) as blessed:
    push(EvaluatorOperator(task_id="evaluate", spec=spec(0.5), python=PYTHON, asset=ASSET).output)

with DAG("skip", schedule=None) as skip:
    push(EvaluatorOperator(task_id="evaluate", spec=spec(0.99), python=PYTHON, asset=ASSET).output)

with DAG("fail", schedule=None) as fail:
    failing = EvaluatorOperator(
        task_id="evaluate",
        spec=spec(0.99),
        on_not_blessed="fail",
        report_url="https://reports/{{ dag.dag_id }}",
        retries=2,
    )
    push(failing.output)

with DAG("branch", schedule=None) as branch:
    judged = EvaluatorOperator(
        task_id="evaluate", spec=spec(0.99), on_not_blessed="continue", asset=ASSET
    )
    gate = BlessedBranchOperator(
        task_id="gate", verdict=judged.output, blessed="push", otherwise="alert"
    )
    gate >> [push(judged.output), alert()]

with DAG("branch_blessed", schedule=None) as branch_blessed:
    judged = EvaluatorOperator(task_id="evaluate", spec=spec(0.5), on_not_blessed="continue")
    gate = BlessedBranchOperator(task_id="gate", verdict=judged.output, blessed="push")
    gate >> [push(judged.output), alert()]

with DAG("wrong", schedule=None) as wrong:
    push(EvaluatorOperator(task_id="evaluate", spec=spec(0.5, format="csv"), python=PYTHON).output)

with DAG("mapped", schedule=None) as mapped:
    EvaluatorOperator.partial(task_id="evaluate", on_not_blessed="continue").expand(
        spec=[
            spec(bound, output=str(FOLDER / "mapped" / "{{ run_id }}" / "{{ ti.map_index }}"))
            for bound in (0.5, 0.99)
        ]
    )

if __name__ == "__main__":
    for dag in (blessed, skip, fail, branch, branch_blessed, wrong, mapped):
        run = dag.test()
        for ti in run.get_task_instances():
            place = "" if ti.map_index < 0 else f"[{ti.map_index}]"
            print("STATE", dag.dag_id, f"{ti.task_id}{place}", ti.state)
