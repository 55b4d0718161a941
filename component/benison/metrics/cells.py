# SPDX-License-Identifier: Apache-2.0
"""This file is what adds up to a table: sums over slices x cells, of which few or many are occupied."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, TypeAlias

import numpy as np

from benison.extracts import Array, grouped_sum
from benison.metrics.base import Index, Statistic

Loose: TypeAlias = tuple[Index, "Array | None"]

# A dense table of cells may hold this many numbers (128 MB); beyond it, only occupied cells are kept.
DENSE_CELLS = 2**24
# So many keys (8 MB) may wait before they are added up, however small the table.
LOOSE_KEYS = 2**20


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

    @classmethod
    def of(cls, keys: Index, sums: Array | None, size: int, width: int) -> Cells:
        """Sum up `sums` (1 each when None) by key; keys may repeat and stand in any order."""
        if size * width <= len(keys):
            return cls(size, width, _table(keys, sums, size * width), None)
        return cls.empty(size, width)._with_loose(((keys, sums),))

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
        if small.keys is None:
            return Cells(self.size, self.width, large.sums + small.sums, None)._with_loose(
                self.loose + other.loose
            )
        rest = ((small.keys, small.sums),) if len(small.keys) else ()
        return large._with_loose((*self.loose, *other.loose, *rest))

    def _with_loose(self, loose: tuple[Loose, ...]) -> Cells:
        merged = dataclasses.replace(self, loose=loose)
        waiting = sum(len(keys) for keys, _ in loose)
        enough = len(self.sums) if self.keys is not None else min(len(self.sums), 4 * LOOSE_KEYS)
        return merged.settled if waiting > max(LOOSE_KEYS, enough) else merged

    @functools.cached_property
    def settled(self) -> Cells:
        """The same sums with nothing loose."""
        if not self.loose:
            return self
        table = self.size * self.width
        held = len(self.sums) + sum(len(keys) for keys, _ in self.loose)
        if self.keys is None or table <= min(DENSE_CELLS, 8 * held):
            return self._settled_dense(table)
        keys, sums = self.keys, self.sums
        plain = [loose for loose, weights in self.loose if weights is None]
        if plain:
            counted = np.unique(np.concatenate(plain), return_counts=True)
            keys, sums = _union(keys, sums, counted[0], counted[1].astype(np.float64))
        weighted = [(loose, weights) for loose, weights in self.loose if weights is not None]
        if weighted:
            loose, weights = (np.concatenate(x) for x in zip(*weighted, strict=True))
            keys, sums = _union(keys, sums, loose, weights)
        return Cells(self.size, self.width, sums, keys)

    def _settled_dense(self, table: int) -> Cells:
        sums = self.sums
        if self.keys is not None:
            sums = np.zeros(table)
            sums[self.keys] = self.sums
        plain = [keys for keys, weights in self.loose if weights is None]
        if plain:
            sums = sums + np.bincount(np.concatenate(plain), minlength=table)
        for keys, weights in self.loose:  # a few batches
            if weights is not None:
                sums = sums + grouped_sum(keys, weights, table)
        return Cells(self.size, self.width, sums, None)

    def occupied(self) -> tuple[Index, Array]:
        """Keys, ascending, and sums of the cells that are not 0 (or that ever had a row)."""
        settled = self.settled
        if settled.keys is not None:
            return settled.keys, settled.sums
        keys = np.flatnonzero(settled.sums)
        return keys, settled.sums[keys]

    def relabel(self, index: Index, size: int) -> Cells:
        """Slice i becomes slice `index[i]` of `size`; no two slices become one."""
        if np.array_equal(index, np.arange(len(index))):
            if self.keys is not None:
                return dataclasses.replace(self, size=size)
            if size * self.width <= DENSE_CELLS:
                more = np.zeros((size - self.size) * self.width)
                return dataclasses.replace(self, size=size, sums=np.append(self.sums, more))
        keys, sums = self.occupied()
        slices = keys // self.width
        moved = index[slices] * self.width + keys - slices * self.width
        return Cells.of(moved, sums, size, self.width)

    def take(self, index: Index) -> Cells:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        settled = self.settled
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


def _table(keys: Index, sums: Array | None, cells: int) -> Array:
    if sums is None:
        return np.bincount(keys, minlength=cells).astype(np.float64)
    return grouped_sum(keys, sums, cells)


def _union(a_keys: Index, a_sums: Array, b_keys: Index, b_sums: Array) -> tuple[Index, Array]:
    """Sums by key of both, keys ascending."""
    keys, sums = np.concatenate([a_keys, b_keys]), np.concatenate([a_sums, b_sums])
    # The stable sort is the one that takes two runs in order as they are.
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.add.reduceat(sums[order], first) if len(first) else sums


class CellsStatistic(Statistic[Cells]):
    """A statistic whose state is a table of cells."""

    width: int

    def zero(self, size: int) -> Cells:
        return Cells.empty(size, self.width)

    def merge(self, a: Cells, b: Cells) -> Cells:
        return a.merge(b)

    def place(self, state: Cells, index: Index, size: int) -> Cells:
        return state.relabel(index, size)

    def take(self, state: Cells, index: Index) -> Cells:
        return state.take(index)
