# SPDX-License-Identifier: Apache-2.0
"""Correlations of the ranks of labels and predictions, which no monotone change of either moves.

In formulas x is the label, y the prediction, and sums run over the rows of a slice. A weight counts as that
many equal rows. Slices with more than 4,096 distinct pairs of x and y have both in bins of the scale of
scores, and what lies in a bin counts as equal there; a value then carries as its resolution how far any order
inside the bins could move it.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index, Inputs, Mask  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Metric, ratio
from benison.metrics.pairing import label, prediction
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.dominance import concordance
from benison.metrics.statistics.equal_runs import (
    changes,
    running,
    starts,
    sums_by_run,
    sums_of_runs,
    sums_of_slices,
)
from benison.metrics.statistics.joint_counts import JointCounts, JointRanks, WeighedPairs
from benison.metrics.statistics.kept import kept
from benison.metrics.statistics.orders import order_of
from benison.metrics.statistics.scale import BIN_BITS, holds_equal_scores

_SHORT = 8  # pairs in a run, on average, are summed up by their number
_TOGETHER = 2**17  # pairs of slices that are looked at together, unless one slice has more


@dataclasses.dataclass(frozen=True)
class RankAxis:
    """The R runs of equal values of one of the two variables, ascending in each slice.

    Attributes:
        slices: The slice of each run, int64[R].
        shares: The share of the slice's weight, float64[R].
        unknown: The same, and 0 where all values of the run are known to be equal.
        ranks: Its mean rank as a share of the slice's weight, from -1/2 to 1/2, float64[R].
        order: The pairs, ascending by slice and value, int64[n]; all as they are where they are so.
        first: Where in this order each run begins, int64[R].
        runs: The number of the run of each pair, in this order, int64[n].
    """

    slices: Index
    shares: Array
    unknown: Array
    ranks: Array
    order: Index | slice
    first: Index
    runs: Index

    @classmethod
    def of(
        cls,
        slices: Index,
        values: Array,
        shares: Array,
        pooled: Mask,
        order: Index | slice | None = None,
    ) -> RankAxis:
        """Of the values of each pair, float64[n].

        Args:
            slices: The slice of each pair, ascending.
            values: Its value, or the bin of that.
            shares: Its share of the weight of its slice.
            pooled: Which slices have bins, bool[S].
            order: The order of the pairs, where it is known.
        """
        if order is None:
            order = _ascending(slices, values, bool(pooled.all()))
            slices, values = slices[order], values[order]
        fresh = changes(slices, values)
        first, runs = np.flatnonzero(fresh), np.cumsum(fresh) - 1
        of_runs = sums_of_runs(shares[order], first)
        slices, values = slices[first], values[first]
        in_bins = pooled[slices]
        equal = ~in_bins | holds_equal_scores(np.where(in_bins, values, 0).astype(np.int64))
        ranks = running(of_runs, starts(slices)) - of_runs / 2 - 0.5
        return cls(slices, of_runs, np.where(equal, 0.0, of_runs), ranks, order, first, runs)

    def of_pairs(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The number of each run, [R], for each of its pairs: [n]."""
        return np.asarray(values[self.runs_of_pairs])

    @cached_property
    def runs_of_pairs(self) -> Index:
        """The number of the run of each pair, int64[n]."""
        runs = np.empty_like(self.runs)
        runs[self.order] = self.runs
        return runs

    def in_order(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The same, ascending by slice and value."""
        return np.asarray(values[self.runs])

    @cached_property
    def spread(self) -> Array:
        """The most that unknown ranks within a run vary by, s^2 / 12 of the share s: float64[R]."""
        return np.asarray(self.unknown**2 / 12)

    @cached_property
    def begin(self) -> Index:
        """The first run of each slice that has any."""
        return starts(self.slices)

    @cached_property
    def lengths(self) -> Index:
        """How many runs these have."""
        return np.diff(self.begin, append=len(self.slices))

    @cached_property
    def places(self) -> Index:
        """The number of each run among those of its slice, from 0: int64[R]."""
        return np.arange(len(self.slices)) - np.repeat(self.begin, self.lengths)

    def sums(self, values: Array) -> Array:
        """The sum of each run of float64[n], which are in its order: float64[R]."""
        short = _SHORT * len(self.first) > len(values)
        return sums_by_run(values, self.runs) if short else sums_of_runs(values, self.first)


@dataclasses.dataclass(frozen=True)
class RankedPairs:
    """The pairs of S slices, with the ranks of both of their values.

    A slice in which a value is missing has shares of 0 here, and no value.

    Attributes:
        pairs: The pairs, ascending by slice, x and y.
        pooled: Which slices have bins in place of values, bool[S].
        total: The weight of each slice, float64[S]; NaN where a value is missing.
        shares: Each pair's share of it, float64[n].
    """

    pairs: WeighedPairs
    pooled: Mask
    total: Array
    shares: Array

    @cached_property
    def x(self) -> RankAxis:
        """The labels."""
        pairs, ascending = self.pairs, slice(None)
        return RankAxis.of(pairs.slices, pairs.x, self.shares, self.pooled, ascending)

    @cached_property
    def y(self) -> RankAxis:
        """The predictions."""
        return RankAxis.of(self.pairs.slices, self.pairs.y, self.shares, self.pooled)

    @cached_property
    def along_y(self) -> tuple[Array, Index]:
        """The share and the run of the label of each pair, ascending by slice and prediction."""
        return self.shares[self.y.order], self.x.runs_of_pairs[self.y.order]

    def along(self, axis: RankAxis) -> tuple[Array, Index]:
        """The share and the other value's run of each pair, in the order of one of the two."""
        return self.along_y if axis is self.y else (self.shares, self.y.runs_of_pairs)

    def sums(self, values: Array, axis: RankAxis) -> Array:
        """The sum of float64[R] over the runs of each slice: float64[S]."""
        return sums_of_slices(axis.slices, values, len(self.total), axis.begin)

    @cached_property
    def runs(self) -> tuple[Index, Index]:
        """How many different values, or bins, labels and predictions have: int64[S] each."""
        x, y = (np.bincount(of.slices, minlength=len(self.total)) for of in (self.x, self.y))
        return x, y

    @cached_property
    def both_vary(self) -> Mask:
        """Whether both have several of them in a slice, and none is missing: bool[S]."""
        return np.asarray((np.minimum(*self.runs) > 1) & ~np.isnan(self.total))

    @cached_property
    def crowded(self) -> Mask:
        """Whether all values of one of the two are in one bin, and not known to be equal: bool[S]."""
        axes = zip((self.x, self.y), self.runs, strict=True)
        x, y = ((runs > 1) | (self.sums(axis.unknown, axis) > 0) for axis, runs in axes)
        return np.asarray(x & y & ~self.both_vary & ~np.isnan(self.total))

    def concordant(self) -> Array:
        """The share of the pairs of rows in which both values are in the same order: float64[S].

        Each pair counts in one of its two orders, so that a slice without ties and without discordant pairs
        has nearly a half. A binary label, on whichever side, makes this one pass over the pairs.
        """
        few, many = sorted((self.x, self.y), key=lambda axis: int(axis.lengths.max(initial=0)))
        # The values that are few have few bits, and a pass is made for each bit.
        shares, runs = self.along(many)
        places = few.places[runs]
        return concordance(self.pairs.slices, many.runs, places, shares, len(self.total))


@kept
def ranked_pairs(counts: JointCounts) -> list[tuple[slice, RankedPairs]]:
    """The pairs with their ranks, which both correlations are read from, of some slices at a time.

    They are made once for a state, and of so few slices that they stay in the processor's cache.
    """
    compact, size = counts.compact, counts.size
    ends = np.searchsorted(compact.pairs.slices, np.arange(1, size + 1))
    untils = np.flatnonzero(np.diff(ends // _TOGETHER, append=-1)) + 1
    blocks, first, start = [], 0, 0
    for until, end in zip(untils.tolist(), ends[untils - 1].tolist(), strict=True):
        pairs = compact.pairs.between(start, end, first)
        blocks.append((slice(first, until), _ranked(pairs, compact.pooled[first:until])))
        first, start = until, end
    return blocks


def _ranked(pairs: WeighedPairs, pooled: Mask) -> RankedPairs:
    total = sums_of_slices(pairs.slices, pairs.weights, len(pooled))
    shares = ratio(pairs.weights, total[pairs.slices])
    return RankedPairs(pairs, pooled, total, np.nan_to_num(shares))


@dataclasses.dataclass(frozen=True)
class Between:
    """A quotient of which both parts are known within bounds, each float64[S].

    Attributes:
        numerator: What it is on the bins.
        error: How far it may be from that, up or down.
        denominator: What it is on the bins, which is the least that it can be.
        largest: The most that it can be.
    """

    numerator: Array
    error: Array
    denominator: Array
    largest: Array

    @property
    def value(self) -> Array:
        """The quotient on the bins, from -1 to 1."""
        return np.asarray(np.clip(ratio(self.numerator, self.denominator), -1, 1))

    @property
    def resolution(self) -> Array:
        """How far it may be from that; 0 where it is undefined."""
        ends = [
            np.clip(ratio(self.numerator + sign * self.error, by), -1, 1)
            for sign in (-1, 1)
            for by in (self.denominator, self.largest)
        ]
        return np.asarray(np.nan_to_num(np.abs(np.array(ends) - self.value).max(axis=0)))


def _ascending(slices: Index, values: Array, in_bins: bool) -> Index:
    """The indices that put pairs in the order of their slice and value: int64[n]."""
    if in_bins:  # which are whole numbers
        return order_of((slices << BIN_BITS) + values.astype(np.int64), "stable")
    return np.lexsort((values, slices))


class RankCorrelation(Metric):
    """A correlation of the ranks of labels and predictions, from -1 to 1; subclasses give `between`.

    NaN for a slice in which the labels or the predictions are all equal, or one is missing. NaN too where all
    values of one of the two are in one bin of the scale, which does not tell whether they are equal; then the
    resolution is NaN as well.
    """

    accepts = frozenset({"real", "binary"})

    def statistics(self) -> tuple[JointRanks]:
        return (JointRanks(label, prediction),)

    def between(self, ranked: RankedPairs) -> Between:
        """The correlation of each slice."""
        raise NotImplementedError

    def result(self, counts: JointCounts) -> Array:
        return self.result_and_resolution(counts)[0]

    def resolution(self, counts: JointCounts) -> Array:
        return self.result_and_resolution(counts)[1]

    def result_and_resolution(self, counts: JointCounts) -> tuple[Array, Array]:
        values, resolutions = np.full(counts.size, np.nan), np.zeros(counts.size)
        for slices, ranked in ranked_pairs(counts):
            between = self.between(ranked)
            value = np.where(ranked.both_vary, between.value, np.nan)
            rough = ranked.pooled & ~np.isnan(value)
            resolution = np.where(rough, between.resolution, 0.0)
            values[slices] = value
            resolutions[slices] = np.where(ranked.crowded, np.nan, resolution)
        return values, resolutions


@dataclasses.dataclass(frozen=True)
class SpearmanCorrelation(RankCorrelation):
    """Correlation of the ranks of label and prediction; from -1 to 1, higher is better, 0 is chance.

        sum w (R(x) - mean R) (R(y) - mean R) / sqrt(sum w (R(x) - mean R)^2 sum w (R(y) - mean R)^2)

    R is the rank, equal values having their mean rank. 1 for any prediction that rises with the label. NaN
    where the labels or the predictions of a slice are all equal, and where a prediction is missing. The value
    is that of scipy's `spearmanr`.

    Beyond 4,096 distinct pairs the ranks in a bin are those of equal values. Unknown ranks have the mean rank
    of their bin as their mean, so they move the sum of products by what they covary with the other ranks.

    Source: Spearman, "The proof and measurement of association between two things", American Journal of
    Psychology 15, 1904.

    Attributes:
        name: The metric's name in the results.

    >>> SpearmanCorrelation().of(Inputs.of([1.0, 2.0, 3.0], [0.1, 0.2, 9.0]))
    1.0
    """

    name: str = "spearman_correlation"

    def between(self, ranked: RankedPairs) -> Between:
        x, y = ranked.x, ranked.y
        shares, x_runs = ranked.along_y
        product = ranked.sums(y.sums(shares * x.ranks[x_runs]) * y.ranks, y)
        (x_known, x_more), (y_known, y_more) = (
            (ranked.sums(of.shares * of.ranks**2, of), ranked.sums(of.unknown * of.spread, of))
            for of in (x, y)
        )
        error = _beside(ranked, x, y) + _beside(ranked, y, x) + np.sqrt(x_more * y_more)
        known, largest = x_known * y_known, (x_known + x_more) * (y_known + y_more)
        return Between(product, error, np.sqrt(known), np.sqrt(largest))


def _beside(ranked: RankedPairs, axis: RankAxis, other: RankAxis) -> Array:
    """How much the order inside the runs of one axis can add to the sum of products: float64[S].

    By Cauchy and Schwarz, in a run of share s with the standard deviation d of the other ranks,
    s d sqrt(s^2 / 12).
    """
    if not axis.unknown.any():
        return np.zeros(len(ranked.total))
    shares, runs = ranked.along(axis)
    ranks = other.ranks[runs]
    means = ratio(axis.sums(shares * ranks), axis.shares)
    squares = axis.sums(shares * np.square(ranks - axis.in_order(means)))  # s d^2
    return ranked.sums(np.nan_to_num(np.sqrt(squares * axis.unknown * axis.spread)), axis)


@dataclasses.dataclass(frozen=True)
class KendallTau(RankCorrelation):
    """Share of concordant less that of discordant pairs of rows, tau-b; from -1 to 1, 0 is chance.

        (C - D) / sqrt((P - T_x) (P - T_y))

    Higher is better. Of the P pairs of rows, C have their labels and predictions in the same order and D in
    opposite orders; T_x have equal labels and T_y equal predictions. A pair weighs the product of its
    weights. NaN where the labels or the predictions of a slice are all equal, and where a prediction is
    missing. The value is that of scipy's `kendalltau`.

    Beyond 4,096 distinct pairs of values, rows of one bin count as tied; the resolution is what the value
    would change by if all of these were concordant, or all discordant.

    Source: Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945.

    Attributes:
        name: The metric's name in the results.

    >>> round(KendallTau().of(Inputs.of([1.0, 2.0, 3.0], [0.1, 9.0, 0.2])), 6)
    0.333333
    """

    name: str = "kendall_tau"

    def between(self, ranked: RankedPairs) -> Between:
        x, y, shares = ranked.x, ranked.y, ranked.shares
        concordant = ranked.concordant()  # one order of each pair; `untied` has both
        (x_ties, x_unknown), (y_ties, y_unknown) = (
            (ranked.sums(of.shares**2, of), ranked.sums(of.unknown**2, of)) for of in (x, y)
        )
        untied = 1 - x_ties - y_ties + ranked.sums(x.sums(shares**2), x)
        known = (1 - x_ties) * (1 - y_ties)
        largest = (1 - x_ties + x_unknown) * (1 - y_ties + y_unknown)
        error = x_unknown + y_unknown
        return Between(4 * concordant - untied, error, np.sqrt(known), np.sqrt(largest))


for _metric in (SpearmanCorrelation, KendallTau):
    register(_metric.__name__, _metric, About.of(_metric, HIGHER, -1, 1))
