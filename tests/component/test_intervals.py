# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals: against what many samples show, and the same however the rows arrive."""

from __future__ import annotations

import collections
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import benison
from benison.data.batch import Extracts
from benison.engine.intervals import REPLICATES
from benison.table.slice_columns import QUANTILE
from benison.table.words import metric_text

METHODS = ["JACKKNIFE", "POISSON_BOOTSTRAP"]
METRICS = ["ExampleCount", "BinaryAccuracy", "AUC", "MeanLabel", "MeanSquaredError"]
SLICES: list[dict[str, Any]] = [{}, {"feature_keys": ["store"]}]


def sample(seed: int, rows: int) -> pa.Table:
    """Labels, two models that err alike, stores of different sizes, and weights."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    shared = rng.normal(size=rows)
    score = 1 / (1 + np.exp(-(label - 0.5 + shared)))
    better = 1 / (1 + np.exp(-(1.4 * label - 0.6 + shared + 0.1 * rng.normal(size=rows))))
    return pa.table(
        {
            "label": label,
            "score": score,
            "better": better,
            "store": [f"s{i}" for i in np.minimum(rng.geometric(0.4, rows), 5)],
            "weight": rng.gamma(2.0, size=rows),
        }
    )


def samples(count: int, rows: int) -> pa.Table:
    """Samples that a column tells apart: slices of one evaluation, whose rows are grouped independently."""
    tables = [sample(seed, rows) for seed in range(1, count + 1)]
    numbers = np.repeat(np.arange(1, count + 1), rows)
    return pa.concat_tables(tables).append_column("sample", pa.array(numbers))


def config(method: str = "", metrics: list[str] = METRICS, **spec: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"compute_confidence_intervals": True}
    if method:
        options["confidence_intervals"] = {"method": method}
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "score", **spec}],
        "slicing_specs": SLICES,
        "metrics_specs": [{"metrics": [{"class_name": name} for name in metrics]}],
        "options": options,
    }


def compared(method: str = "") -> dict[str, Any]:
    both = config(method)
    both["model_specs"] = [
        {"name": "candidate", "label_key": "label", "prediction_key": "better"},
        {"name": "baseline", "label_key": "label", "prediction_key": "score", "is_baseline": True},
    ]
    return both


def intervals(result: benison.EvalResult) -> dict[tuple[str, str, str], tuple[float, float, float]]:
    rows = result.metrics.to_pylist()
    return {
        (row["model"], row["slice"], metric_text(row["metric"], row["kind"])): (
            row["lower"],
            row["value"],
            row["upper"],
        )
        for row in rows
    }


def test_the_quantile_is_students() -> None:
    assert stats.t.ppf(0.975, REPLICATES - 1) == pytest.approx(QUANTILE, rel=1e-15)


@pytest.mark.parametrize("method", ["", *METHODS])
def test_a_mean_has_the_interval_of_its_standard_error(method: str) -> None:
    """Of 20 replicates a standard error is known to a sixth, so that 60 of them tell their mean."""
    table = samples(60, 1_000)
    asked = {**config(method, ["MeanLabel"]), "slicing_specs": [{"feature_keys": ["sample"]}]}
    result = intervals(benison.evaluate(table, asked))
    lower, value, upper = np.array([*result.values()]).T
    np.testing.assert_allclose(upper - value, value - lower)
    errors = [stats.sem(labels) for labels in table["label"].to_numpy().reshape(60, 1_000)]
    assert np.mean(upper - lower) / 2 / QUANTILE == pytest.approx(np.mean(errors), rel=0.07)


@pytest.fixture(scope="module")
def many() -> pa.Table:
    return samples(150, 600)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighted", [False, True])
def test_intervals_hold_the_truth_in_95_of_100_samples(
    many: pa.Table, method: str, weighted: bool
) -> None:
    weights = {"example_weight_key": "weight"} if weighted else {}
    exact = {**config("", METRICS, **weights), "options": {"confidence": "off"}}
    truth = intervals(benison.evaluate(sample(0, 1_000_000), exact))
    each = [{"feature_keys": ["sample"]}, {"feature_keys": ["sample", "store"]}]
    asked = {**config(method, METRICS, **weights), "slicing_specs": each}
    held = collections.Counter[tuple[str, str]]()
    for row in benison.evaluate(many, asked).metrics.to_pylist():
        store = {part["feature"]: part["value"] for part in row["slice_key"]}.get("store")
        of = f"store={store}" if store else "Overall"
        held[of, row["metric"]] += row["lower"] <= truth["", of, row["metric"]][1] <= row["upper"]
    judged = [
        held[of, metric] / 150
        for of in ("Overall", "store=s1", "store=s2")
        for metric in ("binary_accuracy", "auc", "mean_label", "mean_squared_error")
    ]
    assert min(judged) > 0.85
    assert 0.91 < np.mean(judged) < 0.98


def test_the_interval_of_a_change_is_that_of_pairs() -> None:
    """Two models that err on the same rows differ more surely than their own intervals say."""
    result = intervals(benison.evaluate(sample(1, 20_000), compared()))

    def width(model: str, metric: str) -> float:
        lower, _, upper = result[model, "Overall", metric]
        return upper - lower

    change = width("candidate", "auc_diff")
    assert 0 < change < 0.6 * min(width("candidate", "auc"), width("baseline", "auc"))


def test_a_number_of_examples_and_an_undefined_value_have_none() -> None:
    table = pa.table({"label": [1, 1, 1, 0] * 5, "score": [0.7] * 20, "store": ["a", "b"] * 10})
    result = intervals(benison.evaluate(table, config()))
    for metric, of in (("example_count", "Overall"), ("auc", "store=a")):
        lower, _, upper = result["", of, metric]
        assert math.isnan(lower)
        assert math.isnan(upper)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ["local", "beam"])
def test_the_same_on_both_engines_and_with_rows_in_several_parts(
    tmp_path: Path, engine: str, method: str
) -> None:
    table = sample(3, 3_000)
    expected, actual = [], []
    for name, groups in (("one", 3_000), ("many", 271)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "data.parquet"
        pq.write_table(table, path, row_group_size=groups)
        result = benison.evaluate(str(path), config(method), engine=engine)
        (expected if name == "one" else actual).append(result.metrics)
    for column in ("value", "lower", "upper"):
        a, b = (side[0][column].to_numpy() for side in (expected, actual))
        np.testing.assert_allclose(a, b, rtol=1e-10)
    if engine == "beam":
        local = benison.evaluate(str(path), config(method)).metrics
        np.testing.assert_allclose(local["lower"], actual[0]["lower"], rtol=1e-10)


def test_values_do_not_depend_on_intervals() -> None:
    table = sample(4, 5_000)
    without = compared()
    del without["options"]
    plain = benison.evaluate(table, without).metrics
    assert np.isnan(plain["lower"].to_numpy()).all()
    for method in METHODS:
        result = benison.evaluate(table, compared(method)).metrics
        np.testing.assert_allclose(result["value"], plain["value"], rtol=1e-12)


def test_crossed_slices_and_features_with_several_values() -> None:
    table = sample(5, 4_000)
    words = [["a", "b"][: 1 + i % 2] for i in range(len(table))]
    asked = config("", ["MeanLabel"])
    asked["slicing_specs"] = [{}, {"feature_keys": ["word"]}]
    asked["cross_slicing_specs"] = [
        {
            "baseline_spec": {"feature_values": {"word": "a"}},
            "slicing_specs": [{"feature_values": {"word": "b"}}],
        }
    ]
    for method in METHODS:
        asked["options"]["confidence_intervals"] = {"method": method}
        result = intervals(benison.evaluate(table.append_column("word", pa.array(words)), asked))
        for of in ("word=a", "word=b"):
            lower, value, upper = result["", of, "mean_label"]
            rows = 4_000 if of == "word=a" else 2_000
            se = math.sqrt(value * (1 - value) / rows)
            assert 0.4 < (upper - lower) / 2 / QUANTILE / se < 2
        lower, value, upper = result["", "word=a vs word=b", "mean_label"]
        assert lower < value < upper
        assert lower > -0.1


class Half:
    """Drops every other row, of the features and, if it is consistent, of the numbers of the rows."""

    stage_name = "DropRows"

    def __init__(self, consistent: bool) -> None:
        self.consistent = consistent

    def extract(self, extracts: Extracts) -> Extracts:
        rows = pa.array(range(0, extracts["features"].num_rows, 2))
        some: Extracts = {**extracts, "features": extracts["features"].take(rows)}
        return (
            {**some, "row_numbers": extracts["row_numbers"].take(rows)} if self.consistent else some
        )


def test_an_extractor_that_drops_rows() -> None:
    full = benison.EvalConfig.load(config()).with_defaults(False)
    stages = benison.default_extractors(full)
    kept = benison.evaluate(sample(7, 1_000), config(), extractors=[Half(True), *stages])
    assert intervals(kept)["", "Overall", "example_count"][1] == 500
    assert intervals(kept)["", "Overall", "auc"][0] > 0
    with pytest.raises(benison.DataError, match="1,000 numbers of rows.*row_numbers"):
        benison.evaluate(sample(7, 1_000), config(), extractors=[Half(False), *stages])


def test_a_failed_check_says_its_interval() -> None:
    asked = config("", ["MeanLabel"])
    asked["metrics_specs"][0]["metrics"][0]["threshold"] = {"value_threshold": {"lower_bound": 0.9}}
    (reason, *_) = benison.evaluate(sample(6, 2_000), asked).verdict.reasons
    assert "(95 % interval 0." in reason


def test_a_failed_change_says_the_interval_of_the_change() -> None:
    asked = compared()
    asked["metrics_specs"][0]["metrics"][2]["threshold"] = {
        "change_threshold": {"absolute": {"value": 0.5}, "direction": "HIGHER_IS_BETTER"}
    }
    result = benison.evaluate(sample(6, 2_000), asked)
    lower, change, upper = intervals(result)["candidate", "Overall", "auc_diff"]
    check = result.verdict.checks[0]
    assert (check.lower, check.change, check.upper) == (lower, change, upper)
    assert f"95 % interval of the change {lower:.4g} to {upper:.4g}, 2,000 examples" in check.reason


def test_the_interval_of_a_relative_change_is_of_the_ratio() -> None:
    """Three times the baseline on nearly every row: the difference varies with the rows, the ratio hardly."""
    rng = np.random.default_rng(8)
    score = rng.gamma(2.0, size=2_000)
    better = 3 * score + 0.1 * rng.normal(size=2_000)
    table = sample(6, 2_000).set_column(1, "score", [score]).set_column(2, "better", [better])
    asked = compared()
    threshold = {"change_threshold": {"relative": 0.05, "direction": "LOWER_IS_BETTER"}}
    asked["metrics_specs"] = [
        {"metrics": [{"class_name": "MeanPrediction", "threshold": threshold}]}
    ]
    check = benison.evaluate(table, asked).verdict.checks[0]
    ratio = better.mean() / score.mean()
    assert check.change == pytest.approx(ratio - 1)
    expected = stats.sem(better - ratio * score) / score.mean()
    assert (check.upper - check.lower) / 2 / QUANTILE == pytest.approx(expected, rel=0.4)
    assert (check.upper + check.lower) / 2 == pytest.approx(check.change)
    ends = f"{100 * check.lower:.4g}% to {100 * check.upper:.4g}%"
    assert f"95 % interval of the change {ends}, 2,000 examples" in check.reason


@pytest.mark.parametrize("method", METHODS)
def test_intervals_stay_where_values_can_be_and_none_is_of_no_width(method: str) -> None:
    rng = np.random.default_rng(9)
    label = np.arange(40) % 2
    table = pa.table(
        {
            "label": label,
            "better": np.where(rng.random(40) < 0.03, 1 - label, label).astype(float),
            "score": rng.random(40),
            "store": np.arange(40) % 4,
        }
    )
    asked = compared(method)
    names = ("Recall", "BinaryAccuracy", "MeanSquaredError")
    asked["metrics_specs"] = [{"metrics": [{"class_name": name} for name in names]}]
    result = benison.evaluate(table, asked).metrics.to_pylist()
    known = [row for row in result if not math.isnan(row["lower"])]
    assert any(row["value"] + QUANTILE * row["std_error"] > 1 for row in known)
    for row in known:
        high = math.inf if row["metric"] == "mean_squared_error" else 1.0
        low = -high if row["kind"] == "change" else 0.0
        assert low <= row["lower"] < row["upper"] <= high
    perfect = [row for row in result if row["metric"] == "recall" and row["value"] == 1.0]
    assert perfect
    assert all(math.isnan(row["upper"]) and math.isnan(row["std_error"]) for row in perfect)
