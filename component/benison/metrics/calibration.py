# SPDX-License-Identifier: Apache-2.0
"""This file is the calibration plot: labels against predictions, in buckets of the prediction."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from benison.extracts import Array, Inputs, SliceCodes
from benison.metrics.base import Index, Metric, Statistic, register
from benison.metrics.binary import bucket_of
from benison.metrics.counts import one
from benison.metrics.regression import label, prediction
from benison.metrics.states import Cells, CellsStatistic, RowFunction


@dataclasses.dataclass(frozen=True)
class BucketTotal(CellsStatistic):
    """Weighted sum of a function of the row in each bucket of the prediction.

    Bucket 0 lies below `left`, the last from `right` up, the others divide [left, right) evenly.
    """

    of: RowFunction
    buckets: int
    left: float
    right: float

    @property
    def width(self) -> int:  # type: ignore[override]
        """Cells per slice."""
        return self.buckets + 2

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        values = inputs.weighted(self.of(inputs))
        return Cells.of(
            codes.keys(self._place(inputs), self.width),
            codes.repeat(values),
            codes.size,
            self.width,
        )

    def _place(self, inputs: Inputs) -> Index:
        scaled = (np.nan_to_num(inputs.predictions) - self.left) / (self.right - self.left)
        return bucket_of(scaled, self.buckets)


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
        if self.num_buckets < 1 or not self.left < self.right:
            raise ValueError("num_buckets must be 1 or more, and left below right")

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        functions = (label, prediction, one)
        return tuple(BucketTotal(f, self.num_buckets, self.left, self.right) for f in functions)

    def result(self, labels: Cells, predictions: Cells, weights: Cells) -> dict[str, Array]:
        edges = np.linspace(self.left, self.right, self.num_buckets + 1)
        shape = (labels.size, self.num_buckets + 2)
        return {
            "lower": np.broadcast_to(np.concatenate([[-np.inf], edges]), shape),
            "upper": np.broadcast_to(np.concatenate([edges, [np.inf]]), shape),
            "label": labels.dense(),
            "prediction": predictions.dense(),
            "weight": weights.dense(),
        }


register("CalibrationPlot", CalibrationPlot)
