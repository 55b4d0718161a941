# SPDX-License-Identifier: Apache-2.0
"""Moments of what rows contribute to sums, of one model or of two beside each other.

Moments are centred, so that they keep their digits far from zero, and merge by the formulas of Pebay,
"Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments",
Sandia National Laboratories, SAND2008-6212, 2008.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from benison.data.batch import Array, Index, Inputs
from benison.evidence.paired_cells import differing_rows
from benison.metrics.averages import label_weight
from benison.metrics.base import Statistic
from benison.metrics.pairing import label
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.sums import MeanOf, RowFunction
from benison.slicing.codes import SliceCodes

_FIRST = 1024
_SUMMED = 2e-15
"""What each row adds to the rounding of a sum, over the sum: some units in the last place."""
_ROUNDED = 1e-13
"""The rounding of a function of the row, over its size."""
OF_LABELS = frozenset({label, label_weight, MeanOf(label), MeanOf(label_weight)})
"""Functions that are the same for both models."""


class RowMoments(NamedTuple):
    """The state of `PairedMoments`, over S slices and K columns.

    Attributes:
        rows: The number of rows, float64[S].
        mean: The mean of each column, float64[S, K]; 0 without rows.
        second: Sums of products of distances from the means, float64[S, K, K].
        third: Sums of cubes of the distances of a single function, float64[S, J]: the candidate's, and where
            there are two models the baseline's and that of the difference.
        noise: How far `second` of each column with itself may be off by rounding, float64[S, K].
        differing: The number of rows in which one model's prediction is not the other's, float64[S].
    """

    rows: Array
    mean: Array
    second: Array
    third: Array
    noise: Array
    differing: Array


@dataclasses.dataclass(frozen=True)
class PairedMoments(Statistic[RowMoments]):
    """Moments of weighted functions of the row.

    Columns are those of the candidate, then those of the baseline where there is one, then what both have in
    common: functions of labels, and the weight.

    Attributes:
        functions: The functions, each float64[N] of a batch.
        paired: Whether there are two models.
        weighted: Whether the weight of a row is a column too.
    """

    functions: tuple[RowFunction, ...]
    paired: bool
    weighted: bool

    @property
    def own(self) -> tuple[RowFunction, ...]:
        """The functions of which each model has a column."""
        return tuple(f for f in self.functions if not (self.paired and f in OF_LABELS))

    @property
    def common(self) -> tuple[RowFunction, ...]:
        """The functions of which there is one column for both models."""
        return tuple(f for f in self.functions if f not in self.own)

    @property
    def width(self) -> int:
        """The number of columns K."""
        return len(self.own) * (1 + self.paired) + len(self.common) + self.weighted

    @property
    def cubes(self) -> int:
        """The number of third moments J, which only a mean of one function needs."""
        single = len(self.own) == 1 and not self.common and not self.weighted
        return (3 if self.paired else 1) if single else 0

    def zero(self, size: int) -> RowMoments:
        width = self.width
        shapes = ((), (width,), (width, width), (self.cubes,), (width,), ())
        return RowMoments(*(np.zeros((size, *shape)) for shape in shapes))

    def add(self, inputs: Inputs, codes: SliceCodes) -> RowMoments:
        inputs, codes = heavy(inputs, codes)
        columns = self._columns(inputs)
        rows = codes.count().astype(np.float64)
        # Distances from one number for all slices: any near the data will do, and none needs the slices.
        centres = [_centre(column) for column in columns]
        if are_whole := not self.weighted and all(map(_is_whole, columns)):
            centres = [float(np.rint(centres[0]))] * self.width
        sums_of = self._sums_of_whole if are_whole else self._sums
        first, second, cubes = sums_of(columns, centres, codes)
        offsets = np.divide(first, rows[:, None], out=np.zeros_like(first), where=rows[:, None] > 0)
        third = self._third(cubes, offsets, second, rows)
        noise = _SUMMED * np.einsum("sii->si", second)
        noise = noise if are_whole else noise * rows[:, None]
        second -= rows[:, None, None] * offsets[:, :, None] * offsets[:, None, :]
        mean = np.where(rows[:, None] > 0, np.array(centres) + offsets, 0.0)
        noise += _ROUNDED**2 * rows[:, None] * (np.square(centres) + mean**2)
        differing = differing_rows(inputs, codes, self.paired)
        return RowMoments(rows, mean, second, third, noise, differing)

    def _columns(self, inputs: Inputs) -> list[Array]:
        """The weighted columns, float64[N] each."""
        columns = [inputs.weighted(of(inputs)) for of in self.own]
        if self.paired:
            other = dataclasses.replace(inputs, predictions=inputs.baseline, baseline=None)
            columns += [inputs.weighted(of(other)) for of in self.own]
        columns += [inputs.weighted(of(inputs)) for of in self.common]
        ones = [np.ones(len(inputs)) if inputs.weights is None else inputs.weights]
        return columns + ones * self.weighted

    def _sums(
        self, columns: list[Array], centres: list[float], codes: SliceCodes
    ) -> tuple[Array, Array, Array]:
        """Sums of the distances from the centres, of their products and their cubes, by slice."""
        pairs = [(i, j) for i in range(self.width) for j in range(i + 1)]

        def terms(rows: slice | Index) -> Iterator[Array]:
            distances = [
                column[rows] - centre for column, centre in zip(columns, centres, strict=True)
            ]
            yield from distances
            yield from (distances[i] * distances[j] for i, j in pairs)
            yield from (x * x * x for x in differences(distances)[: self.cubes])

        parts = (self.width, len(pairs), self.cubes)
        sums = codes.sums(terms, sum(parts))
        first, products, cubes = np.split(sums.T, np.cumsum(parts)[:2], axis=1)
        second = np.zeros((codes.size, self.width, self.width))
        for (i, j), product in zip(pairs, products.T, strict=True):
            second[:, i, j] = second[:, j, i] = product
        return first, second, cubes

    def _sums_of_whole(
        self, columns: list[Array], centres: list[float], codes: SliceCodes
    ) -> tuple[Array, Array, Array]:
        """The same of columns of nothing but 0 and 1, about one of these, of which sums round nothing.

        A distance is 0 and else 1, or else -1, so that its square and its cube are known without a sum.
        """
        sign = 1 - 2 * centres[0]
        distances = [column - centres[0] for column in columns]
        first = np.stack([codes.sum(distance) for distance in distances], axis=1)
        second = np.zeros((codes.size, self.width, self.width))
        for i in range(self.width):
            second[:, i, i] = sign * first[:, i]
            for j in range(i):
                second[:, i, j] = second[:, j, i] = codes.sum(distances[i] * distances[j])
        cubes = np.stack(differences([*first.T]), axis=1)[:, : self.cubes]
        return first, second, cubes

    def _third(self, cubes: Array, offsets: Array, second: Array, rows: Array) -> Array:
        """Sums of cubes of the distances from the means, from those of the distances from any number."""
        if not self.cubes:
            return cubes
        shift, squares = self._of_single(offsets, second)
        return np.asarray(cubes - 3 * shift * squares + 2 * rows[:, None] * shift**3)

    def _of_single(self, mean: Array, second: Array) -> tuple[Array, Array]:
        """The first and second moment of each column of `third`, float64[S, J]."""
        means = np.stack(differences([*mean.T])[: self.cubes], axis=1)
        squares = [second[:, 0, 0]]
        if self.paired:
            squares += [second[:, 1, 1], second[:, 0, 0] + second[:, 1, 1] - 2 * second[:, 0, 1]]
        return means, np.stack(squares, axis=1)

    def merge(self, a: RowMoments, b: RowMoments) -> RowMoments:
        rows = a.rows + b.rows
        share = np.divide(b.rows, rows, out=np.zeros_like(rows), where=rows > 0)[:, None]
        delta = np.where((a.rows > 0)[:, None] & (b.rows > 0)[:, None], b.mean - a.mean, 0.0)
        weight = a.rows[:, None] * share
        crossed = delta[:, :, None] * delta[:, None, :] * weight[:, :, None]
        mean = np.where((a.rows > 0)[:, None], a.mean + delta * share, b.mean)
        third = a.third + b.third
        if self.cubes:
            third = third + self._between(a, b, delta, rows)
        second, noise = a.second + b.second + crossed, a.noise + b.noise
        return RowMoments(rows, mean, second, third, noise, a.differing + b.differing)

    def _between(self, a: RowMoments, b: RowMoments, delta: Array, rows: Array) -> Array:
        """What the distance of the means of two parts adds to the third moments."""
        d = np.stack(differences([*delta.T])[: self.cubes], axis=1)
        n, of_a, of_b = (x[:, None] for x in (np.maximum(rows, 1.0), a.rows, b.rows))
        squares = (self._of_single(x.mean, x.second)[1] for x in (a, b))
        a2, b2 = squares
        cubes = d**3 * of_a * of_b * (of_a - of_b) / n**2
        return np.asarray(cubes + 3 * d * (of_a * b2 - of_b * a2) / n)

    def scatter(self, state: RowMoments, index: Index, size: int) -> RowMoments:
        placed = self.zero(size)
        for target, source in zip(placed, state, strict=True):
            target[index] = source
        return placed

    def gather(self, state: RowMoments, index: Index) -> RowMoments:
        return RowMoments(*(array[index] for array in state))


def differences(columns: list[Array]) -> list[Array]:
    """The columns of one or two models, and the second's distance from the first."""
    return [*columns, columns[0] - columns[1]] if len(columns) > 1 else columns


def _is_whole(column: Array) -> bool:
    """Whether there is nothing but 0 and 1; of most columns that are not so, the first rows tell."""
    parts = (column[:_FIRST], column)
    return all(bool(np.all((part == 0) | (part == 1))) for part in parts)


def _centre(column: Array) -> float:
    """A number near those of a column: the mean of the first that are finite."""
    first = column[:_FIRST]
    finite = first[np.isfinite(first)]
    return float(finite.mean()) if len(finite) else 0.0
