# SPDX-License-Identifier: Apache-2.0
"""How far ratios of two slices, and their changes from a baseline's, may be from the true ones.

A ratio is not tested as a quotient: that it is above r is that a - r b is above 0, which holds its error
also where b may be close to 0. The change of a ratio has no such form. It varies as (da - a / b db) / b
does, model by model (the delta method): each slice adds what a multiple of the one model's value less one
of the other's adds. That holds while b is surely not 0, so a bound is shown only as surely as the sign of
both models' b, and where that is less sure than a limit there is no limit.

Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16, 1954.
"""

from __future__ import annotations

import dataclasses
from typing import Self, TypeAlias

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.evidence.block_errors import Replicates, paired
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import Bound, Share, Spread, Student
from benison.evidence.tails import student_quantile, student_tail

_NOISE = 1e-13
"""The share of the variances that rounding leaves where the two slices vary as one."""

Slices: TypeAlias = tuple[Replicates, Replicates]


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
            return welch(self.numerator, self.denominator, ratio)
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


def quotient(a: Spread, b: Spread, are_apart: Mask) -> Quotient:
    """The ratios of slices, where these are known to share no row."""
    first, second = (known_of(as_student(side), are_apart) for side in (a, b))
    return Quotient(first, second)


@dataclasses.dataclass(frozen=True)
class ChangeOfRatios(Student):
    """Changes whose error is known as far as no denominator is 0.

    Attributes:
        unsure: How often denominators so far from 0 are on its other side: float64[N].
    """

    unsure: Array = dataclasses.field(default_factory=lambda: np.zeros(0))

    def p_below(self, bound: Bound) -> Array:
        return np.maximum(super().p_below(bound), self.unsure)

    def p_above(self, bound: Bound) -> Array:
        return np.maximum(super().p_above(bound), self.unsure)

    def limits(self, alpha: float) -> tuple[Array, Array]:
        beyond = np.where(self.unsure > alpha, np.inf, 0.0)
        lower, upper = super().limits(alpha)
        return lower - beyond, upper + beyond


@dataclasses.dataclass(frozen=True)
class PairedRatios(Paired):
    """The ratios of two slices, of two models.

    Attributes:
        unsure: As that of their change.
        slices: Both models in the first and in the second slices; None where blocks tell how these vary.
        are_apart: Which of the two share no row.
    """

    unsure: Array = dataclasses.field(default_factory=lambda: np.zeros(0))
    slices: tuple[Paired, Paired] | None = None
    are_apart: Mask | None = None

    def take(self, index: Index) -> Self:
        taken = super().take(index)
        if taken.slices is None:
            return taken
        first, second = (each.take(index) for each in taken.slices)
        return dataclasses.replace(taken, slices=(first, second))

    def combined(self, share: Array | float) -> ChangeOfRatios:
        if self.slices is None or self.are_apart is None:
            known = super().combined(share)
            assert isinstance(known, Student)
            return ChangeOfRatios(known.measured, known.error, known.degrees, "blocks", self.unsure)
        known = known_of(_combined(*self.slices, share), self.are_apart)
        return ChangeOfRatios(known.measured, known.error, known.degrees, "welch", self.unsure)


def paired_ratio(a: Paired, b: Paired, are_apart: Mask) -> PairedRatios:
    """The ratios of two slices, of the candidate beside those of the baseline."""
    candidate = quotient(a.candidate, b.candidate, are_apart)
    baseline = quotient(a.baseline, b.baseline, are_apart)
    ratios = PairedRatios(
        candidate,
        baseline,
        candidate.numerator,
        np.full(len(are_apart), np.nan),
        same=None if a.same is None or b.same is None else a.same & b.same,
        unsure=_unsure(candidate.denominator, baseline.denominator),
        slices=(a, b),
        are_apart=are_apart,
    )
    return dataclasses.replace(ratios, change=ratios.combined(1.0))


def paired_ratio_by_blocks(own: Slices, other: Slices) -> PairedRatios:
    """The same of the candidate's slices and the baseline's, each with what its blocks move."""
    ratios = paired(own[0].over(own[1]), other[0].over(other[1]))
    models = ratios.candidate, ratios.baseline, ratios.change, ratios.covariance
    unsure = _unsure(own[1].spread, other[1].spread)
    known = PairedRatios(*models, unsure=unsure)
    return dataclasses.replace(known, change=known.combined(1.0))


def _unsure(*denominators: Student) -> Array:
    """How often values so far from 0 are on its other side: the more often of all."""
    with np.errstate(all="ignore"):
        far = (np.abs(of.measured) / of.error for of in denominators)
        tails = [student_tail(t, of.degrees) for t, of in zip(far, denominators, strict=True)]
    return np.asarray(np.max(tails, axis=0))


def _combined(first: Paired, second: Paired, share: Array | float) -> Student:
    """The candidate's ratio less a share of the baseline's, of slices that share no row."""
    below = second.candidate.value, second.baseline.value
    with np.errstate(all="ignore"):
        ratios = first.candidate.value / below[0], first.baseline.value / below[1]
        value = ratios[0] - share * ratios[1]
        upper = _weighed(first, 1 / below[0], share / below[1])
        lower = _weighed(second, ratios[0] / below[0], share * ratios[1] / below[1])
        error = np.hypot(upper.error, lower.error)
    return Student(np.where(np.isfinite(value), value, np.nan), error, welch(upper, lower, 1.0))


def _weighed(models: Paired, own: Array, other: Array) -> Student:
    """The candidate's values times `own` less the baseline's times `other`."""
    known = models.combined(np.where(own == 0, 0.0, other / own))
    alone = as_student(models.baseline)
    assert isinstance(known, Student)
    error = np.where(own == 0, np.abs(other) * alone.error, np.abs(own) * known.error)
    return Student(known.measured, error, known.degrees)


def known_of(spread: Spread, known: Mask) -> Student:
    """Values of which some errors are not known."""
    assert isinstance(spread, Student)
    # Of the others more rows would not tell, however few there are.
    degrees = np.where(known, spread.degrees, 1.0)
    return dataclasses.replace(spread, error=np.where(known, spread.error, np.nan), degrees=degrees)


def as_student(spread: Spread) -> Student:
    """Any values as those of Student's t; shares with a row more of each kind, so that none is certain."""
    if isinstance(spread, Share):
        return Student(spread.value, spread.adjusted_error, spread.total - 1)
    assert isinstance(spread, Student)
    return Student(spread.measured, spread.error, spread.degrees)


def welch(a: Student, b: Student, ratio: Array | float) -> Array:
    """The degrees of freedom of a - r b; where neither varies those of the fewer rows."""
    with np.errstate(all="ignore"):
        own, other = a.error**2, (ratio * b.error) ** 2
        degrees = (own + other) ** 2 / (own**2 / a.degrees + other**2 / b.degrees)
    usable = (a.degrees > 0) & (b.degrees > 0)
    fewer = np.minimum(a.degrees, b.degrees)
    return np.where(usable, np.where(own + other == 0, fewer, degrees), np.nan)
