# SPDX-License-Identifier: Apache-2.0
"""The operators that evaluate in a container; as a program it runs the DAGs that it is told.

Pods have no cluster here: what Kubernetes would run is run on this machine, from the pod that is built, and
the rest of the provider's operator is its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.common.compat.sdk import DAG
from airflow.triggers.base import TriggerEvent
from common import FOLDER, THRICE, push, run, spec
from docker.types import Mount
from kubernetes import client

from benison_orchestration.airflow_docker import DockerEvaluatorOperator
from benison_orchestration.airflow_kubernetes import KubernetesEvaluatorOperator

PASSWORD = Secret("env", "BENISON_METADATA_PASSWORD", "the-secret", "its-key")


class Cluster:
    """In place of Kubernetes: runs a pod to its end as soon as it is made."""

    is_in_cluster = False

    def __init__(self) -> None:
        self.pods: dict[str, Any] = {}
        self.returned: dict[str, str] = {}

    def start(self, operator: Any, pod_request_obj: Any, context: Any) -> Any:
        """In place of get_or_create_pod."""
        pod, dag = pod_request_obj, operator.dag_id
        container, sidecar = pod.spec.containers
        assert sidecar.volume_mounts[0].mount_path == "/airflow/xcom"
        values = {v.name: v.value for v in container.env if v.value is not None}
        assert values["GIVEN"] == dag
        (FOLDER / f"{dag}.json").write_text(
            json.dumps(client.ApiClient().sanitize_for_serialization(pod))
        )
        values["BENISON_RETURN"] = str(FOLDER / f"{dag}.return")
        done = subprocess.run(
            [*container.command, *container.args],
            env={**os.environ, **values},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.pods[pod.metadata.name] = ended(pod, done.returncode, done.stdout)
        if done.returncode == 0:
            self.returned[pod.metadata.name] = (FOLDER / f"{dag}.return").read_text()
        # Whoever looks later than at once sees a pod that has ended.
        return self.pods[pod.metadata.name] if dag.endswith("_ended") else pod

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("get_xcom_sidecar"):
            raise AttributeError(name)
        return lambda: None  # the provider's defaults

    def get_pod(self, name: str, namespace: str) -> Any:
        return self.pods[name]

    def await_pod_completion(self, pod: Any, *how: Any) -> Any:
        return self.pods[pod.metadata.name]

    def await_xcom_sidecar_container_start(self, pod: Any) -> None:
        pass

    def extract_xcom(self, pod: Any, **how: Any) -> str:
        return self.returned.get(pod.metadata.name, "__airflow_xcom_result_empty__")


def ended(pod: Any, code: int, log: str) -> Any:
    """A pod as Kubernetes shows it when its container has ended."""
    assert pod.spec.containers[0].termination_message_policy == "FallbackToLogsOnError"
    terminated = client.V1ContainerStateTerminated(
        exit_code=code, message=log[-2048:] if code else None
    )
    state = client.V1ContainerState(terminated=terminated)
    status = client.V1ContainerStatus(
        name="base", state=state, image="", image_id="", ready=False, restart_count=0
    )
    phase = "Failed" if code else "Succeeded"
    pod_status = client.V1PodStatus(phase=phase, container_statuses=[status])
    return client.V1Pod(metadata=pod.metadata, spec=pod.spec, status=pod_status)


async def fire(trigger: Any) -> Any:
    """In place of the trigger's run: the pod has ended."""
    pod = CLUSTER.pods[trigger.pod_name]
    status = "success" if pod.status.phase == "Succeeded" else "failed"
    names = {"name": trigger.pod_name, "namespace": trigger.pod_namespace}
    yield TriggerEvent({"status": status, "message": "It has ended.", **names})


CLUSTER = Cluster()


def install() -> None:
    """Put the cluster in place of Kubernetes."""

    def nothing(*positional: Any, **named: Any) -> None:
        return None

    def find(operator: Any, namespace: str, context: Any, **how: Any) -> Any:
        return CLUSTER.pods[operator.pod.metadata.name]

    def start(operator: Any, pod_request_obj: Any, context: Any) -> Any:
        return CLUSTER.start(operator, pod_request_obj, context)

    for name in (
        *("await_pod_start", "await_init_containers_completion", "await_pod_completion"),
        *("_write_logs", "process_pod_deletion", "patch_already_checked", "is_istio_enabled"),
    ):
        setattr(KubernetesPodOperator, name, nothing)
    KubernetesPodOperator.find_pod = find
    KubernetesPodOperator.get_or_create_pod = start
    KubernetesPodOperator.hook = KubernetesPodOperator.pod_manager = CLUSTER
    KubernetesPodOperator.client = None
    KubernetesPodTrigger.run = fire


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


def in_pod(dag_id: str, examples: Any = "eval.parquet", **more: Any) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        paths = [
            str(FOLDER / path) for path in ([examples] if isinstance(examples, str) else examples)
        ]
        evaluate = KubernetesEvaluatorOperator(
            task_id="evaluate",
            spec=spec(0.5, examples=paths),
            image="benison",
            namespace="default",
            env_vars={"GIVEN": "{{ dag.dag_id }}"},
            **THRICE,
            **more,
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
pod_ended = in_pod("pod_ended", deferrable=True)
pod_wrong = in_pod("pod_wrong", "nothing.parquet")
pod_wrong_deferred = in_pod("pod_wrong_deferred", "nothing.parquet", deferrable=True)
pod_wrong_ended = in_pod("pod_wrong_ended", "nothing.parquet", deferrable=True)
pod_long = in_pod("pod_long", [str(path) for path in FOLDER.glob("parts/**/*.parquet")])
pod_secret = in_pod("pod_secret", "nothing.parquet", metadata_conn_id="store", secrets=[PASSWORD])
pod_open = in_pod("pod_open", metadata_conn_id="store")

if __name__ == "__main__":
    install()
    run(*(globals()[name] for name in sys.argv[1:]))
