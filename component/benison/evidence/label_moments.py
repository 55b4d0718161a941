# SPDX-License-Identifier: Apache-2.0
"""How labels vary in buckets of predictions: centred moments, which keep their digits far from zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from benison.data.batch import Array, Index, Inputs, Ragged
from benison.metrics.base import Statistic
from benison.metrics.plots import BucketSums
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.moments import joined_moments
from benison.metrics.statistics.outside import OutsideSums
from benison.metrics.statistics.scale import BINS, bins_of
from benison.slicing.codes import SliceCodes

_DENSE = 4  # a table of up to so many cells for each key is summed up whole, without sorting
_PENDING = 2**18  # so many cells, at least, wait before they are merged


@dataclasses.dataclass(frozen=True, eq=False)
class MomentRows:
    """Moments of the labels in cells.

    Attributes:
        keys: The cells, int64[n].
        weight: The sum of the squares of weights in each, float64[n].
        mean: The mean of the labels so weighted, float64[n].
        second: The sum of the squares of their distances from that mean, so weighted: float64[n].
    """

    keys: Index
    weight: Array
    mean: Array
    second: Array

    @classmethod
    def joined(cls, parts: Sequence[MomentRows], table: int) -> MomentRows:
        """Those of all parts, a row for each of `table` cells that has any; keys ascend.

        >>> rows = MomentRows(np.array([7, 2, 7]), np.ones(3), np.array([1e9, 5.0, 1e9 + 2]), np.zeros(3))
        >>> made = MomentRows.joined([rows], 8)
        >>> made.keys.tolist(), made.weight.tolist(), made.second.tolist()
        ([2, 7], [1.0, 2.0], [0.0, 2.0])
        """
        columns = [[vars(part)[field.name] for part in parts] for field in dataclasses.fields(cls)]
        keys, weight, mean, second = (np.concatenate(each) for each in columns)
        if not len(keys):
            return cls(keys, weight, mean, second)
        if table <= _DENSE * len(keys):
            cells, cell_of = np.arange(table), keys
        else:
            cells, cell_of = np.unique(keys, return_inverse=True)
        total, means, seconds = joined_moments(cell_of, len(cells), weight, mean, second)
        some = np.flatnonzero(total > 0)
        return cls(cells[some], total[some], means[some], seconds[some])


@dataclasses.dataclass(frozen=True, eq=False)
class CellMoments:
    """The moments of S slices x `width` cells, by `slice * width + cell`, in parts that wait to be joined."""

    size: int
    width: int
    parts: tuple[MomentRows, ...] = ()

    def compact(self) -> MomentRows:
        """One row for each cell that has any."""
        empty = MomentRows(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3)))
        return MomentRows.joined([empty, *self.parts], self.size * self.width)

    def with_parts(self, parts: Sequence[MomentRows]) -> CellMoments:
        """With more of them, joined where many wait."""
        more = CellMoments(self.size, self.width, (*self.parts, *parts))
        lengths = [len(part.keys) for part in more.parts]
        if sum(lengths) - max(lengths, default=0) <= max(_PENDING, max(lengths, default=0)):
            return more
        return CellMoments(self.size, self.width, (more.compact(),))


@dataclasses.dataclass(frozen=True)
class LabelMoments(Statistic[CellMoments]):
    """Moments of the labels in the cells of a statistic of sums, weighted by the squares of weights."""

    sums: BucketSums | OutsideSums

    @property
    def width(self) -> int:
        """Cells per slice."""
        return self.sums.buckets + 2 if isinstance(self.sums, BucketSums) else BINS

    def zero(self, size: int) -> CellMoments:
        return CellMoments(size, self.width)

    def add(self, inputs: Inputs, codes: SliceCodes) -> CellMoments:
        if inputs.labels.ndim != 1 or inputs.predictions.ndim != 1:
            return self.zero(codes.size)  # which the sums refuse
        if isinstance(self.sums, OutsideSums):
            rows = np.flatnonzero((inputs.predictions < 0) | (inputs.predictions >= 1))
            inputs, codes = inputs.take(rows), codes.take(rows)
        inputs, codes = heavy(inputs, codes)
        weights = np.ones(len(inputs)) if inputs.weights is None else inputs.weights**2
        columns = (weights, np.asarray(inputs.labels, np.float64), np.zeros(len(inputs)))
        table = codes.size * self.width
        parts = []
        for keys, of_part in codes.keys(self._cells(inputs.predictions), self.width):
            of_rows = columns if of_part is None else [column[of_part] for column in columns]
            parts.append(MomentRows.joined([MomentRows(keys, *of_rows)], table))
        return self.zero(codes.size).with_parts(parts)

    def _cells(self, predictions: Array) -> Index:
        if isinstance(self.sums, BucketSums):
            return self.sums.bucket(predictions)
        return bins_of(predictions).astype(np.int64)

    def merge(self, a: CellMoments, b: CellMoments) -> CellMoments:
        return a.with_parts(b.parts)

    def scatter(self, state: CellMoments, index: Index, size: int) -> CellMoments:
        parts = []
        for part in state.parts:
            slices, cells = np.divmod(part.keys, state.width)
            keys = index[slices] * state.width + cells
            parts.append(dataclasses.replace(part, keys=keys))
        return CellMoments(size, state.width, tuple(parts))

    def gather(self, state: CellMoments, index: Index) -> CellMoments:
        held = state.compact()
        begin = np.searchsorted(held.keys, np.arange(state.size + 1) * state.width)
        chosen = Ragged(np.arange(len(held.keys)), begin).take(index)
        slices, at = np.repeat(np.arange(len(index)), chosen.lengths), chosen.values
        keys = slices * state.width + held.keys[at] % state.width
        taken = MomentRows(keys, held.weight[at], held.mean[at], held.second[at])
        return CellMoments(len(index), state.width, (taken,))
