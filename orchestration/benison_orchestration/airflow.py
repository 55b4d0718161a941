# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Airflow 2.11 and 3: operators, a decorator, a branch, a sensor, a link and a hook.

An evaluation is a child process, of this Python or of another, so that TensorFlow need not be where
Airflow is; `airflow_docker` and `airflow_kubernetes` have the same operator in a container. What differs
between Airflow 2 and 3 is told apart by Airflow's own `common.compat`.

    evaluate = EvaluatorOperator(
        task_id="evaluate",
        spec={
            "examples": "/data/eval/*.parquet",
            "config": "/models/eval.yaml",
            "model": "/models/candidate",
        },
        output_root="/evaluations",
        python="/opt/tensorflow/bin/python",
        asset="file:///models/candidate",
    )
    evaluate >> push  # which is skipped unless the model is blessed

In TaskFlow the same is a function that returns the spec:

    @task.benison(output_root="/evaluations")
    def evaluate(candidate: str) -> dict:
        return {"examples": "/data/eval", "config": "/models/eval.yaml", "model": candidate}
"""

from __future__ import annotations

from benison_orchestration.airflow_base import BaseEvaluatorOperator, ReportLink, run_key
from benison_orchestration.airflow_decorator import benison_task
from benison_orchestration.airflow_evaluator import EvaluatorOperator
from benison_orchestration.airflow_gates import (
    BlessedBranchOperator,
    BlessedSensor,
    BlessOperator,
    RevokeOperator,
    VerifyOperator,
)
from benison_orchestration.airflow_hook import MetadataHook
from benison_orchestration.airflow_monitor import AlertSensor, MonitorOperator
from benison_orchestration.airflow_trigger import EvaluationTrigger

__all__ = [
    "AlertSensor",
    "BaseEvaluatorOperator",
    "BlessOperator",
    "BlessedBranchOperator",
    "BlessedSensor",
    "EvaluationTrigger",
    "EvaluatorOperator",
    "MetadataHook",
    "MonitorOperator",
    "ReportLink",
    "RevokeOperator",
    "VerifyOperator",
    "benison_task",
    "run_key",
]
