# SPDX-License-Identifier: Apache-2.0
"""Correlations measured on samples, on the scales on which they are close to normal."""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array
from benison.evidence.spread import Bound, Student, between
from benison.evidence.tails import student_quantile, student_tail


@dataclasses.dataclass(frozen=True)
class Correlation(Student):
    """Correlations r, from -1 to 1, of which atanh r is Student's t around the true atanh.

    Fisher, "On the 'probable error' of a coefficient of correlation deduced from a small sample", Metron 1,
    1921; the error is that of r, of any distribution, over 1 - r^2.

    With another low end it is the same of 2 v - 1 for values v from 0 to 1, whose atanh is half their logit.

    >>> Correlation(np.array([0.9]), np.array([0.02]), np.array([1e9])).limits(0.025)[0].round(4)
    array([0.8527])
    """

    label: str = "fisher_z"
    low: float = -1.0

    def _scaled(self, values: Bound) -> Array:
        """Values with -1 and 1 as the ends of their range."""
        return np.asarray(1 - 2 * (1 - np.asarray(values)) / (1 - self.low))

    @property
    def _scaled_error(self) -> Array:
        with np.errstate(all="ignore"):
            error = 2 * self.std_error / (1 - self.low)
            return np.asarray(error / (1 - self._scaled(self.measured) ** 2))

    def _distance(self, bound: Bound) -> Array:
        with np.errstate(all="ignore"):
            at = np.arctanh(np.clip(self._scaled(bound), -1.0, 1.0))
            return np.asarray((np.arctanh(self._scaled(self.measured)) - at) / self._scaled_error)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        with np.errstate(all="ignore"):
            reach = student_quantile(alpha, self.degrees) * self._scaled_error
            centre = np.arctanh(self._scaled(self.measured))
        ends = np.tanh(centre - reach), np.tanh(centre + reach)
        lower, upper = (1 - (1 - end) * (1 - self.low) / 2 for end in ends)
        return lower, upper


@dataclasses.dataclass(frozen=True)
class SquaredCorrelation(Student):
    """Squares of correlations, from 0 to 1, which are not below 0 however far from normal that makes them.

    A square is above a bound where the correlation is above its root or below the negative root, so that the
    tests are those of the correlation on both sides.
    """

    label: str = "fisher_z"

    def p_above(self, bound: Bound) -> Array:
        bound = np.broadcast_to(np.asarray(bound, float), self.measured.shape)
        root = np.arctanh(np.sqrt(np.clip(bound, 0.0, 1.0 - 1e-16)))
        with np.errstate(all="ignore"):
            size = np.sqrt(self.measured)
            error = self.std_error / (2 * size * (1 - self.measured))
            both = sum(
                student_tail((np.arctanh(size) + side) / error, self.degrees)
                for side in (-root, root)
            )
        p = np.where(bound < 0, 0.0, np.where(bound >= 1, 1.0, both))
        return np.where(np.isnan(self.std_error), np.nan, p)

    def p_below(self, bound: Bound) -> Array:
        p = np.where(np.asarray(bound) <= 0, 1.0, 1 - self.p_above(bound))
        return np.where(np.isnan(self.std_error), np.nan, p)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        lower, upper = between(
            self.measured,
            0.0,
            1.0,
            lambda bound: self.p_above(bound) < alpha,
            lambda bound: self.p_below(bound) < alpha,
        )
        unknown = np.isnan(self.std_error)
        return np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper)
