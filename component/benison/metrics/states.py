# SPDX-License-Identifier: Apache-2.0
"""This file is what adds up: sums, means, moments and cell counts, each over S slices at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from benison.extracts import Array, Inputs, SliceCodes
from benison.metrics.base import Index, Statistic

RowFunction: TypeAlias = Callable[[Inputs], Array]
Arrays: TypeAlias = tuple[Array, ...]

# A dense table of cells may hold this many numbers (128 MB); beyond it, only occupied cells are kept.
DENSE_CELLS = 2**24


class ArraysStatistic(Statistic[Arrays]):
    """A statistic whose state is a tuple of float64 arrays with S as their first axis, 0 at first."""

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each array behind the axis of slices."""
        return ((), ())

    def zero(self, size: int) -> Arrays:
        return tuple(np.zeros((size, *shape)) for shape in self.shapes())

    def merge(self, a: Arrays, b: Arrays) -> Arrays:
        return tuple(x + y for x, y in zip(a, b, strict=True))

    def place(self, state: Arrays, index: Index, size: int) -> Arrays:
        placed = self.zero(size)
        for target, source in zip(placed, state, strict=True):
            target[index] = source
        return placed

    def take(self, state: Arrays, index: Index) -> Arrays:
        return tuple(array[index] for array in state)


@dataclasses.dataclass(frozen=True)
class Count(ArraysStatistic):
    """Rows in each slice, whatever their weights."""

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        return (codes.count().astype(np.float64),)


@dataclasses.dataclass(frozen=True)
class Total(ArraysStatistic):
    """Weighted sum of a function of the row; the function is a module's, so that it is comparable."""

    of: RowFunction

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        return (codes.sum(inputs.weighted(self.of(inputs))),)


@dataclasses.dataclass(frozen=True)
class Mean(ArraysStatistic):
    """Weighted sum of a function of the row, and the sum of the weights it was taken over.

    With `where`, a function that gives 1 for a row that counts and 0 for one that does not.
    """

    of: RowFunction
    where: RowFunction | None = None

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        chosen = np.ones(len(inputs)) if self.where is None else self.where(inputs)
        weights = inputs.weighted(chosen)
        return codes.sum(weights * self.of(inputs)), codes.sum(weights)


@dataclasses.dataclass(frozen=True)
class Moments(ArraysStatistic):
    """Weight, means and centred second moments of labels (y) and predictions (p).

    The state is (n, mean y, mean p, M_yy, M_yp, M_pp). Centred moments keep their digits far from
    zero, where sums of squares lose all of them. Merge: Chan, Golub, LeVeque, "Updating formulae and
    a pairwise algorithm for computing sample variances", 1979.
    """

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * 6

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        y, p, w = inputs.labels, inputs.predictions, inputs.weights
        n = codes.sum(inputs.weighted(np.ones(len(inputs))))
        mean_y, mean_p = (_mean(codes.sum(inputs.weighted(x)), n) for x in (y, p))
        return (
            n,
            mean_y,
            mean_p,
            codes.comoment(y, y, (mean_y, mean_y), w),
            codes.comoment(y, p, (mean_y, mean_p), w),
            codes.comoment(p, p, (mean_p, mean_p), w),
        )

    def merge(self, a: Arrays, b: Arrays) -> Arrays:
        n = a[0] + b[0]
        share = np.divide(b[0], n, out=np.zeros_like(n), where=n != 0)
        dy, dp = b[1] - a[1], b[2] - a[2]
        shift = a[0] * share
        crossed = (dy * dy, dy * dp, dp * dp)
        second = (x + y + d * shift for x, y, d in zip(a[3:], b[3:], crossed, strict=True))
        return n, a[1] + dy * share, a[2] + dp * share, *second


def _mean(total: Array, n: Array) -> Array:
    """0 for a slice without weight, so that no NaN enters a later merge."""
    return np.divide(total, n, out=np.zeros_like(n), where=n != 0)


@dataclasses.dataclass(frozen=True)
class Cells:
    """Sums over S slices x `width` cells: all of them (dense), or the occupied ones alone (sparse).

    `keys` is None and `sums` is float64[S * width], or `keys` is int64[n], ascending, each
    `slice * width + cell`, and `sums` is float64[n]. Which of the two depends only on what is held.
    """

    size: int
    width: int
    sums: Array
    keys: Index | None = None

    @classmethod
    def of(cls, keys: Index, sums: Array | None, size: int, width: int) -> Cells:
        """Sum up `sums` (1 each when None) by key; keys may repeat and stand in any order."""
        if size * width <= min(DENSE_CELLS, 8 * len(keys)):
            table = np.bincount(keys, sums, minlength=size * width)
            return cls(size, width, np.asarray(table, np.float64))
        if sums is None:
            unique, counts = np.unique(keys, return_counts=True)
            return cls(size, width, counts.astype(np.float64), unique)
        unique, inverse = np.unique(keys, return_inverse=True)
        return cls(size, width, np.bincount(inverse, sums, len(unique)).astype(np.float64), unique)

    def occupied(self) -> tuple[Index, Array]:
        """Keys, ascending, and sums of the cells that are not 0 (or that ever had a row)."""
        if self.keys is not None:
            return self.keys, self.sums
        keys = np.flatnonzero(self.sums)
        return keys, self.sums[keys]

    def merge(self, other: Cells) -> Cells:
        """The sums of both, which must have one size and width."""
        if self.keys is None and other.keys is None:
            return dataclasses.replace(self, sums=self.sums + other.sums)
        if self.keys is None or other.keys is None:
            dense, sparse = (self, other) if self.keys is None else (other, self)
            sums = dense.sums.copy()
            sums[sparse.keys] += sparse.sums  # the keys of a sparse table are distinct
            return dataclasses.replace(dense, sums=sums)
        keys, sums = (
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.sums, other.sums]),
        )
        return Cells.of(keys, sums, self.size, self.width)

    def relabel(self, index: Index, size: int) -> Cells:
        """Slice i becomes slice `index[i]` of `size`; slices with a negative index are dropped."""
        keys, sums = self.occupied()
        slices = index[keys // self.width]
        kept = slices >= 0
        return Cells.of(
            (slices * self.width + keys % self.width)[kept], sums[kept], size, self.width
        )

    def dense(self) -> Array:
        """float64[S, width]; for few slices or few cells."""
        sums = self.sums
        if self.keys is not None:
            sums = np.zeros(self.size * self.width)
            sums[self.keys] = self.sums
        return sums.reshape(self.size, self.width)


class CellsStatistic(Statistic[Cells]):
    """A statistic whose state is a table of cells."""

    width: int

    def zero(self, size: int) -> Cells:
        return Cells(size, self.width, np.zeros(0), np.zeros(0, np.int64))

    def merge(self, a: Cells, b: Cells) -> Cells:
        return a.merge(b)

    def place(self, state: Cells, index: Index, size: int) -> Cells:
        return state.relabel(index, size)

    def take(self, state: Cells, index: Index) -> Cells:
        places = np.full(state.size, -1, np.int64)
        places[index] = np.arange(len(index))
        return state.relabel(places, len(index))
