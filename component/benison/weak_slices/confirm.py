# SPDX-License-Identifier: Apache-2.0
"""Confirms slices on the half of the rows in which they were not looked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from benison.evidence.spread import PairedShares, Share, Spread, Student
from benison.evidence.tails import (
    binomial_upper_tail,
    normal_quantile,
    normal_tail,
    student_tail,
)
from benison.weak_slices.pursuit import WHOLE, Candidate, Pursuit


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What the confirming half says of a slice; effects are mean losses less what is expected of it."""

    candidate: Candidate
    rows: int
    mean: float
    expected: float
    lower: float
    upper: float
    p_value: float
    p_adjusted: float

    @property
    def effect(self) -> float:
        """By how much the mean loss is above the expected one."""
        return self.mean - self.expected


@dataclasses.dataclass(frozen=True)
class _Half:
    """The losses of a slice in the confirming half, and what is expected of their mean."""

    rows: float
    sums: float
    squares: float
    expected: float
    error: float
    """The standard error of `expected`."""
    deviation: float
    """The standard deviation of all losses, below which that of the slice is not taken for granted."""

    @property
    def mean(self) -> float:
        return self.sums / self.rows

    @property
    def variance(self) -> float:
        return max(self.squares / self.rows - self.mean**2, 0.0) * self.rows / (self.rows - 1)


def confirmed(
    pursuit: Pursuit, levels: tuple[int, int] | None, alpha: float, min_effect: float
) -> list[Evidence]:
    """The slices that the other half confirms, with Bonferroni's correction over those that were taken."""
    hidden = pursuit.hidden(min_effect)
    return [
        e
        for e in evidence_of(pursuit, levels, alpha)
        if e.p_adjusted < alpha
        and e.lower > 0
        and e.effect + (0 if e.candidate == WHOLE else hidden) >= min_effect
    ]


def evidence_of(
    pursuit: Pursuit, levels: tuple[int, int] | None, alpha: float
) -> Sequence[Evidence]:
    """What the other half says of each slice that was taken, and then of all rows, where they are judged."""
    halves = [(pursuit.taken[i], _half_of(pursuit, i)) for i in range(len(pursuit.taken))]
    if pursuit.tables.judges_whole:
        halves.append((WHOLE, _half_of_all(pursuit)))
    return [_evidence(*each, levels, alpha, len(halves)) for each in halves]


def _half_of(pursuit: Pursuit, i: int) -> _Half:
    """Of a slice that was taken."""
    cell = pursuit.taken[i].cell
    rows, sums, squares = map(float, pursuit.tables.moments[:, 1, cell])
    expected, variance = pursuit.expected(1, without=i)
    error = math.sqrt(variance[cell] / rows**2 + pursuit.deviation**2 / pursuit.tables.total[0, 0])
    return _Half(rows, sums, squares, expected[cell] / rows, error, pursuit.deviation)


def _half_of_all(pursuit: Pursuit) -> _Half:
    """Of all rows, of which what is the least that is expected of any is expected for certain."""
    rows, sums, squares = map(float, pursuit.tables.total[:, 1])
    return _Half(rows, sums, squares, pursuit.tables.floor or 0.0, 0.0, pursuit.deviation)


def _evidence(
    candidate: Candidate, half: _Half, levels: tuple[int, int] | None, alpha: float, family: int
) -> Evidence:
    lower, upper = _interval(half, levels, alpha / family / 2)
    p = _p_value(half, levels)
    return Evidence(
        candidate,
        int(half.rows),
        half.mean,
        half.expected,
        lower - half.expected,
        upper - half.expected,
        p,
        min(family * p, 1.0),
    )


def _interval(half: _Half, levels: tuple[int, int] | None, tail: float) -> tuple[float, float]:
    """The interval of the mean, as far as what is expected of it is uncertain wider on both sides."""
    low, high = (float(end[0]) for end in _spread(half, levels).limits(tail))
    mean, reach = half.mean, normal_quantile(tail) * half.error
    return mean - math.hypot(mean - low, reach), mean + math.hypot(high - mean, reach)


def _spread(half: _Half, levels: tuple[int, int] | None) -> Spread:
    """How far the true mean may be from that of the half."""
    rows, sums, squares = (np.array([n]) for n in (half.rows, half.sums, half.squares))
    if levels == (0, 1):
        return Share(sums, rows)
    if levels == (-1, 1):
        return PairedShares((squares + sums) / 2, (squares - sums) / 2, rows)
    variance = half.variance or half.deviation**2  # that all are alike may be chance
    error = np.sqrt(np.array([variance]) / rows)
    return Student(sums / rows, error, rows - 1)


def _p_value(half: _Half, levels: tuple[int, int] | None) -> float:
    """The probability of such losses in rows that have none but the expected ones."""
    if levels is None:
        spread = max(half.variance, half.deviation**2) / half.rows + half.error**2
        t = (half.mean - half.expected) / math.sqrt(spread)
        return float(student_tail(t, half.rows - 1))
    exact, variance = _exact(half, levels)
    z = (half.mean - half.expected) / math.sqrt(max(variance / half.rows + half.error**2, 1e-300))
    return max(exact, float(normal_tail(z)))


def _exact(half: _Half, levels: tuple[int, int]) -> tuple[float, float]:
    """The exact p-value where the expected mean is certain, and the variance of a loss under it."""
    if levels == (0, 1):
        share = min(max(half.expected, 0.0), 1.0)
        tail = binomial_upper_tail(round(half.sums), round(half.rows), share)
        return tail, share * (1 - share)
    changed = half.squares / half.rows  # of the rows on which the models differ a share is worse
    worse = (half.squares + half.sums) / 2
    share = min(max((1 + half.expected / max(changed, 1e-300)) / 2, 0.0), 1.0)
    tail = binomial_upper_tail(round(worse), round(half.squares), share)
    return tail, max(changed - half.expected**2, 0.0)
