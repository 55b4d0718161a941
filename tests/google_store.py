# SPDX-License-Identifier: Apache-2.0
"""A fake of Google Cloud Storage: its JSON API on the loopback, with its objects in memory.

Clients are real, such as the one in Arrow. It asks for no login and keeps no older versions.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pyarrow import fs

from tests.object_store import Bucket

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The address of a server that runs meanwhile, in a process of its own: Arrow waits with the lock of this one."""
    words = [sys.executable, "-m", __name__]
    pipes: Json = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.DEVNULL,
    }
    with subprocess.Popen(words, cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


class GoogleBucket(Bucket):
    """A bucket of the server, seen from outside; it is made with its first object.

    Args:
        server: Where the server listens.
        name: The name.
    """

    def __init__(self, server: str, name: str) -> None:
        second = timedelta(seconds=1)
        self.store = fs.GcsFileSystem(
            anonymous=True, endpoint_override=server, scheme="http", retry_time_limit=second
        )
        self.server, self.name = server, name
        self.address = f"gs://anonymous@{name}"
        self.query = f"?endpoint_override={server}&scheme=http&retry_limit_seconds=1"

    def lose(self, requests: str) -> None:
        """Lose the connection at each request that an expression matches, such as `PUT .*`; at none for ""."""
        url = f"http://{self.server}/lose"
        with urllib.request.urlopen(urllib.request.Request(url, requests.encode())):
            pass


class AbsentError(Exception):
    """There is no such object."""


class Objects:
    """The objects of all buckets, by bucket and name, and what is being uploaded."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.uploads: dict[str, tuple[str, bytearray]] = {}
        self.lost = ""
        self._numbers = itertools.count(1_700_000_000_000_000)

    def next_number(self) -> int:
        return next(self._numbers)

    def write(self, bucket: str, name: str, content: bytes) -> Json:
        self.contents[bucket, name] = (self.next_number(), content)
        return self.describe(bucket, name)

    def read(self, bucket: str, name: str) -> tuple[int, bytes]:
        """The generation and the bytes of an object."""
        if (bucket, name) not in self.contents:
            raise AbsentError(f"No such object: {bucket}/{name}")
        return self.contents[bucket, name]

    def describe(self, bucket: str, name: str) -> Json:
        generation, content = self.read(bucket, name)
        version = {"generation": str(generation), "metageneration": "1", "etag": str(generation)}
        times = dict.fromkeys(("timeCreated", "updated"), "2030-01-31T00:00:00.000Z")
        known = {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(content)),
        }
        return {**known, **version, **times, "crc32c": crc32c(content), "id": f"{bucket}/{name}"}


def crc32c(content: bytes) -> str:
    import google_crc32c

    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


class _Handler(BaseHTTPRequestHandler):
    objects: Objects
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = f"{self.command} {urllib.parse.unquote(url.path)}"
        if self.objects.lost and re.fullmatch(self.objects.lost, request) and url.path != "/lose":
            self.close_connection = True
            return
        try:
            self._route(url.path)
        except AbsentError as absent:
            self._say({"error": {"code": 404, "message": str(absent)}}, 404)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - as http.server calls them

    def _route(self, path: str) -> None:
        for method, pattern, act in _ROUTES:
            if method == self.command and (matched := re.fullmatch(pattern, path)):
                return act(self, *map(urllib.parse.unquote, matched.groups()))
        raise AbsentError(f"Nothing is at {path}")

    def lose(self) -> None:
        self.objects.lost = self.body.decode()
        self._send(b"", 204, {})

    def describe_bucket(self, bucket: str) -> None:
        self._say({"kind": "storage#bucket", "name": bucket, "id": bucket})

    def listed(self, bucket: str) -> None:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter")
        names, folders = [], set()
        for of, name in sorted(self.objects.contents):
            rest = name.removeprefix(prefix)
            if of != bucket or not name.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                names.append(name)
        items = [self.objects.describe(bucket, name) for name in names]
        self._say({"kind": "storage#objects", "items": items, "prefixes": sorted(folders)})

    def read(self, bucket: str, name: str) -> None:
        if self.query.get("alt") == "media":
            self.download(bucket, name)
        else:
            self._say(self.objects.describe(bucket, name))

    def download(self, bucket: str, name: str) -> None:
        generation, content = self.objects.read(bucket, name)
        size = len(content)
        headers = {"x-goog-generation": str(generation), "x-goog-hash": f"crc32c={crc32c(content)}"}
        if matched := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, last = int(matched[1]), min(int(matched[2] or size), size - 1)
            content = content[start : last + 1]
            headers["Content-Range"] = f"bytes {start}-{last}/{size}"
        self._send(content, 206 if "Content-Range" in headers else 200, headers)

    def delete(self, bucket: str, name: str) -> None:
        self.objects.read(bucket, name)
        del self.objects.contents[bucket, name]
        self._send(b"", 204, {})

    def begin(self, bucket: str) -> None:
        """A resumable upload."""
        number = str(self.objects.next_number())
        name = self.query.get("name") or json.loads(self.body)["name"]
        self.objects.uploads[number] = (name, bytearray())
        where = f"http://{self.headers['Host']}/upload/storage/v1/b/{bucket}/o"
        self._send(b"", 200, {"Location": f"{where}?upload_id={number}"})

    def go_on(self, bucket: str) -> None:
        """The next piece of an upload; the last says the size of all."""
        name, content = self.objects.uploads[self.query["upload_id"]]
        content.extend(self.body)
        if self.headers["Content-Range"].endswith("/*"):
            self._send(b"", 308, {"Range": f"bytes=0-{len(content) - 1}"} if content else {})
        else:
            self._say(self.objects.write(bucket, name, bytes(content)))

    def _say(self, body: Json, code: int = 200) -> None:
        self._send(json.dumps(body).encode(), code, {"Content-Type": "application/json"})

    def _send(self, content: bytes, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for header in (*headers.items(), ("Content-Length", str(len(content)))):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: Any) -> None:
        pass


_OBJECT = r"/storage/v1/b/([^/]+)/o/([^/]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("POST", "/lose", _Handler.lose),
    ("GET", r"/storage/v1/b/([^/]+)", _Handler.describe_bucket),
    ("GET", r"/storage/v1/b/([^/]+)/o", _Handler.listed),
    ("GET", _OBJECT, _Handler.read),
    ("DELETE", _OBJECT, _Handler.delete),
    ("POST", r"/upload/storage/v1/b/([^/]+)/o", _Handler.begin),
    ("PUT", r"/upload/storage/v1/b/([^/]+)/o", _Handler.go_on),
    ("GET", r"/([^/]+)/(.+)", _Handler.download),  # as its older API has it
)


def main() -> None:
    """Serve until standard input ends."""
    handler = type("AHandler", (_Handler,), {"objects": Objects()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        serving.daemon_threads = True
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        print(serving.server_port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
