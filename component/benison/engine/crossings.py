# SPDX-License-Identifier: Apache-2.0
"""Which thresholds are on a metric, and whether they compare slices that share rows."""

from __future__ import annotations

from collections.abc import Iterator

from benison.config import CrossSlicingSpec, EvalConfig, MetricThreshold, SlicingSpec
from benison.config.fields import POINT
from benison.config.plain import Loc, part_at
from benison.slicing.keys import same_value
from benison.table.key import SLICE_RATIO, MetricKeys
from benison.table.words import metric_text


def asks_across(config: EvalConfig, each: MetricKeys) -> bool:
    """Whether a threshold on a metric asks for evidence on comparisons of slices that may share rows."""
    return config.metrics_specs[each.spec].needs_evidence and any(
        threshold.evidence != POINT and "cross_slice_thresholds" in loc and _share_rows(config, loc)
        for loc, threshold in thresholds_on(config, each)
    )


def _share_rows(config: EvalConfig, loc: Loc) -> bool:
    """Whether some of the slices that a threshold compares share rows."""
    return any(
        not _are_apart(crossing.baseline_spec, spec)
        for crossing in _crossings_at(config, loc)
        for spec in crossing.slicing_specs or config.slicing_specs
    )


def _are_apart(base: SlicingSpec, other: SlicingSpec) -> bool:
    """Whether no slice of one spec shares rows with another slice of the other.

    They are of the same features in the same bins, or have a feature with another value in each.
    """
    fixed = base.fixed.keys() & other.fixed.keys()
    if any(not _same(base.fixed[feature], other.fixed[feature]) for feature in fixed):
        return True
    binned = {*base.bins, *other.bins}
    same = base.features == other.features
    return same and all(_same_bins(feature, base, other) for feature in binned)


def _same(value: str, other: str) -> bool:
    return same_value(value, other) or same_value(other, value)


def _same_bins(feature: str, base: SlicingSpec, other: SlicingSpec) -> bool:
    """Whether both have the bins of a feature, or one of them names a bin of the other's."""
    sides = ((base, other), (other, base))
    agree = (
        own.bins[feature].has(named.fixed[feature])
        for own, named in sides
        if feature in own.bins and feature in named.fixed
    )
    return base.bins.get(feature) == other.bins.get(feature) or any(agree)


def _crossings_at(config: EvalConfig, loc: Loc) -> tuple[CrossSlicingSpec, ...]:
    """The comparisons that a threshold of a config is on."""
    return tuple(part_at(config, loc[:-1]).cross_slicing_specs)


def thresholds_on(config: EvalConfig, each: MetricKeys) -> Iterator[tuple[Loc, MetricThreshold]]:
    """The thresholds on a metric, and where each stands."""
    names = (each.name, ratio_of(each))
    for loc, threshold in config.metrics_specs[each.spec].located_thresholds([each.metric]):
        if loc[0] == "metrics" or loc[1] in names:
            yield ("metrics_specs", each.spec, *loc), threshold


def ratio_of(each: MetricKeys) -> str:
    """The name by which a threshold is on the ratio of a metric in two slices."""
    return metric_text(each.name, SLICE_RATIO)
