# SPDX-License-Identifier: Apache-2.0
"""The loss of each row: a wrong decision, a squared error, or a log loss."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config.weak_slice_options import AUTO, DECISION, LOG_LOSS, SQUARED_ERROR
from benison.data.batch import Array, Mask, Ragged, missing_rows
from benison.data.values import is_list, is_number
from benison.errors import DataError

_THRESHOLD = 0.5
_LEAST = 1e-7  # the least probability of a log loss, as Keras has it
_TWO_DIMENSIONS = 2


@dataclasses.dataclass(frozen=True)
class RowLoss:
    """What an error is: `decision`, `squared_error` or `log_loss`."""

    measure: str
    by_threshold: bool = True
    """Whether a single number is a score, which decides for what it is at least half of, and not a class."""

    @property
    def levels(self) -> tuple[int, int] | None:
        """The least and largest loss, where losses are whole numbers."""
        return (0, 1) if self.measure == DECISION else None

    @property
    def change_levels(self) -> tuple[int, int] | None:
        """The same of differences of losses."""
        return (-1, 1) if self.measure == DECISION else None

    def of(self, labels: Any, predictions: Any) -> Array:
        """The loss of each row: float64[N], NaN where the label is missing or the loss undefined.

        A decision that is missing is a wrong one.

        Raises:
            DataError: Labels and predictions do not fit each other.
        """
        if isinstance(labels, Ragged) or isinstance(predictions, Ragged):
            raise _misfit("lists of different lengths")
        unlabelled = missing_rows(labels)
        if isinstance(predictions, pa.Array) or isinstance(labels, pa.Array):
            losses = self._of_texts(labels, predictions)
        elif self.measure == DECISION:
            losses = _wrong(labels, predictions, self.by_threshold).astype(np.float64)
        elif self.measure == LOG_LOSS:
            losses = _log_loss(labels, predictions)
        else:
            losses = _squared(labels, predictions)
        return np.where(unlabelled, np.nan, losses)

    def _of_texts(self, labels: Any, predictions: Any) -> Array:
        if self.measure != DECISION:
            raise _misfit(f"text, which has no {self.measure}; say measure: decision")
        if not (isinstance(labels, pa.Array) and isinstance(predictions, pa.Array)):
            raise _misfit("text on one side and numbers on the other")
        right = pc.fill_null(pc.equal(labels, predictions), False)
        return np.asarray(1.0 - right.to_numpy(zero_copy_only=False), np.float64)


def _misfit(what: str) -> DataError:
    return DataError(
        f"Weak slices cannot be looked for: labels or predictions are {what}. Leave weak_slices out of the "
        "config, or name a prediction that has one value for each example."
    )


def _wrong(labels: Array, predictions: Array, by_threshold: bool) -> Mask:
    """Where the decision is another one than the label, or there is none: bool[N]."""
    missing = missing_rows(predictions)
    if predictions.ndim == _TWO_DIMENSIONS:
        return np.asarray((_classes(labels) != np.argmax(predictions, axis=1)) | missing)
    if labels.ndim == _TWO_DIMENSIONS:
        raise _misfit("lists on one side and single numbers on the other")
    if not by_threshold:
        return np.asarray((labels != predictions) | missing)
    return np.asarray(((labels > _THRESHOLD) != (predictions > _THRESHOLD)) | missing)


def _classes(labels: Array) -> Array:
    return labels if labels.ndim == 1 else np.asarray(np.argmax(labels, axis=1), np.float64)


def _squared(labels: Array, predictions: Array) -> Array:
    if labels.shape != predictions.shape:
        raise _misfit(
            "of different widths; say measure: decision or log_loss where they are classes"
        )
    squares = (labels - predictions) ** 2
    return np.asarray(squares if squares.ndim == 1 else squares.sum(axis=1))


def _log_loss(labels: Array, predictions: Array) -> Array:
    scores = np.clip(predictions, _LEAST, 1 - _LEAST)
    if scores.ndim == 1:
        return np.asarray(-(labels * np.log(scores) + (1 - labels) * np.log1p(-scores)))
    classes = _classes(labels)
    known = np.where(np.isnan(classes), 0, classes).astype(np.int64)
    if known.max(initial=0) >= scores.shape[1] or known.min(initial=0) < 0:
        raise _misfit(f"of {scores.shape[1]} classes, and a label is none of these")
    return np.asarray(-np.log(scores[np.arange(len(scores)), known]))


def loss_of(measure: str, labels: pa.ChunkedArray | None, about_classes: bool) -> RowLoss:
    """What an error is, where the config leaves it open by the labels of some rows.

    Args:
        measure: What the config says.
        labels: None where they are not in the data.
        about_classes: Whether the metrics of the config are about several classes.

    >>> loss_of("auto", pa.chunked_array([[0, 1, 1]]), False).measure
    'decision'
    >>> loss_of("auto", pa.chunked_array([[2.5, 1]]), False).measure
    'squared_error'
    """
    known = _numbers(labels)
    is_binary = known is None or bool(np.isin(known, (0, 1)).all())
    if measure != AUTO:
        return RowLoss(measure, is_binary)
    return RowLoss(DECISION if is_binary or about_classes else SQUARED_ERROR, is_binary)


def _numbers(labels: pa.ChunkedArray | None) -> Array | None:
    """The distinct labels, if they are numbers."""
    if labels is None:
        return None
    values = labels.combine_chunks()
    while is_list(values.type):
        values = values.flatten()
    if not is_number(values.type) or pa.types.is_boolean(values.type):
        return None
    known = pc.unique(values.drop_null()).cast(pa.float64(), safe=False).to_numpy()
    return np.asarray(known[~np.isnan(known)], np.float64)
