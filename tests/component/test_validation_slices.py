# SPDX-License-Identifier: Apache-2.0
"""The tests of which slices a threshold is for, and what becomes of those that are missing."""

from __future__ import annotations

from typing import Any

import pytest

from benison.slicing.keys import SliceKey
from benison.validation.terms import FAIL, NOT_EVALUATED, PASS, UNDECIDED
from benison.validation.verdict import Verdict
from tests.component.judging import (
    FLASH,
    OVERALL,
    UP,
    Versus,
    bounds,
    change,
    judge,
    rows,
    table,
)


def hour(value: str) -> SliceKey:
    return (("hour", value),)


CROSSED: SliceKey = (("company", "Flash Cab"), ("hour", "5"))
SLICES = {OVERALL: 0.1, FLASH: 0.2, hour("5"): 0.3, hour("6"): 0.4, CROSSED: 0.5}
SPECS = [{}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]}]
SPECS += [{"feature_keys": ["company", "hour"]}]


def per_slice(*specs: dict[str, Any], threshold: Any = None) -> dict[str, Any]:
    return {"thresholds": [{"slicing_specs": list(specs), "threshold": threshold or bounds(0.0)}]}


def judged(verdict: Verdict) -> list[str]:
    return [check.slice for check in verdict.checks]


def test_a_threshold_is_for_every_slice() -> None:
    verdict = judge(table(rows(SLICES)), {"threshold": bounds(0.35)}, slicing_specs=SPECS)
    assert [c.outcome for c in verdict.checks] == ["fail", "fail", "fail", "pass", "pass"]
    assert verdict.checks[-1].slice_key == CROSSED


@pytest.mark.parametrize(
    ("spec", "actual"),
    [
        ({}, ["Overall"]),
        ({"feature_keys": ["hour"]}, ["hour=5", "hour=6"]),
        ({"feature_values": {"hour": "6"}}, ["hour=6"]),
        ({"feature_values": {"hour": "6.0"}}, ["hour=6"]),
        ({"feature_keys": ["hour", "company"]}, ["company=Flash Cab, hour=5"]),
        (
            {"feature_keys": ["company"], "feature_values": {"hour": "5"}},
            ["company=Flash Cab, hour=5"],
        ),
    ],
)
def test_a_threshold_on_slices(spec: dict[str, Any], actual: list[str]) -> None:
    auc = {"per_slice_thresholds": per_slice(spec)["thresholds"]}
    assert judged(judge(table(rows(SLICES)), auc, slicing_specs=SPECS)) == actual


@pytest.mark.parametrize("value", ["6", "Flash"])
def test_a_slice_that_the_data_do_not_have_fails(value: str) -> None:
    spec = {"feature_keys": ["company"], "feature_values": {"hour": value}}
    auc = {"per_slice_thresholds": per_slice(spec)["thresholds"]}
    verdict = judge(table(rows(SLICES)), auc, slicing_specs=SPECS)
    assert verdict.status == "not_blessed"
    assert verdict.reasons == (
        f"No row of the data is in hour={value}, company, so auc has no value there.",
    )
    assert verdict.checks[0].kind == "missing"


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"feature_values": {"hour": "7"}}, "hour=7"),
        ({"feature_values": {"hour": "7"}, "feature_keys": ["company"]}, "hour=7, company"),
        ({"where": {"never": "fare > 1000"}}, "never=true"),
    ],
)
def test_a_threshold_on_every_slice_fails_where_a_named_one_has_no_row(
    spec: dict[str, Any], name: str
) -> None:
    verdict = judge(
        table(rows(SLICES)), {"threshold": bounds(0.0)}, slicing_specs=[*SPECS, spec, spec]
    )
    assert verdict.status == "not_blessed"
    assert verdict.reasons == (f"No row of the data is in {name}, so auc has no value there.",)


def test_a_threshold_on_every_slice_does_not_fail_for_slices_that_are_small_or_of_other_keys() -> (
    None
):
    specs = [*SPECS, {"feature_values": {"hour": "7"}}, {"feature_keys": ["rare"]}]
    metrics, auc = table(rows(SLICES)), {"threshold": bounds(0.0)}
    assert not judge(metrics, auc, small=[hour("7")], slicing_specs=specs).failures


def test_a_metric_without_values_fails() -> None:
    verdict = judge(table(), {"threshold": bounds(0.0)})
    assert verdict.reasons == (
        "The results have no auc, so its threshold on any slice cannot hold.",
    )
    other = judge(table(rows({OVERALL: 0.5}, metric="loss")), {"threshold": bounds(0.0)})
    assert other.status == "not_blessed"


def test_thresholds_by_name() -> None:
    metrics = table(rows(SLICES))
    named = judge(metrics, thresholds={"auc": bounds(0.15)}, slicing_specs=SPECS)
    assert len(named.failures) == 1
    narrow = {"auc": per_slice({"feature_keys": ["hour"]})}
    assert len(judge(metrics, per_slice_thresholds=narrow, slicing_specs=SPECS).checks) == 2
    unknown = judge(metrics, thresholds={"acu": bounds(0.0)}, slicing_specs=SPECS)
    assert unknown.reasons == (
        "There is a threshold on acu, which is not computed. Did you mean 'auc'?",
    )


def test_a_threshold_that_is_given_twice_is_judged_once() -> None:
    again = judge(
        table(rows({OVERALL: 0.5})), {"threshold": bounds(0.1)}, thresholds={"auc": bounds(0.1)}
    )
    assert len(again.checks) == 1


# Comparisons of slices.

PAIR = {
    "baseline_spec": {"feature_values": {"hour": "5"}},
    "slicing_specs": [{"feature_keys": ["hour"]}],
}


def compare(
    metrics: Any, spec: dict[str, Any], threshold: Any, baseline: bool = False, **more: Any
) -> Verdict:
    auc = {"cross_slice_thresholds": [{"cross_slicing_specs": [spec], "threshold": threshold}]}
    return judge(metrics, auc, baseline, cross_slicing_specs=[spec], **more)


def test_comparisons_can_pass_and_fail() -> None:
    metrics = table(rows({**SLICES, Versus(hour("5"), hour("6")): -0.1}))
    assert compare(metrics, PAIR, bounds(-0.2, 0.2)).blessed
    assert compare(metrics, PAIR, bounds(-0.05, 0.05)).reasons == (
        "difference of auc of hour=5 vs hour=6 is -0.1 (1,203 examples), below the lower bound -0.05.",
    )
    named = {"auc": {"thresholds": [{"cross_slicing_specs": [PAIR], "threshold": bounds(0.0)}]}}
    actual = judge(metrics, cross_slice_thresholds=named, cross_slicing_specs=[PAIR])
    assert judged(actual) == ["hour=5 vs hour=6"]


def test_comparisons_and_slices_are_kept_apart() -> None:
    pair, odd = Versus(hour("5"), hour("6")), (("company", "Cab vs Bus"),)
    metrics = table(rows({OVERALL: 0.5, odd: 0.5, pair: -0.1, Versus(OVERALL, FLASH): 0.0}))
    everywhere = judge(metrics, {"threshold": bounds(0.0)}, cross_slicing_specs=[PAIR])
    assert judged(everywhere) == ["Overall", "company=Cab vs Bus"]
    by_company = {"per_slice_thresholds": per_slice({"feature_keys": ["company"]})["thresholds"]}
    narrow = judge(metrics, by_company, cross_slicing_specs=[PAIR])
    assert judged(narrow) == ["company=Cab vs Bus"]
    against_all = {"baseline_spec": {}, "slicing_specs": []}
    assert judged(compare(metrics, against_all, bounds(0.0))) == ["Overall vs company=Flash Cab"]
    hidden = compare(metrics, against_all, bounds(0.0), small=[FLASH])
    assert hidden.checks[-1].reason.startswith("1 slice of Overall vs any other slice has too few")


def test_where_a_key_ends_is_told_by_the_name() -> None:
    a, b, c = ("a", "1"), ("b", "2"), ("c", "3")
    metrics = table(rows({Versus((a,), (b, c)): 0.5}))
    wrong = {
        "baseline_spec": {"feature_keys": ["a", "b"]},
        "slicing_specs": [{"feature_keys": ["c"]}],
    }
    assert compare(metrics, wrong, bounds(0.0)).reasons == (
        "No row of the data is in a, b vs c, so auc has no value there.",
    )
    right = {
        "baseline_spec": {"feature_keys": ["a"]},
        "slicing_specs": [{"feature_keys": ["b", "c"]}],
    }
    assert compare(metrics, right, bounds(0.0)).blessed


def test_the_change_of_a_comparison() -> None:
    pair = Versus(hour("5"), hour("6"))
    metrics = table(rows({pair: 0.5}, "new"), rows({pair: 0.25}, "old"))
    assert compare(metrics, PAIR, change(UP, absolute=0.25), baseline=True).blessed
    assert not compare(metrics, PAIR, change(UP, absolute=0.26), baseline=True).blessed


# Slices with too few examples.


def test_small_slices_are_not_evaluated_and_not_named() -> None:
    small = [hour("13"), hour("14")]
    verdict = judge(table(rows(SLICES)), {"threshold": bounds(0.0)}, small=small)
    hidden = verdict.checks[-1]
    assert (verdict.status, hidden.outcome, hidden.kind) == (
        "blessed",
        "not_evaluated",
        "small_slices",
    )
    assert hidden.reason == "2 slices have too few examples, so auc is not evaluated there."
    assert "13" not in str(verdict)
    assert verdict.summary() == "BLESSED: 5 of 6 checks passed; 1 could not be evaluated."


def test_the_first_line_does_not_speak_of_failures_where_there_are_none() -> None:
    only = judge(table(rows({OVERALL: 0.5})), {"threshold": bounds(0.0)}, small=[FLASH])
    assert only.summary() == "BLESSED: 1 of 2 checks passed; 1 could not be evaluated."
    unjudged = Verdict(NOT_EVALUATED, known_counts={NOT_EVALUATED: 2})
    assert unjudged.summary() == "NOT EVALUATED: none of 2 checks passed; 2 could not be evaluated."
    failing = Verdict("not_blessed", known_counts={FAIL: 2, UNDECIDED: 3, PASS: 1})
    assert failing.summary() == "NOT BLESSED: 2 of 6 checks failed; 3 are undecided."


def test_small_slices_of_a_spec() -> None:
    auc = {"per_slice_thresholds": per_slice({"feature_keys": ["hour"]})["thresholds"]}
    only = judge(table(rows({OVERALL: 0.5})), auc, small=[hour("5"), FLASH], slicing_specs=SPECS)
    assert [c.reason for c in only.checks] == [
        "1 slice of hour has too few examples, so auc is not evaluated there."
    ]
    assert only.status == "not_evaluated"
    other = judge(table(rows({OVERALL: 0.5})), auc, small=[FLASH], slicing_specs=SPECS)
    assert other.status == "not_blessed"


def test_a_comparison_with_a_small_slice_is_not_evaluated() -> None:
    metrics = table(rows({hour("5"): 0.5}))
    verdict = compare(metrics, PAIR, bounds(0.0), small=[hour("6")])
    assert verdict.status == "not_evaluated"
    assert "1 slice of hour=5 vs hour has too few examples" in verdict.checks[0].reason
    assert compare(metrics, PAIR, bounds(0.0), small=[FLASH]).status == "not_blessed"


# Several models, outputs, classes.


def test_what_is_judged_is_told_apart_in_the_sentence() -> None:
    keys = {"label_keys": {"ctr": "l"}, "prediction_keys": {"ctr": "p"}}
    models = [{"name": "a", **keys}, {"name": "b", **keys}]
    view = {"output": "ctr", "sub_key": "classId:1"}
    metrics = table(rows({OVERALL: 0.9}, "a", **view), rows({OVERALL: 0.4}, "b", **view))
    verdict = judge(
        metrics,
        {"threshold": bounds(0.5)},
        model_specs=models,
        binarize={"class_ids": [1]},
    )
    (failed,) = verdict.failures
    assert failed.reason.startswith("auc (model b, output ctr, classId:1) of Overall is 0.4")
    assert (failed.model, failed.key.output, failed.key.sub_key) == ("b", "ctr", "classId:1")


def test_weighted_and_unweighted_are_judged_apart() -> None:
    weights = {"example_weights": {"weighted": True, "unweighted": True}}
    metrics = table(rows({OVERALL: 0.9}, weighted=True), rows({OVERALL: 0.4}))
    verdict = judge(metrics, {"threshold": bounds(0.5)}, **weights)
    assert [(c.key.weighted, c.outcome) for c in verdict.checks] == [
        (True, "pass"),
        (False, "fail"),
    ]
