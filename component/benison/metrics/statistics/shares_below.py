# SPDX-License-Identifier: Apache-2.0
"""The shares of slices' weights that are below some bins, from the tables in which they were added up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benison.data.batch import Array, Index
from benison.metrics.base import ratio
from benison.metrics.statistics.cells import BLOCK_CELLS, CellPairs, Cells
from benison.metrics.statistics.pooled_scores import PooledScores
from benison.metrics.statistics.scale import BINS, PAGE_BITS, PAGES


class Places(NamedTuple):
    """M places in a table: its row, ascending, the pairs of cells from `first` to `end`, and which of a pair.

    All of them are int64[M].
    """

    rows: Index
    first: Index
    end: Index
    sides: Index

    def at(self, part: slice) -> Places:
        """Those of a part."""
        return Places(*(of[part] for of in self))


def shares_below(pooled: PooledScores, rows: Index, bins: Index, sides: Index) -> Array:
    """The share of the weights of a slice that is below a bin, that of the bin itself by half: float64[M].

    Args:
        pooled: The weights.
        rows: Which of its slices, int64[M], ascending.
        bins: The bins.
        sides: Whose weights: 0 those of negatives, 1 those of positives.
    """
    pages = len(pooled.pages) << PAGE_BITS
    columns = _columns(pooled.pages, bins)
    below, total = _sums(pooled.cells.compact, pages, Places(rows, *columns, sides))
    rare = _sums(pooled.rare.compact, BINS, Places(rows, bins, bins + 1, sides))
    return ratio(below + rare[0], total + rare[1])


def _columns(pages: Index, bins: Index) -> tuple[Index, Index]:
    """Where a bin starts and ends in a table of some pages; on others it has no width."""
    known = np.zeros(PAGES, np.int64)
    known[pages] = 1
    lower, page = np.cumsum(known) - known, bins >> PAGE_BITS
    held = known[page]
    first = (lower[page] << PAGE_BITS) + held * (bins & ((1 << PAGE_BITS) - 1))
    return first, first + held


def _sums(cells: Cells, width: int, places: Places) -> tuple[Array, Array]:
    """What lies below each place, and in all of the first `width` pairs of its row: float64[M] each."""
    below, total = np.zeros((2, len(places.rows)))
    step = max(1, BLOCK_CELLS // cells.width)
    if cells.keys is None:
        begin = np.searchsorted(places.rows, np.arange(0, cells.size + step, step))
        for i, start in enumerate(range(0, cells.size, step)):
            own = slice(begin[i], begin[i + 1])
            table = cells.sums[start * cells.width : (start + step) * cells.width]
            below[own], total[own] = _of_table(table, cells.width, width, start, places.at(own))
        return below, total
    start = 0
    for pairs in cells.pairs():
        end = int(np.searchsorted(places.rows, pairs.until))
        own = slice(start, end)
        below[own], total[own] = _of_pairs(pairs, cells.width // 2, width, places.at(own))
        start = end
    return below, total


def _of_table(
    table: Array, cells: int, width: int, start: int, places: Places
) -> tuple[Array, Array]:
    rows = table.reshape(-1, cells // 2, 2)[:, :width]
    sums = np.zeros((len(rows), width + 1, 2))
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    base = 2 * (width + 1) * (places.rows - start) + places.sides
    first, end, last = (sums.take(base + 2 * at) for at in (places.first, places.end, width))
    return (first + end) / 2, last


def _of_pairs(pairs: CellPairs, columns: int, width: int, places: Places) -> tuple[Array, Array]:
    sums = np.zeros((len(pairs.keys) + 1, 2))
    for side, of in enumerate((pairs.first, pairs.second)):
        np.cumsum(np.nan_to_num(of), out=sums[1:, side])
    row = places.rows * columns
    ends = np.stack([row, row + places.first, row + places.end, row + width])
    none, first, end, last = sums[np.searchsorted(pairs.keys, ends), places.sides]
    return (first + end) / 2 - none, last - none
