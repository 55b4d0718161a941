# SPDX-License-Identifier: Apache-2.0
"""This file is the verdict: thresholds applied to results, every check one record and one sentence.

The rules:

* A bound is inclusive. NaN fails: what is undefined cannot be good enough.
* Change is `candidate - baseline`; relative change divides by `|baseline|`, and fails where that is 0.
* A threshold on slices of which the data have none fails, and so does one on a metric without a value.
* Without a baseline a change threshold is *not evaluated*: the model is rubber-stamped, and the
  verdict says so. The first model of a pipeline can be blessed.
* A slice with fewer than `min_slice_size` examples is *not evaluated*.
* The verdict is *not evaluated* when the config has no thresholds at all, or when not one of its
  checks could be evaluated for want of examples.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from benison.config import (
    CrossSlicingSpec,
    EvalConfig,
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricConfig,
    MetricDirection,
    MetricsSpec,
    MetricThreshold,
    SlicingSpec,
)
from benison.engine.plan import View, views_of
from benison.metrics import from_config
from benison.slicing import SliceKey, matches, slice_name

BLESSED, NOT_BLESSED, NOT_EVALUATED = "blessed", "not_blessed", "not_evaluated"
PASS, FAIL = "pass", "fail"


@dataclasses.dataclass(frozen=True)
class Check:
    """One threshold on one metric of one slice; numbers that do not apply are NaN."""

    slice: str
    metric: str
    model: str
    output: str
    sub_key: str
    weighted: bool
    kind: str  # "value", "absolute change", "relative change", "slice" or "metric"
    value: float
    baseline: float
    lower: float
    upper: float
    examples: int
    formula: str
    outcome: str  # "pass", "fail" or "not_evaluated"
    reason: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the thresholds say of the model."""

    status: str
    checks: tuple[Check, ...] = ()
    rubber_stamped: bool = False

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return self.status == BLESSED

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == FAIL)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model is not blessed, a sentence for each failed check."""
        return tuple(check.reason for check in self.failures)

    def summary(self) -> str:
        """The verdict in one sentence."""
        counts = {o: sum(c.outcome == o for c in self.checks) for o in (PASS, FAIL, NOT_EVALUATED)}
        text = f"{counts[FAIL]:,} of {len(self.checks):,} checks failed"
        if counts[NOT_EVALUATED]:
            text += f", {counts[NOT_EVALUATED]:,} could not be evaluated"
        if not self.checks:
            text = "the config has no thresholds"
        stamped = " There is no baseline, so changes were not judged (rubber-stamped)."
        return f"{self.status.replace('_', ' ').upper()}: {text}.{stamped if self.rubber_stamped else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for strict JSON, in which an undefined number is null."""
        return {
            "status": self.status,
            "rubber_stamped": self.rubber_stamped,
            "summary": self.summary(),
            "reasons": list(self.reasons),
            "checks": [{k: _plain(v) for k, v in vars(check).items()} for check in self.checks],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Verdict:
        """The inverse of `to_dict`."""
        checks = tuple(
            Check(**{k: _restored(k, v) for k, v in check.items()}) for check in data["checks"]
        )
        return cls(data["status"], checks, data["rubber_stamped"])


_NUMBERS = ("value", "baseline", "lower", "upper")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _restored(key: str, value: Any) -> Any:
    return (math.nan if value is None else float(value)) if key in _NUMBERS else value


@dataclasses.dataclass(frozen=True)
class Row:
    """A metric's value on one slice."""

    slice: str
    key: SliceKey
    value: float
    baseline: float
    examples: int


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a threshold is about: a metric through a view, with its values."""

    metric: str
    view: View
    rows: tuple[Row, ...]
    has_baseline: bool

    def check(self, row: Row, kind: str, outcome: str, reason: str, **more: Any) -> Check:
        """A record about one of the rows."""
        fields = {"lower": math.nan, "upper": math.nan, "formula": "", **more}
        return Check(
            slice=row.slice,
            metric=self.metric,
            model=self.view.model,
            output=self.view.output,
            sub_key=self.view.sub_key,
            weighted=self.view.weighted,
            kind=kind,
            value=row.value,
            baseline=row.baseline,
            examples=row.examples,
            outcome=outcome,
            reason=reason,
            **fields,
        )

    def absent(self, what: str, outcome: str, reason: str) -> Check:
        """A record about slices that have no row."""
        return self.check(Row(what, (), math.nan, math.nan, 0), "slice", outcome, reason)

    def name(self, row: Row) -> str:
        """The metric and the slice as they stand in sentences."""
        part = f" of {self.view.sub_key}" if self.view.sub_key else ""
        return f"{self.metric}{part} of {row.slice}"


Spec: TypeAlias = "SlicingSpec | CrossSlicingSpec"


def validate(config: EvalConfig, metrics: pa.Table, small: Sequence[SliceKey] = ()) -> Verdict:
    """Judge the results by the thresholds of the config.

    Args:
        config: With its defaults filled in.
        metrics: The rows of metrics.parquet.
        small: The slices that were left out for having fewer than `min_slice_size` examples.
    """
    checks = tuple(
        check
        for spec in config.metrics_specs
        for check in _spec_checks(config, spec, metrics, small)
    )
    stamped = config.baseline_spec is None and any(c.kind.endswith("change") for c in checks)
    return Verdict(_status(checks, stamped), checks, stamped)


def _status(checks: Sequence[Check], stamped: bool) -> str:
    outcomes = {check.outcome for check in checks}
    if FAIL in outcomes:
        return NOT_BLESSED
    return BLESSED if PASS in outcomes or stamped else NOT_EVALUATED


def _spec_checks(
    config: EvalConfig, spec: MetricsSpec, metrics: pa.Table, small: Sequence[SliceKey]
) -> Iterator[Check]:
    for metric in spec.metrics:
        name = from_config(metric.class_name, dict(metric.config)).name
        thresholds = list(_thresholds(spec, metric, name))
        if not thresholds:
            continue
        for view in views_of(config, spec):
            if config.baseline_spec is not None and view.model == config.baseline_spec.name:
                continue
            subject = _subject(config, metrics, view, name)
            for slices, threshold in thresholds:
                yield from _threshold_checks(subject, slices, threshold, small)


def _thresholds(
    spec: MetricsSpec, metric: MetricConfig, name: str
) -> Iterator[tuple[Spec | None, MetricThreshold]]:
    """Each threshold with the slices that it is for; None is every plain slice."""
    for everywhere in (metric.threshold, spec.thresholds.get(name)):
        if everywhere is not None:
            yield None, everywhere
    per_slice = [*metric.per_slice_thresholds]
    if name in spec.per_slice_thresholds:
        per_slice += spec.per_slice_thresholds[name].thresholds
    for one in per_slice:
        yield from ((slicing, one.threshold) for slicing in one.slicing_specs)
    crossed = [*metric.cross_slice_thresholds]
    if name in spec.cross_slice_thresholds:
        crossed += spec.cross_slice_thresholds[name].thresholds
    for pair in crossed:
        yield from ((cross, pair.threshold) for cross in pair.cross_slicing_specs)


def _subject(config: EvalConfig, metrics: pa.Table, view: View, name: str) -> Subject:
    baseline = config.baseline_spec
    base: dict[str, float] = {}
    if baseline is not None:
        found = _rows(metrics, dataclasses.replace(view, model=baseline.name), name)
        base = dict(zip(found["slice"].to_pylist(), found["value"].to_pylist(), strict=True))
    table = _rows(metrics, view, name).select(["slice", "slice_key", "value", "examples"])
    rows = tuple(
        Row(
            r["slice"],
            tuple((p["feature"], p["value"]) for p in r["slice_key"]),
            r["value"],
            base.get(r["slice"], math.nan),
            r["examples"],
        )
        for r in table.to_pylist()
    )
    return Subject(name, view, rows, baseline is not None)


def _rows(metrics: pa.Table, view: View, name: str) -> pa.Table:
    wanted = {
        "metric": name,
        "model": view.model,
        "output": view.output,
        "sub_key": view.sub_key,
        "weighted": view.weighted,
    }
    for column, value in wanted.items():
        metrics = metrics.filter(pc.equal(metrics[column], pa.scalar(value)))
    return metrics


def _threshold_checks(
    subject: Subject, slices: Spec | None, threshold: MetricThreshold, small: Sequence[SliceKey]
) -> Iterator[Check]:
    rows = [row for row in subject.rows if _concerns(slices, row)]
    for row in rows:
        if threshold.value_threshold is not None:
            yield _value_check(subject, row, threshold.value_threshold)
        if threshold.change_threshold is not None:
            yield from _change_checks(subject, row, threshold.change_threshold)
    hidden = sum(isinstance(slices, SlicingSpec) and matches(slices, key) for key in small)
    hidden = len(small) if slices is None else hidden
    if hidden:
        what = "Slices" if slices is None else str(slices)
        reason = (
            f"{hidden:,} of {what} with too few examples: {subject.metric} is not evaluated there."
        )
        yield subject.absent(what, NOT_EVALUATED, reason)
    elif not rows:
        what = "any slice" if slices is None else _spec_name(slices)
        reason = f"No row of the data is in {what}, so {subject.metric} has no value there."
        yield subject.absent(what, FAIL, reason)


def _spec_name(spec: Spec) -> str:
    if isinstance(spec, SlicingSpec):
        return str(spec)
    others = " or ".join(map(str, spec.slicing_specs)) or "any other slice"
    return f"{spec.baseline_spec} vs {others}"


def _concerns(slices: Spec | None, row: Row) -> bool:
    plain = row.slice == slice_name(row.key)
    if slices is None:
        return plain
    if isinstance(slices, SlicingSpec):
        return plain and matches(slices, row.key)
    length = len(slices.baseline_spec.features)
    base, compared = row.key[:length], row.key[length:]
    if plain or not matches(slices.baseline_spec, base):
        return False
    return not slices.slicing_specs or any(matches(spec, compared) for spec in slices.slicing_specs)


def _value_check(subject: Subject, row: Row, bounds: GenericValueThreshold) -> Check:
    lower = -math.inf if bounds.lower_bound is None else bounds.lower_bound
    upper = math.inf if bounds.upper_bound is None else bounds.upper_bound
    name, count = subject.name(row), f"({row.examples:,} examples)"
    if math.isnan(row.value):
        outcome, reason = FAIL, f"{name} is undefined {count}, so it cannot be within its bounds."
    elif row.value < lower:
        outcome, reason = (
            FAIL,
            f"{name} is {row.value:.6g} {count}, below the lower bound {lower:g}.",
        )
    elif row.value > upper:
        outcome, reason = (
            FAIL,
            f"{name} is {row.value:.6g} {count}, above the upper bound {upper:g}.",
        )
    else:
        outcome, reason = (
            PASS,
            f"{name} is {row.value:.6g} {count}, within {_interval(lower, upper)}.",
        )
    formula = f"{lower:g} <= {subject.metric} <= {upper:g}"
    return subject.check(row, "value", outcome, reason, lower=lower, upper=upper, formula=formula)


def _interval(lower: float, upper: float) -> str:
    return f"[{lower:g}, {upper:g}]"


def _change_checks(subject: Subject, row: Row, bounds: GenericChangeThreshold) -> Iterator[Check]:
    change = row.value - row.baseline
    if bounds.absolute is not None:
        yield _change_check(
            subject, row, "absolute change", change, bounds.absolute, bounds.direction
        )
    if bounds.relative is not None:
        relative = change / abs(row.baseline) if row.baseline else math.nan
        yield _change_check(
            subject, row, "relative change", relative, bounds.relative, bounds.direction
        )


_FORMULAS = {
    "absolute change": "candidate - baseline",
    "relative change": "(candidate - baseline) / |baseline|",
}


def _change_check(
    subject: Subject, row: Row, kind: str, change: float, bound: float, direction: MetricDirection
) -> Check:
    higher = direction is MetricDirection.HIGHER_IS_BETTER
    sign = ">=" if higher else "<="
    formula = f"{_FORMULAS[kind]} {sign} {bound:g}"
    limits = {"lower": bound} if higher else {"upper": bound}
    name = subject.name(row)
    if not subject.has_baseline:
        outcome, reason = (
            NOT_EVALUATED,
            f"{name}: there is no baseline, so its {kind} is not evaluated.",
        )
    elif math.isnan(change):
        reason = f"{name}: its {kind} from {row.baseline:.6g} to {row.value:.6g} is undefined."
        outcome = FAIL
    else:
        good = change >= bound if higher else change <= bound
        outcome = PASS if good else FAIL
        moved = f"{row.baseline:.6g} to {row.value:.6g} ({row.examples:,} examples)"
        judged = f"{kind} {change:+.6g}, {'as' if good else 'but'} {sign} {bound:g} is required"
        reason = f"{name} went from {moved}: {judged}."
    return subject.check(row, kind, outcome, reason, formula=formula, **limits)
