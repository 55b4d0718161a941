# SPDX-License-Identifier: Apache-2.0
"""The plot of the confusion matrix over all thresholds."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Index, Metric, Statistic
from benison.metrics.curves import interval_of_bucket
from benison.metrics.registry import register
from benison.metrics.statistics.cells import Cells, CellsStatistic
from benison.metrics.statistics.histogram import PredictionHistogram, bucket_of
from benison.slicing.codes import SliceCodes


@dataclasses.dataclass(frozen=True)
class ConfusionMatrixPlot(Metric):
    """The confusion matrix at evenly spaced thresholds; ROC and precision-recall are drawn from it.

    Columns `threshold`, `true_positives`, `false_positives`, `true_negatives`, `false_negatives`,
    each with `num_thresholds + 2` points: one below 0, then 0 to 1.
    """

    num_thresholds: int = 1000
    name: str = "confusion_matrix_plot"

    is_plot: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.num_thresholds, int) or self.num_thresholds < 2:
            raise ValueError(
                f"num_thresholds must be a whole number from 2 up, not {self.num_thresholds!r}"
            )

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (PredictionHistogram(),)

    def result(self, cells: Cells) -> dict[str, Array]:
        steps = np.arange(self.num_thresholds + 1) / self.num_thresholds
        thresholds = np.concatenate([[-1e-6], steps])
        rows = _by_interval(cells, interval_of_bucket(thresholds), len(thresholds))
        above = np.cumsum(rows[..., ::-1], axis=-1)[..., ::-1]
        below = above[..., :1] - above
        # 0, or NaN when a prediction is missing, which then holds for all points.
        certain = 0 * above[:, :, :1].sum(axis=0)
        return {
            "threshold": np.broadcast_to(thresholds, above.shape[1:]),
            "true_positives": above[1] + certain,
            "false_positives": above[0] + certain,
            "true_negatives": below[0] + certain,
            "false_negatives": below[1] + certain,
        }


def _by_interval(cells: Cells, interval_of: Index, intervals: int) -> Array:
    """The weight of both labels in each interval: float64[2, S, intervals]."""
    keys, sums = cells.occupied()
    slices = keys // cells.width
    cell = keys - slices * cells.width
    flat = ((cell % 2) * cells.size + slices) * intervals + interval_of[cell // 2]
    table = np.bincount(flat, sums, minlength=2 * cells.size * intervals)
    return np.asarray(table, np.float64).reshape(2, cells.size, intervals)


register("ConfusionMatrixPlot", ConfusionMatrixPlot)


@dataclasses.dataclass(frozen=True)
class BucketSums(CellsStatistic):
    """Sums of labels, predictions and weights in each bucket: cells are `3 * bucket + which`.

    Bucket 0 lies below `left`, the last from `right` up, the others divide [left, right) evenly.
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
        cells = 3 * self._bucket(inputs.predictions)
        sums = self.zero(codes.size)
        for which, values in enumerate((inputs.labels, inputs.predictions, np.ones(len(inputs)))):
            weighted = inputs.weighted(values)
            sums = sums.merge(Cells.grouped(cells + which, weighted, codes, self.width))
        return sums

    def _bucket(self, predictions: Array) -> Index:
        values = np.where(np.isnan(predictions), self.left, predictions)
        edges = self.edges()
        share = (np.clip(values, self.left, self.right) - self.left) / (self.right - self.left)
        bucket = bucket_of(share, self.buckets)
        # Division rounds; a prediction equal to an edge belongs above it.
        bucket -= values < edges[bucket]
        bucket += values >= edges[bucket + 1]
        return np.minimum(bucket, self.buckets + 1)  # infinity reaches the last edge

    def edges(self) -> Array:
        """The lower edge of each bucket and the upper edge of the last: float64[buckets + 3]."""
        inner = np.linspace(self.left, self.right, self.buckets + 1)
        return np.concatenate([[-np.inf], inner, [np.inf]])


@dataclasses.dataclass(frozen=True)
class CalibrationPlot(Metric):
    """Sums of labels, predictions and weights in buckets of the prediction.

    Columns `lower` (inclusive), `upper` (exclusive), `label`, `prediction` and `weight`, each with
    `num_buckets + 2` points: one below `left`, then [left, right) in equal buckets, then the rest.
    """

    num_buckets: int = 1000
    left: float = 0.0
    right: float = 1.0
    name: str = "calibration_plot"

    is_plot: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.num_buckets, int) or self.num_buckets < 1:
            raise ValueError(
                f"num_buckets must be a whole number from 1 up, not {self.num_buckets!r}"
            )
        if not self.left < self.right:
            raise ValueError(f"left must be below right, not {self.left!r} and {self.right!r}")

    def statistics(self) -> tuple[BucketSums]:
        return (BucketSums(self.num_buckets, self.left, self.right),)

    def result(self, cells: Cells) -> dict[str, Array]:
        edges = self.statistics()[0].edges()
        shape = (cells.size, self.num_buckets + 2)
        sums = cells.dense().reshape(*shape, 3)
        # A missing prediction could be in any bucket, so no point is known.
        missing = np.isnan(sums).any(axis=(1, 2), keepdims=True)
        sums = np.where(missing, np.nan, sums)
        return {
            "lower": np.broadcast_to(edges[:-1], shape),
            "upper": np.broadcast_to(edges[1:], shape),
            "label": sums[..., 0],
            "prediction": sums[..., 1],
            "weight": sums[..., 2],
        }


register("CalibrationPlot", CalibrationPlot)
