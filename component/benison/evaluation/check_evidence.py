# SPDX-License-Identifier: Apache-2.0
"""Checks thresholds that ask for evidence, of which not every metric has any, before any data are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benison.config import CrossSlicingSpec, EvalConfig, MetricThreshold, SlicingSpec
from benison.config.faults import Fault
from benison.config.fields import POINT
from benison.config.plain import Loc
from benison.engine.plan import Plan
from benison.slicing.keys import same_value
from benison.table.key import SLICE_RATIO, MetricKeys
from benison.table.words import metric_text

_CURE = "say evidence: point"


def evidence_faults(plan: Plan) -> Iterator[Fault]:
    """The thresholds whose evidence no pass could give; else they would judge nothing, and bless nothing."""
    asking = {i for i, spec in enumerate(plan.config.metrics_specs) if spec.needs_evidence}
    for each in (each for each in plan.judged if each.spec in asking):
        for loc, threshold in thresholds_on(plan, each):
            unknown = "" if threshold.evidence == POINT else _unknown(plan, each, loc, threshold)
            if unknown:
                yield Fault((*loc, "evidence"), f"{unknown}; {_CURE}.")


def _unknown(plan: Plan, each: MetricKeys, loc: Loc, threshold: MetricThreshold) -> str:
    """What a threshold needs to know, and no pass could tell; "" for nothing."""
    values = {sampling.key for sampling in plan.samplings}
    changes = {sampling.key for sampling in plan.samplings if sampling.estimator.paired}
    if not values.issuperset(each.keys):
        return f"how far {each.name} may be from its true value is not known"
    if "cross_slice_thresholds" in loc:
        return _unknown_between(plan, each, loc, threshold)
    is_change = threshold.change_threshold is not None and not each.compares
    if is_change and plan.comparison is not None and not changes.issuperset(each.keys):
        return f"{each.name} is the same for both models, as it looks at no predictions"
    return ""


def _unknown_between(plan: Plan, each: MetricKeys, loc: Loc, threshold: MetricThreshold) -> str:
    """What a threshold on comparisons of slices needs to know; "" for nothing."""
    if _ratio_of(each) in loc and threshold.change_threshold is not None:
        return "how far changes of ratios of slices may be from the true ones is not known"
    of_each = [sampling.estimator for sampling in plan.samplings if sampling.key in each.keys]
    if all(estimator.compares_slices for estimator in of_each):
        return ""
    for crossing in _crossings_at(plan.config, loc):
        others = crossing.slicing_specs or plan.config.slicing_specs
        if not all(_are_apart(crossing.baseline_spec, spec) for spec in others):
            return (
                f"slices of {crossing.baseline_spec} share rows with those that they are compared with, and "
                "how they vary together is not known"
            )
    return ""


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


def part_at(config: EvalConfig, loc: Loc) -> Any:
    """The part of a config at a location."""
    part: Any = config
    for step in loc:
        is_key = isinstance(step, int) or isinstance(part, Mapping)
        part = part[step] if is_key else getattr(part, str(step))
    return part


def thresholds_on(plan: Plan, each: MetricKeys) -> Iterator[tuple[Loc, MetricThreshold]]:
    """The thresholds on a metric, and where each stands."""
    for loc, threshold in plan.config.metrics_specs[each.spec].located_thresholds():
        own = loc[:2] == ("metrics", each.metric)
        if own or (loc[0] != "metrics" and loc[1] in (each.name, _ratio_of(each))):
            yield ("metrics_specs", each.spec, *loc), threshold


def _ratio_of(each: MetricKeys) -> str:
    """The name by which a threshold is on the ratio of a metric in two slices."""
    return metric_text(each.name, SLICE_RATIO)
