# SPDX-License-Identifier: Apache-2.0
"""Queries the checks of a result: those of a slice or an outcome, and those that changed between runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import pyarrow.compute as pc

from benison.errors import ConfigError
from benison.metrics.confusion import ALIASES
from benison.metrics.groups import members
from benison.results.result import EvalResult
from benison.results.row_filters import filter_rows
from benison.table.slices import name_in_any_order
from benison.validation.checks import Check
from benison.validation.terms import FAIL, OUTCOMES, PASS

Rows: TypeAlias = "list[dict[str, Any]]"

CHECK_COLUMNS = (
    "outcome", "model", "output", "sub_key", "aggregation", "weighted", "slice", "metric", "check", "formula",
    "bound", "value", "lower", "upper", "baseline", "change", "examples", "evaluated", "reason",
)  # fmt: skip
"""The columns of checks as a flat table."""


def slice_named(result: EvalResult, text: str) -> str:
    """The name of a slice of values, checks or weak slices, given with its features in any order.

    What names none stays as it is.
    """
    tables = (result.metrics, result.verdict.table, result.weak_slices)
    names = (name_in_any_order(table, text) for table in tables)
    return next((name for name in names if name is not None), text)


def metrics_named(result: EvalResult, given: Sequence[str] | None) -> list[str]:
    """The names in a result of metrics that are given by name or by class; what is neither stays as it is."""
    known, classes = result.metric_names(), _names_of_classes(result) if given else {}
    return [
        name
        for text in given or ()
        for name in ([text] if text in known else _of_class(classes, text))
    ]


def _of_class(classes: Mapping[str, list[str]], text: str) -> list[str]:
    """The names of a class, else of what is the same by a short name, as NPV is; else the text."""
    same = [
        name
        for asked, names in classes.items()
        if ALIASES.get(asked, asked) == ALIASES.get(text, text)
        for name in names
    ]
    return classes.get(text, same or [text])


def _names_of_classes(result: EvalResult) -> dict[str, list[str]]:
    """The names of the metrics that each class of the config has made."""
    names: dict[str, dict[str, None]] = {}
    for given in (each for spec in result.config.metrics_specs for each in spec.metrics):
        with suppress(ConfigError):  # of a class that is not registered here
            for class_name, metric in members(given.class_name, dict(given.config)):
                for asked in (given.class_name, class_name):
                    names.setdefault(asked, {})[metric.name] = None
    return {asked: list(of_class) for asked, of_class in names.items()}


def check_row(check: Check) -> list[Any]:
    """A check as a row of `CHECK_COLUMNS`; an undefined number is empty."""
    fields = check.to_dict()
    return [fields[column] for column in CHECK_COLUMNS]


def checks_of(
    result: EvalResult,
    slice_: str | None,
    metrics: Sequence[str],
    outcomes: Sequence[str] = OUTCOMES,
) -> list[Check]:
    """The checks of a slice, of some metrics, and with some outcomes, the worst outcomes first.

    Raises:
        DataError: The results have no such slice or metric.
    """
    if slice_ is not None:
        _require(result, "slice", slice_)
    for name in metrics:
        _require(result, "metric", name)
    checks = result.verdict.of_outcome(*(o for o in OUTCOMES if o in outcomes))
    return _wanted(checks, slice_, metrics)


def _require(result: EvalResult, column: str, value: str) -> None:
    """Raise DataError where neither a check nor a value has it: some slices only checks have."""
    if not pc.any(pc.equal(result.verdict.table[column], value)).as_py():
        filter_rows(result.metrics, **{column: value})


def _wanted(checks: Sequence[Check], slice_: str | None, metrics: Sequence[str]) -> list[Check]:
    """The checks of a slice and of some metrics, where these are given."""
    wanted = (check for check in checks if slice_ is None or check.slice == slice_)
    return [check for check in wanted if not metrics or check.metric in metrics]


def changed_checks(
    before: EvalResult, after: EvalResult, slice_: str | None = None, metrics: Sequence[str] = ()
) -> Rows:
    """The checks that have another outcome than before, of a slice and some metrics where these are given.

    Those that fail now come first. Of a check that only `before` has, `is` is None; of one that only `after`
    has, `was` is None, and it is left out where it passes.
    """
    several = any(len(run.config.candidate_specs) > 1 for run in (before, after))
    had = _by_identity(_wanted(before.verdict.checks, slice_, metrics), several)
    has = _by_identity(_wanted(after.verdict.checks, slice_, metrics), several)
    rows = [_change(had.get(identity), check) for identity, check in has.items()]
    rows = [
        row for row in rows if row["was"] != row["is"] and (row["was"], row["is"]) != (None, PASS)
    ]
    rows += [_change(check, None) for identity, check in had.items() if identity not in has]
    return sorted(rows, key=lambda row: row["is"] != FAIL)


def _change(before: Check | None, after: Check | None) -> dict[str, Any]:
    """What a check was and is; at least the first or the second is there."""
    check = after or before
    assert check is not None
    return {
        "slice": check.slice,
        "metric": check.name,
        "check": check.check,
        "was": None if before is None else before.outcome,
        "is": None if after is None else after.outcome,
        "reason": check.reason,
    }


def _by_identity(checks: Sequence[Check], several_models: bool) -> dict[tuple[Any, ...], Check]:
    """Checks by what they are of, whatever their bounds are, and a single model is called.

    Several of one identity, which differ in their bounds, are told apart by their order.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    by_identity = {}
    for check in checks:
        key = check.key if several_models else check.key.of_model("")
        identity = (key, check.slice_key, check.other_slice_key, check.check, check.side)
        by_identity[(*identity, seen[identity])] = check
        seen[identity] += 1
    return by_identity
