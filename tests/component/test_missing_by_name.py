# SPDX-License-Identifier: Apache-2.0
"""Labels and predictions that metrics read by name are missing as others are, and are counted so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from tests.conftest import config

TAGS = [{"classes": ["cat", "sun"], "scores": [0.9, 0.8]}, {"classes": ["dog"], "scores": [0.7]}]
CORNERS = ["left", "top", "right", "bottom", "class"]
BOX = dict(zip(CORNERS, [0.0, 0.0, 2.0, 2.0, 1.0], strict=True))
FOUND = [[[0.0, 0.0, 2.0, 2.0, 1.0, 0.9]]]


def rows_of(result: Any) -> dict[str, tuple[float, int, int]]:
    """Value, evaluated and examples of each metric."""
    return {
        row["metric"]: (row["value"], row["evaluated"], row["examples"])
        for row in result.metrics.to_pylist()
    }


@pytest.mark.parametrize(
    ("third", "names"),
    [
        (None, {"classes": 1, "scores": 1}),
        ({"classes": ["bee"], "scores": None}, {"classes": 0, "scores": 1}),
        ({"classes": None, "scores": [0.5]}, {"classes": 1, "scores": 0}),
        ({"classes": ["bee", "fox"], "scores": [None, None]}, {"classes": 0, "scores": 1}),
    ],
)
@pytest.mark.parametrize("is_struct", [True, False])
def test_a_row_that_lacks_a_part_of_its_prediction_lacks_its_prediction(
    third: Any, names: dict[str, int], is_struct: bool
) -> None:
    rows = [*TAGS, third]
    columns: dict[str, Any] = {"prediction": rows}
    if not is_struct:
        columns = {name: [row and row[name] for row in rows] for name in ("classes", "scores")}
    table = pa.table({"label": [["cat"], ["dog"], ["bee"]], **columns})
    made = config("SetMatchRecall", "ExampleCount")
    made["model_specs"] = [
        {"label_key": "label", "prediction_key": "prediction" if is_struct else ""}
    ]
    result = benison.evaluate(table, made)
    values = rows_of(result)
    assert np.isnan(values["set_match_recall"][0])
    assert values["set_match_recall"][1:] == (2, 3)
    assert values["example_count"] == (3, 3, 3)
    counted = {f"predictions/{name}": count for name, count in names.items()}
    assert result.manifest["missing"].items() >= counted.items()


def test_no_predicted_class_is_a_prediction() -> None:
    rows = [*TAGS, {"classes": [], "scores": []}]
    table = pa.table({"label": [["cat"], ["dog"], ["bee"]], "prediction": rows})
    result = benison.evaluate(table, config("SetMatchRecall"))
    assert rows_of(result)["set_match_recall"] == (pytest.approx(2 / 3), 3, 3)


def test_what_a_model_returns_as_nan_is_missing() -> None:
    def tagger(frame: Any) -> Any:
        scores = np.where(frame["n"].to_numpy()[:, None] == 1, np.nan, [[0.9, 0.8]])
        return {"classes": np.array([["cat", "sun"]] * len(frame)), "scores": scores}

    table = pa.table({"label": [["cat"], ["dog"], ["bee"]], "n": [0, 1, 2]})
    made = {**config("SetMatchRecall"), "model_specs": [{"label_key": "label"}]}
    result = benison.evaluate(table, made, model=tagger)
    value, evaluated, _ = rows_of(result)["set_match_recall"]
    assert np.isnan(value)
    assert evaluated == 2
    assert result.manifest["missing"]["predictions/scores"] == 1


def of_boxes(second: Any, is_struct: bool) -> tuple[float, int, int]:
    """Of an image with a box that is found, and one whose label is `second`, where as much is found."""
    rows = [{name: [number] for name, number in BOX.items()}, second]
    columns: dict[str, Any] = {"truth": rows}
    if not is_struct:
        columns = {name: [row and row[name] for row in rows] for name in CORNERS}
    table = pa.table({"prediction": FOUND * 2, **columns})
    stacks = {"class_id": 1, "labels_to_stack": CORNERS}
    metric = {"class_name": "ObjectDetectionPrecision", "config": stacks}
    made = config(metric, "ExampleCount")
    label = {"label_key": "truth"} if is_struct else {}
    made["model_specs"] = [{"prediction_key": "prediction", **label}]
    values = rows_of(benison.evaluate(table, made))
    assert values["example_count"] == (2, 2, 2)
    return values["object_detection_precision"]


@pytest.mark.parametrize("is_struct", [True, False])
def test_labelled_boxes_that_are_missing_are_no_image_without_any(is_struct: bool) -> None:
    assert of_boxes({name: [] for name in CORNERS}, is_struct) == (0.5, 2, 2)
    assert of_boxes(None, is_struct) == (1.0, 1, 2)
    assert of_boxes({**{name: [1.0] for name in CORNERS}, "class": None}, is_struct) == (1.0, 1, 2)


def test_a_labelled_box_that_lacks_a_number_is_refused() -> None:
    two = {name: [number, number] for name, number in BOX.items()}
    with pytest.raises(benison.DataError, match="A labelled box of .*'left'.* lacks a number"):
        of_boxes({**two, "left": [0.0, None]}, is_struct=False)


def test_an_image_without_a_label_is_not_evaluated() -> None:
    columns = {"truth": [[[1, 1]], None, [[1, 1]]], "found": [[[1, 1]], [[1, 1]], [[1, 0]]]}
    keys = {"ground_truth_key": "truth", "prediction_key": "found", "decode_ground_truth": False}
    metric = {"class_name": "PixelTruePositives", "config": {"class_id": 1, **keys}}
    result = benison.evaluate(pa.table(columns), {"metrics_specs": [{"metrics": [metric]}]})
    ((value, evaluated, examples),) = rows_of(result).values()
    assert (value, evaluated, examples) == (3, 2, 3)
    assert result.manifest["missing"] == {"labels/truth": 1, "predictions/found": 0}
