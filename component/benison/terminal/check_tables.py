# SPDX-License-Identifier: Apache-2.0
"""Prints checks: as a table, one by one with their formulas and numbers, and what changed of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.table import Table

from benison.results.query import Rows
from benison.results.result import EvalResult, metric_info
from benison.terminal import console, plain
from benison.validation.checks import Check
from benison.validation.terms import FAIL, LOWER, PASS, UNDECIDED

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
    table = Table("outcome", "slice", "must hold", "is", "examples")
    for check in checks:
        value = check.change if check.is_change else check.value
        cells = (plain(check.slice), plain(check.formula), _number(value), f"{check.examples:,}")
        table.add_row(_outcome(check.outcome), *cells)
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
        lines = [("metric", about.sentence), ("formula", about.formula)] if about else []
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
    evaluated = check.examples if check.evaluated is None else check.evaluated
    yield "rests on", f"{evaluated:,} of {check.examples:,} examples"


def _put_in(check: Check) -> str:
    """The formula with the numbers in place of its words."""
    sign = ">=" if check.side == LOWER else "<="
    holds = {PASS: "holds", FAIL: "does not hold"}.get(check.outcome, "is not decided")
    left = f"{check.value:.6g}"
    if check.is_change:
        left = f"{check.value:.6g} - {check.baseline:.6g}"
        left = f"({left}) / |{check.baseline:.6g}|" if "relative" in check.kind else left
        left = f"{left} = {check.change:.6g}"
    return f"{left} {sign} {check.bound:.15g} {holds}"


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
