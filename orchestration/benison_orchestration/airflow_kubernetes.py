# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Airflow as a Kubernetes pod, by the provider's operator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benison.errors import MissingExtraError
from benison_orchestration.airflow import BaseEvaluatorOperator

try:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
except ModuleNotFoundError as error:
    raise MissingExtraError("Airflow's Kubernetes provider", "airflow-kubernetes") from error

# A shell that waits hands on the signal by which a pod ends; then the verdict goes to Airflow's sidecar.
SCRIPT = """benison evaluate & trap "kill $!" TERM
wait $! && cp "$BENISON_OUTPUT/verdict.json" /airflow/xcom/return.json"""


class KubernetesEvaluatorOperator(BaseEvaluatorOperator, KubernetesPodOperator):
    """Evaluates a model in a pod of Benison's image.

    With `deferrable=True` no worker waits for the pod. Paths in the spec are the pod's; what is read and
    written there is on volumes.

    Args:
        image: The image, with `benison` and `sh` in its path.
        kwargs: As `BaseEvaluatorOperator` and `KubernetesPodOperator`, such as `volumes`.
    """

    template_fields = (
        *BaseEvaluatorOperator.template_fields,
        *KubernetesPodOperator.template_fields,
    )
    template_fields_renderers = {
        **KubernetesPodOperator.template_fields_renderers,
        **BaseEvaluatorOperator.template_fields_renderers,
    }

    env_vars: list[Any]

    def __init__(self, *, image: str, **kwargs: Any) -> None:
        fixed = {"cmds": ["sh", "-c"], "arguments": [SCRIPT], "do_xcom_push": True}
        super().__init__(image=image, **{**kwargs, **fixed})

    def evaluate(self, context: Any) -> Mapping[str, Any] | None:
        from kubernetes.client import V1EnvVar

        spec = self.full_spec(context)
        given = {"BENISON_SPEC": json.dumps(spec), "BENISON_OUTPUT": spec["output"]}
        self.env_vars = [*self.env_vars, *(V1EnvVar(*pair) for pair in given.items())]
        found: Mapping[str, Any] | None = KubernetesPodOperator.execute(self, context)
        return found

    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Act on the verdict of a pod that was waited for elsewhere."""
        return self.conclude(context, super().trigger_reentry(context, event))
