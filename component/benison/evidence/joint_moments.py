# SPDX-License-Identifier: Apache-2.0
"""Moments up to the fourth order of labels and of the errors of one model or of two, about their means.

What a row contributes to a correlation, or to a share of explained variance, is a polynomial of second degree
in its label and error, so that the variance of the contributions is made of these moments. They are those of
errors and not of predictions, because of a model that is nearly right nearly all cancels in the latter.

Pebay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical
moments", Sandia National Laboratories, SAND2008-6212, 2008.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from benison.data.batch import Array, Index, Inputs
from benison.evidence.paired_cells import differing_rows
from benison.metrics.base import Statistic, ratio
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.sums import check_single
from benison.slicing.codes import SliceCodes

Powers: TypeAlias = tuple[int, ...]
"""The exponents of the label, of the candidate's error and, with two models, of the baseline's."""

_FIRST = 1024
_ORDER = 4
_OCTAVES = 1000
"""Powers of two within so many octaves of 1 are floats with all digits."""
_MEANS = 2
"""The order up to which moments with the weights themselves are read, and not with their squares."""


class JointMoments(NamedTuple):
    """The state of `PairedJointMoments`, over S slices, of V variables.

    Attributes:
        rows: The number of rows, float64[S].
        centre: The weighted mean of each variable, float64[S, V]; 0 without rows.
        octaves: The power of two that is the unit of the distances of each variable, float64[S, V], so that
            their fourth powers are floats.
        first: Sums of products of distances from the centre, times the weight, float64[S, K]; of orders above
            the second they are not read.
        second: The same times the square of the weight, float64[S, K].
        differing: The number of rows in which one model's prediction is not the other's, float64[S].
    """

    rows: Array
    centre: Array
    octaves: Array
    first: Array
    second: Array
    differing: Array


@functools.cache
def monomials(variables: int) -> dict[Powers, int]:
    """The column of each product of powers up to the fourth order, lower orders first."""
    every = itertools.product(range(_ORDER + 1), repeat=variables)
    chosen = sorted((p for p in every if sum(p) <= _ORDER), key=lambda p: (sum(p), p))
    return {powers: column for column, powers in enumerate(chosen)}


@functools.cache
def _shifts(variables: int) -> list[tuple[int, int, int, Powers]]:
    """The terms of the binomial theorem: target and source column, factor, powers of the shift."""
    columns = monomials(variables)
    return [
        (
            columns[powers],
            columns[lower],
            math.prod(map(math.comb, powers, lower)),
            tuple(a - b for a, b in zip(powers, lower, strict=True)),
        )
        for powers in columns
        for lower in itertools.product(*(range(p + 1) for p in powers))
    ]


def shifted(moments: Array, shift: Array) -> Array:
    """Sums of products, float64[S, K], about centres that are farther by `shift`, float64[S, V]."""
    target = np.zeros_like(moments)
    powers = [np.ones_like(shift)]
    for _ in range(_ORDER):
        powers.append(powers[-1] * -shift)
    for column, source, factor, exponents in _shifts(shift.shape[1]):
        term = factor * moments[:, source]
        for variable, exponent in enumerate(exponents):
            if exponent:
                term = term * powers[exponent][:, variable]
        target[:, column] += term
    return target


@dataclasses.dataclass(frozen=True)
class PairedJointMoments(Statistic[JointMoments]):
    """Moments of labels and errors.

    Attributes:
        paired: Whether there are two models.
    """

    paired: bool

    @property
    def variables(self) -> int:
        """How many: the label, and the error of each model."""
        return 2 + self.paired

    def zero(self, size: int) -> JointMoments:
        width = len(monomials(self.variables))
        shapes = ((), (self.variables,), (self.variables,), (width,), (width,), ())
        return JointMoments(*(np.zeros((size, *shape)) for shape in shapes))

    def add(self, inputs: Inputs, codes: SliceCodes) -> JointMoments:
        check_single("A correlation", inputs.labels, inputs.predictions)
        inputs, codes = heavy(inputs, codes)
        differing = differing_rows(inputs, codes, self.paired)
        with np.errstate(all="ignore"):  # infinite values have no moments
            columns = [inputs.labels, inputs.labels - inputs.predictions]
            columns += [inputs.labels - inputs.baseline] if self.paired else []
            centres = np.array([_centre(column) for column in columns])
            distances = [column - centre for column, centre in zip(columns, centres, strict=True)]
            units = [_octave(distance) for distance in distances]
            scaled = [_scaled(x, -unit) for x, unit in zip(distances, units, strict=True)]
            first, second = self._sums(scaled, inputs.weights, codes)
            rows = codes.count().astype(np.float64)
            centre, octaves = (
                np.tile(np.array(of, float), (codes.size, 1)) for of in (centres, units)
            )
            return _centred(JointMoments(rows, centre, octaves, first, second, differing))

    def _sums(
        self, distances: list[Array], weights: Array | None, codes: SliceCodes
    ) -> tuple[Array, Array]:
        """`first` and `second`, about the same numbers in all slices."""
        columns = monomials(self.variables)
        first, second = np.zeros((2, codes.size, len(columns)))
        squares = None if weights is None else weights**2
        first[:, 0] = codes.count() if weights is None else codes.sum(weights)
        second[:, 0] = first[:, 0] if squares is None else codes.sum(squares)
        for powers, product in _products(distances):
            column = columns[powers]
            second[:, column] = codes.sum(product if squares is None else product * squares)
            if sum(powers) <= _MEANS:
                low = second[:, column] if weights is None else codes.sum(product * weights)
                first[:, column] = low
        return first, second

    def merge(self, a: JointMoments, b: JointMoments) -> JointMoments:
        share = np.nan_to_num(ratio(b.first[:, 0], a.first[:, 0] + b.first[:, 0]))[:, None]
        with np.errstate(all="ignore"):  # infinite values have no moments
            between = a.centre + share * (b.centre - a.centre)
            centre = np.where(share == 0, a.centre, np.where(share == 1, b.centre, between))
            octaves = np.maximum(_known_octaves(a), _known_octaves(b))
            octaves = np.where(np.isfinite(octaves), octaves, 0.0)
            a, b = (_about(_in_units(state, octaves), centre) for state in (a, b))
        return JointMoments(
            a.rows + b.rows,
            centre,
            octaves,
            a.first + b.first,
            a.second + b.second,
            a.differing + b.differing,
        )

    def scatter(self, state: JointMoments, index: Index, size: int) -> JointMoments:
        placed = self.zero(size)
        for target, source in zip(placed, state, strict=True):
            target[index] = source
        return placed

    def gather(self, state: JointMoments, index: Index) -> JointMoments:
        return JointMoments(*(array[index] for array in state))


def _products(distances: list[Array]) -> Iterator[tuple[Powers, Array]]:
    """The products of powers from the first to the fourth order, float64[N] each.

    Each is made of one of the order below it, in memory that the next ones of its order take: fresh memory
    for each would cost many times what the product does.
    """
    memory = np.empty((_ORDER - 1, len(distances[0])))

    def raised(powers: Powers, product: Array, least: int) -> Iterator[tuple[Powers, Array]]:
        yield powers, product
        order = sum(powers)
        for i in range(least, len(distances) if order < _ORDER else 0):
            higher = np.multiply(product, distances[i], out=memory[order - 1])
            yield from raised(_times(powers, i), higher, i)

    for i, distance in enumerate(distances):
        yield from raised(_times((0,) * len(distances), i), distance, i)


def _times(powers: Powers, variable: int) -> Powers:
    """The powers of the product with one more factor."""
    return tuple(power + (i == variable) for i, power in enumerate(powers))


def _about(state: JointMoments, centre: Array) -> JointMoments:
    """The same about other centres; what has no rows has no moments."""
    shift = np.where(state.rows[:, None] > 0, centre - state.centre, 0.0)
    shift = np.ldexp(shift, -state.octaves.astype(np.int32))
    if not shift.any():
        return state._replace(centre=centre)
    first, second = (shifted(of, shift) for of in (state.first, state.second))
    return state._replace(centre=centre, first=first, second=second)


def _centred(state: JointMoments) -> JointMoments:
    """The same about the weighted means."""
    columns = monomials(state.centre.shape[1])
    singles = [column for powers, column in columns.items() if sum(powers) == 1]
    order = [next(i for i, p in enumerate(powers) if p) for powers in columns if sum(powers) == 1]
    means = np.zeros_like(state.centre)
    means[:, order] = ratio(state.first[:, singles], state.first[:, :1])
    means = np.ldexp(means, state.octaves.astype(np.int32))
    centre = np.where(state.rows[:, None] > 0, state.centre + means, 0.0)
    return _about(state, centre)


def _octave(distances: Array) -> int:
    """The power of two above all finite distances."""
    sizes = np.abs(distances)
    largest = sizes.max(initial=0.0)
    if not np.isfinite(largest):
        largest = np.where(np.isfinite(sizes), sizes, 0.0).max(initial=0.0)
    return int(np.frexp(largest)[1])


def _scaled(values: Array, octaves: int) -> Array:
    """Values times a power of two, by one product where that power is a float with all digits."""
    if abs(octaves) < _OCTAVES:
        return np.asarray(values * 2.0**octaves)
    return np.asarray(np.ldexp(values, octaves))


def _known_octaves(state: JointMoments) -> Array:
    """The units of slices with rows."""
    return np.where(state.rows[:, None] > 0, state.octaves, -np.inf)


def _in_units(state: JointMoments, octaves: Array) -> JointMoments:
    """The same with other units."""
    powers = np.array(list(monomials(octaves.shape[1])))
    change = np.where(state.rows[:, None] > 0, state.octaves - octaves, 0.0)
    if not change.any():
        return state._replace(octaves=octaves)
    by = (change @ powers.T).astype(np.int32)
    first, second = np.ldexp(state.first, by), np.ldexp(state.second, by)
    return state._replace(octaves=octaves, first=first, second=second)


def _centre(column: Array) -> float:
    """A number near those of a column: the mean of the first that are finite."""
    first = column[:_FIRST]
    finite = first[np.isfinite(first)]
    return float(finite.mean()) if len(finite) else 0.0
