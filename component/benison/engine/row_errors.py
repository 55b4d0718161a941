# SPDX-License-Identifier: Apache-2.0
"""How far the prediction of each row is from its label, by which rows are put in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, missing_rows

_MATRIX = 2  # dimensions


def row_errors(labels: Any, predictions: Any, are_scores: bool) -> Array:
    """The error of each row: float64[N], infinite without a prediction, NaN where it is not known.

    Of numbers it is their distance; of the score of one class `1 - score` where the label is 1, and the
    score where it is 0, also of logits; of the scores of several classes the best of the others less that of
    the label; of text 1 where both differ.

    Args:
        labels: A column as `benison.data.batch` has them.
        predictions: Another.
        are_scores: Whether a single number is the score of a class, and not an amount.
    """
    size = len(labels)
    if isinstance(labels, pa.Array) and isinstance(predictions, pa.Array):
        errors = _of_texts(labels, predictions)
    elif isinstance(labels, np.ndarray) and isinstance(predictions, np.ndarray):
        errors = _of_numbers(labels, predictions, are_scores)
        errors = np.where(missing_rows(predictions), np.inf, errors)
    else:  # lists, boxes, or text beside numbers
        return np.full(size, np.nan)
    return np.where(missing_rows(labels), np.nan, errors)


def _of_texts(labels: pa.Array, predictions: pa.Array) -> Array:
    differ = pc.fill_null(pc.not_equal(labels, predictions).cast(pa.float64()), np.inf)
    return np.asarray(differ.to_numpy(zero_copy_only=False), np.float64)


def _of_numbers(labels: Array, predictions: Array, are_scores: bool) -> Array:
    labels, predictions = (_flat(values) for values in (labels, predictions))
    if predictions.ndim == _MATRIX:
        return _of_classes(labels, predictions)
    if labels.ndim == _MATRIX:
        return np.full(len(labels), np.nan)
    if are_scores:
        return labels * (1 - predictions) + (1 - labels) * predictions
    return np.abs(labels - predictions)


def _flat(values: Array) -> Array:
    """Lists of one number as that number."""
    return values[:, 0] if values.ndim == _MATRIX and values.shape[1] == 1 else values


def _of_classes(labels: Array, scores: Array) -> Array:
    """The best score of the other classes less that of the label; the mean distance of several labels."""
    if labels.ndim == _MATRIX:
        if labels.shape != scores.shape:
            return np.full(len(labels), np.nan)
        if not (np.nan_to_num(labels).sum(axis=1) == 1).all():
            return np.asarray(np.abs(labels - scores).mean(axis=1))
        labels = np.argmax(labels, axis=1).astype(np.float64)
    is_known = (labels >= 0) & (labels < scores.shape[1]) & (np.rint(labels) == labels)
    own = np.where(is_known, labels, 0).astype(np.int64)[:, None]
    others = scores.copy()
    np.put_along_axis(others, own, -np.inf, axis=1)
    margin = others.max(axis=1, initial=-np.inf) - np.take_along_axis(scores, own, axis=1)[:, 0]
    return np.where(is_known, margin, np.nan)
