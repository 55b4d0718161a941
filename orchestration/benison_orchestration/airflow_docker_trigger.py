# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits for a container of Docker's, and ends it when nobody waits any longer.

A container asks in its log before it publishes what it has evaluated. The trigger only sees that; the worker
of the task answers, which Airflow starts for no task that was stopped meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import tarfile
import threading
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from benison.errors import AGAIN, MissingExtraError
from benison_orchestration.airflow_sdk import BaseTrigger, TriggerEvent, sync_to_async
from benison_orchestration.host_permission import ASKS

try:
    from airflow.providers.docker.hooks.docker import DockerHook
    from docker.errors import DockerException, NotFound
except ModuleNotFoundError as error:
    raise MissingExtraError("Airflow's Docker provider", "airflow-docker") from error

TIMED_OUT = 124  # the exit code of the command timeout
STEP_SECONDS = 2.0
"""How often a container is looked at."""
PERMISSION_FILE = "/tmp/benison-permission"  # noqa: S108 - of the container, which is removed
"""Where a container waits for the answer."""
ASKING = "asking"
"""What an event has of a container that asks: the arguments of its trigger."""
_ARGUMENTS = ("container", "engine", "path", "auto_remove", "deadline")
_SHOWN_LINES = 50
_MOST_FAILURES = 30
"""How often in a row a container may not be looked at before it is given up."""
_FAILURES = (DockerException, OSError)  # of the engine, and of the network to it


class ContainerTrigger(BaseTrigger):
    """Waits for a container; the event has its exit code, and outcome or words, or that it asks to publish.

    Args:
        container: Its id.
        engine: How its engine is reached, as `DockerEvaluatorOperator.engine` gives it.
        path: Where in the container the outcome is.
        auto_remove: When the container is removed: `never`, `success` or `force`.
        deadline: When it is ended, in seconds since 1970; None is never.
    """

    def __init__(
        self,
        container: str,
        engine: Mapping[str, Any],
        path: str,
        auto_remove: str = "force",
        deadline: float | None = None,
    ) -> None:
        super().__init__()
        self.container = container
        self.engine = engine
        self.path = path
        self.auto_remove = auto_remove
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow's database has them."""
        path = f"{type(self).__module__}.{type(self).__name__}"
        return path, {name: getattr(self, name) for name in _ARGUMENTS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; one event, at the end."""
        client = await sync_to_async(lambda: client_of(self.engine))()
        event: dict[str, Any] | None = None
        try:
            event = await self._event(client)
        finally:
            if event is None or ASKING not in event:
                # Not awaited: when the trigger is cancelled, nobody waits for what it does yet.
                threading.Thread(target=self._end, args=(client, event)).start()
        yield TriggerEvent(event)

    def published(self) -> dict[str, Any]:
        """Let the container publish, and wait for its end: the event of that."""
        client = client_of(self.engine)
        event: dict[str, Any] | None = None
        try:
            answer(client, self.container)
            event = self._outcome(client, client.wait(self.container)["StatusCode"])
            return event
        finally:
            self._end(client, event)

    async def _event(self, client: Any) -> dict[str, Any]:
        try:
            return await self._awaited(client)
        except NotFound:  # such as after a triggerer that was ended, with which a container is, too
            return {"code": AGAIN, "text": "error: The container is gone before it has ended."}
        except _FAILURES as error:
            return {"code": AGAIN, "text": f"error: The container cannot be looked at: {error}"}

    async def _awaited(self, client: Any) -> dict[str, Any]:
        failures = 0
        while True:
            try:
                if event := await sync_to_async(self._looked)(client):
                    return dict(event)
                failures = 0
            except NotFound:
                raise
            except _FAILURES as error:
                failures += 1
                if failures > _MOST_FAILURES:
                    raise
                self.log.warning("The container cannot be looked at: %s", error)
            await asyncio.sleep(STEP_SECONDS)

    def _looked(self, client: Any) -> dict[str, Any] | None:
        """The event of a container that has ended, asks or is late; None of one that only runs."""
        state = client.inspect_container(self.container)["State"]
        if not state["Running"]:
            return self._outcome(client, state["ExitCode"])
        if self.deadline is not None and time.time() > self.deadline:
            return {"code": TIMED_OUT, "text": "error: The evaluation took longer than it may."}
        return {ASKING: self.serialize()[1]} if asks(client, self.container) else None

    def _outcome(self, client: Any, code: int) -> dict[str, Any]:
        if code:
            text = client.logs(self.container, tail=_SHOWN_LINES).decode(errors="replace")
            return {"code": code, "text": text}
        chunks, _ = client.get_archive(self.container, self.path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            (file,) = (archive.extractfile(member) for member in archive)
            return {"code": 0, "outcome": json.load(file)}  # type: ignore[arg-type]

    def _end(self, client: Any, event: Mapping[str, Any] | None) -> None:
        """Stop the container, and remove it as it was asked."""
        with contextlib.suppress(*_FAILURES):  # it is gone, or the engine is
            client.stop(self.container)
            succeeded = event is not None and event["code"] == 0
            if self.auto_remove == "force" or (self.auto_remove == "success" and succeeded):
                client.remove_container(self.container, force=True)


def client_of(engine: Mapping[str, Any]) -> Any:
    """The client of an engine."""
    options = dict(engine)
    tls = DockerHook.construct_tls_config(**options.pop("tls"))
    return DockerHook(**options, tls=tls).api_client


def asks(client: Any, container: str) -> bool:
    """Whether a container asks to publish: the last lines of its log say so."""
    return ASKS.encode() in client.logs(container, tail=_SHOWN_LINES)


def answer(client: Any, container: str) -> None:
    """Let a container publish."""
    asked = client.exec_create(container, ["touch", PERMISSION_FILE])
    client.exec_start(asked["Id"], detach=True)
