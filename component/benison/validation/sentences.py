# SPDX-License-Identifier: Apache-2.0
"""The sentence of a check: what was measured, what was asked, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from benison.table.words import counted, metric_text
from benison.validation.terms import (
    CHANGE_RELATIVE,
    FAIL,
    LOWER,
    NOT_EVALUATED,
    PASS,
    ROUNDING,
    RUBBER_STAMPED,
    UNDECIDED,
)

if TYPE_CHECKING:
    from benison.validation.checks import Check


def checks_text(counts: Mapping[str, int]) -> str:
    """What came of all checks, from their number by outcome: first how many failed, else how many passed.

    >>> checks_text({"pass": 27, "not_evaluated": 2}), checks_text({"pass": 29})
    ('27 of 29 checks passed; 2 could not be evaluated', 'all 29 checks passed')
    >>> checks_text({"pass": 25, "fail": 1, "undecided": 1, "not_evaluated": 2})
    '1 of 29 checks failed; 1 is undecided, 2 could not be evaluated'
    """
    total = sum(counts.values())
    if not total:
        return "the config has no thresholds"
    undecided = counts.get(UNDECIDED, 0)
    unjudged = counts.get(NOT_EVALUATED, 0) + counts.get(RUBBER_STAMPED, 0)
    others = [f"{undecided:,} {'is' if undecided == 1 else 'are'} undecided"] if undecided else []
    others += [f"{unjudged:,} could not be evaluated"] if unjudged else []
    failed = counts.get(FAIL, 0)
    count, end = (failed, "failed") if failed else (counts.get(PASS, 0), "passed")
    return "; ".join(filter(None, (f"{_share(count, total)} {end}", ", ".join(others))))


def _share(count: int, total: int) -> str:
    if count == total:
        return "the check" if total == 1 else f"all {total:,} checks"
    return f"{f'{count:,}' if count else 'none'} of {counted(total, 'check')}"


def formula(check: Check) -> str:
    """What must hold, exactly, such as `auc >= 0.7`."""
    if not math.isfinite(check.bound):
        return f"{_metric(check)} is defined"
    sign = ">=" if check.side == LOWER else "<="
    if not check.is_change:
        return f"{_metric(check)} {sign} {exact(check.bound)}"
    change = "candidate - baseline"
    if check.kind == CHANGE_RELATIVE:
        change = "(candidate - baseline) / |baseline|"
    return f"{change} {sign} {exact(check.bound)}"


def sentence(check: Check) -> str:
    """What came of a check and why."""
    if check.outcome == RUBBER_STAMPED:
        return (
            f"{check.name} of {check.slice}: there is no baseline, so its {_kind(check)} is not judged "
            "(rubber-stamped)."
        )
    return _change(check) if check.is_change else _value(check)


def _value(check: Check) -> str:
    name = f"{check.name} of {check.slice}"
    if math.isnan(check.value):
        return f"{undefined(check)}, so it cannot be within its bounds."
    text = f"{name} is {shown(check.value, check.bound)} ({_sureness(check)})"
    if check.outcome == FAIL:
        beyond = "below the lower" if check.side == LOWER else "above the upper"
        return f"{text}, {beyond} bound {exact(check.bound)}."
    if check.outcome == PASS:
        return f"{text}, within {formula(check)}."
    return f"{text}, which is not judged by {formula(check)}."


def _change(check: Check) -> str:
    name = f"{check.name} of {check.slice}"
    if math.isnan(check.change):
        return _undefined_change(check)
    text = f"{name} {_moved(check)}; {allowed(check)}"
    return f"{text}." if check.outcome in (PASS, FAIL) else f"{text}: not judged."


def _metric(check: Check) -> str:
    return metric_text(check.key.metric, check.key.kind)


def _kind(check: Check) -> str:
    return "relative change" if check.kind == CHANGE_RELATIVE else "absolute change"


def rests_on(check: Check) -> str:
    """The rows behind the value, and of how many: `1,203 examples`, `5 of 9 examples`."""
    if check.evaluated is None or check.evaluated == check.examples:
        return counted(check.examples, "example")
    return f"{check.evaluated:,} of {counted(check.examples, 'example')}"


def _sureness(check: Check) -> str:
    """How sure it is: the 95 % interval of what is judged, if there is one, and the examples."""
    examples = rests_on(check)
    if math.isnan(check.lower) or check.kind == CHANGE_RELATIVE:
        return examples
    of = " of the change" if check.is_change else ""
    return f"95 % interval{of} {check.lower:.4g} to {check.upper:.4g}, {examples}"


def allowed(check: Check) -> str:
    """What a bound on the change asks for, such as `a fall of at most 0.01 is allowed`."""
    higher = check.side == LOWER
    better, worse = ("rise", "fall") if higher else ("fall", "rise")
    if not check.bound:
        return f"no {worse} is allowed"
    size = _amount(check, exact, abs(check.bound))
    if (check.bound > 0) == higher:
        return f"a {better} of at least {size} is required"
    return f"a {worse} of at most {size} is allowed"


def _moved(check: Check) -> str:
    """How the value changed, with as many digits as it takes to tell it from the bound."""
    moved, change = "did not change", _settled(check)
    if change:
        limit = _scaled(check, abs(check.bound))
        size = _amount(check, lambda number: shown(number, limit), abs(change))
        of = "of the baseline" if check.kind == CHANGE_RELATIVE else "against the baseline"
        moved = f"{'rose' if change > 0 else 'fell'} by {size} {of}"
    before, after = f"{check.baseline:.6g}", f"{check.value:.6g}"
    if change and before == after:
        before, after = repr(check.baseline), repr(check.value)
    return f"{moved} ({before} -> {after}, {_sureness(check)})"


def _settled(check: Check) -> float:
    """The bound, where a change passed because rounding alone keeps it from there; else the change."""
    if check.outcome != PASS or check.value.is_integer() and check.baseline.is_integer():
        return check.change
    scale = max(abs(check.value), abs(check.baseline))
    if check.kind == CHANGE_RELATIVE:
        scale /= abs(check.baseline)
    return check.bound if abs(check.change - check.bound) <= ROUNDING * scale else check.change


def _scaled(check: Check, number: float) -> float:
    return 100 * number if check.kind == CHANGE_RELATIVE else number


def _amount(check: Check, text: Callable[[float], str], number: float) -> str:
    return f"{text(_scaled(check, number))}{'%' if check.kind == CHANGE_RELATIVE else ''}"


def undefined(check: Check) -> str:
    """Why a value is undefined, as the beginning of a sentence."""
    name = f"{check.name} of {check.slice}"
    if not check.examples:
        return f"{name} is undefined because the slice has no examples"
    if check.evaluated == 0:
        examples = counted(check.examples, "example")
        return f"{name} is undefined because none of its {examples} has what it is made of"
    return f"{name} is undefined ({_sureness(check)})"


def _undefined_change(check: Check) -> str:
    name, kind = f"{check.name} of {check.slice}", _kind(check)
    if math.isnan(check.value):
        return f"{undefined(check)}, so its {kind} is undefined too."
    if math.isnan(check.baseline):
        return (
            f"{name} is {check.value:.6g}, but the baseline's is undefined, so its {kind} is too."
        )
    if check.baseline == 0:
        cure = "an absolute bound can judge it"
        return f"{name} is {check.value:.6g}: its {kind} is undefined because the baseline's is 0; {cure}."
    return f"{name} went from {check.baseline:.6g} to {check.value:.6g}: its {kind} is undefined."


def exact(number: float) -> str:
    """A number of the config as it was written.

    >>> exact(0.75), exact(100 * 0.07)
    ('0.75', '7')
    """
    return f"{number:.15g}"


def shown(number: float, bound: float) -> str:
    """A number in six digits, or in all where six would put it on the wrong side of a bound.

    What is at the bound but for rounding is shown as the bound.

    >>> shown(0.7123456789, 0.75), shown(0.7499999999, 0.75), shown(0.050000000000000044, 0.05)
    ('0.712346', '0.7499999999', '0.05')
    """
    text = f"{number:.6g}"
    rounded = float(text)
    same_side = (rounded < bound) == (number < bound) and (rounded > bound) == (number > bound)
    if rounded == number or same_side or math.isclose(number, bound, rel_tol=1e-12):
        return text
    return repr(number)
