# SPDX-License-Identifier: Apache-2.0
"""This file is the metrics of the whole curve: areas, operating points, and the curve as a plot.

They share one histogram of 10,000 buckets. The thresholds are those of Keras and TFMA: n of them,
evenly spaced in [0, 1], the first just below 0 and the last just above 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from benison.extracts import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Index, Metric, Statistic, ratio, register
from benison.metrics.binary import BUCKETS, Curve, PredictionHistogram, ThresholdCells, curves
from benison.metrics.confusion import ConfusionRate, as_thresholds, snake_case
from benison.metrics.states import Cells

EPSILON = 1e-7


@lru_cache(maxsize=32)
def interpolated_thresholds(count: int) -> Array:
    """`count` thresholds, ascending: just below 0, evenly spaced, just above 1."""
    inner = np.arange(1, count - 1) / (count - 1)
    return np.concatenate([[-EPSILON], inner, [1 + EPSILON]])


@lru_cache(maxsize=32)
def interval_of_bucket(count: int) -> Index:
    """For each bucket the last of `count` thresholds that its left edge is above.

    Edges are k / 10000 and thresholds are shifted by 1e-7, so that a prediction equal to a
    threshold is not above it. What is below 0 counts as 0; what is 1 or more is in the last
    interval that has an upper end.
    """
    edges = np.concatenate([[-np.inf], np.arange(BUCKETS) / BUCKETS, [np.inf]])
    shifted = interpolated_thresholds(count) + EPSILON
    found = np.searchsorted(shifted, edges, side="right") - 1
    return np.clip(found, 0, count - 2).astype(np.int64)


class CurveMetric(Metric):
    """A number read off the curve of each slice; NaN for a slice in which it is undefined."""

    num_thresholds: int | None
    thresholds: tuple[float, ...] | None

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        if self.thresholds:
            return (ThresholdCells(tuple(sorted(set(self.thresholds)))),)
        return (PredictionHistogram(),)

    def result(self, cells: Cells) -> Array:
        values = np.full(cells.size, np.nan)
        if self.thresholds:
            interval_of = np.arange(len(set(self.thresholds)) + 1)
        else:
            interval_of = interval_of_bucket(self.num_thresholds or BUCKETS)
        for curve in curves(cells, interval_of):
            values[curve.slices] = self.of_curve(curve)
        return values

    def of_curve(self, curve: Curve) -> Array:
        """The values of a block of slices: float64[n]."""
        raise NotImplementedError

    def threshold_of(self, interval: Index) -> Array:
        """The threshold at the lower end of each interval."""
        if self.thresholds:
            return np.array([-np.inf, *sorted(set(self.thresholds))])[interval]
        return interpolated_thresholds(self.num_thresholds or BUCKETS)[interval]


def _largest(values: Array, where: npt.NDArray[np.bool_]) -> Array:
    """The largest value of each row where the condition holds: float64[n], NaN where it never does."""
    chosen = np.where(where & ~np.isnan(values), values, -np.inf).max(axis=1)
    return np.where(np.isneginf(chosen), np.nan, chosen)


@dataclasses.dataclass(frozen=True)
class AUC(CurveMetric):
    """Area under the ROC curve, or under the precision-recall curve.

    From 0 to 1, higher is better; 0.5 is chance for ROC. NaN when a class has no rows. Interpolation
    is the trapezoid for ROC and, for PR, that of Davis & Goadrich, "The relationship between
    precision-recall and ROC curves", 2006.

    >>> AUC().of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.75
    """

    num_thresholds: int | None = None
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: str = "auc"
    thresholds: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _choice("curve", self.curve, "ROC", "PR")
        _choice("summation_method", self.summation_method, "interpolation", "minoring", "majoring")
        _settle_thresholds(self)

    def of_curve(self, curve: Curve) -> Array:
        if self.curve.upper() == "PR" and self.summation_method.lower() == "interpolation":
            area = _davis_goadrich(curve)
        else:
            x, y = self._axes(curve)
            heights = _HEIGHTS[self.summation_method.lower()](y[:, :-1], y[:, 1:])
            area = ((x[:, :-1] - x[:, 1:]) * heights).sum(axis=1)
        both = (curve.positives * curve.negatives)[:, 0]
        return np.where(both > 0, area, np.nan)

    def _axes(self, curve: Curve) -> tuple[Array, Array]:
        recall = ratio(curve.tp, curve.positives)
        if self.curve.upper() == "ROC":
            return ratio(curve.fp, curve.negatives), recall
        # Where nothing is predicted positive precision is 0, as Keras has it.
        return recall, np.nan_to_num(ratio(curve.tp, curve.tp + curve.fp))


def _davis_goadrich(curve: Curve) -> Array:
    tp, predicted = curve.tp, curve.tp + curve.fp
    rise, run = tp[:, :-1] - tp[:, 1:], predicted[:, :-1] - predicted[:, 1:]
    slope = np.nan_to_num(ratio(rise, run))
    intercept = tp[:, 1:] - slope * predicted[:, 1:]
    growth = np.where(predicted[:, 1:] > 0, ratio(predicted[:, :-1], predicted[:, 1:]), 1.0)
    area = (slope * (rise + intercept * np.log(growth))).sum(axis=1, keepdims=True)
    return ratio(area, curve.positives)[:, 0]


_HEIGHTS: dict[str, Callable[[Array, Array], Array]] = {
    "interpolation": lambda a, b: (a + b) / 2,
    "minoring": np.minimum,
    "majoring": np.maximum,
}


def _choice(parameter: str, value: str, *allowed: str) -> None:
    if not isinstance(value, str) or value.lower() not in {a.lower() for a in allowed}:
        raise ValueError(f"{parameter} must be one of {', '.join(allowed)}, not {value!r}")


def _settle_thresholds(metric: CurveMetric) -> None:
    """Refuse what cannot be meant and freeze lists."""
    count = metric.num_thresholds
    if count is not None and (not isinstance(count, int) or count < 3):
        raise ValueError(f"num_thresholds must be a whole number from 3 up, not {count!r}")
    if metric.thresholds is not None:
        object.__setattr__(metric, "thresholds", as_thresholds(metric.thresholds))


@dataclasses.dataclass(frozen=True)
class OperatingPoint(CurveMetric):
    """The best value of one rate among the points at which another is good enough.

    From 0 to 1; NaN when no point is good enough or a class that is needed has no rows.
    """

    kind: str
    at: float
    name: str
    num_thresholds: int | None = None
    thresholds: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.at <= 1:
            raise ValueError(f"{OPERATING_POINTS[self.kind][0]} must be in [0, 1], not {self.at!r}")
        _settle_thresholds(self)

    def of_curve(self, curve: Curve) -> Array:
        _, constraint, wanted = OPERATING_POINTS[self.kind]
        if wanted == "threshold":
            reached = _RATES["recall"](curve)[:, :-1] >= self.at
            return _largest(self.threshold_of(curve.interval), reached)
        limit = _RATES[constraint](curve)
        good = limit <= self.at if constraint == "fall_out" else limit >= self.at
        return _largest(_RATES[wanted](curve), good)


_RATES: dict[str, Callable[[Curve], Array]] = {
    "recall": lambda c: ratio(c.tp, c.positives),
    "specificity": lambda c: ratio(c.negatives - c.fp, c.negatives),
    "precision": lambda c: ratio(c.tp, c.tp + c.fp),
    "fall_out": lambda c: ratio(c.fp, c.negatives),
}

# class name: (parameter, the rate that it bounds, the rate whose best value is wanted)
OPERATING_POINTS: dict[str, tuple[str, str, str]] = {
    "SensitivityAtSpecificity": ("specificity", "specificity", "recall"),
    "SpecificityAtSensitivity": ("sensitivity", "recall", "specificity"),
    "PrecisionAtRecall": ("recall", "recall", "precision"),
    "RecallAtPrecision": ("precision", "precision", "recall"),
    "RecallAtFalsePositiveRate": ("false_positive_rate", "fall_out", "recall"),
    "ThresholdAtRecall": ("recall", "recall", "threshold"),
}


def _operating_point(kind: str, default_name: str, /, name: str = "", **parameters: Any) -> Metric:
    """Build one kind of operating point, whose parameter has a name of its own."""
    parameter = OPERATING_POINTS[kind][0]
    if parameter not in parameters:
        raise ValueError(f"the parameter {parameter} is missing")
    return OperatingPoint(kind, parameters.pop(parameter), name or default_name, **parameters)


@dataclasses.dataclass(frozen=True)
class ConfusionMatrixPlot(Metric):
    """The confusion matrix at evenly spaced thresholds; ROC and precision-recall are drawn from it.

    Columns `threshold`, `true_positives`, `false_positives`, `true_negatives`, `false_negatives`,
    each with `num_thresholds + 2` points: one below 0, then 0 to 1.
    """

    num_thresholds: int = 1000
    name: str = "confusion_matrix_plot"

    is_plot: ClassVar[bool] = True

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (PredictionHistogram(),)

    def result(self, cells: Cells) -> dict[str, Array]:
        thresholds = np.concatenate(
            [[-1e-6], np.arange(self.num_thresholds + 1) / self.num_thresholds]
        )
        shifted = np.where(thresholds == 0, 0.0, thresholds + EPSILON)
        edges = np.concatenate([[-np.inf], np.arange(BUCKETS) / BUCKETS, [np.inf]])
        interval_of = np.maximum(np.searchsorted(shifted, edges, side="right") - 1, 0)
        rows = np.stack(
            [_by_interval(cells, interval_of, label, len(thresholds)) for label in (0, 1)]
        )
        above = np.cumsum(rows[..., ::-1], axis=-1)[..., ::-1]
        below = above[..., :1] - above
        return {
            "threshold": np.broadcast_to(thresholds, above.shape[1:]),
            "true_positives": above[1],
            "false_positives": above[0],
            "true_negatives": below[0],
            "false_negatives": below[1],
        }


def _by_interval(cells: Cells, interval_of: Index, label: int, intervals: int) -> Array:
    """The weight of one label in each interval: float64[S, intervals]."""
    keys, sums = cells.occupied()
    chosen = keys % 2 == label
    slices, cell = np.divmod(keys[chosen], cells.width)
    flat = slices * intervals + interval_of[cell // 2]
    table = np.bincount(flat, sums[chosen], minlength=cells.size * intervals)
    return np.asarray(table, np.float64).reshape(-1, intervals)


def _auc_pr(name: str = "auc_precision_recall", **parameters: Any) -> AUC:
    return AUC(curve="PR", name=name, **parameters)


def _max_recall(name: str = "max_recall") -> ConfusionRate:
    return ConfusionRate("Recall", name, (1e-12,))


register("AUC", AUC)
register("AUCPrecisionRecall", _auc_pr)
register("MaxRecall", _max_recall)
register("ConfusionMatrixPlot", ConfusionMatrixPlot)
for _kind in OPERATING_POINTS:
    register(_kind, partial(_operating_point, _kind, snake_case(_kind)))
