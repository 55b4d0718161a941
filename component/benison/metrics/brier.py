# SPDX-License-Identifier: Apache-2.0
"""The Brier score of probabilities, and the terms that it is the sum of.

    Brier score = reliability - resolution + uncertainty + within buckets

Rows are put into buckets of the prediction, as for ExpectedCalibrationError. In formulas W is the weight of a
slice; of bucket k w_k is the weight, p_k the mean prediction and o_k the share of positives; o is that of the
slice. The first three terms are Murphy's and sum up to the score of forecasts that take one value in each
bucket; the last one is what varies within buckets, so that the sum is exact for any predictions.

A label of 0.3 counts as 0.3 of a positive and 0.7 of a negative row.

Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950;
Murphy, "A new vector partition of the probability score", Journal of Applied Meteorology 12, 1973;
Stephenson, Coelho and Jolliffe, "Two extra components in the Brier score decomposition", Weather and
Forecasting 23, 2008.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.calibration_error import bucket_sums
from benison.metrics.confusion import matrix_of, snake_case
from benison.metrics.pairing import EXCESSES, check_probabilities
from benison.metrics.parameters import check_count
from benison.metrics.plots import MOST_POINTS, BucketSums
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.binary import LabelCells, check_binary
from benison.metrics.statistics.cells import Cells
from benison.metrics.statistics.sums import Arrays, Mean


def squared_distance(inputs: Inputs) -> Array:
    """The squared distance y (1 - p)^2 + (1 - y) p^2 of a prediction from what happens: float64[N].

    Raises:
        DataError: Rows have several labels or predictions, or a label lies outside [0, 1].
    """
    check_binary(inputs)
    y, p = inputs.labels, inputs.predictions
    return np.asarray(y * np.square(1 - p) + (1 - y) * np.square(p))


@dataclasses.dataclass(frozen=True)
class BrierScore(Metric):
    """Mean squared distance of probabilities from what happened, 1 or 0; from 0 (best) to 1.

        sum w (y (1 - p)^2 + (1 - y) p^2) / sum w

    Of labels that are 0 or 1 it is the mean squared error. BrierDecomposition says what it consists of. NaN
    without weight, and where a prediction is missing; scores outside of [0, 1] are refused.

    >>> round(BrierScore().of(Inputs.of([1, 0], [0.8, 0.4])), 6)
    0.1
    """

    name: str = "brier_score"
    accepts = frozenset({"binary"})

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return Mean(squared_distance), EXCESSES

    def check(self, mean: Arrays, excesses: Array) -> None:
        check_probabilities(self.name, excesses, "MeanSquaredError")

    def result(self, mean: Arrays, excesses: Array) -> Array:
        return ratio(*mean)


@dataclasses.dataclass(frozen=True)
class BrierUncertainty(Metric):
    """Variance of the labels, the Brier score of who always says the share of positives; from 0 to 0.25.

        o (1 - o)

    It is a trait of the data that no model changes. NaN without weight.

    >>> BrierUncertainty().of(Inputs.of([1, 0], [0.8, 0.4]))
    0.25
    """

    name: str = "brier_uncertainty"
    accepts = frozenset({"binary"})
    needs_prediction = False

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (LabelCells((0.5,)),)

    def result(self, cells: Cells) -> Array:
        m = matrix_of(cells)
        share = ratio(m.tp + m.fn, m.total)[:, 0]
        return np.asarray(share * (1 - share))


@dataclasses.dataclass(frozen=True)
class Buckets:
    """The buckets of S slices, B of each, all float64[S, B]; a slice with a missing prediction is NaN.

    Attributes:
        share: The share of the slice's weight that is in each.
        positive: The share of positives in each; 0 in one without rows.
        predicted: The mean prediction in each; 0 in one without rows.
        score: The Brier score of each slice, float64[S].
    """

    share: Array
    positive: Array
    predicted: Array
    score: Array

    @classmethod
    def of(cls, cells: Cells, distance: Arrays) -> Buckets:
        """From the states of `BucketSums` and of the mean of `squared_distance`.

        Args:
            cells: Sums in buckets of [0, 1].
            distance: The two sums of the mean.
        """
        labels, predictions, weights = np.moveaxis(bucket_sums(cells), 2, 0)
        share = ratio(weights, weights.sum(axis=1, keepdims=True))
        positive, predicted = (
            np.where(weights == 0, 0.0, ratio(sums, weights)) for sums in (labels, predictions)
        )
        return cls(share, positive, predicted, ratio(*distance))

    @property
    def reliability(self) -> Array:
        """The weighted mean of (p_k - o_k)^2: float64[S]."""
        return self._mean(np.square(self.predicted - self.positive))

    @property
    def resolution(self) -> Array:
        """The weighted mean of (o_k - o)^2: float64[S]."""
        return self._mean(np.square(self.positive - self._mean(self.positive)[:, None]))

    @property
    def within(self) -> Array:
        """The rest of the score: float64[S]."""
        positive = self._mean(self.positive)
        return self.score - self.reliability + self.resolution - positive * (1 - positive)

    def _mean(self, values: Array) -> Array:
        return np.asarray((self.share * values).sum(axis=1))


TERMS: dict[str, tuple[Callable[[Buckets], Array], About]] = {
    "BrierReliability": (
        lambda b: b.reliability,
        About(
            "Mean squared distance of predicted and actual share of positives over buckets.",
            LOWER, 0, 1, "sum w_k (p_k - o_k)^2 / W",
        ),
    ),
    "BrierResolution": (
        lambda b: b.resolution,
        About(
            "How far the shares of positives of buckets lie from that of all, squared.",
            HIGHER, 0, 0.25, "sum w_k (o_k - o)^2 / W",
        ),
    ),
    "BrierWithinBuckets": (
        lambda b: b.within,
        About(
            "The part of the Brier score that varies within buckets.",
            LOWER, -1, 1, "sum w (p - p_k)^2 / W - 2 sum w (y - o_k) (p - p_k) / W",
        ),
    ),
}  # fmt: skip
"""The terms that depend on buckets, by `class_name`."""


@dataclasses.dataclass(frozen=True)
class BrierTerm(Metric):
    """A line of `TERMS`; NaN without weight, and where a prediction is missing.

    Attributes:
        term: The key of the line in `TERMS`.
        name: The metric's name in the results.
        num_buckets: How many buckets there are, which divide [0, 1] evenly; 1 is in the last one.

    >>> round(BrierTerm("BrierReliability", "reliability").of(Inputs.of([1, 0], [0.8, 0.4])), 6)
    0.1
    """

    term: str
    name: str
    num_buckets: int = 10
    accepts = frozenset({"binary"})

    def __post_init__(self) -> None:
        check_count("num_buckets", self.num_buckets, MOST_POINTS, least=1)

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return BucketSums(self.num_buckets, 0.0, 1.0), Mean(squared_distance), EXCESSES

    def check(self, cells: Cells, distance: Arrays, excesses: Array) -> None:
        check_probabilities(self.name, excesses, "MeanSquaredError")

    def result(self, cells: Cells, distance: Arrays, excesses: Array) -> Array:
        return TERMS[self.term][0](Buckets.of(cells, distance))


def _term(
    term: str, default_name: str, /, name: str | None = None, num_buckets: int = 10
) -> BrierTerm:
    return BrierTerm(term, name or default_name, num_buckets)


def _register_terms() -> None:
    for class_name, (_, about) in TERMS.items():
        register(class_name, partial(_term, class_name, snake_case(class_name)), about)


_register_terms()
register("BrierScore", BrierScore, About.of(BrierScore, LOWER, 0, 1))
register("BrierUncertainty", BrierUncertainty, About.of(BrierUncertainty, None, 0, 0.25))
