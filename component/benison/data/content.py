# SPDX-License-Identifier: Apache-2.0
"""Digests the content of evaluation data: of files as far as they are read, and of tables in memory.

The content is cut into pieces, whose SHA-256 are computed by several threads. A digest is the SHA-256 of the
digests of its pieces in their order, or that of the only piece.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from benison.data import arrow_files, lake_tables
from benison.data.buffers import plain_buffers
from benison.data.formats import FORMATS
from benison.data.reading import Log
from benison.paths import in_arrow

Piece: TypeAlias = Callable[[], bytes]
"""Gives the SHA-256 of a part of the content."""

COVERED = {
    "parquet": "SHA-256 of each file's footer and of the column chunks that were read",
    "arrow": "SHA-256 of the values of the columns that were read, as each file holds them",
    **dict.fromkeys(
        (lake_tables.DELTA, lake_tables.ICEBERG),
        "SHA-256 of what the log says of the files that count, and of all bytes of these",
    ),
    "memory": "SHA-256 of the values of the columns that were read",
}
COVERED_ELSE = "SHA-256 of all bytes of each file"

_PIECE_BYTES = 2**23
_CHUNK_BYTES = 2**20
_PIECE_ROWS = 2**20
_ARROW_PIECES = 16  # each reads the dictionaries of the file again
_TRAILER = 8  # bytes after a footer of Parquet: its length, and "PAR1"


def digest_later(pieces: Iterable[Piece], pool: Executor) -> Callable[[], str]:
    """Start to digest pieces in a pool; returns what waits for their digest, in hexadecimal."""
    futures = [pool.submit(piece) for piece in pieces]

    def joined() -> str:
        digests = [future.result() for future in futures]
        return (digests[0] if len(digests) == 1 else _sha256(digests)).hex()

    return joined


def _sha256(parts: Iterable[Any]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def pieces_of_file(path: str, format_: str, columns: Sequence[str] | None) -> list[Piece]:
    """The pieces of a file's content.

    Args:
        path: The file.
        format_: Its format.
        columns: Those that are read; None is all.

    Raises:
        OSError, pyarrow.ArrowException: It cannot be read; its pieces raise the same.
    """
    if format_ == "arrow":
        return list(_pieces_of_arrow(path, columns))
    known = FORMATS.get(format_)
    if known is not None and known.log is not None:
        return list(_pieces_of_table(known.log(path)))
    file_system, name = in_arrow(path)
    file = file_system.open_input_file(name)
    spans = _spans_of_parquet(file, columns) if format_ == "parquet" else [(0, file.size())]
    return [
        partial(_digest_span, file, start, min(start + _PIECE_BYTES, end))
        for first, end in spans
        for start in range(first, max(end, first + 1), _PIECE_BYTES)
    ]


def _pieces_of_table(log: Log) -> Iterator[Piece]:
    """What the log says, then the files that count, in which columns may have other names."""
    yield partial(_sha256, [log.text.encode()])
    for path in log.files:
        yield from pieces_of_file(path, "", None)


def _digest_span(file: pa.NativeFile, start: int, end: int) -> bytes:
    return _sha256(
        file.read_at(min(_CHUNK_BYTES, end - at), at) for at in range(start, end, _CHUNK_BYTES)
    )


def _spans_of_parquet(
    file: pa.NativeFile, columns: Sequence[str] | None
) -> Iterator[tuple[int, int]]:
    """Where the chunks of the columns begin and end, in the order of the file, and last its footer."""
    metadata, size = pq.read_metadata(file), file.size()
    paths = [metadata.schema.column(i).path for i in range(len(metadata.schema))]
    wanted = [i for i, path in enumerate(paths) if columns is None or _is_of(path, columns)]
    spans = sorted(
        _span(metadata.row_group(group).column(i))
        for group in range(metadata.num_row_groups)
        for i in wanted
    )
    length = int.from_bytes(file.read_at(4, size - _TRAILER), "little")
    yield from spans
    yield size - _TRAILER - length, size


def _is_of(path: str, columns: Sequence[str]) -> bool:
    """Whether a leaf of the schema is a column or a part of one."""
    return any(path == name or path.startswith(f"{name}.") for name in columns)


def _span(chunk: Any) -> tuple[int, int]:
    starts = (chunk.dictionary_page_offset, chunk.data_page_offset)
    start = min(start for start in starts if start is not None)
    return start, start + chunk.total_compressed_size


def _pieces_of_arrow(path: str, columns: Sequence[str] | None) -> Iterator[Piece]:
    """The schema, then some batches at a time; a stream can only be read from its beginning."""
    schema, batches = arrow_files.contents(path)
    # Of columns that share a name none can be read.
    known = [name for name in schema.names if schema.names.count(name) == 1]
    names = [name for name in known if columns is None or name in columns]
    text = "\n".join(f"{name}: {schema.field(name).type}" for name in names)
    yield partial(_sha256, [text.encode()])
    count = 1 if batches is None else min(batches, _ARROW_PIECES)
    for piece in range(count):
        part = (
            None
            if batches is None
            else range(piece * batches // count, (piece + 1) * batches // count)
        )
        yield partial(_digest_batches, path, names, part)


def _digest_batches(path: str, names: Sequence[str], part: range | None) -> bytes:
    return _sha256(
        buffer
        for batch in arrow_files.batches(path, names, part)
        for column in _valid(batch).columns
        for buffer in plain_buffers(column)
    )


def _valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch; raises ArrowInvalid where it points outside of its memory, which ends the process."""
    batch.validate(full=True)
    return batch


def pieces_of_column(column: pa.ChunkedArray) -> list[Piece]:
    """The pieces of a column in memory; they do not depend on how it is cut into chunks."""
    starts = range(0, max(len(column), 1), _PIECE_ROWS)
    return [partial(_digest_rows, column, start) for start in starts]


def _digest_rows(column: pa.ChunkedArray, start: int) -> bytes:
    chunks = column.slice(start, _PIECE_ROWS).chunks
    array = (
        chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks or [pa.nulls(0, column.type)])
    )
    return _sha256(plain_buffers(array))
