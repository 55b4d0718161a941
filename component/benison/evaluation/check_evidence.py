# SPDX-License-Identifier: Apache-2.0
"""Checks thresholds that ask for evidence, of which not every metric has any, before any data are read."""

from __future__ import annotations

from collections.abc import Iterator

from benison.config import MetricThreshold
from benison.config.faults import Fault
from benison.config.fields import POINT
from benison.config.plain import Loc
from benison.engine.plan import Plan
from benison.table.key import MetricKeys

_CURE = "say evidence: point"


def evidence_faults(plan: Plan) -> Iterator[Fault]:
    """The thresholds whose evidence no pass could give; else they would judge nothing, and bless nothing."""
    known = {sampling.key for sampling in plan.samplings}
    for each in plan.judged:
        for loc, threshold in _thresholds(plan, each):
            if threshold.evidence == POINT:
                continue
            if not known.issuperset(each.keys):
                text = f"how far {each.name} may be from its true value is not known; {_CURE}."
                yield Fault((*loc, "evidence"), text)
            elif "cross_slice_thresholds" in loc:
                text = f"how far comparisons of slices may be from the true ones is not known; {_CURE}."
                yield Fault((*loc, "evidence"), text)


def _thresholds(plan: Plan, each: MetricKeys) -> Iterator[tuple[Loc, MetricThreshold]]:
    """The thresholds on a metric, and where each stands."""
    for loc, threshold in plan.config.metrics_specs[each.spec].located_thresholds():
        own = loc[:2] == ("metrics", each.metric)
        if own or (loc[0] != "metrics" and loc[1] == each.name):
            yield ("metrics_specs", each.spec, *loc), threshold
