# SPDX-License-Identifier: Apache-2.0
"""Losses of Keras that compare the sums of labels and predictions with what both have in common.

In formulas y is the label, p the prediction and w the weight; sums run over the rows of a slice, and over the
outputs of a row. Keras has a value for each batch, and their mean depends on how rows come together; here it
is one value for the rows of a slice, that of Keras where they are one batch.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.pairing import EXCESSES, ROUNDING, pairs
from benison.metrics.parameters import not_negative
from benison.metrics.registry import LOWER, About, register
from benison.metrics.statistics.sums import Arrays, Mean


def labelled(inputs: Inputs) -> Array:
    """The label y: float64[N], or float64[N, C] for several outputs."""
    return pairs(inputs)[0]


def predicted(inputs: Inputs) -> Array:
    """The prediction p, likewise."""
    return pairs(inputs)[1]


def both(inputs: Inputs) -> Array:
    """What is labelled and predicted, y p, likewise."""
    labels, p = pairs(inputs)
    return np.asarray(labels * p)


@dataclasses.dataclass(frozen=True)
class Tversky(Metric):
    """How little labels and predictions overlap, from 0 (best) to 1; other numbers are refused.

        1 - sum w y p / (sum w y p + alpha sum w y (1 - p) + beta sum w (1 - y) p)

    As in Keras alpha is the weight of what is labelled and not predicted, though Keras' page calls it false
    positives. NaN where nothing is labelled nor predicted, and where a prediction is missing.

    Source: Salehi, Erdogmus and Gholipour, "Tversky loss function for image segmentation using 3D fully
    convolutional deep networks", Machine Learning in Medical Imaging, 2017.

    Attributes:
        alpha: The weight of what is labelled and not predicted, from 0 up.
        beta: The weight of what is predicted and not labelled, from 0 up.
        axis: None, for all rows together; a value for each row is another number.
        name: The metric's name in the results.

    >>> Tversky().of(Inputs.of([1, 0], [0.5, 0.5]))
    0.5
    """

    alpha: float = 0.5
    beta: float = 0.5
    axis: Any = None
    name: str = "tversky"

    def __post_init__(self) -> None:
        if self.axis is not None:
            raise ValueError("axis must be null, for the sums of all rows of a slice")
        not_negative("alpha", self.alpha)
        not_negative("beta", self.beta)

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return Mean(both), Mean(labelled), Mean(predicted), EXCESSES

    def check(self, common: Arrays, y: Arrays, p: Arrays, excesses: Array) -> None:
        if max(excesses) > ROUNDING:
            raise DataError(
                f"{self.name} needs labels and predictions in [0, 1], and one lies {max(excesses):g} outside "
                f"of that. Let the model return probabilities and not logits, or take out this metric."
            )

    def result(self, *states: Any) -> Array:
        common, y, p = (total for total, _ in states[:3])
        apart = self.alpha * (y - common) + self.beta * (p - common)
        return 1 - ratio(common, common + apart)


@dataclasses.dataclass(frozen=True)
class Dice(Tversky):
    """How little labels and predictions overlap, from 0 (best) to 1; other numbers are refused.

        1 - 2 sum w y p / (sum w y + sum w p)

    Of labels and predictions that are 0 or 1 it is 1 - F1Score. NaN where nothing is labelled nor predicted,
    and where a prediction is missing.

    Source: Dice, "Measures of the amount of ecologic association between species", Ecology 26, 1945.

    Attributes:
        axis: None, for all rows together; a value for each row is another number.
        name: The metric's name in the results.

    >>> Dice().of(Inputs.of([1, 0], [0.5, 0.5]))
    0.5
    """

    alpha: float = dataclasses.field(default=0.5, init=False)
    beta: float = dataclasses.field(default=0.5, init=False)
    name: str = "dice"


for _loss in (Dice, Tversky):
    register(_loss.__name__, _loss, About.of(_loss, LOWER, 0, 1))
