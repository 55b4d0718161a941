# SPDX-License-Identifier: Apache-2.0
"""What becomes of a container whose trigger ends otherwise than by its end, in Docker's API over HTTP.

As a program it prints, as JSON, for each way what the engine was asked and what the task is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benison_orchestration.airflow_docker import DockerEvaluatorOperator
from benison_orchestration.airflow_docker_trigger import ContainerTrigger
from benison_orchestration.host_permission import ASKS

SPEC = {"examples": "x.parquet", "config": {}, "output": "out"}
WAYS = ("cancelled", "late", "gone", "asking", "cut", "waiting")


class Engine(BaseHTTPRequestHandler):
    """Has the containers `slow`, which runs until it is stopped, and `asking`, which ends once it is answered.

    `cut` asks, too; the network is cut where it is first looked at.
    """

    asked: list[str]
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = re.sub(r"^/v[\d.]+|\?.*", "", self.path)
        if path == "/_ping":
            return self._say(b"OK")
        is_first = f"{self.command} {path}" not in self.asked
        self.asked.append(f"{self.command} {path}")
        _, _, name, *rest = path.split("/")
        if name == "cut" and is_first:
            self.close_connection = True
            return None
        if name == "gone":
            return self._say({"message": "No such container"}, 404)
        if rest in (["json"], ["archive"], ["logs"]):
            return self._say(self._about(name)[rest[0]])
        return self._say({"StatusCode": 0, "Id": "touching"} if "stop" not in rest else b"")

    def _about(self, name: str) -> dict[str, Any]:
        state = {"Running": True, "ExitCode": 0}
        return {
            "json": {"Id": name, "State": state, "Config": {"Tty": True}},
            "archive": archived({"status": "blessed"}),
            "logs": b"" if name == "slow" else ASKS.encode(),
        }

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - as http.server calls them

    def _say(self, content: Any, status: int = 200) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("X-Docker-Container-Path-Stat", "e30=")  # of a file in an archive
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


def archived(outcome: dict[str, Any]) -> bytes:
    """A file as an archive, as the engine gives it."""
    content, target = json.dumps(outcome).encode(), io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        about = tarfile.TarInfo("return.json")
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return target.getvalue()


def when(way: str) -> dict[str, Any]:
    """Wait for a container until something else comes: what is asked of the engine, and the event."""
    engine = type("AnEngine", (Engine,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        event: Any = None
        if way == "waiting":
            _permitted(engine.asked, server.server_port)
        else:
            event = asyncio.run(_event(way, engine.asked, server.server_port))
        before = len(engine.asked)
        if way == "asking":  # and a worker goes on with the task
            event = [*event, ContainerTrigger(**event["asking"]).published()]
        elif way in ("cancelled", "late"):
            _await(lambda: "DELETE /containers/slow" in engine.asked)
        server.shutdown()
    return {"asked": engine.asked, "event": event, "before": before}


async def _event(way: str, asked: list[str], port: int) -> Any:
    reached = {"docker_conn_id": None, "base_url": f"tcp://127.0.0.1:{port}", "version": "1.41"}
    tls = dict.fromkeys(("ca_cert", "client_cert", "client_key", "assert_hostname", "ssl_version"))
    deadline = time.time() - 1 if way == "late" else None
    trigger = ContainerTrigger(
        way if way in ("gone", "asking", "cut") else "slow",
        {**reached, "timeout": 10, "tls": {**tls, "verify": True}},
        "/tmp/return.json",
        deadline=deadline,
    )
    waiting = asyncio.ensure_future(_first(trigger))
    if way == "cancelled":  # as the triggerer does when the task is cleared, or marked as failed
        await asyncio.get_running_loop().run_in_executor(None, _await, lambda: bool(asked))
        waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await waiting
    return None


def _permitted(asked: list[str], port: int) -> None:
    """As a worker does that waits for its container."""
    operator = DockerEvaluatorOperator(
        task_id="t", image="i", spec=SPEC, docker_url=f"tcp://127.0.0.1:{port}", api_version="1.41"
    )
    operator.container = {"Id": "cut"}
    with operator._permitting():
        _await(lambda: "POST /exec/touching/start" in asked)


async def _first(trigger: ContainerTrigger) -> Any:
    events = [event.payload async for event in trigger.run()]
    return events[0]


def _await(is_so: Any) -> None:
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


if __name__ == "__main__":
    print(json.dumps({way: when(way) for way in WAYS}))
