# SPDX-License-Identifier: Apache-2.0
"""Checks thresholds that ask for evidence, of which not every metric has any, before any data are read."""

from __future__ import annotations

from collections.abc import Iterator

from benison.config import MetricThreshold
from benison.config.faults import Fault
from benison.config.fields import POINT
from benison.engine.crossings import thresholds_on
from benison.engine.plan import Plan
from benison.table.key import MetricKeys

_CURE = "say evidence: point"


def evidence_faults(plan: Plan) -> Iterator[Fault]:
    """The thresholds whose evidence no pass could give; else they would judge nothing, and bless nothing."""
    asking = {i for i, spec in enumerate(plan.config.metrics_specs) if spec.needs_evidence}
    for each in (each for each in plan.judged if each.spec in asking):
        for loc, threshold in thresholds_on(plan.config, each):
            unknown = "" if threshold.evidence == POINT else _unknown(plan, each, threshold)
            if unknown:
                yield Fault((*loc, "evidence"), f"{unknown}; {_CURE}.")


def _unknown(plan: Plan, each: MetricKeys, threshold: MetricThreshold) -> str:
    """What a threshold needs to know, and no pass could tell; "" for nothing."""
    values = {sampling.key for sampling in plan.samplings}
    changes = {sampling.key for sampling in plan.samplings if sampling.estimator.paired}
    if not values.issuperset(each.keys):
        return f"how far {each.name} may be from its true value is not known"
    is_change = threshold.change_threshold is not None and not each.compares
    if is_change and plan.comparison is not None and not changes.issuperset(each.keys):
        return f"{each.name} is the same for both models, as it looks at no predictions"
    return ""
