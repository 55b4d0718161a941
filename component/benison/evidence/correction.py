# SPDX-License-Identifier: Apache-2.0
"""Adjusts the p-values of many tests, so that together they err as seldom as one alone."""

from __future__ import annotations

import numpy as np

from benison.data.batch import Array


def holm(p: Array, weights: Array | None = None) -> Array:
    """The adjusted p-values of F tests, float64[F] in [0, 1]: at most alpha where a test rejects at alpha.

    Holds the family-wise error under any dependence. Holm, "A simple sequentially rejective multiple test
    procedure", Scandinavian Journal of Statistics 6, 1979; with weights, section 3 of it.

    Args:
        p: The p-values. One that is NaN, as nothing could be tested, is in the family and stays NaN.
        weights: The shares of alpha, in any positive unit; None for equal ones.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    weights = np.ones(len(p)) if weights is None else weights
    ratio = np.where(np.isnan(p), np.inf, p / weights)
    order = np.argsort(ratio, kind="stable")
    left = np.cumsum(weights[order][::-1])[::-1]
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(ratio[order] * left), 1.0)
    return np.where(np.isnan(p), np.nan, adjusted)


def benjamini_hochberg(p: Array) -> Array:
    """The adjusted p-values of F tests by which the share of false findings is held, float64[F].

    Benjamini and Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical
    Society B 57, 1995. What is NaN is in the family and stays NaN.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.04, 0.04])
    """
    size = len(p)
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")
    ranked = np.where(np.isnan(p), 1.0, p)[order] * size / np.arange(1, size + 1)
    adjusted = np.empty(size)
    adjusted[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return np.where(np.isnan(p), np.nan, adjusted)
