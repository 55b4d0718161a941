# SPDX-License-Identifier: Apache-2.0
"""The numbers that TFMA's own tests of sets, pixels, attributions, samples and padding expect, asked of Benison.

The inputs and numbers are facts of github.com/tensorflow/model-analysis: the tests of
set_match_confusion_matrix_metrics, semantic_segmentation_confusion_matrix_metrics, attributions,
confusion_matrix_metrics (samplers) and tf_metric_wrapper (padding); TFMA itself does not run.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import benison


def rows(columns: Any, *metrics: tuple[str, Any], spec: Any = None, **model: Any) -> Any:
    """The rows of metrics.parquet of (class name, parameters) over columns of data."""
    named = [{"class_name": name, "config": config} for name, config in metrics]
    keys = {"label_key": "label", "prediction_key": "prediction"}
    known = {key: name for key, name in keys.items() if name in columns}
    config = {
        "model_specs": [known | model],
        "metrics_specs": [{"metrics": named, **(spec or {})}],
    }
    return benison.evaluate(pa.table(columns), config).metrics.to_pylist()


def values(*given: Any, **more: Any) -> dict[str, float]:
    """The values by name and sub key."""
    made = rows(*given, **more)
    return {" ".join(filter(None, (r["metric"], r["sub_key"]))): r["value"] for r in made}


# In TFMA classes and scores are parts of the prediction, and `classes` is a feature too.
SETS = {
    "label": [["dogs", "cats"], ["birds", "cats"]],
    "classes": [["dogs", "pigs"], ["dogs", "pigs", "birds"]],
    "scores": [[0.1, 0.3], [0.1, 0.3, 0.4]],
    "weighed": [["dogs", "cats"], ["birds", "cats"]],
    "weights": [[0.5, 1.2], [0.5, 1.2]],
}
MATCHES: list[tuple[str, dict[str, Any], float]] = [
    ("SetMatchPrecision", {"thresholds": [0.01]}, 0.4),
    ("SetMatchRecall", {"thresholds": [0.01]}, 0.5),
    ("SetMatchPrecision", {"top_k": 2, "thresholds": [0.01]}, 0.25),
    ("SetMatchRecall", {"top_k": 2}, 0.25),
    ("SetMatchRecall", {"top_k": 2, "thresholds": [0.01]}, 0.25),
    (
        "SetMatchPrecision",
        {"thresholds": [0.01], "class_key": "weighed", "weight_key": "weights"},
        0.25,
    ),
    ("SetMatchRecall", {"thresholds": [0.01], "weight_key": "weights"}, 0.294118),
]


@pytest.mark.parametrize("case", MATCHES, ids=str)
def test_sets(case: Any) -> None:
    name, config, expected = case
    (row,) = rows(SETS, (name, config))
    # One threshold in a list is a list of one value.
    made = row["value"] if row["structured"] is None else json.loads(row["structured"])[0]
    assert made == pytest.approx(expected, rel=1e-3)


def png(pixels: list[list[int]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(file, "png")
    return file.getvalue()


IMAGES = {
    "truth": [png([[1, 2, 3], [1, 2, 3]]), png([[2, 2, 3], [1, 2, 3]])],
    "image": [png([[1, 1, 1], [2, 2, 2]]), png([[2, 1, 1], [2, 2, 2]])],
}
CELLS = ("true_positives", "true_negatives", "false_positives", "false_negatives")
PIXELS: list[tuple[int | None, dict[int, tuple[float, ...]]]] = [
    (None, {1: (1, 5, 4, 2), 2: (3, 3, 4, 2)}),
    (3, {1: (1, 3, 2, 2), 2: (3, 1, 2, 2)}),
]


@pytest.mark.parametrize(("ignored", "expected"), PIXELS)
def test_pixels(ignored: int | None, expected: Any) -> None:
    keys = {
        "class_ids": [1, 2],
        "ground_truth_key": "truth",
        "prediction_key": "image",
        "decode_prediction": True,
        "ignore_ground_truth_id": ignored,
    }
    what = ("ConfusionMatrix", "TruePositive", "FalsePositive")
    made = rows(IMAGES, *((f"SemanticSegmentation{w}", {**keys, "name": w}) for w in what))
    of = {(row["metric"], row["sub_key"]): row for row in made}
    for class_id, cells in expected.items():
        matrix = json.loads(of["ConfusionMatrix", f"classId:{class_id}"]["structured"])
        assert tuple(matrix[cell][0] for cell in CELLS) == cells
        for name, cell in (("TruePositive", cells[0]), ("FalsePositive", cells[2])):
            assert of[name, f"classId:{class_id}"]["value"] == cell


# Two features of three rows; of several classes below.
ONE = {"feature1": [1.1, -2.1, 3.1], "feature2": [-1.2, 2.2, -3.2]}
WEIGHTED = {"feature1": [1.1, 2.1, 3.1], "feature2": [-1.2, -2.2, -3.2], "weight": [0.5, 0.7, 0.9]}
SEVERAL = {
    "feature1": [[1.11, 1.13, 1.12], [2.11, 2.13, 2.12], [3.11, 3.13, 3.12]],
    "feature2": [[1.21, 1.23, 1.22], [2.21, 2.23, 2.22], [3.21, 3.23, 3.22]],
}
FEATURES = {"columns": ["feature1", "feature2"]}
SHARES: list[tuple[str, Any, Any, Any, tuple[float, float]]] = [
    ("TotalAttributions", ONE, {}, {}, (1.1 - 2.1 + 3.1, -1.2 + 2.2 - 3.2)),
    ("TotalAttributions", SEVERAL, {"class_id": 0}, {}, (6.33, 6.63)),
    ("TotalAttributions", SEVERAL, {"k": 2}, {}, (6.36, 6.66)),
    (
        "TotalAbsoluteAttributions",
        WEIGHTED,
        {},
        {"example_weight_key": "weight"},
        (1.1 * 0.5 + 2.1 * 0.7 + 3.1 * 0.9, 1.2 * 0.5 + 2.2 * 0.7 + 3.2 * 0.9),
    ),
]


@pytest.mark.parametrize("case", SHARES, ids=lambda case: str(case[0]) + str(case[2]))
def test_attributions(case: Any) -> None:
    name, data, config, model, expected = case
    made = values(data, (name, FEATURES | config), **model)
    assert tuple(made.values()) == pytest.approx(expected)


def test_attributions_of_several_classes() -> None:
    """As TFMA's test with sub keys; a list of all classes is asked for class by class."""
    asked = {"class_ids": [0], "k_list": [2], "top_k_list": [2]}
    metric = {"class_name": "TotalAttributions", "config": FEATURES}
    config = {"metrics_specs": [{"metrics": [metric], "binarize": asked}]}
    made = benison.evaluate(pa.table(SEVERAL), config).metrics.to_pylist()
    of_first = {r["sub_key"]: r for r in made if r["metric"].endswith("feature1")}
    assert of_first["classId:0"]["value"] == pytest.approx(6.33)
    assert of_first["k:2"]["value"] == pytest.approx(6.36)
    assert json.loads(of_first["topK:2"]["structured"]) == pytest.approx([6.39, 6.36])
    with pytest.raises(benison.DataError, match="binarize.class_ids"):
        values(SEVERAL, ("TotalAttributions", FEATURES))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("FalsePositiveFeatureSampler", ["example1", "example2"]),
     ("FalseNegativeFeatureSampler", ["example3", "example4"])],
)  # fmt: skip
def test_samplers(name: str, expected: list[str]) -> None:
    data = {
        "label": [0.0, 0.0, 1.0, 1.0],
        "prediction": [1.0, 1.0, 0.0, 0.0],
        "example_id": [f"example{i}" for i in (1, 2, 3, 4)],
    }
    config = {"threshold": 0.5, "feature_key": "example_id", "sample_size": 2}
    (row,) = rows(data, (name, config))
    assert sorted(json.loads(row["structured"])) == expected


WEIGHTS = [1.0, 1.0, 2.0]
SHORT = {
    "label": [[1], [1, 2], [1, 2, 3]],
    "prediction": [[0.1, 0.2, 0.3, 0.0], [0.1, 0.2, 0.0], [0.1, 0.2, 0.3]],
    "weight": WEIGHTS,
}
PADDED = {name: [(row + [-1] * 4)[:4] for row in SHORT[name]] for name in ("label", "prediction")}
PADDING = {"label_int_padding": -1, "prediction_float_padding": -1.0}


def test_padding() -> None:
    """TFMA pads a batch to its widest row: its numbers are those of data that are padded to the widest of all."""
    means = [("MeanLabel", {}), ("MeanPrediction", {})]
    with pytest.raises(benison.ConfigError, match="depend on how the data are cut into batches"):
        values(SHORT, *means, example_weight_key="weight", padding_options=PADDING)
    made = values(PADDED | {"weight": WEIGHTS}, *means, example_weight_key="weight")
    assert made == pytest.approx({"mean_label": 9 / 16, "mean_prediction": -0.9 / 16})
