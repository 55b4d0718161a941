# SPDX-License-Identifier: Apache-2.0
"""Precision and recall of sets: the values of TFMA's own tests, and what stands at the edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.metrics.statistics.set_pairs import Members
from tests.conftest import config

# The rows of TFMA's set_match_confusion_matrix_metrics_test.py.
TABLE = pa.table(
    {
        "label": [["dogs", "cats"], ["birds", "cats"]],
        "classes": [["dogs", "pigs"], ["dogs", "pigs", "birds"]],
        "scores": [[0.1, 0.3], [0.1, 0.3, 0.4]],
        "own": [["dogs", "cats"], ["birds", "cats"]],
        "weights": [[0.5, 1.2], [0.5, 1.2]],
    }
)


def value(class_name: str, table: pa.Table = TABLE, **parameters: Any) -> float:
    metric = {"class_name": class_name, "config": {"name": "m", **parameters}}
    made = config(metric, model={"prediction_key": "classes"})
    return benison.evaluate(table, made).value("m")


@pytest.mark.parametrize(
    ("class_name", "parameters", "expected"),
    [
        ("SetMatchPrecision", {"thresholds": [0.01]}, 0.4),
        ("SetMatchRecall", {"thresholds": [0.01]}, 0.5),
        ("SetMatchPrecision", {"thresholds": [0.01], "top_k": 2}, 0.25),
        ("SetMatchRecall", {"top_k": 2}, 0.25),
        ("SetMatchRecall", {"thresholds": [0.01], "top_k": 2}, 0.25),
        (
            "SetMatchPrecision",
            {"thresholds": 0.01, "class_key": "own", "weight_key": "weights"},
            0.25,
        ),
        ("SetMatchRecall", {"thresholds": 0.01, "weight_key": "weights"}, 1 / 3.4),
        ("SetMatchRecall", {"prediction_score_key": ""}, 0.5),
    ],
)
def test_the_values_of_tfma(class_name: str, parameters: Any, expected: float) -> None:
    assert value(class_name, **parameters) == pytest.approx(expected, rel=1e-12)


def test_an_empty_set_is_no_missing_one() -> None:
    rows = {"label": [[1], [2, 3], [], [4]], "scores": [[0.9, 0.1], [], [0.9], [0.9]]}
    table = pa.table({**rows, "classes": [[1, 1], [], [7], [5]]})
    # Of a class that stands twice the last score counts; the row without labels is left out.
    assert value("SetMatchRecall", table, thresholds=0.0) == 0.25
    assert value("SetMatchPrecision", table, thresholds=0.0) == 0.5
    assert value("SetMatchRecall", table) == 0
    missing = table.set_column(2, "classes", pa.array([[1, 1], None, [7], [5]]))
    assert math.isnan(value("SetMatchRecall", missing, thresholds=0.0))


def test_scores_without_their_classes_are_refused() -> None:
    table = TABLE.set_column(2, "scores", pa.array([[0.1], [0.2]]))
    with pytest.raises(benison.DataError, match="there must be a score for each class"):
        value("SetMatchPrecision", table)


BOXES = {"class_id": 0, "labels_to_stack": ["label"], "predictions_to_stack": ["boxes", "scores"]}


@pytest.mark.parametrize(
    "metric", ["SetMatchRecall", {"class_name": "ObjectDetectionRecall", "config": BOXES}]
)
def test_columns_are_of_no_model_among_several(metric: Any) -> None:
    made = config(metric)
    made["model_specs"] = [
        {"name": "new", "label_key": "label", "prediction_key": "classes"},
        {"name": "old", "label_key": "label", "prediction_key": "classes", "is_baseline": True},
    ]
    with pytest.raises(benison.ConfigError, match="the same for every model"):
        benison.evaluate(TABLE, made)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ({"class_name": "SetMatchPrecision"}, "classes"),
        ({"class_name": "ObjectDetectionRecall", "config": BOXES}, "boxes"),
    ],
)
@pytest.mark.parametrize("models", [["model"], ["model", "baseline"]])
def test_columns_of_the_data_are_no_predictions_of_a_model(
    metric: Any, name: str, models: list[str]
) -> None:
    def scorer(frame: Any) -> Any:
        return {"scores": np.full((len(frame), 2), 0.5), "top": np.zeros(len(frame))}

    table = TABLE.append_column("boxes", TABLE["scores"])
    made = {"model_specs": [{"label_key": "label"}], "metrics_specs": [{"metrics": [metric]}]}
    sentence = f"has no output '{name}'.*There are: scores, top"
    with pytest.raises(benison.ModelError, match=sentence):
        benison.evaluate(table, made, **dict.fromkeys(models, scorer))


def test_structs_without_what_a_metric_reads_are_no_predictions_of_several_models() -> None:
    scored = pa.array([{"scores": [0.1, 0.3]}, {"scores": [0.1, 0.3]}])
    table = TABLE.append_column("new", scored).append_column("old", scored)
    made = config("SetMatchPrecision")
    made["model_specs"] = [
        {"name": "new", "label_key": "label", "prediction_key": "new"},
        {"name": "old", "label_key": "label", "prediction_key": "old", "is_baseline": True},
    ]
    with pytest.raises(benison.BenisonError, match="'classes', which is the same for every model"):
        benison.evaluate(table, made)


def test_columns_are_of_no_model_though_functions_make_others() -> None:
    made = config("SetMatchPrecision")
    made["model_specs"] = [
        {
            "name": name,
            "label_key": "label",
            "prediction_key": "classes",
            "is_baseline": name == "old",
            "preprocessing_function_names": ["whitespace_tokenization@text"],
        }
        for name in ("new", "old")
    ]
    table = TABLE.append_column("text", pa.array(["a b", "c"]))
    with pytest.raises(benison.BenisonError, match="the same for every model"):
        benison.evaluate(table, made)


def test_weak_slices_of_outputs_by_name_are_refused() -> None:
    def tagger(frame: Any) -> Any:
        return {name: np.zeros((len(frame), 2)) for name in ("classes", "confidences")}

    metric = {"class_name": "SetMatchRecall", "config": {"prediction_score_key": "confidences"}}
    made = {**config(metric), "model_specs": [{"label_key": "label"}], "weak_slices": {}}
    with pytest.raises(benison.BenisonError, match="prediction"):
        benison.evaluate(TABLE.append_column("n", pa.array([0, 1])), made, model=tagger)


def test_classes_are_outputs_of_each_model() -> None:
    def tagger(names: list[list[str]]) -> Any:
        scores = np.array([[0.9, 0.8], [0.9, 0.8]])
        return lambda frame: {"classes": np.array(names), "scores": scores[: len(frame)]}

    right, wrong = (
        tagger([["cat", "sun"], ["sea", "sky"]]),
        tagger([["sun", "sky"], ["sea", "cat"]]),
    )
    table = pa.table({"label": [["cat"], ["sea", "sky"]], "n": [0, 1]})
    models = [{"label_key": "label"}]
    made = {
        "model_specs": models,
        "metrics_specs": [{"metrics": [{"class_name": "SetMatchRecall"}]}],
    }
    result = benison.evaluate(table, made, model=right, baseline=wrong).metrics.to_pylist()
    values = {row["model"]: row["value"] for row in result if row["kind"] == "value"}
    assert values == {"candidate": 1.0, "baseline": pytest.approx(1 / 3)}


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()], ids=str)
def test_single_values_that_are_nan_are_of_no_row(kind: pa.DataType) -> None:
    members = Members.of_column(pa.array([1.0, math.nan, 3.0, None], kind))
    assert members.rows.tolist() == [0, 2]
    assert members.values.to_pylist() == [1.0, 3.0]


def test_a_single_weight_that_is_nan_is_named() -> None:
    single = {"label": ["a", "b"], "classes": [["a"], ["a"]], "scores": [[0.5], [0.5]]}
    for weights in ([1.0, math.nan], [[1.0], [math.nan]]):
        table = pa.table({**single, "own": ["a", "b"], "weights": weights})
        with pytest.raises(benison.DataError, match="weights.*(NaN|missing|not)"):
            value("SetMatchRecall", table, class_key="own", weight_key="weights")
