# SPDX-License-Identifier: Apache-2.0
"""Writes an output to an object store, which has no rename, so that no reader takes a part for the whole.

The marker of an older result is deleted first, and the new one is written last. In between, the manifest
says that the output is unfinished. Readers compare every file with the digests in the manifest.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benison.paths import Location, RemotePath, local_files

MANIFEST = "manifest.json"
MARKERS = {"blessed": "BLESSED", "not_blessed": "NOT_BLESSED"}

_UNFINISHED = json.dumps({"unfinished": True}).encode()
_THREADS = 8  # each waits for the network most of the time


@contextmanager
def uploaded(path: RemotePath) -> Iterator[Path]:
    """A local folder, whose files are copied to `path` when the block ends without an exception.

    Raises:
        OSError: A file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="benison-") as folder:
        yield Path(folder)
        _upload(Path(folder), path)


def _upload(folder: Path, path: RemotePath) -> None:
    for marker in MARKERS.values():
        (path / marker).unlink(missing_ok=True)
    (path / MANIFEST).write_bytes(_UNFINISHED)
    files = {file.relative_to(folder).as_posix(): file for file in local_files(folder)}
    for old in path.files():
        if old.relative_to(path).as_posix() not in files:
            old.unlink()
    last = [name for name in (MANIFEST, *MARKERS.values()) if name in files]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="benison-upload") as pool:
        first = [name for name in files if name not in last]
        list(pool.map(lambda name: (path / name).upload(files[name]), first))
    for name in last:
        (path / name).upload(files[name])


def is_unfinished(path: Location) -> bool:
    """Whether a run has begun to write this output to a store, and has not written its marker."""
    manifest = path / MANIFEST
    if not isinstance(manifest, RemotePath) or not manifest.is_file():
        return False
    content = manifest.read_bytes()
    if content == _UNFINISHED:
        return True
    try:
        marker = MARKERS.get(json.loads(content)["verdict"])
    except (ValueError, KeyError, TypeError):
        return False
    return marker is not None and not (path / marker).exists()
