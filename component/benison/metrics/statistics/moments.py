# SPDX-License-Identifier: Apache-2.0
"""Means and squares of distances from them, which keep their digits far from zero and add up by groups.

Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
"""

from __future__ import annotations

import numpy as np

from benison.data.batch import Array, Index


def joined_moments(
    group_of: Index, groups: int, weight: Array, mean: Array, second: Array
) -> tuple[Array, Array, Array]:
    """The moments of groups of rows, each from those of its parts: float64[groups] each.

    Args:
        group_of: The group of each part, int64[N].
        groups: How many there are; one without parts has the moments 0.
        weight: Of each part, float64[N].
        mean: Of the values in it, so weighted: float64[N].
        second: The sum of the squares of their distances from that mean, so weighted: float64[N].

    >>> joined_moments(np.array([0, 0]), 1, np.ones(2), np.array([1e9, 1e9 + 2]), np.zeros(2))
    (array([2.]), array([1.e+09]), array([2.]))
    """
    total: Array = np.bincount(group_of, weight, groups).astype(np.float64, copy=False)
    centre = mean[0] if len(mean) and np.isfinite(mean[0]) else 0.0
    # Near the centre differences have more digits than the values; what is infinite stays so.
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.bincount(group_of, weight * (mean - centre), groups)
        means = centre + np.divide(moved, total, out=np.zeros_like(total), where=total > 0)
        second = second + weight * (mean - means[group_of]) ** 2
        seconds: Array = np.bincount(group_of, second, groups).astype(np.float64, copy=False)
    return total, means, seconds
