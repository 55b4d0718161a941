# SPDX-License-Identifier: Apache-2.0
"""Distances between two distributions over cells, and what so many rows show of the true distance.

A distance of two samples is never 0, even where nothing drifted, and the fewer rows the larger: an alarm at a
fixed distance is an alarm about small data, and a test of "no drift at all" one about large data. So a
drift is *shown* here when the true distance is above the threshold with confidence.

With n and m rows in k cells and h = 1/n + 1/m, the statistics 8 JS / h, 8 H^2 / h and PSI / h follow the
noncentral chi-square distribution with k - 1 degrees of freedom, whose noncentrality is the same expression
of the true distance: all three are the same quadratic form to second order (Csiszár and Shields,
"Information theory and statistics: a tutorial", 2004, section 4).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from benison.data.batch import Array
from benison.errors import MissingExtraError


@dataclasses.dataclass(frozen=True)
class Distance:
    """A distance between distributions p and q over k cells.

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


DISTANCES = {
    "jensen_shannon": Distance(jensen_shannon, 8.0, is_root=True, threshold=0.1),
    "hellinger": Distance(hellinger, 8.0, is_root=True, threshold=0.1),
    "psi": Distance(psi, 1.0, is_root=False, threshold=0.1, least=20.0),
}
