# SPDX-License-Identifier: Apache-2.0
"""Metrics as formulas of four shares of rows: right, positive, above the threshold, and both of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from benison.data.batch import Array


class RowShares(NamedTuple):
    """Shares of rows, from 0 to 1; NumPy's numbers, so that what divides by 0 is NaN."""

    right: np.float64
    hit: np.float64
    positive: np.float64
    above: np.float64


def shares_of(positive: Array, above: Array) -> Array:
    """What rows, or cells, add to each share: float64[4, N] of N probabilities and sides of the threshold."""
    right = np.where(above == 1, positive, 1 - positive)
    return np.stack([right, positive * above, positive, above])


Ratio = tuple[np.float64, tuple[float | np.float64, ...]]
"""A value, and its slopes in the four shares."""


def _accuracy(of: RowShares) -> Ratio:
    return of.right, (1.0, 0.0, 0.0, 0.0)


def _precision(of: RowShares) -> Ratio:
    value = of.hit / of.above
    return value, (0.0, 1 / of.above, 0.0, -value / of.above)


def _recall(of: RowShares) -> Ratio:
    value = of.hit / of.positive
    return value, (0.0, 1 / of.positive, -value / of.positive, 0.0)


def _f1(of: RowShares) -> Ratio:
    total = of.above + of.positive
    value = 2 * of.hit / total
    return value, (0.0, 2 / total, -value / total, -value / total)


RATIOS: Mapping[str, Callable[[RowShares], Ratio]] = {
    "binary_accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1_score": _f1,
}


def ratio(metric: str, shares: Array) -> tuple[float, Array]:
    """The value of a metric and its slopes, float64[4], at four shares; NaN where it has none."""
    with np.errstate(all="ignore"):
        value, slopes = RATIOS[metric](RowShares(*shares))
    return float(value), np.array(slopes)
