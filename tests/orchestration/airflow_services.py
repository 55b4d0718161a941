# SPDX-License-Identifier: Apache-2.0
"""A whole Airflow 3 at work: a scheduler with its workers, DAG processor, triggerer and API server.

Everything listens on the loopback alone, on ports that were free, and is ended process by process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.orchestration.airflow_host import AirflowDatabases, AirflowHost, wait_for

SERVICES = (
    ("api-server", "--workers", "1"),
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
)
ENDED = {"success", "failed", "skipped", "upstream_failed"}


class AirflowServices:
    """A running Airflow."""

    def __init__(self, home: Path, dags: Path, **env: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.host = AirflowHost(
            "3",
            home,
            dags,
            AIRFLOW__API__HOST="127.0.0.1",
            AIRFLOW__API__PORT=str(port),
            AIRFLOW__API__BASE_URL=self.url,
            AIRFLOW__API_AUTH__JWT_SECRET="of this test alone, which is long enough for the algorithm "
            * 2,
            AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
            AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{self.url}/execution/",
            AIRFLOW__CORE__EXECUTOR="LocalExecutor",
            AIRFLOW__CORE__PARALLELISM="2",
            # Once is enough, as the files stay as they are.
            AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL="3600",
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
            **env,
        )
        self._token = ""

    @contextlib.contextmanager
    def running(self, databases: AirflowDatabases) -> Iterator[None]:
        """Start it, and end every process of it."""
        databases.copy_to(self.host)
        self.host.run("-m", "airflow", "dags", "reserialize")
        started: list[subprocess.Popen[bytes]] = []
        try:
            for words in SERVICES:
                started.append(self._start(*words))
            self._token = wait_for(self._sign_in)
            yield
        finally:
            end(started)

    def get(self, path: str) -> Any:
        """What the API says of a path below /api/v2."""
        return self._ask(f"/api/v2/{path}")

    def post(self, path: str, **body: Any) -> Any:
        """What the API answers to a document."""
        return self._ask(f"/api/v2/{path}", "POST", body)

    def trigger(self, dag: str, run: str, **conf: Any) -> None:
        """Start a run of a DAG."""
        self.post(f"dags/{dag}/dagRuns", dag_run_id=run, logical_date=None, conf=conf)

    def fail(self, dag: str, run: str, task: str) -> None:
        """Stop a task as its page does, by marking it as failed."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
        self._ask(path, "PATCH", {"new_state": "failed"})

    def xcom(self, dag: str, run: str, task: str) -> Any:
        """What a task has returned."""
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
        return self.get(path)["value"]

    def finished(self, dag: str, run: str) -> dict[str, str]:
        """The states of a run's tasks, when it has ended."""

        def states() -> dict[str, str] | None:
            actual = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
            by_task = {task["task_id"]: task["state"] for task in actual}
            return by_task if set(by_task.values()) <= ENDED else None

        return wait_for(states, 400)

    def _ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + quote(path, safe="/?=&"),
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def _sign_in(self) -> str | None:
        try:
            return str(self._ask("/auth/token")["access_token"])
        except (urllib.error.URLError, ConnectionError):
            return None

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.host.home / f"{words[0]}.log").open("wb") as log:
            return subprocess.Popen(
                [str(self.host.python), "-m", "airflow", *words],
                env=self.host.env,
                cwd=self.host.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )


def end(services: Sequence[subprocess.Popen[bytes]]) -> None:
    """End services, and what they have left of their groups, even if this is interrupted."""
    for service in services:
        service.terminate()
    try:
        for service in services:
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.wait(10)
    finally:
        for service in services:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGKILL)
    for service in services:
        service.wait()


def end_with_parent() -> None:
    """Have the kernel end this process when the tests' is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
