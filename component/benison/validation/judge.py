# SPDX-License-Identifier: Apache-2.0
"""The verdict: thresholds applied to results, every check one record and one sentence.

The rules:

* A bound is inclusive, also for what only rounding keeps from it.
* NaN fails: what is undefined cannot be good enough.
* Change is `candidate - baseline`; relative change divides by `|baseline|`, and fails where that is 0.
* A value threshold and a change threshold on one metric must both hold.
* A threshold on slices of which the data have none fails, and so does one on a metric without a value.
* Without a baseline a change threshold is *not evaluated*: the model is rubber-stamped, and the
  verdict says so. The first model of a pipeline can be blessed.
* A slice with fewer than `min_slice_size` examples is *not evaluated*; the record of it names the
  spec and how many slices, never a slice.
* The verdict is *not evaluated* when the config has no thresholds at all, or when not one of its
  checks could be evaluated for want of examples. Nobody has judged such a model, so it is not
  blessed; neither was it found wanting, so no marker says that it was.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import pyarrow as pa

from benison.config import (
    CrossSlicingSpec,
    EvalConfig,
    MetricConfig,
    MetricsSpec,
    MetricThreshold,
    SlicingSpec,
)
from benison.engine.plan import views_of
from benison.engine.views import View
from benison.errors import suggestion
from benison.metrics import from_config
from benison.slicing.keys import SliceKey
from benison.table.schema import RATIO
from benison.table.slices import MetricRows, Slices
from benison.validation.rows import Row, rows_of
from benison.validation.rules import Judgement, Rule, rules_of
from benison.validation.verdict import (
    ABSOLUTE,
    BLESSED,
    FAIL,
    MISSING,
    NOT_BLESSED,
    NOT_EVALUATED,
    PASS,
    RELATIVE,
    SMALL,
    Check,
    Verdict,
)

__all__ = [
    "BLESSED",
    "FAIL",
    "NOT_BLESSED",
    "NOT_EVALUATED",
    "PASS",
    "Check",
    "Subject",
    "Verdict",
    "all_thresholds",
    "spec_name",
    "validate",
]

Spec: TypeAlias = "SlicingSpec | CrossSlicingSpec"
Threshold: TypeAlias = "tuple[Spec | None, MetricThreshold]"
"""A threshold with the slices that it is for; None is every plain slice."""


def validate(
    config: EvalConfig, metrics: pa.Table, small_slices: Sequence[SliceKey] = ()
) -> Verdict:
    """Judge the results by the thresholds of the config.

    Args:
        config: With its defaults filled in.
        metrics: The rows of metrics.parquet.
        small_slices: Those that were left out for having fewer than `min_slice_size` examples.
    """
    rows, small = MetricRows(metrics), Slices.of_keys(small_slices)
    checks = tuple(
        check for spec in config.metrics_specs for check in _spec_checks(config, spec, rows, small)
    )
    changes = any(check.kind in (ABSOLUTE, RELATIVE) for check in checks)
    stamped = config.baseline_spec is None and changes
    return Verdict(_status(checks, stamped), checks, stamped)


def _status(checks: Sequence[Check], stamped: bool) -> str:
    outcomes = {check.outcome for check in checks}
    if FAIL in outcomes:
        return NOT_BLESSED
    return BLESSED if PASS in outcomes or stamped else NOT_EVALUATED


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a threshold is about: a metric through a view, with its values."""

    metric: str
    view: View
    qualifier: str
    slices: Slices
    rows: list[Row]
    has_baseline: bool

    @classmethod
    def of(cls, config: EvalConfig, rows: MetricRows, view: View, metric: str) -> Subject:
        """The values of the candidate, with those of the baseline where there is one."""
        baseline = config.baseline_spec
        other = baseline and rows.of(dataclasses.replace(view, model=baseline.name), metric)
        changes = rows.of(view, f"{metric}_diff")
        slices, found = rows_of(rows.of(view, metric), other, changes)
        qualifier = _qualifier(config, view)
        return cls(metric, view, qualifier, slices, found, baseline is not None)

    def judge(self, places: Sequence[int], rule: Rule) -> Iterator[Check]:
        """A record for each of the rows: the loop is over slices, each of which gets its sentence."""
        start = f"{self.metric}{self.qualifier} of "
        for place in places:
            row = self.rows[place]
            yield self._check(row, rule, rule.judge(row, start + row.slice))

    def absent(self, what: str, kind: str, outcome: str, reason: str) -> Check:
        """A record about slices that have no row."""
        nothing = Row(what, (), math.nan, math.nan, math.nan, 0, True, math.nan)
        judgement = Judgement(outcome, reason)
        rule = Rule(kind, "", math.nan, math.nan, lambda row, name: judgement)
        return self._check(nothing, rule, judgement)

    def _check(self, row: Row, rule: Rule, judgement: Judgement) -> Check:
        view = self.view
        return Check(
            row.slice,
            row.key,
            self.metric,
            view.model,
            view.output,
            view.sub_key,
            "",
            view.weighted,
            rule.kind,
            row.value,
            *row.interval(rule.kind),
            row.baseline,
            judgement.change,
            rule.lower,
            rule.upper,
            row.examples,
            rule.formula,
            judgement.outcome,
            judgement.reason,
        )


def _qualifier(config: EvalConfig, view: View) -> str:
    """What tells a metric from others of its name: ` (model b, output ctr, classId:1)`, often ""."""
    several = len(config.candidate_specs) > 1
    parts = [f"model {view.model}"] if several else []
    parts += [f"output {view.output}"] if view.output else []
    parts += [view.sub_key] if view.sub_key else []
    return f" ({', '.join(parts)})" if parts else ""


def _spec_checks(
    config: EvalConfig, spec: MetricsSpec, rows: MetricRows, small: Slices
) -> Iterator[Check]:
    baseline = config.baseline_spec
    views = [
        view
        for view in views_of(config, spec)
        if baseline is None or view.model != baseline.name  # the baseline is not on trial
    ]
    names = []
    for metric in spec.metrics:
        name = from_config(metric.class_name, dict(metric.config)).name
        names += [name, name + RATIO]
        ratios = [*_named_thresholds(spec, name + RATIO)]
        own = [*_own_thresholds(metric), *_named_thresholds(spec, name)]
        for judged, thresholds in ((name, own), (name + RATIO, ratios)):
            for view in views if thresholds else ():
                subject = Subject.of(config, rows, view, judged)
                yield from _subject_checks(subject, thresholds, small)
    yield from _unknown_metrics(spec, names, views)


def _own_thresholds(metric: MetricConfig) -> Iterator[Threshold]:
    if metric.threshold is not None:
        yield None, metric.threshold
    for one in metric.per_slice_thresholds:
        yield from ((slicing, one.threshold) for slicing in one.slicing_specs)
    for pair in metric.cross_slice_thresholds:
        yield from ((crossing, pair.threshold) for crossing in pair.cross_slicing_specs)


def _named_thresholds(spec: MetricsSpec, name: str) -> Iterator[Threshold]:
    if name in spec.thresholds:
        yield None, spec.thresholds[name]
    if name in spec.per_slice_thresholds:
        for one in spec.per_slice_thresholds[name].thresholds:
            yield from ((slicing, one.threshold) for slicing in one.slicing_specs)
    if name in spec.cross_slice_thresholds:
        for pair in spec.cross_slice_thresholds[name].thresholds:
            yield from ((crossing, pair.threshold) for crossing in pair.cross_slicing_specs)


def _unknown_metrics(
    spec: MetricsSpec, names: Sequence[str], views: Sequence[View]
) -> Iterator[Check]:
    """A threshold by the name of a metric that the spec does not have must not pass unseen."""
    nothing = Slices.of_keys(())
    named = (*spec.thresholds, *spec.per_slice_thresholds, *spec.cross_slice_thresholds)
    for name in dict.fromkeys(named):
        if name not in names:
            reason = (
                f"There is a threshold on {name}, which is not computed. {suggestion(name, names)}"
            )
            for view in views:
                subject = Subject(name, view, "", nothing, [], False)
                yield subject.absent("any slice", MISSING, FAIL, reason)


def _subject_checks(
    subject: Subject, thresholds: Sequence[Threshold], small: Slices
) -> Iterator[Check]:
    for i, (spec, threshold) in enumerate(thresholds):
        if (spec, threshold) in thresholds[:i]:
            continue
        places = subject.slices.of_spec(spec).tolist()
        for rule in rules_of(threshold, subject.metric, subject.has_baseline):
            yield from subject.judge(places, rule)
        hidden = small.count(spec)
        if hidden:
            yield _small(subject, spec, hidden)
        elif not places:
            yield _missing(subject, spec)


def _small(subject: Subject, spec: Spec | None, hidden: int) -> Check:
    where = "" if spec is None else f" of {spec_name(spec)}"
    slices = f"slice{where} has" if hidden == 1 else f"slices{where} have"
    name = f"{subject.metric}{subject.qualifier}"
    reason = f"{hidden:,} {slices} too few examples, so {name} is not evaluated there."
    return subject.absent(spec_name(spec), SMALL, NOT_EVALUATED, reason)


def _missing(subject: Subject, spec: Spec | None) -> Check:
    what, name = spec_name(spec), f"{subject.metric}{subject.qualifier}"
    reason = f"No row of the data is in {what}, so {name} has no value there."
    if not subject.rows:
        reason = f"The results have no {name}, so its threshold on {what} cannot hold."
    return subject.absent(what, MISSING, FAIL, reason)


def all_thresholds(config: EvalConfig) -> Iterator[Threshold]:
    """Every threshold of a config, with the slices that it is for."""
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            yield from _own_thresholds(metric)
        names = {*spec.thresholds, *spec.per_slice_thresholds, *spec.cross_slice_thresholds}
        for name in sorted(names):
            yield from _named_thresholds(spec, name)


def spec_name(spec: Spec | None) -> str:
    """How sentences call the slices of a threshold; None is every plain slice."""
    if not isinstance(spec, CrossSlicingSpec):
        return "any slice" if spec is None else str(spec)
    others = " or ".join(map(str, spec.slicing_specs)) or "any other slice"
    return f"{spec.baseline_spec} vs {others}"
