# SPDX-License-Identifier: Apache-2.0
"""Tf.Examples as Arrow: checked records in, a list a row and feature out.

tfx-bsl decodes them. In a process that has TensorFlow for its model anyway, TensorFlow's parser does,
which takes a quarter of the time because it skips the features that nobody asked for; where it
refuses a batch, tfx-bsl says what is wrong with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.ahead import read_ahead
from benison.data.tf_records import Objects, records
from benison.errors import DataError, MissingExtraError

RAW_RECORD = "__raw_record__"

Decode: TypeAlias = Callable[[Objects], pa.RecordBatch]

_SCHEMA_ROWS = 10_000


def inspect(path: str) -> tuple[pa.Schema, None]:
    """The features of the first 10,000 tf.Examples of a file; of a shard without any there are none."""
    first: list[Objects] = []
    for found in records(path, _SCHEMA_ROWS):
        first.append(found)
        if sum(map(len, first)) >= _SCHEMA_ROWS:
            break
    if not first:
        return pa.schema([]), None
    return _decoder(path)(np.concatenate(first)[:_SCHEMA_ROWS]).schema, None


def read(path: str, schema: pa.Schema, most: int, keep_input: bool) -> Iterator[pa.RecordBatch]:
    """The tf.Examples of a file in batches of at most `most`: each feature a list, empty where missing.

    Args:
        path: The file.
        schema: The features that are wanted, with their types in the dataset; the batches may have more.
        most: In rows.
        keep_input: Also deliver the serialized tf.Examples, as the column `RAW_RECORD`.
    """
    decode = _tensorflow_decoder(schema, path) or _decoder(path)
    for found in read_ahead(records(path, most)):
        batch = decode(found)
        if keep_input:
            names = [*batch.schema.names, RAW_RECORD]
            serialized = pa.array(found, pa.binary())
            batch = pa.RecordBatch.from_arrays([*batch.columns, serialized], names)
        yield batch


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
            raise DataError(f"{path}: a record is not a tf.Example ({error}).") from error
        # Features without a value in any row have no type to be read as.
        kept = [f.name for f in batch.schema if not pa.types.is_null(f.type)]
        return batch.select(kept)

    return decode


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
