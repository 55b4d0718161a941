# SPDX-License-Identifier: Apache-2.0
"""Says which falls the gates of a config will see on some data, before there is a model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import CrossSlicingSpec, EvalConfig
from benison.config.confidence import ConfidenceOptions
from benison.config.fields import NO_CORRECTION, NOT_WORSE, POINT, WORSE
from benison.data.batch import Array, Index
from benison.engine.plan import Plan
from benison.engine.samplings import Sampling
from benison.errors import DataError
from benison.evaluation.resolve import Request, resolve
from benison.evaluation.slice_sizes import counted_slices
from benison.evidence.cell_errors import CellsEstimator, share_of
from benison.evidence.moment_errors import MomentsEstimator
from benison.results import sample_sizes
from benison.table.key import MetricKeys
from benison.table.slices import Slices
from benison.validation.judge import Spec, Threshold, thresholds_of
from benison.validation.rows import PLAIN_KINDS
from benison.validation.rules import Rule, rules_of
from benison.validation.terms import LOWER


@dataclasses.dataclass(frozen=True)
class PlannedChecks:
    """The checks that a rule of a threshold will make of one metric."""

    rule: Rule
    evidence: str
    weight: float
    slices: Index
    """Which of the counted slices they are on."""
    keys: int
    """How many values of the metric there are in each: of several models, classes or outputs."""
    is_of_right_rows: bool
    """Whether the metric is the share of rows on which the model is right."""

    def __len__(self) -> int:
        return len(self.slices) * self.keys

    @property
    def allowed(self) -> float:
        """The fall that it lets pass; of a relative bound the most, which is that of a share of 1."""
        return float(self.rule.bound * (-1 if self.rule.side == LOWER else 1))


def of_data(
    examples: Any,
    config: EvalConfig,
    churn: float,
    fall: float | None = None,
    module_path: str = "",
) -> list[dict[str, Any]]:
    """What each slice of some data can show of two models, of which exactly one is right on so many rows.

    The rows are those of `sample_sizes.of_result`: with what thresholds on a change of a share of right rows
    allow, and over all checks of the config where one of them has evidence; else over the slices.

    Args:
        examples: As `evaluate` takes them.
        config: What is sliced and judged, and how sure a verdict must be.
        churn: The share of rows on which exactly one of two models is right.
        fall: The fall that is to be seen.
        module_path: A folder in which modules of metrics are looked for; it is in `sys.path` already.

    Raises:
        ConfigError: The config has faults.
        DataError: No slice has as many rows as `min_slice_size`.
    """
    plan = _plan(config, module_path)
    full = plan.config
    counted = counted_slices(examples, full, full.slicing_specs, full.cross_slicing_specs)
    counted = counted.filter(pc.is_in(counted["kind"], pa.array(PLAIN_KINDS)))
    counted = counted.sort_by([("kind", "descending")])  # slices, then comparisons of them
    slices = Slices.of_table(counted)
    checks = [*planned_checks(plan, slices)] if full.metrics_specs else []
    size = int(slices.plain.sum())
    if not size:
        raise DataError(
            f"No slice has {full.options.min_slice_size:,} rows, so there is none to plan for. Lower "
            "options.min_slice_size, or give more data."
        )
    names = counted.select(["slice"]).slice(0, size).to_pylist()
    counts: Array = counted["examples"].to_numpy()[:size].astype(float)
    family = _family(checks, size)
    allowed, alphas, evidence = _bounds(checks, size, full, family)
    is_corrected = full.options.certainty.correction != NO_CORRECTION
    shown = family if is_corrected else 1
    return sample_sizes.of_gates(names, counts, churn, alphas, shown, fall, allowed, evidence)


def _plan(config: EvalConfig, module_path: str) -> Plan:
    """The plan of a config for a model and a baseline; errors are chosen though nothing asks for them."""
    if not config.needs_evidence:
        options = config.options.model_copy(update={"confidence": ConfidenceOptions()})
        config = config.model_copy(update={"options": options})
    has_baseline = len(config.model_specs) < 2 or config.baseline_spec is not None  # noqa: PLR2004 - or one of the two is it
    if not config.metrics_specs:
        return Plan.resolved(config.with_defaults(has_baseline))[0]
    asked = Request(config, has_baseline, called=True, module_path=module_path)
    return resolve(asked).plan


def planned_checks(plan: Plan, slices: Slices) -> Iterator[PlannedChecks]:
    """The checks that the thresholds of a config will make on slices and comparisons of them."""
    for each in plan.judged:
        plain, ratios = thresholds_of(plan.config, each)
        compared = [(spec, threshold) for spec, threshold in ratios if not _is_plain(spec)]
        of_right = not each.compares and _is_of_right_rows(plan, each)
        for spec, threshold in dict.fromkeys((*plain, *compared)):
            yield from _checks(each, (spec, threshold), slices, of_right)


def _checks(
    each: MetricKeys, of: Threshold, slices: Slices, of_right: bool
) -> Iterator[PlannedChecks]:
    spec, threshold = of
    positions = slices.of_spec(spec)
    for rule in rules_of(threshold):
        evidence = threshold.evidence if math.isfinite(rule.bound) else POINT
        yield PlannedChecks(
            rule,
            evidence,
            threshold.weight,
            positions,
            len(each.keys),
            of_right and _is_plain(spec),
        )


def _is_plain(spec: Spec | None) -> bool:
    return not isinstance(spec, CrossSlicingSpec)


def _is_of_right_rows(plan: Plan, each: MetricKeys) -> bool:
    samplings = [sampling for sampling in plan.samplings if sampling.key in each.keys]
    return bool(samplings) and all(map(_is_share_of_all, samplings))


def _is_share_of_all(sampling: Sampling) -> bool:
    """Whether a value is a share of all rows of its slice, each of which counts as one."""
    known = sampling.estimator
    if not isinstance(known, CellsEstimator | MomentsEstimator) or known.weighted:
        return False
    if isinstance(known, MomentsEstimator):
        return known.metric.is_share
    share = share_of(known.metric)
    return share is not None and bool(share.among.all())


def _family(checks: Sequence[PlannedChecks], slices: int) -> int:
    """Over how many checks false alarms are held; 1 where each check must be shown by itself."""
    own = {each.evidence for each in checks if each.is_of_right_rows}
    if WORSE in own:
        return sum(len(each) for each in checks if each.evidence == WORSE)
    return 1 if NOT_WORSE in own else slices


def _bounds(
    checks: Sequence[PlannedChecks], slices: int, config: EvalConfig, family: int
) -> tuple[Array, Array, list[str]]:
    """What the strictest threshold on each slice allows, what its p-value is held against, its evidence."""
    is_corrected = config.options.certainty.correction != NO_CORRECTION
    shares = sum(each.weight * len(each) for each in checks if each.evidence == WORSE)
    allowed, evidence = np.full(slices, math.inf), np.full(slices, "", object)
    alphas = np.full(slices, config.alpha / (family if is_corrected else 1))
    for each in checks:
        if not each.is_of_right_rows or not each.rule.is_change:
            continue
        at = each.slices[each.allowed < allowed[each.slices]]
        allowed[at], evidence[at] = each.allowed, each.evidence
        if each.evidence == WORSE and is_corrected:
            alphas[at] = config.alpha * each.weight / max(shares, each.weight)
        elif each.evidence != POINT:
            alphas[at] = config.alpha
    return np.where(np.isinf(allowed), 0.0, allowed), alphas, evidence.tolist()
