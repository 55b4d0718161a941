# SPDX-License-Identifier: Apache-2.0
"""Metrics of rows of which few have labels: the calibrated score is the judge of all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benison.data.batch import Array
from benison.estimation.expected_counts import CalibratedCells
from benison.estimation.prediction_powered import PoweredMeans

Ratio = tuple[float, list[float]]
"""A value, and its slopes in the four means."""


def _accuracy(right: float, hit: float, positive: float, above: float) -> Ratio:  # noqa: ARG001
    return right, [1, 0, 0, 0]


def _precision(right: float, hit: float, positive: float, above: float) -> Ratio:  # noqa: ARG001
    return hit / above, [0, 1 / above, 0, -hit / above**2]


def _recall(right: float, hit: float, positive: float, above: float) -> Ratio:  # noqa: ARG001
    return hit / positive, [0, 1 / positive, -hit / positive**2, 0]


def _f1(right: float, hit: float, positive: float, above: float) -> Ratio:  # noqa: ARG001
    total = above + positive
    return 2 * hit / total, [0, 2 / total, -2 * hit / total**2, -2 * hit / total**2]


RATIOS: Mapping[str, Callable[[float, float, float, float], Ratio]] = {
    "binary_accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1_score": _f1,
}
"""Of the shares of rows that are right, above the threshold and positive, positive, and above it."""


def means_of(known: CalibratedCells) -> PoweredMeans:
    """The four shares, from the labels now and the calibrated probabilities."""
    above = np.concatenate([known.is_above, known.is_above]).astype(np.float64)
    p = np.concatenate([known.probability, known.probability])
    cells = len(known.rows)
    label = np.repeat([0.0, 1.0], cells)
    negative = known.labelled_now - known.positive_now
    of_labelled = np.concatenate([negative, known.positive_now])
    others = known.rows - known.labelled_now
    judged = _numbers(p, above)
    weights = of_labelled.astype(np.int64), others.astype(np.int64)
    return PoweredMeans.of(_numbers(label, above), judged, judged[:, :cells], weights)


def _numbers(positive: Array, above: Array) -> Array:
    """For each row whether it is right, above and positive, positive, and above: float64[4, N]."""
    right = np.where(above == 1, positive, 1 - positive)
    return np.stack([right, positive * above, positive, above])


def value_of(metric: str, means: PoweredMeans) -> tuple[float, float]:
    """The value of a metric and its standard error, by the delta method; NaN where it has none."""
    with np.errstate(all="ignore"):
        value, slopes = RATIOS[metric](*means.means)
        slope = np.array(slopes)
        return float(value), float(np.sqrt(slope @ means.covariance @ slope))
