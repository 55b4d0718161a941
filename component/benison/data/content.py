# SPDX-License-Identifier: Apache-2.0
"""Digests the content of evaluation data: of files as far as they are read, and of tables in memory.

The content is cut into pieces, whose SHA-256 are computed by several threads. A digest is the SHA-256 of the
digests of its pieces in their order, or that of the only piece.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benison.data import arrow_files, lake_tables
from benison.data.buffers import plain_buffers
from benison.data.formats import FORMATS
from benison.data.reading import Log
from benison.paths import in_arrow


@dataclasses.dataclass(frozen=True)
class ContentPart:
    """A part of the content."""

    digest: Callable[[], bytes]
    """Gives its SHA-256."""
    path: str | None = None
    """The leaf of the schema whose values it holds, and no other's; None for several, or none."""


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


class Digests:
    """Digests pieces in a pool, from now on; its methods wait for it."""

    def __init__(self, pieces: Iterable[ContentPart], pool: Executor) -> None:
        self._digests = [(piece.path, pool.submit(piece.digest)) for piece in pieces]

    def whole(self) -> str:
        """The digest of all pieces, in hexadecimal."""
        return _joined([future.result() for _, future in self._digests])

    def of(self, columns: Sequence[str]) -> str:
        """That of columns by their names; of all pieces where none is of one column."""
        known = [(path, future) for path, future in self._digests if path is not None]
        if not known:
            return self.whole()
        return _joined(
            [
                future.result()
                for name in sorted(columns)
                for path, future in known
                if _is_of(path, [name])
            ]
        )


def _joined(digests: Sequence[bytes]) -> str:
    return (digests[0] if len(digests) == 1 else _sha256(digests)).hex()


def _sha256(parts: Iterable[Any]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def pieces_of_file(path: str, format_: str, columns: Sequence[str] | None) -> list[ContentPart]:
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
    whole: list[tuple[int, int, str | None]] = [(0, file.size(), None)]
    spans = _spans_of_parquet(file, columns) if format_ == "parquet" else whole
    return [
        ContentPart(partial(_digest_span, file, start, min(start + _PIECE_BYTES, end)), path)
        for first, end, path in spans
        for start in range(first, max(end, first + 1), _PIECE_BYTES)
    ]


def _pieces_of_table(log: Log) -> Iterator[ContentPart]:
    """What the log says, then the files that count, in which columns may have other names."""
    yield ContentPart(partial(_sha256, [log.text.encode()]))
    for path in log.files:
        yield from pieces_of_file(path, "", None)


def _digest_span(file: pa.NativeFile, start: int, end: int) -> bytes:
    return _sha256(
        file.read_at(min(_CHUNK_BYTES, end - at), at) for at in range(start, end, _CHUNK_BYTES)
    )


def _spans_of_parquet(
    file: pa.NativeFile, columns: Sequence[str] | None
) -> Iterator[tuple[int, int, str | None]]:
    """Where the chunks of the columns begin and end, in the order of the file, and last its footer.

    Each with the leaf of the schema that it holds.
    """
    metadata, size = pq.read_metadata(file), file.size()
    paths = [metadata.schema.column(i).path for i in range(len(metadata.schema))]
    wanted = [i for i, path in enumerate(paths) if columns is None or _is_of(path, columns)]
    spans = sorted(
        (*_span(metadata.row_group(group).column(i)), paths[i])
        for group in range(metadata.num_row_groups)
        for i in wanted
    )
    length = int.from_bytes(file.read_at(4, size - _TRAILER), "little")
    yield from spans
    yield size - _TRAILER - length, size, None


def _is_of(path: str, columns: Sequence[str]) -> bool:
    """Whether a leaf of the schema is a column or a part of one."""
    return any(path == name or path.startswith(f"{name}.") for name in columns)


def _span(chunk: Any) -> tuple[int, int]:
    starts = (chunk.dictionary_page_offset, chunk.data_page_offset)
    start = min(start for start in starts if start is not None)
    return start, start + chunk.total_compressed_size


def _pieces_of_arrow(path: str, columns: Sequence[str] | None) -> Iterator[ContentPart]:
    """The schema, then some batches at a time; a stream can only be read from its beginning."""
    schema, batches = arrow_files.contents(path)
    # Of columns that share a name none can be read.
    known = [name for name in schema.names if schema.names.count(name) == 1]
    names = [name for name in known if columns is None or name in columns]
    text = "\n".join(f"{name}: {schema.field(name).type}" for name in names)
    yield ContentPart(partial(_sha256, [text.encode()]))
    count = 1 if batches is None else min(batches, _ARROW_PIECES)
    for piece in range(count):
        part = (
            None
            if batches is None
            else range(piece * batches // count, (piece + 1) * batches // count)
        )
        yield ContentPart(partial(_digest_batches, path, names, part))


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


def pieces_of_column(column: pa.ChunkedArray) -> list[ContentPart]:
    """The pieces of a column in memory; they do not depend on how it is cut into chunks."""
    starts = range(0, max(len(column), 1), _PIECE_ROWS)
    return [ContentPart(partial(_digest_rows, column, start)) for start in starts]


def _digest_rows(column: pa.ChunkedArray, start: int) -> bytes:
    chunks = column.slice(start, _PIECE_ROWS).chunks
    array = (
        chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks or [pa.nulls(0, column.type)])
    )
    return _sha256(plain_buffers(array))
