# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Airflow as a Kubernetes pod, by the provider's operator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from benison.errors import ConfigError, MissingExtraError
from benison.lineage.connection import PASSWORD_VARIABLE
from benison_orchestration.airflow import BaseEvaluatorOperator
from benison_orchestration.airflow_process import failure
from benison_orchestration.airflow_sdk import (
    AirflowException,
    AirflowFailException,
    TaskDeferred,
)
from benison_orchestration.airflow_spec import COMMAND, RETURN, check, check_environment, packed
from benison_orchestration.host_permission import PERMISSION

try:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from urllib3.exceptions import HTTPError

    from benison_orchestration.airflow_pods import PERMISSION_FILE, PodTrigger, permitting_pod
except ModuleNotFoundError as error:
    raise MissingExtraError("Airflow's Kubernetes provider", "airflow-kubernetes") from error

_CURE = "Give it from a Secret of Kubernetes: secrets=[Secret('env', NAME, SECRET, KEY)]."
_ENDED = ("Succeeded", "Failed")  # phases of pods
_RETURNED = "/airflow/xcom/return.json"  # where Airflow's sidecar looks


class KubernetesEvaluatorOperator(BaseEvaluatorOperator, KubernetesPodOperator):
    """Evaluates a model in a pod of Benison's image.

    With `deferrable=True` no worker waits for the pod while it evaluates. What it has evaluated it publishes
    only when a worker of the task says so, so that a pod whose task was stopped, or was lost, blesses
    nothing. One for which nobody waits any longer, such as after `execution_timeout`, is deleted, whatever
    `on_finish_action` says. Paths in the spec are the pod's; what is read and written there is on volumes. A
    pod can be read by many, so the password of the metadata store is not put there: give it from a Secret of
    Kubernetes, and leave it out of the connection.

        secrets=[Secret("env", "BENISON_METADATA_PASSWORD", "the-secret", "its-key")]

    Args:
        image: The image, whose `python` has Benison.
        kwargs: As `BaseEvaluatorOperator` and `KubernetesPodOperator`, such as `volumes`.

    Raises:
        ConfigError: `env_vars` holds a password or a key.
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
    _is_starting = False
    _returned: Mapping[str, Any] | None = None

    def __init__(self, *, image: str, **kwargs: Any) -> None:
        fixed = {"cmds": [*COMMAND], "arguments": [], "do_xcom_push": True}
        # The last lines of the log, where the reason is, are then the message of a pod that has failed.
        default = {"termination_message_policy": "FallbackToLogsOnError"}
        check_environment(kwargs.get("env_vars"), "env_vars", _CURE)
        super().__init__(image=image, **{**default, **kwargs, **fixed})

    def check_spec(self) -> None:
        check(self.spec, has_output=self.output_root is not None)

    def evaluate(self, context: Any) -> Mapping[str, Any] | None:
        from kubernetes.client import V1EnvVar

        try:
            more = {RETURN: _RETURNED, PERMISSION: PERMISSION_FILE}
            given = {**packed(self.full_spec(context)), **more}
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error
        self._check_password()
        self.env_vars = [*self.env_vars, *(V1EnvVar(*pair) for pair in given.items())]
        # A pod that has ended before it could be deferred is concluded in between.
        self._is_starting = True
        try:
            with self._ended_on_failure(context):
                returned = KubernetesPodOperator.execute(self, context)
        except AirflowException as error:
            raise self._failure(error) from error
        finally:
            self._is_starting = False
        return returned if returned is not None else self._returned

    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> Any:
        """Act on the verdict of a pod that was waited for elsewhere."""
        if self._is_starting:
            self._returned = super().trigger_reentry(context, event)
            return self._returned
        self._end_if_late(event)
        try:
            with self._ended_on_failure(context):
                event = self._published(event)
            returned = super().trigger_reentry(context, event)
        except AirflowException as error:
            raise self._failure(error) from error
        return self.conclude(context, returned)

    def defer(self, *, trigger: Any, **how: Any) -> None:
        """Let a trigger wait that also sees when the pod has to be let publish."""
        super().defer(trigger=PodTrigger(**trigger.serialize()[1]), **how)

    def await_pod_completion(self, pod: Any) -> None:
        """Wait for a pod, and let it publish."""
        with permitting_pod(self, pod):
            super().await_pod_completion(pod)

    def process_pod_deletion(self, pod: Any, *, reraise: bool = True) -> bool:
        """Delete a pod as it was asked, and in any case one that may still evaluate."""
        if pod is not None and self._still_evaluates(pod):
            self.pod_manager.delete_pod(pod)
            return True
        return bool(super().process_pod_deletion(pod, reraise=reraise))

    @contextlib.contextmanager
    def _ended_on_failure(self, context: Any) -> Iterator[None]:
        """Delete the pod where it is not waited for, as the provider does once it waits."""
        try:
            yield
        except TaskDeferred:
            raise
        except BaseException:  # of a timeout too
            if self.pod is None:
                self._end_unknown(context)
            elif not self._killed and self._still_evaluates(self.pod):
                self.patch_already_checked(self.pod, reraise=False)
                self.pod_manager.delete_pod(self.pod)
            raise

    def _end_unknown(self, context: Any) -> None:
        """Delete a pod of which no try comes to know, as the answer to its creation was lost."""
        ti, pod = context["ti"], self.pod_request_obj
        if pod is None or ti.try_number <= ti.max_tries:
            return
        try:
            self.pod_manager.delete_pod(pod)
        except (self._api_error(), HTTPError) as error:
            self.log.warning(
                "There may be a pod %s, which blesses nothing: %s", pod.metadata.name, error
            )

    def _published(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event of a pod that has ended: one that has yet to publish does so first."""
        if event["status"] != "success":
            return event
        with contextlib.suppress(
            self._api_error()
        ):  # of a pod that is gone, by which the event is told apart
            pod = self.hook.get_pod(event["name"], event["namespace"])
            if self._still_evaluates(pod):
                self.pod = pod
                name, seconds = self.base_container_name, self.poll_interval
                with permitting_pod(self, pod):
                    self.pod_manager.await_container_completion(pod, name, seconds)
                ended = _ended(self.pod_manager.read_pod(pod), self)
                if ended is not None and ended.exit_code:
                    return {**event, "status": "failed", "message": "The container has failed."}
        return event

    def _end_if_late(self, event: Mapping[str, Any]) -> None:
        """Delete a pod whose time is over, before its log is followed until it has blessed."""
        if event["status"] != "timeout":
            return
        with contextlib.suppress(self._api_error()):
            pod = self.hook.get_pod(event["name"], event["namespace"])
            if self._still_evaluates(pod):
                self.pod_manager.delete_pod(pod)
                raise AirflowException(event["message"])

    def _still_evaluates(self, pod: Any) -> bool:
        """Whether a pod may still bless: it runs, or its image is pulled, or its node is not heard of."""
        try:
            current = self.pod_manager.read_pod(pod)
        except self._api_error():  # which is also how it is said that there is no such pod
            return False
        return current.status.phase not in _ENDED and _ended(current, self) is None

    @staticmethod
    def _api_error() -> type[Exception]:
        from kubernetes.client.exceptions import ApiException

        return ApiException  # type: ignore[no-any-return]

    def _check_password(self) -> None:
        """Refuse a password that the pod would not get; what a pod's template brings is not known here."""
        if not self.secrets_of_store() or self.env_from or self.pod_template_file:
            return
        targets = {secret.deploy_target for secret in self.secrets}
        names = {variable.name for variable in self.env_vars if variable.value_from}
        if PASSWORD_VARIABLE not in targets | names:
            raise AirflowFailException(
                f"The connection {self.metadata_conn_id} has a password, which is not put into a pod. Give "
                f"secrets=[Secret('env', '{PASSWORD_VARIABLE}', SECRET, KEY)]."
            )

    def _failure(self, error: Exception) -> Exception:
        """The exception for a pod that has failed: by the exit code, if it had come so far."""
        ended = _ended(self.remote_pod or self.pod, self)
        return error if ended is None else failure(ended.exit_code, ended.message or str(error))


def _ended(pod: Any, operator: Any) -> Any:
    """How the evaluation's container in a pod has ended, if it is known."""
    statuses = pod.status.container_statuses if pod and pod.status else None
    for status in statuses or ():
        if status.name == operator.base_container_name:
            return status.state.terminated
    return None
