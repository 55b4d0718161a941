# SPDX-License-Identifier: Apache-2.0
"""This file is the plot of the confusion matrix over all thresholds."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from benison.extracts import Array
from benison.metrics.base import Index, Metric, Statistic, register
from benison.metrics.binary import PredictionHistogram
from benison.metrics.cells import Cells
from benison.metrics.curves import interval_of_bucket


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
