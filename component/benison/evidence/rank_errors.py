# SPDX-License-Identifier: Apache-2.0
"""The error of correlations of ranks, and of the difference of two on the same rows.

A row contributes by its own ranks, and by what it adds to those of all others. Contributions are bounded,
so that a sample of the rows of a slice, which is all of 4,096 or fewer, shows how all of them vary; and ranks
within the sample are near those within the slice.

Croux and Dehon, "Influence functions of the Spearman and Kendall correlation measures", Statistical Methods &
Applications 19, 2010; with ties, of the quotients by the delta method.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from benison.data.batch import Array, Index, Inputs, Mask
from benison.evidence.correlation_spread import Correlation
from benison.evidence.estimators import Estimator
from benison.evidence.paired_spread import Paired
from benison.evidence.score_samples import Drawn, DrawnRows, SampledPairs, ScoreSample
from benison.evidence.spread import Student
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.rank_correlation import KendallTau, RankAxis, SpearmanCorrelation
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.dominance import dominated
from benison.metrics.statistics.equal_runs import running, starts, sums_of_runs, sums_of_slices
from benison.slicing.codes import SliceCodes

_FEWEST = 5
"""Fewer rows say nothing of the error."""
_NOISE = 1e-13
_OWN, _OTHER, _WEIGHT, _LABEL = range(4)


@dataclasses.dataclass(frozen=True)
class PairedRows(SampledPairs):
    """A sample of the labels and predictions of one model or of two."""

    interval_of = "a rank correlation"

    def add(self, inputs: Inputs, codes: SliceCodes) -> ScoreSample:
        inputs, codes = heavy(inputs, codes)
        numbers = (*self.numbers_of(inputs), inputs.labels)
        sides = np.zeros(len(inputs), np.int64)  # all are of one class
        rows = DrawnRows(codes, sides, self.drawn_by(inputs), numbers)
        counts = np.stack([codes.count(), np.zeros_like(codes.count())], axis=1)
        return ScoreSample(counts.ravel(), (), (rows,))


@dataclasses.dataclass(frozen=True)
class RankedRows:
    """Rows in S slices with the ranks of their labels x and predictions y; arrays are float64[M].

    Attributes:
        size: S.
        slices: The slice of each row, ascending.
        shares: Its share of the weight of its slice.
    """

    size: int
    slices: Index
    shares: Array
    x: RankAxis
    y: RankAxis

    @classmethod
    def of(cls, drawn: Drawn, model: int, size: int) -> RankedRows:
        """Of a sample, for one of the models."""
        slices, weights = drawn.keys >> 1, drawn.numbers[:, _WEIGHT]
        total = np.bincount(slices, weights, minlength=size)
        shares, none = weights / total[slices], np.zeros(size, np.bool_)
        axes = (
            RankAxis.of(slices, drawn.numbers[:, column] + 0.0, shares, none)
            for column in (_LABEL, model)
        )
        return cls(size, slices, shares, *axes)

    def means(self, values: Array) -> Array:
        """The weighted mean of each slice, for each of its rows."""
        return np.asarray(np.bincount(self.slices, self.shares * values, self.size)[self.slices])

    def ranks_moved(self, axis: RankAxis, values: Array) -> Array:
        """What each row adds to the mean of ranks times values: half of those above it less half below."""
        of_runs = sums_of_runs((self.shares * values)[axis.order], axis.first)
        up_to = running(of_runs, starts(axis.slices))
        total = sums_of_slices(axis.slices, of_runs, self.size)[axis.slices]
        above, below = total - up_to, up_to - of_runs
        return axis.of_pairs((above - below) / 2)

    def unequal(self, axis: RankAxis) -> Array:
        """The weight of the rows whose value is another."""
        return axis.of_pairs(1 - axis.shares)


def _spearman(rows: RankedRows) -> Array:
    """What each row contributes to Spearman's correlation, of a mean of 0."""
    x, y = (axis.of_pairs(axis.ranks) for axis in (rows.x, rows.y))
    products = x * y + rows.ranks_moved(rows.x, y) + rows.ranks_moved(rows.y, x)
    x_squares = x**2 + 2 * rows.ranks_moved(rows.x, x)
    y_squares = y**2 + 2 * rows.ranks_moved(rows.y, y)
    parts = [rows.means(of) for of in (x * y, x**2, y**2)]
    return _of_quotient((products, x_squares, y_squares), parts, rows)


def _kendall(rows: RankedRows) -> Array:
    """What each row contributes to Kendall's tau-b, of a mean of 0."""
    agreeing = _concordance(rows)
    unequal = rows.unequal(rows.x), rows.unequal(rows.y)
    parts = [rows.means(of) for of in (agreeing, *unequal)]
    return _of_quotient((2 * agreeing, 2 * unequal[0], 2 * unequal[1]), parts, rows)


def _of_quotient(
    contributions: tuple[Array, Array, Array], parts: list[Array], rows: RankedRows
) -> Array:
    """Contributions to a / sqrt(b c), from those to a, b and c, but for constants."""
    a, b, c = (of - rows.means(of) for of in contributions)
    whole, root = parts[0], np.sqrt(parts[1] * parts[2])
    return np.asarray(a / root - whole / root * (b / parts[1] + c / parts[2]) / 2)


def _concordance(rows: RankedRows) -> Array:
    """The weight of the rows in the same order as each row, less that of those in the opposite order."""
    at = rows.x.order
    slices, shares = rows.slices[at], rows.shares[at]
    x, y = rows.x.in_order(rows.x.places), rows.y.of_pairs(rows.y.places)[at]
    below_both = dominated(slices, x, y, shares)
    below_x_above_y = dominated(slices, x, _turned(y), shares)
    back = slice(None, None, -1)
    mirrored = slices.max(initial=0) - slices[back]
    above_both = dominated(mirrored, _turned(x)[back], _turned(y)[back], shares[back])[back]
    above_x_below_y = dominated(mirrored, _turned(x)[back], y[back], shares[back])[back]
    agreeing = np.empty(len(shares))
    agreeing[at] = below_both + above_both - below_x_above_y - above_x_below_y
    return agreeing


def _turned(places: Index) -> Index:
    """The same numbers from the other end."""
    return np.asarray(places.max(initial=0) - places)


_INFLUENCES: dict[type[Metric], Callable[[RankedRows], Array]] = {
    SpearmanCorrelation: _spearman,
    KendallTau: _kendall,
}


@dataclasses.dataclass(frozen=True)
class RanksEstimator(Estimator):
    """A correlation of the ranks of labels and predictions."""

    metric: Metric
    paired: bool

    name = "ranks"

    @classmethod
    def fits(cls, metric: Metric) -> bool:
        """Whether it is such a metric."""
        return type(metric) in _INFLUENCES

    @property
    def needs_row_numbers(self) -> bool:
        return True

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (PairedRows(self.paired),)

    def alone(self) -> tuple[Statistic[Any], ...]:
        return self.metric.statistics()

    def spread(self, *states: Any) -> Correlation:
        sample = states[0].compact
        own = self._contributions(sample, _OWN)
        return Correlation(*self._tested(self._value(states[1]), own, sample))

    def compared(self, *states: Any) -> Paired:
        sample = states[0].compact
        values = [self._value(state) for state in states[1:]]
        parts = [self._contributions(sample, model) for model in (_OWN, _OTHER)]
        own, other = (
            Correlation(*self._tested(value, part, sample))
            for value, part in zip(values, parts, strict=True)
        )
        change = Student(*self._tested(values[0] - values[1], parts[0] - parts[1], sample))
        return Paired(own, other, change, _covariance(sample, *parts), same=_alike(sample))

    def _value(self, state: Any) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.metric.result(state), np.float64)

    def _contributions(self, sample: ScoreSample, model: int) -> Array:
        """What each row of the sample contributes, per share of the weight: float64[M]."""
        drawn, size = sample.sample, len(sample.rows) // 2
        with np.errstate(all="ignore"):
            contributed = _INFLUENCES[type(self.metric)](RankedRows.of(drawn, model, size))
        missing = np.bincount(drawn.keys >> 1, np.isnan(drawn.numbers[:, model]), size) > 0
        return np.where(missing[drawn.keys >> 1], np.nan, contributed)

    def _tested(
        self, value: Array, contributed: Array, sample: ScoreSample
    ) -> tuple[Array, Array, Array]:
        """Values with their errors and degrees of freedom."""
        rows = sample.rows[::2]
        with np.errstate(all="ignore"):
            error = np.sqrt(np.maximum(_covariance(sample, contributed, contributed), 0.0))
        error = np.where(error <= _NOISE, 0.0, error)
        unknown = (rows < _FEWEST) | np.isnan(value)
        degrees = np.where(unknown, 0.0, _effective(sample) - 1)
        return value, np.where(unknown, np.nan, error), degrees


def _covariance(sample: ScoreSample, own: Array, other: Array) -> Array:
    """Of two values that the rows of the sample contribute to: float64[S]."""
    count, total, _ = _sums(sample)
    slices, weights = sample.sample.keys >> 1, sample.sample.numbers[:, _WEIGHT]
    products = np.bincount(slices, weights**2 * own * other, minlength=len(count))
    # The variance of the mean of a sample of k rows is that of all n, but for k / n.
    scale = ratio(count, count - 1) * ratio(count, sample.rows[::2] * total**2)
    return np.asarray(scale * products)


def _effective(sample: ScoreSample) -> Array:
    """How many rows of one weight say as much: float64[S]."""
    count, total, squares = _sums(sample)
    return np.asarray(ratio(sample.rows[::2] * total**2, count * squares))


def _sums(sample: ScoreSample) -> tuple[Array, Array, Array]:
    """Rows, weights and squares of weights of the sample: float64[S] each."""
    slices, weights = sample.sample.keys >> 1, sample.sample.numbers[:, _WEIGHT]
    size = len(sample.rows) // 2
    count, total, squares = (
        np.bincount(slices, of, minlength=size).astype(np.float64)
        for of in (None, weights, weights**2)
    )
    return count, total, squares


def _alike(sample: ScoreSample) -> Mask:
    """Where both models predict the same in all rows of a slice, which is known of samples of all rows."""
    drawn, size = sample.sample, len(sample.rows) // 2
    apart = drawn.numbers[:, _OWN] != drawn.numbers[:, _OTHER]
    counts = np.bincount(drawn.keys >> 1, minlength=size)
    differing = np.bincount(drawn.keys >> 1, apart, size)
    return np.asarray((differing == 0) & (counts == sample.rows[::2]))
