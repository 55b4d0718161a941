# SPDX-License-Identifier: Apache-2.0
"""Two models measured on the same rows, and what the sample says of their difference."""

from __future__ import annotations

import dataclasses
from typing import Self

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.evidence.spread import PairedShares, Share, Spread, Student

_NOISE = 1e-13
"""The share of the variances that rounding leaves where the two vary as one."""


@dataclasses.dataclass(frozen=True)
class Paired:
    """A candidate beside the baseline, measured on the same rows of N slices.

    Attributes:
        change: Candidate - baseline.
        covariance: Of the two, float64[N], by which a relative change is tested.
        won: Rows that only the candidate has right, where the value is a share of right rows.
        lost: Rows that only the baseline has right.
        same: Where both models predict the same in every row, as far as that is known: bool[N].
    """

    candidate: Spread
    baseline: Spread
    change: Spread
    covariance: Array
    won: Array | None = None
    lost: Array | None = None
    same: Mask | None = None

    @property
    def is_unchanged(self) -> Mask:
        """Where no row tells one model from the other: bool[N]."""
        return self.change.is_constant if self.same is None else self.same | self.change.is_constant

    def take(self, index: Index) -> Self:
        """The slices `index`."""
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        spreads = {k: v.take(index) for k, v in parts.items() if isinstance(v, Spread)}
        arrays = {k: v[index] for k, v in parts.items() if isinstance(v, np.ndarray)}
        return type(self)(**{**parts, **spreads, **arrays})

    def combined(self, share: Array | float) -> Spread:
        """Candidate - share * baseline, as a relative change is tested; never as a quotient."""
        share = np.broadcast_to(np.asarray(share, float), self.covariance.shape)
        own, other = self.candidate, self.baseline
        if isinstance(self.change, PairedShares) and isinstance(own, Share):
            return _combined_shares(self.change, own, share)
        with np.errstate(all="ignore"):
            errors = _known_error(own) ** 2, _known_error(other) ** 2
            together = errors[0] + share**2 * errors[1]
            variance = together - 2 * share * self.covariance
            error = np.sqrt(np.where(variance <= _NOISE * together, 0.0, variance))
        degrees = (
            self.change.degrees if isinstance(self.change, Student) else np.full_like(error, np.nan)
        )
        return Student(own.value - share * other.value, error, degrees)


def _known_error(spread: Spread) -> Array:
    """The standard error, 0 where no row differs and NaN where nothing is known."""
    if isinstance(spread, Share):
        return spread.adjusted_error
    return np.where(spread.is_constant, 0.0, spread.std_error)


def _combined_shares(change: PairedShares, own: Share, share: Array) -> Student:
    """A share of right rows less a multiple of the baseline's, with one row more that each alone has right.

    So few rows on which the models differ do not make it certain (Bonett and Price, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data", Journal of
    Educational and Behavioral Statistics 37, 2012).
    """
    n = change.total + 2
    both = own.successes - change.won
    parts = ((both, 1 - share), (change.won + 1, np.ones_like(share)), (change.lost + 1, -share))
    with np.errstate(all="ignore"):
        mean = sum(rows / n * value for rows, value in parts)
        square = sum(rows / n * value**2 for rows, value in parts)
        error = np.sqrt(np.maximum(square - mean**2, 0.0) / n)
        measured = (own.successes - share * (both + change.lost)) / change.total
    return Student(np.asarray(measured), np.asarray(error), change.total - 1)
