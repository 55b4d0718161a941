# SPDX-License-Identifier: Apache-2.0
"""The error of correlations and of the share of explained variance.

What a row contributes to such a value (its influence) is a polynomial of second degree in the distances of
its label and error from their means. The variance of the value is that of the mean of the contributions.

Hampel, "The influence curve and its role in robust estimation", Journal of the American Statistical
Association 69, 1974; of a correlation Devlin, Gnanadesikan and Kettenring, "Robust estimation and outlier
detection with correlation coefficients", Biometrika 62, 1975.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from benison.data.batch import Array, Index
from benison.evidence.correlation_spread import Correlation, SquaredCorrelation
from benison.evidence.estimators import Estimator
from benison.evidence.joint_moments import JointMoments, PairedJointMoments, Powers, monomials
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import Spread, Student
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.correlation import PearsonCorrelation, SquaredPearsonCorrelation
from benison.metrics.regression import R2Score

_NOISE = 1e-13
"""The share of the variances that rounding leaves where they cancel."""
_FEWEST = 5
"""Fewer rows say nothing of moments of the fourth order."""

Polynomial: TypeAlias = dict[Powers, Array]
"""The factor of each product of powers of the label's and the error's distance: float64[S]."""


@dataclasses.dataclass(frozen=True)
class Centred:
    """Weighted means of a model's label y and error e, as distances from their means: float64[S].

    Both are in the unit of the label's distances.
    """

    mean_e: Array
    yy: Array
    ye: Array
    ee: Array

    @property
    def pp(self) -> Array:
        """The variance of predictions, y - e."""
        return self.yy - 2 * self.ye + self.ee


def _explained(of: Centred) -> Polynomial:
    """Of R^2 = 1 - mean e^2 / var y."""
    share = ratio(of.ee + of.mean_e**2, of.yy)
    inverse = ratio(1.0, of.yy)
    return {(0, 2): -inverse, (0, 1): -2 * of.mean_e * inverse, (2, 0): share * inverse}


def _correlated(of: Centred) -> Polynomial:
    """Of r, the covariance over both standard deviations."""
    y, p = 1 / np.sqrt(of.yy), 1 / np.sqrt(of.pp)
    r = np.clip((of.yy - of.ye) * y * p, -1, 1)
    # y p - r (y^2 + p^2) / 2 in units of the deviations, without the difference of what is nearly equal.
    return {
        (2, 0): (1 - r) * y * p - r * (y - p) ** 2 / 2,
        (1, 1): -y * p + r * p**2,
        (0, 2): -r * p**2 / 2,
    }


def _correlated_squared(of: Centred) -> Polynomial:
    """Of r^2, whose slope along r is 2 r."""
    r = np.clip((of.yy - of.ye) / np.sqrt(of.yy * of.pp), -1, 1)
    return {powers: 2 * r * factor for powers, factor in _correlated(of).items()}


_INFLUENCES: dict[type[Metric], tuple[Callable[[Centred], Polynomial], type[Student]]] = {
    R2Score: (_explained, Student),
    PearsonCorrelation: (_correlated, Correlation),
    SquaredPearsonCorrelation: (_correlated_squared, SquaredCorrelation),
}


@dataclasses.dataclass(frozen=True)
class PolynomialEstimator(Estimator):
    """A correlation of labels and predictions, or the share of the labels' variance that these explain."""

    metric: Metric
    paired: bool

    name = "polynomials"

    @classmethod
    def fits(cls, metric: Metric) -> bool:
        """Whether it is such a metric."""
        return type(metric) in _INFLUENCES

    def statistics(self) -> tuple[PairedJointMoments]:
        return (PairedJointMoments(self.paired),)

    def alone(self) -> tuple[Statistic[Any], ...]:
        return self.metric.statistics()

    def spread(self, *states: Any) -> Spread:
        state, own = states[0], self._influence(states[0], 0)
        spread = _INFLUENCES[type(self.metric)][1]
        return spread(*self._tested(state, self._value(states[1:]), own))

    def compared(self, *states: Any) -> Paired:
        state, models = states[0], len(self.metric.statistics())
        spread = _INFLUENCES[type(self.metric)][1]
        values = [self._value(of) for of in (states[1 : 1 + models], states[1 + models :])]
        parts = [self._influence(state, side) for side in (0, 1)]
        own, other = (
            spread(*self._tested(state, value, part))
            for value, part in zip(values, parts, strict=True)
        )
        change = self._tested(state, values[0] - values[1], _less(*parts))
        covariance = _covariance(state, *parts)
        return Paired(own, other, Student(*change), covariance, same=state.differing == 0)

    def _value(self, states: tuple[Any, ...]) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.metric.result(*states), np.float64)

    def _influence(self, state: JointMoments, side: int) -> Polynomial:
        """The contribution of a row of weight 1, of a mean of 0, in the variables of the state."""
        size, errors = state.centre.shape[1], 1 + side
        columns = monomials(size)

        def moved(powers: Powers) -> Powers:
            own = dict.fromkeys(range(size), 0) | {0: powers[0], errors: powers[1]}
            return tuple(own.values())

        def mean(powers: Powers) -> Array:
            return ratio(state.first[:, columns[moved(powers)]], state.first[:, 0])

        units = state.octaves.astype(np.int32)
        apart = units[:, errors] - units[:, 0]
        with np.errstate(all="ignore"):
            seconds = (np.ldexp(mean((2 - i, i)), i * apart) for i in range(3))
            centred = Centred(np.ldexp(state.centre[:, errors], -units[:, 0]), *seconds)
            influence = {
                powers: np.ldexp(factor, powers[1] * apart)  # for errors in their own unit
                for powers, factor in _INFLUENCES[type(self.metric)][0](centred).items()
            }
            level = sum(factor * mean(powers) for powers, factor in influence.items())
        return {moved(powers): factor for powers, factor in influence.items()} | {
            (0,) * size: np.asarray(-level)
        }

    def _tested(
        self, state: JointMoments, value: Array, influence: Polynomial
    ) -> tuple[Array, Array, Array]:
        """Values with their errors and degrees of freedom."""
        with np.errstate(all="ignore"):
            products, octaves = _products(state, influence, influence)
            error = np.ldexp(np.sqrt(np.maximum(products, 0.0)), octaves // 2)
        error = np.where(error <= _NOISE * np.maximum(1.0, np.abs(value)), 0.0, error)
        unknown = (state.rows < _FEWEST) | np.isnan(value)
        squares = state.second[:, 0]
        effective = np.minimum(ratio(state.first[:, 0] ** 2, squares), state.rows)
        degrees = np.where(unknown, 0.0, effective - 1)
        return value, np.where(unknown, np.nan, error), degrees


def _less(own: Polynomial, other: Polynomial) -> Polynomial:
    """The difference of two polynomials."""
    nothing = np.zeros_like(next(iter(own.values())))
    return {p: own.get(p, nothing) - other.get(p, nothing) for p in {**own, **other}}


def _covariance(state: JointMoments, own: Polynomial, other: Polynomial) -> Array:
    """Of two values on the same rows, float64[S]; 0 where it is rounding."""
    with np.errstate(all="ignore"):
        return np.asarray(np.ldexp(*_products(state, own, other)))


def _in_octaves(polynomial: Polynomial) -> tuple[Polynomial, Index]:
    """The same with factors of at most 1, and the power of two that was taken out: int32[S]."""
    largest = np.max([np.abs(factor) for factor in polynomial.values()], axis=0)
    octaves = np.frexp(np.where(np.isfinite(largest), largest, 1.0))[1]
    return {p: np.ldexp(factor, -octaves) for p, factor in polynomial.items()}, octaves


def _products(state: JointMoments, own: Polynomial, other: Polynomial) -> tuple[Array, Index]:
    """The covariance as m 2^e: float64[S] and int32[S]."""
    columns = monomials(state.centre.shape[1])
    (own, octaves), (other, more) = _in_octaves(own), _in_octaves(other)
    total, size = np.zeros((2, len(state.rows)))
    with np.errstate(all="ignore"):
        for a, factor in own.items():
            for b, other_factor in other.items():
                at = columns[tuple(x + y for x, y in zip(a, b, strict=True))]
                term = factor * other_factor * state.second[:, at]
                total, size = total + term, size + np.abs(term)
        total = np.where(np.abs(total) <= _NOISE * size, 0.0, total)
        scale = ratio(state.rows, (state.rows - 1) * state.first[:, 0] ** 2)
        return np.asarray(total * scale), octaves + more
