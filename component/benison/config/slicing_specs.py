# SPDX-License-Identifier: Apache-2.0
"""The slices of a config: TFMA's fields, and beside them bins of numbers and conditions on rows."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from benison.config import sql_text
from benison.config.faults import ConfigPart, Fault, PartError, described
from benison.config.fields import Texts, Value, or_numbers
from benison.errors import BenisonError

_WHOLE_FLOATS = 2.0**53  # up to here a float is written as the integer that it is
_MOST_BINS = 10_000


def _edge(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or str(value) == "nan":
        raise ValueError(f"expected a number, got {described(value)}.")
    if value in (math.inf, -math.inf):
        raise ValueError("is infinite; leave it out, as the first and the last bin are open-ended.")
    if abs(value) > sys.float_info.max:
        raise ValueError(f"expected a number up to 1.8e308, got {described(value)}.")
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE_FLOATS
    return int(value) if whole else value


PERIODS = {
    "minute": "%Y-%m-%d %H:%M",
    "hour": "%Y-%m-%d %Hh",
    "day": "%Y-%m-%d",
    "week": "%G-W%V",
    "month": "%Y-%m",
    "year": "%Y",
}
"""Periods of time, and how each is written: no two alike, and texts of one of them sort by time."""
_FORMS = {
    every: re.compile("-?" + re.sub("%[YGmdHMV]", r"\\d+", form)) for every, form in PERIODS.items()
}

T = TypeVar("T")
Edges: TypeAlias = "Mapping[tuple[str, int], tuple[float, ...]]"
"""The edges of the quantiles of columns, by the column and their number."""
Edge = Annotated[Any, BeforeValidator(_edge), WithJsonSchema({"type": "number"})]


def period_of(label: str) -> str | None:
    """Which of `PERIODS` a text is the name of; None if of none.

    >>> period_of("2026-01-31 12h"), period_of("2026-01-31 12:00"), period_of("12")
    ('hour', 'minute', 'year')
    """
    return next((every for every, form in _FORMS.items() if form.fullmatch(label)), None)


class Bins(ConfigPart):
    """Bins of a number: [a, b) between edges that ascend; the outer ones are open-ended.

    A list of edges stands for the part with these edges.

    >>> Bins(edges=(10, 20.5)).labels
    ('[-inf, 10)', '[10, 20.5)', '[20.5, inf]')
    """

    edges: tuple[Edge, ...] | None = None
    """Where bins meet; a value that is an edge is in the bin above it."""
    quantiles: Annotated[int, Field(ge=2, le=_MOST_BINS)] | None = None
    """Bins of about as many rows each, whose edges are found by a scan of the column; edges that are given
    beside them were found, and are not looked for again."""
    every: Literal["minute", "hour", "day", "week", "month", "year"] | None = None
    """Bins of a time, by the period in which it is, such as `2026-01-31`; stands alone."""

    def _faults(self) -> Iterable[Fault]:
        if self.every is not None:
            if self.edges is not None or self.quantiles is not None:
                yield Fault(("every",), "stands alone; leave out edges and quantiles.")
            return
        if self.edges is None and self.quantiles is None:
            yield Fault(
                (),
                "has neither edges nor quantiles; give [0, 10, 20] or {quantiles: 4}, or of a time "
                "{every: day}.",
            )
        elif not self.edges and self.quantiles is None:
            yield Fault(("edges",), "has no edge; one makes two bins.")
        edges = self.edges or ()
        if len(edges) > _MOST_BINS:
            yield Fault(("edges",), f"has {len(edges):,} edges; there can be {_MOST_BINS:,}.")
        for i in range(1, len(edges)):
            if edges[i - 1] >= edges[i]:
                text = f"{edges[i]} does not ascend from {edges[i - 1]} before it."
                yield Fault(("edges", i), text)
                break

    @property
    def labels(self) -> tuple[str, ...]:
        """The values of the slices, in order; nothing as long as the edges are to be found."""
        if self.edges is None:
            return ()
        ends = ["-inf", *map(str, self.edges), "inf"]
        closed = [")"] * len(self.edges) + ["]"]
        pairs = zip(ends, ends[1:], closed, strict=False)
        return tuple(f"[{low}, {high}{end}" for low, high, end in pairs)

    def has(self, label: str) -> bool:
        """Whether a text may be that of one of the bins."""
        if self.every is not None:
            return period_of(label) == self.every
        return label in self.labels or (self.edges is None and label.startswith("["))


def _as_bins(value: Any) -> Any:
    return {"edges": value} if isinstance(value, list | tuple) else value


BinsOfFeatures: TypeAlias = Mapping[str, Annotated[Bins, BeforeValidator(_as_bins), or_numbers]]
"""Bins by the number that they are of."""


def _from_sql(text: str) -> dict[str, Any]:
    try:
        return sql_text.translated(text)
    except BenisonError as error:
        raise PartError([Fault(("slice_keys_sql",), str(error))]) from None


class SlicingSpec(ConfigPart):
    """Slices by features: every value, one value, bins, conditions; several are crossed; empty is Overall.

    >>> str(SlicingSpec(feature_keys=("hour",), feature_values={"company": "Flash Cab"}))
    'company=Flash Cab, hour'
    """

    feature_keys: Annotated[Texts, AfterValidator(lambda keys: tuple(sorted(set(keys))))] = ()
    """Features of which every value is a slice; several are crossed, in whatever order."""
    feature_values: Mapping[str, Value] = Field(default_factory=dict)
    """Features with the one value that is a slice."""
    bins: BinsOfFeatures = Field(default_factory=dict)
    """Features of numbers, with the bins that are slices: edges as a list, or {quantiles: 4}; of times the
    periods: {every: day}."""
    where: Mapping[str, str] = Field(default_factory=dict)
    """Names of slices, each with the condition of SQL that its rows fulfil; needs `benison[where]`."""
    slice_keys_sql: str = ""
    """TFMA's SELECT STRUCT(...), which is read as the other fields where that is possible."""

    @model_validator(mode="before")
    @classmethod
    def _translated(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        names = {"slice_keys_sql", "sliceKeysSql"}
        texts = [data[name] for name in names if name in data]
        if not texts or not isinstance(texts[0], str) or not texts[0]:
            return data
        others = {key: value for key, value in data.items() if key not in names}
        if any(others.values()):
            text = "stands alone; write what is beside it into it."
            raise PartError([Fault(("slice_keys_sql",), text)])
        return _from_sql(texts[0])

    def _faults(self) -> Iterable[Fault]:
        seen: dict[str, str] = {}
        for field in ("feature_keys", "feature_values", "bins", "where"):
            for feature in getattr(self, field):
                if feature in seen:
                    text = f"{feature!r} is also in {seen[feature]}; leave it in one of the two."
                    yield Fault((field, feature), text)
                seen.setdefault(feature, field)
        for name, condition in self.where.items():
            if not name or not condition.strip():
                yield Fault(("where", name), "needs a name and a condition, as cheap: fare < 20.")

    def __str__(self) -> str:
        fixed = [f"{feature}={value}" for feature, value in sorted(self.feature_values.items())]
        fixed += [f"{name}=true" for name in sorted(self.where)]
        bins = [f"bins of {feature}" for feature in sorted(self.bins)]
        return ", ".join([*fixed, *self.feature_keys, *bins]) or "Overall"

    @property
    def is_overall(self) -> bool:
        """Whether this is the one slice of all rows."""
        return not self.features

    @property
    def features(self) -> tuple[str, ...]:
        """The names that the keys of the slices have, sorted: of columns and of conditions."""
        return tuple(sorted({*self.feature_keys, *self.feature_values, *self.bins, *self.where}))

    @property
    def fixed(self) -> dict[str, str]:
        """The features that have one value: those that are given, and true for a condition."""
        return {**self.feature_values, **dict.fromkeys(self.where, "true")}

    @property
    def is_derived(self) -> bool:
        """Whether the values of the slices are not those of columns alone."""
        return bool(self.bins or self.where)

    def in_fields_of_tfma(self) -> SlicingSpec:
        """The spec as near as TFMA's fields come to it: any bin of a feature, the condition true."""
        keys = (*self.feature_keys, *self.bins)
        return SlicingSpec(feature_keys=keys, feature_values=self.fixed)

    def includes(self, other: SlicingSpec) -> bool:
        """Whether every slice of `other` is a slice of this; a bin and a condition may be named by a value.

        >>> SlicingSpec(feature_keys=("hour",)).includes(SlicingSpec(feature_values={"hour": "5"}))
        True
        >>> SlicingSpec(bins={"fare": [10]}).includes(SlicingSpec(feature_values={"fare": "[10, inf]"}))
        True
        """
        same = self.features == other.features
        return same and all(self._includes(feature, other) for feature in self.features)

    def _includes(self, feature: str, other: SlicingSpec) -> bool:
        value = other.feature_values.get(feature)
        if feature in self.bins:
            named = value is not None and self.bins[feature].has(value)
            return named or self.bins[feature] == other.bins.get(feature)
        if feature in self.where:
            return value == "true" or self.where[feature] == other.where.get(feature)
        if feature in self.feature_values:
            return value == self.feature_values[feature]
        return feature not in other.bins and feature not in other.where


class CrossSlicingSpec(ConfigPart):
    """The slices of `baseline_spec` compared with other slices: their difference and ratio."""

    baseline_spec: SlicingSpec = SlicingSpec.model_construct()
    """The slices to compare with."""
    slicing_specs: tuple[SlicingSpec, ...] = ()
    """The slices to compare; none means every slice that is not one of the baseline's."""

    def includes(self, other: CrossSlicingSpec) -> bool:
        """Whether every comparison of `other` is one of this."""
        base = self.baseline_spec
        by_name = base.is_derived and base.includes(other.baseline_spec)
        if base != other.baseline_spec and not by_name:
            return False
        included = (
            any(mine.includes(spec) for mine in self.slicing_specs) for spec in other.slicing_specs
        )
        return not self.slicing_specs or (bool(other.slicing_specs) and all(included))


def map_specs(part: T, change: Callable[[SlicingSpec], SlicingSpec]) -> T:
    """A config, or a part of one, with each slicing spec changed."""
    changed: Any = part
    if isinstance(part, SlicingSpec):
        changed = change(part)
    elif isinstance(part, ConfigPart):
        update = {name: map_specs(value, change) for name, value in part.__dict__.items()}
        changed = part.model_copy(update=update)
    elif isinstance(part, Mapping):
        changed = {name: map_specs(value, change) for name, value in part.items()}
    elif isinstance(part, tuple):
        changed = tuple(map_specs(each, change) for each in part)
    result: T = changed
    return result


def with_edges(part: T, edges: Edges) -> T:
    """A config, or a part of one, in which quantiles have the edges that were found for them."""

    def change(spec: SlicingSpec) -> SlicingSpec:
        bins = {name: _with_edges(name, each, edges) for name, each in spec.bins.items()}
        return spec.model_copy(update={"bins": bins})

    return map_specs(part, change)


def _with_edges(feature: str, bins: Bins, edges: Edges) -> Bins:
    known = edges.get((feature, bins.quantiles or 0))
    is_open = bins.edges is None and known is not None
    return bins.model_copy(update={"edges": known}) if is_open else bins
