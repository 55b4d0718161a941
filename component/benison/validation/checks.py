# SPDX-License-Identifier: Apache-2.0
"""One check of a verdict: a bound on a metric of one slice, what came of it, and its sentence.

The sentence says what was measured, what was asked, and how sure it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from benison.slicing.keys import SliceKey
from benison.table.key import KEY_COLUMNS, Key
from benison.table.slices import as_key, key_array
from benison.table.words import counted, metric_text, qualifier
from benison.validation.terms import (
    CHANGE_ABSOLUTE,
    CHANGE_RELATIVE,
    CROSS,
    FAIL,
    LOWER,
    PASS,
    ROUNDING,
    RUBBER_STAMPED,
)


@dataclasses.dataclass(frozen=True)
class Check:
    """One bound on one value; numbers that do not apply are NaN, and counts that are not known None."""

    key: Key
    slice: str
    slice_key: SliceKey
    other_slice_key: SliceKey | None
    check: str
    """`value_lower`, `value_upper`, `change_absolute` or `change_relative`, with `cross_` before it for a
    comparison of slices; `missing` where there is nothing to judge; `small_slices`; `weak_slice`."""
    side: str
    """Whether the bound limits from below (`lower`) or from above (`upper`)."""
    bound: float
    value: float
    lower: float
    upper: float
    """Both ends of the interval of what is judged: of `value`, or of `change`, in its unit."""
    baseline: float
    change: float
    """Candidate less baseline, divided by |baseline| for a relative change."""
    outcome: str
    evidence: str
    zone: str
    p_value: float
    p_adjusted: float
    family_size: int | None
    detectable: float
    needed_examples: int | None
    lost: int | None
    won: int | None
    examples: int
    evaluated: int | None
    """The rows that the value rests on; None where it is not known."""
    note: str | None
    several_models: bool = False

    @classmethod
    def of(cls, row: dict[str, Any], several_models: bool = False) -> Check:
        """A row of checks.parquet."""
        other = row["other_slice_key"]
        return cls(
            Key.of(row),
            row["slice"],
            as_key(row["slice_key"]),
            None if other is None else as_key(other),
            **{name: row[name] for name in _OWN},
            several_models=several_models,
        )

    @property
    def kind(self) -> str:
        """The check without the mark of comparisons."""
        return self.check.removeprefix(CROSS)

    @property
    def is_change(self) -> bool:
        """Whether it compares with the baseline."""
        return self.kind in (CHANGE_ABSOLUTE, CHANGE_RELATIVE)

    @property
    def metric(self) -> str:
        """The name of the metric."""
        return self.key.metric

    @property
    def model(self) -> str:
        """The name of the candidate."""
        return self.key.model

    @property
    def name(self) -> str:
        """The metric with what tells it from others of its name, such as `auc (classId:1)`."""
        return metric_text(self.key.metric, self.key.kind) + qualifier(
            self.key, self.several_models
        )

    @property
    def reason(self) -> str:
        """The outcome as a sentence."""
        return self.note or _sentence(self)

    @property
    def formula(self) -> str:
        """What must hold, exactly, such as `(candidate - baseline) / |baseline| >= -0.01`."""
        return _formula(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for strict JSON: NaN is null, infinities are "inf" and "-inf"."""
        plain: dict[str, Any] = {**dataclasses.asdict(self.key), "slice": self.slice}
        plain["slice_key"] = [list(pair) for pair in self.slice_key]
        other = self.other_slice_key
        plain["other_slice_key"] = None if other is None else [list(pair) for pair in other]
        plain |= {name: _strict(getattr(self, name)) for name in _OWN}
        return {**plain, "formula": self.formula, "reason": self.reason}

    @classmethod
    def row_of(cls, data: dict[str, Any]) -> dict[str, Any]:
        """The row of checks.parquet of what `to_dict` gave; its sentence is kept as it is."""
        row = {name: data[name] for name in (*KEY_COLUMNS, "slice", *_OWN)}
        for name in _NUMBERS:
            row[name] = math.nan if data[name] is None else float(data[name])
        keys = [tuple(map(tuple, data["slice_key"]))]
        others = [None if (o := data["other_slice_key"]) is None else tuple(map(tuple, o))]
        row["slice_key"] = key_array(keys)[0].as_py()
        row["other_slice_key"] = key_array(others)[0].as_py()
        return {**row, "note": data["reason"]}


_FIELDS = {field.name: field.type for field in dataclasses.fields(Check)}
_OWN = tuple(
    name
    for name in _FIELDS
    if name not in ("key", "slice", "slice_key", "other_slice_key", "several_models")
)
_NUMBERS = tuple(name for name in _OWN if _FIELDS[name] == "float")


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _formula(check: Check) -> str:
    """What must hold, exactly, such as `auc >= 0.7`."""
    if not math.isfinite(check.bound):
        return f"{_metric(check)} is defined"
    sign = ">=" if check.side == LOWER else "<="
    if not check.is_change:
        return f"{_metric(check)} {sign} {_exact(check.bound)}"
    change = "candidate - baseline"
    if check.kind == CHANGE_RELATIVE:
        change = "(candidate - baseline) / |baseline|"
    return f"{change} {sign} {_exact(check.bound)}"


def _sentence(check: Check) -> str:
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
        return f"{_undefined(check)}, so it cannot be within its bounds."
    text = f"{name} is {shown(check.value, check.bound)} ({_sureness(check)})"
    if check.outcome == FAIL:
        beyond = "below the lower" if check.side == LOWER else "above the upper"
        return f"{text}, {beyond} bound {_exact(check.bound)}."
    if check.outcome == PASS:
        return f"{text}, within {_formula(check)}."
    return f"{text}, which is not judged by {_formula(check)}."


def _change(check: Check) -> str:
    name = f"{check.name} of {check.slice}"
    if math.isnan(check.change):
        return _undefined_change(check)
    text = f"{name} {_moved(check)}; {_allowed(check)}"
    return f"{text}." if check.outcome in (PASS, FAIL) else f"{text}: not judged."


def _metric(check: Check) -> str:
    return metric_text(check.key.metric, check.key.kind)


def _kind(check: Check) -> str:
    return "relative change" if check.kind == CHANGE_RELATIVE else "absolute change"


def _rests_on(check: Check) -> str:
    """The rows behind the value, and of how many: `1,203 examples`, `5 of 9 examples`."""
    if check.evaluated is None or check.evaluated == check.examples:
        return counted(check.examples, "example")
    return f"{check.evaluated:,} of {counted(check.examples, 'example')}"


def _sureness(check: Check) -> str:
    """How sure it is: the 95 % interval of what is judged, if there is one, and the examples."""
    examples = _rests_on(check)
    if math.isnan(check.lower):
        return examples
    of = " of the change" if check.is_change else ""
    low, high = (_amount(check, "{:.4g}".format, end) for end in (check.lower, check.upper))
    return f"95 % interval{of} {low} to {high}, {examples}"


def _allowed(check: Check) -> str:
    """What a bound on the change asks for, such as `a fall of at most 0.01 is allowed`."""
    higher = check.side == LOWER
    better, worse = ("rise", "fall") if higher else ("fall", "rise")
    if not check.bound:
        return f"no {worse} is allowed"
    size = _amount(check, _exact, abs(check.bound))
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


def _undefined(check: Check) -> str:
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
