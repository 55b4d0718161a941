# SPDX-License-Identifier: Apache-2.0
"""The shares of slices' weights that are below some scores, from the tables in which they were added up.

Scores are looked up some at a time: fresh memory for all of them would cost more than the look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

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


class Look(NamedTuple):
    """How to look up places in the rows of a table from `low` to `high`.

    Attributes:
        totals: The sums of both sides of each row, float64[high - low, 2].
        below: Gives what lies below places, those themselves by half: float64[n].
    """

    low: int
    high: int
    totals: Array
    below: Callable[[Places], Array]


Columns: TypeAlias = Callable[[Index], tuple[Index, Index]]


def shares_below(pooled: PooledScores, rows: Index, scores: Array, sides: Index) -> Array:
    """The share of the weights of a slice that is below a score's bin, the bin's own by half: float64[M].

    Args:
        pooled: The weights.
        rows: Which of its slices, int64[M], ascending.
        scores: The scores, without NaN.
        sides: Whose weights: 0 those of negatives, 1 those of positives.
    """
    bins = bins_of(scores)
    below, totals = np.zeros(len(rows)), np.zeros((len(pooled.slices), 2))
    tables: tuple[tuple[Cells, int, Columns], ...] = (
        (pooled.cells.compact, len(pooled.pages) << PAGE_BITS, _columns_of(pooled.pages)),
        (pooled.rare.compact, BINS, lambda bins: (bins, bins + 1)),
    )
    for cells, width, columns in tables:
        for look in _looks(cells, width):
            totals[look.low : look.high] += look.totals
            start, stop = np.searchsorted(rows, (look.low, look.high)).tolist()
            for at in range(start, stop, _PIECE):
                own = slice(at, min(at + _PIECE, stop))
                below[own] += look.below(Places(rows[own], *columns(bins[own]), sides[own]))
    return ratio(below, _at_side(totals, sides, rows))


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


def _looks(cells: Cells, width: int) -> Iterator[Look]:
    """The looks at the rows of a table, of which the first `width` pairs count."""
    if cells.keys is None:
        step = max(1, BLOCK_CELLS // cells.width)
        for low in range(0, cells.size, step):
            rows = cells.sums[low * cells.width : (low + step) * cells.width]
            table = rows.view(np.complex128).reshape(-1, cells.width // 2)
            yield _look_of_table(table[:, :width], low)
        return
    low = 0
    for pairs in cells.pairs():
        yield _look_of_pairs(pairs, low, cells.width // 2 >> PAGE_BITS, width >> PAGE_BITS)
        low = pairs.until


def _look_of_table(table: npt.NDArray[np.complex128], low: int) -> Look:
    """At pairs as complex numbers, of which both parts are added up in half the time."""
    width = table.shape[1] + 1
    pairs = np.zeros((len(table), width), np.complex128)
    np.cumsum(table, axis=1, out=pairs[:, 1:])
    sums = pairs.view(np.float64).reshape(len(table), width, 2)

    def below(places: Places) -> Array:
        start = (places.rows - low) * width
        ends = (start + places.first, start + places.end)
        return np.asarray(sum(_at_side(sums, places.sides, end) for end in ends) / 2)

    return Look(low, low + len(table), sums[:, -1], below)


def _look_of_pairs(pairs: CellPairs, low: int, pages: int, counted: int) -> Look:
    """Most places are on pages of a row without any weight, where none needs to be searched for."""
    sums = np.zeros((len(pairs.keys) + 1, 2))
    for side, of in enumerate((pairs.first, pairs.second)):
        np.cumsum(np.nan_to_num(of), out=sums[1:, side])
    held = np.zeros(pages, np.bool_)
    held[(pairs.keys >> PAGE_BITS) % pages] = True
    held[counted:] = False
    rank: Index = np.cumsum(held) - held
    rows = np.arange(low, pairs.until)
    columns = np.append(np.flatnonzero(held), counted)
    starts = np.searchsorted(pairs.keys, (rows[:, None] * pages + columns) << PAGE_BITS)
    row_starts = np.searchsorted(pairs.keys, rows * pages << PAGE_BITS)
    up_to_page = sums[starts] - sums[row_starts][:, None]

    def below(places: Places) -> Array:
        page, row = places.first >> PAGE_BITS, places.rows - low
        shares = _at_side(up_to_page, places.sides, row * len(columns) + rank[page])
        at = np.flatnonzero(held[page])
        row_start = places.rows[at] * pages << PAGE_BITS
        ends = (
            np.searchsorted(pairs.keys, row_start + of[at]) for of in (places.first, places.end)
        )
        sides = places.sides[at]
        inside = sum(_at_side(sums, sides, end) for end in ends) / 2
        shares[at] = inside - _at_side(sums, sides, row_starts[row[at]])
        return shares

    return Look(low, pairs.until, up_to_page[:, -1], below)


def _at_side(sums: Array, sides: Index, index: Index) -> Array:
    return np.asarray(sums.take(2 * index + sides))
