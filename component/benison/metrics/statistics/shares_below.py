# SPDX-License-Identifier: Apache-2.0
"""The shares of slices' weights that are below some scores, from the tables in which they were added up.

Scores are looked up some at a time: fresh memory for all of them would cost more than the look.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from benison.data.batch import Array, Index
from benison.metrics.base import ratio
from benison.metrics.statistics.cells import BLOCK_CELLS, CellPairs, Cells
from benison.metrics.statistics.pooled_scores import PooledScores
from benison.metrics.statistics.scale import BINS, PAGE_BITS, PAGES, bins_of

_PIECE = 2**14


class Places(NamedTuple):
    """Places in a table: int64[n] each.

    Attributes:
        rows: The row of the table, ascending.
        first: The pair of cells where the place starts.
        end: And where it ends.
        sides: Which of a pair is looked at.
    """

    rows: Index
    first: Index
    end: Index
    sides: Index


Look: TypeAlias = Callable[[Places], tuple[Array, Array]]
"""Gives what lies below places, those themselves by half, and in all of their rows: float64[n] each."""
Columns: TypeAlias = Callable[[Index], tuple[Index, Index]]


def shares_below(pooled: PooledScores, rows: Index, scores: Array, sides: Index) -> Array:
    """The share of the weights of a slice that is below a score's bin, the bin's own by half: float64[M].

    Args:
        pooled: The weights.
        rows: Which of its slices, int64[M], ascending.
        scores: The scores, without NaN.
        sides: Whose weights: 0 those of negatives, 1 those of positives.
    """
    below, total = np.zeros((2, len(rows)))
    pages = len(pooled.pages) << PAGE_BITS
    tables: tuple[tuple[Cells, int, Columns], ...] = (
        (pooled.cells.compact, pages, _columns_of(pooled.pages)),
        (pooled.rare.compact, BINS, lambda bins: (bins, bins + 1)),
    )
    for cells, width, columns in tables:
        for low, high, look in _looks(cells, width):
            start, stop = np.searchsorted(rows, (low, high)).tolist()
            for at in range(start, stop, _PIECE):
                own = slice(at, min(at + _PIECE, stop))
                sums = look(Places(rows[own], *columns(bins_of(scores[own])), sides[own]))
                below[own] += sums[0]
                total[own] += sums[1]
    return ratio(below, total)


def _columns_of(pages: Index) -> Columns:
    """Where bins start and end in a table of some pages; on others they have no width."""
    known = np.zeros(PAGES, np.int64)
    known[pages] = 1
    lower = (np.cumsum(known) - known) << PAGE_BITS

    def columns(bins: Index) -> tuple[Index, Index]:
        page = bins >> PAGE_BITS
        held = known[page]
        first = lower[page] + held * (bins & ((1 << PAGE_BITS) - 1))
        return first, first + held

    return columns


def _looks(cells: Cells, width: int) -> Iterator[tuple[int, int, Look]]:
    """How to look up places in the rows from one to another, of which the first `width` pairs count."""
    if cells.keys is None:
        step = max(1, BLOCK_CELLS // cells.width)
        for low in range(0, cells.size, step):
            rows = cells.sums[low * cells.width : (low + step) * cells.width]
            table = rows.reshape(-1, cells.width // 2, 2)[:, :width]
            yield low, low + len(table), _look_of_table(table, low)
        return
    low = 0
    for pairs in cells.pairs():
        pages = cells.width // 2 >> PAGE_BITS
        yield low, pairs.until, _look_of_pairs(pairs, low, pages, width >> PAGE_BITS)
        low = pairs.until


def _look_of_table(table: Array, low: int) -> Look:
    width = table.shape[1] + 1
    sums = np.zeros((len(table), width, 2))
    np.cumsum(table, axis=1, out=sums[:, 1:])

    def look(places: Places) -> tuple[Array, Array]:
        start = (places.rows - low) * width
        at = functools.partial(_at_side, sums, places.sides)
        return (at(start + places.first) + at(start + places.end)) / 2, at(start + width - 1)

    return look


def _look_of_pairs(pairs: CellPairs, low: int, pages: int, counted: int) -> Look:
    """Most places are on pages of a row without any weight, where none needs to be searched for."""
    sums = np.zeros((len(pairs.keys) + 1, 2))
    for side, of in enumerate((pairs.first, pairs.second)):
        np.cumsum(np.nan_to_num(of), out=sums[1:, side])
    starts = np.arange(low * pages, pairs.until * pages + 1) << PAGE_BITS
    starts = np.searchsorted(pairs.keys, starts)
    has_any, up_to_page = starts[1:] > starts[:-1], sums[starts]

    def look(places: Places) -> tuple[Array, Array]:
        at = functools.partial(_at_side, up_to_page, places.sides)
        row = (places.rows - low) * pages
        page = row + (places.first >> PAGE_BITS)
        below, held = at(page), np.flatnonzero(has_any[page])
        row_start = places.rows[held] * pages << PAGE_BITS
        first, end = (
            np.searchsorted(pairs.keys, row_start + of[held]) for of in (places.first, places.end)
        )
        at_keys = functools.partial(_at_side, sums, places.sides[held])
        below[held] = (at_keys(first) + at_keys(end)) / 2
        return below - at(row), at(row + counted) - at(row)

    return look


def _at_side(sums: Array, sides: Index, index: Index) -> Array:
    return np.asarray(sums.take(2 * index + sides))
