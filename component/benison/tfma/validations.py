# SPDX-License-Identifier: Apache-2.0
"""Converts verdicts into TFMA's ValidationResult, and back into checks with sentences.

TFMA keeps the checks that failed. A ValidationResult of ours carries the whole verdict in a field that
TFMA passes over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeAlias

import pyarrow as pa

from benison.config import (
    CrossSlicingSpec,
    EvalConfig,
    MetricDirection,
    MetricThreshold,
    SlicingSpec,
)
from benison.errors import ConfigError
from benison.table.key import CHANGE, SLICE_DIFFERENCE, VALUE, Key
from benison.table.schema import CHECKS_SCHEMA
from benison.table.slices import Sides, Slices
from benison.table.words import qualifier
from benison.tfma.messages import messages
from benison.tfma.metric_keys import read_key, read_slice, write_key, write_slice
from benison.validation.check_rows import absent_row, rows_of
from benison.validation.checks import Check
from benison.validation.judge import all_thresholds, spec_name
from benison.validation.rows import Values
from benison.validation.rules import Rule, rules_of
from benison.validation.terms import (
    CHANGE_ABSOLUTE,
    FAIL,
    LOWER,
    MISSING,
    NOT_EVALUATED,
    PASS,
    VALUE_LOWER,
)
from benison.validation.verdict import BLESSED, NOT_BLESSED, Verdict

Spec: TypeAlias = "SlicingSpec | CrossSlicingSpec"
Lookup: TypeAlias = Callable[[Sides, Key], Values]
"""The one value of a key on a slice, beside the baseline's; NaN where there is none."""


def write_verdict(
    verdict: Verdict, config: EvalConfig, slices: Slices, types: Mapping[str, str]
) -> Any:
    """The ValidationResult of a verdict on these slices; `types` are those of the columns, as text."""
    message = messages().ValidationResult(
        validation_ok=verdict.blessed,
        missing_thresholds=not verdict.total,
        rubber_stamp=verdict.rubber_stamped,
        verdict=json.dumps(verdict.to_dict(), allow_nan=False),
    )
    specs = {spec_name(spec): spec or SlicingSpec() for spec, _ in all_thresholds(config)}
    missing = {check.slice for check in verdict.failures if check.kind == MISSING}
    for name in sorted(missing & set(specs)):
        _add_missing(message, specs[name])
    _add_details(message.validation_details, specs.values(), slices)
    for sides, checks in groupby(sorted(verdict.failures, key=_slice_of), key=_sides):
        failed = message.metric_validations_per_slice.add()
        write_slice(failed, sides, types)
        for check in checks:
            _write_failure(failed.failures.add(), check)
    return message


def _slice_of(check: Check) -> Any:
    return check.slice, check.slice_key, check.other_slice_key or ()


def _sides(check: Check) -> Sides:
    """What is missing has no slice; it is said of Overall."""
    return ((), None) if check.kind == MISSING else (check.slice_key, check.other_slice_key)


def _add_missing(message: Any, spec: Spec) -> None:
    if isinstance(spec, CrossSlicingSpec):
        message.missing_cross_slices.append(_cross_message(spec))
    else:
        message.missing_slices.append(_spec_message(spec))


def _spec_message(spec: SlicingSpec) -> Any:
    plain = spec.in_fields_of_tfma()
    message = messages().SlicingSpec(feature_keys=plain.feature_keys)
    for feature, value in plain.feature_values.items():
        message.feature_values.add(key=feature, value=value)
    return message


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
    write_key(message.metric_key, check.key)
    if check.is_change:
        message.metric_key.is_diff = True
    _write_threshold(message.metric_threshold, check)
    if check.kind != MISSING:
        value = check.value - check.baseline if check.is_change else check.value
        message.metric_value.double_value.value = value
    message.message = check.reason


def _write_threshold(message: Any, check: Check) -> None:
    if not check.is_change:
        message.value_threshold.SetInParent()
        if math.isfinite(check.bound):
            getattr(message.value_threshold, f"{check.side}_bound").value = check.bound
        return
    change = message.change_threshold
    field = change.absolute if check.kind == CHANGE_ABSOLUTE else change.relative
    field.value = check.bound
    higher = check.side == LOWER
    change.direction = (
        MetricDirection.HIGHER_IS_BETTER if higher else MetricDirection.LOWER_IS_BETTER
    )


def read_verdict(message: Any, config: EvalConfig, lookup: Lookup) -> Verdict:
    """The verdict of a ValidationResult; None is one that was not written."""
    if message is None:
        return Verdict(NOT_EVALUATED)
    if message.HasField("verdict"):
        return Verdict.from_dict(json.loads(message.verdict))
    if message.missing_thresholds:
        return Verdict(NOT_EVALUATED)
    rows = [*_failed(message, config, lookup), *_missing(message)]
    if message.validation_ok:
        rows = list(_passed(message))
    status = BLESSED if message.validation_ok else NOT_BLESSED
    table = pa.Table.from_batches(rows, CHECKS_SCHEMA)
    return Verdict(status, table, message.rubber_stamp and config.baseline_spec is None)


def _failed(message: Any, config: EvalConfig, lookup: Lookup) -> Iterator[pa.RecordBatch]:
    several = len(config.candidate_specs) > 1
    for part in message.metric_validations_per_slice:
        sides = read_slice(part)
        for failure in part.failures:
            key = read_key(failure.metric_key, failure.metric_key.name, sides[1] is not None)
            values = lookup(sides, key if key.kind != CHANGE else key.as_kind(_kind(sides)))
            yield from _checks(failure, values, several)


def _kind(sides: Sides) -> str:
    return VALUE if sides[1] is None else SLICE_DIFFERENCE


def _checks(failure: Any, values: Values, several: bool) -> Iterator[pa.RecordBatch]:
    """Our rows of a failure of TFMA's, in its words where our rules find nothing wrong."""
    failed = []
    if failure.HasField("metric_value"):
        rules = _rules(failure.metric_threshold)
        judged = [(rule, rule.judge(values)) for rule in rules]
        failed = [(rule, each) for rule, each in judged if each.outcome[0] == FAIL]
    for rule, each in failed:
        yield rows_of(values, rule, each, [None])
    if not failed:
        name, slice_ = values.key, values.slices.names[0]
        says = failure.message.rstrip(".") or "a threshold does not hold"
        reason = f"{name.metric}{qualifier(name, several)} of {slice_}: TFMA says: {says}."
        yield absent_row(name, slice_, MISSING, FAIL, reason)


def _rules(message: Any) -> list[Rule]:
    """The rules of a threshold; none where TFMA took one that is no threshold to us."""
    fields: dict[str, Any] = {}
    for field in ("value_threshold", "change_threshold"):
        if message.HasField(field):
            fields[field] = {
                descriptor.name: getattr(bound, "value", bound)
                for descriptor, bound in getattr(message, field).ListFields()
            }
    try:
        return list(rules_of(MetricThreshold(**fields)))
    except ConfigError:
        return []


def _missing(message: Any) -> Iterator[pa.RecordBatch]:
    specs: list[Spec] = [
        *map(_spec, message.missing_slices),
        *map(_cross, message.missing_cross_slices),
    ]
    for spec in specs:
        name = spec_name(spec)
        yield _of_spec(name, FAIL, f"TFMA found nothing to check in {name}.")


def _passed(message: Any) -> Iterator[pa.RecordBatch]:
    for detail in message.validation_details.slicing_details:
        name = spec_name(_either(detail))
        count = detail.num_matching_slices
        yield _of_spec(name, PASS, f"TFMA made {count:,} checks for {name}, and none failed.")


def _either(detail: Any) -> Spec:
    if detail.HasField("cross_slicing_spec"):
        return _cross(detail.cross_slicing_spec)
    return _spec(detail.slicing_spec)


def _of_spec(name: str, outcome: str, reason: str) -> pa.RecordBatch:
    check = MISSING if outcome == FAIL else VALUE_LOWER
    return absent_row(Key(""), name, check, outcome, reason)


def _spec(message: Any) -> SlicingSpec:
    values = {pair.key: pair.value for pair in message.feature_values}
    return SlicingSpec(feature_keys=tuple(message.feature_keys), feature_values=values)


def _cross(message: Any) -> CrossSlicingSpec:
    others = tuple(map(_spec, message.slicing_specs))
    return CrossSlicingSpec(baseline_spec=_spec(message.baseline_spec), slicing_specs=others)
