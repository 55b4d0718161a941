# SPDX-License-Identifier: Apache-2.0
"""Sums of the rows whose predictions are no probabilities, from which buckets on their range are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Index
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.cells import Cells, CellsStatistic, divided
from benison.metrics.statistics.equal_runs import starts
from benison.metrics.statistics.scale import BINS, bins_of, edges_of
from benison.slicing.codes import SliceCodes

_TAIL = 0.01  # of the weight may lie below the least bucket, and above the last
_ROUNDING = 1e-9
_LARGEST = 1e300


@dataclasses.dataclass(frozen=True)
class OutsideSums(CellsStatistic):
    """Sums of labels, predictions and weights outside [0, 1) by bin of the scale: cells `3 * bin + which`.

    Rows without a prediction are in none.
    """

    width: int = 3 * BINS

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        predictions = inputs.predictions
        if inputs.labels.ndim != 1 or predictions.ndim != 1:
            return self.zero(codes.size)
        rows = np.flatnonzero((predictions < 0) | (predictions >= 1))
        if not len(rows):
            return self.zero(codes.size)
        inputs, codes = heavy(inputs.take(rows), codes.take(rows))
        cells, sums = 3 * bins_of(inputs.predictions), self.zero(codes.size)
        for which, values in enumerate((inputs.labels, inputs.predictions, np.ones(len(inputs)))):
            weighted = inputs.weighted(values)
            sums = sums.merge(Cells.grouped(cells + which, weighted, codes, self.width))
        return sums

    def by_slice(self, cells: Cells) -> Iterator[tuple[int, Index, Array]]:
        """Each slice with such rows, its occupied bins, int64[n], and their sums, float64[n, 3]."""
        keys, sums = cells.occupied()
        slices, columns = divided(keys, self.width)
        first = starts(slices)
        parts = (np.split(each, first[1:]) for each in (slices, columns, sums))
        for own, column, of_slice in zip(*parts, strict=True) if len(keys) else ():
            bins, position = np.unique(column // 3, return_inverse=True)
            table = np.zeros((len(bins), 3))
            table[position, column % 3] = of_slice
            yield int(own[0]), bins, table


def are_most(bins: Index, weights: Array, total: float) -> bool:
    """Whether more than half of a weight is outside [0, 1] itself.

    Args:
        bins: Those outside [0, 1), int64[n].
        weights: Theirs, from 0 up, float64[n].
        total: That of all rows of the slice; NaN, where one has no prediction, is never halved.

    >>> are_most(bins_of(np.array([1.0, 40.0])), np.array([3.0, 4.0]), 7.5)
    True
    """
    at_1 = bins == bins_of(np.ones(1))[0]
    return bool(weights[~at_1].sum() > total / 2)


def positions_of(bins: Index) -> Array:
    """The least score of each bin, finite: float64[n]."""
    return np.clip(edges_of(bins), -_LARGEST, _LARGEST)


def range_of(positions: Array, weights: Array) -> tuple[float, float]:
    """Round numbers around all but a hundredth of the weight at either end.

    They are whole multiples of the power of ten that goes ten to a hundred times into the distance of the
    two percentiles, so that edges of buckets are numbers that people read, and a far row squeezes no others.

    Args:
        positions: Where weights are, in any order: float64[n].
        weights: From 0 up, not all 0: float64[n].

    >>> range_of(np.array([12.0, 31.7, 55.1]), np.ones(3))
    (12.0, 56.0)
    >>> range_of(np.array([-3.04]), np.ones(1))
    (-3.1, -3.0)
    """
    order = np.argsort(positions, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    ends = np.searchsorted(share, [_TAIL + _ROUNDING, 1 - _TAIL - _ROUNDING])
    low, high = positions[order][np.minimum(ends, len(order) - 1)]
    span = high - low or abs(low) or 1.0
    step = 10.0 ** (np.floor(np.log10(span)) - 1)
    return _rounded(np.floor(low / step) * step), _rounded((np.floor(high / step) + 1) * step)


def _rounded(number: float) -> float:
    return float(f"{number:.12g}")
