# SPDX-License-Identifier: Apache-2.0
"""Operating points: the best value of a rate among thresholds at which another rate reaches a bound.

Such as the highest recall at a precision of at least 0.9. The bound is inclusive, and a rate that is
short of it by rounding alone, 1e-9, reaches it. The names and parameters are those of Keras and TFMA.
Rates are those of `benison.metrics.confusion`, from 0 to 1; a prediction above the threshold is positive.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from benison.data.batch import Array, Inputs, Mask  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Metric, ratio
from benison.metrics.confusion import ascending, matrix_of
from benison.metrics.curve_metric import CurveMetric, Thresholds
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.curve import Curve

_SHORT = 1e-9  # a rate that is short of its bound by rounding alone has reached it

Bound = float | Sequence[float]


class OperatingPoint(CurveMetric):
    """The best value of one rate among the thresholds at which another is good enough.

    A list of bounds gives a list of values. NaN when the class that a rate is taken of has no rows, when a
    prediction is missing, and when none of one's own thresholds is good enough. Otherwise there is always one
    that is: below all scores recall is 1, above all scores specificity is 1.

    Subclasses name the parameter, the rate that it bounds and the rate that is wanted, and have the parameter
    as a field.
    """

    bound: ClassVar[str]  # the parameter
    limit: ClassVar[str]  # the rate that it bounds, from below unless it is `fall_out`
    wanted: ClassVar[str]  # the rate whose best value is wanted, or the `step` of the threshold
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

    def _shape(self) -> tuple[int, ...]:
        bounds = getattr(self, self.bound)
        return (len(bounds),) if isinstance(bounds, tuple) else ()

    def points(self) -> dict[str, tuple[Metric, ...]]:
        """One for each bound of a list."""
        bounds = getattr(self, self.bound)
        if not isinstance(bounds, tuple):
            return {}
        return {"": tuple(dataclasses.replace(self, **{self.bound: each}) for each in bounds)}

    def at(self, curve: Curve) -> Array:
        return self._defined(curve, self._largest(curve))

    def extremes(self, curve: Curve) -> tuple[Array, Array]:
        points = self._largest(curve)
        low, high = (
            self._defined(curve, np.fmax(points, self._largest(corners)))
            for corners in (curve.worst_corners, curve.best_corners)
        )
        return low, high

    def _largest(self, curve: Curve) -> Array:
        """The best value for each bound among the points that reach it; -inf if none does: float64[n, k]."""
        # A handful, each with a choice of its own.
        bounds = np.atleast_1d(getattr(self, self.bound))
        reached, wanted = _REACHED[self.limit], _WANTED[self.wanted]
        return np.stack([wanted(curve, reached(curve, bound)) for bound in bounds], axis=1)

    def _defined(self, curve: Curve, values: Array) -> Array:
        defined = np.isfinite(curve.positives + curve.negatives)
        otherwise = np.where(defined & (curve.positives > 0), self.unreached, np.nan)
        values = np.where(defined & ~np.isneginf(values), values, otherwise)
        return values.reshape(len(values), *self._shape())

    def curves(self, state: Any) -> Iterator[Curve]:
        """Thresholds of one's own are the only ones that count: not even the two ends are added."""
        if self.thresholds is None:
            yield from super().curves(state)
            return
        m = matrix_of(state)
        totals = ((m.tp + m.fn)[:, :1], (m.fp + m.tn)[:, :1])
        steps = np.broadcast_to(np.arange(m.tp.shape[1]), m.tp.shape)
        thresholds = np.array(ascending(self.thresholds))
        slices = np.arange(state.size)
        yield Curve(slices, m.tp, m.fp, *totals, lambda: steps, thresholds.__getitem__, True)


_REACHED: dict[str, Callable[[Curve, float], Mask]] = {
    "recall": lambda c, bound: c.recall >= bound - _SHORT,
    "specificity": lambda c, bound: c.fall_out <= 1 - bound + _SHORT,
    "precision": lambda c, bound: c.precision >= bound - _SHORT,
    "fall_out": lambda c, bound: c.fall_out <= bound + _SHORT,
}
"""At which points a rate reaches its bound."""


def _first(curve: Curve, reached: Mask) -> Array:
    """Recall at the first point that is reached, where it is highest; -inf if none is."""
    first = reached.argmax(axis=1)
    return _if_any(curve.at(first).recall, reached)


def _last(rate: Callable[[Curve], Array]) -> Callable[[Curve, Mask], Array]:
    """The rate at the last point that is reached, for one that rises from point to point."""

    def at_last(curve: Curve, reached: Mask) -> Array:
        last = reached.shape[1] - 1 - reached[:, ::-1].argmax(axis=1)
        return _if_any(rate(curve.at(last)), reached)

    return at_last


def _if_any(rates: Array, reached: Mask) -> Array:
    has_any = reached.any(axis=1) & ~np.isnan(rates[:, 0])
    return np.where(has_any, rates[:, 0], -np.inf)


def _largest_precision(curve: Curve, reached: Mask) -> Array:
    rates = np.where(reached, curve.precision, -np.inf)
    return np.asarray(np.fmax.reduce(rates, axis=1, initial=-np.inf))


_WANTED: dict[str, Callable[[Curve, Mask], Array]] = {
    "recall": _first,
    "specificity": _last(lambda c: ratio(c.negatives - c.fp, c.negatives)),
    "precision": _largest_precision,
    "step": _last(lambda c: c.steps().astype(np.float64)),
}
"""The best value of a rate among the points that are reached, -inf if none is: float64[n]."""


@dataclasses.dataclass(frozen=True)
class SensitivityAtSpecificity(OperatingPoint):
    """Highest recall at a threshold whose specificity is at least `specificity`.

        max TP / P over thresholds with TN / N >= specificity

    From 0 to 1, higher is better; NaN without positives or without negatives.

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

        max TN / N over thresholds with TP / P >= sensitivity

    From 0 to 1, higher is better; NaN without positives or without negatives. Sensitivity is another word for
    recall.

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

        max TP / (TP + FP) over thresholds with TP / P >= recall

    From 0 to 1, higher is better; NaN without positives. With a bound of 1 it is the precision of the rule
    that misses no positive.

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

        max TP / P over thresholds with TP / (TP + FP) >= precision

    From 0 to 1, higher is better; NaN without positives. 0 and not NaN when the precision is out of reach,
    as in Keras: a model that cannot be used at that precision finds nothing, and a bound on the value fails.

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

        max TP / P over thresholds with FP / N <= false_positive_rate

    From 0 to 1, higher is better; NaN without positives or without negatives.

    >>> RecallAtFalsePositiveRate(0.2).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.5
    """

    false_positive_rate: Bound
    num_thresholds: int | None = None
    name: str = "recall_at_false_positive_rate"
    bound, limit, wanted = "false_positive_rate", "fall_out", "recall"


@dataclasses.dataclass(frozen=True)
class ThresholdAtRecall(OperatingPoint):
    """Highest threshold at which recall is at least `recall`; predictions from there up are positive.

        max t with TP(t) / P >= recall

    In the unit of the scores; neither end is good; NaN without positives. It is the score of a row: every
    threshold below it, down to the next lower score, decides as it does. The resolution is the width of the
    bin of the scale where a slice has more than 4,096 scores.

    >>> ThresholdAtRecall(0.5).of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.8
    """

    recall: Bound
    thresholds: Thresholds = None
    num_thresholds: int | None = None
    name: str = "threshold_at_recall"
    bound, limit, wanted = "recall", "recall", "step"

    def at(self, curve: Curve) -> Array:
        return _thresholds_of(curve, super().at(curve))

    def extremes(self, curve: Curve) -> tuple[Array, Array]:
        steps = super().at(curve)  # between two points there is no other recall
        return _thresholds_of(curve, steps), _thresholds_of(curve, steps + 1)

    def _value(self, curve: Curve) -> Array:
        return self.at(curve)

    def _between(self, curve: Curve, low: Array, high: Array) -> Array:
        return low


def _thresholds_of(curve: Curve, steps: Array) -> Array:
    thresholds, known = np.full(steps.shape, np.nan), ~np.isnan(steps)
    thresholds[known] = curve.thresholds(steps[known].astype(np.int64))
    return thresholds


_RATES_AT_BOUNDS: tuple[type[OperatingPoint], ...] = (
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    PrecisionAtRecall,
    RecallAtPrecision,
    RecallAtFalsePositiveRate,
)


def _register_rates() -> None:
    for rate in _RATES_AT_BOUNDS:
        register(rate.__name__, rate, About.of(rate, HIGHER, 0, 1))


_register_rates()
register("ThresholdAtRecall", ThresholdAtRecall, About.of(ThresholdAtRecall))
