# SPDX-License-Identifier: Apache-2.0
"""The thresholds of a config, as TFMA names them.

An unset bound is None. Each part lists, in `_faults`, what is wrong with it although every field is
right; what must agree between parts is in `benison.config.constraints`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import ClassVar

from benison.config.faults import ConfigPart, Fault
from benison.config.fields import (
    NOT_WORSE,
    POINT,
    WORSE,
    Direction,
    Evidence,
    Finite,
    MetricDirection,
    Number,
)
from benison.config.slicing_specs import CrossSlicingSpec, SlicingSpec

_OF_BOTH = ("evidence", "weight")  # of a threshold, whichever bounds it has


class GenericValueThreshold(ConfigPart):
    """Bounds on the value, both inclusive; without bounds, any value but NaN passes."""

    fields_around: ClassVar[tuple[str, ...]] = _OF_BOTH

    lower_bound: Number | None = None
    """The least value that passes."""
    upper_bound: Number | None = None
    """The greatest value that passes."""

    def _faults(self) -> Iterable[Fault]:
        yield from _not_nan(self, "lower_bound", "upper_bound")
        low, high = self.lower_bound, self.upper_bound
        if low is None and high is None:
            yield Fault(
                (), "has neither lower_bound nor upper_bound, so every number would pass; give one."
            )
        elif low in (None, -math.inf) and high in (None, math.inf):
            yield Fault((), "has infinite bounds, so every number would pass; give finite ones.")
        if low is not None and high is not None and low > high:
            yield Fault(
                ("lower_bound",), f"{low} is above the upper_bound {high}: no value would pass."
            )


class GenericChangeThreshold(ConfigPart):
    """Bounds on the change from the baseline; if both are given, both must hold."""

    fields_around: ClassVar[tuple[str, ...]] = _OF_BOTH

    absolute: Number | None = None
    """Bound on candidate - baseline."""
    relative: Number | None = None
    """Bound on (candidate - baseline) / |baseline|."""
    direction: Direction = MetricDirection.UNKNOWN
    """HIGHER_IS_BETTER: the change is at least the bound. LOWER_IS_BETTER: at most."""

    def _faults(self) -> Iterable[Fault]:
        yield from _not_nan(self, "absolute", "relative")
        if self.absolute is None and self.relative is None:
            yield Fault(
                (), "has neither absolute nor relative, so it would always pass; give one of them."
            )
        elif self.direction == MetricDirection.UNKNOWN:
            yield Fault(
                ("direction",), "a bound needs LOWER_IS_BETTER or HIGHER_IS_BETTER to be one."
            )
        for field in ("absolute", "relative"):
            if math.isinf(getattr(self, field) or 0):
                yield Fault((field,), "is infinite, which bounds no change; give a finite number.")


def _not_nan(part: ConfigPart, *fields: str) -> Iterator[Fault]:
    for field in fields:
        value = getattr(part, field)
        if value is not None and math.isnan(value):
            yield Fault((field,), "is NaN, and nothing is above or below NaN; give a number.")


class MetricThreshold(ConfigPart):
    """A bound on the value, on the change, or on both, which must then both hold."""

    value_threshold: GenericValueThreshold | None = None
    """Bounds on the value."""
    change_threshold: GenericChangeThreshold | None = None
    """Bounds on the change from the baseline."""
    evidence: Evidence = POINT
    """What a verdict needs: point compares the number itself with the bound; worse fails only what is shown
    to be beyond it; not_worse passes only what is shown to be within it."""
    weight: Finite = 1.0
    """With evidence worse: a threshold of weight 3 has three times the share of the false alarms of one of
    weight 1."""

    def _faults(self) -> Iterable[Fault]:
        if self.value_threshold is None and self.change_threshold is None:
            yield Fault(
                (), "has neither value_threshold nor change_threshold, so it would always pass."
            )
        if self.weight <= 0:
            yield Fault(("weight",), f"expected a number above 0, got {self.weight:g}.")
        elif self.weight != 1 and self.evidence != WORSE:
            yield Fault(
                ("weight",),
                "shares out the false alarms of evidence worse; say that, or no weight.",
            )
        if self.evidence == NOT_WORSE and self.change_threshold is not None:
            yield from _not_zero(self.change_threshold)


def _not_zero(bounds: GenericChangeThreshold) -> Iterator[Fault]:
    """Faults where nothing but a better model could be shown not to be worse."""
    sign = "-" if bounds.direction is MetricDirection.HIGHER_IS_BETTER else ""
    for field in ("absolute", "relative"):
        if getattr(bounds, field) == 0:
            yield Fault(
                ("change_threshold", field),
                "is 0, and with evidence not_worse only a model that is better could pass. Say how much "
                f"worse it may be, for example {sign}0.01, or say evidence: worse.",
            )


class PerSliceMetricThreshold(ConfigPart):
    """A threshold for the slices of some specs."""

    slicing_specs: tuple[SlicingSpec, ...] = ()
    """The slices; each must be computed, that is, be in the slicing_specs of the config."""
    threshold: MetricThreshold
    """What must hold in each of them."""

    def _faults(self) -> Iterable[Fault]:
        if not self.slicing_specs:
            yield Fault(("slicing_specs",), "names no slice; {} in it stands for Overall.")


class PerSliceMetricThresholds(ConfigPart):
    """The per-slice thresholds of one metric."""

    thresholds: tuple[PerSliceMetricThreshold, ...] = ()
    """All of them must hold."""


class CrossSliceMetricThreshold(ConfigPart):
    """A threshold for the differences between slices."""

    cross_slicing_specs: tuple[CrossSlicingSpec, ...] = ()
    """The comparisons; each must be in the cross_slicing_specs of the config."""
    threshold: MetricThreshold
    """What must hold in each of them."""

    def _faults(self) -> Iterable[Fault]:
        if not self.cross_slicing_specs:
            yield Fault(("cross_slicing_specs",), "names no comparison of slices.")


class CrossSliceMetricThresholds(ConfigPart):
    """The cross-slice thresholds of one metric."""

    thresholds: tuple[CrossSliceMetricThreshold, ...] = ()
    """All of them must hold."""
