# SPDX-License-Identifier: Apache-2.0
"""Means of skewed values, of which Student's t says too much on the side of the long tail."""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array
from benison.evidence.spread import Bound, Student
from benison.evidence.tails import student_quantile, student_tail


@dataclasses.dataclass(frozen=True)
class Skewed(Student):
    """Means of values that are skewed, tested by Johnson's corrected t.

    With u = (mean - bound) / error the statistic is u + g / 6 + g u^2 / 3, where g is the skewness over the
    root of the number of rows. It turns back far off the bound, on the side of the short tail; there it
    stays at its extreme, so that a value farther off is never shown less.

    Only a skewness that makes it harder to show something is corrected for. That of a few rows, whose tails
    are long, follows their mean by chance: where it made things easier, 5 in 100,000 would be 40.

    Johnson, "Modified t tests and confidence intervals for asymmetrical populations", Journal of the American
    Statistical Association 73, 1978.

    Attributes:
        skew: g, the third central moment over the cube of the standard deviation, over the root of n.
    """

    skew: Array = dataclasses.field(default_factory=lambda: np.zeros(0))
    label: str = "johnson"

    @property
    def _skews(self) -> tuple[Array, Array]:
        """Those by which it is harder to show a value above a bound, and below one."""
        return np.minimum(self.skew, 0.0), np.maximum(self.skew, 0.0)

    def p_below(self, bound: Bound) -> Array:
        u, skew = self._distance(bound), self._skews[1]
        with np.errstate(all="ignore"):
            u = np.where(skew > 0, np.maximum(u, -1.5 / skew), u)
        return student_tail(-_corrected(u, skew), self.degrees)

    def p_above(self, bound: Bound) -> Array:
        u, skew = self._distance(bound), self._skews[0]
        with np.errstate(all="ignore"):
            u = np.where(skew < 0, np.minimum(u, -1.5 / skew), u)
        return student_tail(_corrected(u, skew), self.degrees)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        quantile = student_quantile(alpha, self.degrees)
        above, below = self._skews
        high, low = _uncorrected(quantile, above, np.inf), _uncorrected(-quantile, below, -np.inf)
        return self.measured - high * self.std_error, self.measured - low * self.std_error


def _corrected(u: Array, skew: Array) -> Array:
    """Johnson's statistic of a distance in standard errors."""
    return np.asarray(u + skew / 6 + skew * u**2 / 3)


def _uncorrected(statistic: Array, skew: Array, beyond: float) -> Array:
    """The distance of a statistic; `beyond` where it is never reached."""
    with np.errstate(all="ignore"):
        rest = 1 - 4 * skew / 3 * (skew / 6 - statistic)
        root = np.where(rest < 0, beyond, (np.sqrt(np.maximum(rest, 0)) - 1) / (2 * skew / 3))
        return np.where(np.abs(skew) < 1e-9, statistic - skew / 6, root)


def skew_of_means(third: Array, rows: Array, error: Array) -> Array:
    """The skewness of rows over the root of their number, as `Skewed` takes it; 0 where it is unknown.

    That of few rows is too small, where they are skewed: of 30 exponential ones by a fifth. A factor of
    1 + 6 / n makes up for it, and leaves that of rows which are not skewed around 0.

    Args:
        third: The sum of the cubes of their distances from the mean.
        rows: How many rows there are.
        error: The standard error of their mean.
    """
    with np.errstate(all="ignore"):
        skew = third / rows**3 / error**3
        most = (rows - 2) / np.sqrt(rows * (rows - 1))  # of one row unlike all others
        skew = np.clip(skew, -most, most) * (1 + 6 / rows)
    return np.where(np.isfinite(skew), skew, 0.0)
