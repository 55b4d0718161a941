# SPDX-License-Identifier: Apache-2.0
"""The loss of each row: a wrong decision, a squared error, or a log loss.

Each is refused where labels and predictions are not what it is of, as a decision of logits at 0.5 would be:
it would be a number, and mean nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config.weak_slice_options import AUTO, DECISION, LOG_LOSS, SQUARED_ERROR
from benison.data.batch import Array, Mask, Ragged, missing_rows
from benison.data.values import floats_of, is_list, is_measured
from benison.errors import DataError

_THRESHOLD = 0.5
_LEAST = 1e-7  # the least probability of a log loss, as Keras has it
_OFF = 0.01  # by so much probabilities of float16 may miss 1 together
_TWO_DIMENSIONS = 2
_SQUARES = f"measure: {SQUARED_ERROR} is possible"
_DECISIONS = f"measure: {DECISION} is possible"


@dataclasses.dataclass(frozen=True)
class RowLoss:
    """What an error is: `decision`, `squared_error` or `log_loss`."""

    measure: str
    by_threshold: bool = True
    """Whether a single number is a score, which decides for what it is at least half of, and not a class."""
    output: str = ""
    """Whose labels and predictions they are, for sentences."""

    @property
    def levels(self) -> tuple[int, int] | None:
        """The least and largest loss, where losses are whole numbers."""
        return (0, 1) if self.measure == DECISION else None

    @property
    def change_levels(self) -> tuple[int, int] | None:
        """The same of differences of losses."""
        return (-1, 1) if self.measure == DECISION else None

    def of(self, labels: Any, predictions: Any) -> Array:
        """The loss of each row: float64[N], NaN where the label is missing, not finite where it is undefined.

        A row whose prediction is missing has no loss, whatever the measure is.

        Raises:
            DataError: Labels and predictions do not fit each other, or have no such loss.
        """
        try:
            return self._of(labels, predictions)
        except _MisfitError as misfit:
            whose = f" of the output {self.output!r}" if self.output else ""
            raise DataError(
                f"Weak slices cannot be looked for: labels or predictions{whose} are {misfit}"
            ) from None

    def _of(self, labels: Any, predictions: Any) -> Array:
        if isinstance(labels, Ragged) or isinstance(predictions, Ragged):
            raise _MisfitError("lists of different lengths", _LEAVE_OUT)
        if isinstance(predictions, pa.Array) or isinstance(labels, pa.Array):
            return self._of_texts(labels, predictions)
        labels, predictions = _flat(labels), _flat(predictions)
        known = ~(missing_rows(labels) | _undecided(predictions))
        losses = np.full(len(labels), np.nan)
        losses[known] = self._of_numbers(labels[known], predictions[known])
        return losses

    def _of_numbers(self, labels: Array, predictions: Array) -> Array:
        if self.measure == DECISION:
            return _wrong(labels, predictions, self.by_threshold).astype(np.float64)
        if self.measure == LOG_LOSS:
            return _log_loss(labels, predictions)
        return _squared(labels, predictions)

    def _of_texts(self, labels: Any, predictions: Any) -> Array:
        if self.measure != DECISION:
            raise _MisfitError(f"text, which has no {self.measure}", _DECISIONS)
        if not (isinstance(labels, pa.Array) and isinstance(predictions, pa.Array)):
            raise _MisfitError("text on one side and numbers on the other", _LEAVE_OUT)
        wrong = pc.not_equal(labels, predictions).cast(pa.float64())  # null where either is
        return np.asarray(pc.fill_null(wrong, np.nan).to_numpy(zero_copy_only=False))


_LEAVE_OUT = (
    "leave weak_slices out of the config, or name a prediction that has one value for each example"
)


class _MisfitError(Exception):
    """Labels and predictions that have no such loss: what they are, and what can be done."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}; {cure}.")


def _flat(values: Array) -> Array:
    """Lists of one number as that number."""
    return values[:, 0] if values.ndim == _TWO_DIMENSIONS and values.shape[1] == 1 else values


def _undecided(predictions: Array) -> Mask:
    """Where a prediction is missing or not finite, of several scores the largest: bool[N].

    A score of minus infinity beside others is that of a class that is ruled out.
    """
    largest = predictions if predictions.ndim == 1 else predictions.max(axis=1)  # NaN of a NaN
    return np.asarray(~np.isfinite(largest))


def _wrong(labels: Array, predictions: Array, by_threshold: bool) -> Mask:
    """Where the decision is another one than the label: bool[N]."""
    if predictions.ndim == _TWO_DIMENSIONS:
        wrong = _classes(labels, predictions.shape[1]) != np.argmax(predictions, axis=1)
        return np.asarray(wrong)
    if labels.ndim == _TWO_DIMENSIONS:
        raise _MisfitError("lists on one side and single numbers on the other", _LEAVE_OUT)
    if not by_threshold:
        _refuse(predictions, _is_whole, f"no classes, such as {{}}; {_SQUARES}")
        return np.asarray(labels != predictions)
    _check_shares(labels, predictions)
    return np.asarray((labels > _THRESHOLD) != (predictions > _THRESHOLD))


def _check_shares(labels: Array, predictions: Array) -> None:
    """Refuse what is no probability, as logits are."""
    _refuse(labels, _is_share, "not from 0 to 1, such as the label {}; " + _SQUARES)
    _refuse(
        predictions,
        _is_share,
        f"not from 0 to 1, such as the prediction {{}}, as logits are; {_SQUARES}, or let the model give "
        "probabilities",
    )


def _refuse(values: Array, fits: Callable[[Array], Mask], sentence: str) -> None:
    misfits = ~fits(values)
    if misfits.any():
        what, _, cure = sentence.format(f"{values[misfits][0]:g}").partition("; ")
        raise _MisfitError(what, cure)


def _is_share(values: Array) -> Mask:
    return np.asarray((values >= 0) & (values <= 1))


def _is_whole(values: Array) -> Mask:
    return np.asarray(np.rint(values) == values)


def _classes(labels: Array, classes: int) -> Array:
    """The number of the class of each row, of labels that are numbers or have one 1 in a row."""
    if labels.ndim == 1:
        fits = _is_whole(labels) & (labels >= 0) & (labels < classes)
        if not fits.all():
            wrong = f"{labels[~fits][0]:g}"
            raise _MisfitError(
                f"of {classes} classes, and the label {wrong} is none of these",
                "number the classes from 0, or leave weak_slices out of the config",
            )
        return labels
    one_hot = (labels == 1).sum(axis=1) + (labels == 0).sum(axis=1) == labels.shape[1]
    if not (one_hot & (labels.sum(axis=1) == 1)).all():
        raise _MisfitError("of several classes in a row, or of none", _SQUARES)
    return np.asarray(np.argmax(labels, axis=1), np.float64)


def _squared(labels: Array, predictions: Array) -> Array:
    if labels.shape != predictions.shape:
        raise _MisfitError(
            "of different widths", f"where they are classes {_DECISIONS}, and measure: {LOG_LOSS}"
        )
    squares = (labels - predictions) ** 2
    return np.asarray(squares if squares.ndim == 1 else squares.sum(axis=1))


def _log_loss(labels: Array, predictions: Array) -> Array:
    scores = np.clip(predictions, _LEAST, 1 - _LEAST)
    if scores.ndim == 1:
        if labels.ndim == _TWO_DIMENSIONS:
            raise _MisfitError("lists on one side and single numbers on the other", _LEAVE_OUT)
        _check_shares(labels, predictions)
        return np.asarray(-(labels * np.log(scores) + (1 - labels) * np.log1p(-scores)))
    if not (_is_share(predictions).all() and (np.abs(predictions.sum(axis=1) - 1) < _OFF).all()):
        raise _MisfitError("no probabilities of classes, which are 1 together", _DECISIONS)
    if labels.ndim == 1:
        known_classes = _classes(labels, scores.shape[1]).astype(np.int64)
        return np.asarray(-np.log(scores[np.arange(len(scores)), known_classes]))
    if labels.shape != scores.shape or (np.abs(labels.sum(axis=1) - 1) > _OFF).any():
        raise _MisfitError("of several classes in a row, or of none", _SQUARES)
    return np.asarray(-(labels * np.log(scores)).sum(axis=1))


def loss_of(
    measure: str, labels: pa.ChunkedArray | None, about_classes: bool, output: str = ""
) -> RowLoss:
    """What an error is, where the config leaves it open by the labels of some rows.

    Args:
        measure: What the config says.
        labels: None where they are not in the data.
        about_classes: Whether the metrics of the config are about several classes.
        output: Whose labels they are.

    >>> loss_of("auto", pa.chunked_array([[0, 1, 1]]), False).measure
    'decision'
    >>> loss_of("auto", pa.chunked_array([[2.5, 1]]), False).measure
    'squared_error'
    """
    known = _numbers(labels)
    is_binary = known is None or bool(np.isin(known, (0, 1)).all())
    if measure != AUTO:
        return RowLoss(measure, is_binary, output)
    decides = is_binary or about_classes
    return RowLoss(DECISION if decides else SQUARED_ERROR, is_binary, output)


def _numbers(labels: pa.ChunkedArray | None) -> Array | None:
    """The distinct labels, if they are numbers."""
    if labels is None:
        return None
    values = labels.combine_chunks()
    while is_list(values.type):
        values = values.flatten()
    if not is_measured(values.type):
        return None
    known = floats_of(pc.unique(values.drop_null())).to_numpy(zero_copy_only=False)
    return np.asarray(known[~np.isnan(known)], np.float64)
