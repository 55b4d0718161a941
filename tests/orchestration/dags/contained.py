# SPDX-License-Identifier: Apache-2.0
"""The operators that evaluate in a container; as a program it runs the DAGs that it is told.

Docker's engine and Kubernetes' API are where the environment says.
"""

from __future__ import annotations

import datetime
import os
import sys
from typing import Any

from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, TaskDeferred
from common import FOLDER, THRICE, push, run, spec
from docker.types import Mount

from benison_orchestration.airflow_docker import DockerEvaluatorOperator
from benison_orchestration.airflow_kubernetes import KubernetesEvaluatorOperator

PASSWORD = Secret("env", "BENISON_METADATA_PASSWORD", "the-secret", "its-key")
# So that the client asks more often than a cluster would like.
OFTEN: dict[str, Any] = {"startup_check_interval_seconds": 0.1, "poll_interval": 0.1}
SOON = {"execution_timeout": datetime.timedelta(seconds=3)}
KEPT = {"on_finish_action": "keep_pod"}


class FailingCallback(KubernetesPodOperatorCallback):
    """What fails between a pod's creation and its deferral."""

    @staticmethod
    def on_pod_creation(**_: Any) -> None:
        raise ConnectionError("nobody is there")


class StoppedOperator(KubernetesEvaluatorOperator):
    """One whose task is stopped as soon as it is deferred, before anybody has taken its trigger."""

    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)
        except TaskDeferred as deferred:
            raise AirflowFailException("stopped") from deferred


def in_docker(dag_id: str, examples: str = "eval.parquet", **more: Any) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        given = spec(
            0.5, examples=f"/data/{examples}", output="/data/{{ dag.dag_id }}/{{ run_id }}"
        )
        evaluate = DockerEvaluatorOperator(
            task_id="evaluate",
            spec=given,
            image=os.environ["IMAGE"],
            mounts=[Mount("/data", str(FOLDER), "bind")],
            labels={"data": str(FOLDER)},
            **THRICE,
            **more,
        )
        push(evaluate.output)
    return dag


def in_pod(
    dag_id: str,
    examples: Any = "eval.parquet",
    operator: type[KubernetesEvaluatorOperator] = KubernetesEvaluatorOperator,
    **more: Any,
) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        paths = [
            str(FOLDER / path) for path in ([examples] if isinstance(examples, str) else examples)
        ]
        evaluate = operator(
            task_id="evaluate",
            spec=spec(0.5, examples=paths),
            image="benison",
            namespace="default",
            env_vars={"GIVEN": "{{ dag.dag_id }}"},
            **{**THRICE, **OFTEN, **more},
        )
        push(evaluate.output)
    return dag


if "IMAGE" in os.environ:
    docker = in_docker("docker")
    docker_wrong = in_docker("docker_wrong", "nothing.parquet")
    docker_deferred = in_docker("docker_deferred", deferrable=True)
    docker_wrong_deferred = in_docker("docker_wrong_deferred", "nothing.parquet", deferrable=True)
pod = in_pod("pod")
pod_deferred = in_pod("pod_deferred", deferrable=True)
pod_again = in_pod("pod_again")
pod_ended = in_pod("pod_ended", deferrable=True)
pod_wrong = in_pod("pod_wrong", "nothing.parquet")
pod_wrong_deferred = in_pod("pod_wrong_deferred", "nothing.parquet", deferrable=True)
pod_unknown = in_pod("pod_unknown", retries=0)
pod_unwanted = in_pod("pod_unwanted", operator=StoppedOperator, deferrable=True, retries=0)
pod_wrong_ended = in_pod("pod_wrong_ended", "nothing.parquet", deferrable=True)
pod_gone = in_pod("pod_gone")
pod_gone_deferred = in_pod("pod_gone_deferred", deferrable=True)
pod_evicted = in_pod("pod_evicted")
pod_swept = in_pod("pod_swept", deferrable=True)
pod_late = in_pod("pod_late", retries=0, **SOON, **KEPT)
pod_late_deferred = in_pod("pod_late_deferred", deferrable=True, retries=0, **SOON, **KEPT)
pod_pulled = in_pod("pod_pulled", retries=0, **SOON, **KEPT)
pod_pulled_deferred = in_pod(
    "pod_pulled_deferred", deferrable=True, retries=0, startup_timeout_seconds=1, **KEPT
)
pod_left_deferred = in_pod(
    "pod_left_deferred", deferrable=True, retries=0, callbacks=FailingCallback, **KEPT
)
pod_long = in_pod("pod_long", [str(path) for path in FOLDER.glob("parts/**/*.parquet")])
pod_secret = in_pod("pod_secret", metadata_conn_id="store", secrets=[PASSWORD], retries=0)
pod_open = in_pod("pod_open", metadata_conn_id="store")

if __name__ == "__main__":
    run(*(globals()[name] for name in sys.argv[1:]))
