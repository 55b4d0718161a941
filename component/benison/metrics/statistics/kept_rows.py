# SPDX-License-Identifier: Apache-2.0
"""The rows of each slice, for metrics that are not sums: any function of labels and predictions.

The only state that grows with the rows. A slice that has too many for it has no value, since a sample
would make a value that depends on the order of the rows.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Inputs, Ragged
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import heavy
from benison.slicing.codes import SliceCodes


@dataclasses.dataclass(frozen=True, eq=False)
class KeptRows:
    """Rows by slice: those of slice i are `offsets[i]` to `offsets[i + 1]` of the columns.

    Attributes:
        counts: The rows that came, int64[S]; a slice with more than the limit keeps none of them.
        offsets: Where the rows of each slice begin, and where the last end, int64[S + 1].
        labels: The labels of M rows, as they were in `Inputs`; None before there was a row.
        predictions: Their predictions.
        weights: Their weights, float64[M]; None where the inputs had none.
        groups: Their queries, Arrow strings; None where the inputs had none.
    """

    counts: Index
    offsets: Index
    labels: Any = None
    predictions: Any = None
    weights: Array | None = None
    groups: pa.Array | None = None

    @property
    def slices(self) -> Index:
        """The slice of each row: int64[M], ascending."""
        return np.repeat(np.arange(len(self.counts)), np.diff(self.offsets))

    def of_slice(self, i: int) -> Inputs:
        """The rows of slice i."""
        rows = np.arange(self.offsets[i], self.offsets[i + 1])
        return Inputs(self.labels, self.predictions, self.weights, groups=self.groups).take(rows)


@dataclasses.dataclass(frozen=True)
class Rows(Statistic[KeptRows]):
    """Every row of a slice, up to `limit` of them; a slice with more keeps none, never a sample.

    A row takes about 8 bytes for each number that is kept, in each of its slices.

    Attributes:
        limit: The most rows of a slice, from 1 up.

    >>> rows = Rows(2).add(Inputs.of([1, 2, 3], [4, 5, 6]), SliceCodes.of([0, 1, 1], 2))
    >>> rows.of_slice(1).labels
    array([2., 3.])
    """

    limit: int

    def zero(self, size: int) -> KeptRows:
        return KeptRows(np.zeros(size, np.int64), np.zeros(size + 1, np.int64))

    def add(self, inputs: Inputs, codes: SliceCodes) -> KeptRows:
        inputs, codes = heavy(inputs, codes)
        rows = [np.arange(len(c)) if r is None else r for r, c in codes.parts]
        all_rows = np.concatenate([*rows, np.zeros(0, np.int64)])
        slices = np.concatenate([*(c for _, c in codes.parts), np.zeros(0, np.int64)])
        return self._kept(slices, inputs.take(all_rows), codes.count())

    def merge(self, a: KeptRows, b: KeptRows) -> KeptRows:
        if a.labels is None or b.labels is None:
            some = b if a.labels is None else a
            return dataclasses.replace(some, counts=a.counts + b.counts)
        both = Inputs(
            joined(a.labels, b.labels),
            joined(a.predictions, b.predictions),
            None if a.weights is None or b.weights is None else joined(a.weights, b.weights),
            groups=None if a.groups is None or b.groups is None else joined(a.groups, b.groups),
        )
        return self._kept(np.concatenate([a.slices, b.slices]), both, a.counts + b.counts)

    def _kept(self, slices: Index, inputs: Inputs, counts: Index) -> KeptRows:
        """The rows in the order of their slices, without those of slices that have too many."""
        order = np.argsort(slices, kind="stable")
        order = order[counts[slices[order]] <= self.limit]
        kept = inputs.take(order)
        sizes = np.bincount(slices[order], minlength=len(counts))
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        return KeptRows(counts, offsets, kept.labels, kept.predictions, kept.weights, kept.groups)

    def scatter(self, state: KeptRows, index: Index, size: int) -> KeptRows:
        counts = np.zeros(size, np.int64)
        counts[index] = state.counts
        if state.labels is None:
            return KeptRows(counts, np.zeros(size + 1, np.int64))
        return self._kept(index[state.slices], _inputs(state), counts)

    def gather(self, state: KeptRows, index: Index) -> KeptRows:
        counts = state.counts[index]
        if state.labels is None:
            return KeptRows(counts, np.zeros(len(index) + 1, np.int64))
        chosen = Ragged(np.arange(state.offsets[-1]), state.offsets).take(index)
        kept = _inputs(state).take(chosen.values)
        return KeptRows(
            counts, chosen.offsets, kept.labels, kept.predictions, kept.weights, kept.groups
        )


def _inputs(state: KeptRows) -> Inputs:
    return Inputs(state.labels, state.predictions, state.weights, groups=state.groups)


def joined(a: Any, b: Any) -> Any:
    """Two columns, the second after the first: arrays, Arrow arrays or `Ragged`, both of one kind.

    An empty column may have another number of dimensions, as that of a batch without rows has.
    """
    if isinstance(a, Ragged):
        offsets = np.concatenate([a.offsets, a.offsets[-1] + b.offsets[1:]])
        return Ragged(joined(a.values, b.values), offsets)
    if isinstance(a, pa.Array):
        return pa.concat_arrays([a, b])
    return np.concatenate([a, b]) if len(a) and len(b) else (a if len(a) else b)
