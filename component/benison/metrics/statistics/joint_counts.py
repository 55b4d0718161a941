# SPDX-License-Identifier: Apache-2.0
"""The weights of the pairs of two values, such as label and score: what a rank correlation is made of.

A slice is exact while it has up to `EXACT_PAIRS` distinct pairs. Beyond that both values are bins of the
scale of scores. Which of the two depends on the final number of its pairs alone, so that no order and no
grouping of the rows makes a difference.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from benison.data.batch import Array, Index, Inputs, Mask
from benison.errors import DataError
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.ranks import WAITING
from benison.metrics.statistics.scale import BIN_BITS, bins_of
from benison.metrics.statistics.sums import RowFunction
from benison.slicing.codes import SliceCodes

EXACT_PAIRS = 4096
"""A slice with more distinct pairs has them in bins of the scale."""


@dataclasses.dataclass(frozen=True, eq=False)
class WeighedPairs:
    """WeighedPairs of values with their weights, n of them; 32 bytes each.

    Attributes:
        slices: The slice of each, int64[n].
        x: Its first value, or the bin of that on the scale, float64[n].
        y: Its second value, or the bin of that, float64[n].
        weights: The weight of the rows that have both, float64[n]; NaN where a value is missing.
    """

    slices: Index
    x: Array
    y: Array
    weights: Array

    @classmethod
    def empty(cls) -> WeighedPairs:
        """No pairs."""
        none = np.zeros(0)
        return cls(np.zeros(0, np.int64), none, none, none)

    @classmethod
    def joined(cls, parts: Sequence[WeighedPairs]) -> WeighedPairs:
        """Those of all parts, one after the other."""
        parts = [part for part in parts if len(part)] or [cls.empty()]
        columns = zip(*((p.slices, p.x, p.y, p.weights) for p in parts), strict=True)
        return cls(*map(np.concatenate, columns))

    def __len__(self) -> int:
        return len(self.slices)

    def take(self, index: Index) -> WeighedPairs:
        """Those at `index`."""
        return WeighedPairs(self.slices[index], self.x[index], self.y[index], self.weights[index])

    def binned(self, chosen: Mask) -> WeighedPairs:
        """With bins in place of values in the slices that are `chosen`, bool[S]."""
        at = np.flatnonzero(chosen[self.slices])
        if not len(at):
            return self
        x, y = self.x.copy(), self.y.copy()
        x[at], y[at] = bins_of(x[at]), bins_of(y[at])
        return dataclasses.replace(self, x=x, y=y)

    def summed(self, in_bins: bool = False) -> WeighedPairs:
        """Ascending by slice, x and y, with the weights of equal pairs summed up.

        Args:
            in_bins: Whether all values are bins, which are sorted in a third of the time.
        """
        ordered = self.take(self._order(in_bins))
        slices, x, y = ordered.slices, ordered.x, ordered.y
        fresh = np.ones(len(x), np.bool_)
        fresh[1:] = (slices[1:] != slices[:-1]) | (x[1:] != x[:-1]) | (y[1:] != y[:-1])
        first = np.flatnonzero(fresh)
        if len(first) == len(x):
            return ordered
        return WeighedPairs(
            slices[first], x[first], y[first], np.add.reduceat(ordered.weights, first)
        )

    def _order(self, in_bins: bool) -> Index:
        if not in_bins or self.slices.max(initial=0) >= 1 << (62 - 2 * BIN_BITS):
            return np.lexsort((self.y, self.x, self.slices))
        x, y = self.x.astype(np.int64), self.y.astype(np.int64)
        return np.argsort((((self.slices << BIN_BITS) + x) << BIN_BITS) + y, kind="stable")

    def in_crowded(self, size: int) -> WeighedPairs:
        """Those of the slices that have too many pairs even of bins to be exact, in bins and summed up.

        Args:
            size: The number of slices S.
        """
        possible = np.bincount(self.slices, minlength=size) > EXACT_PAIRS
        kept = self.take(np.flatnonzero(possible[self.slices])).binned(possible).summed(True)
        crowded = np.bincount(kept.slices, minlength=size) > EXACT_PAIRS
        return kept.take(np.flatnonzero(crowded[kept.slices]))


@dataclasses.dataclass(frozen=True, eq=False)
class JointCounts:
    """The weights of pairs in S slices.

    Rows wait until there are enough of them to be worth sorting, and are summed up once before they are read.
    A slice that has more pairs than `EXACT_PAIRS` in a part of its rows has more in all of them, so it may be
    pooled as soon as that is seen.

    Attributes:
        size: The number of slices S.
        pooled: Which slices have bins in place of values, bool[S].
        pairs: The distinct pairs, ascending by slice, x and y.
        waiting: Pairs of values that came and are not summed up yet.
    """

    size: int
    pooled: Mask
    pairs: WeighedPairs
    waiting: tuple[WeighedPairs, ...] = ()

    @classmethod
    def empty(cls, size: int) -> JointCounts:
        """Of no rows."""
        return cls(size, np.zeros(size, np.bool_), WeighedPairs.empty())

    def __reduce__(self) -> tuple[Any, ...]:
        compact = self.compact
        return JointCounts, (compact.size, compact.pooled, compact.pairs)

    def merge(self, other: JointCounts) -> JointCounts:
        """Of the rows of both, which must have one size; neither is changed."""
        large, small = (self, other) if len(self.pairs) >= len(other.pairs) else (other, self)
        merged = large._with(small.pairs, small.pooled) if len(small.pairs) else large
        merged = dataclasses.replace(merged, waiting=self.waiting + other.waiting)
        waiting = sum(map(len, merged.waiting))
        return merged.compact if waiting > max(WAITING, len(merged.pairs)) else merged

    @functools.cached_property
    def compact(self) -> JointCounts:
        """The same with no pairs waiting; it is made once, however often the values are read."""
        if not self.waiting:
            return self
        none, rows = np.zeros(self.size, np.bool_), WeighedPairs.joined(self.waiting)
        # Of values that are all different the bins show that they are too many, without sorting them.
        crowded = rows.in_crowded(self.size)
        many = none.copy()
        many[crowded.slices] = True
        rest = rows.take(np.flatnonzero(~many[rows.slices])) if many.any() else rows
        summed = self._with(crowded, many) if len(crowded) else self
        return summed._with(rest, none) if len(rest) else summed

    def _with(self, more: WeighedPairs, of_bins: Mask) -> JointCounts:
        """With more pairs, in any order, which are bins in the slices `of_bins`; nothing is waiting then."""
        pooled = self.pooled | of_bins
        held, more = self.pairs.binned(pooled & ~self.pooled), more.binned(pooled & ~of_bins)
        pairs = WeighedPairs.joined([held, more]).summed(bool(pooled.all()))
        many = ~pooled & (np.bincount(pairs.slices, minlength=self.size) > EXACT_PAIRS)
        if many.any():
            pairs = pairs.binned(many).summed()
        return JointCounts(self.size, pooled | many, pairs)

    def scatter(self, index: Index, size: int) -> JointCounts:
        """Slice i becomes slice `index[i]` of `size`; no two slices become one."""
        pooled = np.zeros(size, np.bool_)
        pooled[index] = self.pooled
        waiting = tuple(_relabelled(pairs, index) for pairs in self.waiting)
        pairs = _relabelled(self.pairs, index)
        if len(index) and np.any(index[1:] < index[:-1]):
            pairs = pairs.summed()
        return JointCounts(size, pooled, pairs, waiting)

    def gather(self, index: Index) -> JointCounts:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        compact = self.compact
        starts, ends = (np.searchsorted(compact.pairs.slices, index + i) for i in (0, 1))
        lengths = ends - starts
        slices = np.repeat(np.arange(len(index)), lengths)
        within = np.arange(len(slices)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        taken = compact.pairs.take(starts[slices] + within)
        pairs = dataclasses.replace(taken, slices=slices)
        return JointCounts(len(index), compact.pooled[index], pairs)


def _relabelled(pairs: WeighedPairs, index: Index) -> WeighedPairs:
    return dataclasses.replace(pairs, slices=index[pairs.slices])


@dataclasses.dataclass(frozen=True)
class JointRanks(Statistic[JointCounts]):
    """Weights of the pairs of two functions of the row, exact for slices with up to 4,096 pairs.

    Only the order of each of the two matters. -0.0 and 0.0 are equal, infinities are values too, and a row in
    which a value is missing makes all values of its slices NaN.

    Attributes:
        x: The first function, float64[N] of a batch.
        y: The second one.
    """

    x: RowFunction
    y: RowFunction

    def zero(self, size: int) -> JointCounts:
        return JointCounts.empty(size)

    def add(self, inputs: Inputs, codes: SliceCodes) -> JointCounts:
        inputs, codes = heavy(inputs, codes)
        x, y = self.x(inputs), self.y(inputs)
        if x.ndim != 1 or y.ndim != 1:
            raise DataError(
                f"A rank correlation needs one label and one prediction in each row; labels have the "
                f"shape {x.shape} and predictions {y.shape}. For several classes, choose them with "
                f"binarize.class_ids in metrics_specs."
            )
        weights = np.ones(len(x)) if inputs.weights is None else inputs.weights
        missing = np.isnan(x) | np.isnan(y)
        weights = np.where(missing, np.nan, weights)
        x, y = (np.where(missing, 0.0, values) + 0.0 for values in (x, y))  # and -0 is 0
        waiting = (
            WeighedPairs(slices, x, y, weights)
            if rows is None
            else WeighedPairs(slices, x[rows], y[rows], weights[rows])
            for rows, slices in codes.parts
        )
        held = tuple(pairs for pairs in waiting if len(pairs))
        return dataclasses.replace(self.zero(codes.size), waiting=held)

    def merge(self, a: JointCounts, b: JointCounts) -> JointCounts:
        return a.merge(b)

    def scatter(self, state: JointCounts, index: Index, size: int) -> JointCounts:
        return state.scatter(index, size)

    def gather(self, state: JointCounts, index: Index) -> JointCounts:
        return state.gather(index)
