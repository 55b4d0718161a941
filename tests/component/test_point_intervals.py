# SPDX-License-Identifier: Apache-2.0
"""Intervals of lists, of tables and of the points of plots."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

import benison
from benison.data.batch import Array

ROWS, LEVEL, ABOVE = 400, 0.9, [0.3, 0.7]


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, ROWS)
    new, old = np.clip(rng.normal([0.35, 0.4], 0.2, (ROWS, 2)).T + 0.25 * label, 0.01, 0.99)
    fare = label + rng.exponential(size=ROWS)
    weight = rng.exponential(size=ROWS) + label
    return pa.table({"label": label, "new": new, "old": old, "weight": weight, "fare": fare})


def evaluated(
    rows: pa.Table, *metrics: tuple[str, dict[str, Any]], **more: Any
) -> benison.EvalResult:
    """By two models, weighted and not."""
    keys = {"label_key": more.pop("label", "label"), "example_weight_key": "weight"}
    config = {
        "model_specs": [
            {"name": "new", "prediction_key": "new", **keys},
            {"name": "old", "prediction_key": "old", "is_baseline": True, **keys},
        ],
        "metrics_specs": [
            {
                "example_weights": {"weighted": True, "unweighted": True},
                "metrics": [{"class_name": name, "config": given} for name, given in metrics],
            }
        ],
        "slicing_specs": more.pop("slices", [{}]),
        "options": {"confidence": {"level": LEVEL, **more.pop("confidence", {})}},
    }
    return benison.evaluate(rows, config, **more)


def points(result: benison.EvalResult, plot: str, weighted: bool) -> dict[str, Array]:
    return next(
        {name: np.array(column) for name, column in row["columns"]}
        for row in result.plots.to_pylist()
        if (row["model"], row["plot"], row["weighted"]) == ("new", plot, weighted)
    )


@pytest.mark.parametrize("at_once", [1, 1 << 16])
@pytest.mark.parametrize("confidence", [{}, {"cluster_key": "label"}])
@pytest.mark.parametrize(
    ("name", "parameter"), [("Precision", "thresholds"), ("RecallAtPrecision", "precision")]
)
def test_a_list_has_the_intervals_of_its_numbers(
    rows: pa.Table,
    name: str,
    parameter: str,
    confidence: dict[str, Any],
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benison.engine.samplings._AT_ONCE", at_once)
    shop = pa.array(["a", "a", "b", "c"] * (ROWS // 4))
    asked, slices = [0.7, 0.3, 0.5], [{}, {"feature_keys": ["shop"]}]
    single = [(name, {parameter: each, "name": f"m{each}"}) for each in asked]
    of_all = (name, {parameter: asked, "name": "list"})
    more = {"confidence": confidence, "slices": slices}
    result = evaluated(rows.append_column("shop", shop), of_all, *single, **more)
    keys = ("model", "weighted", "kind", "slice", "metric")
    of = {tuple(r[key] for key in keys): r for r in result.metrics.to_pylist()}
    lists = [(key[:4], row) for key, row in of.items() if key[4] == "list"]
    assert len(lists) == 24
    for key, row in lists:
        for side in ("lower", "upper"):
            alone = [of[*key, f"m{each}"][side] for each in asked]
            shown = [np.nan if x is None else x for x in json.loads(row[f"structured_{side}"])]
            assert shown == pytest.approx(alone, nan_ok=True)
            known = np.isfinite(shown).all()
            assert key[3] != "Overall" or known == (
                name == "Precision" and not confidence
            )  # two clusters tell nothing


def test_a_table_has_the_intervals_of_its_columns(rows: pa.Table) -> None:
    name = "ConfusionMatrixAtThresholds"
    names = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
    single = [(each, {"thresholds": 0.7}) for each in names]
    result = evaluated(rows, (name, {"thresholds": ABOVE}), *single).metrics.to_pylist()
    of = {
        (r["weighted"], r["metric"]): r
        for r in result
        if (r["model"], r["kind"]) == ("new", "value")
    }
    for weighted in (False, True):
        table = of[weighted, "confusion_matrix_at_thresholds"]
        for side in ("lower", "upper"):
            ends = json.loads(table[f"structured_{side}"])
            assert ends.pop("threshold") == ABOVE
            for column, numbers in ends.items():
                assert numbers[1] == pytest.approx(of[weighted, column][side])


def test_points_of_rows_that_weigh_the_same_have_wilsons_limits(rows: pa.Table) -> None:
    plots = ("ConfusionMatrixPlot", "ScoreDistributionPlot"), "CalibrationPlot"
    asked = [(name, {"num_thresholds": 10}) for name in plots[0]] + [(plots[1], {"num_buckets": 5})]
    result = evaluated(rows, *asked)
    matrix, spread, buckets = (
        points(result, name, False)
        for name in ("confusion_matrix_plot", "score_distribution_plot", "calibration_plot")
    )
    tp, fp, tn, fn = (
        matrix[name][5]
        for name in ("true_positives", "false_positives", "true_negatives", "false_negatives")
    )
    for of, hits, total, name, i in (
        (matrix, tp, tp + fn, "recall", 5),
        (matrix, fp, fp + tn, "false_positive_rate", 5),
        (matrix, tp, tp + fp, "precision", 5),
        (spread, tp + fp, ROWS, "share_above", 5),
        (buckets, buckets["label"][2], buckets["weight"][2], "label", 2),
    ):
        test = stats.binomtest(int(hits), int(total)).proportion_ci(LEVEL, method="wilson")
        actual = (of[f"{name}_lower"][i], of[f"{name}_upper"][i])
        assert actual == pytest.approx((test.low, test.high)), name
    assert np.isnan(buckets["label_lower"][0])  # no row is below 0


def test_points_of_weighted_rows_vary_as_drawn_samples_do(rows: pa.Table) -> None:
    matrix = points(
        evaluated(rows, ("ConfusionMatrixPlot", {"num_thresholds": 10})),
        "confusion_matrix_plot",
        True,
    )
    label, score, weight = (rows[name].to_numpy() for name in ("label", "new", "weight"))
    drawn = np.random.default_rng(1).integers(0, ROWS, (4_000, ROWS))
    weights, above = weight[drawn], score[drawn] > matrix["threshold"][6]
    positive = label[drawn] == 1
    for name, among, hit in (
        ("recall", positive, above),
        ("false_positive_rate", ~positive, above),
        ("precision", above, positive),
    ):
        shares = (weights * (among & hit)).sum(1) / (weights * among).sum(1)
        width = matrix[f"{name}_upper"][6] - matrix[f"{name}_lower"][6]
        assert width == pytest.approx(2 * stats.norm.ppf(0.95) * shares.std(), rel=0.06), name


@pytest.mark.parametrize("given", [{"left": 0.0, "right": 0.5, "num_buckets": 1}, {}])
def test_mean_labels_of_a_regression_have_students_limits(
    rows: pa.Table, given: dict[str, Any]
) -> None:
    scaled = rows if given else rows.set_column(1, "new", pa.array(rows["new"].to_numpy() * 50))
    buckets = points(
        evaluated(scaled, ("CalibrationPlot", given), label="fare"), "calibration_plot", False
    )
    i = int(np.argmax(buckets["weight"]))
    score, fare = scaled["new"].to_numpy(), scaled["fare"].to_numpy()
    within = fare[(score >= buckets["lower"][i]) & (score < buckets["upper"][i])]
    if not given:
        # Predictions beyond 1 are in places of the scale, and so are those of the bucket.
        assert buckets["weight"].sum() == ROWS
        return
    expected = stats.t.interval(LEVEL, len(within) - 1, within.mean(), stats.sem(within))
    actual = (buckets["label_lower"][i], buckets["label_upper"][i])
    assert actual == pytest.approx(expected)


@pytest.mark.parametrize(("base", "scale"), [(0.0, 32.0), (1e8, 1.0), (1.7e9, 32.0), (-1e10, 1.0)])
def test_mean_labels_far_from_zero_have_the_limits_of_those_near_it(
    base: float, scale: float
) -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(1, 4, 600) * scale / 4
    label, weight = rng.normal(size=600), rng.exponential(size=600)
    columns = {"new": score, "old": score, "weight": weight, "label": label + base}
    chunks = [pa.table(columns).slice(start, 200) for start in range(0, 600, 200)]
    given = {} if scale > 1 else {"left": 0.0, "right": 1.0, "num_buckets": 4}
    result = evaluated(pa.concat_tables(chunks), ("CalibrationPlot", given))
    for weighted in (True, False):
        made = points(result, "calibration_plot", weighted)
        i = int(np.argmax(made["weight"]))
        within = (score >= made["lower"][i]) & (score < made["upper"][i])
        own = weight[within] if weighted else np.ones(within.sum())
        rows = own.sum() ** 2 / (own**2).sum()
        mean = np.average(label[within], weights=own)
        error = np.sqrt((own**2 * (label[within] - mean) ** 2).sum()) / own.sum()
        half = stats.t.ppf((1 + LEVEL) / 2, rows - 1) * error * np.sqrt(rows / (rows - 1))
        actual = (made["label_upper"][i] - made["label_lower"][i]) / 2
        assert actual == pytest.approx(half, rel=1e-4)


def test_files_of_tfma_hold_what_they_have_fields_for(rows: pa.Table, tmp_path: Path) -> None:
    asked = (
        ("Precision", {"thresholds": ABOVE}),
        ("ConfusionMatrixAtThresholds", {"thresholds": ABOVE}),
        ("ConfusionMatrixPlot", {"num_thresholds": 10}),
        ("CalibrationPlot", {"num_buckets": 5}),
    )
    evaluated(rows, *asked, output=tmp_path / "out", tfma=True)
    ours = benison.load_result(tmp_path / "out")
    (tmp_path / "tfma").mkdir()
    for path in (tmp_path / "out").iterdir():
        if path.suffix == ".tfrecord" or path.name == "eval_config.json":
            shutil.copy(path, tmp_path / "tfma")
    theirs = benison.load_result(tmp_path / "tfma")
    name = ["metric", "weighted", "kind", "model", "structured_lower", "structured_upper"]
    both = [sorted(map(str, of.metrics.select(name).to_pylist())) for of in (ours, theirs)]
    assert both[0] == both[1]
    for weighted in (False, True):
        mine, read = (points(of, "confusion_matrix_plot", weighted) for of in (ours, theirs))
        for column in ("recall_lower", "recall_upper", "precision_lower", "precision_upper"):
            assert read[column] == pytest.approx(mine[column], nan_ok=True)
        assert len(points(theirs, "calibration_plot", weighted)["label"]) == 7


def test_without_intervals_points_have_none(rows: pa.Table) -> None:
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "new"}],
        "metrics_specs": [{"metrics": [{"class_name": "ConfusionMatrixPlot"}]}],
        "options": {"confidence": "off"},
    }
    (row,) = benison.evaluate(rows, config).plots.to_pylist()
    assert len(row["columns"]) == 5
