# SPDX-License-Identifier: Apache-2.0
"""Verdicts: ours as TFMA's ValidationResult, and TFMA's as one with reasons in sentences.

TFMA keeps the checks that failed. A ValidationResult of ours carries the whole verdict in a field that
TFMA passes over.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeAlias

from benison.config import (
    CrossSlicingSpec,
    EvalConfig,
    MetricDirection,
    MetricThreshold,
    SlicingSpec,
)
from benison.engine.views import View
from benison.errors import ConfigError
from benison.table.slices import Slices
from benison.tfma.messages import messages
from benison.tfma.metric_keys import Key, Sides, read_key, read_slice, write_key, write_slice
from benison.validation.judge import Subject, all_thresholds, spec_name
from benison.validation.rows import Row
from benison.validation.rules import Rule, rules_of
from benison.validation.verdict import (
    ABSOLUTE,
    BLESSED,
    FAIL,
    MISSING,
    NOT_BLESSED,
    NOT_EVALUATED,
    PASS,
    VALUE,
    Check,
    Verdict,
)

Spec: TypeAlias = "SlicingSpec | CrossSlicingSpec"
Lookup: TypeAlias = Callable[[Sides, Key], Row]
"""The row of a value; its numbers are NaN where there is none."""


def write_verdict(
    verdict: Verdict, config: EvalConfig, slices: Slices, types: Mapping[str, str]
) -> Any:
    """The ValidationResult of a verdict on these slices; `types` are those of the columns, as text."""
    found = messages().ValidationResult(
        validation_ok=verdict.blessed,
        missing_thresholds=not verdict.checks,
        rubber_stamp=verdict.rubber_stamped,
        verdict=json.dumps(verdict.to_dict(), allow_nan=False),
    )
    specs = {spec_name(spec): spec or SlicingSpec() for spec, _ in all_thresholds(config)}
    missing = {check.slice for check in verdict.failures if check.kind == MISSING}
    for name in sorted(missing & set(specs)):
        _add_missing(found, specs[name])
    _add_details(found.validation_details, specs.values(), slices)
    for sides, checks in groupby(sorted(verdict.failures, key=_place), key=_sides):
        failed = found.metric_validations_per_slice.add()
        write_slice(failed, sides, types)
        for check in checks:
            _write_failure(failed.failures.add(), check)
    return found


def _place(check: Check) -> tuple[str, Any]:
    return check.slice, check.slice_key


def _sides(check: Check) -> Sides:
    """What is missing has no slice; it is told of Overall."""
    if check.kind == MISSING:
        return Sides("Overall", ((),))
    return Sides.of(check.slice, check.slice_key)


def _add_missing(found: Any, spec: Spec) -> None:
    if isinstance(spec, CrossSlicingSpec):
        found.missing_cross_slices.append(_cross_message(spec))
    else:
        found.missing_slices.append(_spec_message(spec))


def _spec_message(spec: SlicingSpec) -> Any:
    found = messages().SlicingSpec(feature_keys=spec.feature_keys)
    for feature, value in spec.feature_values.items():
        found.feature_values.add(key=feature, value=value)
    return found


def _cross_message(spec: CrossSlicingSpec) -> Any:
    base, *others = map(_spec_message, (spec.baseline_spec, *spec.slicing_specs))
    return messages().CrossSlicingSpec(baseline_spec=base, slicing_specs=others)


def _add_details(details: Any, specs: Iterable[Spec], slices: Slices) -> None:
    for spec in specs:
        detail = details.slicing_details.add(num_matching_slices=len(slices.of_spec(spec)))
        if isinstance(spec, CrossSlicingSpec):
            detail.cross_slicing_spec.CopyFrom(_cross_message(spec))
        else:
            detail.slicing_spec.CopyFrom(_spec_message(spec))


def _write_failure(message: Any, check: Check) -> None:
    change = check.kind not in (VALUE, MISSING)
    view = (check.model, check.output, check.sub_key, check.aggregation, check.weighted)
    write_key(message.metric_key, Key(*view, check.metric))
    if change:
        message.metric_key.is_diff = True
    _write_threshold(message.metric_threshold, check)
    if check.kind != MISSING:
        value = check.value - check.baseline if change else check.value
        message.metric_value.double_value.value = value
    message.message = check.reason


def _write_threshold(message: Any, check: Check) -> None:
    bounds = {"lower": check.lower, "upper": check.upper}
    given = {side: bound for side, bound in bounds.items() if not math.isnan(bound)}
    if check.kind in (VALUE, MISSING):
        message.value_threshold.SetInParent()
        for side, bound in given.items():
            getattr(message.value_threshold, f"{side}_bound").value = bound
        return
    change = message.change_threshold
    field = change.absolute if check.kind == ABSOLUTE else change.relative
    higher = "lower" in given
    field.value = given["lower" if higher else "upper"]
    change.direction = (
        MetricDirection.HIGHER_IS_BETTER if higher else MetricDirection.LOWER_IS_BETTER
    )


def read_verdict(found: Any, config: EvalConfig, lookup: Lookup) -> Verdict:
    """The verdict of a ValidationResult; None is one that was not written."""
    if found is None:
        return Verdict(NOT_EVALUATED)
    if found.HasField("verdict"):
        return Verdict.from_dict(json.loads(found.verdict))
    if found.missing_thresholds:
        return Verdict(NOT_EVALUATED)
    checks = (*_failed(found, config, lookup), *_missing(found))
    if found.validation_ok:
        checks = tuple(_passed(found))
    status = BLESSED if found.validation_ok else NOT_BLESSED
    return Verdict(status, checks, found.rubber_stamp and config.baseline_spec is None)


def _failed(found: Any, config: EvalConfig, lookup: Lookup) -> Iterator[Check]:
    for part in found.metric_validations_per_slice:
        sides = read_slice(part)
        for failure in part.failures:
            key = read_key(failure.metric_key, failure.metric_key.name)
            row = lookup(sides, key)
            for check in _checks(failure, key, row, config):
                yield dataclasses.replace(check, sub_key=key.sub_key, aggregation=key.aggregation)


def _checks(failure: Any, key: Key, row: Row, config: EvalConfig) -> list[Check]:
    """Our records of a failure of TFMA's, in its words where our rules find nothing wrong."""
    several = len(config.candidate_specs) > 1
    parts = [f"model {key.model}"] if several else []
    parts += [f"output {key.output}"] if key.output else []
    parts += [part for part in (key.sub_key, key.aggregation) if part]
    qualifier = f" ({', '.join(parts)})" if parts else ""
    view, compared = View(key.model, key.output, key.weighted), config.baseline_spec is not None
    subject = Subject(key.name, view, qualifier, Slices.of_keys(()), [row], compared)
    if failure.HasField("metric_value"):
        rules = _rules(failure.metric_threshold, key.name, compared)
        judged = [check for rule in rules for check in subject.judge([0], rule)]
        failed = [check for check in judged if check.outcome == FAIL]
        if failed:
            return failed
    said = failure.message.rstrip(".") or "a threshold does not hold"
    reason = f"{key.name}{qualifier} of {row.slice}: TFMA says: {said}."
    return [subject.absent(row.slice, MISSING, FAIL, reason)]


def _rules(message: Any, metric: str, has_baseline: bool) -> list[Rule]:
    """The rules of a threshold; none where TFMA took one that is no threshold to us."""
    fields: dict[str, Any] = {}
    for field in ("value_threshold", "change_threshold"):
        if message.HasField(field):
            fields[field] = {
                descriptor.name: getattr(bound, "value", bound)
                for descriptor, bound in getattr(message, field).ListFields()
            }
    try:
        return list(rules_of(MetricThreshold(**fields), metric, has_baseline))
    except ConfigError:
        return []


def _missing(found: Any) -> Iterator[Check]:
    specs: list[Spec] = [
        *map(_spec, found.missing_slices),
        *map(_cross, found.missing_cross_slices),
    ]
    for spec in specs:
        name = spec_name(spec)
        yield _of_spec(name, FAIL, f"TFMA found nothing to check in {name}.")


def _passed(found: Any) -> Iterator[Check]:
    for detail in found.validation_details.slicing_details:
        name = spec_name(_either(detail))
        count = detail.num_matching_slices
        yield _of_spec(name, PASS, f"TFMA made {count:,} checks for {name}, and none failed.")


def _either(detail: Any) -> Spec:
    if detail.HasField("cross_slicing_spec"):
        return _cross(detail.cross_slicing_spec)
    return _spec(detail.slicing_spec)


def _of_spec(name: str, outcome: str, reason: str) -> Check:
    subject = Subject("", View(""), "", Slices.of_keys(()), [], False)
    return subject.absent(name, MISSING if outcome == FAIL else VALUE, outcome, reason)


def _spec(message: Any) -> SlicingSpec:
    values = {pair.key: pair.value for pair in message.feature_values}
    return SlicingSpec(feature_keys=tuple(message.feature_keys), feature_values=values)


def _cross(message: Any) -> CrossSlicingSpec:
    others = tuple(map(_spec, message.slicing_specs))
    return CrossSlicingSpec(baseline_spec=_spec(message.baseline_spec), slicing_specs=others)
