# SPDX-License-Identifier: Apache-2.0
"""Data files of every format: whole ones, and ones damaged where a reader gets to see the damage.

The oracle: labels and predictions are read as they were written, count and means are those of a sum by
hand, and a damaged file that is read has as many rows as an independent reader gives it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

from tests.fuzz import tables, texts, wire
from tests.fuzz.cases import Case, WrongError

_EVALUATED = 0.12
"""The share that is evaluated after it was read, which takes ten times as long."""


def attempt(form: str, case: Case) -> None:
    """Read a file of one format."""
    write, damage, ending, names, kinds = _FORMS[form]
    table = tables.table(case.random, kinds, names)
    data = write(case.random, table)
    is_whole = case.chance(0.35)
    data = data if is_whole else damage(case.random, data)
    path = case.folder / f"data.{ending}"
    path.write_bytes(data)
    expected = _expected(table, form) if is_whole else None
    rows = tables.check_batches(str(path), expected, None)
    other = None if is_whole else _count(form, path)
    if other is not None and rows != other:
        raise WrongError(f"{rows} rows, and {other} by another reader")
    if case.chance(_EVALUATED):
        tables.check_evaluation(case, str(path), expected, names=table.column_names)


def _expected(table: pa.Table, form: str) -> dict[str, Any] | None:
    """Labels and predictions; None where a file without rows has no columns either."""
    if not table.num_rows and form in ("csv", "jsonl", "tfrecord"):
        return None
    return {role: table[role].to_pylist() for role in ("label", "prediction")}


# Parquet.


def _parquet(random: Random, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=random.choice((1, 7, 1_000)),
        compression=random.choice(("none", "none", "none", "snappy", "zstd")),
        use_dictionary=random.random() < 0.5,
        data_page_version=random.choice(("1.0", "2.0")),
        write_page_checksum=random.random() < 0.2,
        write_statistics=random.random() < 0.5,
    )
    return sink.getvalue()


def damaged_parquet(random: Random, data: bytes) -> bytes:
    """With damage to the footer, whose length stays right, or to pages and their headers."""
    size = struct.unpack("<I", data[-8:-4])[0]
    pages, footer = data[4 : -8 - size], data[-8 - size : -8]
    match random.randrange(5):
        case 0 | 1:
            footer = texts.damaged_bytes(random, footer)
        case 2 | 3:
            pages = _same_length(random, pages)
        case 4:
            return texts.damaged_bytes(random, data)
    return b"PAR1" + pages + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _same_length(random: Random, data: bytes) -> bytes:
    """Damaged, so that what follows stays where the footer says."""
    changed = texts.damaged_bytes(random, data)[: len(data)]
    return changed + data[len(changed) :]


def _rows_of_parquet(path: Path) -> int:
    return int(pq.read_table(str(path)).num_rows)


# Arrow.


def _arrow_file(random: Random, table: pa.Table) -> bytes:
    return _ipc(random, table, pa.ipc.new_file)


def _arrow_stream(random: Random, table: pa.Table) -> bytes:
    return _ipc(random, table, pa.ipc.new_stream)


def _ipc(random: Random, table: pa.Table, new: Callable[..., Any]) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=random.choice((None, None, None, "zstd", "lz4")))
    with new(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=random.choice((1, 7, 1_000)))
    return sink.getvalue()


# CSV.


def _csv(random: Random, table: pa.Table) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(
        sink,
        quoting=random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
        lineterminator=random.choice(("\n", "\r\n")),
    )
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow("" if value is None else str(value) for value in row.values())
    return sink.getvalue().encode()


def _damaged_text(random: Random, data: bytes) -> bytes:
    if random.random() < 0.3:
        return texts.damaged_bytes(random, data)
    return texts.damaged(random, data.decode()).encode("utf-8", "surrogatepass")


# JSON Lines.


def _jsonl(random: Random, table: pa.Table) -> bytes:
    leave = random.random() < 0.5
    rows = (
        {k: v for k, v in row.items() if v is not None or not leave} for row in table.to_pylist()
    )
    return "".join(
        json.dumps(row, ensure_ascii=random.random() < 0.5) + "\n" for row in rows
    ).encode()


def _rows_of_jsonl(path: Path) -> int:
    lines = [line for line in path.read_bytes().split(b"\n") if line.strip(b" \t\r")]
    rows = [json.loads(line) for line in lines]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no record")
    return len(rows)


# TFRecord.


def _tfrecord(random: Random, table: pa.Table) -> bytes:
    return b"".join(wire.framed(wire.example(row)) for row in table.to_pylist())


def _damaged_tfrecord(random: Random, data: bytes) -> bytes:
    """With damage to an example, mostly inside a frame whose checksums are right."""
    if random.random() < 0.2:
        return texts.damaged_bytes(random, data)
    records = wire.unframed(data)
    for _ in range(random.choice((1, 1, 3))):
        if records:
            location = random.randrange(len(records))
            records[location] = texts.damaged_bytes(random, records[location])
    return b"".join(map(wire.framed, records))


def _rows_of_tfrecord(path: Path) -> int:
    return len(wire.unframed(path.read_bytes()))


def _count(form: str, path: Path) -> int | None:
    """The rows of a damaged file by an independent reader; None if that refuses it."""
    readers = {"parquet": _rows_of_parquet, "jsonl": _rows_of_jsonl, "tfrecord": _rows_of_tfrecord}
    if form in readers:
        with contextlib.suppress(Exception):
            return readers[form](path)
    return None


_TEXT_NAMES = tuple(name for name in tables.NAMES if name and "\n" not in name)
_FORMS: dict[str, tuple[Callable[..., bytes], Callable[..., bytes], str, tuple[str, ...], dict[str, Any]]] = {
    "parquet": (_parquet, damaged_parquet, "parquet", tables.NAMES, {
        k: v for k, v in tables.ALL.items() if k not in ("string_view", "half", "decimal256", "pairs")
    }),
    "arrow": (_arrow_file, texts.damaged_bytes, "arrow", tables.NAMES, tables.ALL),
    "stream": (_arrow_stream, texts.damaged_bytes, "arrow", tables.NAMES, tables.ALL),
    "csv": (_csv, _damaged_text, "csv", _TEXT_NAMES, tables.PLAIN),
    "jsonl": (_jsonl, _damaged_text, "jsonl", _TEXT_NAMES, tables.PLAIN),
    "tfrecord": (_tfrecord, _damaged_tfrecord, "tfrecord", _TEXT_NAMES, tables.PLAIN),
}  # fmt: skip
