# SPDX-License-Identifier: Apache-2.0
"""Inputs on which evaluations are known to go wrong silently, each with the value that is right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.engine.prediction_outputs import scores_of
from tests.component.test_formats import write_examples
from tests.conftest import config


def lower(bound: float) -> dict[str, Any]:
    return {"value_threshold": {"lower_bound": bound}}


def table(labels: Any, predictions: Any, **more: Any) -> pa.Table:
    return pa.table({"label": labels, "prediction": predictions, **more})


def test_a_row_without_a_label_is_a_row_for_what_looks_at_none() -> None:
    result = benison.evaluate(
        table([1.0, None], [0.8, 0.4]), config("ExampleCount", "MeanPrediction")
    )
    assert result.value("example_count") == 2
    assert result.value("mean_prediction") == pytest.approx(0.6)


def test_a_last_example_without_the_feature_is_in_no_slice(tmp_path: Path) -> None:
    rows = [
        {"label": 1, "prediction": 0.5, "tag": "a"},
        {"label": 0, "prediction": 0.5, "tag": "b"},
    ]
    path = write_examples([*rows, {"label": 1, "prediction": 0.5}], tmp_path / "a.tfrecord")
    made = config("ExampleCount", slices=[{"feature_keys": ["tag"]}])
    assert benison.evaluate(path, made).slices() == ["tag=a", "tag=b"]


FIFTEEN = [0] * 4 + [1] + [0] * 4 + [1] * 6  # 52 of 56 pairs are in order


@pytest.mark.parametrize(
    ("scores", "labels", "area"),
    [
        (np.linspace(97, 100, 15), FIFTEEN, 52 / 56),
        (100 * np.arange(10) / 10, [0] * 5 + [1] * 5, 1.0),
        (1 - 1e-6 * np.arange(10), [1] * 5 + [0] * 5, 1.0),
        ([8e-5] * 5 + [1e-5] * 5, [1] * 5 + [0] * 5, 1.0),
        ([1e-5] * 5 + [8e-5] * 5, [1] * 5 + [0] * 5, 0.0),
    ],
)
def test_ranks_of_scores_that_crowd_or_lie_outside_of_0_and_1(
    scores: Any, labels: Any, area: float
) -> None:
    assert benison.evaluate(table(labels, scores), config("AUC")).value("auc") == pytest.approx(
        area
    )


def test_a_threshold_of_tiny_scores_is_a_score() -> None:
    scores = np.arange(1, 201) * 1e-7
    metric = {"class_name": "ThresholdAtRecall", "config": {"recall": 0.03}}
    result = benison.evaluate(table([0] * 100 + [1] * 100, scores), config(metric))
    assert result.value("threshold_at_recall") == pytest.approx(1.98e-5, rel=1e-12)


@pytest.mark.parametrize("form", ["table", "csv"])
def test_versions_of_one_number_are_two_texts(form: str, tmp_path: Path) -> None:
    data: Any = table([1.0] * 18 + [0.0] * 2, [0.9] * 20, v=["3.1"] * 18 + ["3.10"] * 2)
    if form == "csv":
        data.to_pandas().to_csv(tmp_path / "a.csv", index=False)
        data = str(tmp_path / "a.csv")
    of_slice = {
        "slicing_specs": [{"feature_values": {"v": "3.1"}}],
        "threshold": {"value_threshold": {"lower_bound": 1.0}},
    }
    metric = {"class_name": "MeanLabel", "per_slice_thresholds": [of_slice]}
    slices = [{"feature_values": {"v": "3.10"}}, {"feature_keys": ["v"]}]
    result = benison.evaluate(data, config(metric, "ExampleCount", slices=slices))
    assert result.value("example_count", slice={"v": "3.10"}) == 2
    assert result.value("example_count", slice={"v": "3.1"}) == 18
    assert (result.verdict.status, result.verdict.counts["pass"]) == ("blessed", 1)


def test_a_fall_of_one_in_twenty_is_a_fall_of_a_twentieth() -> None:
    new, old = [0.9] * 17 + [0.1] * 3, [0.9] * 18 + [0.1] * 2
    fall = {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": -0.05}}
    made = config({"class_name": "BinaryAccuracy", "threshold": fall})
    made["model_specs"] = [
        {"name": "new", "label_key": "label", "prediction_key": "prediction"},
        {"name": "old", "label_key": "label", "prediction_key": "old", "is_baseline": True},
    ]
    result = benison.evaluate(table([1.0] * 20, new, old=old), made)
    assert result.verdict.status == "blessed"


def test_ten_weights_of_a_tenth_are_1() -> None:
    made = config(
        {"class_name": "ExampleCount", "threshold": lower(1.0)}, model={"example_weight_key": "w"}
    )
    data = table([1.0] * 10, [0.9] * 10, w=[0.1] * 10)
    assert benison.evaluate(data, made).verdict.status == "blessed"


@pytest.mark.parametrize("code", ["0", "'done'", ""])
def test_code_that_ends_the_program_says_nothing_of_the_model(code: str, tmp_path: Path) -> None:
    pq.write_table(table([1.0, 0.0], [0.9, 0.2]), tmp_path / "a.parquet")
    module = f"ends_{len(code)}"
    (tmp_path / f"{module}.py").write_text(f"raise SystemExit({code})")
    bound = {"class_name": "AUC", "threshold": lower(0.5)}
    (tmp_path / "c.json").write_text(
        json.dumps(config({"class_name": "Mine", "module": module}, bound))
    )
    names = {"-e": "a.parquet", "-c": "c.json", "-o": "out", "--module-path": ""}
    asked = [word for option, name in names.items() for word in (option, str(tmp_path / name))]
    run = CliRunner().invoke(app, ["evaluate", *asked, "--gate"])
    assert run.exit_code == 2
    assert f"importing '{module}' fails: SystemExit" in run.output

    def ends(y_true: Any, y_pred: Any) -> float:
        sys.exit(eval(code or "None"))

    benison.from_function(ends, f"Ends{len(code)}")
    with pytest.raises(benison.BenisonError, match=r"ended the program with sys\.exit"):
        benison.evaluate(str(tmp_path / "a.parquet"), config(f"Ends{len(code)}"))


def test_a_score_that_is_complex_is_no_prediction() -> None:
    scores = np.array([0.5 + 1j, 0.25])
    with pytest.raises(benison.ModelError, match="is not numbers"):
        scores_of(scores, "output", 2)


@pytest.mark.parametrize("field", ["examples", "model", "baseline", "output"])
def test_an_empty_path_is_not_where_one_happens_to_be(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `--baseline "$OLD"` is where the variable is not set: it must not be an evaluation without one."""
    pq.write_table(table([1.0, 0.0], [0.9, 0.2]), tmp_path / "a.parquet")
    monkeypatch.chdir(tmp_path)
    asked: dict[str, Any] = {"examples": "a.parquet", field: ""}
    with pytest.raises(benison.BenisonError, match="A path is empty"):
        benison.evaluate(asked.pop("examples"), config("AUC"), **asked)


@pytest.mark.parametrize("metric", ["MeanPrediction", "ConfusionMatrixAtThresholds"])
def test_a_change_from_infinite_to_infinite_is_undefined_and_no_warning(metric: str) -> None:
    needed = {"config": {"thresholds": [0.5]}} if metric != "MeanPrediction" else {}
    made = config({"class_name": metric, **needed})
    made["model_specs"] = [
        {"name": "new", "label_key": "label", "prediction_key": "prediction"},
        {"name": "old", "label_key": "label", "prediction_key": "prediction", "is_baseline": True},
    ]
    result = benison.evaluate(table([1.0, 0.0], [np.inf, 0.0]), made)
    changes = [row["value"] for row in result.metrics.to_pylist() if row["kind"] == "change"]
    assert np.isnan(changes).all()
