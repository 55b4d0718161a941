# SPDX-License-Identifier: Apache-2.0
"""Columns of lists of lists of numbers, such as the boxes of an image."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Ragged
from benison.data.values import floats_of, is_list, is_number, undictionary, unlisted
from benison.errors import DataError


def is_nested(kind: pa.DataType) -> bool:
    """Whether a type is lists of lists."""
    return is_list(kind) and is_list(kind.value_type)


def nested_lists(column: pa.Array, name: str, marks_missing: bool = True) -> Ragged:
    """A column of lists of lists: `values` is float64[M, k], a missing row is one value of NaN.

    An empty list is a row without values, and not a missing one.

    Args:
        column: N rows.
        name: Its name, for the sentences.
        marks_missing: Whether a missing row has a value of NaN; else it has none.

    Raises:
        DataError: The inner lists hold no numbers, or different numbers of them.

    >>> boxes = nested_lists(pa.array([[[1, 2], [3, 4]], [], None]), "boxes")
    >>> boxes.values.tolist(), boxes.offsets.tolist()
    ([[1.0, 2.0], [3.0, 4.0], [nan, nan]], [0, 2, 2, 3])
    """
    inner, lengths = unlisted(column)
    numbers, widths = unlisted(undictionary(inner))
    if len(widths) and widths.min() != widths.max():
        raise DataError(
            f"Column {name!r} holds lists of {widths.min()} to {widths.max()} values in one row; all must "
            f"have the same number."
        )
    values = as_numbers(numbers, name).reshape(len(widths), widths[0] if len(widths) else 1)
    is_missing = column.is_null().to_numpy(zero_copy_only=False) & marks_missing
    missing = np.flatnonzero(is_missing)
    values = np.insert(values, np.cumsum(lengths)[missing], np.nan, axis=0)
    lengths[missing] = 1
    return Ragged(values, _offsets(lengths))


def as_ragged(column: pa.Array, name: str) -> Ragged:
    """As `nested_lists`, also of lists of numbers and of numbers, whose k is 1; null is no value.

    >>> as_ragged(pa.array([[1, 2], None]), "left").values.tolist()
    [[1.0], [2.0]]
    """
    column = undictionary(column)
    if is_nested(column.type):
        return nested_lists(column, name, marks_missing=False)
    if is_list(column.type):
        values, lengths = unlisted(column)
        return Ragged(as_numbers(values, name)[:, None], _offsets(lengths))
    present = column.is_valid().to_numpy(zero_copy_only=False)
    values = as_numbers(column.drop_null(), name)
    return Ragged(values[:, None], _offsets(present.astype(np.int64)))


def as_numbers(column: pa.Array, name: str) -> Array:
    """A column of numbers as float64; null is NaN.

    Raises:
        DataError: It holds something else.
    """
    column = undictionary(column)
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if not is_number(column.type):
        raise DataError(f"Column {name!r} holds {column.type}, not numbers.")
    return np.asarray(floats_of(column).to_numpy(zero_copy_only=False), np.float64)


def _offsets(lengths: Index) -> Index:
    return np.concatenate([[0], np.cumsum(lengths)])
