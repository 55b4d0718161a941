# SPDX-License-Identifier: Apache-2.0
"""Says which data an evaluation reads: by a fingerprint at once, and by digests of the content later."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from benison.data import content, discovery
from benison.data.content import Digests
from benison.data.dataset import Dataset, FileInfo, facts_of
from benison.errors import DataError
from benison.paths import RemotePath, locate

_THREADS = min(4, os.cpu_count() or 1)  # they leave Python's lock while they read and hash
_FINGERPRINTED = (
    "no content: on object stores a fingerprint, which is each file's size, and its version, ETag or time as "
    "the store has it"
)


class Identity:
    """Which data a dataset has.

    Files of this machine are digested, and so are tables in memory, as far as they are read. Files on object
    stores have a fingerprint only.

    Args:
        dataset: The data.
        columns: Gives the columns that are read, None for all; called when that is first needed.
        judged: Gives those of labels, predictions and weights; none where a model makes the predictions.
    """

    def __init__(
        self,
        dataset: Dataset,
        columns: Callable[[], Sequence[str] | None],
        judged: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._dataset = dataset
        self._read = columns
        self._read_judged = judged
        self._names = names_of([file.path for file in dataset.files])
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: dict[str, Digests] = {}
        self._digests: dict[str, str] | None = None
        self._contents: str | None = None

    @functools.cached_property
    def _columns(self) -> list[str] | None:
        columns = self._read()
        return None if columns is None else sorted(columns)

    @functools.cached_property
    def _judged(self) -> list[str]:
        return sorted(self._read_judged())

    @functools.cached_property
    def _in_store(self) -> bool:
        return any(isinstance(locate(file.path), RemotePath) for file in self._dataset.files)

    @functools.cached_property
    def fingerprint(self) -> str:
        """What tells these data from others without reading files: of their names, sizes, times or versions.

        On this machine also which files they are, and when they were changed: a copy may have the size and
        the time of another file. That of a table in memory is its digest.
        """
        if self._dataset.table is not None:
            return self.digest()
        known = [
            (name, file.facts.to_dict(), file.facts.changed, file.values)
            for name, file in zip(self._names, self._dataset.files, strict=True)
        ]
        return _sha256(known)

    def start(self) -> None:
        """Digest the content in threads of its own, unless that is done."""
        if self._digests is not None or self._waiting or self._in_store:
            return
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="benison-digest")
        for name, pieces in self._pieces():
            self._waiting[name] = Digests(pieces, self._pool)

    def _pieces(self) -> list[tuple[str, list[content.ContentPart]]]:
        table, columns = self._dataset.table, self._columns
        if table is not None:
            names = self._dataset.names if columns is None else columns
            self._dataset.check(names)
            return [(name, content.pieces_of_column(table.column(name))) for name in names]
        files = zip(self._names, self._dataset.files, strict=True)
        return [(name, _pieces(file.path, self._dataset.format, columns)) for name, file in files]

    def close(self) -> None:
        """Give up what is not digested yet."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool, self._waiting = None, {}

    def digest(self) -> str:
        """The SHA-256 of the content, in hexadecimal, or `fingerprint:` and the fingerprint.

        Raises:
            DataError: A file cannot be read.
        """
        if self._in_store:
            return f"fingerprint:{self.fingerprint}"
        if self._digests is None:
            self.start()
            self._digests = {name: _waited(name, d.whole) for name, d in self._waiting.items()}
            self._contents = self._digest_judged() if self._judged else None
            self.close()
        values = {
            name: file.values for name, file in zip(self._names, self._dataset.files, strict=True)
        }
        return _sha256([(name, d, values.get(name, ())) for name, d in self._digests.items()])

    def contents(self) -> str:
        """The digest of what is judged alone, whatever its files are called; of all where none is known.

        Raises:
            DataError: A file cannot be read.
        """
        return (self.digest() and self._contents) or self.digest()

    def _digest_judged(self) -> str:
        """Of the columns apart, where the format holds them apart, and of all bytes of the files else."""
        if self._dataset.table is not None:
            return _sha256([self._waiting[name].whole() for name in self._judged])
        files = zip(self._names, self._dataset.files, strict=True)
        return _sha256(
            sorted([self._digest_in(name, file), self._kept(file)] for name, file in files)
        )

    def _digest_in(self, name: str, file: FileInfo) -> str:
        if self._dataset.format != "arrow":
            return _waited(name, functools.partial(self._waiting[name].of, self._judged))
        return _digest_now(file.path, "arrow", self._judged)  # a piece there is of all columns

    def _kept(self, file: FileInfo) -> list[list[str | None]]:
        """What the folders of a file say of what is judged."""
        return [[name, value] for name, value in file.values if name in self._judged]

    def record(self, dataset: Dataset) -> dict[str, Any]:
        """What a manifest says of the data; waits for the digests.

        Args:
            dataset: The same data, as they were read.
        """
        digest = None if self._in_store else self.digest()
        covers = content.COVERED.get(dataset.format, content.COVERED_ELSE)
        manifest = {
            "format": dataset.format,
            "rows": dataset.num_rows,
            "schema": {field.name: str(field.type) for field in dataset.schema},
            "columns": self._columns,
            "files": list(map(self._file, self._names, self._dataset.files)),
            "digest": digest,
            "fingerprint": self.fingerprint,
            "covers": _FINGERPRINTED if self._in_store else covers,
        }
        if self._contents is not None:
            manifest["contents"] = self._contents
        return manifest if dataset.table is None else {**manifest, "column_digests": self._digests}

    def _file(self, name: str, file: FileInfo) -> dict[str, Any]:
        digest = {"sha256": self._digests[name]} if self._digests else {}
        return {"name": name, "rows": file.rows, **file.facts.to_dict(), **digest}

    def again(self) -> Identity:
        """That of the same data, to be digested once more."""
        return Identity(self._dataset, lambda: self._columns, lambda: self._judged)

    def is_of(self, record: Mapping[str, Any]) -> bool:
        """Whether these data are those of a record.

        Equal fingerprints are equal data, whose digests are then those of the record. Where they differ, the
        contents are digested and compared.
        """
        if self._dataset.table is None and record.get("fingerprint") == self.fingerprint:
            if not self._in_store:
                self._digests = {file["name"]: file["sha256"] for file in record["files"]}
                self._columns = record["columns"]
                self._contents = record.get("contents")
            return True
        return record["digest"] is not None and record["digest"] == self.digest()

    def check_unchanged(self) -> None:
        """Hold that the files are what they were when the dataset was opened.

        Raises:
            DataError: One was changed.
        """
        files = self._dataset.files
        same = discovery.of_each(lambda file: _is_unchanged(file, self._dataset.format), files)
        for file, unchanged in zip(files, same, strict=True):
            if not unchanged:
                raise DataError(f"{file.path} was changed while it was evaluated; evaluate again.")


def _is_unchanged(file: FileInfo, format_: str) -> bool:
    try:
        return facts_of(file.path, format_) == file.facts
    except DataError:
        return False


def _waited(name: str, digest: Callable[[], str]) -> str:
    try:
        return digest()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{name} cannot be read to its end: {error}") from error


def _pieces(path: str, format_: str, columns: Sequence[str] | None) -> list[content.ContentPart]:
    try:
        return content.pieces_of_file(path, format_, columns)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _sha256(values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def names_of(paths: Sequence[str]) -> list[str]:
    """The names of files from the folder that holds them all.

    >>> names_of(["/data/day=1/a.csv", "/data/day=2/a.csv"]), names_of(["a.csv"])
    (['day=1/a.csv', 'day=2/a.csv'], ['a.csv'])
    """
    located = map(locate, paths)
    parts = [(p.absolute() if isinstance(p, Path) else p).parts for p in located]
    roots = [p.root if isinstance(p, RemotePath) else "" for p in map(locate, paths)]
    if len({*roots}) > 1:
        return list(paths)
    above = len(os.path.commonprefix([each[:-1] for each in parts]))
    return ["/".join(each[above:]) for each in parts]


def faults(record: Mapping[str, Any], source: Any) -> list[str]:
    """A sentence for each file of `source` that is not the one that was evaluated.

    Args:
        record: What the manifest says of the data.
        source: Paths of files, folders or patterns.

    Raises:
        DataError: They are not there, or cannot be read.
    """
    if record["format"] == "memory":
        return ["The evaluated data were a table in memory, with which no file can be compared."]
    paths = [file.path for file in discovery.find(source)]
    names = names_of(paths)
    if len(names) == len(record["files"]) == 1:
        names = [record["files"][0]["name"]]  # a copy may be called otherwise
    recorded = {file["name"]: file for file in record["files"]}
    current = dict(zip(names, paths, strict=True))
    sentences = [f"{current[name]} was added." for name in current.keys() - recorded.keys()]
    sentences += [f"{name} is missing." for name in recorded.keys() - current.keys()]
    for name in recorded.keys() & current.keys():
        sentences += _changes(current[name], recorded[name], record)
    return [f"{sentence[:-1]} since the data were evaluated." for sentence in sorted(sentences)]


def _changes(path: str, file: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    if "sha256" not in file:
        return _changes_in_store(path, file, record["format"])
    same = _digest_now(path, record["format"], record.get("columns")) == file["sha256"]
    return [] if same else [f"{path} was changed."]


def _digest_now(path: str, format_: str, columns: Sequence[str] | None) -> str:
    with ThreadPoolExecutor(_THREADS) as pool:
        return _waited(path, Digests(_pieces(path, format_, columns), pool).whole)


def _changes_in_store(path: str, file: Mapping[str, Any], format_: str) -> list[str]:
    """By the fingerprint, which is all that is known."""
    known = {key: file[key] for key in ("bytes", "version", "mtime_ns") if key in file}
    if isinstance(locate(path), Path):
        return [f"{path} cannot be compared with a fingerprint on an object store."]
    same = facts_of(path, format_).to_dict() == known
    return [] if same else [f"{path} was changed."]
