# SPDX-License-Identifier: Apache-2.0
"""Counts of rows by label and by the decisions of two models, from which changes of decisions are judged.

A decision is 0 up to the threshold, 1 above it, and 2 where a prediction is missing. A cell of two models is
`2 * (3 * candidate + baseline) + label`, and that of one model `2 * candidate + label`. Of K thresholds a
decision is the number of them that a prediction is above, and K + 1 where it is missing: rows are counted
once, and the decisions at each threshold are seen in these.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index, Inputs
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import check_binary, count_below, heavy
from benison.metrics.statistics.cells import Cells, divided
from benison.slicing.codes import SliceCodes

DECISIONS = 3


class CellCounts(NamedTuple):
    """The state of `PairedCells`, over S slices.

    Attributes:
        rows: The number of rows, float64[S].
        weights: The sum of the weights in each cell; a fractional label puts a share into both of its cells.
        squares: The sum of the squares of what rows put there; None where it is `weights`, as all put 1.
        crossed: The sum of the products of the two shares of a row, by decisions.
        differing: The number of rows in which one model's score is not the other's, float64[S].
    """

    rows: Array
    weights: Cells
    squares: Cells | None
    crossed: Cells
    differing: Array

    @property
    def second(self) -> Cells:
        """The sums of squares."""
        return self.weights if self.squares is None else self.squares


def differing_rows(inputs: Inputs, codes: SliceCodes, paired: bool) -> Array:
    """In how many rows of each slice one model's prediction is not the other's; 0 of one: float64[S]."""
    if not paired:
        return np.zeros(codes.size)
    return codes.count_of(inputs.differing).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class PairedCells(Statistic[CellCounts]):
    """Counts of labels and decisions at one threshold, or between several.

    Attributes:
        thresholds: Ascending; a prediction above one is positive there.
        paired: Whether there are two models.
        labels_only: Whether predictions count as 0, as for what looks at labels alone.

    >>> rows = Inputs.of([1, 0, 1], [0.9, 0.8, 0.1])
    >>> PairedCells((0.5,), paired=False).add(rows, SliceCodes.of([0, 0, 0], 1)).weights.dense()
    array([[0., 1., 1., 1., 0., 0.]])
    """

    thresholds: tuple[float, ...]
    paired: bool
    labels_only: bool = False

    @property
    def levels(self) -> int:
        """How many decisions there are."""
        return len(self.thresholds) + 2

    @property
    def width(self) -> int:
        """Cells of a slice."""
        return 2 * self.levels * (self.levels if self.paired else 1)

    def zero(self, size: int) -> CellCounts:
        nothing = Cells.empty(size, self.width)
        crossed = Cells.empty(size, self.width // 2)
        return CellCounts(np.zeros(size), nothing, None, crossed, np.zeros(size))

    def add(self, inputs: Inputs, codes: SliceCodes) -> CellCounts:
        inputs, codes = heavy(inputs, codes)
        whole = check_binary(inputs)
        decisions = self._decisions(inputs)
        rows = codes.count().astype(np.float64)
        differing = differing_rows(inputs, codes, self.paired)
        if not whole:
            return CellCounts(rows, *self._shared(inputs, codes, decisions), differing)
        cells = 2 * decisions + (inputs.labels == 1)
        weights = Cells.grouped(cells, inputs.weights, codes, self.width)
        squares = None
        if inputs.weights is not None:
            squares = Cells.grouped(cells, inputs.weights**2, codes, self.width)
        crossed = Cells.empty(codes.size, self.width // 2)
        return CellCounts(rows, weights, squares, crossed, differing)

    def _decisions(self, inputs: Inputs) -> npt.NDArray[Any]:
        candidate = self._decided(inputs.predictions)
        if self.paired:
            candidate *= self.levels
            candidate += self._decided(inputs.baseline)
        return candidate

    def _decided(self, predictions: Array) -> npt.NDArray[Any]:
        if self.labels_only:
            return np.zeros(len(predictions), np.int8)
        if len(self.thresholds) == 1:
            decided: npt.NDArray[Any] = (predictions > self.thresholds[0]).view(np.int8)
        else:
            decided = count_below(np.array(self.thresholds), predictions).astype(np.int64)
        missing = np.isnan(predictions)
        if missing.any():
            decided[missing] = self.levels - 1
        return decided

    def at_each(self, state: CellCounts, chosen: range) -> CellCounts:
        """The state of some of the thresholds, each by itself: of the first in S slices, then of the next."""
        return CellCounts(
            np.tile(state.rows, len(chosen)),
            self._cells_at(state.weights, chosen, 2),
            None if state.squares is None else self._cells_at(state.squares, chosen, 2),
            self._cells_at(state.crossed, chosen, 1),
            np.tile(state.differing, len(chosen)),
        )

    def _cells_at(self, cells: Cells, chosen: range, labels: int) -> Cells:
        keys, sums = cells.occupied()
        slices, levels = divided(keys, cells.width)
        width = labels * DECISIONS ** (1 + self.paired)
        size, slices = cells.size * width, slices * width
        own = (np.bincount(slices + self._places(i, labels)[levels], sums, size) for i in chosen)
        return Cells(cells.size * len(chosen), width, np.concatenate([*own]), None)

    def _places(self, threshold: int, labels: int) -> Index:
        """The cell at one threshold of each cell between all: int64[width]."""
        levels = np.arange(self.levels)
        decided = np.where(levels > len(self.thresholds), 2, levels > threshold)
        if self.paired:
            decided = (DECISIONS * decided[:, None] + decided).ravel()
        return (labels * decided[:, None] + np.arange(labels)).ravel()

    def _shared(
        self, inputs: Inputs, codes: SliceCodes, decisions: npt.NDArray[Any]
    ) -> tuple[Cells, Cells, Cells]:
        """Weights, squares and products of the shares of rows with fractional labels."""
        labels = np.clip(inputs.labels, 0.0, 1.0)
        shares = [inputs.weighted(share) for share in (1 - labels, labels)]
        cells = (2 * decisions, 2 * decisions + 1)
        weights, squares = (
            Cells.grouped(cells[0], shares[0] ** power, codes, self.width).merge(
                Cells.grouped(cells[1], shares[1] ** power, codes, self.width)
            )
            for power in (1, 2)
        )
        return (
            weights,
            squares,
            Cells.grouped(decisions, shares[0] * shares[1], codes, self.width // 2),
        )

    def merge(self, a: CellCounts, b: CellCounts) -> CellCounts:
        squares = None
        if a.squares is not None or b.squares is not None:
            squares = a.second.merge(b.second)
        weights = a.weights.merge(b.weights)
        crossed, differing = a.crossed.merge(b.crossed), a.differing + b.differing
        return CellCounts(a.rows + b.rows, weights, squares, crossed, differing)

    def scatter(self, state: CellCounts, index: Index, size: int) -> CellCounts:
        rows, differing = np.zeros(size), np.zeros(size)
        rows[index], differing[index] = state.rows, state.differing
        return CellCounts(
            rows,
            state.weights.relabel(index, size),
            None if state.squares is None else state.squares.relabel(index, size),
            state.crossed.relabel(index, size),
            differing,
        )

    def gather(self, state: CellCounts, index: Index) -> CellCounts:
        return CellCounts(
            state.rows[index],
            state.weights.take(index),
            None if state.squares is None else state.squares.take(index),
            state.crossed.take(index),
            state.differing[index],
        )
