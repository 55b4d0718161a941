# SPDX-License-Identifier: Apache-2.0
"""The plots: the confusion matrix over many thresholds, and calibration over buckets of the prediction.

A plot is a metric whose value is a table of points for each slice. Sums are in the unit of the weights.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Index, Metric, Statistic
from benison.metrics.curve_metric import interval_of_bucket
from benison.metrics.parameters import check_count
from benison.metrics.registry import register
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.cells import Cells, CellsStatistic
from benison.metrics.statistics.curve import bucket_between, scored_weights
from benison.metrics.statistics.kept import kept
from benison.metrics.statistics.outside import OutsideSums, are_most, positions_of, range_of
from benison.metrics.statistics.ranks import Ranks, ScoreRanks
from benison.metrics.statistics.scale import buckets_of
from benison.slicing.codes import SliceCodes

MOST_POINTS = 10_000
"""Points of a slice: more than a screen has pixels, and as many as TFMA has buckets."""
_POINTS = 1000  # TFMA's default
_TOGETHER = 2**16  # predictions whose buckets are made at a time, in the cache
# One score in so many that [0, 1] does not tell apart may be noise of a model; more are another scale of
# scores.
_MANY_OUTSIDE = 20


@dataclasses.dataclass(frozen=True)
class ConfusionMatrixPlot(Metric):
    """The confusion matrix at many thresholds; ROC and precision-recall are drawn from it.

    Columns `threshold`, `true_positives`, `false_positives`, `true_negatives`, `false_negatives`. With
    `num_thresholds` they have `num_thresholds + 2` points: one below 0, then 0 to 1. Without, they have
    those of 1000, and where more than one in twenty scores lie outside of [0, 1] or close to its ends,
    more thresholds in these regions, the same ones for every slice.

    Each column is float64[S, T]. Matrices are weights, from 0 up; NaN throughout a slice in which a
    prediction is missing.

    Attributes:
        num_thresholds: From 2 to 10,000; 1000 means that none was asked for.
        name: The name in the results.
    """

    num_thresholds: int = _POINTS
    name: str = "confusion_matrix_plot"

    is_plot: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("num_thresholds", self.num_thresholds, MOST_POINTS)

    def statistics(self) -> tuple[Statistic[Ranks], ...]:
        return (ScoreRanks(),)

    def result(self, ranks: Ranks) -> dict[str, Array]:
        return self.matrices(ranks, self.thresholds_of(ranks))

    def thresholds_of(self, ranks: Ranks) -> Array:
        """Those that fit the scores of all slices: float64[T]."""
        given = self.num_thresholds != _POINTS
        wide = not given and lies_outside((ranks.source or ranks).compact)
        return wide_thresholds() if wide else even_thresholds(self.num_thresholds)

    def matrices(self, ranks: Ranks, thresholds: Array) -> dict[str, Array]:
        """The columns at these thresholds, float64[T] ascending: float64[S, T] each.

        They are those of `result` where the thresholds are, whatever the ranks: those of other weights of the
        same rows too.
        """
        flat = np.zeros((2, ranks.size * len(thresholds)))
        for low, high, weights in scored_weights(ranks):
            keys = weights.slices * len(thresholds) + self._above(thresholds, low, high)
            for label, of_label in enumerate((weights.negatives, weights.positives)):
                flat[label] += np.bincount(keys, of_label, minlength=flat.shape[1])
        rows = flat.reshape(2, ranks.size, len(thresholds))
        return _matrices(thresholds, rows)

    def _above(self, thresholds: Array, low: Array, high: Array) -> Index:
        """The last threshold that scores between `low` and `high` are above; 0 is above 0, as in TFMA."""
        if self.num_thresholds != _POINTS:
            return interval_of_bucket(thresholds)[bucket_between(low, high)]
        edges = np.where(thresholds == 0, -np.finfo(np.float64).tiny, thresholds)
        return _last_below(edges, high)


def _matrices(thresholds: Array, rows: Array) -> dict[str, Array]:
    """The columns of a plot, float64[S, T] each.

    Args:
        thresholds: float64[T], ascending.
        rows: The weights of negatives and positives by the last threshold they are above: float64[2, S, T].
    """
    # A missing prediction, whose row weighs NaN, could be above any threshold.
    missing = np.isnan(rows).any(axis=(0, 2))
    rows[:, missing] = np.nan
    above = np.cumsum(rows[..., ::-1], axis=-1)[..., ::-1]
    below = above[..., :1] - above
    return {
        "threshold": np.broadcast_to(thresholds, above.shape[1:]),
        "true_positives": above[1],
        "false_positives": above[0],
        "true_negatives": below[0],
        "false_negatives": below[1],
    }


@dataclasses.dataclass(frozen=True)
class ScoreDistributionPlot(ConfusionMatrixPlot):
    """How much weight has a score above each of many thresholds, whatever the labels.

    The columns of ConfusionMatrixPlot, as TFMA fills them: `true_positives` is the weight of the scores above
    the threshold, `true_negatives` that of the others; `false_positives` and `false_negatives` are 0.

    >>> plot = ScoreDistributionPlot(num_thresholds=2).of(Inputs.of([1, 0, 1], [0.2, 0.7, 0.9]))
    >>> plot["threshold"], plot["true_positives"]
    ([-1e-06, 0.0, 0.5, 1.0], [3.0, 3.0, 2.0, 0.0])
    """

    name: str = "score_distribution_plot"

    def matrices(self, ranks: Ranks, thresholds: Array) -> dict[str, Array]:
        matrix = super().matrices(ranks, thresholds)
        above = matrix["true_positives"] + matrix["false_positives"]
        below = matrix["true_negatives"] + matrix["false_negatives"]
        return matrix | {
            "true_positives": above,
            "true_negatives": below,
            "false_positives": 0 * above,
            "false_negatives": 0 * below,
        }

    def _above(self, thresholds: Array, low: Array, high: Array) -> Index:
        """The last threshold that scores are above; 0 is not above 0, as in TFMA, which uses no bins here."""
        return _last_below(thresholds, high)


def even_thresholds(count: int) -> Array:
    """TFMA's: one below 0, then 0 to 1 in `count` steps.

    >>> even_thresholds(2).round(6)
    array([-1.e-06,  0.e+00,  5.e-01,  1.e+00])
    """
    return np.concatenate([[-1e-6], np.arange(count + 1) / count])


@lru_cache
def wide_thresholds() -> Array:
    """Those of 1000, and eight in each octave beyond these, towards 0, 1 and the infinities.

    Eight in an octave are as dense as a thousand are around 0.1, and 20 octaves below 0.001 are a score of
    one in a billion; beyond 2^17 scores of classifiers do not go.
    """
    near = 1e-3 * 2.0 ** (np.arange(-160, 0) / 8)
    far = 2.0 ** (np.arange(-80, 137) / 8)
    parts = (-far[::-1], even_thresholds(_POINTS), near, 1 - near, far[far > 1])
    return np.unique(np.concatenate(parts))


def _last_below(thresholds: Array, scores: Array) -> Index:
    return np.maximum(np.searchsorted(thresholds, scores, side="left") - 1, 0)


@kept
def lies_outside(ranks: Ranks) -> bool:
    """Whether many scores lie where thresholds from 0 to 1 in 1000 steps do not tell them apart."""
    outside = total = 0.0
    for low, _, of_sides in scored_weights(ranks):
        weights = of_sides.negatives + of_sides.positives
        apart = (low == 0) | (low == 1) | ((low >= 1 / _POINTS) & (low <= 1 - 1 / _POINTS))
        outside += float(weights[~apart].sum())
        total += float(weights.sum())
    return outside > total / _MANY_OUTSIDE


register("ConfusionMatrixPlot", ConfusionMatrixPlot)
register("ScoreDistributionPlot", ScoreDistributionPlot)


@dataclasses.dataclass(frozen=True)
class BucketSums(CellsStatistic):
    """Sums of labels, predictions and weights in each bucket: cells are `3 * bucket + which`.

    Bucket 0 lies below `left`, the last from `right` up, the others divide [left, right) evenly. A missing
    prediction makes the sums of a bucket NaN, whichever it is counted to.

    Attributes:
        buckets: The number of buckets between `left` and `right`.
        left: The lower edge of the first of these.
        right: The upper edge of the last.
    """

    buckets: int
    left: float
    right: float

    @property
    def width(self) -> int:  # type: ignore[override]
        """Cells per slice."""
        return 3 * (self.buckets + 2)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        if inputs.labels.ndim != 1 or inputs.predictions.ndim != 1:
            raise DataError(
                f"A calibration plot needs one label and one prediction in each row; labels have the "
                f"shape {inputs.labels.shape} and predictions {inputs.predictions.shape}. For several "
                f"classes, choose them with binarize.class_ids in metrics_specs."
            )
        inputs, codes = heavy(inputs, codes)
        cells = 3 * self.bucket(inputs.predictions)
        sums = self.zero(codes.size)
        values = (inputs.labels, inputs.predictions)
        weighted = (*map(inputs.weighted, values), inputs.weights)
        for which, each in enumerate(weighted):
            sums = sums.merge(Cells.grouped(cells + which, each, codes, self.width))
        return sums

    def bucket(self, predictions: Array) -> Index:
        """The bucket of each prediction: int64[N]."""
        parts = np.arange(_TOGETHER, len(predictions), _TOGETHER)
        buckets = [self._bucket(part) for part in np.split(predictions, parts)]
        return np.concatenate(buckets)

    def _bucket(self, predictions: Array) -> Index:
        values = np.where(np.isnan(predictions), self.left, predictions)
        edges = self.edges()
        share = (np.clip(values, self.left, self.right) - self.left) / (self.right - self.left)
        bucket = buckets_of(share, self.buckets)
        # Division rounds; a prediction equal to an edge belongs above it.
        bucket -= values < edges[bucket]
        bucket += values >= edges[bucket + 1]
        return np.minimum(bucket, self.buckets + 1)  # infinity reaches the last edge

    def edges(self) -> Array:
        """The lower edge of each bucket and the upper edge of the last: float64[buckets + 3].

        They are the floats nearest to the edges as one writes them, so that a prediction of 0.3 is on one.

        >>> BucketSums(10, 0.0, 1.0).edges()[3:6].tolist()
        [0.2, 0.3, 0.4]
        """
        return np.concatenate([[-np.inf], _even(self.left, self.right, self.buckets), [np.inf]])


@lru_cache(maxsize=64)
def _even(left: float, right: float, parts: int) -> Array:
    """The ends of equal parts between two numbers, each rounded once: float64[parts + 1]."""
    low, high = (Fraction(str(float(end))) for end in (left, right))
    numerators = (low * (parts - i) + high * i for i in range(parts + 1))
    return np.array([float(each / parts) for each in numerators])


@dataclasses.dataclass(frozen=True)
class CalibrationPlot(Metric):
    """Sums of labels, predictions and weights in buckets of the prediction.

    Columns `lower` (inclusive), `upper` (exclusive), `label`, `prediction` and `weight`, each with
    `num_buckets + 2` points: one below `left`, then [left, right) in equal buckets, then the rest.

    Where most predictions of a slice are outside [0, 1], as those of a regression are, and nothing else is
    asked for, its buckets divide the range in which all but a hundredth at either end are, with round ends;
    predictions are in them to a thousandth of their size, and those in [0, 1) to one `num_buckets`-th, as the
    bucket of each there is all that is known of it.

    In a bucket label / weight is the mean label and prediction / weight the mean prediction, and a model
    is calibrated where the two are equal. Each column is float64[S, num_buckets + 2]; a bucket without
    rows holds 0; a slice in which a prediction is missing is NaN throughout.

    >>> plot = CalibrationPlot(num_buckets=2).of(Inputs.of([11, 19, 31], [10.0, 20.0, 30.0]))
    >>> plot["lower"], plot["label"]
    ([-inf, 10.0, 20.5, 31.0], [0.0, 30.0, 31.0, 0.0])

    Attributes:
        num_buckets: From 1 to 10,000.
        left: The least prediction that has a bucket of its own.
        right: Predictions from here up share the last bucket.
        name: The name in the results.
    """

    num_buckets: int = 1000
    left: float = 0.0
    right: float = 1.0
    name: str = "calibration_plot"

    is_plot: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("num_buckets", self.num_buckets, MOST_POINTS, least=1)
        if not self.left < self.right:
            raise ValueError(f"left must be below right, not {self.left!r} and {self.right!r}")
        if not np.isfinite([self.left, self.right]).all():
            raise ValueError(f"left and right must be finite, not {self.left!r} and {self.right!r}")

    def statistics(self) -> tuple[BucketSums, *tuple[OutsideSums, ...]]:
        outside = (OutsideSums(),) if (self.left, self.right) == (0, 1) else ()
        return (BucketSums(self.num_buckets, self.left, self.right), *outside)

    def result(self, cells: Cells, *outside: Cells) -> dict[str, Array]:
        return self.table(cells, *outside)[0]

    def table(
        self, cells: Cells, *outside: Cells
    ) -> tuple[dict[str, Array], dict[int, BucketSums]]:
        """The columns, and the buckets of the slices that have them on the range of their predictions."""
        buckets = BucketSums(self.num_buckets, self.left, self.right)
        table, ranges = _columns(buckets, cells), {}
        for of_all in outside:
            for i, bins, sums in OutsideSums().by_slice(of_all):
                if are_most(bins, sums[:, 2], table["weight"][i].sum()):
                    positions, parts = _all_at(table, i, bins, sums)
                    ranges[i] = BucketSums(self.num_buckets, *range_of(positions, parts[:, 2]))
                    _move(table, i, ranges[i], positions, parts)
        return table, ranges


def _columns(buckets: BucketSums, cells: Cells) -> dict[str, Array]:
    """The columns of sums in buckets that are the same for every slice: float64[S, num_buckets + 2] each."""
    edges = buckets.edges()
    sums = cells.dense().reshape(cells.size, buckets.buckets + 2, 3)
    # A missing prediction could be in any bucket, so no point is known.
    missing = np.isnan(sums).any(axis=(1, 2), keepdims=True)
    sums = np.where(missing, np.nan, sums)
    return {
        "lower": np.tile(edges[:-1], (cells.size, 1)),
        "upper": np.tile(edges[1:], (cells.size, 1)),
        "label": sums[..., 0],
        "prediction": sums[..., 1],
        "weight": sums[..., 2],
    }


def _all_at(columns: dict[str, Array], i: int, bins: Index, sums: Array) -> tuple[Array, Array]:
    """Where all sums of slice i are, float64[n], and the sums, float64[n, 3]; `bins` are outside [0, 1)."""
    own = np.stack([columns[name][i] for name in ("label", "prediction", "weight")], axis=1)
    positions = np.concatenate([columns["lower"][i][1:-1], positions_of(bins)])
    return positions, np.concatenate([own[1:-1], sums])  # the ends have what is outside


def _move(
    columns: dict[str, Array], i: int, buckets: BucketSums, positions: Array, sums: Array
) -> None:
    """Give slice i buckets on the range of its predictions."""
    cells, edges = buckets.bucket(positions), buckets.edges()
    for which, name in enumerate(("label", "prediction", "weight")):
        columns[name][i] = np.bincount(cells, sums[:, which], buckets.buckets + 2)
    columns["lower"][i], columns["upper"][i] = edges[:-1], edges[1:]


register("CalibrationPlot", CalibrationPlot)
