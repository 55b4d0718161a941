# SPDX-License-Identifier: Apache-2.0
"""The metrics of the whole curve: areas and operating points.

They share one histogram of 10,000 buckets. The thresholds are those of Keras and TFMA: n of them,
evenly spaced in [0, 1], the first just below 0 and the last just above 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Index, Metric, Statistic, ratio
from benison.metrics.confusion import as_thresholds, ascending, matrix_of
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.cells import Cells
from benison.metrics.statistics.histogram import (
    BUCKETS,
    Curve,
    PredictionHistogram,
    ThresholdCells,
    curves,
)

EPSILON = 1e-7
_REACHED = 1e-9  # a rate that is short of its bound by rounding alone has reached it

Thresholds = Sequence[float] | None
Bound = float | Sequence[float]


@lru_cache(maxsize=32)
def interpolated_thresholds(count: int) -> Array:
    """`count` thresholds, ascending: just below 0, evenly spaced, just above 1."""
    inner = np.arange(1, count - 1) / (count - 1)
    return np.concatenate([[-EPSILON], inner, [1 + EPSILON]])


def interval_of_bucket(thresholds: Array) -> Index:
    """For each bucket the last of the thresholds, ascending, that its left edge is above.

    Edges are k / 10000 and thresholds are shifted by 1e-7, so that a prediction equal to a
    threshold is not above it; the threshold 0 is not shifted. What is below all counts to the first.
    """
    edges = np.concatenate([[-np.inf], np.arange(BUCKETS) / BUCKETS, [np.inf]])
    shifted = np.where(thresholds == 0, 0.0, thresholds + EPSILON)
    return np.maximum(np.searchsorted(shifted, edges, side="right") - 1, 0)


@lru_cache(maxsize=32)
def _interpolated_intervals(count: int) -> Index:
    """What is 1 or more lies in the last interval that has an upper end."""
    return np.minimum(interval_of_bucket(interpolated_thresholds(count)), count - 2)


class CurveMetric(Metric):
    """A number read off the curve of each slice; NaN for a slice in which it is undefined."""

    num_thresholds: int | None = None
    thresholds: Thresholds = None

    def __post_init__(self) -> None:
        count, thresholds = self.num_thresholds, self.thresholds
        if count is not None and (not isinstance(count, int) or count < 2):
            raise ValueError(f"num_thresholds must be a whole number from 2 up, not {count!r}")
        if thresholds is not None:
            count, thresholds = _settle(count, as_thresholds(thresholds))
            object.__setattr__(self, "num_thresholds", count)
            object.__setattr__(self, "thresholds", thresholds)

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        if self.thresholds is not None:
            return (ThresholdCells(ascending(self.thresholds)),)
        return (PredictionHistogram(),)

    def curves(self, cells: Cells) -> Iterator[Curve]:
        """The curves of all slices, block by block."""
        if self.thresholds is None:
            return curves(cells, _interpolated_intervals(self.num_thresholds or BUCKETS))
        return curves(cells, np.arange(len(set(self.thresholds)) + 1))


def _settle(
    count: int | None, thresholds: tuple[float, ...]
) -> tuple[int | None, tuple[float, ...] | None]:
    """Even spacing is a number of thresholds, so that the histogram can be shared.

    Keras and TFMA write both, `thresholds` then without its two ends.
    """
    size = len(thresholds) if count is None else count
    even = interpolated_thresholds(max(size, 2))
    inner = even if count is None else even[1:-1]
    if len(inner) == len(thresholds):
        return (size, None) if np.allclose(inner, thresholds, atol=1e-12) else (None, thresholds)
    if count is None:
        return None, thresholds
    raise ValueError("num_thresholds and thresholds contradict each other; give one of them")


@dataclasses.dataclass(frozen=True)
class AUC(CurveMetric):
    """Area under the ROC curve, or under the precision-recall curve.

    From 0 to 1, higher is better; 0.5 is chance for ROC. NaN without positives, and for ROC also
    without negatives. Interpolation is the trapezoid for ROC and, for PR, that of Davis & Goadrich,
    "The relationship between precision-recall and ROC curves", 2006. With `thresholds` of your own
    the curve goes through these and the two ends.

    >>> AUC().of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.75
    """

    num_thresholds: int | None = None
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: str = "auc"
    thresholds: Thresholds = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for parameter, known in (("curve", _CURVES), ("summation_method", tuple(_HEIGHTS))):
            value = getattr(self, parameter)
            if not isinstance(value, str) or value.lower() not in map(str.lower, known):
                raise ValueError(f"{parameter} must be one of {', '.join(known)}, not {value!r}")

    def result(self, cells: Cells) -> Array:
        values = np.full(cells.size, np.nan)
        for curve in self.curves(cells):
            values[curve.slices] = self._area(curve)
        return values

    def _area(self, curve: Curve) -> Array:
        method, is_roc = self.summation_method.lower(), self.curve.upper() == "ROC"
        if not is_roc and method == "interpolation":
            area = _davis_goadrich(curve)
        else:
            x, y = self._axes(curve)
            heights = _HEIGHTS[method](y[:, :-1], y[:, 1:])
            area = ((x[:, :-1] - x[:, 1:]) * heights).sum(axis=1)
        positives, negatives = curve.positives[:, 0], curve.negatives[:, 0]
        # A missing prediction has made both sums NaN, and then no comparison holds.
        defined = (positives > 0) & (negatives > 0 if is_roc else negatives >= 0)
        return np.where(defined, area, np.nan)

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


_CURVES = ("ROC", "PR")

_HEIGHTS: dict[str, Callable[[Array, Array], Array]] = {
    "interpolation": lambda a, b: (a + b) / 2,
    "minoring": np.minimum,
    "majoring": np.maximum,
}


@dataclasses.dataclass(frozen=True)
class AUCPrecisionRecall(AUC):
    """Area under the precision-recall curve; from 0 to 1, higher is better; NaN without positives.

    >>> round(AUCPrecisionRecall().of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])), 4)
    0.7973
    """

    curve: str = dataclasses.field(default="PR", init=False)
    name: str = "auc_precision_recall"


class OperatingPoint(CurveMetric):
    """The best value of one rate among the thresholds at which another is good enough.

    A list of bounds gives a list of values. NaN when the class that a rate is taken of has no rows,
    and when none of one's own thresholds is good enough.
    """

    bound: ClassVar[str]  # the parameter
    limit: ClassVar[str]  # the rate that it bounds, from below unless it is `fall_out`
    wanted: ClassVar[str]  # the rate whose best value is wanted, or `threshold`
    unreached: ClassVar[float] = np.nan  # the value when no threshold is good enough

    def __post_init__(self) -> None:
        super().__post_init__()
        value = getattr(self, self.bound)
        try:
            bounds = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            bounds = np.zeros(0)
        if not np.all((bounds >= 0) & (bounds <= 1)) or not bounds.size:
            raise ValueError(f"{self.bound} must be in [0, 1], not {value!r}")
        if bounds.ndim:
            object.__setattr__(self, self.bound, tuple(bounds.tolist()))

    def result(self, cells: Cells) -> Array:
        bounds = getattr(self, self.bound)
        several = bounds if isinstance(bounds, tuple) else (bounds,)
        values = np.full((cells.size, len(several)), np.nan)
        sign = -1 if self.limit == "fall_out" else 1
        for curve in self.curves(cells):
            limit, wanted = _RATES[self.limit](curve), self._wanted(curve)
            defined = np.isfinite(curve.positives + curve.negatives)
            otherwise = np.where(defined & (curve.positives > 0), self.unreached, np.nan)[:, 0]
            for i, bound in enumerate(several):  # a handful, each with a choice of its own
                good = (sign * limit >= sign * bound - _REACHED) & defined
                values[curve.slices, i] = _largest(wanted, good, otherwise)
        return values if isinstance(bounds, tuple) else values[:, 0]

    def curves(self, cells: Cells) -> Iterator[Curve]:
        """Thresholds of one's own are the only ones that count: not even the two ends are added."""
        if self.thresholds is None:
            yield from super().curves(cells)
            return
        matrix = matrix_of(cells)
        sums = (matrix.tp, matrix.fp, matrix.tp + matrix.fn, matrix.fp + matrix.tn)
        tp, fp, positives, negatives = sums
        numbers = np.broadcast_to(np.arange(tp.shape[1]), tp.shape)
        yield Curve(np.arange(cells.size), tp, fp, positives[:, :1], negatives[:, :1], numbers)

    def _wanted(self, curve: Curve) -> Array:
        if self.wanted != "threshold":
            return _RATES[self.wanted](curve)
        if self.thresholds is not None:
            return np.array(ascending(self.thresholds))[curve.last]
        return interpolated_thresholds(self.num_thresholds or BUCKETS)[curve.last]


_RATES: dict[str, Callable[[Curve], Array]] = {
    "recall": lambda c: ratio(c.tp, c.positives),
    "specificity": lambda c: ratio(c.negatives - c.fp, c.negatives),
    "precision": lambda c: ratio(c.tp, c.tp + c.fp),
    "fall_out": lambda c: ratio(c.fp, c.negatives),
}


def _largest(values: Array, where: npt.NDArray[np.bool_], otherwise: Array) -> Array:
    """The largest value of each row where the condition holds: float64[n]."""
    chosen = np.where(where & ~np.isnan(values), values, -np.inf).max(axis=1)
    return np.where(np.isneginf(chosen), otherwise, chosen)


@dataclasses.dataclass(frozen=True)
class SensitivityAtSpecificity(OperatingPoint):
    """Highest recall at a threshold whose specificity is at least `specificity`.

    >>> SensitivityAtSpecificity(0.5).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    1.0
    """

    specificity: Bound
    num_thresholds: int | None = None
    name: str = "sensitivity_at_specificity"
    bound, limit, wanted = "specificity", "specificity", "recall"


@dataclasses.dataclass(frozen=True)
class SpecificityAtSensitivity(OperatingPoint):
    """Highest specificity at a threshold whose recall is at least `sensitivity`.

    >>> SpecificityAtSensitivity(1).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.5
    """

    sensitivity: Bound
    num_thresholds: int | None = None
    name: str = "specificity_at_sensitivity"
    bound, limit, wanted = "sensitivity", "recall", "specificity"


@dataclasses.dataclass(frozen=True)
class PrecisionAtRecall(OperatingPoint):
    """Highest precision at a threshold whose recall is at least `recall`.

    >>> PrecisionAtRecall([0.5, 1]).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    [1.0, 0.6666666666666666]
    """

    recall: Bound
    thresholds: Thresholds = None
    num_thresholds: int | None = None
    name: str = "precision_at_recall"
    bound, limit, wanted = "recall", "recall", "precision"


@dataclasses.dataclass(frozen=True)
class RecallAtPrecision(OperatingPoint):
    """Highest recall at a threshold whose precision is at least `precision`; 0 if none is.

    >>> RecallAtPrecision(0.9).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.5
    """

    precision: Bound
    num_thresholds: int | None = None
    name: str = "recall_at_precision"
    bound, limit, wanted = "precision", "precision", "recall"
    unreached = 0.0


@dataclasses.dataclass(frozen=True)
class RecallAtFalsePositiveRate(OperatingPoint):
    """Highest recall at a threshold whose fall-out is at most `false_positive_rate`.

    >>> RecallAtFalsePositiveRate(0.2).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.5
    """

    false_positive_rate: Bound
    num_thresholds: int | None = None
    name: str = "recall_at_false_positive_rate"
    bound, limit, wanted = "false_positive_rate", "fall_out", "recall"


@dataclasses.dataclass(frozen=True)
class ThresholdAtRecall(OperatingPoint):
    """Highest threshold at which recall is at least `recall`.

    >>> round(ThresholdAtRecall(0.5).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])), 3)
    0.8
    """

    recall: Bound
    thresholds: Thresholds = None
    num_thresholds: int | None = None
    name: str = "threshold_at_recall"
    bound, limit, wanted = "recall", "recall", "threshold"


for _class in (
    AUC,
    AUCPrecisionRecall,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    PrecisionAtRecall,
    RecallAtPrecision,
    RecallAtFalsePositiveRate,
):
    register(_class.__name__, _class, About.of(_class, HIGHER, 0, 1))
register("ThresholdAtRecall", ThresholdAtRecall, About.of(ThresholdAtRecall))
