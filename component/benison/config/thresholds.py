# SPDX-License-Identifier: Apache-2.0
"""The slices of a config and the thresholds on them, as TFMA names them.

An unset bound is None. Each part lists, in `_faults`, what is wrong with it although every field is
right; what must agree between parts is in `benison.config.constraints`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from benison.config.faults import ConfigPart, Fault
from benison.config.fields import Direction, MetricDirection, Number, Texts, Value


class SlicingSpec(ConfigPart):
    """Slices by every value of features, by fixed values, or by both crossed; empty is Overall.

    >>> str(SlicingSpec(feature_keys=("hour",), feature_values={"company": "Flash Cab"}))
    'company=Flash Cab, hour'
    """

    feature_keys: Annotated[Texts, AfterValidator(lambda keys: tuple(sorted(set(keys))))] = ()
    """Features of which every value is a slice; several are crossed, in whatever order."""
    feature_values: Mapping[str, Value] = Field(default_factory=dict)
    """Features with the one value that is a slice."""
    slice_keys_sql: str = ""
    """Refused: slicing by SQL does not work in TFMA either."""

    def _faults(self) -> Iterable[Fault]:
        if self.slice_keys_sql:
            yield Fault(("slice_keys_sql",), _NO_SQL)
        for feature in self.feature_keys:
            if feature in self.feature_values:
                text = f"{feature!r} is also in feature_keys; leave it in one of the two."
                yield Fault(("feature_values", feature), text)

    def __str__(self) -> str:
        fixed = [f"{feature}={value}" for feature, value in sorted(self.feature_values.items())]
        return ", ".join([*fixed, *self.feature_keys]) or "Overall"

    @property
    def is_overall(self) -> bool:
        """Whether this is the one slice of all rows."""
        return not self.features

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, sorted."""
        return tuple(sorted({*self.feature_keys, *self.feature_values}))

    def includes(self, other: SlicingSpec) -> bool:
        """Whether every slice of `other` is a slice of this.

        >>> SlicingSpec(feature_keys=("hour",)).includes(SlicingSpec(feature_values={"hour": "5"}))
        True
        """
        fixed = self.feature_values.items() <= other.feature_values.items()
        return fixed and self.features == other.features


_NO_SQL = (
    "slicing by SQL is not supported. It no longer works in TFMA either: its SQL engine is gone, "
    "and TFX then evaluates Overall alone without a word. Use feature_keys and feature_values."
)


class CrossSlicingSpec(ConfigPart):
    """The slices of `baseline_spec` compared with other slices: their difference and ratio."""

    baseline_spec: SlicingSpec = SlicingSpec()
    """The slices to compare with."""
    slicing_specs: tuple[SlicingSpec, ...] = ()
    """The slices to compare; none means every slice that is not one of the baseline's."""

    def includes(self, other: CrossSlicingSpec) -> bool:
        """Whether every comparison of `other` is one of this."""
        if self.baseline_spec != other.baseline_spec:
            return False
        included = (
            any(mine.includes(spec) for mine in self.slicing_specs) for spec in other.slicing_specs
        )
        return not self.slicing_specs or (bool(other.slicing_specs) and all(included))


class GenericValueThreshold(ConfigPart):
    """Bounds on the value, both inclusive; without bounds, any value but NaN passes."""

    lower_bound: Number | None = None
    """The least value that passes."""
    upper_bound: Number | None = None
    """The greatest value that passes."""

    def _faults(self) -> Iterable[Fault]:
        yield from _not_nan(self, "lower_bound", "upper_bound")
        low, high = self.lower_bound, self.upper_bound
        if low is not None and high is not None and low > high:
            yield Fault(
                ("lower_bound",), f"{low} is above the upper_bound {high}: no value would pass."
            )


class GenericChangeThreshold(ConfigPart):
    """Bounds on the change from the baseline; if both are given, both must hold."""

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

    def _faults(self) -> Iterable[Fault]:
        if self.value_threshold is None and self.change_threshold is None:
            yield Fault(
                (), "has neither value_threshold nor change_threshold, so it would always pass."
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
