# SPDX-License-Identifier: Apache-2.0
"""Distances between two distributions over cells, and what so many rows show of the true distance.

A distance of two samples is never 0, even where nothing drifted, and the fewer rows the larger: an alarm at a
fixed distance is an alarm about small data, and a test of "no drift at all" one about large data. So a
drift is *shown* here when the true distance is above the threshold with confidence.

With n and m rows in k cells and h = 1/n + 1/m, the statistics 8 JS / h, 8 H^2 / h and PSI / h follow the
noncentral chi-square distribution with k - 1 degrees of freedom, whose noncentrality is the same expression
of the true distance: all three are the same quadratic form to second order (Csiszár and Shields,
"Information theory and statistics: a tutorial", 2004, section 4). The largest differences of a cell
and of the distribution functions are held against what the error of such a difference alone would be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np

from benison.data.batch import Array
from benison.errors import MissingExtraError


class Measure(Protocol):
    """A distance between distributions p and q over k cells, float64[K] each, of samples with 1/n + 1/m = h.

    `least` is what `Distance` says of it. One that `is_of_numbers` has a cell for each distinct number.
    """

    @property
    def threshold(self) -> float: ...

    @property
    def least(self) -> float: ...

    @property
    def is_of_numbers(self) -> bool: ...

    def of(self, p: Array, q: Array) -> float: ...

    def debiased(self, p: Array, q: Array, h: float) -> float: ...

    def p_value(self, p: Array, q: Array, h: float, threshold: float) -> float: ...


@dataclasses.dataclass(frozen=True)
class Distance:
    """A distance whose divergence is a quadratic form to second order.

    Attributes:
        divergence: Of p and q, float64[K] each.
        scale: By which the divergence is multiplied to be chi-square, before it is divided by h.
        is_root: Whether the distance is the root of the divergence.
        threshold: What is usually called drift.
        least: The rows that a cell must expect; the index of population stability needs more, as it has no
            value where a cell is empty.
    """

    divergence: Callable[[Array, Array], float]
    scale: float
    is_root: bool
    threshold: float
    least: float = 5.0
    is_of_numbers: ClassVar[bool] = False

    def of(self, p: Array, q: Array) -> float:
        """The distance as measured."""
        return self._distance(self.divergence(p, q))

    def debiased(self, p: Array, q: Array, h: float) -> float:
        """The distance without what the samples alone make of it."""
        return self._distance(self.divergence(p, q) - (len(p) - 1) * h / self.scale)

    def p_value(self, p: Array, q: Array, h: float, threshold: float) -> float:
        """How often samples are as far apart if the true distance is the threshold; small shows drift."""
        if len(p) < 2:
            return 1.0
        limit = threshold**2 if self.is_root else threshold
        statistic, noncentrality = (self.scale * x / h for x in (self.divergence(p, q), limit))
        return float(_distributions().ncx2.sf(statistic, len(p) - 1, noncentrality))

    def _distance(self, divergence: float) -> float:
        divergence = max(divergence, 0.0)
        return float(np.sqrt(divergence)) if self.is_root else float(divergence)


@dataclasses.dataclass(frozen=True)
class LargestDifference:
    """The L-infinity distance: by how much the share of a cell differs, where it does most."""

    threshold: float = 0.1
    least: float = 20.0
    is_of_numbers: ClassVar[bool] = False

    def of(self, p: Array, q: Array) -> float:
        """The distance as measured."""
        return float(np.abs(p - q).max(initial=0.0))

    def debiased(self, p: Array, q: Array, h: float) -> float:
        """The distance without the mean error of a difference."""
        off = np.abs(p - q) - _errors(p, q, h) * np.sqrt(2 / np.pi)
        return float(off.max(initial=0.0))

    def p_value(self, p: Array, q: Array, h: float, threshold: float) -> float:
        """How often samples are so far apart in any cell, after Bonferroni, if they are by the threshold."""
        if len(p) < 2:
            return 1.0
        with np.errstate(all="ignore"):
            z = (np.abs(p - q) - threshold) / _errors(p, q, h)
        smallest = _distributions().norm.sf(np.nan_to_num(z.max(), nan=0.0))
        return float(min(1.0, 2 * len(p) * smallest))


def _errors(p: Array, q: Array, h: float) -> Array:
    """The standard error of the difference of each cell, at least as large as it is."""
    return np.sqrt(np.maximum(p * (1 - p), q * (1 - q)) * h)


@dataclasses.dataclass(frozen=True)
class DistributionGap:
    """The largest difference of two distribution functions of numbers; missing ones are in none.

    What a sample adds to it is at most the largest difference of samples that are distributed alike.
    """

    threshold: float = 0.1
    least: float = 0.0
    is_of_numbers: ClassVar[bool] = True

    def of(self, p: Array, q: Array) -> float:
        """The distance as measured."""
        return float(np.abs(np.cumsum(p - q)).max(initial=0.0))

    def debiased(self, p: Array, q: Array, h: float) -> float:
        """The distance without the mean of Kolmogorov's distribution."""
        return max(self.of(p, q) - float(np.sqrt(np.pi * h / 2)) * float(np.log(2)), 0.0)

    def p_value(self, p: Array, q: Array, h: float, threshold: float) -> float:
        """How often samples are so far apart if the true distance is the threshold; not less than it is."""
        beyond = self.of(p, q) - threshold
        return float(_distributions().kstwobign.sf(beyond / np.sqrt(h))) if beyond > 0 else 1.0


def _distributions() -> Any:
    try:
        from scipy import stats  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError(
            "SciPy, which knows what samples can show of drift,", "drift"
        ) from error
    return stats


def _relative_entropy(p: Array, q: Array) -> float:
    with np.errstate(all="ignore"):
        return float(np.nansum(np.where(p > 0, p * np.log(p / q), 0.0)))


def jensen_shannon(p: Array, q: Array) -> float:
    """The divergence of Lin, 1991, in nats: from 0 to ln 2.

    >>> round(jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])), 4)
    0.6931
    """
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def hellinger(p: Array, q: Array) -> float:
    """The square of Hellinger's distance, from 0 to 1."""
    return float(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)


def psi(p: Array, q: Array) -> float:
    """The population stability index, the sum of both relative entropies: from 0 to infinity."""
    with np.errstate(all="ignore"):
        return float(np.where(p == q, 0.0, (p - q) * np.log(p / q)).sum())


DISTANCES: dict[str, Measure] = {
    "jensen_shannon": Distance(jensen_shannon, 8.0, is_root=True, threshold=0.1),
    "hellinger": Distance(hellinger, 8.0, is_root=True, threshold=0.1),
    "psi": Distance(psi, 1.0, is_root=False, threshold=0.1, least=20.0),
    "l_infinity": LargestDifference(),
    "ks": DistributionGap(),
}
