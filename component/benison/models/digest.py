# SPDX-License-Identifier: Apache-2.0
"""Says which bytes a model is, and notices when they change while it is loaded."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from benison.errors import ModelError
from benison.models.external import external_files
from benison.models.locate import FOLDERS
from benison.paths import Location, RemotePath

Facts: TypeAlias = "tuple[int, ...]"

_CHUNK = 2**20
_THREADS = 4  # hashing and reading both leave Python's lock


def digest_file(path: Location) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def digest_model(path: Location) -> dict[str, str]:
    """SHA-256 of each file of a model by its name.

    The names are relative to the model's folder; a model that is a file is "", and files beside it from which
    it takes weights have their names. A path to `saved_model.pb` or `MLmodel` means its folder.

    Raises:
        ModelError: There is no such file or directory, or it cannot be read, or it takes weights from a
            file outside of its folder.
    """
    root = model_root(path)
    try:
        if not root.exists():
            raise ModelError(f"There is no model at {path}.")
        names = _names_of(root)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="benison-digest") as pool:
            digests = pool.map(digest_file, [file_of(root, name) for name in names])
            return dict(zip(names, digests, strict=True))
    except OSError as error:
        raise ModelError(f"The model at {path} cannot be read: {error}.") from error


def model_root(path: Location) -> Location:
    """The folder of a model if the path is the file by which the folder is known as one; else the path."""
    return path.parent if path.name in FOLDERS.values() else path


def file_of(root: Location, name: str) -> Location:
    """The file of a model that `digest_model` calls by a name."""
    if not name:
        return root
    return (root if root.is_dir() else root.parent) / name


def digest_of(digests: Mapping[str, str]) -> str:
    """One SHA-256 over the names and digests of a model's files."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def _names_of(root: Location) -> list[str]:
    return ["", *external_files(root)] if root.is_file() else file_names(root)


def file_names(directory: Location) -> list[str]:
    """The files in a directory and below, by their relative names, sorted."""
    if isinstance(directory, RemotePath):
        return sorted(file.relative_to(directory).as_posix() for file in directory.files())
    files = (path for path in _below(directory, frozenset()) if path.is_file())
    return sorted(file.relative_to(directory).as_posix() for file in files)


def _below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """What is below a folder; links are followed, as a server would, except into a folder above."""
    real = folder.resolve()
    if real not in above:
        for path in folder.iterdir():
            yield path
            if path.is_dir():
                yield from _below(path, above | {real})


@contextmanager
def unchanged(path: Path, expected: Mapping[str, str] | None = None) -> Iterator[None]:
    """Hold that a model has the same bytes during the block, even if they were changed and changed back.

    Writing to a file, and renaming a file or a folder, sets its time of change (ctime), which no program
    can set to another value.

    Args:
        path: The model.
        expected: What `digest_model` said of it before; None if that does not matter.

    Raises:
        ModelError: It has other bytes than expected, or was changed during the block.
    """
    root = path.parent if model_root(path) != path else path
    before = _facts(root)
    if expected is not None and digest_model(root) != dict(expected):
        raise ModelError(f"The model at {path} was changed since it was digested; evaluate again.")
    yield
    after = _facts(root)
    if before[0] != after[0] or any(map(_was_renamed, before[1], after[1])):
        raise ModelError(f"The model at {path} was changed while it was loaded; evaluate again.")


def _facts(root: Path) -> tuple[dict[str, Facts], list[Facts]]:
    """What the file system says of a model's files and folders, and of the folders above them."""
    if root.is_dir():
        files = [root, *_below(root, frozenset())]
    else:
        files = [root, *(root.parent / name for name in external_files(root))]
    facts = {str(file): (*_stat(file, True), *_stat(file, False)) for file in files}
    return facts, [_stat(folder, True) for folder in root.absolute().parents]


def _stat(path: Path, follow: bool) -> Facts:
    try:
        stat = os.stat(path, follow_symlinks=follow)
    except FileNotFoundError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _was_renamed(before: Facts, after: Facts) -> bool:
    """Whether a folder is another one, or was away: a new entry sets both times, a new name only ctime."""
    return before[:2] != after[:2] or (before[3] == after[3] and before[4] != after[4])
