# SPDX-License-Identifier: Apache-2.0
"""Adds up the losses of rows in cells of combinations of features, in two halves of the rows.

The half of a row, and whether it is in the sample, are functions of its number alone, so that sums do not
depend on engines, workers or order.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index
from benison.data.mixing import Numbers
from benison.weak_slices.layout import Layout

AnyCodes: TypeAlias = npt.NDArray[np.int16] | npt.NDArray[np.int64]

SAMPLED = 100_000
HALVES = 2

_CHUNK = 2**16  # what is worked on fits into a processor's cache
_MOMENTS = 3  # the number of rows, the sum and the sum of squares


@dataclasses.dataclass(frozen=True)
class RowSample:
    """The rows with the smallest hashes: uint64[m], codes int16[m, features], losses float64[m]."""

    hashes: Numbers
    codes: npt.NDArray[np.int16]
    losses: Array

    @classmethod
    def empty(cls, features: int) -> RowSample:
        """Of no rows."""
        return cls(np.zeros(0, np.uint64), np.zeros((0, features), np.int16), np.zeros(0))

    def merge(self, other: RowSample) -> RowSample:
        """The `SAMPLED` rows of both with the smallest hashes."""
        parts = zip(self._columns, other._columns, strict=True)
        hashes, codes, losses = (np.concatenate(part) for part in parts)
        if len(hashes) > SAMPLED:
            kept = np.argpartition(hashes, SAMPLED)[:SAMPLED]
            hashes, codes, losses = hashes[kept], codes[kept], losses[kept]
        return RowSample(hashes, codes, losses)

    @property
    def _columns(self) -> tuple[Any, ...]:
        return self.hashes, self.codes, self.losses

    def ordered(self) -> RowSample:
        """The rows in the order of their hashes, which is the same however they were merged."""
        order = np.lexsort((self.losses, *self.codes.T, self.hashes))
        return RowSample(self.hashes[order], self.codes[order], self.losses[order])

    @property
    def halves(self) -> npt.NDArray[np.int64]:
        """The half of each row: int64[m] of 0 and 1."""
        return half_of(self.hashes)


def half_of(hashes: Numbers) -> npt.NDArray[np.int64]:
    """The half of rows by their lowest bit, which says nothing of who is in the sample."""
    return (hashes & np.uint64(1)).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class CellSums:
    """The state: sums by half and cell, and the sample.

    `sums` is float64[channels, cells]. Losses that are whole numbers from `levels[0]` to `levels[1]` are
    counted, a channel for each half and level, which makes sums exact; of others a half has three channels:
    rows, sum and sum of squares.
    """

    layout: Layout
    levels: tuple[int, int] | None
    sums: Array
    sample: RowSample
    reference: Array
    """Rows, and the sum of the loss by whose mean effects are measured: float64[2]."""

    @classmethod
    def zero(cls, layout: Layout, levels: tuple[int, int] | None) -> CellSums:
        """Of no rows."""
        channels = HALVES * (_MOMENTS if levels is None else levels[1] - levels[0] + 1)
        sums = np.zeros((channels, layout.num_cells))
        return cls(layout, levels, sums, RowSample.empty(len(layout.sizes)), np.zeros(2))

    def merge(self, other: CellSums) -> CellSums:
        """Of the rows of both."""
        return dataclasses.replace(
            self,
            sums=self.sums + other.sums,
            sample=self.sample.merge(other.sample),
            reference=self.reference + other.reference,
        )

    def add(self, hashes: Numbers, codes: AnyCodes, losses: Array, reference: Array) -> CellSums:
        """With more rows; the sums are changed in place.

        Args:
            hashes: Of the numbers of the rows, uint64[N].
            codes: Of the features, whole numbers [features, N].
            losses: float64[N], finite.
            reference: The losses by whose mean effects are measured, float64[N].
        """
        for start in range(0, len(losses), _CHUNK):
            part = slice(start, start + _CHUNK)
            chunk = codes[:, part].astype(np.int64)
            self._add_chunk(half_of(hashes[part]), chunk, losses[part])
        own = np.array([len(losses), reference.sum()])
        return dataclasses.replace(
            self,
            sample=self._sampled(hashes, codes, losses),
            reference=self.reference + own,
        )

    def _sampled(self, hashes: Numbers, codes: AnyCodes, losses: Array) -> RowSample:
        if len(self.sample.hashes) == SAMPLED:
            near = np.flatnonzero(hashes < self.sample.hashes.max())
            hashes, codes, losses = hashes[near], codes[:, near], losses[near]
        rows = RowSample(hashes, codes.T.astype(np.int16), losses)
        return self.sample.merge(rows)

    def _add_chunk(self, halves: Index, codes: Index, losses: Array) -> None:
        """Add up a chunk of rows in each combination; what combinations share is computed once."""
        inner, weights = self._channels(halves, losses)
        channels = self._inner_channels
        sizes, depth = self.layout.sizes, self.layout.depth
        last = [codes[f] * channels + inner for f in range(len(sizes))]
        starts = iter(self.layout.starts)
        for first in itertools.combinations(range(len(sizes)), depth - 1):
            outer = _outer(codes, first, sizes)
            for feature in range(first[-1] + 1 if first else 0, len(sizes)):
                width = sizes[feature] * channels
                cells = last[feature] if outer is None else outer * width + last[feature]
                size = width * int(np.prod([sizes[f] for f in first], dtype=np.int64))
                self._put(next(starts), cells, size, weights)

    @property
    def _inner_channels(self) -> int:
        return HALVES if self.levels is None else len(self.sums)

    def _channels(self, halves: Index, losses: Array) -> tuple[Index, tuple[Array, ...]]:
        """The channel in which a row is counted, and by what it is weighed in others."""
        if self.levels is None:
            return halves, (losses, losses * losses)
        low, high = self.levels
        return halves * (high - low + 1) + (losses.astype(np.int64) - low), ()

    def _put(self, start: int, cells: Index, size: int, weights: tuple[Array, ...]) -> None:
        inner = self._inner_channels
        span = slice(start, start + size // inner)
        for i, weight in enumerate((None, *weights)):
            counted = np.bincount(cells, weight, size).reshape(-1, inner).T
            self.sums[i * inner : (i + 1) * inner, span] += counted

    def moments(self) -> Array:
        """Rows, sum and sum of squares of the losses of each cell: float64[3, halves, cells]."""
        if self.levels is None:
            return self.sums.reshape(_MOMENTS, HALVES, -1)
        low, high = self.levels
        values = np.arange(low, high + 1.0)
        counts = self.sums.reshape(HALVES, len(values), -1)
        return np.stack([np.einsum("hlc,l->hc", counts, values**power) for power in range(3)])


def _outer(codes: Index, features: tuple[int, ...], sizes: tuple[int, ...]) -> Index | None:
    outer: Index | None = None
    for feature in features:
        outer = codes[feature] if outer is None else outer * sizes[feature] + codes[feature]
    return outer
