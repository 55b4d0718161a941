# SPDX-License-Identifier: Apache-2.0
"""Values measured on samples, each with what its sample says of the true value.

A test is one-sided: `p_below(b)` is how often a sample would show a value this low if the true one were b, so
that a small p shows that the true value is below b. NaN says that the sample cannot tell. `limits(alpha)` are
the bounds that the same tests leave standing; of shares tests are exact where limits are Wilson's.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Self, TypeAlias

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.evidence.tails import (
    beta_quantile,
    binomial_tail,
    normal_quantile,
    normal_tail,
    student_quantile,
    student_tail,
)

Bound: TypeAlias = "Array | float"
Test: TypeAlias = Callable[[Array], Mask]

OVERFLOW = "overflow"  # squares of values or weights are no numbers: there is no interval
_EXACT_ROWS = 200
"""Shares of fewer rows have exact limits."""
_ROUNDING = 1e-6
_EXACT_VARIANCE = 1000.0
"""Up to that variance of the number of successes, tests of shares are exact."""
_EXACT_DISCORDANT = 25
_HALVINGS = 48
_AT_ONCE = 1 << 16
"""As many values have their limits found at once, so that memory does not grow with the points."""


@dataclasses.dataclass(frozen=True)
class Spread(abc.ABC):
    """N values and how far the true ones may be from them; fields are float64[N]."""

    @property
    @abc.abstractmethod
    def value(self) -> Array:
        """The values as measured."""

    @property
    @abc.abstractmethod
    def std_error(self) -> Array:
        """The standard error of each, NaN where it is unknown."""

    @property
    @abc.abstractmethod
    def method(self) -> list[str]:
        """How each is tested: the column `interval_method`."""

    @property
    def df(self) -> Array:
        """Student's degrees of freedom, NaN where another distribution is used."""
        return np.full(len(self.value), np.nan)

    @property
    def is_constant(self) -> Mask:
        """Where no row of the sample differs from another, so that the standard error is 0: bool[N]."""
        return np.zeros(len(self.value), np.bool_)

    @property
    def is_unknown(self) -> Mask:
        """Where more rows like these would not show either how far the true value may be: bool[N]."""
        return np.zeros(len(self.value), np.bool_)

    @abc.abstractmethod
    def p_below(self, bound: Bound) -> Array:
        """One-sided p-values: small shows that the true value is below `bound`; NaN cannot tell."""

    @abc.abstractmethod
    def p_above(self, bound: Bound) -> Array:
        """One-sided p-values: small shows that the true value is above `bound`; NaN cannot tell."""

    @abc.abstractmethod
    def limits(self, alpha: float) -> tuple[Array, Array]:
        """Below and above which the true value is not, each at most alpha (below 1/2) often wrong."""

    def take(self, index: Index) -> Self:
        """The values `index`."""
        fields = (field.name for field in dataclasses.fields(self))
        parts = {name: getattr(self, name) for name in fields}
        return dataclasses.replace(
            self, **{k: v[index] for k, v in parts.items() if isinstance(v, np.ndarray)}
        )


@dataclasses.dataclass(frozen=True)
class Student(Spread):
    """Values whose distance from the true ones, in standard errors, is Student's t.

    Without a degree of freedom, or where the sample does not vary at all, nothing can be told: that no rows
    differ does not make a value certain. What takes more rows to be known has no degree of freedom.

    >>> spread = Student(np.array([0.9]), np.array([0.01]), np.array([500.0]))
    >>> spread.p_below(0.92).round(3), spread.limits(0.025)[0].round(3)
    (array([0.023]), array([0.88]))
    """

    measured: Array
    error: Array
    degrees: Array
    label: str = "t"

    @property
    def value(self) -> Array:
        return self.measured

    @property
    def std_error(self) -> Array:
        usable = (self.error > 0) & np.isfinite(self.error) & (self.degrees > 0)
        return np.where(usable, self.error, np.nan)

    @property
    def df(self) -> Array:
        return np.where(np.isnan(self.std_error), np.nan, self.degrees)

    @property
    def is_constant(self) -> Mask:
        return np.asarray((self.error == 0) & (self.degrees > 0))

    @property
    def is_unknown(self) -> Mask:
        # Squares of weights that are no numbers leave no degrees of freedom either.
        return np.asarray(~np.isfinite(self.error) & ~(self.degrees <= 0))

    @property
    def method(self) -> list[str]:
        beyond = self.is_unknown & np.isfinite(self.measured)
        return [OVERFLOW if i else self.label for i in beyond.tolist()]

    def p_below(self, bound: Bound) -> Array:
        return student_tail(-self._distance(bound), self.degrees)

    def p_above(self, bound: Bound) -> Array:
        return student_tail(self._distance(bound), self.degrees)

    def _distance(self, bound: Bound) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray((self.measured - bound) / self.std_error)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        reach = student_quantile(alpha, self.degrees) * self.std_error
        return self.measured - reach, self.measured + reach


@dataclasses.dataclass(frozen=True)
class Share(Spread):
    """Shares of rows: exact limits (Clopper and Pearson, 1934) below 200 rows, else Wilson's score.

    Tests are exact up to many more rows: near 0 and 1 the score finds 0.99 of 300 rows too low in 8 % of
    samples in place of 5 %, and far in the tail, where many tests are corrected for, it errs by more.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22, 1927.

    >>> Share(np.array([270.0]), np.array([300.0])).limits(0.025)[0].round(4)
    array([0.8608])
    """

    successes: Array
    total: Array

    @property
    def value(self) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.successes / self.total)

    @property
    def std_error(self) -> Array:
        with np.errstate(all="ignore"):
            error = np.sqrt(self.value * (1 - self.value) / self.total)
        return np.where(error > 0, error, np.nan)

    @property
    def adjusted_error(self) -> Array:
        """The standard error with one row more of each kind, which is not 0 where all rows are alike.

        Agresti and Caffo, "Simple and effective confidence intervals for proportions and differences of
        proportions", The American Statistician 54, 2000.
        """
        share = (self.successes + 1) / (self.total + 2)
        error = np.sqrt(share * (1 - share) / (self.total + 2))
        return np.where(self.total > 0, error, np.nan)

    @property
    def method(self) -> list[str]:
        return ["clopper_pearson" if few else "wilson" for few in self._few.tolist()]

    @property
    def _few(self) -> Mask:
        # Fractions of labels add up to a whole number but for rounding.
        return np.asarray(self.total < _EXACT_ROWS - _ROUNDING)

    def p_below(self, bound: Bound) -> Array:
        bound = np.broadcast_to(np.asarray(bound, float), self.total.shape)
        return self._p(self.successes, np.clip(bound, 0.0, 1.0), bound > 1)

    def p_above(self, bound: Bound) -> Array:
        bound = np.broadcast_to(np.asarray(bound, float), self.total.shape)
        return self._p(self.total - self.successes, 1 - np.clip(bound, 0.0, 1.0), bound < 0)

    def _p(self, successes: Array, bound: Array, outside: Mask) -> Array:
        """How often a share of `bound` shows as few successes."""
        with np.errstate(all="ignore"):
            error = np.sqrt(bound * (1 - bound) * self.total)
            score = normal_tail((bound * self.total - successes) / error)
        certain = (bound >= 1) & (successes < self.total)
        p = np.where(error > 0, score, np.where(certain, 0.0, 1.0))
        few = (self._few | (error**2 < _EXACT_VARIANCE)) & (error > 0)
        p[few] = binomial_tail(successes[few], self.total[few], bound[few])
        return np.where(self.total > 0, np.where(outside, 0.0, p), np.nan)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        lower, upper = wilson(self.value, self.total, alpha)
        few = self._few & (self.total > 0)
        if few.any():
            lower[few], upper[few] = self._exact(few, alpha)
        return lower, upper

    def _exact(self, few: Mask, alpha: float) -> tuple[Array, Array]:
        """The limits of some shares; many slices have equal counts, which are looked at once."""
        counts = np.stack([self.successes[few], self.total[few]])
        unique, back = np.unique(counts, axis=1, return_inverse=True)
        hits, misses = unique[0], unique[1] - unique[0]
        lower, upper = np.zeros(len(hits)), np.ones(len(hits))
        some, not_all = hits > 0, misses > 0
        lower[some] = beta_quantile(hits[some], misses[some] + 1, alpha)
        upper[not_all] -= beta_quantile(misses[not_all], hits[not_all] + 1, alpha)
        return lower[back.ravel()], upper[back.ravel()]


def limits_of_each(spreads: Sequence[Spread], alpha: float) -> tuple[Array, Array]:
    """The limits of several spreads of N values each, float64[len(spreads), N]."""
    parts = [joined.limits(alpha) for joined in _joined(spreads)]
    shape = (len(spreads), -1)
    lower, upper = (np.concatenate(side).reshape(shape) for side in zip(*parts, strict=True))
    return lower, upper


def _joined(spreads: Sequence[Spread]) -> Iterator[Spread]:
    """The same values in the same order, with neighbours of one kind together."""
    most = max(1, _AT_ONCE // max(1, len(spreads[0].value)))
    for kind, group in itertools.groupby(spreads, type):
        alike = list(group)
        size = most if kind in (Share, Student, PairedShares) else 1
        for start in range(0, len(alike), size):
            yield _concatenated(alike[start : start + size])


def _concatenated(spreads: Sequence[Spread]) -> Spread:
    """Of spreads of one kind."""
    if len(spreads) == 1:
        return spreads[0]
    arrays = [{k: v for k, v in vars(s).items() if isinstance(v, np.ndarray)} for s in spreads]
    columns = {name: np.concatenate([of[name] for of in arrays]) for name in arrays[0]}
    return dataclasses.replace(spreads[0], **columns)


def wilson(share: Array, rows: Array, alpha: float) -> tuple[Array, Array]:
    """Wilson's limits of shares of so many rows, each alpha often wrong; NaN without rows.

    >>> [limit.round(4) for limit in wilson(np.array([0.9, 0.0]), np.array([300.0, 5.0]), 0.025)]
    [array([0.8608, 0.    ]), array([0.9291, 0.4345])]
    """
    z = normal_quantile(alpha)
    with np.errstate(all="ignore"):
        centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
        half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    lower, upper = np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
    return np.where(share == 0, 0 * upper, lower), np.where(share == 1, 1 + 0 * lower, upper)


@dataclasses.dataclass(frozen=True)
class PairedShares(Spread):
    """Changes of the share of right rows between two models on the same rows, by Tango's score.

    Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17, 1998. Against no change at all, with fewer than 25 rows on which the
    models differ, the exact mid-p test of McNemar.

    Attributes:
        won: Rows that only the candidate has right.
        lost: Rows that only the baseline has right.
        total: All rows.

    >>> spread = PairedShares(np.array([48.0]), np.array([99.0]), np.array([2447.0]))
    >>> spread.p_below(0.0).round(6)
    array([1.3e-05])
    """

    won: Array
    lost: Array
    total: Array

    @property
    def value(self) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray((self.won - self.lost) / self.total)

    @property
    def std_error(self) -> Array:
        with np.errstate(all="ignore"):
            churn = (self.won + self.lost) / self.total
            error = np.sqrt(np.maximum(churn - self.value**2, 0.0) / self.total)
        return np.where(error > 0, error, np.nan)

    @property
    def method(self) -> list[str]:
        return ["tango"] * len(self.total)

    def p_below(self, bound: Bound) -> Array:
        return self._p(self.won, self.lost, np.asarray(bound, float))

    def p_above(self, bound: Bound) -> Array:
        return self._p(self.lost, self.won, -np.asarray(bound, float))

    def _p(self, won: Array, lost: Array, bound: Array) -> Array:
        bound = np.broadcast_to(bound, self.total.shape)
        p = normal_tail(-self._score(won, lost, np.clip(bound, -1.0, 1.0)))
        p = np.where(bound > 1, 0.0, np.where(bound <= -1, 1.0, p))
        discordant = won + lost
        few = (bound == 0) & (discordant < _EXACT_DISCORDANT) & (self.total > 0)
        p[few] = _mid_p(won[few], discordant[few])
        return np.where(self.total > 0, p, np.nan)

    def _score(self, won: Array, lost: Array, bound: Array) -> Array:
        n = self.total
        with np.errstate(all="ignore"):
            b = (2 * n - won + lost) * bound - won - lost
            c = -lost * bound * (1 - bound)
            expected = (np.sqrt(np.maximum(b**2 - 8 * n * c, 0.0)) - b) / (4 * n)
            variance = n * (2 * expected + bound * (1 - bound))
            score = (won - lost - n * bound) / np.sqrt(np.maximum(variance, 0.0))
        return np.where(np.isnan(score), 0.0, score)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        z = normal_quantile(alpha)
        lower, upper = between(
            self.value,
            -1.0,
            1.0,
            lambda bound: self._score(self.won, self.lost, bound) > z,
            lambda bound: self._score(self.won, self.lost, bound) < -z,
        )
        known = self.total > 0
        return np.where(known, lower, np.nan), np.where(known, upper, np.nan)


def _mid_p(won: Array, discordant: Array) -> Array:
    """P(X < won) + P(X = won) / 2, for X of `discordant` fair coins."""
    half = np.full(len(won), 0.5)
    up_to = binomial_tail(won, discordant, half)
    below = np.where(won > 0, binomial_tail(np.maximum(won - 1, 0), discordant, half), 0.0)
    return np.asarray((up_to + below) / 2)


def between(
    value: Array, low: float, high: float, is_above: Test, is_below: Test
) -> tuple[Array, Array]:
    """The limits in [low, high] around values, found by halving.

    Args:
        value: What lies between the limits.
        low: The least value that there is.
        high: The largest.
        is_above: Whether the true values are shown to be above some bounds.
        is_below: Whether they are shown to be below.
    """
    outer, inner = np.full(len(value), low), np.array(value)
    for _ in range(_HALVINGS):
        middle = (outer + inner) / 2
        shown = is_above(middle)
        outer, inner = np.where(shown, middle, outer), np.where(shown, inner, middle)
    lower, outer, inner = outer, np.full(len(value), high), np.array(value)
    for _ in range(_HALVINGS):
        middle = (outer + inner) / 2
        shown = is_below(middle)
        outer, inner = np.where(shown, middle, outer), np.where(shown, inner, middle)
    return lower, outer
