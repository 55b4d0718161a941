# SPDX-License-Identifier: Apache-2.0
"""Opens every path: names on this machine, and addresses on object stores and other file systems.

`locate` gives a `pathlib.Path` for the former and a `RemotePath` for the latter, which has those of
`Path`'s methods that Benison uses. Arrow opens s3, gs, hdfs and abfs; fsspec, if it is installed,
whatever it knows; the Beam engine adds what Beam knows.
"""

from __future__ import annotations

import dataclasses
import errno
import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from pyarrow import fs

from benison.errors import BenisonError
from benison.paths.file_systems import OF_ARROW, add_file_systems, holds_secret, open_address
from benison.paths.remote import Facts, RemotePath

__all__ = [
    "Facts",
    "Location",
    "RemotePath",
    "absolute",
    "add_file_systems",
    "check_writable",
    "download",
    "facts",
    "fetched",
    "files_below",
    "holds_secret",
    "in_arrow",
    "local_files",
    "locate",
    "matching",
    "write",
    "write_whole",
]

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_FILE_URL = re.compile(r"file:(?://(?:localhost)?)?(/[^/].*)", re.IGNORECASE | re.DOTALL)
# What pathlib and os.path make of an address.
_TIDIED = re.compile(rf"(?:^|/)({'|'.join(OF_ARROW)}|https?):/(?!/)")
_NOT_REPLACED = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EROFS)
_COPIES = 8  # at once, of which each waits for the network most of the time

Location: TypeAlias = "Path | RemotePath"


def locate(
    path: str | os.PathLike[str] | RemotePath, error: type[BenisonError] = BenisonError
) -> Location:
    """Where a path is: on this machine, or where its address says.

    Args:
        path: A local name, absolute or not; a `file:` URL; or an address such as `s3://bucket/folder`.
        error: What to raise.

    Raises:
        BenisonError: Of the type `error`: the path is empty, nothing here opens addresses of that scheme, or
            the address holds a password, which would be written into results and logs.
    """
    if isinstance(path, RemotePath):
        return path
    text = os.fspath(path)
    if not text:  # which would be the folder that one happens to be in
        raise error("A path is empty text; a variable of the shell or a field may not be set.")
    if "\0" in text:
        raise error(f"The path {text!r} holds a null character, which no file system allows.")
    if file := _FILE_URL.fullmatch(text):
        return Path(unquote(file[1]))
    if text.lower().startswith("file:/"):
        raise error(f"{text} does not name a file of this machine; write file:///absolute/path.")
    if address := _ADDRESS.fullmatch(text):
        return open_address(address[1].lower(), address[2], address[3], error)
    if tidied := _TIDIED.search(text):
        raise error(f"{text} is an address that lost a slash. Give it as text: {tidied[1]}://...")
    return Path(text)


def absolute(path: str | os.PathLike[str] | RemotePath) -> str:
    """The path as it may be written down: an address as it is, a local name with the folders above it."""
    location = locate(path)
    return os.path.abspath(location) if isinstance(location, Path) else str(location)


def whole(paths: Mapping[str, str]) -> dict[str, str]:
    """Local paths as processes in other folders find them; anything else, such as an address, as it is."""
    return {
        name: os.path.abspath(path) if isinstance(path, str) and os.path.exists(path) else path
        for name, path in paths.items()
    }


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
    """The files in a folder of this machine and below, in the order of their names.

    Links to folders are followed, but for those to a folder that they are in; a link to what is not there is
    one of the files.
    """
    files: list[Path] = []
    for above, folders, names in os.walk(folder, followlinks=True):
        outer = Path(os.path.realpath(above))
        inner = {name: Path(os.path.realpath(os.path.join(above, name))) for name in folders}
        folders[:] = [name for name in folders if not outer.is_relative_to(inner[name])]
        files += [Path(above, name) for name in names]
    return sorted(path for path in files if path.is_file() or path.is_symlink())


def matching(pattern: Location) -> list[Location]:
    """The files and folders that a pattern of `glob` means, in the order of their names."""
    if isinstance(pattern, Path):
        return [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]
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
    """Write a file whole or not at all, and make the folders above it.

    A file that nothing can replace, as a mounted one, is written in place.

    Raises:
        OSError: It cannot be written; what was there stays, as on a full disk.
    """
    if isinstance(location, Path):
        location.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_whole(location, content)
    except OSError as error:
        if error.errno not in _NOT_REPLACED or not location.is_file():
            raise
        location.write_bytes(content)


def write_whole(location: Location, content: bytes) -> None:
    """Write a file whole or not at all; the folder above it must be there.

    A device or a pipe is written in place, never replaced.

    Raises:
        OSError: It cannot be written.
    """
    if isinstance(location, RemotePath) or (location.exists() and not location.is_file()):
        location.write_bytes(content)
        return
    target = location.resolve()  # of a link what it leads to, and the link stays
    # The name of a file may be as long as the file system allows.
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()
    partial = target.with_name(f".{digest[:16]}.partial")
    try:
        partial.write_bytes(content)
        if target.is_file():
            shutil.copymode(target, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def check_writable(location: Location) -> None:
    """Find what would keep `write_whole` from writing a file, and leave everything as it is.

    Raises:
        OSError: It is a folder, or nothing can be written beside it, or its store cannot be asked.
    """
    if location.is_dir():
        raise IsADirectoryError(21, "It is a directory", str(location))
    if isinstance(location, Path):
        with tempfile.TemporaryFile(dir=location.parent):
            pass


def facts(location: Location) -> Facts:
    """What tells at little cost whether a file is the same as before.

    Raises:
        OSError: There is no such file.
    """
    if isinstance(location, RemotePath):
        return dataclasses.replace(location.stat(), version=location.version())
    stat = location.stat()
    return Facts(stat.st_size, stat.st_mtime_ns, changed=(stat.st_ino, stat.st_ctime_ns))
