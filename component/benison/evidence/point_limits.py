# SPDX-License-Identifier: Apache-2.0
"""The limits of the points of plots: shares of rows above a threshold, and mean labels in buckets.

A share of rows that weigh the same has Wilson's limits. Where they do not, its variance is that of a ratio of
sums, and the limits are Wilson's of as many rows of equal weight as would vary as much. They hold for each
point by itself, and not for a whole curve at once.

Kish, "Survey Sampling", 1965, section 8.2; Korn and Graubard, "Confidence intervals for proportions with
small expected number of positive counts estimated from survey data", Survey Methodology 24, 1998.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from benison.data.batch import Array, Index, Inputs, Mask
from benison.evidence.label_moments import CellMoments, LabelMoments, MomentRows
from benison.evidence.spread import wilson
from benison.evidence.tails import student_quantile
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.plots import (
    BucketSums,
    CalibrationPlot,
    ConfusionMatrixPlot,
    ScoreDistributionPlot,
)
from benison.metrics.statistics.outside import positions_of
from benison.slicing.codes import SliceCodes

_ROUNDING = 1e-12
"""What sums of weights leave of a share that is 0 or 1."""
_ALIKE = 1e-9
"""How far the squares of labels that are 0 or 1 are from the labels, over these."""
Columns: TypeAlias = dict[str, Array]
"""The points of a plot: float64[S, T] each."""

_SHARES = {
    "recall": ("true_positives", "false_negatives"),
    "false_positive_rate": ("false_positives", "true_negatives"),
    "precision": ("true_positives", "false_positives"),
}
"""The shares of a confusion matrix: what has the property, and what of the same rows has not."""
_SHARE_ABOVE = {"share_above": ("true_positives", "true_negatives")}


@dataclasses.dataclass(frozen=True)
class Squared(Statistic[Any]):
    """A statistic of rows with the squares of their weights."""

    statistic: Statistic[Any]

    def columns(self) -> tuple[str, ...]:
        return self.statistic.columns()

    def zero(self, size: int) -> Any:
        return self.statistic.zero(size)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Any:
        if inputs.weights is not None:
            inputs = dataclasses.replace(inputs, weights=np.square(inputs.weights))
        return self.statistic.add(inputs, codes)

    def merge(self, a: Any, b: Any) -> Any:
        return self.statistic.merge(a, b)

    def scatter(self, state: Any, index: Index, size: int) -> Any:
        return self.statistic.scatter(state, index, size)

    def gather(self, state: Any, index: Index) -> Any:
        return self.statistic.gather(state, index)


class PointLimits(abc.ABC):
    """How far the points of a plot may be from the true ones: what must add up beside it, and the limits."""

    @abc.abstractmethod
    def statistics(self) -> tuple[Statistic[Any], ...]:
        """What must add up over the rows beside the plot's own statistics."""

    @abc.abstractmethod
    def columns(self, own: Sequence[Any], beside: Sequence[Any], alpha: float) -> Columns:
        """The columns `..._lower` and `..._upper`, below and above which a true value is alpha often each.

        Args:
            own: The states of the plot's statistics.
            beside: Those of `statistics()`.
            alpha: Below a half.
        """


@dataclasses.dataclass(frozen=True)
class MatrixLimits(PointLimits):
    """Those of shares of a confusion matrix at each threshold."""

    plot: ConfusionMatrixPlot
    weighted: bool

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return tuple(map(Squared, self.plot.statistics())) if self.weighted else ()

    def columns(self, own: Sequence[Any], beside: Sequence[Any], alpha: float) -> Columns:
        thresholds = self.plot.thresholds_of(own[0])
        sums = squares = self.plot.matrices(own[0], thresholds)
        if self.weighted:
            squares = self.plot.matrices(beside[0], thresholds)
        is_score = isinstance(self.plot, ScoreDistributionPlot)
        columns: Columns = {}
        for name, (hits, misses) in (_SHARE_ABOVE if is_score else _SHARES).items():
            columns |= _named(name, *_limits(sums, squares, hits, misses, alpha))
        return columns


def _limits(
    sums: Columns, squares: Columns, hits: str, misses: str, alpha: float
) -> tuple[Array, Array]:
    """The limits of the share of hits, from sums of weights and of their squares."""
    total, second = sums[hits] + sums[misses], squares[hits] + squares[misses]
    share = ratio(sums[hits], total)
    share = np.where(np.abs(share - np.rint(share)) < _ROUNDING, np.rint(share), share)
    distances = squares[hits] * (1 - share) ** 2 + squares[misses] * share**2
    differ = (share > 0) & (share < 1)
    rows = alike_rows(share, total, np.where(differ, distances, 0.0), second)
    return wilson(share, rows, alpha)


@dataclasses.dataclass(frozen=True)
class BucketLimits(PointLimits):
    """Those of the mean label in each bucket: Wilson's where labels are 0 or 1, else Student's."""

    plot: CalibrationPlot

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return tuple(LabelMoments(sums) for sums in self.plot.statistics())

    def columns(self, own: Sequence[Any], beside: Sequence[Any], alpha: float) -> Columns:
        sums, ranges = self.plot.table(*own)
        mean = ratio(sums["label"], sums["weight"])
        squares, second, are_shares = self._spread(mean, ranges, *beside)
        are_shares = (are_shares | (sums["weight"] == 0)).all(axis=1, keepdims=True)
        kish = ratio(sums["weight"] ** 2, squares)
        rows = alike_rows(np.clip(mean, 0, 1), sums["weight"], second, squares)
        rows = np.where(are_shares, rows, kish)
        limits = wilson(np.clip(mean, 0, 1), rows, alpha)
        of_mean = _student(mean, np.sqrt(second) / np.abs(sums["weight"]), kish, alpha)
        both = (np.where(are_shares, a, b) for a, b in zip(limits, of_mean, strict=True))
        return {**_named("label", *both), "effective": rows}

    def _spread(
        self, mean: Array, ranges: Mapping[int, BucketSums], *moments: CellMoments
    ) -> tuple[Array, Array, Mask]:
        """Of each bucket the squares of weights, those of distances from the mean, and if labels are 0 or 1.

        Args:
            mean: The mean label of each bucket, float64[S, T].
            ranges: The buckets of slices that have them on the range of their predictions.
            moments: Those within the plot's own buckets, and those outside [0, 1).
        """
        parts = [
            _in_buckets(each.compact(), each.width, mean.shape[1], ranges, i > 0)
            for i, each in enumerate(moments)
        ]
        keys, weight, means, seconds = (
            np.concatenate([vars(part)[name] for part in parts])
            for name in ("keys", "weight", "mean", "second")
        )
        squares, second, first, raw = (
            np.bincount(keys, values, mean.size).reshape(mean.shape).astype(np.float64)
            for values in (
                weight,
                seconds + weight * (means - mean.ravel()[keys]) ** 2,
                weight * means,
                seconds + weight * means**2,
            )
        )
        return squares, second, np.isclose(raw, first, rtol=_ALIKE, atol=0)


def _in_buckets(
    moments: MomentRows,
    width: int,
    buckets: int,
    ranges: Mapping[int, BucketSums],
    is_outside: bool,
) -> MomentRows:
    """Moments of a slice's own buckets; without those that are in other moments too."""
    slices, cells = np.divmod(moments.keys, width)
    targets = np.full(len(cells), -1) if is_outside else cells.copy()
    for i, own in ranges.items():
        start, end = np.searchsorted(slices, [i, i + 1])
        of_slice = cells[start:end]
        if is_outside:
            targets[start:end] = own.bucket(positions_of(of_slice))
        else:
            edges = BucketSums(buckets - 2, 0.0, 1.0).edges()[1:-1]
            lower = edges[np.clip(of_slice - 1, 0, buckets - 2)]
            is_inner = (of_slice > 0) & (of_slice < buckets - 1)
            targets[start:end] = np.where(is_inner, own.bucket(lower), -1)
    kept = targets >= 0
    columns = (moments.weight[kept], moments.mean[kept], moments.second[kept])
    return MomentRows((slices * buckets + targets)[kept], *columns)


def limits_of(metric: Metric, weighted: bool) -> PointLimits | None:
    """How the limits of a plot's points are known; None where they are not."""
    if type(metric) in (ConfusionMatrixPlot, ScoreDistributionPlot):
        return MatrixLimits(metric, weighted)  # type: ignore[arg-type]
    return BucketLimits(metric) if type(metric) is CalibrationPlot else None


def alike_rows(share: Array, total: Array, second: Array, squares: Array) -> Array:
    """As many rows of equal weight whose share would vary as much; NaN without rows.

    Args:
        share: A share of weights, from 0 to 1.
        total: The sum of the weights.
        second: The sum of the squares of weights times distances from the share.
        squares: The sum of the squares of the weights, which says it where no row differs from another.
    """
    with np.errstate(all="ignore"):
        rows = np.where(second > 0, share * (1 - share) * total**2 / second, total**2 / squares)
    return np.where((total > 0) & (squares > 0), rows, np.nan)


def _student(mean: Array, error: Array, rows: Array, alpha: float) -> tuple[Array, Array]:
    """Limits of a mean whose error is not yet enlarged for a mean of its own; NaN for fewer than two rows."""
    with np.errstate(all="ignore"):
        degrees = np.where(rows > 1, rows - 1, np.nan)
        reach = student_quantile(alpha, degrees) * error * np.sqrt(rows / degrees)
    return mean - reach, mean + reach


def _named(name: str, lower: Array, upper: Array) -> Columns:
    return {f"{name}_lower": lower, f"{name}_upper": upper}
