# SPDX-License-Identifier: Apache-2.0
"""This file is the cross-entropies of labels and predicted probabilities."""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.errors import DataError
from benison.extracts import Array, Inputs
from benison.metrics.base import LOWER, About, Metric, Statistic, ratio, register
from benison.metrics.regression import pairs
from benison.metrics.states import Arrays, Mean

CLIP = 1e-7  # Keras' epsilon: a prediction of exactly 0 or 1 costs 16.1, not infinity


@dataclasses.dataclass(frozen=True)
class BinaryEntropy:
    """The cross-entropy of a row with one output, or the mean over its outputs."""

    from_logits: bool
    label_smoothing: float

    def __call__(self, inputs: Inputs) -> Array:
        """In nats: float64[N], or float64[N, C] for several outputs."""
        labels, p = pairs(inputs)
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.from_logits:
            entropy = np.maximum(p, 0) - p * labels + np.log1p(np.exp(-np.abs(p)))
        else:
            p = np.clip(p, CLIP, 1 - CLIP)
            entropy = -labels * np.log(p) - (1 - labels) * np.log1p(-p)
        return np.asarray(entropy)


@dataclasses.dataclass(frozen=True)
class CategoricalEntropy:
    """The cross-entropy of a row with C classes; labels are one-hot or class numbers."""

    from_logits: bool
    label_smoothing: float

    def __call__(self, inputs: Inputs) -> Array:
        """In nats: float64[N]."""
        p = class_scores(inputs)
        labels = one_hot(inputs.labels, p.shape[1])
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / p.shape[1]
        entropy: Array = -(labels * self._log_probabilities(p)).sum(axis=1)
        return entropy

    def _log_probabilities(self, p: Array) -> Array:
        if self.from_logits:
            shifted = p - p.max(axis=1, keepdims=True)
            logs: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        else:
            logs = np.log(np.clip(p / p.sum(axis=1, keepdims=True), CLIP, 1 - CLIP))
        return logs


def class_scores(inputs: Inputs) -> Array:
    """The predictions, one for each class: float64[N, C].

    Raises:
        DataError: There is one prediction in a row.
    """
    if inputs.predictions.ndim != 2:
        raise DataError(
            f"Categorical metrics need a prediction for each class, float64[N, C]; the predictions have "
            f"the shape {inputs.predictions.shape}. For one output use the binary ones, such as "
            f"BinaryCrossEntropy and BinaryAccuracy."
        )
    return inputs.predictions


def one_hot(labels: Array, classes: int) -> Array:
    """float64[N, C] from class numbers float64[N]; what is [N, C] already stays.

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
    return np.eye(classes)[labels.astype(np.int64)]


@dataclasses.dataclass(frozen=True)
class BinaryCrossEntropy(Metric):
    """Weighted mean of -y ln p - (1 - y) ln(1 - p), in nats; from 0 (best) up.

    Predictions are clipped to [1e-7, 1 - 1e-7], or are logits.

    >>> round(BinaryCrossEntropy().of(Inputs.of([1, 0], [0.8, 0.4])), 6)
    0.366985
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    name: str = "binary_crossentropy"

    def __post_init__(self) -> None:
        _smoothing(self.label_smoothing)

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Mean(BinaryEntropy(self.from_logits, self.label_smoothing)),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


@dataclasses.dataclass(frozen=True)
class CategoricalCrossEntropy(Metric):
    """Weighted mean of -sum_c y_c ln p_c, in nats; from 0 (best) up.

    Probabilities are normalised to sum 1 and clipped to [1e-7, 1 - 1e-7], or are logits.

    >>> round(CategoricalCrossEntropy().of(Inputs.of([1, 2], [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])), 6)
    0.366985
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    name: str = "categorical_crossentropy"

    def __post_init__(self) -> None:
        _smoothing(self.label_smoothing)

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Mean(CategoricalEntropy(self.from_logits, self.label_smoothing)),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


def _smoothing(value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"label_smoothing must be in [0, 1], not {value!r}")


@dataclasses.dataclass(frozen=True)
class SparseCategoricalCrossentropy(CategoricalCrossEntropy):
    """Weighted mean of -ln p of the labelled class, in nats; from 0 (best) up.

    >>> inputs = Inputs.of([1, 2], [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    >>> round(SparseCategoricalCrossentropy().of(inputs), 6)
    0.366985
    """

    label_smoothing: float = dataclasses.field(default=0.0, init=False)
    name: str = "sparse_categorical_crossentropy"


# TFMA's spelling and Keras'.
for _class_name, _class in (
    ("BinaryCrossEntropy", BinaryCrossEntropy),
    ("BinaryCrossentropy", BinaryCrossEntropy),
    ("CategoricalCrossEntropy", CategoricalCrossEntropy),
    ("CategoricalCrossentropy", CategoricalCrossEntropy),
    ("SparseCategoricalCrossentropy", SparseCategoricalCrossentropy),
):
    register(_class_name, _class, About.of(_class, LOWER, 0))
