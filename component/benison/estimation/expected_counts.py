# SPDX-License-Identifier: Apache-2.0
"""Metrics of rows whose labels are not known, from how often rows of the same score are positive.

In each cell of the score the share of positive rows of a labelled reference is the calibrated probability
of the rows there (NannyML calls what follows confidence-based performance estimation: the expected cells of
the confusion matrix in place of the counted ones). Cells, not an isotonic fit: their shares are free of bias,
also where a higher score is not more probable, and their errors are independent and known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benison.data.batch import Array, Index, Mask

LEAST = 25
"""So many labelled rows of the reference a cell needs."""


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
        p = (self.positive + 0.5) / (self.labelled + 1)
        variance = self.rows * p * (1 - p) * (1 + self.rows / self.labelled)
        return Expected(self.rows * self.probability, self.rows, self.is_above, variance)

    def on_reference(self) -> Expected:
        """What was counted on the reference."""
        return Expected(self.positive, self.labelled, self.is_above, np.zeros(len(self.positive)))


@dataclasses.dataclass(frozen=True)
class Expected:
    """Positive ones among so many rows in K cells, and the variance of what is expected of each."""

    positive: Array
    rows: Array
    is_above: Mask
    variance: Array

    def of(self, metric: str) -> tuple[float, float]:
        """The value of a metric and its standard error; NaN where it has none."""
        with np.errstate(all="ignore"):
            value, slope = FORMULAS[metric](self)
            return value, float(np.sqrt((slope**2 * self.variance).sum()))

    @property
    def true_positive(self) -> float:
        """The positive rows that are above the threshold."""
        return float(self.positive[self.is_above].sum())

    @property
    def predicted(self) -> float:
        """All rows above it."""
        return float(self.rows[self.is_above].sum())

    @property
    def positives(self) -> float:
        """All positive rows."""
        return float(self.positive.sum())


Value = tuple[float, Array]
"""A value, and its slope in the positive rows of each cell: float64[K]."""


def _accuracy(of: Expected) -> Value:
    right = np.where(of.is_above, of.positive, of.rows - of.positive)
    total = of.rows.sum()
    return _divided(right.sum(), total), (2.0 * of.is_above - 1) / total


def _precision(of: Expected) -> Value:
    total = np.float64(of.predicted)
    return _divided(of.true_positive, total), of.is_above / total


def _recall(of: Expected) -> Value:
    total = np.float64(of.positives)
    return _divided(of.true_positive, total), of.is_above / total - of.true_positive / total**2


def _f1(of: Expected) -> Value:
    total = np.float64(of.predicted + of.positives)
    twice = 2 * of.true_positive
    return _divided(twice, total), 2 * of.is_above / total - twice / total**2


def _auc(of: Expected) -> Value:
    """The share of pairs that are in order; half of the pairs of a cell."""
    negative = of.rows - of.positive
    below = np.cumsum(negative) - negative / 2
    above = of.positives - np.cumsum(of.positive) + of.positive / 2
    p, n = np.float64(of.positives), negative.sum()
    value = _divided((of.positive * below).sum(), p * n)
    return value, (below - above) / (p * n) - value * (1 / p - 1 / n)


def _divided(part: float, total: float) -> float:
    return float(part / total) if total > 0 else float("nan")


FORMULAS: Mapping[str, Callable[[Expected], Value]] = {
    "binary_accuracy": _accuracy,
    "auc": _auc,
    "precision": _precision,
    "recall": _recall,
    "f1_score": _f1,
}


def calibrated(counts: Sequence[Index], is_above: Mask) -> CalibratedCells | None:
    """The cells of one slice, so that each has labels enough; None where a side of the threshold has not.

    Args:
        counts: What `CalibratedCells` has of fine cells: int64[K] each.
        is_above: For each fine cell whether it is above the threshold.
    """
    labelled = counts[1]
    sides = [np.flatnonzero(is_above == side) for side in (False, True)]
    groups = [group for side in sides for group in _joined(labelled, side)]
    sums = np.array([[of[group].sum() for group in groups] for of in counts], np.float64)
    used = (sums[1] > 0) | (sums[2] > 0)
    sides_of = np.array([bool(is_above[group[0]]) for group in groups])
    kept = CalibratedCells(*(of[used] for of in (*sums, sides_of)))
    return kept if kept.labelled[kept.rows > 0].min(initial=LEAST) >= LEAST else None


def _joined(labelled: Index, cells: Index) -> list[Index]:
    """Neighbouring cells until each group has labels enough; the last ones join the group before them."""
    starts, held = [0], 0
    for i, count in enumerate(labelled[cells].tolist()):
        if held >= LEAST:
            starts.append(i)
            held = 0
        held += count
    if held < LEAST and len(starts) > 1:
        starts.pop()
    return [group for group in np.split(cells, starts[1:]) if len(group)]
