# SPDX-License-Identifier: Apache-2.0
"""Verdicts by evidence where the rows leave little or nothing to judge by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

import benison


def _judged(
    columns: dict[str, Any], metric: str, evidence: str, threshold: dict[str, Any], **more: Any
) -> str:
    """The verdict on the column `n` beside `o`."""
    made = _made(metric, evidence, threshold, **more)
    return benison.evaluate(pa.table(columns), made).verdict.status


def _made(metric: str, evidence: str, threshold: dict[str, Any], **more: Any) -> dict[str, Any]:
    specs = [
        {"name": "n", "prediction_key": "n", "label_key": "y"},
        {"name": "o", "prediction_key": "o", "label_key": "y", "is_baseline": True},
    ]
    bound = {"class_name": metric, "threshold": {**threshold, "evidence": evidence}}
    return {
        "model_specs": specs,
        "metrics_specs": [{"metrics": [bound]}],
        "options": {"confidence": {"level": 0.95, **more}},
    }


_FALL = {"change_threshold": {"absolute": -0.01, "direction": "HIGHER_IS_BETTER"}}


_RISE = {"change_threshold": {"absolute": 0.01, "direction": "LOWER_IS_BETTER"}}


def _rows(size: int = 600) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    y = (rng.random(size) < 0.5).astype(float)
    return y, np.clip(0.6 * y + 0.2 + 0.2 * rng.normal(size=size), 0.01, 0.99)


@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
@pytest.mark.parametrize(
    ("metric", "n", "o", "threshold", "more"),
    [
        ("BinaryAccuracy", lambda y, p: 1 - p, lambda y, p: np.append(np.nan, p[1:]), _FALL, {}),
        (
            "AUC",
            lambda y, p: 0 * p + 0.5,
            lambda y, p: p,
            {"value_threshold": {"lower_bound": 0.7}},
            {},
        ),
        ("AUC", lambda y, p: 1 - y, lambda y, p: y, _FALL, {}),
        (
            "F1Score",
            lambda y, p: 0 * p,
            lambda y, p: p,
            {"value_threshold": {"lower_bound": 0.5}},
            {},
        ),
        ("MeanSquaredError", lambda y, p: 1 - y, lambda y, p: y, _RISE, {}),
        ("MeanSquaredError", lambda y, p: np.append(np.inf, p[1:]), lambda y, p: p, _RISE, {}),
        ("BinaryAccuracy", lambda y, p: 1 - y, lambda y, p: y, _FALL, {"cluster_key": "user"}),
    ],
)
def test_what_no_error_is_known_of_blesses_nothing(
    evidence: str, metric: str, n: Any, o: Any, threshold: dict[str, Any], more: dict[str, Any]
) -> None:
    """Constant or infinite values, a missing prediction of the baseline, and too few clusters."""
    y, p = _rows()
    columns = {"y": y, "n": n(y, p), "o": o(y, p), "user": [f"u{i % 3}" for i in range(len(y))]}
    assert _judged(columns, metric, evidence, threshold, **more) != "blessed"


@pytest.mark.parametrize(
    ("metric", "threshold"),
    [("AUC", _FALL), ("BinaryAccuracy", _FALL), ("MeanSquaredError", _RISE)],
)
@pytest.mark.parametrize("unlabelled", [0, 50])
def test_a_score_that_both_models_lack_hides_no_fall(
    metric: str, threshold: dict[str, Any], unlabelled: int
) -> None:
    """Beside a slice that is as good as before, and of which all is known."""
    y, p = _rows()
    y[:unlabelled] = np.nan
    missing = np.arange(len(y)) == len(y) // 4
    hour = np.arange(len(y)) * 2 // len(y)
    noise = np.random.default_rng(5).random(len(y))
    columns = {
        "y": y,
        "n": np.where(missing, np.nan, np.where(hour == 0, noise, p)),
        "o": np.where(missing, np.nan, p),
        "hour": hour,
    }
    made = _made(metric, "worse", threshold)
    made["slicing_specs"] = [{"feature_keys": ["hour"]}]
    result = benison.evaluate(pa.table(columns), made)
    outcomes = {check.slice: check.outcome for check in result.verdict.checks}
    assert outcomes["hour=0"] == "fail"
    assert outcomes["hour=1"] in {"pass", "undecided"}
    assert any(
        "1 of 600 predictions of n, o are missing" in each for each in result.manifest["advice"]
    )


def test_a_rise_from_no_error_at_all_is_shown() -> None:
    """A root has no slope at 0, where all rows of the baseline are."""
    _, p = _rows()
    nothing = np.zeros(len(p))
    columns = {"y": nothing, "n": p, "o": nothing}
    assert _judged(columns, "RootMeanSquaredError", "worse", _RISE) == "not_blessed"


def test_a_slice_of_one_weighted_row_is_undecided() -> None:
    """More rows could tell, so that others are judged, whatever its weight."""
    y, p = _rows()
    columns = {"y": y, "n": p, "hour": [7, *[8] * (len(y) - 1)]}
    threshold = {"value_threshold": {"upper_bound": 0.5}, "evidence": "worse"}
    model = {"prediction_key": "n", "label_key": "y", "example_weight_key": "w"}
    made = {
        "model_specs": [model],
        "slicing_specs": [{"feature_keys": ["hour"]}],
        "metrics_specs": [
            {"metrics": [{"class_name": "MeanSquaredError", "threshold": threshold}]}
        ],
    }
    for weight in (0.1, 0.7, 3.3):
        weights = np.append(weight, np.linspace(0.1, 1, len(y) - 1))
        verdict = benison.evaluate(pa.table({**columns, "w": weights}), made).verdict
        assert verdict.blessed
        assert {check.slice: check.outcome for check in verdict.checks}["hour=7"] == "undecided"


def test_labels_of_one_class_bless_nothing() -> None:
    _, p = _rows()
    columns = {"y": np.ones(len(p)), "n": p, "o": p}
    assert _judged(columns, "AUC", "worse", _FALL) == "not_evaluated"


def test_a_candidate_that_is_the_baseline_is_blessed() -> None:
    y, p = _rows()
    for metric in ("BinaryAccuracy", "AUC", "F1Score", "BinaryCrossEntropy"):
        threshold = _RISE if metric == "BinaryCrossEntropy" else _FALL
        assert _judged({"y": y, "n": p, "o": p}, metric, "worse", threshold) == "blessed"


@pytest.mark.parametrize(
    "metric",
    ["AUC", "BinaryAccuracy", "F1Score", "MeanSquaredError", "Precision", "SpearmanCorrelation"],
)
@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_a_candidate_that_is_the_baseline_is_shown_to_be_no_worse(metric: str, kind: str) -> None:
    """The change is 0 in all rows, so that there is nothing to test; of 20 rows that is no evidence."""
    y, p = _rows()
    threshold = (_RISE if metric == "MeanSquaredError" else _FALL)["change_threshold"]
    limits = {"direction": threshold["direction"], kind: threshold["absolute"]}
    few = "not_blessed" if kind == "absolute" else "blessed"  # a share of much is much
    for rows, verdict in ((slice(None), "blessed"), (slice(0, 20), few)):
        columns = {"y": y[rows], "n": p[rows], "o": p[rows]}
        if rows.stop is None or metric == "MeanSquaredError":
            assert _judged(columns, metric, "not_worse", {"change_threshold": limits}) == verdict


@pytest.mark.parametrize("metric", ["BinaryAccuracy", "AUC", "Precision"])
@pytest.mark.parametrize(
    "threshold",
    [
        {"value_threshold": {"upper_bound": 1.0}},
        {"value_threshold": {"lower_bound": 0.0}},
        {"change_threshold": {"absolute": -1.0, "direction": "HIGHER_IS_BETTER"}},
        {"change_threshold": {"relative": -1.0, "direction": "HIGHER_IS_BETTER"}},
    ],
)
def test_a_bound_at_the_end_of_the_range_is_always_met(
    metric: str, threshold: dict[str, Any]
) -> None:
    y, p = _rows()
    for n in (y, p):
        assert _judged({"y": y, "n": n, "o": y}, metric, "not_worse", threshold) == "blessed"


@pytest.mark.parametrize("evidence", ["point", "worse", "not_worse"])
@pytest.mark.parametrize("kind", ["value", "change"])
def test_a_count_of_no_rows_is_no_value(evidence: str, kind: str) -> None:
    """No row weighs anything, so that there are no false positives, of which nobody knows anything."""
    specs = [
        {"name": n, "prediction_key": n, "label_key": "y", "example_weight_key": "w"} for n in "no"
    ]
    specs[1]["is_baseline"] = True  # type: ignore[assignment]
    threshold = {"value_threshold": {"upper_bound": 5.0}} if kind == "value" else _RISE
    bound = {"class_name": "FalsePositives", "threshold": {**threshold, "evidence": evidence}}
    made = {
        "model_specs": specs,
        "slicing_specs": [{"feature_keys": ["hour"]}],
        "metrics_specs": [{"metrics": [bound]}],
    }
    y, p = _rows()
    columns = {"y": y, "n": p, "o": p, "hour": y, "w": y}
    verdict = benison.evaluate(pa.table(columns), made).verdict
    (check,) = [each for each in verdict.checks if each.slice == "hour=0"]
    assert check.outcome == "fail"
    assert check.reason.startswith("false_positives of hour=0 is undefined because none of its")


@pytest.mark.parametrize("metric", ["AUC", "BinaryAccuracy", "MeanSquaredError"])
@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_slice_without_a_label_is_not_blessed(metric: str, evidence: str) -> None:
    y, p = _rows()
    threshold = _RISE if metric == "MeanSquaredError" else _FALL
    bound = {"class_name": metric, "threshold": {**threshold, "evidence": evidence}}
    made = {
        "model_specs": [
            {"name": "n", "prediction_key": "n", "label_key": "y"},
            {"name": "o", "prediction_key": "o", "label_key": "y", "is_baseline": True},
        ],
        "slicing_specs": [{}, {"feature_keys": ["plan"]}],
        "metrics_specs": [{"metrics": [bound]}],
    }
    is_pro = np.arange(len(y)) % 5 == 0
    labels = np.where(is_pro, np.nan, y)
    columns = {"y": labels, "n": p, "o": p, "plan": np.where(is_pro, "pro", "basic")}
    verdict = benison.evaluate(pa.table(columns), made).verdict
    assert verdict.status == "not_blessed"
    assert [check.slice for check in verdict.failures] == ["plan=pro"]


@pytest.mark.parametrize("metric", ["AUC", "BinaryAccuracy", "MeanSquaredError", "Calibration"])
@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_row_that_weighs_nothing_is_no_evidence(metric: str, evidence: str) -> None:
    y, p = _rows()
    bound = {"class_name": metric, "threshold": {**_FALL, "evidence": evidence}}
    names = {"label_key": "y", "example_weight_key": "w"}
    made = {
        "model_specs": [
            {"name": "n", "prediction_key": "n", **names},
            {"name": "o", "prediction_key": "o", "is_baseline": True, **names},
        ],
        "metrics_specs": [{"metrics": [bound]}],
    }
    rows = {"y": y, "n": p, "o": np.roll(p, 1) * 0.1 + p * 0.9, "w": np.ones(len(y))}
    more = {"y": 1.0, "n": np.inf, "o": 0.5, "w": 0.0}
    tables = [rows, {name: np.append(column, more[name]) for name, column in rows.items()}]
    (check,), (again,) = (benison.evaluate(pa.table(t), made).verdict.checks for t in tables)
    assert (again.zone, again.p_value) == (check.zone, pytest.approx(check.p_value, abs=1e-12))


def test_three_flagged_rows_do_not_show_that_precision_is_no_worse() -> None:
    y, p = _rows(3000)
    few = np.zeros(3000)
    few[np.flatnonzero(y == 1)[:3]] = 0.9
    assert _judged({"y": y, "n": few, "o": p}, "Precision", "not_worse", _FALL) == "not_blessed"


def test_a_relative_change_of_few_rows_that_differ_is_as_sure_as_an_absolute_one() -> None:
    """Of 60 rows, of which the baseline has 54 right, 1 % is half a row: the candidate may have lost none by chance."""
    y = np.ones(60)
    o = np.append(np.full(54, 0.9), np.full(6, 0.1))
    n = 0.5 + (o - 0.5) / 2  # other scores that decide alike
    relative = {"change_threshold": {"relative": -0.01, "direction": "HIGHER_IS_BETTER"}}
    assert (
        _judged({"y": y, "n": n, "o": o}, "BinaryAccuracy", "not_worse", relative) == "not_blessed"
    )


@pytest.mark.parametrize("evidence", ["worse", "not_worse"])
def test_a_relative_change_of_a_baseline_of_0_is_undefined_and_no_warning(evidence: str) -> None:
    y, p = _rows()
    columns = {"y": y, "n": p, "o": np.full(len(y), 0.1)}
    relative = {"change_threshold": {"relative": -0.01, "direction": "HIGHER_IS_BETTER"}}
    assert _judged(columns, "Recall", evidence, relative) == "not_blessed"


def test_rows_are_lost_where_wrong_decisions_are_counted_too() -> None:
    y, p = _rows()
    worse = np.where((y == 0) & (np.arange(600) % 3 == 0), 0.9, p)
    specs = [
        {"name": "n", "prediction_key": "n", "label_key": "y"},
        {"name": "o", "prediction_key": "o", "label_key": "y", "is_baseline": True},
    ]
    bound = {"class_name": "FallOut", "threshold": {**_RISE, "evidence": "worse"}}
    made = {"model_specs": specs, "metrics_specs": [{"metrics": [bound]}]}
    verdict = benison.evaluate(pa.table({"y": y, "n": worse, "o": p}), made).verdict
    (check,) = verdict.table.to_pylist()
    assert (check["lost"] > 50, check["won"], check["outcome"]) == (True, 0, "fail")


@pytest.mark.parametrize("kind", [str, float])
def test_clusters_that_are_missing_are_refused(kind: type) -> None:
    y, p = _rows()
    user = [kind(i % 50) if i % 2 else {str: None, float: np.nan}[kind] for i in range(len(y))]
    with pytest.raises(benison.DataError, match="'user', the cluster_key .* is missing"):
        _judged({"y": y, "n": p, "o": p, "user": user}, "AUC", "worse", _FALL, cluster_key="user")


def test_a_column_without_a_name_is_not_overall() -> None:
    y, p = _rows()
    table = pa.table({"y": y, "n": p, "": ["a", "b"] * 300})
    threshold = {"value_threshold": {"lower_bound": 0.0}}
    per_slice = {"slicing_specs": [{}], "threshold": threshold}
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{}, {"feature_keys": [""]}],
        "metrics_specs": [
            {"metrics": [{"class_name": "AUC", "per_slice_thresholds": [per_slice]}]}
        ],
    }
    assert benison.evaluate(table, made).verdict.table["slice"].to_pylist() == ["Overall"]


@pytest.mark.parametrize("kind", ["slice_difference", "slice_ratio"])
def test_comparisons_of_slices_have_the_errors_of_both(kind: str) -> None:
    """Of shares of two shops, which have no row in common, and of Overall, in which they are."""
    rng = np.random.default_rng(4)
    shop = np.repeat(["a", "b"], [400, 900])
    y = np.ones(1300)
    n = np.where(rng.random(1300) < np.where(shop == "a", 0.8, 0.6), 0.9, 0.1)
    bounds = {"value_threshold": {"lower_bound": 1.1 if kind == "slice_ratio" else 0.1}}
    crossing = {
        "baseline_spec": {"feature_values": {"shop": "a"}},
        "slicing_specs": [{"feature_keys": ["shop"]}],
    }
    crossed = {"cross_slicing_specs": [crossing], "threshold": {**bounds, "evidence": "not_worse"}}
    name = "binary_accuracy" + ("_ratio" if kind == "slice_ratio" else "")
    overall = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["shop"]}]}
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{}, {"feature_keys": ["shop"]}],
        "cross_slicing_specs": [crossing, overall],
        "metrics_specs": [
            {
                "metrics": ["BinaryAccuracy"],
                "cross_slice_thresholds": {name: {"thresholds": [crossed]}},
            }
        ],
    }
    result = benison.evaluate(pa.table({"y": y, "n": n, "shop": shop}), made)
    rows = {r["slice"]: r for r in result.metrics.to_pylist() if r["kind"] == kind}
    p = [(np.sum(n[shop == s] > 0.5) + 1) / (np.sum(shop == s) + 2) for s in "ab"]
    errors = [np.sqrt(q * (1 - q) / (m + 2)) for q, m in zip(p, (400, 900), strict=True)]
    a, b = (np.mean(n[shop == s] > 0.5) for s in "ab")
    ratio = a / b if kind == "slice_ratio" else 1.0
    expected = np.hypot(errors[0], ratio * errors[1]) / (b if kind == "slice_ratio" else 1.0)
    apart = rows["shop=a vs shop=b"]
    assert apart["std_error"] == pytest.approx(expected)
    assert apart["lower"] < apart["value"] < apart["upper"]
    assert np.isnan(rows["Overall vs shop=a"]["std_error"])
    (check,) = result.verdict.checks
    z = (a - 1.1 * b if kind == "slice_ratio" else a - b - 0.1) / np.hypot(
        errors[0], (1.1 if kind == "slice_ratio" else 1.0) * errors[1]
    )
    assert check.p_value == pytest.approx(stats.norm.sf(z), rel=0.05)
    assert check.outcome == ("pass" if check.p_value <= 0.05 else "fail")


def test_slices_of_lists_may_share_rows_so_that_nothing_is_shown() -> None:
    tags = [["a"], ["b"], ["a", "b"], ["b"]] * 50
    crossing = {
        "baseline_spec": {"feature_values": {"tag": "a"}},
        "slicing_specs": [{"feature_keys": ["tag"]}],
    }
    made = {
        "model_specs": [{"prediction_key": "n", "label_key": "y"}],
        "slicing_specs": [{"feature_keys": ["tag"]}],
        "cross_slicing_specs": [crossing],
        "metrics_specs": [{"metrics": ["BinaryAccuracy"]}],
        "options": {"confidence": {"level": 0.95}},
    }
    columns = {"y": [1.0, 0.0] * 100, "n": [0.9, 0.2, 0.8, 0.7] * 50}
    for tag, is_known in ((tags, False), ([each[:1] for each in tags], True)):
        metrics = benison.evaluate(pa.table({**columns, "tag": tag}), made).metrics.to_pylist()
        (error,) = [r["std_error"] for r in metrics if r["kind"] == "slice_difference"]
        assert np.isfinite(error) == is_known


def test_few_positives_show_no_area_above_its_true_value() -> None:
    """Where the bound is the true area, a twentieth of slices may be shown to be above it."""
    labels = np.tile(np.repeat([1.0, 0.0], [12, 28]), 600)
    scores = np.random.default_rng(5).normal(2 * labels, 1)
    bound = {"value_threshold": {"lower_bound": stats.norm.cdf(2 / np.sqrt(2))}}
    made = _made("AUC", "not_worse", bound) | {"slicing_specs": [{"feature_keys": ["c"]}]}
    rows = {"y": labels, "n": scores, "o": scores, "c": np.repeat(np.arange(600), 40)}
    zones = benison.evaluate(pa.table(rows), made).verdict.table["zone"].to_pylist()
    assert 0.01 < zones.count("not_worse") / 600 < 0.08
