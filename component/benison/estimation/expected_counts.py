# SPDX-License-Identifier: Apache-2.0
"""Metrics of rows whose labels are not known, from how often rows of the same score are positive.

In each cell of the score the share of positive rows of a labelled reference is the calibrated probability
of the rows there (NannyML calls what follows confidence-based performance estimation: the expected cells of
the confusion matrix in place of the counted ones). Cells, not an isotonic fit: the share of each is free of
bias for its rows, also where a higher score is not more probable, and their errors are independent and known.
The AUC takes half of the pairs within a cell as in order, which is a little too low where cells are few.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.estimation.ratios import ratio, shares_of
from benison.slicing.bin_edges import joined_neighbours

AUC = "auc"
METRICS = ("binary_accuracy", AUC, "precision", "recall", "f1_score")

LEAST = 25
"""So many labelled rows of the reference a side of the threshold needs."""
_LEAST_OF_CELL = 10


Value = tuple[float, Array]
"""A value, and its slope in the positive rows of each cell: float64[K]."""


@dataclasses.dataclass(frozen=True)
class CalibratedCells:
    """The K cells of one slice after neighbours were put together.

    Attributes:
        positive: Rows of the reference whose label is 1: float64[K].
        labelled: Rows of the reference with a label: float64[K].
        rows: Rows now: float64[K].
        positive_now: Rows now that have the label 1: float64[K].
        labelled_now: Rows now that have a label: float64[K].
        is_above: Whether scores are above the decision threshold: bool[K].
    """

    positive: Array
    labelled: Array
    rows: Array
    positive_now: Array
    labelled_now: Array
    is_above: Mask

    @property
    def probability(self) -> Array:
        """The calibrated probability of each cell: float64[K]."""
        return np.asarray(self.positive / self.labelled)

    def estimates(self) -> Expected:
        """What the rows now are expected to hold, with how far their labels may be off."""
        # Half a row is added to both classes, as after Jeffreys: no row that differs is no certainty.
        m = self.labelled
        p = (self.positive + 0.5) / (m + 1)
        # p (1 - p) of few rows is too small on average, by this factor where both classes are as probable.
        of_label = p * (1 - p) * (m + 1) ** 2 / (m**2 + m + 1)
        variance = self.rows * of_label * (1 + self.rows / m)
        return Expected(self.rows * self.probability, self.rows, self.is_above, variance)


@dataclasses.dataclass(frozen=True)
class Expected:
    """Positive ones among so many rows in K cells, and the variance of what is expected of each."""

    positive: Array
    rows: Array
    is_above: Mask
    variance: Array

    def of(self, metric: str) -> tuple[float, float]:
        """The value of a metric and its standard error; NaN where it has none."""
        value, slope = self._auc() if metric == AUC else self._ratio(metric)
        with np.errstate(all="ignore"):
            return value, float(np.sqrt((slope**2 * self.variance).sum()))

    def _ratio(self, metric: str) -> Value:
        above, total = self.is_above.astype(np.float64), np.float64(self.rows.sum())
        with np.errstate(all="ignore"):
            held = shares_of(self.positive / self.rows, above) * self.rows / total
            value, slopes = ratio(metric, np.nansum(held, axis=1))
            of_cells = np.stack([2 * above - 1, above, np.ones(len(above)), np.zeros(len(above))])
            return value, slopes @ of_cells / total

    def _auc(self) -> Value:
        """The share of pairs that are in order; half of the pairs of a cell."""
        negative = self.rows - self.positive
        below = np.cumsum(negative) - negative / 2
        above = self.positive.sum() - np.cumsum(self.positive) + self.positive / 2
        p, n = self.positive.sum(), negative.sum()
        if np.count_nonzero(self.rows) < 2:  # noqa: PLR2004 - else no pair is known to be in order
            return float("nan"), np.zeros(len(self.rows))
        with np.errstate(all="ignore"):
            value = (self.positive * below).sum() / (p * n)
            return float(value), (below - above) / (p * n) - value * (1 / p - 1 / n)


def counted(positive: Index, labelled: Index, is_above: Mask) -> Expected:
    """What was counted in fine cells, of a reference: the AUC to four digits, all else exactly."""
    none = np.zeros(len(positive))
    return Expected(positive.astype(np.float64), labelled.astype(np.float64), is_above, none)


def calibrated(counts: Sequence[Index], is_above: Mask) -> CalibratedCells | None:
    """The cells of one slice, so that each has labels enough; None where a side of the threshold has not.

    Args:
        counts: What `CalibratedCells` has of fine cells: int64[K] each.
        is_above: For each fine cell whether it is above the threshold.
    """
    labelled = counts[1]
    sides = [np.flatnonzero(is_above == side) for side in (False, True)]
    groups = [group for side in sides for group in _groups(labelled, side)]
    sums = np.array([[of[group].sum() for group in groups] for of in counts], np.float64)
    used = (sums[1] > 0) | (sums[2] > 0)
    sides_of = np.array([bool(is_above[group[0]]) for group in groups])
    kept = CalibratedCells(*(of[used] for of in (*sums, sides_of)))
    of_sides = [kept.is_above == side for side in (False, True)]
    used_sides = [side for side in of_sides if kept.rows[side].any()]
    return kept if all(kept.labelled[side].sum() >= LEAST for side in used_sides) else None


def _groups(labelled: Index, cells: Index) -> list[Index]:
    """Neighbouring cells, with labels enough in each group."""
    starts = joined_neighbours(labelled[cells], _LEAST_OF_CELL)
    return [group for group in np.split(cells, starts[1:]) if len(group)]
