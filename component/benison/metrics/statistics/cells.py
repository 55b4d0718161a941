# SPDX-License-Identifier: Apache-2.0
"""A sparse or dense table of sums: slices x cells.

The state behind confusion matrices, calibration and scores. A hundred thousand slices with a cell for
each of 20,000 bins would be two billion numbers, of which the rows occupy few; one slice with ten million
rows occupies nearly all of its cells. So a table keeps the occupied cells alone, or all of them once that
is smaller.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Mask
from benison.metrics.base import Index, Statistic
from benison.metrics.statistics.equal_runs import starts, sums_of_runs
from benison.metrics.statistics.orders import in_order
from benison.metrics.statistics.pending_cells import Pending, joined, neighbours, table_of
from benison.slicing.codes import SliceCodes, grouped_sum
from benison.slicing.spans import spans


class CellPairs(NamedTuple):
    """Pairs of cells of the slices up to `until`: keys, int64[n], ascending, and sums, float64[n] each.

    Cells come in pairs where an even one counts negatives and the odd one after it positives. The key of a
    pair is that of its even cell, halved.
    """

    until: int
    keys: Index
    first: Array
    second: Array

    @classmethod
    def of(cls, until: int, keys: Index, sums: Array) -> CellPairs:
        """From cells, ascending."""
        begin = starts(keys >> 1)
        if not len(begin):
            return cls(until, keys, sums, sums)
        first, second = (
            np.add.reduceat(np.where(keys & 1 == side, sums, 0.0), begin) for side in (0, 1)
        )
        return cls(until, keys[begin] >> 1, first, second)

    @classmethod
    def joined(cls, blocks: Sequence[CellPairs]) -> CellPairs:
        """Those of all blocks, in the order of the blocks."""
        if not blocks:
            return cls(0, np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        _, keys, first, second = zip(*blocks, strict=True)
        sums = (np.concatenate(x) for x in (first, second))
        return cls(blocks[-1].until, np.concatenate(keys), *sums)

    def at(self, index: Index | slice) -> CellPairs:
        """Those at `index`."""
        return CellPairs(self.until, self.keys[index], self.first[index], self.second[index])


DENSE_CELLS = 2**24
"""A dense table of cells may hold this many numbers (128 MB); beyond it, only occupied cells are kept."""
PENDING_KEYS = 2**22
"""So many keys (32 MB) may wait before they are added up, unless the table is smaller."""
SPARSE_PENDING_KEYS = 2**24
"""And so many (128 MB) of a sparse table: sorting them at once takes a third of the time of merging."""
_FEW = 8  # times as many rows as cells, at least, are summed up at once
BLOCK_CELLS = 2**17
"""Cells of the slices that are read together: what is made of so many stays in the processor's cache."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """Sums over S slices x `width` cells: all of them (dense), or the occupied ones alone (sparse).

    The state of a batch is mostly *pending*: the keys as they came, each `slice * width + cell`, with
    their sums (1 each when None). Adding up a table costs as much as the table is large, so this is
    done when enough keys have come for that, and once before the sums are read.

    Compact, `keys` is None and `sums` is float64[S * width], or `keys` is int64[n], ascending, and
    `sums` is float64[n].

    >>> cells = Cells.of(np.array([5, 1, 5]), None, size=2, width=3)
    >>> cells.merge(cells).dense()
    array([[0., 2., 0.],
           [0., 0., 4.]])
    """

    size: int
    width: int
    sums: Array
    keys: Index | None
    pending: tuple[Pending, ...] = ()
    waiting: int = 0
    """How many keys are pending."""

    @classmethod
    def of(cls, keys: Index, sums: Array | None, size: int, width: int, into: int = -1) -> Cells:
        """Sum up `sums` (1 each when None) by key; keys may repeat and stand in any order.

        Args:
            keys: `slice * width + cell`, int64[n].
            sums: What is added to each, float64[n].
            size: The number of slices.
            width: The cells of a slice.
            into: A slice that no key is of, in which all of them are too; -1 for none.
        """
        if not len(keys):
            return cls.empty(size, width)
        if size * width <= len(keys):
            table = _table(keys, sums, size * width)
            if into >= 0:
                table[into * width : (into + 1) * width] = table.reshape(size, width).sum(axis=0)
            return cls(size, width, table, None)
        low = int(keys.min())
        span = int(keys.max()) - low + 1
        if _FEW * span <= len(keys) and into < 0:  # a few neighbouring slices, such as Overall
            table = _table(keys - low, sums, span)
            occupied = np.flatnonzero(table)
            keys, sums = occupied + low, table[occupied]
        return cls.empty(size, width)._with_pending((Pending(keys, sums, into),), len(keys))

    @classmethod
    def grouped(
        cls, cells: npt.NDArray[Any], weights: Array | None, codes: SliceCodes, width: int
    ) -> Cells:
        """Sum up the weights of rows (1 each when None) by slice and cell, integers[N].

        The slices of a spec that has each row once add up to Overall, which needs no pass of its own then.
        """
        total, table = cls.empty(codes.size, width), codes.size * width
        if weights is None and table <= len(cells):
            counts = codes.tabulate(cells, width).astype(np.float64)
            return cls(codes.size, width, counts.reshape(-1), None)
        # Half the bytes are added in half the time, but a table is summed up by 64 bits.
        kind = np.int32 if len(cells) < table < 2**31 else np.int64
        cells = cells.astype(kind, copy=False)
        whole, parted = codes.nested or (None, None)
        for part in codes.parts:  # one for each slicing spec
            if part is whole:
                continue
            keys, rows = codes.keys_of(part, cells, width)
            sums = weights if weights is None or rows is None else weights[rows]
            into = int(whole[1][0]) if whole is not None and part is parted else -1
            total = total.merge(cls.of(keys, sums, codes.size, width, into))
        return total

    @classmethod
    def empty(cls, size: int, width: int) -> Cells:
        """No sums."""
        return cls(size, width, np.zeros(0), np.zeros(0, np.int64))

    def __reduce__(self) -> tuple[Any, ...]:
        compact = self.compact
        return Cells, (compact.size, compact.width, compact.sums, compact.keys)

    def merge(self, other: Cells) -> Cells:
        """The sums of both, which must have one size and width; neither is changed."""
        # What is compact in the smaller of the two is as good as pending for the other one.
        small, large = sorted((self, other), key=lambda c: (c.keys is None, len(c.sums)))
        pending, waiting = self.pending + other.pending, self.waiting + other.waiting
        if small.keys is None:
            large = Cells(self.size, self.width, large.sums + small.sums, None)
        elif len(small.keys):
            pending = (*pending, Pending(small.keys, small.sums))
            waiting += len(small.keys)
        return large._with_pending(pending, waiting)

    def _with_pending(self, pending: tuple[Pending, ...], waiting: int) -> Cells:
        merged = dataclasses.replace(self, pending=pending, waiting=waiting)
        sparse = self.keys is not None and self.size * self.width > DENSE_CELLS
        least = SPARSE_PENDING_KEYS if sparse else PENDING_KEYS
        return merged.compact if waiting > max(least, 4 * len(self.sums)) else merged

    @functools.cached_property
    def compact(self) -> Cells:
        """The same sums with nothing pending."""
        if not self.pending:
            return self
        table = self.size * self.width
        held = len(self.sums) + self.waiting
        if self.keys is None or table <= min(DENSE_CELLS, 8 * held):
            return self._compact_dense()
        waiting = [each for of in self.pending for each in of.expanded(self.width)]
        runs_of = filter(None, (joined(waiting, weighted) for weighted in (True, False)))
        runs = [*(_summed(keys, sums, table) for keys, sums, _ in runs_of), (self.keys, self.sums)]
        keys, sums = functools.reduce(_union, runs)
        return Cells(self.size, self.width, sums, keys)

    def _compact_dense(self) -> Cells:
        compact = dataclasses.replace(self, pending=(), waiting=0)
        sums = compact.dense().reshape(-1)
        if self.keys is None:
            sums = sums.copy()
        for weighted, into in sorted({(of.sums is not None, of.into) for of in self.pending}):
            alike = [
                of for of in self.pending if (of.sums is not None, of.into) == (weighted, into)
            ]
            for low, high, runs in neighbours(alike, self.width):
                table = table_of(runs, low, high, weighted)
                sums[low:high] += table
                if into >= 0:
                    start = into * self.width
                    by_slice = table.reshape(-1, self.width)
                    sums[start : start + self.width] += by_slice.sum(axis=0)
        return Cells(self.size, self.width, sums, None)

    def occupied(self) -> tuple[Index, Array]:
        """Keys, ascending, and sums of the cells that are not 0 (or that ever had a row)."""
        compact = self.compact
        if compact.keys is not None:
            return compact.keys, compact.sums
        keys = np.flatnonzero(compact.sums)
        return keys, compact.sums[keys]

    def pairs(self) -> Iterator[CellPairs]:
        """The occupied ones of the pairs of cells 2k and 2k + 1, of some slices at a time.

        For tables of an even width. A block has whole slices, so that what reads it can treat each slice
        alone, and stays in the processor's cache while it does.
        """
        compact = self.compact
        if compact.keys is not None:
            yield from compact._sparse_pairs(compact.keys)
            return
        step = max(1, BLOCK_CELLS // self.width)
        for start in range(0, self.size, step):
            both = compact.sums[start * self.width : (start + step) * self.width]
            occupied = np.flatnonzero(_held_pairs(both))
            held = both.reshape(-1, 2).take(occupied, axis=0)
            keys = occupied + start * self.width // 2
            yield CellPairs(min(start + step, self.size), keys, *held.T)

    def count_pairs(self, columns: int) -> Index:
        """How many of the first `columns` pairs of cells of each slice are occupied: int64[S]."""
        compact = self.compact
        if compact.keys is not None:
            begin = starts(compact.keys >> 1)
            slices, cells = divided(compact.keys[begin], self.width)
            return np.bincount(slices[cells < 2 * columns], minlength=self.size)
        sums = compact.sums.reshape(self.size, self.width)[:, : 2 * columns]
        # Slice by slice, which needs no more memory.
        counts = [np.count_nonzero(_held_pairs(row)) for row in sums]
        return np.array(counts, np.int64)

    def _sparse_pairs(self, keys: Index) -> Iterator[CellPairs]:
        ends = np.searchsorted(keys, np.arange(1, self.size + 1) * self.width)
        last = np.flatnonzero(np.diff(ends // BLOCK_CELLS, append=-1))
        start = 0
        for until, end in zip((last + 1).tolist(), ends[last].tolist(), strict=True):
            yield CellPairs.of(until, keys[start:end], self.sums[start:end])
            start = end

    def relabel(self, index: Index, size: int) -> Cells:
        """Slice i becomes slice `index[i]` of `size`; no two slices become one."""
        if np.array_equal(index, np.arange(len(index))):
            if self.keys is not None:
                return dataclasses.replace(self, size=size)
            if size * self.width <= DENSE_CELLS:
                more = np.zeros((size - self.size) * self.width)
                return dataclasses.replace(self, size=size, sums=np.append(self.sums, more))
        compact = self.compact
        if compact.keys is None and size * self.width <= DENSE_CELLS:
            rows = np.zeros((size, self.width))
            rows[index] = compact.sums.reshape(self.size, self.width)
            return Cells(size, self.width, rows.reshape(-1), None)
        keys, sums = compact.occupied()
        slices = keys // self.width
        moved = index[slices] * self.width + keys - slices * self.width
        return Cells.of(moved, sums, size, self.width)

    def take(self, index: Index) -> Cells:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        compact = self.compact
        if np.array_equal(index, np.arange(self.size)):
            return compact
        if compact.keys is None:
            rows = compact.sums.reshape(self.size, self.width)[index]
            return Cells(len(index), self.width, rows.reshape(-1), None)
        starts, ends = (np.searchsorted(compact.keys, (index + i) * self.width) for i in (0, 1))
        at, slices = spans(starts, ends), np.repeat(np.arange(len(index)), ends - starts)
        keys = compact.keys[at] + (slices - index[slices]) * self.width
        return Cells(len(index), self.width, compact.sums[at], keys)

    def dense(self) -> Array:
        """All sums, float64[S, width]; for few slices or few cells.

        A table of 100,000 slices and 20,000 cells would be 16 GB: read `pairs` instead.
        """
        compact = self.compact
        sums = compact.sums
        if compact.keys is not None:
            sums = np.zeros(self.size * self.width)
            sums[compact.keys] = compact.sums
        return sums.reshape(self.size, self.width)


def _held_pairs(sums: Array) -> Mask:
    """Which pairs of neighbours, of contiguous float64[2 n], are not both 0: bool[n]."""
    return np.asarray((sums != 0).view(np.int16) != 0)


def _table(keys: Index, sums: Array | None, cells: int) -> Array:
    if sums is None:
        return np.bincount(keys, minlength=cells).astype(np.float64)
    return grouped_sum(keys, sums, cells)


def _summed(keys: Index, sums: Array | None, cells: int) -> tuple[Index, Array]:
    """Sums by key, keys ascending; as uint32 where they fit, because half the bits sort in half the time."""
    if sums is None:
        narrow = keys.astype(np.uint32) if cells <= 2**32 else keys
        distinct, counts = np.unique(narrow, return_counts=True)
        return distinct.astype(np.int64), counts.astype(np.float64)
    order, keys = in_order(keys, "quicksort")
    return _reduced(keys, sums[order])


def _reduced(keys: Index, sums: Array) -> tuple[Index, Array]:
    first = starts(keys)
    return keys[first], sums_of_runs(sums, first)


def _union(a: tuple[Index, Array], b: tuple[Index, Array]) -> tuple[Index, Array]:
    """Sums by key of both, each with its keys ascending."""
    if not len(a[0]) or not len(b[0]):
        return a if len(a[0]) else b
    keys, sums = np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])
    order, keys = in_order(keys, "stable")
    return _reduced(keys, sums[order])


class CellsStatistic(Statistic[Cells]):
    """A statistic whose state is a table of cells; subclasses give `width` and `add`."""

    width: int

    def zero(self, size: int) -> Cells:
        return Cells.empty(size, self.width)

    def merge(self, a: Cells, b: Cells) -> Cells:
        return a.merge(b)

    def scatter(self, state: Cells, index: Index, size: int) -> Cells:
        return state.relabel(index, size)

    def gather(self, state: Cells, index: Index) -> Cells:
        return state.take(index)


def divided(keys: Index, width: int) -> tuple[Index, Index]:
    """Quotient and remainder of keys by one width, in a fraction of the time of `np.divmod`.

    >>> divided(np.array([5, 12]), 5)
    (array([1, 2]), array([0, 2]))
    """
    quotients = keys // width
    remainders = quotients * width
    np.subtract(keys, remainders, out=remainders)  # without a third array
    return quotients, remainders
