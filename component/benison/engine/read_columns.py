# SPDX-License-Identifier: Apache-2.0
"""Columns of a batch as labels, predictions and weights: numbers, texts, or lists of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.data.batch import Array, Ragged
from benison.data.nested import is_nested, nested_lists
from benison.data.values import (
    floats_of,
    is_list,
    is_number,
    is_text,
    single_values,
    undictionary,
    unlisted,
)
from benison.errors import DataError


def as_column(batch: pa.RecordBatch, name: str) -> Any:
    """A column of labels or predictions: as `as_floats`, text as Arrow strings, uneven lists as `Ragged`.

    Lists of lists are `Ragged` too, with a missing row as a value of NaN.

    Raises:
        DataError: The column is missing, or holds neither numbers nor text.
    """
    if name not in batch.schema.names:
        raise DataError.from_missing_column(name, batch.schema.names, "The data")
    column = undictionary(batch.column(name))
    if not is_list(column.type):
        return column.cast(pa.string()) if is_text(column.type) else as_floats(batch, name)
    if is_nested(column.type):
        return nested_lists(column, name)
    values, lengths = unlisted(column)
    if not is_text(values.type) and len(set(lengths[lengths > 0].tolist())) <= 1:
        return as_floats(batch, name)
    singles = single_values(column) if is_text(values.type) else None
    if singles is not None:  # as tf.Examples hold a text
        return singles.cast(pa.string())
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Ragged(values if is_text(values.type) else _numbers(values, name), offsets)


def as_floats(batch: pa.RecordBatch, name: str) -> Array:
    """A column as float64[N], or float64[N, C] where rows are lists of one length C > 1.

    A missing value is NaN, and so is each value of a row whose list is missing or empty.

    Raises:
        DataError: The column is missing, is not numeric, or its lists differ in length.
    """
    if name not in batch.schema.names:
        raise DataError.from_missing_column(name, batch.schema.names, "The data")
    column = undictionary(batch.column(name))
    if not is_list(column.type):
        return _numbers(column, name)
    values, lengths = unlisted(column)
    present = lengths > 0
    width = _width(column.type, lengths[present], name)
    rows = np.full((len(column), width), np.nan)
    rows[present] = _numbers(values, name).reshape(-1, width)
    return rows[:, 0] if width == 1 else rows


def _width(kind: pa.DataType, lengths: npt.NDArray[np.int64], name: str) -> int:
    """How many values a row has that has some."""
    if pa.types.is_fixed_size_list(kind):
        return max(int(kind.list_size), 1)
    if not len(lengths):
        return 1
    if lengths.min() < lengths.max():
        raise DataError(
            f"Column {name!r} holds lists of {lengths.min()} to {lengths.max()} values; "
            f"labels, predictions and weights need the same number in every row."
        )
    return int(lengths[0])


def _numbers(column: pa.Array, name: str) -> Array:
    column = undictionary(column)
    if not is_number(column.type):
        raise DataError(
            f"Column {name!r} holds {column.type}, not numbers. Labels, predictions and weights are "
            f"numbers; encode text as class numbers first."
        )
    return np.asarray(floats_of(column).to_numpy(zero_copy_only=False), np.float64)
