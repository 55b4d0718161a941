# SPDX-License-Identifier: Apache-2.0
"""How far losses are above what is expected of them, and intervals of their means."""

from __future__ import annotations

import math

import numpy as np

from benison.data.batch import Array
from benison.evidence.tails import student_quantile


def signed_deviance(successes: Array, trials: Array, share: Array) -> Array:
    """The signed root of the deviance of shares, which is about standard normal in its tails too: float64[N].

    >>> signed_deviance(np.array([8.0]), np.array([10.0]), np.array([0.5])).round(4).tolist()
    [1.9634]
    """
    safe = np.maximum(trials, 1)
    observed = np.clip(successes / safe, 1e-12, 1 - 1e-12)
    distance = observed * np.log(observed / share)
    distance += (1 - observed) * np.log((1 - observed) / (1 - share))
    root = np.sqrt(2 * trials * np.maximum(distance, 0))
    return np.asarray(np.where(observed > share, root, -root))


def binomial_upper_tail(successes: int, trials: int, share: float) -> float:
    """The probability of at least so many successes, of any number of trials.

    >>> round(binomial_upper_tail(8, 10, 0.5), 7)
    0.0546875
    """
    if successes <= 0 or not 0 < share < 1:
        return float(successes <= 0 or share >= 1)
    log_odds = math.log(share) - math.log1p(-share)
    whole = math.lgamma(trials + 1) + trials * math.log1p(-share)
    total, largest = 0.0, 0.0
    for k in range(successes, trials + 1):
        term = math.exp(whole - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_odds)
        total, largest = total + term, max(largest, term)
        if term < largest * 1e-12:  # beyond the mode terms fall ever faster
            break
    return min(total, 1.0)


def share_interval(count: float, rows: float, z: float) -> tuple[float, float]:
    """Wilson's interval of a share.

    >>> [round(end, 4) for end in share_interval(10, 100, 1.96)]
    [0.0552, 0.1744]
    """
    share, extra = count / rows, z * z / rows
    middle = (share + extra / 2) / (1 + extra)
    reach = z / (1 + extra) * math.sqrt(share * (1 - share) / rows + extra / (4 * rows))
    return middle - reach, middle + reach


def paired_interval(worse: float, better: float, rows: float, z: float) -> tuple[float, float]:
    """Bonett and Price's interval (2012) of the difference of two shares of the same rows.

    >>> [round(end, 4) for end in paired_interval(12, 4, 100, 1.96)]
    [-0.0017, 0.1585]
    """
    more, fewer = (worse + 1) / (rows + 2), (better + 1) / (rows + 2)
    difference = more - fewer
    reach = z * math.sqrt((more + fewer - difference**2) / (rows + 2))
    return difference - reach, difference + reach


def mean_interval(mean: float, variance: float, rows: float, tail: float) -> tuple[float, float]:
    """Student's interval of a mean."""
    reach = float(student_quantile(tail, np.array([rows - 1]))[0]) * math.sqrt(variance / rows)
    return mean - reach, mean + reach
