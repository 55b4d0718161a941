# SPDX-License-Identifier: Apache-2.0
"""The tests of the verdict: every threshold in every direction, each with its sentence."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benison.errors import OutputError
from benison.table.key import KINDS, Key
from benison.table.schema import CHECKS_SCHEMA
from benison.table.slice_columns import SliceColumns
from benison.table.slices import key_array
from benison.validation.terms import OUTCOMES
from benison.validation.verdict import Verdict
from tests.component.judging import (
    DOWN,
    FLASH,
    OVERALL,
    UP,
    bounds,
    change,
    judge,
    judged_value,
    rows,
    table,
)

NAN, INF = math.nan, math.inf


# Bounds on the value.


@pytest.mark.parametrize(
    ("value", "lower", "upper", "outcome"),
    [
        (0.5, 0.5, None, "pass"),
        (0.5, None, 0.5, "pass"),
        (0.5, 0.5, 0.5, "pass"),
        (0.49, 0.5, None, "fail"),
        (0.51, None, 0.5, "fail"),
        (0.6, 0.5, 0.7, "pass"),
        (0.8, 0.5, 0.7, "fail"),
        (INF, 0.5, None, "pass"),
        (INF, None, 0.5, "fail"),
        (NAN, -1e300, 1e300, "fail"),
    ],
)
def test_bounds_on_the_value(
    value: float, lower: float | None, upper: float | None, outcome: str
) -> None:
    verdict = judged_value(value, bounds(lower, upper))
    outcomes = [check.outcome for check in verdict.checks]
    assert len(outcomes) == max(1, (lower is not None) + (upper is not None))
    assert ("fail" if "fail" in outcomes else "pass") == outcome
    assert verdict.status == {"pass": "blessed", "fail": "not_blessed"}[outcome]
    assert verdict.blessed is (outcome == "pass")


@pytest.mark.parametrize(
    ("value", "threshold", "sentence"),
    [
        (0.712, bounds(0.75), "is 0.712 (1,203 examples), below the lower bound 0.75."),
        (0.9, bounds(None, 0.8), "is 0.9 (1,203 examples), above the upper bound 0.8."),
        (0.8, bounds(0.75), "is 0.8 (1,203 examples), within auc >= 0.75."),
        (0.8, bounds(None, 0.9), "is 0.8 (1,203 examples), within auc <= 0.9."),
        (NAN, bounds(0.75), "is undefined (1,203 examples), so it cannot be within its bounds."),
        # In six digits this would read "is 0.75, below the lower bound 0.75".
        (
            0.7499999,
            bounds(0.75),
            "is 0.7499999 (1,203 examples), below the lower bound 0.75.",
        ),
    ],
)
def test_sentences_of_values(value: float, threshold: dict[str, Any], sentence: str) -> None:
    made = {"per_slice_thresholds": [{"slicing_specs": [{"feature_keys": ["company"]}]}]}
    made["per_slice_thresholds"][0]["threshold"] = threshold  # type: ignore[assignment]
    verdict = judge(table(rows({FLASH: value})), made)
    assert verdict.checks[0].reason == f"auc of company=Flash Cab {sentence}"


def test_nothing_in_a_slice_is_the_reason() -> None:
    (reason,) = judged_value(NAN, bounds(0.5), examples=0).reasons
    assert "undefined because the slice has no examples, so" in reason


def test_a_structured_value_fails() -> None:
    columns = SliceColumns.of([(OVERALL, None)], np.array([9]))
    batch = columns.metric_rows(Key("auc"), np.array([[0.1, 0.2]]))
    (reason,) = judge(table(batch), {"threshold": bounds(0.0)}).reasons
    assert reason.startswith("auc of Overall is not a single number, which a threshold needs, so")


# Bounds on the change.


@pytest.mark.parametrize("kind", ["absolute", "relative"])
@pytest.mark.parametrize("direction", [UP, DOWN])
@pytest.mark.parametrize("bound", [-0.25, 0.0, 0.25])
@pytest.mark.parametrize("moved", [-0.5, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5])
@pytest.mark.parametrize("old", [-1.0, 1.0])
def test_bounds_on_the_change(
    kind: str, direction: str, bound: float, moved: float, old: float
) -> None:
    verdict = judged_value(old + moved, change(direction, **{kind: bound}), old)
    good = moved >= bound if direction == UP else moved <= bound
    (check,) = verdict.checks
    assert (check.outcome == "pass", check.change) == (good, moved)
    assert check.kind == f"change_{kind}"
    assert (check.value, check.baseline, verdict.rubber_stamped) == (old + moved, old, False)


@settings(deadline=None)
@given(
    *[st.floats(-1e6, 1e6)] * 3,
    st.sampled_from([UP, DOWN]),
    st.sampled_from(["absolute", "relative"]),
)
def test_change_is_the_literal_formula(
    new: float, old: float, bound: float, direction: str, kind: str
) -> None:
    try:
        actual = (new - old) / (1 if kind == "absolute" else abs(old))
        good = actual >= bound if direction == UP else actual <= bound
    except ZeroDivisionError:
        good, actual = False, math.inf
    scale = max(abs(new), abs(old)) / (abs(old) if kind == "relative" and old else 1)
    assume(abs(actual - bound) > 2e-9 * scale)  # what lies nearer may be at its bound
    verdict = judged_value(new, change(direction, **{kind: bound}), old)
    assert verdict.blessed == good


TIES = given(st.integers(1, 999), st.integers(1, 999), st.sampled_from([20, 30, 300, 1000, 10**6]))


@settings(deadline=None)
@TIES
def test_what_only_rounding_keeps_from_a_bound_is_at_it(new: int, old: int, parts: int) -> None:
    """Of `parts` rows, so that the change is the bound but for rounding."""
    absolute, relative = float(Fraction(new - old, parts)), float(Fraction(new - old, old))
    value, before = new / parts, math.fsum([1 / parts] * old)
    for direction in (UP, DOWN):
        both = change(direction, absolute=absolute, relative=relative)
        assert [c.outcome for c in judged_value(value, both, before).checks] == ["pass", "pass"]
    summed = sum([1 / parts] * new)
    assert judged_value(summed, bounds(value, value)).blessed
    for off in (1 - 1e-8, 1 + 1e-8):
        assert not judged_value(value * off, bounds(value, value)).blessed


@pytest.mark.parametrize(
    ("value", "bound"),
    [(5e9 - 1, 5e9), (-1e-300, 0.0), (-1e-12, 0.0), (-INF, -1e300), (1e300, INF)],
)
def test_counts_zero_and_infinity_are_exact(value: float, bound: float) -> None:
    assert not judged_value(value, bounds(bound)).blessed
    assert not judged_value(-value, bounds(None, -bound)).blessed


def test_changes_of_counts_are_exact() -> None:
    grown = change(UP, absolute=1e9)
    assert not judged_value(6e9 - 1, grown, 5e9).blessed
    assert judged_value(6e9, grown, 5e9).blessed
    assert not judged_value(1e10 - 1, change(UP, relative=0.0), 1e10).blessed


@pytest.mark.parametrize(
    ("new", "old", "threshold", "sentence", "formula"),
    [
        (
            0.712,
            0.743,
            change(UP, absolute=-0.01),
            "fell by 0.031 against the baseline (0.743 -> 0.712, 1,203 examples); a fall of at most 0.01 is allowed.",
            "candidate - baseline >= -0.01",
        ),
        (
            0.75,
            0.5,
            change(UP, absolute=0.5),
            "rose by 0.25 against the baseline (0.5 -> 0.75, 1,203 examples); a rise of at least 0.5 is required.",
            "candidate - baseline >= 0.5",
        ),
        (
            0.5,
            0.5,
            change(UP, absolute=0.0),
            "did not change (0.5 -> 0.5, 1,203 examples); no fall is allowed.",
            "candidate - baseline >= 0",
        ),
        (
            0.75,
            0.5,
            change(DOWN, relative=0.07),
            "rose by 50% of the baseline (0.5 -> 0.75, 1,203 examples); a rise of at most 7% is allowed.",
            "(candidate - baseline) / |baseline| <= 0.07",
        ),
        (
            0.75,
            0.5,
            change(DOWN, relative=-0.05),
            "rose by 50% of the baseline (0.5 -> 0.75, 1,203 examples); a fall of at least 5% is required.",
            "(candidate - baseline) / |baseline| <= -0.05",
        ),
        (
            0.5,
            0.75,
            change(DOWN, relative=0.0),
            "fell by 33.3333% of the baseline (0.75 -> 0.5, 1,203 examples); no rise is allowed.",
            "(candidate - baseline) / |baseline| <= 0",
        ),
        # 0.73 - 0.74 is below -0.01 in binary, by rounding alone.
        (
            0.73,
            0.74,
            change(UP, absolute=-0.01),
            "fell by 0.01 against the baseline (0.74 -> 0.73, 1,203 examples); a fall of at most 0.01 is allowed.",
            "candidate - baseline >= -0.01",
        ),
        (
            0.50000001,
            0.5,
            change(UP, absolute=0.0),
            "rose by 1e-08 against the baseline (0.5 -> 0.50000001, 1,203 examples); no fall is allowed.",
            "candidate - baseline >= 0",
        ),
        (
            0.1 + 0.2,
            0.3,
            change(DOWN, absolute=0.0),
            "did not change (0.3 -> 0.3, 1,203 examples); no rise is allowed.",
            "candidate - baseline <= 0",
        ),
    ],
)
def test_sentences_of_changes(
    new: float, old: float, threshold: dict[str, Any], sentence: str, formula: str
) -> None:
    (check,) = judged_value(new, threshold, old).checks
    assert check.reason == f"auc of Overall {sentence}"
    assert check.formula == formula


@pytest.mark.parametrize(
    ("new", "old", "kind", "sentence"),
    [
        (NAN, 0.5, "absolute", "is undefined (1,203 examples), so its absolute change is"),
        (0.5, NAN, "absolute", "is 0.5, but the baseline's is undefined, so its absolute change"),
        (0.5, 0.0, "relative", "undefined because the baseline's is 0; an absolute bound can"),
        (
            0.0,
            0.0,
            "relative",
            "is 0: its relative change is undefined because the baseline's is 0",
        ),
        (INF, INF, "absolute", "went from inf to inf: its absolute change is undefined."),
    ],
)
def test_an_undefined_change_fails(new: float, old: float, kind: str, sentence: str) -> None:
    verdict = judged_value(new, change(UP, **{kind: -1e300}), old)
    assert verdict.status == "not_blessed"
    assert sentence in verdict.reasons[0]


def test_every_bound_of_a_threshold_must_hold() -> None:
    both = {**bounds(0.5), **change(UP, absolute=0.0, relative=0.0)}
    assert judged_value(0.8, both, 0.75).blessed
    assert [c.outcome for c in judged_value(0.8, both, 0.75).checks] == ["pass"] * 3
    assert [c.outcome for c in judged_value(0.4, both, 0.3).checks] == ["fail", "pass", "pass"]
    assert [c.outcome for c in judged_value(0.7, both, 0.75).checks] == ["pass", "fail", "fail"]
    assert not judged_value(0.7, both, 0.75).blessed


def test_the_baseline_is_not_judged() -> None:
    verdict = judged_value(0.8, bounds(0.75), 0.1)
    assert [check.model for check in verdict.checks] == ["new"]
    assert verdict.blessed


def test_without_a_baseline_changes_are_rubber_stamped() -> None:
    first = judged_value(0.8, change(UP, absolute=0.1))
    assert (first.status, first.rubber_stamped) == ("blessed", True)
    assert [c.outcome for c in first.checks] == ["rubber_stamped"]
    assert first.checks[0].reason == (
        "auc of Overall: there is no baseline, so its absolute change is not judged (rubber-stamped)."
    )
    assert "(rubber-stamped)" in first.summary()
    too_low = judged_value(0.4, {**bounds(0.5), **change(UP, absolute=0.1)})
    assert (too_low.status, too_low.rubber_stamped) == ("not_blessed", True)


def test_without_thresholds_nothing_is_evaluated() -> None:
    verdict = judge(table(rows({OVERALL: 0.8})))
    assert (verdict.status, verdict.checks, verdict.reasons) == ("not_evaluated", (), ())
    assert verdict.summary() == "NOT EVALUATED: the config has no thresholds."


def test_a_baseline_in_another_order_is_found_by_slice() -> None:
    other = (("company", "Yellow"),)
    new = rows({OVERALL: 0.9, FLASH: 0.8, other: 0.7}, "new")
    old = rows({other: 0.1, OVERALL: 0.3}, "old")
    checks = judge(table(new, old), {"threshold": change(UP, absolute=0.0)}, baseline=True).checks
    assert str([check.baseline for check in checks]) == "[0.3, nan, 0.1]"
    assert [check.outcome for check in checks] == ["pass", "fail", "pass"]


# JSON.

numbers = st.floats(allow_nan=False) | st.just(math.nan)
pairs = st.tuples(st.text(), st.text())
checks = st.fixed_dictionaries(
    {
        **{
            field.name: numbers if pa.types.is_floating(field.type) else st.text()
            for field in CHECKS_SCHEMA
            if not field.nullable and not pa.types.is_nested(field.type)
        },
        "weighted": st.booleans(),
        "examples": st.integers(0, 2**40),
        "outcome": st.sampled_from(OUTCOMES),
        "kind": st.sampled_from(KINDS),
        "slice_key": st.lists(pairs, max_size=3).map(
            lambda key: key_array([tuple(key)])[0].as_py()
        ),
        "note": st.none() | st.text(),
    }
)


@settings(deadline=None)
@given(
    st.sampled_from(["blessed", "not_blessed", "not_evaluated"]),
    st.lists(checks, max_size=3),
    st.booleans(),
)
def test_a_verdict_survives_strict_json(
    status: str, rows: list[dict[str, Any]], stamped: bool
) -> None:
    verdict = Verdict(status, pa.Table.from_pylist(rows, CHECKS_SCHEMA), stamped)
    text = json.dumps(verdict.to_dict(), allow_nan=False)
    assert Verdict.from_dict(json.loads(text)).to_dict() == {
        **verdict.to_dict(),
        "checks": [{**c, "note": c["reason"]} for c in verdict.to_dict()["checks"]],
    }


def test_only_what_did_not_pass_is_in_the_json_and_all_is_counted() -> None:
    other = (("company", "Yellow"),)
    verdict = judge(table(rows({OVERALL: 0.9, FLASH: 0.8, other: 0.1})), {"threshold": bounds(0.5)})
    plain = verdict.to_dict()
    assert [check["slice"] for check in plain["checks"]] == ["company=Yellow"]
    assert plain["counts"] == dict.fromkeys(OUTCOMES, 0) | {"pass": 2, "fail": 1}
    assert Verdict.from_dict(plain).summary() == verdict.summary()


def test_a_thousand_sentences_are_written_and_the_rest_is_counted() -> None:
    many = {(("n", str(i)),): 0.1 for i in range(1_234)}
    plain = judge(table(rows(many)), {"threshold": bounds(0.5)}).to_dict()
    assert (len(plain["checks"]), len(plain["reasons"]), plain["left"]) == (1_000, 1_000, 234)


def test_undefined_is_null_and_infinite_is_text() -> None:
    plain = judged_value(NAN, bounds(0.5)).checks[0].to_dict()
    assert (plain["value"], plain["bound"], plain["side"]) == (None, 0.5, "lower")
    assert judged_value(INF, bounds(0.5)).checks[0].to_dict()["value"] == "inf"
    verdict = judged_value(NAN, bounds(0.5))
    assert Verdict.from_dict(verdict.to_dict()).reasons == verdict.reasons


def test_a_newer_verdict_is_refused() -> None:
    newer = {**judged_value(0.5, bounds(0.5)).to_dict(), "version": 3}
    with pytest.raises(OutputError, match=r"newer Benison \(version 3; this one reads up to 2\)"):
        Verdict.from_dict(newer)


def test_a_verdict_is_one_line_however_many_checks_it_has() -> None:
    values = {(("company", f"c{i}"),): 0.1 for i in range(200)}
    verdict = judge(table(rows({OVERALL: 0.9, **values})), {"threshold": bounds(0.5)})
    assert repr(verdict) == f"<Verdict {verdict.summary()}>"
    assert "\n" not in repr(verdict)
    assert len(repr(verdict)) < 100
