# SPDX-License-Identifier: Apache-2.0
"""A server that speaks S3's protocol on this machine, and keeps its buckets in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from pyarrow import fs

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server that runs meanwhile."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            env={**os.environ, "MOTO_RECORDER_FILEPATH": f"{folder}/requests"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def file_system(url: str) -> fs.FileSystem:
    """What looks into the buckets beside the code that is tested."""
    return fs.S3FileSystem(
        endpoint_override=url.removeprefix("http://"), scheme="http", allow_bucket_creation=True
    )


class Bucket:
    """A bucket of the server, seen from outside."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.store = file_system(url)
        self.name = name
        self.address = f"s3://{name}"
        self.query = f"?endpoint_override={url.removeprefix('http://')}&scheme=http"
        self.store.create_dir(name)

    def upload(self, path: Path, key: str) -> str:
        """Copy a file or folder into the bucket; its address."""
        fs.copy_files(
            str(path),
            f"{self.name}/{key}",
            source_filesystem=fs.LocalFileSystem(),
            destination_filesystem=self.store,
        )
        return f"{self.address}/{key}"

    def names(self, key: str = "") -> list[str]:
        """The files below a key, relative to it, sorted."""
        top = f"{self.name}/{key}".rstrip("/")
        selector = fs.FileSelector(top, recursive=True, allow_not_found=True)
        infos = self.store.get_file_info(selector)
        return sorted(i.path.removeprefix(f"{top}/") for i in infos if i.is_file)

    def read(self, key: str) -> bytes:
        """The bytes of a file."""
        with self.store.open_input_file(f"{self.name}/{key}") as file:
            return bytes(file.read())

    def write(self, key: str, content: bytes) -> None:
        """Replace a file."""
        with self.store.open_output_stream(f"{self.name}/{key}") as file:
            file.write(content)

    def delete(self, key: str) -> None:
        """Remove a file."""
        self.store.delete_file(f"{self.name}/{key}")

    @contextmanager
    def recorded(self) -> Iterator[Callable[[], list[str]]]:
        """What has been read meanwhile: names of files with ranges of bytes, in their order."""

        def recorder(method: str, action: str) -> str:
            request = Request(f"{self.url}/moto-api/recorder/{action}", method=method)  # noqa: S310
            with urlopen(request) as answer:  # noqa: S310
                return str(answer.read(), "utf-8")

        def ranges() -> list[str]:
            asked = map(json.loads, filter(None, recorder("GET", "download-recording").split("\n")))
            read = [request for request in asked if "Range" in request["headers"]]
            return [f"{r['url'].rpartition('/')[2]} {r['headers']['Range']}" for r in read]

        recorder("POST", "reset-recording")
        recorder("POST", "start-recording")
        try:
            yield ranges
        finally:
            recorder("POST", "stop-recording")
