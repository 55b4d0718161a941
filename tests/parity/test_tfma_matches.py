# SPDX-License-Identifier: Apache-2.0
"""What TFMA's own tests of preprocessors make of boxes, sets and images, asked of the metrics that read them.

The inputs and numbers are facts of github.com/tensorflow/model-analysis: box_match_test,
object_detection_format_test, the tests of preprocessors and object_detection_confusion_matrix_plot_test. TFMA
looks at the labels and scores of the matched pairs; here it is the cells of a confusion matrix over them.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import benison

KEYS = {"label_key": "label", "prediction_key": "prediction"}


def evaluated(columns: Any, class_name: str, config: dict[str, Any]) -> benison.EvalResult:
    model = {key: name for key, name in KEYS.items() if name in columns}
    model |= {"example_weight_key": "weight"} if "weight" in columns else {}
    metric = {"class_name": class_name, "config": config}
    made = {"model_specs": [model], "metrics_specs": [{"metrics": [metric]}]}
    return benison.evaluate(pa.table(columns), made)


class Boxes:
    """Boxes of TFMA's tests: left, top, right, bottom, class, and of detections the score."""

    one, near = [0.0, 50.0, 30.0, 100.0, 0.0], [10.0, 60.0, 40.0, 80.0, 0.0, 0.5]
    two = [[30.0, 100.0, 70.0, 300.0, 0.0], [50.0, 100.0, 80.0, 200.0, 0.0]]
    detected = [
        [20.0, 130.0, 60.0, 290.0, 0.0, 0.5],
        [30.0, 100.0, 70.0, 300.0, 0.0, 0.3],
        [500.0, 100.0, 800.0, 300.0, 0.0, 0.1],
    ]


def of(truth: list[Any], detections: list[Any]) -> dict[str, Any]:
    """A table of one image; a list that may be empty has a type."""
    kind = pa.list_(pa.list_(pa.float64()))
    return {"label": pa.array([truth], kind), "prediction": pa.array([detections], kind)}


def columns_of(boxes: list[list[float]], prefix: str) -> dict[str, Any]:
    names = ("xmin", "ymin", "xmax", "ymax", "class_id", "score")
    return {f"{prefix} {n}": [list(v)] for n, v in zip(names, zip(*boxes, strict=True), strict=False)}  # fmt: skip


SPLIT = columns_of(Boxes.two, "true") | columns_of(Boxes.detected, "detected")
STACKED = {
    "labels_to_stack": [name for name in SPLIT if name.startswith("true")],
    "predictions_to_stack": [name for name in SPLIT if name.startswith("detected")],
}
TOGETHER = {
    "true box": [[box[:4] for box in Boxes.two]],
    "true class_id": [[0.0, 0.0]],
    "detected box": [[box[:4] for box in Boxes.detected]],
    "detected class_id": [[0.0, 0.0, 0.0]],
    "detected score": [[0.5, 0.3, 0.1]],
}
FOUR_COLUMNS = {
    "labels_to_stack": ["true box", "true class_id"],
    "predictions_to_stack": ["detected box", "detected class_id", "detected score"],
}
WITHOUT_XMAX = {name: column for name, column in SPLIT.items() if name != "detected xmax"}
OTHER_CLASS = [10.0, 60.0, 40.0, 80.0, 1.0, 0.5]
# The image, the parameters, and the scores of matched boxes, how many were missed, and the other scores.
MATCHES: dict[str, tuple[Any, dict[str, Any], list[float], int, list[float]]] = {
    "matched": (of([Boxes.one], [Boxes.near]), {"iou_threshold": 0.1}, [0.5], 0, []),
    "not matched": (of([Boxes.one], [Boxes.near]), {}, [], 1, [0.5]),
    "no truth": (of([], [Boxes.near]), {}, [], 0, [0.5]),
    "no detection": (of([Boxes.one], []), {}, [], 1, []),
    "several": (
        of(
            [[30.0, 1000.0, 70.0, 3000.0, 0.0], *Boxes.two],
            [*Boxes.detected[:2], [500.0, 100.0, 800.0, 300.0, 0.0, 0.9]],
        ),
        {"iou_threshold": 0.3},
        [0.5],
        2,
        [0.3, 0.9],
    ),
    "of another class": (
        of([Boxes.one], [OTHER_CLASS]),
        {"class_id": 1, "iou_threshold": 0.1, "area_range": [0, 10000], "max_num_detections": 1},
        [],
        0,
        [0.5],
    ),
    "the most detections of a class": (
        of([Boxes.one], [OTHER_CLASS, [10.0, 60.0, 40.0, 80.0, 0.0, 0.8]]),
        {"class_id": 1, "iou_threshold": 0.1, "area_range": [0, 10000], "max_num_detections": 1},
        [],
        0,
        [0.5],
    ),
    "two of an image": (of(Boxes.two, Boxes.detected), {}, [0.5], 1, [0.1, 0.3]),
    "a column for each number": (SPLIT, STACKED, [0.5], 1, [0.1, 0.3]),
    "columns of several numbers": (TOGETHER, FOUR_COLUMNS, [0.5], 1, [0.1, 0.3]),
    "a number of detections": (
        {**SPLIT, "n": [[1.0]]},
        {**STACKED, "num_detections_key": "n"},
        [0.5],
        1,
        [],
    ),
    "a column that is missing": (
        WITHOUT_XMAX,
        {**STACKED, "allow_missing_key": True},
        [],
        2,
        [],
    ),
}


@pytest.mark.parametrize("name", MATCHES)
def test_boxes_match_as_in_tfma(name: str) -> None:
    """A box that is not detected is missed at every threshold; in TFMA's plot it is detected at those up to 0."""
    columns, config, matched, missed, unmatched = MATCHES[name]
    config = {"class_id": 0, "num_thresholds": 5, **config}
    result = evaluated(columns, "ObjectDetectionConfusionMatrixPlot", config)
    made = dict(result.plots["columns"][0].as_py())
    above = [sum(score > t for score in matched) for t in made["threshold"]]
    assert made["true_positives"] == above
    assert made["false_negatives"] == [len(matched) - n + missed for n in above]
    assert made["false_positives"] == [sum(s > t for s in unmatched) for t in made["threshold"]]


def test_no_image_has_boxes_of_the_area() -> None:
    config = {"class_id": 0, "thresholds": 0.1, "area_range": [100, 200], "iou_threshold": 0.1}
    result = evaluated(of([Boxes.one], [OTHER_CLASS]), "ObjectDetectionRecall", config)
    assert np.isnan(result.metrics["value"][0].as_py())


def test_the_plot_of_a_class() -> None:
    """TFMA's image: the labelled box of class 1 is not detected, and a detection of that class, at 0.1, is wrong."""
    truth = [[30.0, 100.0, 70.0, 300.0, 0.0], [50.0, 100.0, 80.0, 200.0, 1.0]]
    boxes = [*Boxes.detected[:2], [500.0, 100.0, 800.0, 300.0, 1.0, 0.1]]
    config = {"num_thresholds": 5, "class_id": 1, "max_num_detections": 100}
    result = evaluated(of(truth, boxes), "ObjectDetectionConfusionMatrixPlot", config)
    made = dict(result.plots["columns"][0].as_py())
    assert made["false_positives"] == [1, 1, 0, 0, 0, 0, 0]
    assert made["true_negatives"] == [0, 0, 1, 1, 1, 1, 1]
    assert made["false_negatives"] == [1] * 7


SETS = {
    "label": [["cats", "dogs"]],
    "classes": [["dogs", "birds"]],
    "scores": [[0.3, 0.1]],
    "class_weights": [[0.7, 0.2]],
}
# More columns, parameters, and precision and recall of all that is predicted: dogs are right, birds are not.
SET_MATCHES: list[tuple[Any, dict[str, Any], float, float]] = [
    ({}, {}, 1 / 2, 1 / 2),
    ({"weight": [0.7]}, {}, 1 / 2, 1 / 2),
    ({}, {"top_k": 1}, 1.0, 1 / 2),
    ({"weight": [0.7]}, {"weight_key": "class_weights"}, 0.14 / 0.84, 0.14 / 0.63),
]


@pytest.mark.parametrize("case", SET_MATCHES, ids=str)
def test_sets_match_as_in_tfma(case: Any) -> None:
    more, config, *expected = case
    for kind, value in zip(("Precision", "Recall"), expected, strict=True):
        result = evaluated(SETS | more, f"SetMatch{kind}", {"thresholds": 0.01, **config})
        assert result.metrics["value"][0].as_py() == pytest.approx(value)


REFUSED_SETS: list[tuple[Any, dict[str, Any], str]] = [
    ({"class_weights": [[0.7]]}, {"weight_key": "class_weights"}, "class_weights"),
    ({}, {"class_key": "cla", "weight_key": "class_weights"}, "no column 'cla'|column 'cla'"),
    ({}, {"weight_key": "weigh"}, "column 'weigh'"),
    ({}, {"prediction_class_key": "clas"}, "column 'clas'"),
    ({}, {"prediction_score_key": "scor"}, "column 'scor'"),
    ({"scores": [[0.1]]}, {}, "scores"),
    ({"label": [[["cats", "dogs"]]]}, {}, "label"),
]


@pytest.mark.parametrize("case", REFUSED_SETS, ids=str)
def test_sets_that_do_not_fit_are_refused_as_in_tfma(case: Any) -> None:
    more, config, sentence = case
    with pytest.raises(benison.BenisonError, match=sentence):
        evaluated(SETS | more, "SetMatchRecall", config)


def png(pixels: list[list[int]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(file, "png")
    return file.getvalue()


PIXELS = [[1, 2, 3], [1, 2, 3]]
IMAGES = {
    "encoded": [png(PIXELS)],
    "decoded": [PIXELS],
    "short": [[[1, 2], [1, 2]]],
}


@pytest.mark.parametrize("form", ["encoded", "decoded"])
def test_an_image_is_a_file_or_lists(form: str) -> None:
    keys = {"ground_truth_key": form, "prediction_key": form, "class_ids": [1]}
    decode = {f"decode_{what}": form == "encoded" for what in ("ground_truth", "prediction")}
    result = evaluated(IMAGES, "SemanticSegmentationTruePositive", {**keys, **decode})
    assert result.metrics["value"][0].as_py() == 2


@pytest.mark.parametrize(
    ("truth", "prediction", "sentence"),
    [
        ("missing", "decoded", "column 'missing'"),
        ("decoded", "missing", "column 'missing'"),
        ("short", "decoded", "short|pixels|shape|size"),
    ],
)
def test_images_that_do_not_fit_are_refused(truth: str, prediction: str, sentence: str) -> None:
    keys = {"ground_truth_key": truth, "prediction_key": prediction, "class_ids": [1]}
    config = {**keys, "decode_ground_truth": False, "decode_prediction": False}
    with pytest.raises(benison.BenisonError, match=sentence):
        evaluated(IMAGES, "SemanticSegmentationTruePositive", config)
