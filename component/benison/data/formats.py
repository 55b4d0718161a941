# SPDX-License-Identifier: Apache-2.0
"""The file formats: for each how its schema is found and its rows are streamed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benison.data import tf_examples
from benison.data.tf_examples import RAW_RECORD
from benison.paths import RemotePath, in_arrow, locate

__all__ = ["FORMATS", "RAW_RECORD", "Format", "Part", "ReadOptions", "format_of"]

_BLOCK_BYTES = 2**24
# Few enough that reading, predicting and adding up overlap from early on; enough for a model's call.
_RECORDS = 2**15


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """What to read of a file; `schema` has the columns with their types in the whole dataset."""

    schema: pa.Schema
    batch_size: int
    row_groups: tuple[int, ...] | None = None
    keep_input: bool = False

    @property
    def columns(self) -> list[str]:
        """Their names."""
        names: list[str] = self.schema.names
        return names


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a file that can be read apart: some of its row groups, or all of it."""

    row_groups: tuple[int, ...] | None = None
    first_row: int = 0


def _whole(path: str) -> list[Part]:
    return [Part()]


@dataclasses.dataclass(frozen=True)
class Format:
    """A file format: its endings, its schema (with the rows, where known), and its rows."""

    name: str
    ending: str  # a regular expression
    inspect: Callable[[str], tuple[pa.Schema, int | None]]
    read: Callable[[str, ReadOptions], Iterator[pa.RecordBatch]]
    parts: Callable[[str], list[Part]] = _whole


def _open_parquet(path: str, **options: Any) -> Any:
    file_system, name = in_arrow(path)
    return pq.ParquetFile(name, filesystem=file_system, **options)


def _parquet_metadata(path: str) -> Any:
    file_system, name = in_arrow(path)
    return pq.read_metadata(name, filesystem=file_system)


def _inspect_parquet(path: str) -> tuple[pa.Schema, int]:
    with _open_parquet(path) as file:
        return file.schema_arrow.remove_metadata(), file.metadata.num_rows


def _read_parquet(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    metadata = _parquet_metadata(path)
    schema = metadata.schema.to_arrow_schema()
    present = [name for name in options.columns if name in schema.names]
    # Text is a dictionary in most files already; decoding it would only be undone by slicing.
    coded = _coded(metadata)
    text = [n for n in present if n in coded and pa.types.is_string(schema.field(n).type)]
    with _open_parquet(path, read_dictionary=text, pre_buffer=True) as file:
        groups = None if options.row_groups is None else list(options.row_groups)
        yield from file.iter_batches(options.batch_size, row_groups=groups, columns=present)


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


def _parquet_parts(path: str) -> list[Part]:
    metadata = _parquet_metadata(path)
    rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return [Part((group,), first) for group, first in enumerate(accumulate(rows[:-1], initial=0))]


def _open_csv(path: str) -> Any:
    from pyarrow import csv

    file_system, name = in_arrow(path)
    file = file_system.open_input_stream(name, compression="detect")
    return csv.open_csv(file, read_options=csv.ReadOptions(block_size=_BLOCK_BYTES))


def _inspect_csv(path: str) -> tuple[pa.Schema, None]:
    with _open_csv(path) as reader:
        return reader.schema, None


def _read_csv(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    with _open_csv(path) as reader:
        for batch in reader:
            yield batch.select([name for name in options.columns if name in batch.schema.names])


def _json_scanner(path: str, columns: list[str] | None = None) -> Any:
    from pyarrow import dataset, json

    options = json.ReadOptions(block_size=_BLOCK_BYTES)
    file_system, name = in_arrow(path)
    format_ = dataset.JsonFileFormat(read_options=options)
    files = dataset.dataset(name, filesystem=file_system, format=format_)
    return files if columns is None else files.scanner(columns=columns, batch_readahead=2)


def _inspect_json(path: str) -> tuple[pa.Schema, None]:
    return _json_scanner(path).schema, None


def _read_json(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    names = _json_scanner(path).schema.names
    yield from _json_scanner(path, [n for n in options.columns if n in names]).to_batches()


def _open_arrow(path: str) -> Any:
    """Arrow files end in a footer; Arrow streams do not."""
    location = locate(path)
    source = location.open() if isinstance(location, RemotePath) else pa.memory_map(path)
    try:
        return pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)


def _inspect_arrow(path: str) -> tuple[pa.Schema, None]:
    return _open_arrow(path).schema.remove_metadata(), None


def _read_arrow(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    reader = _open_arrow(path)
    numbered = hasattr(reader, "num_record_batches")
    batches = (
        (reader.get_batch(i) for i in range(reader.num_record_batches)) if numbered else reader
    )
    for batch in batches:
        chosen = batch.select([name for name in options.columns if name in batch.schema.names])
        for start in range(0, chosen.num_rows, options.batch_size):
            yield chosen.slice(start, options.batch_size)


def _read_tfrecord(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    most = min(options.batch_size, _RECORDS)
    return tf_examples.read(path, options.schema, most, options.keep_input)


FORMATS = {
    found.name: found
    for found in (
        Format("parquet", r"\.(parquet|pq)$", _inspect_parquet, _read_parquet, _parquet_parts),
        Format("csv", r"\.csv(\.gz|\.bz2|\.zst)?$", _inspect_csv, _read_csv),
        Format("jsonl", r"\.(jsonl|ndjson)(\.gz)?$", _inspect_json, _read_json),
        Format("arrow", r"\.(arrow|feather|ipc)$", _inspect_arrow, _read_arrow),
        Format(
            "tfrecord",
            r"(\.tfrecords?(\.gz)?|-\d+-of-\d+(\.gz)?)$",
            tf_examples.inspect,
            _read_tfrecord,
        ),
    )
}


def format_of(path: str) -> str | None:
    """The format that a file's ending stands for.

    >>> format_of("a/data_tfrecord-00000-of-00001.gz"), format_of("x.png")
    ('tfrecord', None)
    """
    return next((f.name for f in FORMATS.values() if re.search(f.ending, path.lower())), None)
