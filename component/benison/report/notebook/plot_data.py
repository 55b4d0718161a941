# SPDX-License-Identifier: Apache-2.0
"""Computes the lines of each kind of plot (ROC, gain, calibration, ...) from the points of plots.parquet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from benison.data.batch import Array
from benison.metrics import ratio

Columns: TypeAlias = dict[str, Array]
Series: TypeAlias = Iterator[tuple[str, Array, Array]]
"""Name, x and y of each line; the name is "" where a slice has only one."""

POINTS = 200
"""The most points of a line: more cannot be seen, and the notebook stores them."""
_BUCKETS = 40
_JUST_BELOW = 1e-5  # the first threshold of [0, 1] is as far below 0, or closer


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of plot: the points that it needs, the titles of its axes, and its lines."""

    source: str
    x: str
    y: str
    lines: Callable[[Columns], Series]
    diagonal: bool = False
    """Whether to draw a line from (0, 0) to (1, 1): chance, or perfect calibration."""


def _roc(at: Columns) -> Series:
    yield "", _false_positive_rate(at), _recall(at)


def _precision_recall(at: Columns) -> Series:
    yield "", _recall(at), _precision(at)


def _thresholds(at: Columns) -> Series:
    low, high = _span(at)
    inside = (at["threshold"] >= low - _JUST_BELOW) & (at["threshold"] <= high)
    at = {name: column[inside] for name, column in at.items()}
    right = at["true_positives"] + at["true_negatives"]
    recall, precision = _recall(at), _precision(at)
    yield "accuracy", at["threshold"], ratio(right, _all(at))
    yield "precision", at["threshold"], precision
    yield "recall", at["threshold"], recall
    yield "f1", at["threshold"], ratio(2 * precision * recall, precision + recall)


def _gain(at: Columns) -> Series:
    yield "", _selected(at), _recall(at)


def _lift(at: Columns) -> Series:
    yield "", _selected(at), ratio(_recall(at), _selected(at))


def _score_distribution(at: Columns) -> Series:
    thresholds = at["threshold"][1:]
    low, high = _span(at)
    edges = np.linspace(low, high, _BUCKETS + 1)
    bucket = np.clip(np.searchsorted(edges, thresholds, side="right") - 1, 0, _BUCKETS - 1)
    for name, above in (("positives", "true_positives"), ("negatives", "false_positives")):
        # The first threshold lies below all predictions, so what is above it is everything.
        weight = np.bincount(bucket, -np.diff(at[above], append=0.0)[1:], _BUCKETS)
        yield name, edges[:-1], ratio(weight, np.full(_BUCKETS, at[above][0]))


def _span(at: Columns) -> tuple[float, float]:
    """The scores between which all predictions lie: 0 and 1, or more where some are outside."""
    above = at["true_positives"] + at["false_positives"]
    held = np.flatnonzero(-np.diff(above, append=0.0))
    last = len(above) - 1
    ends = at["threshold"][np.concatenate([held, np.minimum(held + 1, last)])]
    outside = ends[(ends < -_JUST_BELOW) | (ends > 1)].tolist()
    return min([0.0, *outside]), max([1.0, *outside])


def _calibration(sums: Columns) -> Series:
    label, prediction, weight = _merged(sums)
    yield "", ratio(prediction, weight), ratio(label, weight)


def _residuals(sums: Columns) -> Series:
    label, prediction, weight = _merged(sums)
    yield "", ratio(prediction, weight), ratio(label - prediction, weight)


def _merged(sums: Columns) -> Array:
    """Labels, predictions and weights in at most `_BUCKETS` buckets: float64[3, B]."""
    stacked = np.array([sums["label"], sums["prediction"], sums["weight"]])
    starts = np.linspace(0, stacked.shape[1], min(_BUCKETS, stacked.shape[1]) + 1).astype(int)[:-1]
    return np.add.reduceat(stacked, starts, axis=1)


def _all(at: Columns) -> Array:
    return sum(at[name] for name in at if name != "threshold") + np.zeros(len(at["threshold"]))


def _selected(at: Columns) -> Array:
    return ratio(at["true_positives"] + at["false_positives"], _all(at))


def _recall(at: Columns) -> Array:
    return ratio(at["true_positives"], at["true_positives"] + at["false_negatives"])


def _precision(at: Columns) -> Array:
    return ratio(at["true_positives"], at["true_positives"] + at["false_positives"])


def _false_positive_rate(at: Columns) -> Array:
    return ratio(at["false_positives"], at["false_positives"] + at["true_negatives"])


_BY_THRESHOLD, _BY_PREDICTION = "confusion_matrix_plot", "calibration_plot"

PLOTS = {
    "roc": Kind(_BY_THRESHOLD, "false positive rate", "true positive rate", _roc, True),
    "precision_recall": Kind(_BY_THRESHOLD, "recall", "precision", _precision_recall),
    "thresholds": Kind(_BY_THRESHOLD, "threshold", "value", _thresholds),
    "score_distribution": Kind(
        _BY_THRESHOLD, "prediction", "share of the label's examples", _score_distribution
    ),
    "gain": Kind(_BY_THRESHOLD, "share predicted positive", "recall", _gain, True),
    "lift": Kind(_BY_THRESHOLD, "share predicted positive", "lift over chance", _lift),
    "calibration": Kind(_BY_PREDICTION, "mean prediction", "mean label", _calibration, True),
    "residuals": Kind(_BY_PREDICTION, "mean prediction", "mean label - prediction", _residuals),
}

ASKED_BY = {_BY_THRESHOLD: "ConfusionMatrixPlot", _BY_PREDICTION: "CalibrationPlot"}
"""The class that a config names to get the points."""


def thinned(x: Array, y: Array) -> Iterator[tuple[float, float]]:
    """The defined points of a line, in their order, the first and the last among them."""
    defined = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    size = min(POINTS, len(defined))
    for i in defined[np.linspace(0, len(defined) - 1, size).astype(int)]:
        yield float(x[i]), float(y[i])
