# SPDX-License-Identifier: Apache-2.0
"""A fake of Kubernetes, which runs no containers: its HTTP API for pods and their events, on the loopback alone.

Whoever asks it is real, such as the clients `kubernetes` and `kubernetes_asyncio` through a kubeconfig. There is
no scheduler, no image and no network of pods.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
import re
import struct
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.orchestration.kubernetes_pods import LOST, Cluster, Json, Pod, RefusedError, now

TOKEN = "of-this-test-alone"
_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
_STDOUT, _STATUS = b"\x01", b"\x03"  # channels of v4.channel.k8s.io


@contextlib.contextmanager
def serving(cluster: Cluster, kubeconfig: Path) -> Iterator[None]:
    """Answer meanwhile, at the address that is written into a kubeconfig."""
    handler = type("AHandler", (_Handler,), {"cluster": cluster})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kubeconfig.write_text(json.dumps(_kubeconfig(server.server_port)))
        yield
        server.shutdown()
    for pod in list(cluster.pods.values()):
        cluster.remove(pod)


class _Handler(BaseHTTPRequestHandler):
    cluster: Cluster
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.cluster.asked.append(f"{self.command} {url.path}")
        try:
            self._route(url.path)
        except RefusedError as refused:
            self._say(refused.code, refused.status)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815 - as http.server calls them

    def _route(self, path: str) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        for method, pattern, act in _ROUTES:
            if method == self.command and (matched := re.fullmatch(pattern, path)):
                return act(self, *matched.groups())
        raise RefusedError(404, "NotFound", "the server could not find the requested resource")

    def create(self, namespace: str) -> None:
        pod = self.cluster.create(namespace, json.loads(self.body))
        if pod.fate in LOST:
            raise ConnectionAbortedError
        self._say(201, pod.body)

    def read(self, name: str) -> None:
        pod = self.cluster.named(name)
        body = copy.deepcopy(pod.body)
        if pod.fate == "swept" and pod.ended.is_set():
            self.cluster.remove(pod)
        self._say(200, body)

    def delete(self, name: str) -> None:
        pod = self.cluster.named(name)
        given = json.loads(self.body or b"{}").get("gracePeriodSeconds")
        self.cluster.delete(pod, float(self._one("gracePeriodSeconds", given or 30)))
        self._say(200, pod.body)

    def patch(self, name: str) -> None:
        pod = self.cluster.named(name)
        for key, value in json.loads(self.body)["metadata"].items():
            pod.metadata[key] = pod.metadata.get(key, {}) | value
        self._say(200, pod.body)

    def list_pods(self, namespace: str) -> None:
        for pod in list(self.cluster.pods.values()):
            if pod.fate in LOST:  # whoever asks again finds it at its end, or shortly before
                pod.evaluate()
        self._list("Pod", namespace)

    def list_events(self, namespace: str) -> None:
        self._list("Event", namespace)

    def _list(self, kind: str, namespace: str) -> None:
        is_of = {"Pod": lambda body: "spec" in body, "Event": lambda body: "spec" not in body}[kind]
        labels, fields = self._one("labelSelector"), self._one("fieldSelector")

        def selected(body: Json) -> bool:
            here = body["metadata"]["namespace"] == namespace
            return here and is_of(body) and _selects(labels, body, fields)

        if self._one("watch") in ("true", "True"):
            self._watch(selected)
        else:
            self._say(200, self.cluster.listed(kind, selected))

    def _watch(self, selected: Callable[[Json], bool]) -> None:
        since, seconds = self._one("resourceVersion", 0), self._one("timeoutSeconds", 30)
        self.cluster.check_version(int(since))
        changes = self.cluster.changes(int(since), float(seconds), selected)
        self._stream(f"{json.dumps(change)}\n" for change in changes)

    def log(self, name: str) -> None:
        pod = self.cluster.named(name)
        since = time.time() - float(self._one("sinceSeconds", 1e9))
        self._stream(self._lines(pod, since, self._one("follow") in ("true", "True")))

    def _lines(self, pod: Pod, since: float, follow: bool) -> Iterator[str]:
        sent = 0
        while True:
            is_last = pod.ended.is_set() or not follow
            for moment, line in pod.lines[sent:]:
                sent += 1
                if moment >= since:
                    yield f"{now(moment)} {line}" if self._one("timestamps") else line
            if is_last:
                return
            time.sleep(0.05)

    def exec(self, name: str) -> None:
        """A command in a container beside the first: reading what the first left, or its end."""
        pod = self.cluster.named(name)
        accepted = hashlib.sha1(
            f"{self.headers['Sec-WebSocket-Key']}{_WEBSOCKET}".encode()
        ).digest()
        self.send_response(101)
        for header in (
            *(("Upgrade", "websocket"), ("Connection", "Upgrade")),
            ("Sec-WebSocket-Accept", base64.b64encode(accepted).decode()),
            ("Sec-WebSocket-Protocol", "v4.channel.k8s.io"),
        ):
            self.send_header(*header)
        self.end_headers()
        self._run(pod)
        self._frame(_STATUS + b'{"status": "Success"}')
        self._frame(struct.pack(">H", 1000), 8)
        self.close_connection = True

    def _run(self, pod: Pod) -> None:
        if self._one("stdin") in ("true", "True"):
            assert (
                "kill -2" in self._received()
            )  # which is not run here, since it would end any shell
            return pod.killed.set()
        command = [pod.here(word) for word in self.query["command"]]
        done = subprocess.run(command, capture_output=True, check=True)
        return self._frame(_STDOUT + done.stdout)

    def _received(self) -> str:
        length = self.rfile.read(2)[1] & 127
        if length == 126:
            (length,) = struct.unpack(">H", self.rfile.read(2))
        mask = self.rfile.read(4)
        data = self.rfile.read(length)
        return bytes(byte ^ mask[n % 4] for n, byte in enumerate(data)).decode(errors="replace")

    def _frame(self, data: bytes, opcode: int = 2) -> None:
        head = bytes([128 | opcode])
        size = bytes([len(data)]) if len(data) < 126 else b"\x7f" + struct.pack(">Q", len(data))
        self.wfile.write(head + size + data)

    def _one(self, name: str, default: Any = "") -> Any:
        return self.query.get(name, [default])[0]

    def _say(self, code: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, parts: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in map(str.encode, parts):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *words: Any) -> None:
        pass


_PODS = r"/api/v1/namespaces/([^/]+)/pods"
_POD = r"/api/v1/namespaces/[^/]+/pods/([^/]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("GET", _PODS, _Handler.list_pods),
    ("POST", _PODS, _Handler.create),
    ("GET", _POD, _Handler.read),
    ("PATCH", _POD, _Handler.patch),
    ("DELETE", _POD, _Handler.delete),
    ("GET", f"{_POD}/log", _Handler.log),
    ("GET", f"{_POD}/exec", _Handler.exec),
    ("GET", r"/api/v1/namespaces/([^/]+)/events", _Handler.list_events),
)


def _selects(labels: str, body: Json, fields: str) -> bool:
    """Whether a label selector and a field selector take an object."""
    actual = body["metadata"].get("labels", {})
    for term in filter(None, labels.split(",")):
        key, is_not, value = re.fullmatch(r"!?([^!=]+)(!?)=*(.*)", term).groups()  # type: ignore[union-attr]
        equal = key not in actual if term.startswith("!") else actual.get(key) == value
        if equal == bool(is_not):
            return False
    path, _, value = fields.partition("=")
    for part in path.split(".") if path else ():
        body = body.get(part, {})
    return not path or body == value


def _kubeconfig(port: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "tester", "user": {"token": TOKEN}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "tester"}}],
        "current-context": "fake",
    }
