# SPDX-License-Identifier: Apache-2.0
"""Turns a threshold into rules: bounds that are applied to many values at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benison.config import (
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricDirection,
    MetricThreshold,
)
from benison.data.batch import Array, Index, Mask
from benison.validation.rows import Values
from benison.validation.terms import (
    CHANGE_ABSOLUTE,
    CHANGE_RELATIVE,
    FAIL,
    LOWER,
    NOT_EVALUATED,
    PASS,
    ROUNDING,
    RUBBER_STAMPED,
    UPPER,
    VALUE_LOWER,
    VALUE_UPPER,
)

Words: TypeAlias = "npt.NDArray[np.object_]"


@dataclasses.dataclass(frozen=True)
class Judged:
    """What a rule says of N values: outcomes and zones as text, and the changes, float64[N]."""

    outcome: Words
    change: Array
    zone: Words

    def take(self, positions: Index) -> Judged:
        """Some of them."""
        return Judged(self.outcome[positions], self.change[positions], self.zone[positions])


@dataclasses.dataclass(frozen=True)
class Rule:
    """One inclusive bound from below (`lower`) or above (`upper`) on a value or its change."""

    check: str
    bound: float
    side: str

    @property
    def is_change(self) -> bool:
        """Whether it compares with the baseline."""
        return self.check in (CHANGE_ABSOLUTE, CHANGE_RELATIVE)

    def judge(self, values: Values, least_examples: int = 1, exact: bool = True) -> Judged:
        """The outcome of each value; one that rests on too few examples is not evaluated.

        Args:
            values: What is judged.
            least_examples: `min_slice_size`, of which a value that rests on fewer rows, but on some, is not
                judged.
            exact: Whether a value is not judged where its resolution does not tell on which side of the
                bound it is; evidence has that in its reckoning.
        """
        judged, scale, resolution = self._judged(values)
        if self.is_change and not values.has_baseline:
            stamped = np.full(len(values), RUBBER_STAMPED, object)
            return Judged(stamped, judged, np.full(len(values), "", object))
        outcome = np.where(self._holds(judged, scale), PASS, FAIL).astype(object)
        uncertain = exact & (resolution > 0) & (np.abs(judged - self.bound) <= resolution)
        few = values.rests_on(self.is_change)
        outcome[uncertain | ((few > 0) & (few < least_examples))] = NOT_EVALUATED
        outcome[few == 0] = FAIL  # a count of no rows is 0, and no value
        zone = np.where(uncertain, "undecided", "").astype(object)
        return Judged(outcome, judged if self.is_change else np.full(len(values), np.nan), zone)

    def _judged(self, values: Values) -> tuple[Array, Array, Array]:
        """What is held against the bound, the scale of its rounding, and its resolution."""
        if not self.is_change:
            scale = np.full(len(values), abs(self.bound) if np.isfinite(self.bound) else 0.0)
            scale[_is_whole(values.value) & _is_whole(np.float64(self.bound))] = 0.0
            return values.value, scale, values.resolution
        scale = np.maximum(np.abs(values.value), np.abs(values.baseline))
        scale[_is_whole(values.value) & _is_whole(values.baseline)] = 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            change = values.value - values.baseline
            if self.check == CHANGE_ABSOLUTE:
                return change, scale, values.change_resolution
            size = np.where(values.baseline == 0, np.nan, np.abs(values.baseline))
            return change / size, scale / size, values.change_resolution / size

    def _holds(self, judged: Array, scale: Array) -> Mask:
        """Whether the bound holds; NaN fails, because what is undefined cannot be good enough."""
        return holds(judged, self.bound, self.side, scale)


def holds(judged: Array, bound: float, side: str, scale: Array) -> Mask:
    """Where numbers are within a bound, or off it by rounding alone: bool[N]; NaN is not.

    Args:
        judged: float64[N].
        bound: What they may be at the most, or at the least.
        side: `LOWER` or `UPPER`.
        scale: Of what size the numbers are of which each is made, 0 or more; 0 compares exactly.

    >>> holds(np.array([0.7 - 0.55]), 0.15, LOWER, np.array([0.7])).item()
    True
    """
    slack = np.where(np.isfinite(scale), ROUNDING * scale, 0.0)
    if side == LOWER:
        return np.asarray(judged >= bound - slack)
    return np.asarray(judged <= bound + slack)


def _is_whole(values: Array | np.float64) -> Mask:
    """Where values are whole numbers, as counts are, which are compared exactly."""
    return np.asarray(np.isfinite(values) & (values == np.floor(values)))


def rules_of(threshold: MetricThreshold) -> Iterator[Rule]:
    """The rules of a threshold, all of which must hold."""
    bounds = threshold.value_threshold
    if bounds is not None:
        lower, upper = bounds.lower_bound, bounds.upper_bound
        if lower is not None or upper is None:
            yield Rule(VALUE_LOWER, -np.inf if lower is None else lower, LOWER)
        if upper is not None:
            yield Rule(VALUE_UPPER, upper, UPPER)
    if threshold.change_threshold is not None:
        yield from _change_rules(threshold.change_threshold)


def on_value(threshold: MetricThreshold) -> MetricThreshold:
    """A threshold on a value that is a change by itself, such as a flip rate: the bound is on the value.

    >>> on_value(MetricThreshold(change_threshold={"absolute": 0.1, "direction": 1})).value_threshold
    GenericValueThreshold(lower_bound=None, upper_bound=0.1)
    """
    change = threshold.change_threshold
    if change is None or change.absolute is None:
        return threshold
    own = threshold.value_threshold
    low, high = (None, None) if own is None else (own.lower_bound, own.upper_bound)
    if change.direction is MetricDirection.HIGHER_IS_BETTER:
        low = change.absolute if low is None else max(low, change.absolute)
    else:
        high = change.absolute if high is None else min(high, change.absolute)
    bounds = GenericValueThreshold.model_construct(lower_bound=low, upper_bound=high)
    return threshold.model_copy(update={"value_threshold": bounds, "change_threshold": None})


def _change_rules(bounds: GenericChangeThreshold) -> Iterator[Rule]:
    side = LOWER if bounds.direction is MetricDirection.HIGHER_IS_BETTER else UPPER
    for check, bound in ((CHANGE_ABSOLUTE, bounds.absolute), (CHANGE_RELATIVE, bounds.relative)):
        if bound is not None:
            yield Rule(check, bound, side)
