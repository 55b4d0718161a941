# SPDX-License-Identifier: Apache-2.0
"""Prints checks: as a table, one by one with their formulas and numbers, and what changed of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.table import Table

from benison.config.fields import POINT
from benison.results.query import Rows
from benison.results.result import EvalResult, metric_info
from benison.table.check_words import of_probe_or_slice
from benison.table.words import cut_apart
from benison.terminal import console, plain
from benison.validation.checks import Check
from benison.validation.terms import (
    FAIL,
    LOWER,
    PASS,
    ROUNDING,
    UNDECIDED,
)

_COLOURS = {PASS: "green", FAIL: "red", UNDECIDED: "yellow"}


def _outcome(outcome: str | None) -> str:
    if outcome is None:
        return "not there"
    return f"[{_COLOURS.get(outcome, 'yellow')}]{outcome.replace('_', ' ')}[/]"


def print_checks(result: EvalResult, checks: Sequence[Check]) -> None:
    """Print checks as a table."""
    out = console()
    out.print(plain(result.verdict.summary()))
    if not checks:
        out.print("No check is of that kind.")
        return
    table = Table("outcome", "slice", "metric", "must hold", "is", "examples")
    called = cut_apart(check.slice for check in checks)
    for check in checks:
        value = check.change if check.is_change else check.value
        names = (plain(called[check.slice]), plain(check.name), plain(check.formula))
        table.add_row(_outcome(check.outcome), *names, _number(value), f"{check.examples:,}")
    out.print(table)


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.6g}"


def explain(result: EvalResult, slice_: str, checks: Sequence[Check]) -> None:
    """Print each check of a slice: what the metric is, what must hold, and the numbers put in."""
    out = console()
    if not checks:
        out.print(f"No threshold looks at {plain(slice_)}; these are its values.")
    abouts = metric_info([result])
    for check in checks:
        out.print(
            f"[bold]{plain(check.name)} of {plain(check.slice)}[/]: {_outcome(check.outcome)}"
        )
        about = abouts.get(check.metric)
        lines = [("metric", about.sentence if about else of_probe_or_slice(check.metric))]
        lines += [("formula", about.formula)] if about else []
        for word, text in [*lines, *_numbers(check), ("", check.reason)]:
            if text:
                out.print(f"  {word:<10}{plain(text, 1_000)}", soft_wrap=True)
        out.print()


def _numbers(check: Check) -> Iterator[tuple[str, str]]:
    """What must hold, the numbers put in, and what they rest on."""
    yield "must hold", check.formula
    if math.isfinite(check.bound) and (check.is_change or not math.isnan(check.value)):
        yield "numbers", _put_in(check)
    level = 95 if math.isnan(check.level) else 100 * check.level
    if not math.isnan(check.lower):
        yield "interval", f"{check.lower:.6g} to {check.upper:.6g} ({level:.4g} %)"
    if check.p_value == check.p_value:  # not NaN
        yield "p-value", f"{check.p_value:.3g}, adjusted {check.p_adjusted:.3g} ({check.evidence})"
    if check.evaluated is None and not check.examples:  # as of a gain on rows that are not counted
        return
    evaluated = check.examples if check.evaluated is None else check.evaluated
    yield "rests on", f"{evaluated:,} of {check.examples:,} examples"


def _put_in(check: Check) -> str:
    """The formula with the numbers in place of its words."""
    sign = ">=" if check.side == LOWER else "<="
    left, number = _number(check.value), check.value
    if check.is_change:
        number, baseline = check.change, _number(check.baseline)
        left = f"{left} - {baseline}"
        left = f"({left}) / |{baseline}|" if "relative" in check.kind else left
        left = left if math.isnan(number) else f"{left} = {number:.6g}"
    held = "is undefined" if math.isnan(number) else _held(check, number)
    return f"{left} {sign} {check.bound:.15g} {held}"


def _held(check: Check, number: float) -> str:
    """Whether a number is within its bound, and if the outcome does not follow from that, why."""
    beyond = check.bound - number if check.side == LOWER else number - check.bound
    holds = beyond <= ROUNDING * _scale(check)
    if check.evidence == POINT and check.outcome in (PASS, FAIL):
        holds = check.outcome == PASS
    word = "holds" if holds else "does not hold"
    if check.outcome == (PASS if holds else FAIL):
        return word
    is_judged = check.outcome in (PASS, FAIL, UNDECIDED)
    return f"{word}, but {'that is not shown' if is_judged else 'it is not judged'}"


def _scale(check: Check) -> float:
    """The size of the numbers whose rounding a comparison lets pass."""
    if not check.is_change:
        return abs(check.bound)
    size = max(abs(check.value), abs(check.baseline))
    return size / abs(check.baseline) if "relative" in check.kind else size


def print_changed(rows: Rows, most: int) -> None:
    """Print the checks whose outcome changed."""
    out = console()
    for row in rows[:most]:
        was_is = f"{_outcome(row['was'])} -> {_outcome(row['is'])}"
        out.print(f"{was_is}: {plain(row['reason'], 1_000)}", soft_wrap=True)
    if len(rows) > most:
        out.print(f"... and {len(rows) - most:,} more checks changed, in --json.")
    if not rows:
        out.print("Each check has the outcome that it had.")
