# SPDX-License-Identifier: Apache-2.0
"""Small DAGs, one for each way in which an evaluation is given and goes on."""

from __future__ import annotations

import datetime
import importlib
import json
import sys
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from common import APART, FOLDER, THRICE, alert, config, push, run, spec

from benison import EvalConfig
from benison_orchestration.airflow import BlessedBranchOperator, EvaluatorOperator

ASSET = "file:///models/probe"
OWN = "file:///models/own-{{ ti.map_index }}"

with DAG("blessed", schedule=None, params={"model": "probe"}) as blessed:
    templated = "file:///models/{{ params.model }}"
    push(EvaluatorOperator(task_id="evaluate", spec=spec(0.5), asset=templated, **APART).output)

with DAG("skip", schedule=None) as skip:
    push(EvaluatorOperator(task_id="evaluate", spec=spec(0.99), asset=ASSET, **APART).output)

with DAG("fail", schedule=None) as fail:
    failing = EvaluatorOperator(
        task_id="evaluate",
        spec=spec(0.99),
        on_not_blessed="fail",
        report_url="https://reports/{{ dag.dag_id }}",
        **THRICE,
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

# What is wrong in the data is not mended by a second try.
with DAG("wrong", schedule=None) as wrong:
    push(EvaluatorOperator(task_id="evaluate", spec=spec(0.5, format="csv"), **THRICE).output)

# A process that was killed may do better.
with DAG("killed", schedule=None) as killed:
    EvaluatorOperator(
        task_id="evaluate",
        spec=spec(0.5),
        python=str(FOLDER / "killed python"),
        **THRICE,
    )

with DAG("timed_out", schedule=None) as timed_out:
    EvaluatorOperator(
        task_id="evaluate",
        spec=spec(0.5),
        python=str(FOLDER / "slow python"),
        execution_timeout=datetime.timedelta(seconds=4),
    )

# The process ends, and another that it has started holds the pipe.
with DAG("left_over", schedule=None) as left_over:
    EvaluatorOperator(
        task_id="evaluate", spec=spec(0.5), **{**APART, "python": str(FOLDER / "left")}
    )

with DAG("objects", schedule=None, params={"bound": 0.5}) as objects:
    given = spec(0.5, examples=[FOLDER / "eval.parquet"], config=EvalConfig.load(config(0.5)))
    EvaluatorOperator(task_id="evaluate", spec=given)

with DAG("text", schedule=None, params={"bound": 0.5}) as text:
    bound = {"value_threshold": {"lower_bound": -1}}
    written = json.dumps(spec(0.5)).replace("0.5", "{{ params.bound }}")
    EvaluatorOperator(task_id="evaluate", spec=written)

with DAG("long", schedule=None) as long:
    parts = [str(path) for path in sorted(FOLDER.glob("parts/**/*.parquet"))]
    EvaluatorOperator(task_id="evaluate", spec=spec(0.5, examples=parts))

# Of two tasks with one output, the second must not take the first one's.
with DAG("shared", schedule=None) as shared:
    first = EvaluatorOperator(task_id="first", spec=spec(0.5))
    second = EvaluatorOperator(task_id="second", spec=spec(0.99), trigger_rule="all_done")
    first >> second

with DAG("own", schedule=None) as own:
    lacking = {name: value for name, value in spec(0.5).items() if name != "output"}
    root = str(FOLDER / "roots" / "{{ dag.dag_id }}")
    EvaluatorOperator(task_id="evaluate", spec=lacking, output_root=root)
    EvaluatorOperator.partial(task_id="mapped", output_root=root, asset=OWN).expand(
        spec=[lacking, lacking]
    )

with DAG("elsewhere", schedule=None) as elsewhere:
    moved = spec(0.5, examples="eval.parquet", output="relative/{{ run_id }}")
    EvaluatorOperator(task_id="evaluate", spec=moved, cwd=str(FOLDER))

with DAG("deferred", schedule=None) as deferred:
    push(EvaluatorOperator(task_id="evaluate", spec=spec(0.5), deferrable=True).output)
    EvaluatorOperator(task_id="wrong", spec=spec(0.5, format="csv"), deferrable=True, **THRICE)

with DAG("taskflow", schedule=None) as taskflow:

    @task.benison
    def evaluate(bound: float, run_id: str | None = None) -> dict[str, Any]:
        return spec(bound, output=str(FOLDER / "taskflow" / str(run_id) / "{{ task.task_id }}"))

    @task.benison(on_not_blessed="continue")
    def several(bound: float) -> str:
        return json.dumps(spec(bound, output=str(FOLDER / "several" / "{{ ti.map_index }}")))

    push(evaluate(0.5))
    several.expand(bound=[0.5, 0.99])

ALL = (
    *(blessed, skip, fail, branch, branch_blessed, wrong, killed, timed_out, left_over, objects),
    *(text, long, shared, own, elsewhere, deferred, taskflow),
)

if __name__ == "__main__":
    names = sys.argv[1:] or [dag.dag_id for dag in ALL]
    run(*(dag for dag in ALL if dag.dag_id in names))
    # The same run again, as if its task had been cleared.
    moment = datetime.datetime(2030, 1, 31, tzinfo=datetime.UTC)
    words = ("run_after", "logical_date") if AIRFLOW_V_3_0_PLUS else ("execution_date",)
    if not AIRFLOW_V_3_0_PLUS:
        importlib.import_module("airflow.providers.fab.auth_manager.models")  # to delete a run
    for _ in range(2):
        run(objects, **dict.fromkeys(words, moment))
