# SPDX-License-Identifier: Apache-2.0
"""Pairs labels with predictions, and checks that their shapes and values fit.

Shapes are seen in any batch. Values may look right in one and wrong in another, so they are judged by
`Largest` over all rows: which batch they stand in makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.data.values import WHOLE_FLOATS
from benison.errors import DataError
from benison.metrics.statistics.extremes import Largest

ROUNDING = 1e-6  # how far outside [0, 1] float32 may put a probability


def label(inputs: Inputs) -> Array:
    """The label y: float64[N]."""
    return np.asarray(inputs.labels)


def prediction(inputs: Inputs) -> Array:
    """The prediction p: float64[N]."""
    return np.asarray(inputs.predictions)


def pairs(inputs: Inputs) -> tuple[Array, Array]:
    """Labels and predictions of one shape: both float64[N] or both float64[N, C].

    Beside a prediction for each class, labels may be class numbers. Shapes that NumPy would broadcast are
    refused: labels [N, 1] and predictions [N] make N x N differences.

    >>> pairs(Inputs.of([1], [[0.2, 0.8]]))
    (array([[0., 1.]]), array([[0.2, 0.8]]))

    Raises:
        DataError: Their shapes do not fit, or a label is no class number.
    """
    labels, predictions = inputs.labels, inputs.predictions
    if labels.ndim == 1 and predictions.ndim == 2:
        return one_hot(labels, predictions.shape[1]), predictions
    if labels.shape != predictions.shape:
        raise DataError(
            f"There must be a label for each prediction; labels have the shape {labels.shape} "
            f"and predictions {predictions.shape}. For several classes, choose them with "
            f"binarize.class_ids in metrics_specs."
        )
    return labels, predictions


def one_hot(labels: Array, classes: int) -> Array:
    """Labels as float64[N, C], from class numbers float64[N] or from what is one-hot already.

    >>> one_hot(np.array([2.0, 0.0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])

    Raises:
        DataError: A label is not a whole number in [0, C), or one-hot labels are not C in a row.
    """
    if labels.ndim == 2:
        if labels.shape[1] != classes:
            raise DataError(
                f"One-hot labels must be as many as the predictions of a row, {classes}; there are "
                f"{labels.shape[1]}."
            )
        return labels
    wrong = np.flatnonzero((labels != np.floor(labels)) | (labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"Labels must be class numbers from 0 to {classes - 1}, as there are {classes} "
            f"predictions in a row; a label is {labels[wrong[0]]:g}."
        )
    hot = np.zeros((len(labels), classes))
    hot[np.arange(len(labels)), labels.astype(np.int64)] = 1.0
    return hot


def numbers_per_column(parameter: str, numbers: Sequence[float], values: Array) -> Array:
    """A parameter that is one number, or one for each value of a row: float64[1] or float64[C].

    Args:
        parameter: What it is called.
        numbers: One or C.
        values: float64[N] or float64[N, C].

    Raises:
        DataError: There are neither one nor C.
    """
    width = values.shape[1] if values.ndim == 2 else 1
    if len(numbers) in (1, width):
        return np.array(numbers)
    if np.isnan(values).all():  # rows that all lack their list do not tell how many values it has
        return np.array(numbers[:1])
    raise DataError(
        f"{parameter} has {len(numbers)} numbers, and a row has {width} predictions. Give one number, or "
        f"as many as there are predictions in a row."
    )


def label_width(inputs: Inputs) -> Array:
    """How many labels a row has, 1 where all are missing: float64[1]."""
    return np.array([1.0 if np.isnan(inputs.labels).all() else _width(inputs.labels)])


def prediction_width(inputs: Inputs) -> Array:
    """How many predictions a row has, 1 where there are no rows: float64[1]."""
    return np.array([_width(inputs.predictions) if len(inputs) else 1.0])


def _width(values: Array) -> float:
    return float(values.shape[1]) if values.ndim == 2 else 1.0


def label_excess(inputs: Inputs) -> Array:
    """How far labels lie outside of [0, 1], not above 0 within: float64[N] or float64[N, C].

    >>> label_excess(Inputs.of([0, 1, 3], [0, 0, 0]))
    array([-0.,  0.,  2.])
    """
    return excess(inputs.labels)


def prediction_excess(inputs: Inputs) -> Array:
    """How far predictions lie outside of [0, 1], not above 0 within: float64[N] or float64[N, C]."""
    return excess(inputs.predictions)


def excess(values: Array) -> Array:
    """How far each value lies outside of [0, 1], not above 0 within."""
    return np.maximum(values - 1, -values)


WIDTHS = Largest((label_width, prediction_width))
EXCESSES = Largest((label_excess, prediction_excess))


def check_probabilities(name: str, excesses: Array, instead: str) -> None:
    """Refuse what is no probability where a metric says nothing of other numbers.

    Args:
        name: The metric.
        excesses: How far labels and predictions lie outside of [0, 1], as `EXCESSES` has them: float64[2].
        instead: The metric to ask for of such numbers.

    Raises:
        DataError: A label or a prediction lies outside of [0, 1] by more than rounding.
    """
    if max(excesses) > ROUNDING:
        what = ("label", "prediction")[int(np.argmax(excesses))]
        raise DataError(
            f"{name} needs probabilities, and a {what} lies {max(excesses):g} outside of [0, 1]. "
            f"Let the model return probabilities and not logits, or ask for {instead}."
        )


def check_widths(name: str, widths: Array) -> None:
    """Refuse the mean over predictions of several classes, which is 1 / C of any probabilities.

    Where rows have as many labels, such as those of several outputs, the mean over outputs is meant.

    Args:
        name: The metric.
        widths: The most labels and the most predictions of a row, as `WIDTHS` has them: float64[2].

    Raises:
        DataError: Rows have several predictions, and not as many labels.
    """
    if widths[1] > 1 >= widths[0]:
        raise DataError(
            f"{name} needs a label for each prediction, and rows have several predictions: their "
            f"mean is the same for any probabilities of classes. Choose classes with binarize.class_ids "
            f"in metrics_specs, or give one-hot labels, a number for each prediction."
        )


def label_fraction(inputs: Inputs) -> Array:
    """Labels that are no whole numbers, and -inf in place of others: float64[N] or float64[N, C]."""
    return _fractions(inputs.labels)


def prediction_fraction(inputs: Inputs) -> Array:
    """Predictions that are no whole numbers, and -inf in place of others: as `label_fraction`."""
    return _fractions(inputs.predictions)


def _fractions(values: Any) -> Array:
    if not isinstance(values, np.ndarray):  # text has none
        return np.zeros(0)
    return np.where(values == np.floor(values), -np.inf, values)


def label_size(inputs: Inputs) -> Array:
    """The size of the labels, where they are numbers: float64[N] or float64[N, C]."""
    return _sizes(inputs.labels)


def prediction_size(inputs: Inputs) -> Array:
    """The size of the predictions, where they are numbers: as `label_size`."""
    return _sizes(inputs.predictions)


def _sizes(values: Any) -> Array:
    return np.abs(values) if isinstance(values, np.ndarray) else np.zeros(0)


COMPARED = Largest((label_fraction, prediction_fraction, label_size, prediction_size))


def check_equality(name: str, compared: Array) -> None:
    """Refuse to ask how many probabilities equal a class, which none does, and what equals a rounded number.

    Keras and TFMA compute 0 for probabilities, which is a number, but says nothing of the model.

    Args:
        name: The metric.
        compared: A label and a prediction that are no whole number, else -inf, and the largest of both, as
            `COMPARED` has them: float64[4].

    Raises:
        DataError: All labels are whole numbers, and a prediction is not; or a number is so large that floats
            do not tell it from its neighbours.
    """
    fractions, largest = compared[:2], compared[2:].max()
    if WHOLE_FLOATS <= largest < np.inf:
        raise DataError(
            f"{name} compares numbers below 2^53 exactly, and one is about {largest:g}: larger ones are "
            f"rounded, and different ones may be equal then. Make labels and predictions texts, which are "
            f"compared as they are written."
        )
    labels_whole = fractions[0] == -np.inf
    a_prediction_is_not = fractions[1] > -np.inf
    if labels_whole and a_prediction_is_not:
        raise DataError(
            f"{name} counts the predictions that equal the label. The labels are whole numbers, and a "
            f"prediction such as {fractions[1]:g} is none. For probabilities use BinaryAccuracy, or "
            f"CategoricalAccuracy where there is one for each class."
        )
