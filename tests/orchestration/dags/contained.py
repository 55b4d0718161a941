# SPDX-License-Identifier: Apache-2.0
"""The operators that evaluate in a container; as a program it runs the DAGs that it is told.

Pods have no cluster here: what Kubernetes would run is run on this machine, from the pod that is built.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.common.compat.sdk import DAG, AirflowException, task
from airflow.triggers.base import BaseTrigger, TriggerEvent
from docker.types import Mount

from benison_orchestration.airflow_docker import DockerEvaluatorOperator
from benison_orchestration.airflow_kubernetes import KubernetesEvaluatorOperator

FOLDER = Path(os.environ["PROBES"])


def spec(folder: str, examples: str = "eval.parquet") -> dict[str, Any]:
    auc = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["company"]}],
        "metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}, auc]}],
    }
    output = f"{folder}/{{{{ dag.dag_id }}}}/{{{{ run_id }}}}"
    return {"examples": f"{folder}/{examples}", "config": config, "output": output}


class Now(BaseTrigger):
    """What a pod's trigger is when the pod has ended at once."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "contained.Now", {}

    async def run(self) -> Any:
        yield TriggerEvent({"status": "success"})


def execute_here(operator: Any, context: Any) -> Any:
    """In place of KubernetesPodOperator's: start a pod, and wait for it or have it waited for."""
    pod = operator.build_pod_request_obj(context, dry_run=True)
    container, sidecar = pod.spec.containers
    assert sidecar.volume_mounts[0].mount_path == "/airflow/xcom"
    (FOLDER / operator.dag_id).mkdir()
    script = container.args[0].replace("/airflow/xcom", str(FOLDER / operator.dag_id))
    given = {variable.name: variable.value for variable in container.env}
    assert given["GIVEN"] == operator.dag_id
    done = subprocess.run([*container.command, script], env={**os.environ, **given}, check=False)
    if operator.deferrable:
        operator.defer(trigger=Now(), method_name="trigger_reentry")
    return returned(operator, context, {"status": "failed" if done.returncode else "success"})


def returned(operator: Any, context: Any, event: Any) -> Any:
    """In place of KubernetesPodOperator's trigger_reentry: what a pod has left to its sidecar."""
    if event["status"] != "success":
        raise AirflowException("The pod has failed.")
    return json.loads((FOLDER / operator.dag_id / "return.json").read_text())


@task
def push(verdict: dict[str, Any]) -> str:
    return verdict["output"]


def in_docker(dag_id: str, examples: str = "eval.parquet") -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        evaluate = DockerEvaluatorOperator(
            task_id="evaluate",
            spec=spec("/data", examples),
            image=os.environ["IMAGE"],
            mounts=[Mount("/data", str(FOLDER), "bind")],
        )
        push(evaluate.output)
    return dag


def in_pod(dag_id: str, examples: str = "eval.parquet", **more: Any) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        evaluate = KubernetesEvaluatorOperator(
            task_id="evaluate",
            spec=spec(str(FOLDER), examples),
            image="benison",
            namespace="default",
            env_vars={"GIVEN": "{{ dag.dag_id }}"},
            **more,
        )
        push(evaluate.output)
    return dag


if "IMAGE" in os.environ:
    docker = in_docker("docker")
    docker_wrong = in_docker("docker_wrong", "nothing.parquet")
pod = in_pod("pod")
pod_deferred = in_pod("pod_deferred", deferrable=True)
pod_wrong = in_pod("pod_wrong", "nothing.parquet")

if __name__ == "__main__":
    KubernetesPodOperator.execute = execute_here
    KubernetesPodOperator.trigger_reentry = returned
    for name in sys.argv[1:]:
        for ti in globals()[name].test().get_task_instances():
            print("STATE", name, ti.task_id, ti.state)
