# SPDX-License-Identifier: Apache-2.0
"""A file or a folder on another file system, with the methods of `pathlib.Path` that Benison uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

_OBJECT_STORES = ("s3", "gcs", "abfs")  # as Arrow calls them
_VERSIONS = ("versionid", "generation", "etag")


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a file system says of a file; the first two under the names of `os.stat`."""

    st_size: int
    st_mtime_ns: int
    version: str = ""
    """Of its bytes, as an object store has it: a version or an ETag."""
    changed: tuple[int, ...] = ()
    """Which file of this machine it is, and when it was changed, which no program can set."""

    def to_dict(self) -> dict[str, Any]:
        """What may be written down, and compared with what another machine says."""
        same = {"version": self.version} if self.version else {"mtime_ns": self.st_mtime_ns}
        return {"bytes": self.st_size, **same}


@dataclasses.dataclass(frozen=True)
class RemotePath:
    """A file or a folder on another file system. Its methods are those of `pathlib.Path`.

    A folder is there if a file is in it, and is made with its first file.
    """

    root: str
    """The address of the whole bucket or server, such as `s3://bucket`."""
    parts: tuple[str, ...]
    query: str
    """What follows the path, such as `?region=eu-west-1`."""
    file_system: fs.FileSystem = dataclasses.field(repr=False, compare=False)
    base: str = dataclasses.field(repr=False, compare=False)
    """What the file system calls the root, such as `bucket`."""

    def __str__(self) -> str:
        return "/".join((self.root, *self.parts)) + self.query

    def __truediv__(self, name: str) -> RemotePath:
        names = filter(None, name.split("/"))
        return dataclasses.replace(self, parts=(*self.parts, *names))

    @property
    def key(self) -> str:
        """The path as the file system has it."""
        return "/".join((self.base, *self.parts)) or "/"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.parts[-1] if self.parts else ""

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot, and without the options of an address."""
        return Path(self.name.partition("?")[0]).suffix

    @property
    def parent(self) -> RemotePath:
        """The folder that holds it; that of the root is the root."""
        return dataclasses.replace(self, parts=self.parts[:-1])

    def resolve(self) -> RemotePath:
        """Itself."""
        return self

    def relative_to(self, folder: RemotePath) -> Path:
        """The path from a folder above it."""
        return Path(*self.parts[len(folder.parts) :])

    def exists(self) -> bool:
        """Whether it is a file or a folder."""
        return bool(self._info().type != fs.FileType.NotFound)

    def is_file(self) -> bool:
        """Whether it is a file."""
        return bool(self._info().type == fs.FileType.File)

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return bool(self._info().type == fs.FileType.Directory)

    def stat(self) -> Facts:
        """The size and time of a file; raises FileNotFoundError for anything else."""
        info = self._info()
        if info.type != fs.FileType.File:
            raise FileNotFoundError(2, "No such file", str(self))
        return Facts(info.size, info.mtime_ns or 0)

    def _info(self) -> fs.FileInfo:
        with _os_errors():
            return self.file_system.get_file_info(self.key)

    def iterdir(self) -> Iterator[RemotePath]:
        """What is in the folder, in the order of names."""
        if self.file_system.type_name != "gcs":
            return (path for path, _ in self._below(recursive=False))
        # Arrow lists no folders there, unless all that is below them is listed.
        names = (file.parts[len(self.parts)] for file in self.files())
        return (self / name for name in dict.fromkeys(names))

    def files(self) -> list[RemotePath]:
        """The files in the folder and below, in the order of their names."""
        return [path for path, kind in self._below(recursive=True) if kind == fs.FileType.File]

    def _below(self, recursive: bool) -> list[tuple[RemotePath, fs.FileType]]:
        selector = fs.FileSelector(self.key, allow_not_found=True, recursive=recursive)
        start = len(self.key.strip("/"))
        with _os_errors():
            infos = self.file_system.get_file_info(selector)
        entries = [(self / info.path.strip("/")[start:], info.type) for info in infos]
        return sorted(entries, key=lambda pair: pair[0].parts)

    def open(self, mode: str = "rb") -> pa.NativeFile:
        """The file, to be read at any place; or with "wb" to be written anew."""
        with _os_errors():
            if mode == "rb":
                return self.file_system.open_input_file(self.key)
            if self.file_system.type_name not in _OBJECT_STORES:
                self.file_system.create_dir(self.parent.key)
            return self.file_system.open_output_stream(self.key)

    def read_bytes(self) -> bytes:
        """All bytes of the file."""
        with self.open() as file:
            content: bytes = file.read()
            return content

    def read_text(self, encoding: str = "utf-8") -> str:
        """All of the file as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes) -> None:
        """Write the file anew."""
        with self.open("wb") as file:
            file.write(content)

    def upload(self, source: Path) -> None:
        """Write the file anew, as a copy of a local one."""
        with source.open("rb") as file, self.open("wb") as copy:
            copy.upload(file)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""
        if not missing_ok or self.is_file():
            self.file_system.delete_file(self.key)

    def version(self) -> str:
        """What the store says of the file's bytes: its version or ETag; "" where it says nothing."""
        if self.file_system.type_name.startswith("py::fsspec"):
            return str(self.file_system.handler.fs.ukey(self.key))
        with self.open() as file:
            known = {k.lower(): v.decode() for k, v in (file.metadata() or {}).items()}
        return next((known[name] for name in _VERSIONS if known.get(name)), "")


@contextmanager
def _os_errors() -> Iterator[None]:
    """Raise what a store's client raises as the operating system would."""
    try:
        yield
    except pa.ArrowException as error:
        raise OSError(str(error).strip().split("\n")[0]) from error
