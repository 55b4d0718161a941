# SPDX-License-Identifier: Apache-2.0
"""Judges results by thresholds: every check becomes a row of a table.

The rules:

* A bound is inclusive, and what is off it by rounding alone is at it. NaN fails: what is undefined cannot be
  good enough.
* Change is `candidate - baseline`; relative change divides by `|baseline|`, and fails where that is 0.
* All bounds on one metric must hold.
* A threshold on slices of which the data have none fails, and so does one on a metric without a value; one
  on every slice fails for each slicing spec with a fixed value or a condition that no row has.
* Without a baseline a bound on a change is *rubber-stamped*, and the verdict says so. The first model of a
  pipeline can be blessed.
* A slice with fewer than `min_slice_size` examples is *not evaluated*; the record of it names the
  spec and how many slices, never a slice. Nor is a value that rests on some rows, but on fewer than that.
* A value whose resolution does not tell on which side of the bound it is, is *not evaluated*; nor is evidence
  on one of which no rows could show how far it may be from the true value. Either blesses nothing.
* The verdict is *not evaluated* when the config has no thresholds at all, or has one of which not one check
  could be judged. Nobody has judged such a model, so it is not blessed; nor rejected, so no marker says so.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from benison.config import (
    CrossSlicingSpec,
    EvalConfig,
    MetricConfig,
    MetricsSpec,
    MetricThreshold,
    SlicingSpec,
)
from benison.config.fields import POINT
from benison.data.batch import joined_name
from benison.errors import suggestion
from benison.slicing.keys import SliceKey
from benison.table.key import SLICE_RATIO, Key, MetricKeys
from benison.table.schema import CHECKS_SCHEMA
from benison.table.slices import Slices, slice_ids
from benison.table.words import metric_text, qualifier
from benison.validation.check_rows import absent_row, gated_rows, rows_of
from benison.validation.gates import Family, Gated
from benison.validation.rows import PLAIN_KINDS, RATIO_KINDS, Evidence, MetricRows, Values
from benison.validation.rules import Judged, Rule, on_value, rules_of
from benison.validation.terms import (
    CROSS,
    FAIL,
    MISSING,
    NOT_EVALUATED,
    PASS,
    RUBBER_STAMPED,
    SMALL_SLICES,
    UNDECIDED,
)
from benison.validation.ungated import ungated
from benison.validation.verdict import BLESSED, NOT_BLESSED, Verdict

Spec: TypeAlias = "SlicingSpec | CrossSlicingSpec"
Threshold: TypeAlias = "tuple[Spec | None, MetricThreshold]"
"""A threshold with the slices that it is for; None is every plain slice."""
Notes: TypeAlias = Mapping[tuple[Key, str], str]
"""Why values are undefined, by key and the text of `slice_ids`."""


def validate(  # noqa: PLR0913, PLR0917 - the outputs of a pass
    config: EvalConfig,
    judged: Sequence[MetricKeys],
    metrics: pa.Table,
    small_slices: Sequence[SliceKey] = (),
    notes: Notes | None = None,
    evidence: Evidence | None = None,
    missing: Mapping[str, int] | None = None,
) -> Verdict:
    """Judge the results by the thresholds of the config.

    Args:
        config: With its defaults filled in.
        judged: The keys of the candidates' values of each metric of the config.
        metrics: The rows of metrics.parquet.
        small_slices: Those that were left out for having fewer than `min_slice_size` examples.
        notes: Why values are undefined, where it is known.
        evidence: How far the true values may be from those of the keys, in the order of their rows.
        missing: How many predictions are missing, by `predictions/model/output`.
    """
    rows = MetricRows(metrics, evidence)
    bench = _Bench(config, rows, Slices.of_keys(small_slices), notes or {}, missing or {})
    for each in judged:
        bench.judge(each)
    for i, spec in enumerate(config.metrics_specs):
        bench.judge_unknown(spec, [each for each in judged if each.spec == i])
    verdict, baseline = bench.verdict(), config.baseline_spec
    beside = None
    if baseline is not None and evidence:
        several = len(config.candidate_specs) > 1
        beside = ungated(rows, evidence, verdict.table, baseline.name, several)
    return dataclasses.replace(verdict, ungated=beside)


class _Bench:
    """Where thresholds are held against values; collects the rows of checks.parquet."""

    def __init__(
        self,
        config: EvalConfig,
        rows: MetricRows,
        small: Slices,
        notes: Notes,
        missing: Mapping[str, int],
    ) -> None:
        self._config, self._rows, self._small, self._notes = config, rows, small, notes
        self._missing = missing
        baseline = config.baseline_spec
        self._baseline = None if baseline is None else baseline.name
        self._several = len(config.candidate_specs) > 1
        self._checks: list[pa.RecordBatch | Gated] = []
        self._unjudged = False

    def verdict(self) -> Verdict:
        options = self._config.options
        gated = [each for each in self._checks if isinstance(each, Gated)]
        untold = any(each.is_open.any() and not each.is_tested for each in gated)
        family = Family(gated, options.certainty.correction, self._config.alpha)
        settled = (
            gated_rows(each, family.settle(each), options.interval_level)
            if isinstance(each, Gated)
            else each
            for each in self._checks
        )
        table = pa.Table.from_batches(settled, CHECKS_SCHEMA)
        verdict = Verdict("", table)
        counts = verdict.counts
        status = NOT_EVALUATED
        if counts[FAIL]:
            status = NOT_BLESSED
        elif (
            not (self._unjudged or untold)
            and counts[PASS] + counts[RUBBER_STAMPED] + counts[UNDECIDED]
        ):
            status = BLESSED
        return Verdict(status, table, counts[RUBBER_STAMPED] > 0)

    def judge(self, each: MetricKeys) -> None:
        """Hold the thresholds of one metric against its values, and those on the ratios of slices."""
        plain, ratios = thresholds_of(self._config, each)
        if plain and not each.keys:  # it compares with a baseline, and there is none
            self._uncompared(each.name, [threshold for _, threshold in plain])
        for kinds, thresholds in ((PLAIN_KINDS, plain), (RATIO_KINDS, ratios)):
            for key in each.keys if thresholds else ():
                values = self._rows.values(key.as_kind(kinds[0]), kinds, self._baseline)
                of = joined_name("predictions", key.model, key.output)
                lacks = self._missing.get(of, 0) > 0
                values = dataclasses.replace(
                    values, low=each.low, high=each.high, lacks_predictions=lacks
                )
                for threshold in dict.fromkeys(thresholds):
                    self._hold(values, *threshold)

    def _uncompared(self, name: str, thresholds: Sequence[MetricThreshold]) -> None:
        """A bound on the change lets a first model pass, and one on the value leaves it open."""
        first = all(threshold.value_threshold is None for threshold in thresholds)
        self._unjudged = self._unjudged or not first
        note = f"There is no baseline for {name} to compare with, so its threshold is not judged."
        outcome = RUBBER_STAMPED if first else NOT_EVALUATED
        self._checks.append(absent_row(Key(name), spec_name(None), MISSING, outcome, note))

    def _hold(self, values: Values, spec: Spec | None, threshold: MetricThreshold) -> None:
        start = len(self._checks)
        positions = values.slices.of_spec(spec)
        part = values.take(positions)
        outcomes: set[str] = set()
        if len(positions):
            for rule in rules_of(threshold):
                outcomes.update(self._hold_rule(part, rule, threshold))
        hidden = self._small.count(spec)
        if hidden:
            self._absent(values.key, spec, SMALL_SLICES, self._small_note(values.key, spec, hidden))
        if spec is None and len(positions):
            self._fail_named(values)
        elif not hidden and not len(positions):
            self._absent(values.key, spec, MISSING, self._missing_note(values, spec))
        was_judged = outcomes & {PASS, FAIL, RUBBER_STAMPED}
        if len(self._checks) > start and not was_judged:
            self._unjudged = self._unjudged or bool(len(positions) or hidden)

    def _hold_rule(self, values: Values, rule: Rule, threshold: MetricThreshold) -> set[str]:
        """The outcomes of a rule by the numbers themselves; evidence is for the end, when all are known."""
        least = self._config.options.min_slice_size or 1
        is_bound = math.isfinite(rule.bound)
        evidence = threshold.evidence if is_bound else POINT
        judged = rule.judge(values, least, exact=evidence == POINT)
        is_stamped = rule.is_change and not values.has_baseline
        known = values.paired if rule.is_change else values.spread
        is_gated = evidence != POINT and not is_stamped
        gated = Gated(values, rule, judged, (), evidence, threshold.weight)
        if is_gated:
            unknown = np.ones(len(values), np.bool_) if known is None else gated.is_unknown
            outcome = np.where(unknown, NOT_EVALUATED, judged.outcome)
            judged = dataclasses.replace(judged, outcome=outcome)
            self._unjudged = self._unjudged or bool(unknown.any())
        notes = self._notes_of(values, rule, judged)
        if is_gated and known is not None:
            self._checks.append(dataclasses.replace(gated, judged=judged, notes=notes))
        else:
            level = self._config.options.interval_level
            self._checks.append(rows_of(values, rule, judged, notes, level, evidence))
        self._unjudged = self._unjudged or bool((judged.zone == UNDECIDED).any())
        return {*judged.outcome}

    def _fail_named(self, values: Values) -> None:
        """A threshold on every slice fails where a value or condition that the config names has no row."""
        for spec in dict.fromkeys(self._config.slicing_specs):
            if spec.fixed and not self._small.count(spec) and not len(values.slices.of_spec(spec)):
                self._absent(values.key, spec, MISSING, self._missing_note(values, spec))

    def _notes_of(self, values: Values, rule: Rule, judged: Judged) -> list[str | None]:
        """Sentences where the numbers do not make one: why a value is undefined, or was not judged."""
        notes: list[str | None] = [None] * len(values)
        wanted = np.isnan(values.value) | (judged.outcome == NOT_EVALUATED)
        ids = slice_ids_of(values.slices) if self._notes and wanted.any() else []
        for i in np.flatnonzero(wanted).tolist():
            name = f"{self._name(values.key)} of {values.slices.name_array[i].as_py()}"
            why = self._notes.get((values.key, ids[i])) if ids else None
            if why is not None:
                notes[i] = f"{name} has no value: {why}."
            elif not values.is_number[i]:
                cannot = "it has no change" if rule.is_change else "it cannot be within its bounds"
                notes[i] = f"{name} is not a single number, which a threshold needs, so {cannot}."
            elif judged.outcome[i] == NOT_EVALUATED:
                notes[i] = _open_note(name, values, judged, i, self._config)
        return notes

    def _name(self, key: Key) -> str:
        return metric_text(key.metric, key.kind) + qualifier(key, self._several)

    def _small_note(self, key: Key, spec: Spec | None, hidden: int) -> str:
        where = "" if spec is None else f" of {spec_name(spec)}"
        slices = f"slice{where} has" if hidden == 1 else f"slices{where} have"
        return f"{hidden:,} {slices} too few examples, so {self._name(key)} is not evaluated there."

    def _missing_note(self, values: Values, spec: Spec | None) -> str:
        what, name = spec_name(spec), self._name(values.key)
        if not len(values):
            return f"The results have no {name}, so its threshold on {what} cannot hold."
        return f"No row of the data is in {what}, so {name} has no value there."

    def _absent(self, key: Key, spec: Spec | None, check: str, note: str) -> None:
        """A record about slices that have no row."""
        outcome = FAIL if check == MISSING else NOT_EVALUATED
        cross = CROSS if isinstance(spec, CrossSlicingSpec) and check != MISSING else ""
        self._checks.append(absent_row(key, spec_name(spec), cross + check, outcome, note))

    def judge_unknown(self, spec: MetricsSpec, judged: Sequence[MetricKeys]) -> None:
        """A threshold by the name of a metric that the spec does not have must not pass unseen."""
        names = [each.name for each in judged]
        names += [metric_text(name, SLICE_RATIO) for name in names]
        named = (*spec.thresholds, *spec.per_slice_thresholds, *spec.cross_slice_thresholds)
        views = dict.fromkeys(key.view for each in judged for key in each.keys) or {Key(""): None}
        for name in dict.fromkeys(named):
            if name in names:
                continue
            hint = suggestion(name, names)
            reason = f"There is a threshold on {name}, which is not computed. {hint}"
            for view in views:
                key = dataclasses.replace(view, metric=name)
                self._checks.append(absent_row(key, spec_name(None), MISSING, FAIL, reason))


def _open_note(name: str, values: Values, judged: Judged, i: int, config: EvalConfig) -> str:
    """Why a value was not judged."""
    if judged.zone[i] == UNDECIDED:
        exact = values.resolution[i]
        return (
            f"{name} is {values.value[i]:.6g}, known to ±{exact:.2g}, which does not tell on which side of "
            "its bound it is."
        )
    least, rests = config.options.min_slice_size or 1, values.evaluated[i]
    if rests >= least:
        return (
            f"How far {name} may be from the true value is not known, so evidence cannot judge it, as where "
            "weights or values are so large or small that their squares are no numbers."
        )
    return (
        f"{name} rests on {rests:,} of {values.examples[i]:,} examples, fewer than min_slice_size "
        f"({least:,}), so it is not judged."
    )


def slice_ids_of(slices: Slices) -> list[str]:
    """The text of `slice_ids` of each slice."""
    columns = {"slice_key": slices.key_array, "other_slice_key": slices.other_array}
    ids: list[str] = slice_ids(pa.table(columns)).to_pylist()
    return ids


def thresholds_of(config: EvalConfig, each: MetricKeys) -> tuple[list[Threshold], list[Threshold]]:
    """The thresholds on the values of a metric, and those on its ratios of slices."""
    spec = config.metrics_specs[each.spec]
    plain = [*own_thresholds(spec.metrics[each.metric]), *_named_thresholds(spec, each.name)]
    ratios = [*_named_thresholds(spec, metric_text(each.name, SLICE_RATIO))]
    if each.compares and each.keys:
        plain = [(slices, on_value(threshold)) for slices, threshold in plain]
    return plain, ratios


def own_thresholds(metric: MetricConfig) -> Iterator[Threshold]:
    """The thresholds that stand at a metric."""
    if metric.threshold is not None:
        yield None, metric.threshold
    for per_slice in metric.per_slice_thresholds:
        yield from ((slicing, per_slice.threshold) for slicing in per_slice.slicing_specs)
    for pair in metric.cross_slice_thresholds:
        yield from ((crossing, pair.threshold) for crossing in pair.cross_slicing_specs)


def _named_thresholds(spec: MetricsSpec, name: str) -> Iterator[Threshold]:
    if name in spec.thresholds:
        yield None, spec.thresholds[name]
    if name in spec.per_slice_thresholds:
        for per_slice in spec.per_slice_thresholds[name].thresholds:
            yield from ((slicing, per_slice.threshold) for slicing in per_slice.slicing_specs)
    if name in spec.cross_slice_thresholds:
        for pair in spec.cross_slice_thresholds[name].thresholds:
            yield from ((crossing, pair.threshold) for crossing in pair.cross_slicing_specs)


def all_thresholds(config: EvalConfig) -> Iterator[Threshold]:
    """Every threshold of a config, with the slices that it is for."""
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            yield from own_thresholds(metric)
        names = {*spec.thresholds, *spec.per_slice_thresholds, *spec.cross_slice_thresholds}
        for name in sorted(names):
            yield from _named_thresholds(spec, name)


def spec_name(spec: Spec | None) -> str:
    """How sentences call the slices of a threshold; None is every plain slice."""
    if not isinstance(spec, CrossSlicingSpec):
        return "any slice" if spec is None else str(spec)
    others = " or ".join(map(str, spec.slicing_specs)) or "any other slice"
    return f"{spec.baseline_spec} vs {others}"
