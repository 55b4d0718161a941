# SPDX-License-Identifier: Apache-2.0
"""Opens every path: names on this machine, and addresses on object stores and other file systems.

`locate` gives a `pathlib.Path` for the former and a `RemotePath` for the latter, which has those of
`Path`'s methods that Benison uses. Arrow opens s3, gs, hdfs and abfs; fsspec, if it is installed,
whatever it knows; the Beam engine adds what Beam knows.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

from benison.errors import BenisonError

Opener: TypeAlias = "Callable[[str], tuple[fs.FileSystem, str] | None]"
"""Gives the file system of an address and the path in it; None for an address that it does not know."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_FILE_URL = re.compile(r"file:(?://(?:localhost)?)?(/[^/].*)", re.IGNORECASE | re.DOTALL)
_QUERY = re.compile(r"(.*?)(\?\w+=[^/]*)?", re.DOTALL)
_ARROW = ("s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss")
_OBJECT_STORES = ("s3", "gcs", "abfs")  # as Arrow calls them
# What pathlib and os.path make of an address.
_TIDIED = re.compile(rf"(?:^|/)({'|'.join(_ARROW)}|https?):/(?!/)")
_WITHOUT_PORT = ("s3", "gs", "gcs", "abfs", "abfss")
_SECRET = re.compile(r"[?&][^=&]*(key|secret|token|password|sign)[^=&]*=", re.IGNORECASE)
_PATIENCE = "retry_limit_seconds"
_SETTINGS = ("AWS_", "GOOGLE_", "AZURE_", "HADOOP_")
_COPIES = 8  # at once, of which each waits for the network most of the time
_VERSIONS = ("versionid", "generation", "etag")

_openers: list[Opener] = []


def add_file_systems(opener: Opener) -> None:
    """Ask `opener` too for addresses that neither Arrow nor fsspec opens."""
    if opener not in _openers:
        _openers.append(opener)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a file system says of a file, under the names of `os.stat`."""

    st_size: int
    st_mtime_ns: int


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
        """The ending of the name, with its dot."""
        return Path(self.name).suffix

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
        return (path for path, _ in self._below(recursive=False))

    def files(self) -> list[RemotePath]:
        """The files in the folder and below, in the order of their names."""
        return [path for path, kind in self._below(recursive=True) if kind == fs.FileType.File]

    def _below(self, recursive: bool) -> list[tuple[RemotePath, fs.FileType]]:
        selector = fs.FileSelector(self.key, allow_not_found=True, recursive=recursive)
        start = len(self.key.strip("/"))
        with _os_errors():
            infos = self.file_system.get_file_info(selector)
        found = [(self / info.path.strip("/")[start:], info.type) for info in infos]
        return sorted(found, key=lambda pair: pair[0].parts)

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


Location: TypeAlias = "Path | RemotePath"


def locate(
    path: str | os.PathLike[str] | RemotePath, error: type[BenisonError] = BenisonError
) -> Location:
    """Where a path is: on this machine, or where its address says.

    Args:
        path: A local name, absolute or not; a `file:` URL; or an address such as `s3://bucket/folder`.
        error: What to raise.

    Raises:
        BenisonError: Of the type `error`: nothing here opens addresses of that scheme, or the address
            holds a password, which would be written into results and logs.
    """
    if isinstance(path, RemotePath):
        return path
    text = os.fspath(path)
    if "\0" in text:
        raise error(f"The path {text!r} holds a null character, which no file system allows.")
    if file := _FILE_URL.fullmatch(text):
        return Path(unquote(file[1]))
    if text.lower().startswith("file:/"):
        raise error(f"{text} does not name a file of this machine; write file:///absolute/path.")
    if address := _ADDRESS.fullmatch(text):
        return _remote(address[1].lower(), address[2], address[3], error)
    if tidied := _TIDIED.search(text):
        raise error(f"{text} is an address that lost a slash. Give it as text: {tidied[1]}://...")
    return Path(text)


def _check_secrets(scheme: str, host: str, rest: str, error: type[BenisonError]) -> None:
    """Refuse an address with credentials, without repeating them."""
    of_user = ":" in host if scheme in _WITHOUT_PORT else re.search(":.*@", host)
    if of_user or _SECRET.search(rest):
        raise error(
            f"The {scheme} address holds a password or a key, which results and logs would repeat. Give "
            "it as the store's own programs take it, such as by AWS_SECRET_ACCESS_KEY."
        )


def _remote(scheme: str, host: str, rest: str, error: type[BenisonError]) -> RemotePath:
    _check_secrets(scheme, host, rest, error)
    matched = _QUERY.fullmatch(rest) if scheme in _ARROW else None
    path, query = (matched[1], matched[2] or "") if matched else (rest, "")
    root = f"{scheme}://{host}"
    try:
        file_system, base = _opened(scheme, root, query, _settings())
    except BenisonError as fault:
        raise error(*fault.args) from fault
    names = tuple(filter(None, path.split("/")))
    return RemotePath(root, names, query, file_system, base.rstrip("/"))


def _settings() -> tuple[tuple[str, str], ...]:
    """What of the environment stores read, such as credentials, which a host may renew."""
    return tuple(item for item in os.environ.items() if item[0].startswith(_SETTINGS))


@lru_cache(maxsize=32)
def _opened(
    scheme: str, root: str, query: str, settings: tuple[tuple[str, str], ...]
) -> tuple[fs.FileSystem, str]:
    """The first file system that opens an address, and what it calls its root."""
    reasons = []
    for opener in (_of_arrow, _of_fsspec, *_openers):
        if opener is _of_arrow and scheme not in _ARROW:
            continue
        try:
            if opened := opener(root + query):
                return opened
        except (pa.ArrowException, OSError, ImportError, ValueError) as reason:
            reasons.append(str(reason).strip().split("\n")[0])
    if scheme in _ARROW:
        raise BenisonError(f"{root} cannot be opened: {reasons[0]}.")
    why = f" ({'; '.join(reasons)})" if reasons else ""
    raise BenisonError(
        f"{root} cannot be opened: nothing here opens {scheme}:// addresses{why}. Benison itself opens "
        f"s3, gs, hdfs and abfs; for others install fsspec and its package for {scheme}."
    )


def _of_arrow(address: str) -> tuple[fs.FileSystem, str]:
    if address.startswith(("gs:", "gcs:")) and _PATIENCE not in address:
        # Arrow's own limit is a quarter of an hour, which it also waits for a network that is not there.
        address += f"{'&' if '?' in address else '?'}{_PATIENCE}=30"
    opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(address)
    return opened


def _of_fsspec(address: str) -> tuple[fs.FileSystem, str] | None:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        return None
    file_system, base = url_to_fs(address)
    return fs.PyFileSystem(fs.FSSpecHandler(file_system)), base


def absolute(path: str | os.PathLike[str] | RemotePath) -> str:
    """The path as it may be written down: an address as it is, a local name with the folders above it."""
    location = locate(path)
    return os.path.abspath(location) if isinstance(location, Path) else str(location)


def in_arrow(path: str | os.PathLike[str] | RemotePath) -> tuple[fs.FileSystem, str]:
    """A path as Arrow's readers take it: a file system, and the path in it."""
    location = locate(path)
    if isinstance(location, RemotePath):
        return location.file_system, location.key
    return fs.LocalFileSystem(), str(location)


def files_below(folder: Location) -> list[Location]:
    """The files in a folder and below, in the order of their names."""
    return [*(folder.files() if isinstance(folder, RemotePath) else local_files(folder))]


def local_files(folder: Path) -> list[Path]:
    """The files in a folder of this machine and below, in the order of their names."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def matching(pattern: Location) -> list[Location]:
    """The files and folders that a pattern of `glob` means, in the order of their names."""
    if isinstance(pattern, Path):
        return [Path(name) for name in sorted(glob.glob(str(pattern)))]
    magic = [i for i, part in enumerate(pattern.parts) if glob.has_magic(part)]
    above = dataclasses.replace(pattern, parts=pattern.parts[: min(magic, default=0)])
    return [path for path in above.files() if _matches(path.parts, pattern.parts)]


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path is of a pattern, of which `**` is any number of folders."""
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        return any(_matches(parts[start:], rest) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], first) and _matches(parts[1:], rest)


@contextmanager
def fetched(location: Location) -> Iterator[Path]:
    """A local copy of a remote file or folder while the block runs; what is local is itself.

    Raises:
        FileNotFoundError: There is nothing.
    """
    if isinstance(location, Path):
        yield location
        return
    with tempfile.TemporaryDirectory(prefix="benison-") as folder:
        copy = Path(folder) / (location.name or "root")
        files = [location] if location.is_file() else location.files()
        if not files:
            raise FileNotFoundError(2, "No such file or folder", str(location))
        with ThreadPoolExecutor(_COPIES, thread_name_prefix="benison-fetch") as pool:
            list(pool.map(lambda file: download(file, copy / file.relative_to(location)), files))
        yield copy


def download(file: RemotePath, target: Path) -> None:
    """Copy a remote file to this machine, with the folders above it.

    Raises:
        OSError: It cannot be read or written, or its name leads upwards.
    """
    if ".." in target.parts:
        raise OSError(f"{file} has '..' in its name, and cannot be copied")
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open() as source, target.open("wb") as copy:
        source.download(copy)


def write(location: Location, content: bytes) -> None:
    """Write a file anew, and make the folders above it.

    Raises:
        OSError: It cannot be written.
    """
    if isinstance(location, Path):
        location.parent.mkdir(parents=True, exist_ok=True)
    location.write_bytes(content)


def write_whole(location: Location, content: bytes) -> None:
    """Write a file whole or not at all; the folder above it must be there.

    Raises:
        OSError: It cannot be written.
    """
    if isinstance(location, RemotePath):
        location.write_bytes(content)
        return
    partial = location.with_name(f".{location.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(location)
    finally:
        partial.unlink(missing_ok=True)


def facts(location: Location) -> dict[str, Any]:
    """What tells at little cost whether a file is the same as before: size, and time or version."""
    stat = location.stat()
    if isinstance(location, RemotePath) and (version := location.version()):
        return {"bytes": stat.st_size, "version": version}
    return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
