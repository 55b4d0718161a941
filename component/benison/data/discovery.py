# SPDX-License-Identifier: Apache-2.0
"""Finds the files of a dataset: paths, globs and folders, and the values in names such as `region=a/`."""

from __future__ import annotations

import dataclasses
import glob
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from benison.data import lake_tables
from benison.data.formats import FORMATS, format_of
from benison.errors import DataError
from benison.paths import Location, RemotePath, absolute, files_below, locate, matching

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # Hive's name for the folder of a missing value
_WAITING = 16  # files of an object store at once
_HUGGING_FACE = ("state.json", "dataset_info.json")
_LAKES = {"_delta_log": "Delta", ".hoodie": "Hudi"}


@dataclasses.dataclass(frozen=True)
class DataFile:
    """A file, and the values that all of its rows have because of the folders in which it is.

    `format` is "" where the ending of its name tells it.
    """

    path: str
    values: tuple[tuple[str, str | None], ...] = ()
    format: str = ""


class _HasPath(Protocol):
    @property
    def path(self) -> str: ...


T = TypeVar("T")
Named = TypeVar("Named", bound=_HasPath)


def find(source: Any) -> list[DataFile]:
    """The files meant by paths, globs and folders, in the order of their names.

    Raises:
        DataError: There is no file, or what was given is no path.
    """
    given = [source] if isinstance(source, (str, os.PathLike)) else source
    if not isinstance(given, (list, tuple)) or not given:
        raise DataError(f"Examples are paths or a table, not {type(source).__name__}. {_CURE}")
    for path in given:
        if not isinstance(path, (str, os.PathLike)):
            raise DataError(
                f"Examples are paths or a table, not a list of {type(path).__name__}. {_CURE}"
            )
    return _once(file for path in given for file in _expand(os.fspath(path)))


def _once(files: Iterable[DataFile]) -> list[DataFile]:
    """Each file once, however often it was asked for; with the values of its folders where some are known.

    A file is the same from here and from the root, and through `..` or links to folders.
    """
    known: dict[str, DataFile] = {}
    folders: dict[str, str] = {}
    for file in files:
        folder, name = os.path.split(file.path)
        if folder not in folders:
            remote = isinstance(locate(file.path), RemotePath)
            folders[folder] = folder if remote else os.path.realpath(folder)
        key = os.path.join(folders[folder], name)
        if key not in known or len(file.values) > len(known[key].values):
            known[key] = file
    return list(known.values())


_CURE = "Rows in Python make one with pyarrow.Table.from_pylist, columns with pyarrow.table."


def of_each(call: Callable[[Named], T], files: Sequence[Named]) -> list[T]:
    """What a call gives for each file; the answers of object stores are waited for together."""
    if not any(isinstance(locate(file.path), RemotePath) for file in files):
        return [call(file) for file in files]
    with ThreadPoolExecutor(_WAITING, thread_name_prefix="benison-files") as pool:
        return list(pool.map(call, files))


def sources(source: Any) -> tuple[str, ...]:
    """What was asked for, as it may be written down."""
    given = [source] if isinstance(source, (str, os.PathLike)) else source
    return tuple(dict.fromkeys(absolute(path) for path in given))


def _expand(text: str) -> Iterator[DataFile]:
    path = locate(text, DataError)
    try:
        if path.is_dir():
            named = [i for i, part in enumerate(path.parts) if "=" in part]
            _check_no_table(path, min(named, default=len(path.parts)), text)
            yield from _below(path, len(path.parts), text)
        elif path.exists():
            if not path.is_file():
                raise DataError(
                    f"{text} is a pipe or a device, which is read only once, so that nothing could be "
                    "verified later. Write it to a file first."
                )
            yield DataFile(str(path))
        else:
            yield from _matching(path, text)
    except OSError as error:
        raise DataError(f"{text} cannot be read: {str(error).strip()}.") from error


def _matching(pattern: Location, text: str) -> Iterator[DataFile]:
    matched = matching(pattern)
    if not matched:
        what = "matches no file" if glob.has_magic(text) else "does not exist"
        raise DataError(f"{text} {what}. Check the path of the evaluation data.")
    magic = [i for i, part in enumerate(pattern.parts) if glob.has_magic(part)]
    for path in matched:
        _check_no_table(path, min(magic), text)
        if path.is_dir():
            yield from _below(path, min(magic), text)
        else:
            yield DataFile(str(path), _values(path.parts[min(magic) : -1]))


def _below(folder: Location, start: int, text: str) -> Iterator[DataFile]:
    """The files in a folder and below.

    Args:
        folder: The folder.
        start: The number of the parts of its name after which names such as `region=a` are values.
        text: How it was asked for.
    """
    if table := lake_tables.pinned(folder):
        yield DataFile(table[1], (), table[0])
        return
    files = _files_of(folder, text)
    if not files:
        raise DataError(f"The directory {text} holds no data files.")
    for path in files:
        yield DataFile(str(path), _values(path.parts[start:-1]))


def _files_of(folder: Location, text: str) -> list[Location]:
    """The files in a folder and below that are not hidden, none of a table and none that is missing."""
    if (folder / "dataset_dict.json").is_file():
        names = json.loads((folder / "dataset_dict.json").read_text("utf-8"))["splits"]
        raise DataError(
            f"{text} has the splits {', '.join(names)}. Give the folder of one of them."
        )
    if all((folder / name).is_file() for name in _HUGGING_FACE):
        return _saved_files(folder)
    inner = {path: path.parts[len(folder.parts) :] for path in files_below(folder)}
    for kind in (_LAKES[part] for parts in inner.values() for part in parts if part in _LAKES):
        raise _table_inside(kind, text)
    files = [path for path, parts in inner.items() if not any(map(_is_hidden, parts))]
    for path in files:
        if isinstance(path, Path) and not path.exists():
            raise DataError(
                f"{path} is a link to what is not there. Take it out, or bring the file."
            )
    return files


def _saved_files(folder: Location) -> list[Location]:
    """The files of a dataset that the library of Hugging Face has saved, in the order of their rows."""
    try:
        state = json.loads((folder / "state.json").read_text("utf-8"))
        names = [each["filename"] for each in state["_data_files"]]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{folder / 'state.json'} does not name the files of a dataset, so it is damaged. Save the "
            "dataset again with save_to_disk()."
        ) from error
    if state.get("_indices_data_files"):
        raise DataError(f"{folder} is a selection of rows. Save it with flatten_indices() before.")
    return [folder / name for name in names]


def _check_no_table(path: Location, depth: int, text: str) -> None:
    """Refuse files of a table whose log says which of them still count.

    Args:
        path: A file or a folder.
        depth: The number of its parts above which nothing is looked at.
        text: How it was asked for.
    """
    above = path.parent
    for _ in range(depth, len(path.parts)):
        for name, kind in _LAKES.items():
            if (above / name).is_dir():
                raise _table_inside(kind, text)
        above = above.parent


def _table_inside(kind: str, text: str) -> DataError:
    return DataError(
        f"{text} has files of a {kind} table, of which only its log says which still count. "
        f"Give the folder of the table itself."
    )


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part.startswith("_") and "=" not in part


def _values(folders: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """The values of names such as `region=a`.

    >>> _values(["2024", "region=S%C3%BCd", "day=__HIVE_DEFAULT_PARTITION__"])
    (('region', 'Süd'), ('day', None))
    """
    pairs = (folder.split("=", 1) for folder in folders if "=" in folder)
    named = {unquote(name): None if text == _NO_VALUE else unquote(text) for name, text in pairs}
    return tuple(named.items())


def common_format(files: Sequence[DataFile]) -> str:
    """The format of all files, by their endings.

    Raises:
        DataError: A file's ending says nothing, or files are of several formats.
    """
    formats = {file.path: file.format or format_of(locate(file.path).name) for file in files}
    names = set(formats.values())
    if None in names:
        unknown = next(path for path, name in formats.items() if name is None)
        raise DataError(
            f"The format of {unknown} cannot be told by its ending. Say it (--format): "
            f"{', '.join(sorted(FORMATS))}."
        )
    if len(names) > 1:
        raise DataError(
            f"The files are of several formats ({', '.join(sorted(map(str, names)))}); give one."
        )
    return str(names.pop())
