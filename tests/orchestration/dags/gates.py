# SPDX-License-Identifier: Apache-2.0
"""Small DAGs, one for each way in which tasks go on, or do not, after evaluations."""

from __future__ import annotations

import sys
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task, task_group
from common import APART, FOLDER, THRICE, push, run, spec

from benison_orchestration.airflow import (
    AlertSensor,
    BlessedBranchOperator,
    EvaluatorOperator,
    MonitorOperator,
)


@task
def after(**context: Any) -> None:
    pass


def mapped(*bounds: float, **more: Any) -> Any:
    output = str(FOLDER / "{{ dag.dag_id }}" / "{{ run_id }}" / "{{ ti.map_index }}")
    specs = [spec(bound, output=output) for bound in bounds]
    return EvaluatorOperator.partial(task_id="evaluate", **more).expand(spec=specs)


def with_rules(name: str, **more: Any) -> DAG:
    """A task of each kind after an evaluation that blesses nothing."""
    with DAG(name, schedule=None) as dag:
        setup = after.override(task_id="setup")()
        teardown = after.override(task_id="teardown")().as_teardown(setups=setup)
        evaluate = EvaluatorOperator(task_id="evaluate", spec=spec(0.99), **more)
        direct = after.override(task_id="push")()
        behind = after.override(task_id="behind", trigger_rule="all_done")()
        anyway = after.override(task_id="anyway", trigger_rule="all_done")()
        setup >> evaluate >> [direct, anyway, teardown]
        direct >> behind
    return dag


rules = with_rules("rules")
rules_ignored = with_rules("rules_ignored", ignore_downstream_trigger_rules=True)


def skipping(name: str, *bounds: float) -> DAG:
    """After a mapped evaluation: a task for all of them, and one that takes any."""
    with DAG(name, schedule=None) as dag:
        any_rule = "none_failed_min_one_success"
        evaluate = mapped(*bounds)
        evaluate >> [
            after.override(task_id="all")(),
            after.override(task_id="any", trigger_rule=any_rule)(),
        ]
    return dag


skip_none = skipping("skip_none", 0.5, 0.6)
skip_one = skipping("skip_one", 0.99, 0.5)
skip_both = skipping("skip_both", 0.99, 0.999)

with DAG("group", schedule=None) as group:

    @task_group
    def each(bound: float) -> None:
        output = str(FOLDER / "group" / "{{ run_id }}" / "{{ ti.map_index }}")
        EvaluatorOperator(task_id="evaluate", spec=spec(bound, output=output)) >> push(bound)

    each.expand(bound=[0.5, 0.99]) >> after()


def choosing(name: str, *bounds: float, **more: Any) -> DAG:
    """A branch on the verdicts of a mapped evaluation, with a teardown behind it."""
    with DAG(name, schedule=None) as dag:
        evaluate = mapped(*bounds, on_not_blessed="continue")
        gate = BlessedBranchOperator(
            task_id="gate", verdict=evaluate.output, blessed="push", otherwise="alert", **more
        )
        teardown = after.override(task_id="teardown")().as_teardown()
        gate >> [push(gate.chosen), after.override(task_id="alert")(), teardown]
    return dag


choose_all = choosing("choose_all", 0.5, 0.6, when="all")
choose_not_all = choosing("choose_not_all", 0.5, 0.99, when="all")
choose_any = choosing("choose_any", 0.99, 0.5, when="any")
choose_none = choosing("choose_none", 0.99, 0.999, when="any")
choose_best = choosing("choose_best", 0.99, 0.5, when="best", by="auc")
choose_unsaid = choosing("choose_unsaid", 0.5, 0.6, **THRICE)

with DAG("watched", schedule=None) as watched:
    once: dict[str, Any] = {"poke_interval": 0.1, "timeout": 0, "soft_fail": True, **APART}
    AlertSensor(task_id="alert", evaluations=str(FOLDER / "days" / "*"), **once)
    AlertSensor(task_id="none", evaluations=str(FOLDER / "nowhere" / "*"), **once)
    MonitorOperator(task_id="too_few", evaluations=str(FOLDER / "days" / "1"), **APART)
    MonitorOperator(task_id="no_match", evaluations=str(FOLDER / "nowhere" / "*"), **APART)
    all_days = str(FOLDER / "days" / "{{ '*' }}")
    MonitorOperator(task_id="monitor", evaluations=all_days, **APART, **THRICE)

ALL = (
    *(rules, rules_ignored, skip_none, skip_one, skip_both, group, choose_all, choose_not_all),
    *(choose_any, choose_none, choose_best, choose_unsaid, watched),
)

if __name__ == "__main__":
    names = sys.argv[1:] or [dag.dag_id for dag in ALL]
    run(*(dag for dag in ALL if dag.dag_id in names))
