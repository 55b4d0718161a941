# SPDX-License-Identifier: Apache-2.0
"""Metrics and losses of Keras that are the weighted mean of a function of the row.

In formulas y is the label and p the prediction; sums run over the classes of a row. A row with several
outputs has the mean over these, unless the formula runs over them. A value is NaN without weight, and where
a prediction is missing. Values are those of Keras, in float64. Sources are Keras' own pages, and Lin et al.,
"Focal loss for dense object detection", 2017, for the focal cross-entropies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.classification import (
    CLIP,
    BinaryEntropy,
)
from benison.metrics.pairing import numbers_per_column, pairs
from benison.metrics.parameters import check_share, not_negative
from benison.metrics.registry import LOWER, About, register
from benison.metrics.regression import error
from benison.metrics.statistics.squares import SquaresMean, mean_of_squares
from benison.metrics.statistics.sums import Arrays, Mean


@dataclasses.dataclass(frozen=True)
class PerRowMean(Metric):
    """The weighted mean of what calling the metric gives for each row of a batch.

    The field `name` is left to subclasses: one that is inherited comes before their own parameters.
    """

    def __call__(self, inputs: Inputs) -> Array:
        """The function of the row: float64[N], or float64[N, C] for several outputs."""
        raise NotImplementedError

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        # Without the name, so that metrics of other names share the sums.
        unnamed: dict[str, Any] = {"name": ""}
        return (Mean(dataclasses.replace(self, **unnamed)),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


def _signed(labels: Array) -> Array:
    """Labels of 0 and 1 as -1 and 1; those of -1 and 1 stay."""
    return np.asarray(labels - (labels == 0))  # a third of the time of `where`


@dataclasses.dataclass(frozen=True)
class Hinge(PerRowMean):
    """Mean of max(1 - y p, 0), where the label 0 counts as -1; from 0 (best) up.

    A score of the right sign and 1 or more costs nothing, so scores are margins rather than probabilities.
    NaN without weight, and where a prediction is missing.

    Source: Cortes and Vapnik, "Support-vector networks", Machine Learning 20, 1995.

    >>> Hinge().of(Inputs.of([1, 0], [0.5, -2.0]))
    0.25
    """

    name: str = "hinge"

    def __call__(self, inputs: Inputs) -> Array:
        labels, p = pairs(inputs)
        return np.maximum(1 - _signed(labels) * p, 0)


@dataclasses.dataclass(frozen=True)
class SquaredHinge(Hinge):
    """Mean of max(1 - y p, 0)^2, where the label 0 counts as -1; from 0 (best) up.

    The square of what Hinge is the mean of. NaN without weight, and where a prediction is missing.

    >>> SquaredHinge().of(Inputs.of([1, 0], [0.5, -2.0]))
    0.125
    """

    name: str = "squared_hinge"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (SquaresMean(Hinge(name="")),)

    def result(self, mean: Arrays) -> Array:
        return mean_of_squares(*mean)


@dataclasses.dataclass(frozen=True)
class LogCosh(PerRowMean):
    """Mean of ln cosh(p - y), about half the squared error near 0, the absolute one far; from 0 (best) up.

    In the unit of the label for large errors, less ln 2. NaN without weight, and where a prediction is
    missing.

    >>> round(LogCosh().of(Inputs.of([1.0, 0.0], [2.0, 0.0])), 6)
    0.21689
    """

    name: str = "log_cosh"

    def __call__(self, inputs: Inputs) -> Array:
        distance = np.abs(error(inputs))
        # cosh itself overflows at 710, and near 0 the digits of ln 2 would hide those of the value.
        losses = np.log1p(2 * np.sinh(np.minimum(distance, 1) / 2) ** 2)
        at = np.nonzero(distance >= 1)
        far = distance[at]
        losses[at] = far + np.log1p(np.exp(-2 * far)) - np.log(2)
        return np.asarray(losses)


@dataclasses.dataclass(frozen=True)
class LogCoshError(LogCosh):
    """Mean of ln cosh(p - y), Keras' metric of the loss LogCosh; from 0 (best) up.

    The same number as LogCosh, under the name that Keras gives the metric. NaN without weight, and where a
    prediction is missing.

    >>> round(LogCoshError().of(Inputs.of([1.0, 0.0], [2.0, 0.0])), 6)
    0.21689
    """

    name: str = "log_cosh_error"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return LogCosh().statistics()


@dataclasses.dataclass(frozen=True)
class Huber(PerRowMean):
    """Mean of (y - p)^2 / 2 up to the distance delta, delta (|y - p| - delta / 2) beyond; from 0 (best) up.

    NaN without weight, and where a prediction is missing.

    Source: Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.

    Attributes:
        delta: The distance, in the unit of the label, from which an error counts linearly.
        name: The metric's name in the results.

    >>> Huber(delta=1.0).of(Inputs.of([1.0, 0.0], [4.0, 1.0]))
    1.5
    """

    delta: float = 1.0
    name: str = "huber"

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta must be a distance above 0, not {self.delta!r}")

    def __call__(self, inputs: Inputs) -> Array:
        distance = np.abs(error(inputs))
        far = self.delta * (distance - self.delta / 2)
        return np.where(distance <= self.delta, np.square(distance) / 2, far)


@dataclasses.dataclass(frozen=True)
class Poisson(PerRowMean):
    """Mean of p - y ln(p + 1e-7), the Poisson loss of a predicted count; lower is better.

    The negative log-likelihood of a Poisson distribution with the mean p, without the term that the
    predictions do not change. NaN without weight, and where a prediction is missing or below -1e-7.

    >>> Poisson().of(Inputs.of([0.0, 0.0], [2.0, 1.0]))
    1.5
    """

    name: str = "poisson"

    def __call__(self, inputs: Inputs) -> Array:
        labels, p = pairs(inputs)
        with np.errstate(invalid="ignore"):
            return np.asarray(p - labels * np.log(p + CLIP))


@dataclasses.dataclass(frozen=True)
class MeanRelativeError(PerRowMean):
    """Mean of |y - p| / normalizer; from 0 (best) up.

    NaN without weight, and where a prediction is missing.

    Attributes:
        normalizer: A number from 0 up, or one for each output; where it is 0 the error counts as 0, as in
            Keras.
        name: The metric's name in the results.

    >>> MeanRelativeError(normalizer=2.0).of(Inputs.of([1.0, 3.0], [2.0, 3.0]))
    0.25
    """

    normalizer: float | Sequence[float]
    name: str = "mean_relative_error"

    def __post_init__(self) -> None:
        object.__setattr__(self, "normalizer", not_negative("normalizer", self.normalizer))

    def __call__(self, inputs: Inputs) -> Array:
        distance = np.abs(error(inputs))
        of = numbers_per_column("normalizer", cast("tuple[float, ...]", self.normalizer), distance)
        inverse = np.divide(1.0, of, out=np.zeros_like(of), where=of != 0)
        return np.asarray(distance * inverse)


@dataclasses.dataclass(frozen=True)
class BinaryFocalCrossentropy(PerRowMean):
    """Mean of the binary cross-entropy times (1 - q)^gamma, where q is the probability of the label.

    From 0 (best) up; gamma = 0 is the cross-entropy itself. NaN without weight, and where a prediction is
    missing.

    Attributes:
        apply_class_balancing: Whether positives weigh alpha and negatives 1 - alpha.
        alpha: The weight of positives, from 0 to 1.
        gamma: How much less rows count that are right already, from 0 up; 0 is not at all.
        from_logits: Whether predictions are log-odds and not probabilities.
        label_smoothing: The share of each label that is replaced by 1/2, from 0 to 1.
        name: The metric's name in the results.

    >>> round(BinaryFocalCrossentropy(gamma=0.0).of(Inputs.of([1, 0], [0.8, 0.4])), 6)
    0.366985
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    name: str = "binary_focal_crossentropy"

    def __post_init__(self) -> None:
        check_share("alpha", self.alpha)
        check_share("label_smoothing", self.label_smoothing)
        not_negative("gamma", self.gamma)

    def __call__(self, inputs: Inputs) -> Array:
        entropy = BinaryEntropy(self.from_logits, self.label_smoothing)(inputs)
        labels, p = pairs(inputs)
        labels = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        with np.errstate(over="ignore"):
            p = 1 / (1 + np.exp(-p)) if self.from_logits else p
        focal = (labels * (1 - p) + (1 - labels) * p) ** self.gamma * entropy
        balance = labels * self.alpha + (1 - labels) * (1 - self.alpha)
        return np.asarray(focal * balance if self.apply_class_balancing else focal)


def _register_all() -> None:
    for loss in (
        BinaryFocalCrossentropy,
        Hinge,
        Huber,
        LogCosh,
        LogCoshError,
        MeanRelativeError,
        SquaredHinge,
    ):
        register(loss.__name__, loss, About.of(loss, LOWER, 0))


_register_all()
register("Poisson", Poisson, About.of(Poisson, LOWER))
