# SPDX-License-Identifier: Apache-2.0
"""Parquet files, whose row groups can be read apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benison.data.ahead import begun_ahead
from benison.data.reading import Inspected, Part, ReadOptions, Rules
from benison.paths import RemotePath, in_arrow, locate

# Whole columns of all row groups would stay in memory until the file is closed.
_IN_PIECES: dict[str, Any] = {"pre_buffer": False, "buffer_size": 2**20}


def _open(path: str, **options: Any) -> Any:
    file_system, name = in_arrow(path)
    return pq.ParquetFile(name, filesystem=file_system, page_checksum_verification=True, **options)


def _metadata(path: str) -> Any:
    file_system, name = in_arrow(path)
    return pq.read_metadata(name, filesystem=file_system)


def inspect(path: str, rules: Rules) -> Inspected:
    """The schema and the rows of the footer."""
    with _open(path) as file:
        return Inspected(file.schema_arrow.remove_metadata(), file.metadata.num_rows)


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows of some row groups, or of all.

    Of a file on a store the next row group is fetched while one is in use: Arrow asks for it only when
    its first row is wanted.
    """
    metadata = _metadata(path)
    schema = metadata.schema.to_arrow_schema()
    present = options.present(schema.names)
    # Text is a dictionary in most files already; decoding it would only be undone by slicing.
    coded = _coded(metadata)
    text = [n for n in present if n in coded and pa.types.is_string(schema.field(n).type)]

    every = range(metadata.num_row_groups)
    groups = [*(every if options.row_groups is None else options.row_groups)]

    is_remote = isinstance(locate(path), RemotePath)
    buffering = {"pre_buffer": True} if is_remote else _IN_PIECES

    def rows(groups: list[int]) -> Iterator[pa.RecordBatch]:
        # The footer is there: a store would be asked for it once more.
        with _open(path, metadata=metadata, read_dictionary=text, **buffering) as file:
            yield from file.iter_batches(options.batch_size, row_groups=groups, columns=present)

    if is_remote:
        yield from begun_ahead(rows([group]) for group in groups)
    elif groups:
        yield from rows(groups)


def _coded(metadata: Any) -> set[str]:
    """The columns whose values are codes of a dictionary, as long as that was small.

    Where it was not the file has the values themselves, which a thread that slices encodes while
    another one reads. Codes have at most 4 bytes, and the dictionary usually 1 MiB.
    """
    first = metadata.row_group(0) if metadata.num_row_groups else None
    chunks = [first.column(i) for i in range(first.num_columns)] if first else []
    return {
        chunk.path_in_schema
        for chunk in chunks
        if chunk.total_uncompressed_size <= 4 * chunk.num_values + 2**20
    }


def parts(path: str) -> list[Part]:
    """The row groups."""
    metadata = _metadata(path)
    rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return [Part((group,), first) for group, first in enumerate(accumulate(rows[:-1], initial=0))]
