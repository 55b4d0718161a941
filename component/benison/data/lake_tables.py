# SPDX-License-Identifier: Apache-2.0
"""Delta and Iceberg tables, whose logs say which of their files count; their own libraries read them.

A table is pinned to the version that it has when it is found: `folder@v3`, or Iceberg's metadata file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from benison.data.reading import Inspected, Log, ReadOptions, Rules
from benison.errors import BenisonError, DataError, MissingExtraError
from benison.paths import Location

DELTA, ICEBERG = "delta", "iceberg"

_VERSIONED = re.compile(r"(.*)@v(\d+)", re.DOTALL)
_METADATA = re.compile(r"v?(\d+).*\.metadata\.json")


def pinned(folder: Location) -> tuple[str, str] | None:
    """The format and the pinned name of the table in a folder; None where it holds none.

    Raises:
        DataError: It is a table that nothing here reads.
        MissingExtraError: Its library is not installed.
    """
    if (folder / "_delta_log").is_dir():
        table = _reading(str(folder), lambda: _delta_library()(str(folder)))
        return DELTA, f"{folder}@v{table.version()}"
    if (folder / ".hoodie").is_dir():
        raise DataError(
            f"{folder} is a Hudi table, which Benison does not read. Export it as Parquet."
        )
    metadata = _latest_metadata(folder / "metadata")
    return None if metadata is None else (ICEBERG, metadata)


def _latest_metadata(folder: Location) -> str | None:
    if not folder.is_dir():
        return None
    numbered = [(m, path) for path in folder.iterdir() if (m := _METADATA.fullmatch(path.name))]
    latest = max(numbered, key=lambda pair: int(pair[0][1]), default=None)
    return None if latest is None else str(latest[1])


def _delta_library() -> Any:
    try:
        from deltalake import DeltaTable
    except ImportError as error:
        raise MissingExtraError("The reader of Delta tables", "delta") from error
    return DeltaTable


def _reading(path: str, read: Any) -> Any:
    try:
        return read()
    except BenisonError:
        raise
    except Exception as error:  # of the library, whose exceptions have no base in common
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"The table {path} cannot be read: {reason}.") from error


def _delta(path: str) -> Any:
    named = _VERSIONED.fullmatch(path)
    assert named
    return _delta_library()(named[1], version=int(named[2]))


def inspect_delta(path: str, rules: Rules) -> Inspected:
    """The schema and the rows in the log."""
    table = _delta(path)
    return Inspected(pa.schema(table.schema().to_arrow()), table.count())


def log_of_delta(path: str) -> Log:
    """The files of the pinned version; rows that were deleted from them are part of the text."""
    table = _delta(path)
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    text = json.dumps(sorted(actions, key=lambda action: action["path"]), default=str)
    sizes = [action["size_bytes"] for action in actions]
    return Log(text, tuple(sorted(table.file_uris())), sum(sizes))


def read_delta(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows, in the order of files; not in any order where single rows of files were deleted."""
    table = _delta(path)
    try:
        scanner = table.to_pyarrow_dataset().scanner(
            columns=options.columns, batch_size=options.batch_size
        )
    except _protocol_error():
        yield from pa.RecordBatchReader.from_stream(table.scan(columns=options.columns))
    else:
        yield from scanner.to_batches()


def _protocol_error() -> type[Exception]:
    from deltalake.exceptions import DeltaProtocolError

    return DeltaProtocolError


def _iceberg(path: str) -> Any:
    try:
        from pyiceberg.table import StaticTable
    except ImportError as error:
        raise MissingExtraError("The reader of Iceberg tables", "iceberg") from error
    return _reading(path, lambda: StaticTable.from_metadata(path))


def inspect_iceberg(path: str, rules: Rules) -> Inspected:
    """The schema and the rows in the metadata."""
    table = _iceberg(path)
    tasks = _reading(path, lambda: list(table.scan().plan_files()))
    schema = table.schema().as_arrow().remove_metadata()
    rows = (
        None
        if any(task.delete_files for task in tasks)
        else sum(t.file.record_count for t in tasks)
    )
    return Inspected(schema, rows)


def log_of_iceberg(path: str) -> Log:
    """The files of the newest snapshot of the metadata file, with those that delete rows."""
    tasks = _reading(path, lambda: list(_iceberg(path).scan().plan_files()))
    files = [file for task in tasks for file in (task.file, *task.delete_files)]
    sizes = {file.file_path: file.file_size_in_bytes for file in files}
    text = json.dumps(sorted(sizes.items()))
    return Log(text, tuple(sorted(sizes)), sum(sizes.values()))


def read_iceberg(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows of the newest snapshot of the metadata file."""
    scan = _iceberg(path).scan(selected_fields=tuple(options.columns))
    yield from _reading(path, scan.to_arrow_batch_reader)
