# SPDX-License-Identifier: Apache-2.0
"""Small DAGs for a real scheduler, with its workers and its triggerer."""

from __future__ import annotations

import datetime

from airflow.providers.common.compat.sdk import DAG
from common import APART, FOLDER, THRICE, push, spec

from benison_orchestration.airflow import EvaluatorOperator
from benison_orchestration.airflow_kubernetes import KubernetesEvaluatorOperator

SLOW = {**APART, "python": str(FOLDER / "slow python")}
SOON = datetime.timedelta(seconds=5)

# Airflow fails a task that goes on before its first half has been reported as ended, which takes seconds
# on a busy machine; it is then tried again.
with DAG("deferred", schedule=None):
    push(
        EvaluatorOperator(
            task_id="evaluate", spec=spec(0.5), deferrable=True, **APART, **THRICE
        ).output
    )

with DAG("deferred_slow", schedule=None):
    EvaluatorOperator(task_id="evaluate", spec=spec(0.5), deferrable=True, **SLOW)

with DAG("deferred_late", schedule=None):
    EvaluatorOperator(
        task_id="evaluate", spec=spec(0.5), deferrable=True, execution_timeout=SOON, **SLOW
    )

with DAG("late", schedule=None):
    EvaluatorOperator(task_id="evaluate", spec=spec(0.5), execution_timeout=SOON, **SLOW)

for name, deferrable in (("pod_slow", False), ("pod_deferred_slow", True)):
    with DAG(name, schedule=None) as dag:
        KubernetesEvaluatorOperator(
            task_id="evaluate",
            spec=spec(0.5),
            image="benison",
            namespace="default",
            deferrable=deferrable,
            startup_check_interval_seconds=1,
        )
    globals()[name] = dag
