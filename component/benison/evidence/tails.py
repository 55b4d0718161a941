# SPDX-License-Identifier: Apache-2.0
"""Tails and quantiles of the normal, Student's t and the binomial distribution, for many values at once.

Base installations have no SciPy; the tests hold these against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array

_MANY = 50.0
"""Degrees of freedom from which Hill's expansion has ten digits."""
_STEPS = 200
_TINY = 1e-300


def normal_tail(z: npt.ArrayLike) -> Array:
    """P(Z > z) of a standard normal Z, in [0, 1].

    >>> normal_tail([0.0, 1.6448536269514722]).round(6)
    array([0.5 , 0.05])
    """
    return 0.5 * _each(math.erfc, np.asarray(z, float) / math.sqrt(2))


def student_tail(t: npt.ArrayLike, df: npt.ArrayLike) -> Array:
    """P(T > t) of Student's T with `df` > 0 degrees of freedom, in [0, 1]; NaN where either is NaN.

    By the incomplete beta function, and from 50 degrees by Hill, "Algorithm 395: Student's t-distribution",
    Communications of the ACM 13, 1970.

    >>> student_tail([0.0, 6.313751514675043, 1.66], [5, 1, 100]).round(4)
    array([0.5 , 0.05, 0.05])
    """
    t, df = np.broadcast_arrays(np.asarray(t, float), np.asarray(df, float))
    with np.errstate(all="ignore"):
        many = df >= _MANY
        tail = np.empty(t.shape)
        tail[many] = normal_tail(_hill(np.abs(t[many]), df[many]))
        few_t, few = t[~many], df[~many]
        tail[~many] = 0.5 * beta_share(few / 2, np.full(few.shape, 0.5), few / (few + few_t**2))
        tail = np.where(np.isnan(t) | ~(df > 0), np.nan, tail)
        return np.where(t < 0, 1 - tail, tail)


def _hill(t: Array, df: Array) -> Array:
    """The normal deviate of the same tail."""
    df = np.minimum(df, 1e15)
    a = df - 0.5
    b = 48 * a**2
    y = a * np.log1p(t**2 / df)
    y = np.where(np.isinf(t), np.inf, y)
    correction = ((((-0.4 * y - 3.3) * y - 24) * y - 85.5) / (0.8 * y**2 + 100 + b) + y + 3) / b
    return np.asarray(np.where(np.isinf(y), np.inf, (correction + 1) * np.sqrt(y)))


def beta_share(a: Array, b: Array, x: Array) -> Array:
    """The regularized incomplete beta function I_x(a, b), in [0, 1], for a and b up to some hundreds.

    By its continued fraction: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.5.8, from the
    side on which it converges.

    >>> beta_share(np.array([2.0]), np.array([3.0]), np.array([0.5])).round(12)
    array([0.6875])
    """
    turned = x > (a + 1) / (a + b + 2)
    first, second = np.where(turned, b, a), np.where(turned, a, b)
    at = np.where(turned, 1 - x, x)
    log_beta = _each(math.lgamma, a) + _each(math.lgamma, b) - _each(math.lgamma, a + b)
    with np.errstate(all="ignore"):
        front = np.exp(first * np.log(at) + second * np.log1p(-at) - log_beta) / first
        share = np.where(at <= 0, 0.0, front * _fraction(first, second, at))
    share = np.where(np.isnan(x), np.nan, share)
    return np.where(turned, 1 - share, share)


def beta_quantile(a: Array, b: Array, share: float) -> Array:
    """The x of which I_x(a, b) is `share`, for a and b up to some hundreds.

    By Newton's method, within the two x that are known to enclose it, and halving these where it leaves them.

    >>> beta_quantile(np.array([2.0]), np.array([3.0]), 0.6875).round(12)
    array([0.5])
    """
    log_beta = _each(math.lgamma, a) + _each(math.lgamma, b) - _each(math.lgamma, a + b)
    low, high = np.zeros(a.shape), np.ones(a.shape)
    x = a / (a + b)
    for _ in range(_STEPS):
        distance = beta_share(a, b, x) - share
        low, high = np.where(distance < 0, x, low), np.where(distance < 0, high, x)
        with np.errstate(all="ignore"):
            slope = np.exp((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - log_beta)
            following = x - distance / slope
        inside = (following >= low) & (following <= high)
        following = np.where(inside, following, (low + high) / 2)
        moved, x = np.abs(following - x), following
        if np.all(moved <= 1e-14 * x):
            break
    return x


def _fraction(a: Array, b: Array, x: Array) -> Array:
    """The continued fraction by Lentz's method, as modified by Thompson and Barnett, 1986."""
    value = d = np.ones(np.shape(x))
    c = np.full(np.shape(x), 1 / _TINY)
    for step in range(1, _STEPS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _off_zero(1 + term * d)
        c = _off_zero(1 + term / c)
        value = value * c * d
        if np.all(np.abs(c * d - 1)[np.isfinite(value)] < 1e-15):
            break
    return value


def _off_zero(values: Array) -> Array:
    return np.where(np.abs(values) < _TINY, _TINY, values)


def binomial_tail(successes: Array, total: Array, share: Array) -> Array:
    """P(X <= successes) of X successes in `total` trials of probability `share`, for up to some hundreds.

    >>> binomial_tail(np.array([1.0]), np.array([2.0]), np.array([0.5]))
    array([0.75])
    """
    rest = total - successes
    full = rest <= 0
    tail = beta_share(np.where(full, 1.0, rest), successes + 1, 1 - share)
    return np.where(full, 1.0, tail)


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


def normal_quantile(alpha: float) -> float:
    """The z of which P(Z > z) is alpha.

    >>> round(normal_quantile(0.025), 6)
    1.959964
    """
    return -NormalDist().inv_cdf(alpha)


def student_quantile(alpha: float, df: Array) -> Array:
    """The t of which P(T > t) is alpha, for alpha below 1/2; NaN where `df` is no positive number.

    >>> student_quantile(0.025, np.array([1.0, 19.0, 1e6])).round(4)
    array([12.7062,  2.093 ,  1.96  ])
    """
    # Many points of a slice have the same degrees of freedom.
    unique, back = np.unique(df, return_inverse=True)
    return _each_quantile(alpha, unique)[back].reshape(np.shape(df))


def _each_quantile(alpha: float, df: Array) -> Array:
    """By Newton's method on the logarithms of both, in which tails are nearly straight."""
    with np.errstate(all="ignore"):
        t = np.full(np.shape(df), max(normal_quantile(alpha), 1e-3))
        for _ in range(12):
            tail = student_tail(t, df)
            slope = -t * _density(t, df) / tail
            step = (np.log(tail) - math.log(alpha)) / slope
            t = t * np.exp(-np.clip(step, -3, 3))
            if np.all(np.abs(step[np.isfinite(step)]) < 1e-13):
                break
        return np.where(df > 0, t, np.nan)


def _density(t: Array, df: Array) -> Array:
    df = np.minimum(df, 1e15)
    half = _each(math.lgamma, (df + 1) / 2) - _each(math.lgamma, df / 2)
    return np.asarray(np.exp(half - (df + 1) / 2 * np.log1p(t**2 / df)) / np.sqrt(df * math.pi))


def _each(function: Callable[[float], float], values: Array) -> Array:
    """A function of one number on every element; where it is not defined, NaN."""
    flat = np.asarray(values, float).ravel()
    usable = ~np.isnan(flat) if function is math.erfc else np.isfinite(flat) & (flat > 0)
    results = np.full(flat.shape, np.nan)
    results[usable] = np.fromiter(map(function, flat[usable].tolist()), float, int(usable.sum()))
    return results.reshape(np.shape(values))
