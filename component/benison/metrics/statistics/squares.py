# SPDX-License-Identifier: Apache-2.0
"""Weighted sums of squares of any floats, whose squares may be none.

The square of 1e-170 is 0 as a float and that of 1e160 is infinite, while the root of their mean is an
ordinary number. So squares are added up in three sums, of which each has its own power of two as unit: nearly
all are in the middle one, whose unit is 1. All three add up over batches as any sum does.

Source: Blue, "A portable Fortran program to find the Euclidean norm of a vector", ACM Transactions on
Mathematical Software 4, 1978.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Inputs
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.sums import Arrays, ArraysStatistic, RowFunction, sums_of, weight_of
from benison.slicing.codes import SliceCodes

Scaled: TypeAlias = "tuple[Array, npt.NDArray[np.int32]]"
"""Numbers as m * 2^e: a float64[S] and an int32[S] of any size."""

UNITS = (-2000, 0, 2000)
"""The power of two that is the unit of each sum; squares of up to 1,000 octaves from it are in it."""

_ORDINARY = (
    2.0**-450,
    2.0**450,
)  # between these are squares and weights whose product is in the middle sum
_LEAST = float(np.finfo(np.float64).tiny)  # what is less has lost digits


@dataclasses.dataclass(frozen=True)
class SquaresMean(ArraysStatistic):
    """The sums of a weighted mean of squares: (sum w f^2 in each of `UNITS`, sum w).

    The first is float64[S, 3], the second float64[S].

    Attributes:
        of: The function f: float64[N], or float64[N, C], whose squares are averaged over the C outputs first.

    >>> from benison.metrics.regression import error
    >>> SquaresMean(error).add(Inputs.of([3e-170, 4.0], [0.0, 0.0]), SliceCodes.of([0, 1], 2))[0] > 0
    array([[ True, False, False],
           [False,  True, False]])
    """

    of: RowFunction

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((len(UNITS),), ())

    def summands(self) -> tuple[RowFunction | None, ...]:
        return (MeanOfSquares(self.of), None)

    def of_sums(self, sums: Sequence[Array]) -> Arrays:
        """In the middle unit."""
        nothing = np.zeros_like(sums[0])
        return np.stack([nothing, sums[0], nothing], axis=1), sums[1]

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        inputs, codes = heavy(inputs, codes)
        sums = sums_of(inputs, codes, self._squares, len(UNITS))
        return np.stack(sums, axis=1), weight_of(inputs, codes)

    def _squares(self, rows: Inputs) -> Sequence[Array | None]:
        """What each row adds to the sum of each unit, float64[N] for each; None is nothing."""
        roots = self.of(rows)
        with np.errstate(over="ignore", under="ignore"):
            squares = np.square(roots)
        if _are_ordinary(roots, squares) and _weigh_ordinarily(rows.weights):
            return None, rows.weighted(_mean_of(squares)), None
        return _in_units(roots, rows.weights)


@dataclasses.dataclass(frozen=True)
class MeanOfSquares:
    """The mean of the squares of a function over the outputs of a row: float64[N]."""

    of: RowFunction

    def __call__(self, inputs: Inputs) -> Array:
        return _mean_of(np.square(self.of(inputs)))


def _are_ordinary(roots: Array, squares: Array) -> bool:
    """Whether every square is 0, missing, or a float that a weight makes neither too small nor too large."""
    least, largest = _ORDINARY
    if np.fmax.reduce(squares, axis=None, initial=0.0) > largest:
        return False
    if np.fmin.reduce(squares, axis=None, initial=1.0) >= least:
        return True
    return not np.any(roots[squares < least])


def _weigh_ordinarily(weights: Array | None) -> bool:
    """Whether no weight is so small or large; none of them is 0."""
    least, largest = _ORDINARY
    return weights is None or bool(np.all((weights > least) & (weights < largest)))


def _mean_of(squares: Array) -> Array:
    """The mean over the outputs of a row, float64[N]."""
    return squares if squares.ndim == 1 else np.asarray(squares.mean(axis=1))


def _in_units(roots: Array, weights: Array | None) -> list[Array]:
    """What each row adds to the sum of each unit: float64[N] for each."""
    weights = np.ones(len(roots)) if weights is None else weights
    of_weights, powers_of_weights = np.frexp(weights.reshape(-1, *[1] * (roots.ndim - 1)))
    of_roots, powers = np.frexp(roots)
    digits, powers = of_roots**2 * of_weights, 2 * powers + powers_of_weights
    nearest = np.clip(np.rint(powers / UNITS[-1]), -1, 1) * UNITS[-1]
    with np.errstate(over="ignore", under="ignore"):  # in units that are not taken
        columns = [
            np.where(nearest == unit, np.ldexp(digits, powers - unit), 0.0) for unit in UNITS
        ]
    return [_mean_of(column) for column in columns]


def sum_of(sums: Array) -> Scaled:
    """The sum of all squares, from those in each of `UNITS`, float64[S, 3]."""
    digits, powers = np.frexp(sums)
    powers = np.where(digits == 0, np.iinfo(np.int32).min // 2, powers + np.array(UNITS))
    top = powers.max(axis=1)
    return np.ldexp(digits, np.maximum(powers - top[:, None], -2000)).sum(axis=1), top


def over(numerator: Scaled, denominator: Array) -> Scaled:
    """A quotient, NaN where the denominator, float64[S], is 0."""
    digits, powers = np.frexp(denominator)
    quotient = np.divide(numerator[0], digits, out=np.full(len(digits), np.nan), where=digits != 0)
    return quotient, numerator[1] - powers


def as_float(number: Scaled) -> Array:
    """float64[S]; NaN where it is no float with all digits, as it is too small or too large.

    >>> as_float((np.array([1.0, 1.0, 0.0, 1.0]), np.array([-2, -1074, -9999, 1024])))
    array([0.25,  nan, 0.  ,  nan])
    """
    digits, powers = number
    with np.errstate(over="ignore", under="ignore"):
        value = np.ldexp(digits, powers)
    lost = (np.abs(value) < _LEAST) & (digits != 0) | np.isinf(value) & np.isfinite(digits)
    return np.where(lost, np.nan, value)


def mean_of_squares(sums: Array, weight: Array) -> Array:
    """The mean from the state of `SquaresMean`, float64[S]; NaN without weight, and where it is no float."""
    return as_float(over(sum_of(sums), weight))


def root_of(number: Scaled) -> Array:
    """The square root, float64[S], of a number from 0 up.

    >>> root_of((np.array([1.0, 0.5]), np.array([-1200, 3])))
    array([2.40991987e-181, 2.00000000e+000])
    """
    digits, powers = number
    odd = powers & 1
    return np.asarray(np.ldexp(np.sqrt(np.ldexp(digits, odd)), (powers - odd) // 2))
