# SPDX-License-Identifier: Apache-2.0
"""A bound that a probe could not be held against leaves the run unevaluated, and costs no metric."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

import benison
from benison.config import ProbeSpec
from benison.errors import ConfigError, OutputError
from benison.evaluation.probe_evidence import evidence_of
from benison.probes import changes
from benison.probes.probe_findings import ProbeFinding

Model: TypeAlias = "Callable[[Any], Any]"
ROWS = 60
COUNTED = {
    "class_name": "ExampleCount",
    "threshold": {"value_threshold": {"lower_bound": {"value": 1}}},
}


def rides() -> pa.Table:
    rng = np.random.default_rng(3)
    fare = rng.normal(size=ROWS)
    company = rng.choice(["Blue", "Red"], ROWS)
    columns = {
        "company": company,
        "constant": np.ones(ROWS),
        "null": pa.nulls(ROWS),
        "missing": pa.nulls(ROWS, pa.string()),
        "stops": np.arange(ROWS) % 2,
        "tags": pa.array([[*"ab"]] * ROWS),
        "box": pa.array([{"x": 1}] * ROWS),
        "tip": np.arange(ROWS) % 2,
    }
    return pa.table({"fare": fare, **columns})


def by_fare(frame: Any) -> Any:
    return 1 / (1 + np.exp(-frame["fare"].fillna(0.0)))


def rarely_yes(frame: Any) -> Any:
    """Yes on the first row with its own stops alone."""
    is_first = (frame["fare"] == rides()["fare"][1].as_py()) & (frame["stops"] == 1)
    return np.where(is_first, 0.9, 0.1)


def evaluated(
    probe: Any,
    *metrics: Any,
    data: Any = None,
    model: Model | str = by_fare,
    more: Any = None,
    **fields: Any,
) -> Any:
    config = {
        "model_specs": [{"label_key": "tip"}],
        "metrics_specs": [{"metrics": [COUNTED, *metrics]}],
        "debugging": {"probes": [probe]},
        **fields,
    }
    table = rides() if data is None else data
    return benison.evaluate(table, config, model=model, **(more or {}))


def on(name: str, *features: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "features": [*features], "at_most": 0, **options}


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ({"name": "permutation_importance", "metric": "precision", "at_least": 0}, "not defined"),
        ({"name": "better_than_prior", "at_least": 0.5}, "nothing to measure"),
        (on("noise_flips", "company"), "no row gets another value"),
        (on("noise_flips", "stops", by=0.1), "too small for whole numbers"),
        (on("random_attack", "company"), "no row gets another value"),
        (on("boundary_distance", "company"), "a number that differs"),
        (on("feature_swaps", "missing"), "no other value"),
        (on("feature_swaps", "box"), "ArrowNotImplementedError"),
        (on("monotone", "constant"), "the same value"),
        (on("monotone", "null"), "the same value"),
        (on("directional", "null", by=1), "the same value"),
        (on("invariant", "constant"), "the same value"),
        (on("permutation_flips", "constant"), "the same value"),
        (on("missing_flips", "null"), "the same value"),
        (on("partial_dependence", "constant"), "one value"),
        (on("better_than_linear", "tags"), "tags has several values in a row"),
        (on("residuals_by_feature", "tags"), "several values in a row"),
    ],
    ids=lambda each: (
        "-".join([each["name"], *each.get("features", ())]) if isinstance(each, dict) else ""
    ),
)
def test_a_bound_on_what_was_not_measured_is_not_passed(probe: dict[str, Any], words: str) -> None:
    metric = {"better_than_prior": "MeanPrediction"}.get(probe["name"], "BinaryAccuracy")
    model = rarely_yes if probe.get("metric") == "precision" else by_fare
    result = evaluated(probe, metric, "Precision", model=model)
    rows = result.probes.to_pylist()
    open_rows = [row for row in rows if row["outcome"] == "not_evaluated"]
    assert any(words in row["sentence"] for row in open_rows), rows
    assert result.verdict.status == "not_evaluated"
    assert result.value("example_count") == ROWS


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("missing_flips", {"fare", "constant"}),
        ("permutation_flips", {"fare"}),
        ("partial_dependence", {"fare"}),
        ("permutation_importance", {"fare"}),
    ],
)
def test_a_feature_that_nobody_named_and_nothing_changes_is_left_out(
    name: str, left: set[str]
) -> None:
    bounded = {"name": name, "at_most": 1}
    data = rides().select(["fare", "constant", "null", "tip"])
    result = evaluated(bounded, "BinaryAccuracy", data=data)
    assert {*result.probes["feature"].to_pylist()} == left
    assert result.verdict.status == "blessed"
    empty = evaluated(bounded, data=data.select(["null", "tip"]), model=lambda f: f["tip"] * 0.0)
    words = "is defined on the rows" if name == "permutation_importance" else "nothing to measure"
    assert words in empty.probes["sentence"][0].as_py()
    assert empty.verdict.status == "not_evaluated"


def test_all_rows_of_the_same_decision_are_near_no_boundary() -> None:
    result = evaluated(on("boundary_distance", "fare"), model=lambda frame: 0 * frame["fare"])
    assert "the same decision" in result.probes["sentence"][0].as_py()
    assert result.verdict.status == "not_evaluated"


@pytest.mark.parametrize("name", ["residuals_by_feature", "better_than_linear"])
def test_lists_of_one_value_are_that_value(name: str) -> None:
    values = [None if i % 9 == 0 else float(i % 2) for i in range(ROWS)]
    lists = [[] if each is None else [each] for each in values]
    kinds = (pa.float64(), pa.list_(pa.float64()))
    seen = []
    for column in map(pa.array, (values, lists), kinds):
        data = rides().append_column("miles", column)
        (row,) = evaluated(
            {"name": name, "features": ["miles"]}, "AUC", data=data
        ).probes.to_pylist()
        seen.append((row["value"], row["lower"], row["upper"]))
    assert seen[0] == seen[1]
    assert np.isfinite(seen[0]).all()


def test_a_bound_needs_every_candidate_to_be_called() -> None:
    data = rides().append_column("score", pa.array(np.zeros(ROWS)))
    config = {
        "model_specs": [
            {"name": "a", "label_key": "tip"},
            {"name": "b", "label_key": "tip", "prediction_key": "score"},
        ],
        "metrics_specs": [{"metrics": [COUNTED]}],
        "debugging": {"probes": [on("permutation_flips", "fare", at_most=1)]},
    }
    with pytest.raises(ConfigError, match="held against 'b'"):
        benison.evaluate(data, config, model={"a": by_fare})


def test_a_warning_is_no_threshold_beside_a_bound() -> None:
    result = evaluated(
        on("permutation_flips", "fare", at_most=1), weak_slices={"gate": "warn", "min_examples": 50},
        metrics_specs=[{"metrics": ["AUC"]}],
    )  # fmt: skip
    assert (result.verdict.counts["warn"], result.verdict.status) == (1, "blessed")


@pytest.mark.parametrize(
    ("column", "other", "same"),
    [
        ([1.0, float("nan")], [1.0, None], True),
        ([[1], [1, 1]], [[1, 1], [1]], False),
        ([2**60, 1], [2**60 + 1, 1], False),
        (["a", None], ["a", "b"], False),
    ],
)
def test_a_change_is_told_from_none(column: Any, other: Any, same: bool) -> None:
    assert changes.is_same(pa.array(column, from_pandas=False), pa.array(other)) == same


def low_alone(frame: Any) -> Any:
    return by_fare(frame).where(frame["fare"] < 1)


@pytest.mark.parametrize(
    ("probe", "model", "words"),
    [
        ("membership", by_fare, "trained.parquet"),
        (on("partial_dependence", "fare"), low_alone, "no finite score"),
        (on("missing_flips", "idle"), by_fare, "does not read the feature 'idle'"),
    ],
    ids=["training", "scores", "unread"],
)
def test_what_a_probe_needs_and_has_not_costs_no_metric(
    probe: Any, model: Model, words: str
) -> None:
    data = rides().append_column("idle", pa.array(np.zeros(ROWS)))
    trained = {"training_examples": "trained.parquet"} if probe == "membership" else {}
    asked = {"probes": [probe], **trained}
    specs = [{"label_key": "tip", "feature_keys": ["fare"]}]
    result = evaluated(probe, data=data, model=model, debugging=asked, model_specs=specs)
    assert words in result.probes["sentence"][0].as_py()
    assert result.value("example_count") == ROWS


YES_11 = np.array([1] * 11 + [0] * 9)


def right_on_14(frame: Any) -> Any:
    return np.where(frame["at"] < 14, YES_11[frame["at"]], 1 - YES_11[frame["at"]]) * 1.0


@pytest.mark.parametrize(
    ("probe", "status"),
    [
        (
            {"name": "better_than_majority", "metric": "binary_accuracy", "at_least": 0.15},
            "blessed",
        ),
        (
            {"name": "better_than_majority", "metric": "binary_accuracy", "at_least": 0.150001},
            "not_blessed",
        ),
        ({"name": "feature_swaps", "features": ["at"], "at_most": 0.99999999999}, "not_blessed"),
    ],
    ids=["tie", "below", "share"],
)
def test_a_gain_at_its_bound_is_within_it_and_shares_are_exact(
    probe: dict[str, Any], status: str
) -> None:
    data = pa.table({"at": np.arange(20), "tip": YES_11})
    result = evaluated(probe, "BinaryAccuracy", data=data, model=right_on_14)
    assert result.verdict.status == status, result.probes.to_pylist()


def test_a_verdict_is_bound_to_the_training_examples(tmp_path: Path) -> None:
    trained = tmp_path / "trained.parquet"
    asked = {"probes": [{"name": "membership", "at_most": 1}], "training_examples": str(trained)}
    more = {"output": tmp_path / "out", "pipeline": "trips", "run": "monday", "trust_pickle": True}

    def run() -> Any:
        return evaluated(None, model=path, debugging=asked, more=more)

    frame = rides().select(["fare", "tip"]).to_pandas()
    path = str(tmp_path / "model.joblib")
    joblib.dump(LogisticRegression().fit(frame[["fare"]], frame["tip"]), path)
    pq.write_table(rides().select(["fare", "tip"]), trained)
    result = run()
    assert result.verdict.status == "blessed"
    marker = json.loads((tmp_path / "out" / "BLESSED").read_text())
    assert marker["training"]["digest"] == result.manifest["training"]["digest"]
    os.utime(trained, ns=(1, 1))
    assert run().manifest == benison.load_result(tmp_path / "out").manifest
    pq.write_table(rides().select(["fare", "tip"]).slice(1), trained)
    with pytest.raises(OutputError, match="other data"):
        run()


@pytest.mark.parametrize(
    ("count", "bound", "evidence", "zone", "outcome"),
    [
        (20, 0.1, "worse", "worse", "fail"),
        (12, 0.1, "worse", "undecided", "undecided"),
        (12, 0.1, "not_worse", "undecided", "fail"),
        (9, 0.1, "worse", "undecided", "undecided"),
        (14, 0.1, "worse", "undecided", "undecided"),
        (14, 0.1, "not_worse", "undecided", "fail"),
        (6, 0.1, "worse", "undecided", "undecided"),
        (2, 0.1, "not_worse", "not_worse", "pass"),
        (100, 1.0, "not_worse", "not_worse", "pass"),
    ],
)
def test_bounds_of_probes_are_judged_by_evidence(
    count: int, bound: float, evidence: str, zone: str, outcome: str
) -> None:
    """Of 100 rows, by exact tests of a share; of two findings `worse` is corrected for both."""
    spec = ProbeSpec(name="noise_flips", at_most=bound, evidence=evidence)
    finding = ProbeFinding("noise_flips", "", value=count / 100, count=count, rows=100)
    none = ProbeFinding("noise_flips", "", value=0.0, count=0, rows=100)
    shown = evidence_of([(spec, finding), (spec, none)], 0.05, "holm")[0]
    assert shown is not None
    assert (shown.zone, shown.outcome(evidence)) == (zone, outcome)
    side = "greater" if evidence == "worse" else "less"
    exact = stats.binomtest(count, 100, bound, alternative=side).pvalue
    assert shown.p_value == pytest.approx(exact, rel=1e-9)
    if evidence == "worse":
        assert (shown.family_size, shown.p_adjusted) == (2, pytest.approx(min(2 * exact, 1)))
    error = math.sqrt((count + 1) * (101 - count) / 102**3)  # with one row more of each kind
    distance = abs(count / 100 - bound)
    if zone != "undecided" or distance <= error:  # as of the thresholds on metrics
        assert shown.needed_examples is None
        return
    alpha = 0.025 if evidence == "worse" and count / 100 > bound else 0.05
    reached = error * (stats.norm.isf(alpha) + stats.norm.isf(0.2))
    assert shown.needed_examples == math.ceil(100 * (reached / distance) ** 2)


def test_an_undecided_bound_of_a_probe_blesses_and_says_so() -> None:
    probe = on("permutation_flips", "fare", at_most=0.4, evidence="worse")
    result = evaluated(probe)
    (row,) = result.probes.to_pylist()
    assert (row["outcome"], row["zone"], row["family_size"]) == ("undecided", "undecided", 1)
    assert "40 % is allowed: undecided; 60 rows cannot tell, about" in row["sentence"]
    check = result.verdict.checks[-1]
    assert (check.evidence, check.outcome, check.needed_examples) == (
        "worse",
        "undecided",
        row["needed_examples"],
    )
    assert result.verdict.status == "blessed"
    assert "1 is undecided" in result.verdict.summary()


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ({"name": "noise_flips", "evidence": "worse"}, "is of a bound"),
        (on("better_than_linear", evidence="worse"), "is no share of rows"),
        (on("noise_flips", "fare", evidence="not_worse"), "no sample shows"),
    ],
)
def test_evidence_that_no_rows_give_is_refused(probe: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"evidence: .*{words}"):
        evaluated(probe)
