# SPDX-License-Identifier: Apache-2.0
"""This file is the calibration plot: labels against predictions, in buckets of the prediction."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from benison.errors import DataError
from benison.extracts import Array, Inputs, SliceCodes
from benison.metrics.base import Metric, Statistic, register
from benison.metrics.binary import bucket_of
from benison.metrics.cells import Cells, CellsStatistic


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
        scaled = (np.nan_to_num(inputs.predictions) - self.left) / (self.right - self.left)
        keys = codes.keys(3 * bucket_of(scaled, self.buckets), self.width)
        sums = self.zero(codes.size)
        for which, values in enumerate((inputs.labels, inputs.predictions, np.ones(len(inputs)))):
            weighted = codes.repeat(inputs.weighted(values))
            sums = sums.merge(Cells.of(keys + which, weighted, codes.size, self.width))
        return sums


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

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (BucketSums(self.num_buckets, self.left, self.right),)

    def result(self, cells: Cells) -> dict[str, Array]:
        edges = np.linspace(self.left, self.right, self.num_buckets + 1)
        shape = (cells.size, self.num_buckets + 2)
        sums = cells.dense().reshape(*shape, 3)
        # 0, or NaN when a prediction is missing, which then holds for all points.
        sums = sums + 0 * sums.sum(axis=(1, 2), keepdims=True)
        return {
            "lower": np.broadcast_to(np.concatenate([[-np.inf], edges]), shape),
            "upper": np.broadcast_to(np.concatenate([edges, [np.inf]]), shape),
            "label": sums[..., 0],
            "prediction": sums[..., 1],
            "weight": sums[..., 2],
        }


register("CalibrationPlot", CalibrationPlot)
