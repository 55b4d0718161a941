# SPDX-License-Identifier: Apache-2.0
"""The rules: one threshold on one row becomes an outcome and a sentence that says why.

Bounds are inclusive, and a number that only rounding keeps from its bound is at it: 0.85 - 0.9 is
-0.050000000000000044, but has fallen by 0.05.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benison.config import (
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricDirection,
    MetricThreshold,
)
from benison.validation.rows import Row
from benison.validation.verdict import ABSOLUTE, FAIL, NOT_EVALUATED, PASS, RELATIVE, VALUE

_ROUNDING = 1e-9  # times the scale of a number: so far may rounding have moved it


class Judgement(NamedTuple):
    """What a rule says of a row."""

    outcome: str
    reason: str
    change: float = math.nan


@dataclasses.dataclass(frozen=True)
class Rule:
    """One bound, or a pair of them; `judge` takes a row and the name of its metric and slice."""

    kind: str
    formula: str
    lower: float
    upper: float
    judge: Callable[[Row, str], Judgement]


def rules_of(threshold: MetricThreshold, metric: str, has_baseline: bool) -> Iterator[Rule]:
    """The rules of a threshold, all of which must hold."""
    if threshold.value_threshold is not None:
        yield _value_rule(threshold.value_threshold, metric)
    bounds = threshold.change_threshold
    if bounds is not None:
        for kind, bound in ((ABSOLUTE, bounds.absolute), (RELATIVE, bounds.relative)):
            if bound is not None:
                yield _change_rule(kind, bound, bounds, has_baseline)


def _value_rule(bounds: GenericValueThreshold, metric: str) -> Rule:
    lower = math.nan if bounds.lower_bound is None else bounds.lower_bound
    upper = math.nan if bounds.upper_bound is None else bounds.upper_bound
    formula = metric if math.isnan(lower) else f"{exact(lower)} <= {metric}"
    formula += "" if math.isnan(upper) else f" <= {exact(upper)}"
    if formula == metric:
        formula = f"{metric} is defined"
    least = -math.inf if math.isnan(lower) else lower
    most = math.inf if math.isnan(upper) else upper

    def judge(row: Row, name: str) -> Judgement:
        if math.isnan(row.value):
            return Judgement(FAIL, f"{_undefined(row, name)}, so it cannot be within its bounds.")
        if settled(row.value, least, abs(least)) < least:
            said = f"is {shown(row.value, least)} ({_sureness(row, VALUE)})"
            return Judgement(FAIL, f"{name} {said}, below the lower bound {exact(least)}.")
        if settled(row.value, most, abs(most)) > most:
            said = f"is {shown(row.value, most)} ({_sureness(row, VALUE)})"
            return Judgement(FAIL, f"{name} {said}, above the upper bound {exact(most)}.")
        said = f"is {row.value:.6g} ({_sureness(row, VALUE)})"
        return Judgement(PASS, f"{name} {said}, within {formula}.")

    return Rule(VALUE, formula, lower, upper, judge)


def _sureness(row: Row, kind: str) -> str:
    """How sure it is: the 95 % interval of what is judged, if there is one, and the examples."""
    examples = f"{row.examples:,} example{'s' * (row.examples != 1)}"
    lower, upper = row.interval(kind)
    if math.isnan(lower):
        return examples
    of = "" if kind == VALUE else " of the change"
    return f"95 % interval{of} {lower:.4g} to {upper:.4g}, {examples}"


def _change_rule(
    kind: str, bound: float, bounds: GenericChangeThreshold, has_baseline: bool
) -> Rule:
    higher = bounds.direction is MetricDirection.HIGHER_IS_BETTER
    divided = "(candidate - baseline) / |baseline|" if kind == RELATIVE else "candidate - baseline"
    formula = f"{divided} {'>=' if higher else '<='} {exact(bound)}"
    allowed = _allowed(kind, bound, higher)

    def judge(row: Row, name: str) -> Judgement:
        if not has_baseline:
            text = f"{name}: there is no baseline, so its {kind} is not judged (rubber-stamped)."
            return Judgement(NOT_EVALUATED, text)
        change = row.value - row.baseline
        if kind == RELATIVE:
            change = change / abs(row.baseline) if row.baseline else math.nan
        if math.isnan(change):
            return Judgement(FAIL, _undefined_change(row, name, kind), math.nan)
        judged = _settled_change(row, kind, change, bound)
        good = judged >= bound if higher else judged <= bound
        moved = f"{name} {_moved(row, kind, judged, bound)}"
        return Judgement(PASS if good else FAIL, f"{moved}; {allowed}.", change)

    limits = (bound, math.nan) if higher else (math.nan, bound)
    return Rule(kind, formula, *limits, judge)


def settled(number: float, bound: float, scale: float) -> float:
    """The bound, where rounding alone can have kept the number from it; else the number.

    Whole numbers are counts, which no rounding moves.

    >>> settled(0.1 + 0.2, 0.3, 0.3), settled(0.3001, 0.3, 0.3), settled(5e9 + 1, 5e9, 5e9)
    (0.3, 0.3001, 5000000001.0)
    """
    counts = float(number).is_integer() and float(bound).is_integer()
    near = not counts and abs(number - bound) <= _ROUNDING * scale < math.inf
    return bound if near else number


def _settled_change(row: Row, kind: str, change: float, bound: float) -> float:
    if row.value.is_integer() and row.baseline.is_integer():
        return change
    scale = max(abs(row.value), abs(row.baseline))
    return settled(change, bound, scale / abs(row.baseline) if kind == RELATIVE else scale)


def _allowed(kind: str, bound: float, higher: bool) -> str:
    """What a bound on the change asks for.

    >>> _allowed(ABSOLUTE, -0.01, higher=True)
    'a fall of at most 0.01 is allowed'
    >>> _allowed(RELATIVE, -0.05, higher=False)
    'a fall of at least 5% is required'
    >>> _allowed(ABSOLUTE, 0.0, higher=False)
    'no rise is allowed'
    """
    better, worse = ("rise", "fall") if higher else ("fall", "rise")
    if not bound:
        return f"no {worse} is allowed"
    size = _amount(kind, exact, abs(bound))
    if (bound > 0) == higher:
        return f"a {better} of at least {size} is required"
    return f"a {worse} of at most {size} is allowed"


def _moved(row: Row, kind: str, change: float, bound: float) -> str:
    """How the value changed, with as many digits as it takes to tell it from the bound."""
    moved = "did not change"
    if change:
        size = _amount(kind, lambda number: shown(number, _scaled(kind, abs(bound))), abs(change))
        moved = f"{'rose' if change > 0 else 'fell'} by {size} {_OF[kind]}"
    before, after = f"{row.baseline:.6g}", f"{row.value:.6g}"
    if change and before == after:
        before, after = repr(row.baseline), repr(row.value)
    return f"{moved} ({before} -> {after}, {_sureness(row, kind)})"


_OF = {ABSOLUTE: "against the baseline", RELATIVE: "of the baseline"}


def _scaled(kind: str, number: float) -> float:
    return 100 * number if kind == RELATIVE else number


def _amount(kind: str, text: Callable[[float], str], number: float) -> str:
    return f"{text(_scaled(kind, number))}{'%' if kind == RELATIVE else ''}"


def _undefined(row: Row, name: str) -> str:
    if not row.is_number:
        return f"{name} is not a single number, which a threshold needs"
    if not row.examples:
        return f"{name} is undefined because the slice has no examples"
    return f"{name} is undefined ({_sureness(row, VALUE)})"


def _undefined_change(row: Row, name: str, kind: str) -> str:
    if math.isnan(row.value):
        return f"{_undefined(row, name)}, so its {kind} is undefined too."
    if math.isnan(row.baseline):
        return f"{name} is {row.value:.6g}, but the baseline's is undefined, so its {kind} is too."
    if row.baseline == 0:
        cure = "an absolute bound can judge it"
        return f"{name} is {row.value:.6g}: its {kind} is undefined because the baseline's is 0; {cure}."
    return f"{name} went from {row.baseline:.6g} to {row.value:.6g}: its {kind} is undefined."


def exact(number: float) -> str:
    """A number of the config as it was written.

    >>> exact(0.75), exact(100 * 0.07)
    ('0.75', '7')
    """
    return f"{number:.15g}"


def shown(number: float, bound: float) -> str:
    """A number in six digits, or in all where six would put it on the wrong side of a bound.

    >>> shown(0.7123456789, 0.75), shown(0.7499999999, 0.75)
    ('0.712346', '0.7499999999')
    """
    text = f"{number:.6g}"
    rounded = float(text)
    if (
        rounded == number
        or (rounded < bound) == (number < bound)
        and (rounded > bound) == (number > bound)
    ):
        return text
    return repr(number)
