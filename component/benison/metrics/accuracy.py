# SPDX-License-Identifier: Apache-2.0
"""This file is the accuracies that compare the label with a prediction, or with the likeliest class."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from benison.extracts import Array, Inputs
from benison.metrics.base import HIGHER, About, Metric, Statistic, ratio, register
from benison.metrics.confusion import snake_case
from benison.metrics.crossentropy import class_scores, one_hot
from benison.metrics.regression import pairs
from benison.metrics.states import Arrays, Mean


def equals(inputs: Inputs) -> Array:
    """1 where the prediction is the label, else 0; NaN without a prediction."""
    labels, predictions = pairs(inputs)
    return np.where(np.isnan(predictions), np.nan, labels == predictions)


def picks_label(inputs: Inputs) -> Array:
    """1 where the likeliest class is the label's, else 0; NaN without a prediction."""
    scores = class_scores(inputs)
    labels = one_hot(inputs.labels, scores.shape[1])
    picked = scores.argmax(axis=1) == labels.argmax(axis=1)
    return np.where(np.isnan(scores).any(axis=1), np.nan, picked)


LINES = {
    "Accuracy": (equals, "Share of predictions that equal the label."),
    "CategoricalAccuracy": (picks_label, "Share of rows whose likeliest class is the label's."),
    "SparseCategoricalAccuracy": (
        picks_label,
        "Share of rows whose likeliest class is the label's.",
    ),
}


@dataclasses.dataclass(frozen=True)
class ShareOfRight(Metric):
    """The weighted share of rows that are right by a line of `LINES`, from 0 to 1; NaN without weight.

    The values are those of Keras' metrics of these names.

    >>> ShareOfRight("Accuracy", "accuracy").of(Inputs.of([1.0, 2.0], [1.0, 3.0]))
    0.5
    """

    line: str
    name: str

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Mean(LINES[self.line][0]),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


def _share(line: str, /, name: str | None = None) -> ShareOfRight:
    return ShareOfRight(line, name or snake_case(line))


for _name, (_, _sentence) in LINES.items():
    register(_name, partial(_share, _name), About(_sentence, HIGHER, 0, 1))
