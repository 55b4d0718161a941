# SPDX-License-Identifier: Apache-2.0
"""The trigger that evaluates: a process beside the triggerer, which ends when the trigger does."""

from __future__ import annotations

import asyncio
import contextvars
import json
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benison_orchestration.airflow_hook import MetadataHook
from benison_orchestration.airflow_process import Child, evaluation
from benison_orchestration.airflow_sdk import BaseTrigger, TriggerEvent, sync_to_async

_TIMED_OUT = 124  # the exit code of the command timeout


class EvaluationTrigger(BaseTrigger):
    """Evaluates in a child process of the triggerer; the event has its exit code, and outcome or words.

    A triggerer that takes it over from another evaluates again, as a retry does.

    Args:
        spec: As `host_task` takes it.
        process: Python, environment and folder, as `PythonOperatorBase.process` gives them.
        metadata_conn_id: The connection of the metadata store, whose password is not written down.
        deadline: When the process is ended, in seconds since 1970; None is never.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        process: Mapping[str, Any],
        metadata_conn_id: str | None = None,
        deadline: float | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.process = process
        self.metadata_conn_id = metadata_conn_id
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow's database has them."""
        names = ("spec", "process", "metadata_conn_id", "deadline")
        path = f"{type(self).__module__}.{type(self).__name__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Evaluate; one event, at the end."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            process = {**self.process, "secrets": await self._secrets()}
            child = evaluation(self.spec, process, folder, self.log.info)
            event = await self._event(child, folder)
        yield TriggerEvent(event)

    async def _secrets(self) -> dict[str, str]:
        if not self.metadata_conn_id:
            return {}
        hook = MetadataHook(self.metadata_conn_id)
        return dict(await sync_to_async(lambda: hook.secrets)())

    async def _event(self, child: Child, folder: str) -> dict[str, Any]:
        seconds = None if self.deadline is None else max(0.0, self.deadline - time.time())
        try:
            code = await asyncio.wait_for(_run(child), seconds)
        except TimeoutError:
            return {"code": _TIMED_OUT, "text": "error: The evaluation took longer than it may."}
        if code:
            return {"code": code, "text": "\n".join(child.lines)}
        text = Path(folder, "return.json").read_text(encoding="utf-8")
        return {"code": 0, "outcome": json.loads(text)}


async def _run(child: Child) -> int:
    """Run a process in a thread of its own; Airflow's few threads are for short work."""
    thread = ThreadPoolExecutor(1)
    context = contextvars.copy_context()
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(thread, context.run, child.run)
    finally:
        # Not awaited: when the trigger is cancelled, nobody waits for what it does yet.
        threading.Thread(target=child.end).start()
        thread.shutdown(wait=False)
