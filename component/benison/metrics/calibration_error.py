# SPDX-License-Identifier: Apache-2.0
"""How far predicted probabilities are from the shares of positives that they foretell."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the example
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.pairing import EXCESSES, check_probabilities
from benison.metrics.parameters import check_count
from benison.metrics.plots import MOST_POINTS, BucketSums
from benison.metrics.registry import LOWER, About, register
from benison.metrics.statistics.cells import Cells


def bucket_sums(cells: Cells) -> Array:
    """Sums of labels, predictions and weights in the buckets of [0, 1]: float64[S, B, 3].

    What is below 0 or above 1 counts to the first and the last bucket. A slice in which a prediction is
    missing is NaN throughout.

    Args:
        cells: A state of `BucketSums` from 0 to 1.
    """
    sums = cells.dense().reshape(cells.size, cells.width // 3, 3)
    inner = sums[:, 1:-1].copy()
    inner[:, 0] += sums[:, 0]
    inner[:, -1] += sums[:, -1]
    inner[np.isnan(inner).any(axis=(1, 2))] = np.nan
    return inner


@dataclasses.dataclass(frozen=True)
class ExpectedCalibrationError(Metric):
    """Mean distance of predicted and actual share of positives over buckets of scores; from 0 (best) to 1.

        sum over buckets |sum w p - sum w y| / sum w

    Buckets divide [0, 1] evenly; 1 is in the last one. It depends on their number, and of few rows it is
    high even for a calibrated model. NaN without weight, and where a prediction is missing; scores outside
    of [0, 1] are refused.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015.

    Attributes:
        num_buckets: How many buckets there are.
        name: The metric's name in the results.

    >>> round(ExpectedCalibrationError().of(Inputs.of([1, 0], [0.75, 0.25])), 6)
    0.25
    """

    num_buckets: int = 10
    name: str = "expected_calibration_error"
    accepts = frozenset({"binary"})

    def __post_init__(self) -> None:
        check_count("num_buckets", self.num_buckets, MOST_POINTS, least=1)

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return BucketSums(self.num_buckets, 0.0, 1.0), EXCESSES

    def check(self, cells: Cells, excesses: Array) -> None:
        check_probabilities(self.name, excesses, "RootMeanSquaredError")

    def result(self, cells: Cells, excesses: Array) -> Array:
        sums = bucket_sums(cells)
        distance = np.abs(sums[..., 1] - sums[..., 0]).sum(axis=1)
        return ratio(distance, sums[..., 2].sum(axis=1))


register(
    "ExpectedCalibrationError",
    ExpectedCalibrationError,
    About.of(ExpectedCalibrationError, LOWER, 0, 1),
)
