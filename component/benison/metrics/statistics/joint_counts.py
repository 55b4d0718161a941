# SPDX-License-Identifier: Apache-2.0
"""The weights of the pairs of two values, such as label and score: what a rank correlation is made of.

A slice is exact while it has up to `EXACT_PAIRS` distinct pairs. Beyond that both values are bins of the
scale of scores. Which of the two depends on the final number of its pairs alone, so that no order and no
grouping of the rows makes a difference.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benison.data.batch import Array, Index, Inputs, Mask
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.cells import Cells, divided
from benison.metrics.statistics.equal_runs import starts
from benison.metrics.statistics.ranks import WAITING
from benison.metrics.statistics.scale import bins_of
from benison.metrics.statistics.sums import RowFunction, check_single
from benison.slicing.codes import SliceCodes
from benison.slicing.spans import spans

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

    def between(self, start: int, end: int, first: int) -> WeighedPairs:
        """Those from `start` to `end`, with slices that are counted from the slice `first`."""
        columns = (column[start:end] for column in (self.x, self.y, self.weights))
        return WeighedPairs(self.slices[start:end] - first, *columns)

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
            in_bins: Whether all values are bins, which are counted or sorted as whole numbers.
        """
        if in_bins and len(self):
            return self._summed_bins()
        ordered = self.take(np.lexsort((self.y, self.x, self.slices)))
        slices, x, y = ordered.slices, ordered.x, ordered.y
        first = starts(slices, x, y)
        if len(first) == len(x):
            return ordered
        return WeighedPairs(
            slices[first], x[first], y[first], np.add.reduceat(ordered.weights, first)
        )

    def _summed_bins(self) -> WeighedPairs:
        codes = [coded(column) for column in (self.slices, self.x, self.y)]
        (slices, of_slices), (x, of_x), (y, of_y) = codes
        cells = (of_slices * len(x) + of_x) * len(y) + of_y
        summed = Cells.of(cells, self.weights, len(slices), len(x) * len(y))
        held, weights = summed.occupied()
        rest, of_y = divided(held, len(y))
        of_slices, of_x = divided(rest, len(x))
        return WeighedPairs(slices[of_slices], _values(x, of_x), _values(y, of_y), weights)

    def of_crowded(self, size: int) -> tuple[WeighedPairs, Mask]:
        """Those of the slices with more than `EXACT_PAIRS` pairs, and which these are of S = `size`.

        The pairs must be ascending by slice.
        """
        crowded = np.diff(np.searchsorted(self.slices, np.arange(size + 1))) > EXACT_PAIRS
        kept = crowded[self.slices]
        return self if kept.all() else self.take(np.flatnonzero(kept)), crowded


@dataclasses.dataclass(frozen=True, eq=False)
class JointRows:
    """N rows of a batch, and the slices that they are in.

    A row takes 24 bytes here however many slices it is in; as pairs it takes 32 bytes in each of them.

    Attributes:
        codes: The slices.
        x: The first value of each row, float64[N].
        y: The second one, float64[N].
        weights: The weight of each, float64[N]; NaN where a value is missing.
    """

    codes: SliceCodes
    x: Array
    y: Array
    weights: Array

    def in_slices(self, chosen: Mask) -> JointRows:
        """The same rows, in those slices alone that are `chosen`, bool[S]."""
        return dataclasses.replace(self, codes=self.codes.in_slices(chosen))

    def pairs(self) -> Iterator[WeighedPairs]:
        """The pairs of values, for each part of the slices."""
        whole = WeighedPairs(np.zeros(len(self.x), np.int64), self.x, self.y, self.weights)
        for rows, slices in self.codes.parts:
            yield dataclasses.replace(whole if rows is None else whole.take(rows), slices=slices)

    @staticmethod
    def summed(batches: Sequence[JointRows]) -> WeighedPairs:
        """The pairs of bins of all rows, ascending by slice, x and y.

        They are counted in a table of slices x pairs, which spares a row for each of its slices and, where
        the table is not too large for that, all sorting.
        """
        (x, of_x), (y, of_y) = (
            coded(np.concatenate([bins_of(values) for values in columns]))
            for columns in zip(*((rows.x, rows.y) for rows in batches), strict=True)
        )
        width, cells = len(x) * len(y), of_x * len(y) + of_y
        total = Cells.empty(batches[0].codes.size, width)
        for rows in batches:
            mine, cells = np.split(cells, [len(rows.x)])
            weights = None if np.all(rows.weights == 1) else rows.weights  # to count is faster
            total = total.merge(Cells.grouped(mine, weights, rows.codes, width))
        held, sums = total.occupied()
        slices, cells = divided(held, max(width, 1))
        of_x, of_y = divided(cells, max(len(y), 1))
        return WeighedPairs(slices, _values(x, of_x), _values(y, of_y), sums)

    def relabelled(self, index: Index, size: int) -> JointRows:
        """Slice i becomes slice `index[i]` of `size`."""
        return dataclasses.replace(self, codes=self.codes.relabelled(index, size))


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
        waiting: Rows that came and are not summed up yet.
    """

    size: int
    pooled: Mask
    pairs: WeighedPairs
    waiting: tuple[JointRows, ...] = ()

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
        waiting = sum(rows.codes.memberships for rows in merged.waiting)
        return merged.compact if waiting > max(WAITING, len(merged.pairs)) else merged

    @functools.cached_property
    def compact(self) -> JointCounts:
        """The same with no pairs waiting; it is made once, however often the values are read."""
        if not self.waiting:
            return self
        # Of values that are all different the bins show that they are too many, without sorting them.
        possible = np.sum([rows.codes.count() for rows in self.waiting], axis=0) > EXACT_PAIRS
        in_bins = JointRows.summed([rows.in_slices(possible) for rows in self.waiting])
        crowded, many = in_bins.of_crowded(self.size)
        few = (rows.in_slices(~many).pairs() for rows in self.waiting)
        rest = WeighedPairs.joined(list(itertools.chain.from_iterable(few)))
        summed = JointCounts(self.size, self.pooled | many, crowded)
        if len(self.pairs):
            summed = self._with(crowded, many) if len(crowded) else self
        return summed._with(rest, np.zeros_like(many)) if len(rest) else summed

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
        waiting = tuple(rows.relabelled(index, size) for rows in self.waiting)
        pairs = _relabelled(self.pairs, index)
        if len(index) and np.any(index[1:] < index[:-1]):
            pairs = pairs.summed()
        return JointCounts(size, pooled, pairs, waiting)

    def gather(self, index: Index) -> JointCounts:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        compact = self.compact
        if np.array_equal(index, np.arange(self.size)):
            return compact
        starts, ends = (np.searchsorted(compact.pairs.slices, index + i) for i in (0, 1))
        slices = np.repeat(np.arange(len(index)), ends - starts)
        taken = compact.pairs.take(spans(starts, ends))
        pairs = dataclasses.replace(taken, slices=slices)
        return JointCounts(len(index), compact.pooled[index], pairs)


def _values(codes: Index, at: Index) -> Array:
    return codes.astype(np.float64)[at]


def coded(values: Array | Index) -> tuple[Index, Index]:
    """The distinct ones of small whole numbers, ascending, and the number of each among them.

    >>> coded(np.array([7.0, 3.0, 7.0]))
    (array([3, 7]), array([1, 0, 1]))
    """
    values = values.astype(np.int64, copy=False)
    held = np.zeros(int(values.max(initial=-1)) + 1, np.bool_)
    held[values] = True
    codes = np.flatnonzero(held)
    numbers = np.empty(len(held), np.int64)  # of which most is never touched
    numbers[codes] = np.arange(len(codes))
    return codes, numbers[values]


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
        check_single("A rank correlation", x, y)
        weights = np.ones(len(x)) if inputs.weights is None else inputs.weights
        missing = np.isnan(x) | np.isnan(y)
        weights = np.where(missing, np.nan, weights)
        x, y = (np.where(missing, 0.0, values) + 0.0 for values in (x, y))  # and -0 is 0
        rows = JointRows(codes, x, y, weights)
        waiting = (rows,) if rows.codes.memberships else ()
        return dataclasses.replace(self.zero(codes.size), waiting=waiting)

    def merge(self, a: JointCounts, b: JointCounts) -> JointCounts:
        return a.merge(b)

    def scatter(self, state: JointCounts, index: Index, size: int) -> JointCounts:
        return state.scatter(index, size)

    def gather(self, state: JointCounts, index: Index) -> JointCounts:
        return state.gather(index)
