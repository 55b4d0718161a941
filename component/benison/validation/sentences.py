# SPDX-License-Identifier: Apache-2.0
"""What came of a check, as a sentence: what was measured, what was asked, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable

from benison.config.fields import NOT_WORSE, POINT
from benison.evidence.power import rows_text
from benison.table.words import counted, metric_text
from benison.validation.check_facts import CheckFacts
from benison.validation.terms import (
    CHANGE_ABSOLUTE,
    CHANGE_RELATIVE,
    FAIL,
    LOWER,
    PASS,
    REVOKED,
    ROUNDING,
    RUBBER_STAMPED,
    SHOWN_NOT_WORSE,
    UNDECIDED,
)

_FAR = 0.1  # of what is within a standard error of its bound both p-values are above 0.15
_SMALLEST_DIGIT = -300  # of smaller numbers the last of three digits may be no float


def formula(check: CheckFacts) -> str:
    """What must hold, exactly, such as `auc >= 0.7`."""
    if check.kind == REVOKED:
        return "the model is not revoked"
    if not math.isfinite(check.bound):
        return f"{_metric(check)} is defined"
    sign = ">=" if check.side == LOWER else "<="
    if not check.is_change:
        return f"{_metric(check)} {sign} {_exact(check.bound)}"
    change = "candidate - baseline"
    if check.kind == CHANGE_RELATIVE:
        change = "(candidate - baseline) / |baseline|"
    return f"{change} {sign} {_exact(check.bound)}"


def sentence(check: CheckFacts) -> str:
    """What came of a check and why."""
    if check.outcome == RUBBER_STAMPED:
        return (
            f"{check.name} of {check.slice}: there is no baseline, so its {_kind(check)} is not judged "
            "(rubber-stamped)."
        )
    if check.evidence != POINT and check.zone:
        return _shown(check)
    return _change(check) if check.is_change else _value(check)


def _shown(check: CheckFacts) -> str:
    """What the sample shows of a bound."""
    name = f"{check.name} of {check.slice}"
    if check.is_change:
        text = name if math.isnan(check.change) else f"{name} {_moved(check)}"
    else:
        text = f"{name} is {shown(check.value, check.bound)} ({_sureness(check)})"
    if check.zone == UNDECIDED:
        return f"{text}: undecided; {_cannot_tell(check)}.{_cure(check)}"
    if check.zone == SHOWN_NOT_WORSE:
        return f"{text}: {_good(check)}{_odds(check) if check.evidence == NOT_WORSE else ''}."
    # The p of not_worse is of the other hypothesis, that it is within the bound.
    odds = "" if check.evidence == NOT_WORSE else _odds(check)
    return f"{text}: {_bad(check)}{odds}.{_cure(check)}"


def _bad(check: CheckFacts) -> str:
    if check.is_change:
        return f"shown worse, and {_allowed(check)}"
    return f"shown to be {_beyond(check)}"


def _good(check: CheckFacts) -> str:
    if check.is_change:
        return f"shown not worse, where {_allowed(check)}"
    return f"shown to be within {formula(check)}"


def _beyond(check: CheckFacts) -> str:
    """Where a value is that does not hold its bound."""
    beyond = "below the lower" if check.side == LOWER else "above the upper"
    return f"{beyond} bound {_exact(check.bound)}"


def _odds(check: CheckFacts) -> str:
    """How seldom that would be shown by chance."""
    if math.isnan(check.p_value):
        return ""
    text = f", p = {check.p_value:.2g}"
    if (check.family_size or 0) < 2:  # noqa: PLR2004 - of one check there is nothing to correct
        return text
    return f"{text}, {check.p_adjusted:.2g} over {check.family_size:,} checks"


def _cannot_tell(check: CheckFacts) -> str:
    """What the rows cannot tell, and how many could."""
    rows = _rests_on(check)
    if not check.is_change:
        what = f"it is {_beyond(check)}"
    elif not check.bound:
        what = f"it {'fell' if check.side == LOWER else 'rose'}"
    else:
        size = _amount(check, _exact, abs(check.bound))
        is_allowance = (check.bound < 0) == (check.side == LOWER)
        verb = "fell" if is_allowance == (check.side == LOWER) else "rose"
        what = f"it {verb} by {'more' if is_allowance else 'less'} than {size}"
    if math.isnan(check.detectable) and check.needed_examples is None:
        return (
            f"{rows} do not tell how far it may be from the true one, as where none differ or of a class, "
            f"clusters or row keys too few are there, and so not whether {what}"
        )
    if check.p_asked < check.p_value <= 1 - _level(check):
        return _corrected(check, what)
    if check.needed_examples is not None:
        return f"{rows} cannot tell whether {what}, {rows_text(check.needed_examples)} could"
    near = ", and it is so near the bound that more may not either" if _is_near(check) else ""
    return f"{rows} cannot tell whether {what}{near}"


def _corrected(check: CheckFacts, what: str) -> str:
    """What the rows would tell of one check alone, and what is asked for over all."""
    checks = check.family_size or 1
    over = f"over all {checks:,} checks the correction asks for"
    if checks == 1:
        over = "the candidates or gates that share its false alarms leave it"
    more = "" if check.needed_examples is None else f"; {rows_text(check.needed_examples)} could"
    alone = f"show that {what} where it is looked at alone, p = {check.p_value:.2g}"
    return f"{_rests_on(check)} {alone}, but {over} p = {check.p_asked:.2g}{more}"


def _is_near(check: CheckFacts) -> bool:
    """Whether what is judged is within about a standard error of its bound."""
    return min(check.p_value, 1 - check.p_value) > _FAR


def _cure(check: CheckFacts) -> str:
    """The bound with which a check that failed would have passed."""
    if check.outcome != FAIL or not math.isfinite(check.passing):
        return ""
    fields = {CHANGE_ABSOLUTE: "absolute", CHANGE_RELATIVE: "relative"}
    field = fields.get(check.kind, f"{check.side}_bound")
    laxer = _outwards(check.passing, down=check.side == LOWER)
    return f" It would have passed with {field}: {laxer}."


def _outwards(number: float, down: bool) -> str:
    """A number in three digits, rounded away from what is stricter.

    >>> _outwards(-0.01234, down=True), _outwards(0.8765, down=True), _outwards(0.01234, down=False)
    ('-0.0124', '0.876', '0.0124')
    >>> _outwards(5e-324, down=False)
    '1e-300'
    """
    if not number:
        return "0"
    unit = 10.0 ** max(math.floor(math.log10(abs(number))) - 2, _SMALLEST_DIGIT)
    return f"{(math.floor if down else math.ceil)(number / unit) * unit:.3g}"


def _value(check: CheckFacts) -> str:
    name = f"{check.name} of {check.slice}"
    if math.isnan(check.value) or check.evaluated == 0:
        return f"{_undefined(check)}, so it cannot be within its bounds."
    text = f"{name} is {shown(check.value, check.bound)} ({_sureness(check)})"
    if check.outcome == FAIL:
        return f"{text}, {_beyond(check)}."
    if check.outcome == PASS:
        return f"{text}, within {formula(check)}."
    return f"{text}, which is not judged by {formula(check)}."


def _change(check: CheckFacts) -> str:
    name = f"{check.name} of {check.slice}"
    if math.isnan(check.change) or check.evaluated == 0:
        return _undefined_change(check)
    text = f"{name} {_moved(check)}; {_allowed(check)}"
    return f"{text}." if check.outcome in (PASS, FAIL) else f"{text}: not judged."


def _metric(check: CheckFacts) -> str:
    return metric_text(check.key.metric, check.key.kind)


def _kind(check: CheckFacts) -> str:
    return "relative change" if check.kind == CHANGE_RELATIVE else "absolute change"


def _rests_on(check: CheckFacts) -> str:
    """The rows behind the value, and of how many: `1,203 examples`, `5 of 9 examples`."""
    if check.evaluated is None or check.evaluated == check.examples:
        return counted(check.examples, "example")
    return f"{check.evaluated:,} of {counted(check.examples, 'example')}"


def _sureness(check: CheckFacts) -> str:
    """How sure it is: the interval of what is judged, if there is one, and the examples."""
    examples = f"{_rests_on(check)}{_discordant(check)}"
    if math.isnan(check.lower):
        return examples
    of = " of the change" if check.is_change else ""
    low, high = (_amount(check, "{:.4g}".format, end) for end in (check.lower, check.upper))
    return f"{100 * _level(check):.4g} % interval{of} {low} to {high}, {examples}"


def _level(check: CheckFacts) -> float:
    return 0.95 if math.isnan(check.level) else check.level


def _discordant(check: CheckFacts) -> str:
    """The rows that one of the two models has right, where rows are right or wrong."""
    if check.lost is None or check.won is None:
        return ""
    differ = check.lost + check.won
    if not differ:
        return "; the models differ on none"
    return f"; of the {differ:,} on which the models differ {check.lost:,} were lost, {check.won:,} won"


def _allowed(check: CheckFacts) -> str:
    """What a bound on the change asks for, such as `a fall of at most 0.01 is allowed`."""
    higher = check.side == LOWER
    better, worse = ("rise", "fall") if higher else ("fall", "rise")
    if not check.bound:
        return f"no {worse} is allowed"
    size = _amount(check, _exact, abs(check.bound))
    if (check.bound > 0) == higher:
        return f"a {better} of at least {size} is required"
    return f"a {worse} of at most {size} is allowed"


def _moved(check: CheckFacts) -> str:
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


def _settled(check: CheckFacts) -> float:
    """The bound, where a change passed because rounding alone keeps it from there; else the change."""
    if check.outcome != PASS or check.value.is_integer() and check.baseline.is_integer():
        return check.change
    scale = max(abs(check.value), abs(check.baseline))
    if check.kind == CHANGE_RELATIVE:
        scale /= abs(check.baseline)
    return check.bound if abs(check.change - check.bound) <= ROUNDING * scale else check.change


def _scaled(check: CheckFacts, number: float) -> float:
    return 100 * number if check.kind == CHANGE_RELATIVE else number


def _amount(check: CheckFacts, text: Callable[[float], str], number: float) -> str:
    return f"{text(_scaled(check, number))}{'%' if check.kind == CHANGE_RELATIVE else ''}"


def _undefined(check: CheckFacts) -> str:
    """Why a value is undefined, as the beginning of a sentence."""
    name = f"{check.name} of {check.slice}"
    if not check.examples:
        return f"{name} is undefined because the slice has no examples"
    if check.evaluated == 0:
        examples = counted(check.examples, "example")
        return f"{name} is undefined because none of its {examples} has what it is made of"
    return f"{name} is undefined ({_sureness(check)})"


def _undefined_change(check: CheckFacts) -> str:
    name, kind = f"{check.name} of {check.slice}", _kind(check)
    if math.isnan(check.value) or check.evaluated == 0:
        return f"{_undefined(check)}, so its {kind} is undefined too."
    if math.isnan(check.baseline):
        return (
            f"{name} is {check.value:.6g}, but the baseline's is undefined, so its {kind} is too."
        )
    if check.baseline == 0:
        cure = "an absolute bound can judge it"
        return f"{name} is {check.value:.6g}: its {kind} is undefined because the baseline's is 0; {cure}."
    return f"{name} went from {check.baseline:.6g} to {check.value:.6g}: its {kind} is undefined."


def _exact(number: float) -> str:
    """A number of the config as it was written.

    >>> _exact(0.75), _exact(100 * 0.07)
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
