# SPDX-License-Identifier: Apache-2.0
"""Avro's container files, whose records become columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from benison.data.reading import Inspected, ReadOptions, Rules
from benison.errors import DataError, MissingExtraError
from benison.paths import in_arrow

_PLAIN = {
    "null": pa.null(), "boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(),
    "double": pa.float64(), "string": pa.string(), "bytes": pa.binary(), "enum": pa.string(),
    "fixed": pa.binary(),
}  # fmt: skip
_LOGICAL = {
    "date": pa.date32(),
    "timestamp-millis": pa.timestamp("ms", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "uuid": pa.string(),
}
_MOST_ROWS = 2**16  # which are Python objects for a while


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    try:
        import fastavro
    except ImportError as error:
        raise MissingExtraError("The reader of Avro", "avro") from error
    file_system, name = in_arrow(path)
    with file_system.open_input_stream(name, compression=None) as file:
        try:
            yield fastavro.reader(file)
        except (ValueError, EOFError, IndexError, KeyError, TypeError) as error:
            raise DataError(f"{path} cannot be read as avro: {error}.") from error


def inspect(path: str, rules: Rules) -> Inspected:
    """The schema that the writer has left, and whether there is no row."""
    with _opened(path) as reader:
        schema = _schema(reader.writer_schema)
        return Inspected(schema, 0 if next(reader, None) is None else None)


def _schema(written: Any) -> pa.Schema:
    if not isinstance(written, Mapping) or written.get("type") != "record":
        raise ValueError("its rows are no records")
    return pa.schema([(field["name"], _type(field["type"])) for field in written["fields"]])


def _type(kind: Any) -> pa.DataType:
    """The type of Arrow for a type of Avro; of a union that of its one kind of values."""
    if isinstance(kind, list):
        kinds = [each for each in kind if each != "null"]
        return _type(kinds[0]) if len(kinds) == 1 else _mixed(kinds)
    if isinstance(kind, str):
        return _PLAIN.get(kind, pa.string())
    logical = kind.get("logicalType")
    return _LOGICAL[logical] if logical in _LOGICAL else _of_parts(kind)


def _of_parts(kind: Mapping[str, Any]) -> pa.DataType:
    """The type of what is made of other types."""
    if kind.get("logicalType") == "decimal":
        return pa.decimal128(kind["precision"], kind.get("scale", 0))
    if kind["type"] == "array":
        return pa.list_(_type(kind["items"]))
    if kind["type"] == "map":
        return pa.map_(pa.string(), _type(kind["values"]))
    if kind["type"] == "record":
        return pa.struct([(field["name"], _type(field["type"])) for field in kind["fields"]])
    return _type(kind["type"])


def _mixed(kinds: list[Any]) -> pa.DataType:
    """The type of a union of numbers; any other has none."""
    types = {_type(kind) for kind in kinds}
    if not types:
        return pa.null()
    numbers = {pa.int32(), pa.int64(), pa.float32(), pa.float64()}
    if types <= {pa.int32(), pa.int64()}:
        return pa.int64()
    if types <= numbers:
        return pa.float64()
    raise ValueError(f"a column holds values of several kinds, {kinds}")


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows."""
    with _opened(path) as reader:
        schema = _schema(reader.writer_schema)
        present = options.present(schema.names)
        chosen = pa.schema([schema.field(name) for name in present])
        size = min(options.batch_size, _MOST_ROWS)
        while records := list(itertools.islice(reader, size)):
            columns = [[record[name] for record in records] for name in present]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, chosen, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=chosen)
