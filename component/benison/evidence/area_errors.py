# SPDX-License-Identifier: Apache-2.0
"""The error of the area under the ROC curve, and of the difference of two on the same rows.

A row's placement is the share of the rows of the other class that it is ranked rightly against. The area is
the mean placement of the positives, and that of the negatives; its variance is that of the one mean plus that
of the other.

DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
characteristic curves", Biometrics 44, 1988.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.evidence.correlation_spread import Correlation
from benison.evidence.estimators import Estimator
from benison.evidence.paired_spread import Paired
from benison.evidence.score_samples import Drawn, PairedScores, ScoreSample
from benison.evidence.spread import Spread, Student
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.statistics.binary import Weights
from benison.metrics.statistics.equal_runs import starts
from benison.metrics.statistics.ranks import Ranks
from benison.metrics.statistics.shares_below import shares_below

_FEWEST = 5
"""Fewer rows of a class say nothing of the error."""
_NOISE = 1e-13
"""The error of an area that rounding leaves where all placements are alike."""


class ClassMoments(NamedTuple):
    """Of S slices and both classes, [2 S]: variances of the two models' means, and their covariance."""

    own: Array
    other: Array
    crossed: Array
    effective: Array


@dataclasses.dataclass(frozen=True)
class AreaEstimator(Estimator):
    """A metric that is the area under the ROC curve, or rises evenly with it."""

    metric: Metric
    paired: bool

    name = "delong"

    @classmethod
    def fits(cls, metric: Metric) -> bool:
        """Whether it is such a metric."""
        return metric.slope_of_area != 0

    @property
    def needs_row_numbers(self) -> bool:
        return True

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (PairedScores(self.paired),)

    def alone(self) -> tuple[Statistic[Any], ...]:
        return self.metric.statistics()

    def spread(self, *states: Any) -> Spread:
        sample, ranks = states[0].compact, states[1]
        moments = _moments(sample, ranks, None)
        return self._on_logits(self._tested(self._value(ranks), moments.own, moments, sample))

    def compared(self, *states: Any) -> Paired:
        sample, own, other = states[0].compact, states[1], states[2]
        moments = _moments(sample, own, other)
        values = self._value(own), self._value(other)
        own_spread, other_spread = (
            self._on_logits(self._tested(value, variance, moments, sample))
            for value, variance in zip(values, moments[:2], strict=True)
        )
        variance = moments.own + moments.other - 2 * moments.crossed
        noise = 1e-14 * (moments.own + moments.other)
        variance = np.where(variance <= noise, 0.0, variance)
        change = self._tested(values[0] - values[1], variance, moments, sample)
        covariance = self.metric.slope_of_area**2 * _of_slices(moments.crossed).sum(axis=1)
        covariance = np.where(np.isnan(change.error), np.nan, covariance)
        return Paired(own_spread, other_spread, change, covariance)

    def _value(self, ranks: Ranks) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.metric.result(ranks), np.float64)

    def _on_logits(self, spread: Student) -> Correlation:
        """Values near 1 vary to the other side alone: their logits do so evenly.

        Pepe, "The statistical evaluation of medical tests for classification and prediction", 2003, section
        5.2.
        """
        low = 1 - self.metric.slope_of_area
        return Correlation(spread.measured, spread.error, spread.degrees, spread.label, low)

    def _tested(
        self, value: Array, variance: Array, moments: ClassMoments, sample: ScoreSample
    ) -> Student:
        with np.errstate(all="ignore"):
            error = np.sqrt(_of_slices(variance).sum(axis=1))
            error = np.where(error <= _NOISE, 0.0, error) * np.abs(self.metric.slope_of_area)
        unknown = (_of_slices(sample.rows).min(axis=1) < _FEWEST) | np.isnan(value)
        degrees = np.where(unknown, 0.0, _of_slices(moments.effective).min(axis=1) - 1)
        return Student(value, np.where(unknown, np.nan, error), degrees, "delong")


def _of_slices(of_classes: Any) -> Array:
    """Numbers of the keys `2 * slice + class` as [S, 2]."""
    return np.asarray(of_classes).reshape(-1, 2)


def _moments(sample: ScoreSample, own: Ranks, other: Ranks | None) -> ClassMoments:
    drawn, keys = sample.sample, len(sample.rows)
    weights = drawn.numbers[:, 2]
    with np.errstate(all="ignore"):
        z = _influences(drawn, placements(drawn, 0, own), keys)
        y = z if other is None else _influences(drawn, placements(drawn, 1, other), keys)
    count = np.bincount(drawn.keys, minlength=keys).astype(np.float64)
    total = np.bincount(drawn.keys, weights, minlength=keys)
    squares = np.bincount(drawn.keys, weights**2, minlength=keys)
    # The variance of the mean of a sample of k rows is that of all n, but for k / n.
    scale = ratio(count, count - 1) * ratio(count, sample.rows * total**2)

    def product(a: Array, b: Array) -> Array:
        return np.asarray(scale * np.bincount(drawn.keys, a * b, minlength=keys))

    effective = ratio(sample.rows * total**2, count * squares)
    single = product(z, z)
    if other is None:
        return ClassMoments(single, single, single, effective)
    return ClassMoments(single, product(y, y), product(z, y), effective)


def _influences(drawn: Drawn, placed: Array, keys: int) -> Array:
    """The weighted distance of each row's placement from the mean of its class: float64[M]."""
    weights = drawn.numbers[:, 2]
    sums = np.bincount(drawn.keys, weights * placed, minlength=keys)
    mean = ratio(sums, np.bincount(drawn.keys, weights, minlength=keys))
    return np.asarray(weights * (placed - mean[drawn.keys]))


def placements(drawn: Drawn, model: int, ranks: Ranks) -> Array:
    """The weighted share of the other class's rows that each row is above, ties by half: float64[M].

    For negatives it is the share that is below as for positives, which has the same variance. NaN where the
    row's score is missing.

    Args:
        drawn: Rows in slices, ascending by slice.
        model: The column of their scores.
        ranks: The weights of both classes by score, of all rows of these slices.
    """
    slices, scores = drawn.keys >> 1, drawn.numbers[:, model]
    known, ranks = ~np.isnan(scores), ranks.compact
    placed = np.full(len(scores), np.nan)
    rows = np.searchsorted(slices, np.arange(ranks.size + 1))
    for sums in _score_sums(ranks):  # those of some slices at a time, which stay in the cache
        for i, start, stop in sums.ranges():
            own = slice(rows[i], rows[i + 1])
            placed[own] = sums.shares(slice(start, stop), scores[own], drawn.keys[own] & 1 == 1)
    placed[~known] = np.nan
    row_of = np.full(ranks.size, -1)
    row_of[ranks.pooled.slices] = np.arange(len(ranks.pooled.slices))
    in_bins = (row_of[slices] >= 0) & known
    if in_bins.all():
        return shares_below(ranks.pooled, row_of[slices], scores, 1 - (drawn.keys & 1))
    if in_bins.any():
        of_bins = row_of[slices[in_bins]], scores[in_bins], 1 - (drawn.keys[in_bins] & 1)
        placed[in_bins] = shares_below(ranks.pooled, *of_bins)
    return placed


class ScoreSums(NamedTuple):
    """Scores of some slices, whole ones, ascending, and sums of weights below each of them."""

    slices: Index
    values: Array
    below: tuple[Array, Array]
    """Of negatives and positives, float64[n + 1]."""

    def ranges(self) -> Iterator[tuple[int, int, int]]:
        """Each slice with where its entries start and stop."""
        begin = starts(self.slices)
        stops = [*begin[1:].tolist(), len(self.slices)]
        yield from zip(self.slices[begin].tolist(), begin.tolist(), stops, strict=True)

    def shares(self, there: slice, values: Array, is_positive: Mask) -> Array:
        """The share of the other class in a slice that is below values, ties by half."""
        known = self.values[there]
        left, right = (
            there.start + np.searchsorted(known, values, side) for side in ("left", "right")
        )
        below = [(x[left] + x[right]) / 2 - x[there.start] for x in self.below]
        totals = [x[there.stop] - x[there.start] for x in self.below]
        return np.where(is_positive, *(ratio(b, t) for b, t in zip(below, totals, strict=True)))


def _score_sums(ranks: Ranks) -> Iterator[ScoreSums]:
    for block in ranks.exact.blocks(ranks.size):
        yield ScoreSums(block.weights.slices, block.scores, _sums_below(block.weights))


def _sums_below(weights: Weights) -> tuple[Array, Array]:
    negatives, positives = (
        np.append(0.0, np.cumsum(np.nan_to_num(w))) for w in (weights.negatives, weights.positives)
    )
    return negatives, positives
