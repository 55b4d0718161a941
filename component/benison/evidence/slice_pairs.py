# SPDX-License-Identifier: Apache-2.0
"""How far comparisons of two slices may be from the true ones.

What two samples show that have no row in common is independent, so that variances add; the degrees of freedom
are Welch's. Slices that share rows, or users whose rows are in both, vary together: by how much is known from
blocks of rows, each of which moves both. A ratio is not tested as a quotient: that it is above r is that
a - r b is above 0, which holds its error also where b may be close to 0.

Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 34, 1947. Fieller, "Some problems in interval estimation", Journal of the Royal Statistical
Society B 16, 1954.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.evidence.block_errors import Replicates, Resampled, paired
from benison.evidence.estimators import Evidenced
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import Bound, Share, Spread, Student
from benison.evidence.tails import student_quantile, student_tail

_NOISE = 1e-13
"""The share of the variances that rounding leaves where the two slices vary as one."""


def difference(a: Spread, b: Spread) -> Student:
    """The values of one slice less those of another, which has no row of the first."""
    first, second = _as_student(a), _as_student(b)
    error = np.sqrt(first.error**2 + second.error**2)
    value = first.measured - second.measured
    return Student(value, error, _welch(first, second, 1.0), "welch")


def paired_difference(a: Paired, b: Paired) -> Paired:
    """The differences of two slices, of the candidate beside those of the baseline."""
    sides = (difference(a.candidate, b.candidate), difference(a.baseline, b.baseline))
    change = difference(a.combined(1.0), b.combined(1.0))
    return Paired(*sides, change, a.covariance + b.covariance)


@dataclasses.dataclass(frozen=True)
class Quotient(Spread):
    """Values of one slice over those of another.

    Attributes:
        numerator: The first slice's.
        denominator: The second's; where it is 0, there is no quotient.
        covariance: Of the two, float64[N]; None of slices that have no row in common.
    """

    numerator: Student
    denominator: Student
    covariance: Array | None = None

    def take(self, index: Index) -> Quotient:
        together = None if self.covariance is None else self.covariance[index]
        return Quotient(self.numerator.take(index), self.denominator.take(index), together)

    @property
    def value(self) -> Array:
        with np.errstate(all="ignore"):
            quotient = self.numerator.measured / self.denominator.measured
        return np.where(self.denominator.measured == 0, np.nan, quotient)

    @property
    def std_error(self) -> Array:
        with np.errstate(all="ignore"):
            error = self._error(self.value) / np.abs(self.denominator.measured)
        return np.where(error > 0, error, np.nan)

    @property
    def df(self) -> Array:
        return self._degrees(self.value)

    @property
    def method(self) -> list[str]:
        return ["fieller" if self.covariance is None else "blocks"] * len(self.value)

    @property
    def is_constant(self) -> Mask:
        return self.numerator.is_constant & self.denominator.is_constant

    @property
    def is_unknown(self) -> Mask:
        return self.numerator.is_unknown | self.denominator.is_unknown

    def p_below(self, bound: Bound) -> Array:
        return self._p(-1.0, bound)

    def p_above(self, bound: Bound) -> Array:
        return self._p(1.0, bound)

    def _p(self, sign: float, bound: Bound) -> Array:
        bound = np.broadcast_to(np.asarray(bound, float), self.value.shape)
        b, error = self.denominator.measured, self._error(bound)
        with np.errstate(all="ignore"):
            # Where b is below 0, a / b is above r if a - r b is below 0.
            excess = np.sign(b) * (self.numerator.measured - bound * b) / error
            p = student_tail(sign * excess, self._degrees(bound))
        return np.where((b != 0) & (error > 0), p, np.nan)

    def _error(self, ratio: Array) -> Array:
        """The error of a - r b."""
        apart = self.numerator.error**2 + (ratio * self.denominator.error) ** 2
        variance = apart - 2 * ratio * self._together
        return np.sqrt(np.where(variance <= _NOISE * apart, 0.0, variance))

    @property
    def _together(self) -> Array | float:
        return 0.0 if self.covariance is None else self.covariance

    def _degrees(self, ratio: Array | float) -> Array:
        """The degrees of freedom of a - r b."""
        if self.covariance is None:
            return _welch(self.numerator, self.denominator, ratio)
        return np.minimum(self.numerator.degrees, self.denominator.degrees)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        a, b = self.numerator.measured, self.denominator.measured
        reach = student_quantile(alpha, self.df) ** 2
        with np.errstate(all="ignore"):
            square = b**2 - reach * self.denominator.error**2
            centre = (a * b - reach * self._together) / square
            other = (a**2 - reach * self.numerator.error**2) / square
            half = np.sqrt(np.maximum(centre**2 - other, 0.0))
        # Where b may be 0, so may the ratio be anything.
        bounded = np.where(square > 0, 0.0, np.inf)
        known = np.where(np.isnan(self.std_error) | (b == 0), np.nan, 0.0)
        return (
            np.where(square > 0, centre - half, -bounded) + known,
            np.where(square > 0, centre + half, bounded) + known,
        )


def compared(known: Evidenced, pairs: Index, are_apart: Mask) -> tuple[Evidenced, Evidenced]:
    """Of the differences and of the ratios of slices.

    Args:
        known: Of all slices.
        pairs: The slice of each comparison and that which it is compared with, int64[P, 2].
        are_apart: Which pairs share no row; of the others nothing is known but by blocks.
    """
    if isinstance(known.value, Resampled):
        return _by_blocks(known, pairs)
    a, b = (known.take(pairs[:, side]) for side in (0, 1))
    value = _where(difference(a.value, b.value), are_apart)
    both = None
    if a.paired is not None and b.paired is not None:
        between = paired_difference(a.paired, b.paired)
        both = dataclasses.replace(
            between,
            candidate=_where(between.candidate, are_apart),
            baseline=_where(between.baseline, are_apart),
            change=_where(between.change, are_apart),
        )
    first, second = (_where(_as_student(side.value), are_apart) for side in (a, b))
    return Evidenced(value, both), Evidenced(Quotient(first, second))


def _by_blocks(known: Evidenced, pairs: Index) -> tuple[Evidenced, Evidenced]:
    a, b = (_replicates(known.value, pairs[:, side]) for side in (0, 1))
    both = None
    if known.paired is not None:
        models = known.paired.candidate, known.paired.baseline
        own, other = (
            _replicates(model, pairs[:, 0]).minus(_replicates(model, pairs[:, 1]))
            for model in models
        )
        both = paired(own, other)
    ratio = Quotient(a.spread, b.spread, a.covariance(b))
    return Evidenced(a.minus(b).spread, both), Evidenced(ratio)


def _replicates(spread: Spread, index: Index) -> Replicates:
    assert isinstance(spread, Resampled)
    assert spread.replicates is not None
    return spread.replicates.take(index)


def _where(spread: Spread, known: Mask) -> Student:
    assert isinstance(spread, Student)
    # Of the others more rows would not tell, however few there are.
    degrees = np.where(known, spread.degrees, 1.0)
    return dataclasses.replace(spread, error=np.where(known, spread.error, np.nan), degrees=degrees)


def _as_student(spread: Spread) -> Student:
    """Any values as those of Student's t; shares with a row more of each kind, so that none is certain."""
    if isinstance(spread, Share):
        return Student(spread.value, spread.adjusted_error, spread.total - 1)
    assert isinstance(spread, Student)
    return Student(spread.measured, spread.error, spread.degrees)


def _welch(a: Student, b: Student, ratio: Array | float) -> Array:
    """The degrees of freedom of a - r b; where neither varies those of the fewer rows."""
    with np.errstate(all="ignore"):
        own, other = a.error**2, (ratio * b.error) ** 2
        degrees = (own + other) ** 2 / (own**2 / a.degrees + other**2 / b.degrees)
    usable = (a.degrees > 0) & (b.degrees > 0)
    fewer = np.minimum(a.degrees, b.degrees)
    return np.where(usable, np.where(own + other == 0, fewer, degrees), np.nan)
