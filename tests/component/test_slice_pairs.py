# SPDX-License-Identifier: Apache-2.0
"""What a sample says of comparisons of two slices: that share rows, that are below 0, that do not vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

import benison
from benison.data.batch import Array
from benison.evidence.slice_pairs import Quotient
from benison.evidence.spread import Student
from benison.validation.verdict import Verdict

TAGS = [["a"], ["b"], ["a", "b"], ["b"]] * 50
KEYS = [{"feature_keys": ["tag"]}]


def judge(
    columns: dict[str, Any],
    base: dict[str, Any],
    others: list[dict[str, Any]],
    threshold: dict[str, Any],
    metric: tuple[str, str] = ("MeanSquaredError", "mean_squared_error"),
    slices: list[dict[str, Any]] | None = None,
) -> Verdict:
    """The verdict on a threshold on comparisons of the slices `base` with others."""
    crossing = {"baseline_spec": base, "slicing_specs": others}
    crossed = {"cross_slicing_specs": [crossing], "threshold": threshold}
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": slices or [base, *others],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [
            {
                "metrics": [metric[0]],
                "cross_slice_thresholds": {metric[1]: {"thresholds": [crossed]}},
            }
        ],
    }
    return benison.evaluate(pa.table(columns), made).verdict


def below(bound: float, evidence: str) -> dict[str, Any]:
    return {"value_threshold": {"upper_bound": bound}, "evidence": evidence}


def scored(tags: list[list[str]], **more: Any) -> dict[str, Any]:
    """Rows of which those with the first tag alone err by more than 2."""
    noise = np.random.default_rng(2).normal(size=len(tags))
    n = [(3.0 if tag == ["a"] else 0.5) + e / 4 for tag, e in zip(tags, noise, strict=True)]
    return {"y": np.zeros(len(tags)), "n": n, "tag": tags, **more}


@pytest.mark.parametrize(
    "slices",
    [
        KEYS,
        [{"feature_values": {"tag": "a"}}, *KEYS],
        [{"feature_values": {"tag": t}} for t in "ab"],
    ],
    ids=["keys", "values_and_keys", "values"],
)
@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_comparison_of_slices_that_share_rows_blesses_nothing(
    evidence: str, slices: list[dict[str, Any]]
) -> None:
    """However the specs name them: others, of one row or apart from the first, make no difference."""
    base = {"feature_values": {"tag": "a"}}
    rows = scored([*TAGS, *[["c"]] * 50, ["a", "d"]])
    verdict = judge(rows, base, KEYS, below(100, evidence), slices=[*slices, *KEYS])
    assert verdict.status == "not_evaluated"
    assert {check.outcome for check in verdict.checks} == {"not_evaluated"}
    assert "is not known, so evidence cannot judge it" in verdict.checks[0].reason


def test_slices_of_other_features_are_told_apart_beside_lists() -> None:
    rows = scored(TAGS, shop=["x", "y"] * 100)
    shops = [{"feature_keys": ["shop"]}]
    base = {"feature_values": {"shop": "x"}}
    verdict = judge(rows, base, shops, below(100, "not_worse"), slices=[*KEYS, *shops])
    assert verdict.status == "blessed"


@pytest.mark.parametrize(
    ("base", "other", "is_apart"),
    [
        ({"bins": {"x": [10]}}, {"bins": {"x": [5]}}, False),
        ({"bins": {"x": [10]}}, {"feature_keys": ["x"]}, False),
        ({"feature_values": {"s": "a"}}, {"feature_keys": ["s", "x"]}, False),
        ({"feature_values": {"s": "a"}}, {"feature_values": {"s": "b"}, "bins": {"x": [5]}}, True),
        ({"feature_values": {"x": "[10, inf]"}}, {"bins": {"x": [10]}}, True),
        ({"feature_values": {"x": "[10, inf]"}}, {"bins": {"x": [5]}}, False),
        (
            {"feature_values": {"s": "a"}, "bins": {"x": [9]}},
            {"feature_keys": ["s"], "bins": {"x": [9]}},
            True,
        ),
    ],
)
def test_evidence_on_slices_that_share_rows_is_refused(
    base: dict[str, Any], other: dict[str, Any], is_apart: bool
) -> None:
    x = np.arange(80) % 20
    rows = {"y": np.zeros(80), "n": np.linspace(0, 1, 80), "x": x, "s": ["a", "b"] * 40}
    slices = [base, other, {"bins": {"x": [10]}}]
    if is_apart:
        verdict = judge(rows, base, [other], below(100, "worse"), slices=slices)
        assert verdict.status == "blessed"
        return
    with pytest.raises(benison.ConfigError, match=r"share rows with those that they are compared"):
        judge(rows, base, [other], below(100, "worse"), slices=slices)


def test_slices_that_share_clusters_have_no_error_of_their_difference() -> None:
    """Each user has a row in either slice, so that the slices' values are not independent."""
    columns = {"y": np.zeros(120), "n": np.repeat(np.linspace(0, 1, 60), 2), "s": ["a", "b"] * 60}
    columns["user"] = np.repeat(np.arange(60), 2)
    crossing = {
        "baseline_spec": {"feature_values": {"s": "a"}},
        "slicing_specs": [{"feature_values": {"s": "b"}}],
    }
    threshold = {"cross_slicing_specs": [crossing], "threshold": below(100, "worse")}
    made: dict[str, Any] = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{"feature_keys": ["s"]}],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [{"metrics": ["MeanSquaredError"]}],
        "options": {"confidence": {"cluster_key": "user"}},
    }
    errors = {
        row["kind"]: row["std_error"]
        for row in benison.evaluate(pa.table(columns), made).metrics.to_pylist()
    }
    assert np.isfinite(errors["value"])
    assert np.isnan(errors["slice_difference"])
    crossed = {"mean_squared_error": {"thresholds": [threshold]}}
    made["metrics_specs"][0]["cross_slice_thresholds"] = crossed
    with pytest.raises(benison.ConfigError, match="share the clusters of cluster_key"):
        benison.evaluate(pa.table(columns), made)


def student(values: list[float], errors: list[float]) -> Student:
    return Student(np.array(values), np.array(errors), np.full(len(values), 49.0))


@pytest.mark.parametrize("bound", [-2.5, -1.5, 0.5])
def test_a_ratio_to_what_is_below_0_is_that_of_both_with_the_other_sign(bound: float) -> None:
    a, b = student([1.0], [0.05]), student([-0.5], [0.02])
    turned = Quotient(student([-1.0], [0.05]), student([0.5], [0.02]))
    ratio = Quotient(a, b)
    for p, same in ((ratio.p_below, turned.p_below), (ratio.p_above, turned.p_above)):
        assert p(bound) == pytest.approx(same(bound))
    samples = np.random.default_rng(1).normal([1.0, -0.5], [0.05, 0.02], (20_000, 2))
    shares: Array = samples[:, 0] / samples[:, 1]
    assert ratio.p_above(bound) == pytest.approx([np.mean(shares < bound)], abs=0.05)
    lower, upper = ratio.limits(0.025)
    assert [*lower, *upper] == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.03)


def test_a_ratio_to_a_mean_below_0_is_shown_to_be_below_its_bound() -> None:
    slices = np.repeat(["a", "b", "c"], 50)
    n = np.repeat([1.0, 0.5, -0.5], 50)
    for noise, p in ((0.1, 0.0), (0.0, None)):
        rows = {"y": np.zeros(150), "tag": slices}
        rows["n"] = n + noise * stats.norm.ppf(np.tile((np.arange(50) + 0.5) / 50, 3))
        verdict = judge(
            rows,
            {"feature_values": {"tag": "a"}},
            KEYS,
            {"value_threshold": {"lower_bound": 0.5}, "evidence": "worse"},
            ("MeanPrediction", "mean_prediction_ratio"),
        )
        assert [check.outcome for check in verdict.checks][-1] == "fail"
        assert verdict.status == "not_blessed"
        shown = verdict.failures[0].p_value
        assert np.isnan(shown) if p is None else shown == pytest.approx(p, abs=1e-9)


def test_a_root_of_rows_without_error_is_known() -> None:
    """Of rows that are all alike, though the root has no slope at 0."""
    rows = {"y": np.zeros(80), "n": np.repeat([0.0, 1.0], 40), "tag": np.repeat(["a", "b"], 40)}
    rows["n"][40:] += np.linspace(-0.1, 0.1, 40)
    bounds = {"value_threshold": {"upper_bound": 2}, "evidence": "worse"}
    verdict = judge(
        rows,
        {"feature_values": {"tag": "a"}},
        KEYS,
        bounds,
        ("RootMeanSquaredError", "root_mean_squared_error"),
    )
    assert (verdict.status, verdict.checks[0].outcome) == ("blessed", "pass")
