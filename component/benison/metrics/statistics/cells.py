# SPDX-License-Identifier: Apache-2.0
"""What adds up to a table: sums over slices x cells, of which few or many are occupied."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from benison.data.batch import Array
from benison.metrics.base import Index, Statistic
from benison.slicing.codes import SliceCodes, grouped_sum

Loose: TypeAlias = tuple[Index, "Array | None"]


class CellPairs(NamedTuple):
    """Pairs of cells of the slices up to `until`: keys, int64[n], ascending, and sums, float64[n] each."""

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


# A dense table of cells may hold this many numbers (128 MB); beyond it, only occupied cells are kept.
DENSE_CELLS = 2**24
# So many keys (32 MB) may wait before they are added up, unless the table is smaller.
LOOSE_KEYS = 2**22
# And so many (128 MB) of a sparse table: sorting them at once takes a third of the time of merging.
SPARSE_LOOSE_KEYS = 2**24
# What is made of so many cells stays in the processor's cache.
BLOCK_CELLS = 2**17


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """Sums over S slices x `width` cells: all of them (dense), or the occupied ones alone (sparse).

    The state of a batch is mostly *loose*: the keys as they came, each `slice * width + cell`, with
    their sums (1 each when None). Adding up a table costs as much as the table is large, so this is
    done when enough keys have come for that, and once before the sums are read.

    Settled, `keys` is None and `sums` is float64[S * width], or `keys` is int64[n], ascending, and
    `sums` is float64[n].
    """

    size: int
    width: int
    sums: Array
    keys: Index | None
    loose: tuple[Loose, ...] = ()
    waiting: int = 0
    """How many keys are loose."""

    @classmethod
    def of(cls, keys: Index, sums: Array | None, size: int, width: int) -> Cells:
        """Sum up `sums` (1 each when None) by key; keys may repeat and stand in any order."""
        if not len(keys):
            return cls.empty(size, width)
        if size * width <= len(keys):
            return cls(size, width, _table(keys, sums, size * width), None)
        low = int(keys.min())
        span = int(keys.max()) - low + 1
        if span <= len(keys):  # a few neighbouring slices, such as Overall
            table = _table(keys - low, sums, span)
            occupied = np.flatnonzero(table)
            keys, sums = occupied + low, table[occupied]
        loose = ((keys, sums),) if len(keys) else ()
        return cls.empty(size, width)._with_loose(loose, len(keys))

    @classmethod
    def grouped(cls, cells: Index, weights: Array | None, codes: SliceCodes, width: int) -> Cells:
        """Sum up the weights of rows (1 each when None) by slice and cell, int64[N]."""
        total = cls.empty(codes.size, width)
        for keys, rows in codes.keys(cells, width):  # one for each slicing spec
            sums = weights if weights is None or rows is None else weights[rows]
            total = total.merge(cls.of(keys, sums, codes.size, width))
        return total

    @classmethod
    def empty(cls, size: int, width: int) -> Cells:
        """No sums."""
        return cls(size, width, np.zeros(0), np.zeros(0, np.int64))

    def __reduce__(self) -> tuple[Any, ...]:
        settled = self.settled
        return Cells, (settled.size, settled.width, settled.sums, settled.keys)

    def merge(self, other: Cells) -> Cells:
        """The sums of both, which must have one size and width."""
        # What is settled in the smaller of the two is as good as loose for the other one.
        small, large = sorted((self, other), key=lambda c: (c.keys is None, len(c.sums)))
        loose, waiting = self.loose + other.loose, self.waiting + other.waiting
        if small.keys is None:
            large = Cells(self.size, self.width, large.sums + small.sums, None)
        elif len(small.keys):
            loose, waiting = (*loose, (small.keys, small.sums)), waiting + len(small.keys)
        return large._with_loose(loose, waiting)

    def _with_loose(self, loose: tuple[Loose, ...], waiting: int) -> Cells:
        merged = dataclasses.replace(self, loose=loose, waiting=waiting)
        sparse = self.keys is not None and self.size * self.width > DENSE_CELLS
        least = SPARSE_LOOSE_KEYS if sparse else LOOSE_KEYS
        return merged.settled if waiting > max(least, 2 * len(self.sums)) else merged

    @functools.cached_property
    def settled(self) -> Cells:
        """The same sums with nothing loose."""
        if not self.loose:
            return self
        table = self.size * self.width
        held = len(self.sums) + self.waiting
        if self.keys is None or table <= min(DENSE_CELLS, 8 * held):
            return self._settled_dense()
        loose = filter(None, (self._loose_keys(weighted) for weighted in (True, False)))
        runs = [*(_summed(keys, sums, table) for keys, sums in loose), (self.keys, self.sums)]
        keys, sums = functools.reduce(_union, runs)
        return Cells(self.size, self.width, sums, keys)

    def _loose_keys(self, weighted: bool) -> Loose | None:
        chosen = [loose for loose in self.loose if (loose[1] is not None) is weighted]
        if not chosen:
            return None
        keys = np.concatenate([keys for keys, _ in chosen], dtype=np.int64)
        return keys, np.concatenate([w for _, w in chosen if w is not None]) if weighted else None

    def _settled_dense(self) -> Cells:
        settled = dataclasses.replace(self, loose=(), waiting=0)
        sums = settled.dense().reshape(-1)
        if self.keys is None:
            sums = sums.copy()
        for weighted in (False, True):
            loose = [loose for loose in self.loose if (loose[1] is not None) is weighted]
            for low, high, runs in _neighbours(loose):
                keys = np.concatenate([keys for keys, _ in runs])
                keys -= keys.dtype.type(low)
                weights = [w for _, w in runs if w is not None]
                # Whole numbers are added as they are, as to copy a table costs more than to sum it up.
                sums[low:high] += (
                    grouped_sum(keys, np.concatenate(weights), high - low)
                    if weighted
                    else np.bincount(keys, minlength=high - low)
                )
        return Cells(self.size, self.width, sums, None)

    def occupied(self) -> tuple[Index, Array]:
        """Keys, ascending, and sums of the cells that are not 0 (or that ever had a row)."""
        settled = self.settled
        if settled.keys is not None:
            return settled.keys, settled.sums
        keys = np.flatnonzero(settled.sums)
        return keys, settled.sums[keys]

    def pairs(self) -> Iterator[CellPairs]:
        """The occupied ones of the pairs of cells 2k and 2k + 1, of some slices at a time.

        For tables of an even width.
        """
        settled = self.settled
        if settled.keys is not None:
            yield from settled._sparse_pairs(settled.keys)
            return
        step = max(1, BLOCK_CELLS // self.width)
        for start in range(0, self.size, step):
            both = settled.sums[start * self.width : (start + step) * self.width].reshape(-1, 2)
            occupied = np.flatnonzero((both[:, 0] != 0) | (both[:, 1] != 0))
            keys = occupied + start * self.width // 2
            yield CellPairs(min(start + step, self.size), keys, *both[occupied].T)

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
        settled = self.settled
        if settled.keys is None and size * self.width <= DENSE_CELLS:
            rows = np.zeros((size, self.width))
            rows[index] = settled.sums.reshape(self.size, self.width)
            return Cells(size, self.width, rows.reshape(-1), None)
        keys, sums = settled.occupied()
        slices = keys // self.width
        moved = index[slices] * self.width + keys - slices * self.width
        return Cells.of(moved, sums, size, self.width)

    def take(self, index: Index) -> Cells:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        settled = self.settled
        if np.array_equal(index, np.arange(self.size)):
            return settled
        if settled.keys is None:
            rows = settled.sums.reshape(self.size, self.width)[index]
            return Cells(len(index), self.width, rows.reshape(-1), None)
        starts, ends = (np.searchsorted(settled.keys, (index + i) * self.width) for i in (0, 1))
        lengths = ends - starts
        slices = np.repeat(np.arange(len(index)), lengths)
        within = np.arange(len(slices)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = starts[slices] + within
        keys = settled.keys[at] + (slices - index[slices]) * self.width
        return Cells(len(index), self.width, settled.sums[at], keys)

    def dense(self) -> Array:
        """float64[S, width]; for few slices or few cells."""
        settled = self.settled
        sums = settled.sums
        if settled.keys is not None:
            sums = np.zeros(self.size * self.width)
            sums[settled.keys] = settled.sums
        return sums.reshape(self.size, self.width)


def _neighbours(loose: Sequence[Loose]) -> Iterator[tuple[int, int, list[Loose]]]:
    """Runs of keys whose ranges overlap, together, with the lowest key and one more than the highest.

    Those of one slicing spec are, so that each table is no larger than its slices.
    """
    ranges = sorted(((int(run[0].min()), int(run[0].max()) + 1, i) for i, run in enumerate(loose)))
    group: list[Loose] = []
    first = last = 0
    for low, high, i in ranges:
        if group and low >= last:
            yield first, last, group
            group = []
        first, last = (first, max(last, high)) if group else (low, high)
        group.append(loose[i])
    if group:
        yield first, last, group


def _table(keys: Index, sums: Array | None, cells: int) -> Array:
    if sums is None:
        return np.bincount(keys, minlength=cells).astype(np.float64)
    return grouped_sum(keys, sums, cells)


def _summed(keys: Index, sums: Array | None, cells: int) -> tuple[Index, Array]:
    """Sums by key, keys ascending. Half the bits sort in half the time."""
    if sums is None:
        narrow = keys.astype(np.uint32) if cells <= 2**32 else keys
        distinct, counts = np.unique(narrow, return_counts=True)
        return distinct.astype(np.int64), counts.astype(np.float64)
    order = order_of(keys)
    return _reduced(keys[order], sums[order])


def order_of(keys: Index, kind: Literal["quicksort", "stable"] = "quicksort") -> Index:
    """What puts keys, which are 0 or more, in ascending order, as a stable sort does: int64[n].

    `kind` is "stable" for keys of which long runs are in order already.
    """
    bits = len(keys).bit_length()
    if len(keys) and int(keys.max()) >= 2 ** (63 - bits):
        return np.argsort(keys, kind="stable")
    # Key and index in one number sort faster than indices by key.
    return np.sort((keys << bits) | np.arange(len(keys)), kind=kind) & ((1 << bits) - 1)


def _reduced(keys: Index, sums: Array) -> tuple[Index, Array]:
    first = starts(keys)
    return keys[first], np.add.reduceat(sums, first) if len(first) else sums


def starts(values: Index) -> Index:
    """Where a run of equal values starts.

    >>> starts(np.array([4, 4, 7, 9, 9]))
    array([0, 2, 3])
    """
    changed = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=changed[1:])
    return np.flatnonzero(changed)


def _union(a: tuple[Index, Array], b: tuple[Index, Array]) -> tuple[Index, Array]:
    """Sums by key of both, each with its keys ascending."""
    if not len(a[0]) or not len(b[0]):
        return a if len(a[0]) else b
    keys, sums = np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])
    order = order_of(keys, "stable")
    return _reduced(keys[order], sums[order])


class CellsStatistic(Statistic[Cells]):
    """A statistic whose state is a table of cells."""

    width: int

    def zero(self, size: int) -> Cells:
        return Cells.empty(size, self.width)

    def merge(self, a: Cells, b: Cells) -> Cells:
        return a.merge(b)

    def scatter(self, state: Cells, index: Index, size: int) -> Cells:
        return state.relabel(index, size)

    def gather(self, state: Cells, index: Index) -> Cells:
        return state.take(index)
