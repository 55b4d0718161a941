# SPDX-License-Identifier: Apache-2.0
"""Reads boxes from labels and predictions, or from columns of the data that hold a part of each box.

A labelled box is left, top, right, bottom and class, a detected one has a score as its sixth number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Ragged
from benison.data.nested import as_ragged
from benison.errors import DataError

LABEL, DETECTION = 5, 6  # numbers of a box

_FORMS = {
    LABEL: "[left, top, right, bottom, class]",
    DETECTION: "[left, top, right, bottom, class, score]",
}


def boxes_of(column: object, width: int) -> Ragged:
    """Labels or predictions as boxes: values are float64[M, width]; a missing row is one box of NaN.

    Raises:
        DataError: They hold something else, or a box whose right end is left of its left one.

    >>> boxes_of(Ragged(np.array([[0, 0, 2, 2, 1.0]]), np.array([0, 1])), LABEL).lengths
    array([1])
    >>> boxes_of(np.array([1.0]), LABEL)
    Traceback (most recent call last):
    benison.errors.DataError: Boxes are lists of lists, [left, top, right, bottom, class] for each box; the \
labels hold something else. Where each number of a box has a column of its own, name the columns with \
labels_to_stack.
    """
    if isinstance(column, np.ndarray) and np.isnan(column).all():
        missing = np.full((len(column), width), np.nan)
        return Ragged(missing, np.arange(len(column) + 1))
    what = "labels" if width == LABEL else "predictions"
    if not isinstance(column, Ragged) or getattr(column.values, "ndim", 0) != 2:
        raise DataError(
            f"Boxes are lists of lists, {_FORMS[width]} for each box; the {what} hold something else. Where "
            f"each number of a box has a column of its own, name the columns with {what}_to_stack."
        )
    return _checked(column, width, what)


def _checked(boxes: Ragged, width: int, what: str) -> Ragged:
    values = boxes.values
    if values.shape[1] != width:
        if len(values) and not np.isnan(values).all():
            raise DataError(
                f"A box of the {what} must be {_FORMS[width]}, and one holds {values.shape[1]} numbers."
            )
        return Ragged(np.full((len(values), width), np.nan), boxes.offsets)
    if width < LABEL:  # a number of boxes, and no box
        return boxes
    left, top, right, bottom = values[:, :4].T
    wrong = np.flatnonzero((right < left) | (bottom < top))
    if len(wrong):
        corners = ", ".join(f"{number:g}" for number in values[wrong[0], :4])
        raise DataError(
            f"A box of the {what} is [{corners}], whose right or bottom end comes before its left or top "
            f"one. A box is {_FORMS[width]}."
        )
    return boxes


def stacked(
    column_of: Callable[[str], pa.Array], names: Sequence[str], width: int, none: Ragged | None
) -> Ragged:
    """Boxes whose numbers are in columns, in the order of the columns.

    Args:
        column_of: The column of a name; raises DataError where it is missing.
        names: Their names; one of lists of lists has several numbers of a box.
        width: The numbers of a box.
        none: The boxes where a column is missing; None refuses that.

    Raises:
        DataError: A column is missing, or the columns are of different lengths in a row.
    """
    try:
        columns = [column_of(name) for name in names]
    except DataError:
        if none is None:
            raise
        return none
    parts = [as_ragged(column, name) for column, name in zip(columns, names, strict=True)]
    for name, part in zip(names, parts, strict=True):
        if not np.array_equal(part.offsets, parts[0].offsets):
            raise DataError(
                f"The columns {names[0]!r} and {name!r} are parts of the same boxes, and hold different "
                f"numbers of values in a row."
            )
    values = np.concatenate([part.values for part in parts], axis=1)
    if width == LABEL and np.isnan(values).any():
        raise DataError(
            f"A labelled box of the columns {', '.join(map(repr, names))} lacks a number. Fill it in, or "
            f"make the row null in all of them, which leaves it out."
        )
    what = "labels_to_stack" if width == LABEL else "predictions_to_stack"
    return _checked(Ragged(values, parts[0].offsets), width, what)


def truncated(boxes: Ragged, counts: Array) -> Ragged:
    """The first so many boxes of each row; all where the count is NaN.

    >>> boxes = Ragged(np.array([[1.0], [2.0], [3.0]]), np.array([0, 2, 3]))
    >>> truncated(boxes, np.array([1.0, np.nan])).offsets
    array([0, 1, 2])
    """
    places = np.arange(len(boxes.values)) - np.repeat(boxes.offsets[:-1], boxes.lengths)
    kept = ~(places >= np.repeat(counts, boxes.lengths))
    ends = np.concatenate([[0], np.cumsum(kept)])
    offsets: Index = ends[boxes.offsets]
    return Ragged(boxes.values[kept], offsets)
