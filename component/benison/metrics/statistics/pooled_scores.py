# SPDX-License-Identifier: Apache-2.0
"""The weights of slices with many scores, by the bins of the scale.

A table of slices x bins would have millions of cells for a slice, while scores of a model lie close
together: between 0 and 1, or around 0 for log-odds. So the scale is cut into pages of 1,024 bins, and the
table has those pages alone on which scores lie.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benison.data.batch import Index, Mask
from benison.metrics.statistics.binary import BinaryRows, Weights
from benison.metrics.statistics.cells import PENDING_KEYS, CellPairs, Cells
from benison.metrics.statistics.orders import order_of
from benison.metrics.statistics.scale import BIN_BITS, BINS, PAGE_BITS, PAGES, bins_of

_PAGE_CELLS = 2 << PAGE_BITS  # a negative and a positive one for each bin
# A page with less than one in so many rows is no page of the table: its 16 kB for each slice would be empty.
_RARE = 32
_SAMPLE = 2**16


@dataclasses.dataclass(frozen=True, eq=False)
class PooledScores:
    """Weights of negatives and positives by bin of the scale, for B of all slices.

    `slices` are their numbers, int64[B], ascending. The table `cells` has the pages of the scale on which
    most scores lie: `pages`, int64[P], ascending, and one more, on which rows of all other pages end up;
    these count in `rare` instead. Cells of both are `2 * bin + positive`, where the bins of `cells`
    are those of its own pages.
    """

    slices: Index
    pages: Index
    cells: Cells
    rare: Cells

    @classmethod
    def empty(cls, slices: Index, pages: Index) -> PooledScores:
        """Of no rows."""
        size = len(slices)
        cells = Cells.empty(size, (len(pages) + 1) * _PAGE_CELLS)
        return cls(slices, pages, cells, Cells.empty(size, 2 << BIN_BITS))

    @classmethod
    def for_rows(cls, slices: Index, batches: Sequence[BinaryRows]) -> PooledScores:
        """Of no rows, with the pages that most rows of some batches are on."""
        # A sample tells; what it misses counts in `rare` and is right there too.
        step = sum(map(len, batches)) // _SAMPLE + 1
        pages = [bins_of(rows.scores[::step]) >> PAGE_BITS for rows in batches]
        counts = np.sum([np.bincount(of, minlength=PAGES) for of in pages], axis=0)
        return cls.empty(slices, _common(counts))

    @classmethod
    def of(cls, weights: Weights) -> PooledScores:
        """From weights by slice and bin; a pair of these may be there more than once.

        They come from slices that were exact until now.
        """
        slices, page = np.unique(weights.slices), weights.bins >> PAGE_BITS
        pages = _common(np.bincount(page, minlength=PAGES))
        none = cls.empty(slices, pages)
        ranks = np.searchsorted(slices, weights.slices)
        keys = ranks * none.cells.width + none._offsets[page] + 2 * weights.bins
        in_table = np.isin(page, pages)
        rare = ranks * none.rare.width + 2 * weights.bins
        cells = _both_sides(none.cells, keys, weights, in_table)
        return cls(slices, pages, cells, _both_sides(none.rare, rare, weights, ~in_table))

    def __reduce__(self) -> tuple[Any, ...]:
        return PooledScores, (self.slices, self.pages, self.cells, self.rare)

    def add(self, rows: BinaryRows) -> PooledScores:
        """With the rows of a batch, which are in slices of these alone.

        Rows on pages that the table has are counted there. When too many rare rows have come, the table gets
        their pages.
        """
        bins = bins_of(rows.scores).astype(np.int32)
        cells = self._offsets.take(bins >> PAGE_BITS)
        bins *= 2
        cells += bins
        absent = cells >= len(self.pages) * _PAGE_CELLS
        cells += rows.positive
        grown = dataclasses.replace(self, cells=self._grouped(self.cells, rows, cells))
        if not absent.any():
            return grown
        at = np.flatnonzero(absent)
        few = rows.take(at)
        rare = self._grouped(self.rare, few, bins[at] + few.positive)
        grown = dataclasses.replace(grown, rare=rare)
        return grown._with_rare() if rare.waiting > PENDING_KEYS else grown

    def _grouped(self, total: Cells, rows: BinaryRows, cells: npt.NDArray[np.int32]) -> Cells:
        ranks = np.zeros(rows.codes.size, np.int64)
        ranks[self.slices] = np.arange(total.size)
        codes = rows.codes.relabelled(ranks, total.size)
        return total.merge(Cells.grouped(cells, rows.weights, codes, total.width))

    @functools.cached_property
    def _offsets(self) -> npt.NDArray[np.int32]:
        """What added to twice a bin of the scale makes its cell in the table, for each page: int32[PAGES].

        A page that the table lacks leads to the last page of the table, whose rows count in `rare`.
        """
        ranks = np.full(PAGES, len(self.pages))
        ranks[self.pages] = np.arange(len(self.pages))
        return ((ranks - np.arange(PAGES)) * _PAGE_CELLS).astype(np.int32)

    def merge(self, other: PooledScores) -> PooledScores:
        """The weights of both, in a table that has the slices and the pages of both."""
        if not len(self.slices) or not len(other.slices):
            return self if len(self.slices) else other
        slices = np.union1d(self.slices, other.slices)
        pages = np.union1d(self.pages, other.pages)
        a, b = self._on(slices, pages), other._on(slices, pages)
        return PooledScores(slices, pages, a.cells.merge(b.cells), a.rare.merge(b.rare))

    def _on(self, slices: Index, pages: Index) -> PooledScores:
        """The same for more slices and pages, which these are among."""
        if len(slices) == len(self.slices) and len(pages) == len(self.pages):
            return self
        ranks = np.searchsorted(slices, self.slices)
        columns = np.append(np.searchsorted(pages, self.pages), len(pages))
        # The pages of a slice are moved as slices are.
        index = (ranks[:, None] * (len(pages) + 1) + columns).reshape(-1)
        moved = dataclasses.replace(self.cells, size=len(index), width=_PAGE_CELLS)
        moved = moved.relabel(index, len(slices) * (len(pages) + 1))
        width = (len(pages) + 1) * _PAGE_CELLS
        cells = dataclasses.replace(moved, size=len(slices), width=width)
        return PooledScores(slices, pages, cells, self.rare.relabel(ranks, len(slices)))

    def _with_rare(self) -> PooledScores:
        """The same with all pages in the table, as they are not so rare."""
        keys, sums = self.rare.occupied()
        rank, cell = keys >> (BIN_BITS + 1), keys & ((2 << BIN_BITS) - 1)
        pages = np.flatnonzero(np.bincount(cell >> (PAGE_BITS + 1)))
        grown = self._on(self.slices, np.union1d(self.pages, pages))
        moved = rank * grown.cells.width + grown._offsets[cell >> (PAGE_BITS + 1)] + cell
        table = Cells.of(moved, sums, grown.cells.size, grown.cells.width)
        rare = Cells.empty(self.rare.size, self.rare.width)
        return dataclasses.replace(grown, cells=grown.cells.merge(table), rare=rare)

    def in_slices(self, chosen: Mask) -> PooledScores:
        """Of those slices alone that are `chosen`, bool[S]."""
        kept = np.flatnonzero(chosen[self.slices])
        return self if len(kept) == len(self.slices) else self._at(self.slices[kept], kept)

    def relabelled(self, index: Index) -> PooledScores:
        """Slice i becomes slice `index[i]`."""
        slices = index[self.slices]
        order = np.argsort(slices)
        return self._at(slices[order], order)

    def take(self, index: Index) -> PooledScores:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        rows = np.searchsorted(self.slices, index)
        rows[rows == len(self.slices)] = 0
        held = np.flatnonzero(self.slices[rows] == index) if len(self.slices) else self.slices
        return self._at(held, rows[held])

    def _at(self, slices: Index, rows: Index) -> PooledScores:
        return PooledScores(slices, self.pages, self.cells.take(rows), self.rare.take(rows))

    @property
    def compact(self) -> PooledScores:
        """The same sums with nothing pending."""
        if not self.cells.pending and not self.rare.pending:
            return self
        return dataclasses.replace(self, cells=self.cells.compact, rare=self.rare.compact)

    def bins_in(self, size: int) -> Index:
        """How many bins each of S slices has scores at: int64[S]."""
        counts = np.zeros(size, np.int64)
        counts[self.slices] = self.cells.count_pairs(len(self.pages) << PAGE_BITS)
        counts[self.slices] += self.rare.count_pairs(BINS)
        return counts

    def blocks(self) -> Iterator[Weights]:
        """The weights of some slices at a time; a bin may be there twice."""
        rare = CellPairs.joined(list(self.rare.pairs()))
        start = 0
        for table in self.cells.pairs():
            end = int(np.searchsorted(rare.keys, table.until << BIN_BITS))
            both = self._on_scale(table)
            if end > start:
                both = CellPairs.joined([both, rare.at(slice(start, end))])
                both = both.at(order_of(both.keys, "stable"))
            start = end
            if len(both.keys):
                slices = self.slices[both.keys >> BIN_BITS]
                bins = both.keys & ((1 << BIN_BITS) - 1)
                yield Weights(slices, bins, both.first, both.second)

    def _on_scale(self, table: CellPairs) -> CellPairs:
        """CellPairs of the table by slice and bin, without the page of all other pages."""
        starts = np.append(self.pages << PAGE_BITS, BINS)
        page = table.keys >> PAGE_BITS
        rank = page // len(starts)
        bins = starts[page - rank * len(starts)] + (table.keys & ((1 << PAGE_BITS) - 1))
        keys = (rank << BIN_BITS) + bins
        return table._replace(keys=keys).at(np.flatnonzero(bins < BINS))


def _common(counts: Index) -> Index:
    """The pages with more than a few of all rows, of so many on each page."""
    return np.flatnonzero(_RARE * counts > counts.sum())


def _both_sides(none: Cells, keys: Index, weights: Weights, chosen: Mask) -> Cells:
    """The weights that are `chosen` in a table, of which the keys are those of negatives."""
    keys = keys[chosen]
    sums = [side[chosen] for side in (weights.negatives, weights.positives)]
    return Cells.of(np.append(keys, keys + 1), np.concatenate(sums), none.size, none.width)
