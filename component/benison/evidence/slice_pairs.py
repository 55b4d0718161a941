# SPDX-License-Identifier: Apache-2.0
"""How far comparisons of two slices may be from the true ones.

What two samples show that have no row in common is independent, so that variances add; the degrees of freedom
are Welch's. Slices that share rows, or users whose rows are in both, vary together: by how much is known from
blocks of rows, each of which moves both.

Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 34, 1947.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Index, Mask
from benison.evidence.block_errors import Replicates, Resampled, paired
from benison.evidence.estimators import Evidenced
from benison.evidence.paired_spread import Paired
from benison.evidence.slice_ratios import (
    Quotient,
    as_student,
    known_of,
    paired_ratio,
    paired_ratio_by_blocks,
    quotient,
    welch,
)
from benison.evidence.spread import Spread, Student


def difference(a: Spread, b: Spread) -> Student:
    """The values of one slice less those of another, which has no row of the first."""
    first, second = as_student(a), as_student(b)
    error = np.sqrt(first.error**2 + second.error**2)
    value = first.measured - second.measured
    return Student(value, error, welch(first, second, 1.0), "welch")


def paired_difference(a: Paired, b: Paired) -> Paired:
    """The differences of two slices, of the candidate beside those of the baseline."""
    sides = (difference(a.candidate, b.candidate), difference(a.baseline, b.baseline))
    change = difference(a.combined(1.0), b.combined(1.0))
    return Paired(*sides, change, a.covariance + b.covariance)


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
    value = known_of(difference(a.value, b.value), are_apart)
    ratio = quotient(a.value, b.value, are_apart)
    if a.paired is None or b.paired is None:
        return Evidenced(value), Evidenced(ratio)
    between = paired_difference(a.paired, b.paired)
    both = dataclasses.replace(
        between,
        candidate=known_of(between.candidate, are_apart),
        baseline=known_of(between.baseline, are_apart),
        change=known_of(between.change, are_apart),
    )
    return Evidenced(value, both), Evidenced(ratio, paired_ratio(a.paired, b.paired, are_apart))


def _by_blocks(known: Evidenced, pairs: Index) -> tuple[Evidenced, Evidenced]:
    a, b = _of_both(known.value, pairs)
    ratio = Quotient(a.spread, b.spread, a.covariance(b))
    if known.paired is None:
        return Evidenced(a.minus(b).spread), Evidenced(ratio)
    own, other = (_of_both(of, pairs) for of in (known.paired.candidate, known.paired.baseline))
    both = paired(own[0].minus(own[1]), other[0].minus(other[1]))
    return Evidenced(a.minus(b).spread, both), Evidenced(ratio, paired_ratio_by_blocks(own, other))


def _of_both(spread: Spread, pairs: Index) -> tuple[Replicates, Replicates]:
    """Those of the slices of each pair."""
    return _replicates(spread, pairs[:, 0]), _replicates(spread, pairs[:, 1])


def _replicates(spread: Spread, index: Index) -> Replicates:
    assert isinstance(spread, Resampled)
    assert spread.replicates is not None
    return spread.replicates.take(index)
