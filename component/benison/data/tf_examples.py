# SPDX-License-Identifier: Apache-2.0
"""Parses serialized tf.Examples into Arrow columns, with a list for each row and feature.

tfx-bsl decodes them. In a process that has TensorFlow for its model anyway, TensorFlow's parser does,
which takes a quarter of the time because it skips the features that nobody asked for; where it
refuses a batch, tfx-bsl says what is wrong with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.ahead import read_ahead
from benison.data.reading import NO_ROWS, Inspected, ReadOptions, Rules
from benison.data.tf_records import Objects, records
from benison.data.widening import convert, unify
from benison.errors import DataError, MissingExtraError

RAW_RECORD = "__raw_record__"

Decode: TypeAlias = Callable[[Objects], pa.RecordBatch]

_SCHEMA_ROWS = 10_000
# Few enough that reading, predicting and adding up overlap from early on; enough for a model's call.
_RECORDS = 2**15


def inspect(path: str, rules: Rules) -> Inspected:
    """The features of the first 10,000 tf.Examples."""
    first: list[Objects] = []
    for block in records(path, _SCHEMA_ROWS):
        first.append(block)
        if sum(map(len, first)) >= _SCHEMA_ROWS:
            break
    if not first:
        return NO_ROWS
    return Inspected(_decoder(path)(np.concatenate(first)[:_SCHEMA_ROWS]).schema)


def scan(path: str, columns: Sequence[str], rules: Rules) -> Inspected:
    """The types of some features over all tf.Examples."""
    decode = _decoder(path)
    kinds: dict[str, pa.DataType] = {}
    for block in read_ahead(records(path, _RECORDS)):
        for field in decode(block).schema:
            if field.name in columns:
                kinds[field.name] = _unified(kinds.get(field.name, pa.null()), field.type)
    return Inspected(pa.schema(list(kinds.items())))


def _unified(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    kind = unify(a, b)
    assert kind is not None  # the three types of tf.Examples have text in common
    return kind


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The tf.Examples in batches: each feature a list, empty where it is missing.

    The batches may have more features than those that are asked for.
    """
    decode = _tensorflow_decoder(options.schema, path) or _decoder(path)
    for block in read_ahead(records(path, min(options.batch_size, _RECORDS))):
        batch = decode(block)
        if options.keep_input:
            names = [*batch.schema.names, RAW_RECORD]
            serialized = pa.array(block, pa.binary())
            batch = pa.RecordBatch.from_arrays([*batch.columns, serialized], names)
        yield batch


def decoded(serialized: Sequence[bytes], source: str) -> pa.RecordBatch:
    """The features of serialized tf.Examples, and these themselves as the column `RAW_RECORD`.

    Args:
        serialized: One for each row.
        source: How messages call where they are from.

    Raises:
        DataError: One is no tf.Example.
    """
    block = np.empty(len(serialized), object)
    block[:] = serialized
    batch = _decoder(source)(block)
    return batch.append_column(RAW_RECORD, pa.array(block, pa.binary()))


def _decoder(path: str) -> Decode:
    try:
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder
    except ImportError as error:
        raise MissingExtraError("The reader of TFRecord files", "tfrecord") from error
    decoder = ExamplesToRecordBatchDecoder()

    def decode(serialized: Objects) -> pa.RecordBatch:
        try:
            batch = decoder.DecodeBatch(serialized)
        except RuntimeError as error:
            # Also of a feature that is of one type here and of another there: apart they can be read.
            if len(serialized) == 1:
                raise DataError(f"{path}: a record is not a tf.Example ({error}).") from error
            middle = len(serialized) // 2
            return _joined(decode(serialized[:middle]), decode(serialized[middle:]))
        # Features without a value in any row have no type to be read as.
        kept = [f.name for f in batch.schema if not pa.types.is_null(f.type)]
        return batch.select(kept)

    return decode


def _joined(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of both, each feature with the type for both."""
    columns = {}
    for name in dict.fromkeys([*first.schema.names, *second.schema.names]):
        parts = [
            batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)
            for batch in (first, second)
        ]
        kind = _unified(*(part.type for part in parts))
        columns[name] = pa.concat_arrays([convert(part, kind) for part in parts])
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _tensorflow_decoder(schema: pa.Schema, path: str) -> Decode | None:
    """TensorFlow's parser of these features; None without TensorFlow, or if one has no type of its own."""
    if "tensorflow" not in sys.modules or not schema.names:
        return None
    import tensorflow as tf

    dtypes = {pa.int64(): tf.int64, pa.float32(): tf.float32, pa.large_binary(): tf.string}
    kinds = {field.name: getattr(field.type, "value_type", None) for field in schema}
    if not dtypes.keys() >= set(kinds.values()):
        return None
    features = {
        name: tf.io.RaggedFeature(dtypes[kind], row_splits_dtype=tf.int64)
        for name, kind in kinds.items()
    }

    def decode(serialized: Objects) -> pa.RecordBatch:
        try:
            parsed = tf.io.parse_example(serialized, features)
        except (tf.errors.OpError, ValueError):  # the latter when its message is not text
            return _decoder(path)(serialized)
        columns = [_as_lists(parsed[name], kind) for name, kind in kinds.items()]
        return pa.RecordBatch.from_arrays(columns, list(kinds))

    return decode


def _as_lists(ragged: Any, kind: pa.DataType) -> pa.Array:
    values = pa.array(np.asarray(ragged.values), kind)
    return pa.LargeListArray.from_arrays(pa.array(np.asarray(ragged.row_splits)), values)
