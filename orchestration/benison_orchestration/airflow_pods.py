# SPDX-License-Identifier: Apache-2.0
"""Says to pods that evaluate whether they are still waited for, before they publish anything.

A pod asks in its log. The trigger of a deferred task only sees that, and a worker answers, which Airflow
starts for no task that was stopped meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
import math
from contextlib import AbstractContextManager
from typing import Any

from benison.errors import MissingExtraError
from benison_orchestration.airflow_process import permitting
from benison_orchestration.airflow_sdk import TriggerEvent
from benison_orchestration.host_permission import ASKED_SECONDS, ASKS

try:
    from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
    from airflow.providers.cncf.kubernetes.utils.xcom_sidecar import PodDefaults
    from kubernetes.client import CoreV1Api
    from kubernetes.stream import stream
except ModuleNotFoundError as error:
    raise MissingExtraError("Airflow's Kubernetes provider", "airflow-kubernetes") from error

PERMISSION_FILE = f"{PodDefaults.XCOM_MOUNT_PATH}/permission"
"""Where a pod waits for the answer, in the folder that it shares with Airflow's sidecar."""
_REQUEST_SECONDS = 30.0


class PodTrigger(KubernetesPodTrigger):
    """Waits until a pod has ended, or asks whether it may publish."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow's database has them."""
        return f"{type(self).__module__}.{type(self).__name__}", super().serialize()[1]

    async def _wait_for_container_completion(self) -> TriggerEvent:
        ended = asyncio.ensure_future(super()._wait_for_container_completion())
        asked = asyncio.ensure_future(self._asked())
        try:
            await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
            return ended.result() if ended.done() else self._event()
        finally:
            ended.cancel()
            asked.cancel()

    def _event(self) -> TriggerEvent:
        about = {"namespace": self.pod_namespace, "name": self.pod_name}
        since = {"last_log_time": self.last_log_time, **self.trigger_kwargs}
        return TriggerEvent({"status": "success", **about, **since})

    async def _asked(self) -> None:
        """Wait until the pod asks; a log that cannot be read now is read again."""
        complaint = ""
        about = {"name": self.pod_name, "namespace": self.pod_namespace}
        since = {"since_seconds": _window(self.poll_interval)}
        while True:
            try:
                lines = await self.hook.read_logs(
                    **about, container_name=self.base_container_name, **since
                )
            except Exception as error:  # noqa: BLE001 - of the client, the network or the server
                if str(error) != complaint:
                    complaint = str(error)
                    self.log.warning("The log of %s cannot be read: %s", self.pod_name, error)
            else:
                if any(ASKS in line for line in lines):
                    return
            await asyncio.sleep(self.poll_interval)


def permitting_pod(operator: Any, pod: Any) -> AbstractContextManager[None]:
    """Meanwhile, let a pod publish that asks for it.

    Args:
        operator: Which waits for the pod.
        pod: The pod.
    """
    # A client of its own, since one that talks to a container can do nothing else.
    client = CoreV1Api(operator.hook.get_conn())
    complaint = "The pod cannot be asked whether it has evaluated: %s"
    return permitting(
        lambda: _asks(operator, client, pod),
        lambda: _answer(client, pod),
        operator.poll_interval,
        _REQUEST_SECONDS,
        functools.partial(operator.log.warning, complaint),
    )


def _asks(operator: Any, client: Any, pod: Any) -> bool:
    response = client.read_namespaced_pod_log(
        pod.metadata.name,
        pod.metadata.namespace,
        container=operator.base_container_name,
        since_seconds=_window(operator.poll_interval),
        _preload_content=False,
        _request_timeout=_REQUEST_SECONDS,
    )
    return ASKS.encode() in response.data


def _answer(client: Any, pod: Any) -> None:
    """Make the file in the sidecar.

    Raises:
        RuntimeError: The sidecar has said something.
    """
    words = stream(
        client.connect_get_namespaced_pod_exec,
        pod.metadata.name,
        pod.metadata.namespace,
        container=PodDefaults.SIDECAR_CONTAINER_NAME,
        command=["touch", PERMISSION_FILE],
        **{"stdin": False, "stdout": True, "stderr": True, "tty": False},
        _request_timeout=_REQUEST_SECONDS,
    )
    if words:
        raise RuntimeError(words)


def _window(poll_interval: float) -> int:
    """For how many seconds back a log is read: a pod that waits has asked in them."""
    return math.ceil(2 * ASKED_SECONDS + poll_interval)
