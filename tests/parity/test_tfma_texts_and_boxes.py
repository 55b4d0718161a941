# SPDX-License-Identifier: Apache-2.0
"""The numbers that TFMA's own tests of texts, boxes and fairness expect, asked of Benison.

The inputs and numbers are facts of github.com/tensorflow/model-analysis: bleu_test, rouge_test,
object_detection_metrics_test and object_detection_confusion_matrix_metrics_test; TFMA itself does not run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison


def values(labels: Any, predictions: Any, metrics: Any, weights: Any = None) -> dict[str, float]:
    """The values by name of (class name, parameters) over rows."""
    model = {"label_key": "label", "prediction_key": "prediction"}
    columns = {"label": labels, "prediction": predictions}
    if weights is not None:
        model["example_weight_key"], columns["weight"] = "weight", weights
    named = [{"class_name": name, "config": config} for name, config in metrics]
    config = {"model_specs": [model], "metrics_specs": [{"metrics": named}]}
    result = benison.evaluate(pa.table(columns), config).metrics
    return dict(zip(result["metric"].to_pylist(), result["value"].to_pylist(), strict=True))


# The references of each row, and its text.
TEXTS = {
    "perfect": (
        [
            ["hello there general kenobi", "may the force be with you"],
            ["Avengers! Assemble.", "I am Iron Man."],
        ],
        ["hello there general kenobi", "I am Iron Man."],
    ),
    "imperfect": (
        [
            ["The dog bit the man.", "The dog had bit the man."],
            ["It was not unexpected.", "No one was surprised."],
            ["The man bit him first.", "The man had bitten the dog."],
        ],
        ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."],
    ),
    "zero": ([["So BLEU", "Foo."], ["will be 0.", "Bar."]], ["No matching text", "in this test"]),
}
SMOOTHED = {0: 48.53, 0.5: 50.74, 1: 52.70, 2: 56.03}
BLEU = {
    "plain": ({}, {"perfect": 100, "imperfect": 48.53, "zero": 0}),
    "none": ({"tokenize": "none"}, {"perfect": 100, "imperfect": 49.19, "zero": 0}),
    "zh": ({"tokenize": "zh"}, {"perfect": 100, "imperfect": 48.53, "zero": 0}),
    "intl": ({"tokenize": "intl"}, {"perfect": 100, "imperfect": 43.92, "zero": 0}),
    "effective order": (
        {"use_effective_order": True},
        {"perfect": 100, "imperfect": 48.53, "zero": 0},
    ),
    **{
        f"add {k}": ({"smooth_method": "add-k", "smooth_value": k}, {"imperfect": score})
        for k, score in SMOOTHED.items()
    },
}


@pytest.mark.parametrize("texts", TEXTS)
def test_bleu(texts: str) -> None:
    metrics = [("Bleu", {**config, "name": name}) for name, (config, _) in BLEU.items()]
    expected = {name: scores[texts] for name, (_, scores) in BLEU.items() if texts in scores}
    made = values(*TEXTS[texts], metrics)
    assert {name: made[name] for name in expected} == pytest.approx(expected, abs=0.01)


def test_bleu_of_other_letters() -> None:
    references, texts = TEXTS["perfect"]
    metrics = [("Bleu", {}), ("Bleu", {"lowercase": True, "name": "lower"})]
    made = values(references, [text.upper() for text in texts], metrics)
    assert made == pytest.approx({"BLEU": 7.58, "lower": 100}, abs=0.01)


# The type, references, texts, weights, and precision, recall and F of TFMA's tests.
ROUGE: list[tuple[str, Any, Any, Any, tuple[float, float, float]]] = [
    ("rouge1", ["testing one two"], ["testing"], None, (1, 1 / 3, 1 / 2)),
    ("rouge2", ["testing one two"], ["testing one"], None, (1, 1 / 2, 2 / 3)),
    ("rougeL", ["testing one two"], ["testing one"], None, (1, 2 / 3, 4 / 5)),
    ("rougeL", ["testing one two"], ["testing two"], None, (1, 2 / 3, 4 / 5)),
    (
        "rougeLsum",
        ["w1 w2 w3 w4 w5"],
        ["w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5"],
        None,
        (2 / 5, 4 / 5, 8 / 15),
    ),
    (
        "rougeLsum",
        ["First sentence.\nSecond Sentence."],
        ["Second sentence.\nFirst Sentence."],
        None,
        (1, 1, 1),
    ),
    *(
        (kind, [["testing one two", "This is a test"]], ["This is not a test"], None, best)
        for kind, best in (
            ("rouge1", (4 / 5, 1, 8 / 9)),
            ("rouge2", (1 / 2, 2 / 3, 4 / 7)),
            ("rougeL", (4 / 5, 1, 8 / 9)),
            ("rougeLsum", (4 / 5, 1, 8 / 9)),
        )
    ),
    *(
        (
            kind,
            ["testing one two", "This is a test"],
            [text, "This is not a test"],
            weights,
            tuple(np.average(pair, weights=weights) for pair in pairs),  # type: ignore[misc]
        )
        for weights in (None, [0.5, 0.7])
        for kind, text, pairs in (
            ("rouge1", "testing", ([1, 4 / 5], [1 / 3, 1], [1 / 2, 8 / 9])),
            ("rouge2", "testing one", ([1, 1 / 2], [1 / 2, 2 / 3], [2 / 3, 4 / 7])),
            ("rougeL", "testing one", ([1, 4 / 5], [2 / 3, 1], [4 / 5, 8 / 9])),
            ("rougeLsum", "testing one", ([1, 4 / 5], [2 / 3, 1], [4 / 5, 8 / 9])),
        )
    ),
    ("rouge1", ["testing one two"], ["testing"], [0.0], (np.nan, np.nan, np.nan)),
]


@pytest.mark.parametrize("case", ROUGE, ids=str)
def test_rouge(case: Any) -> None:
    kind, references, texts, weights, expected = case
    made = values(references, texts, [("Rouge", {"rouge_type": kind})], weights)
    names = [f"{kind}/{part}" for part in ("precision", "recall", "fmeasure")]
    assert [made[name] for name in names] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_types_of_rouge_stand_beside_each_other() -> None:
    """As in TFMA's test of a whole run, where each has the name of its type."""
    kinds = ("rouge1", "rouge2", "rougeL", "rougeLsum")
    pairs = ["testing one two", "This is a test"], ["testing", "This is not a test"]
    made = values(*pairs, [("Rouge", {"rouge_type": kind}) for kind in kinds], [0.5, 0.7])
    assert made["rouge2/precision"] == pytest.approx(np.average([0, 1 / 2], weights=[0.5, 0.7]))
    assert len(made) == 12


# Boxes of two images: xmin, ymin, xmax, ymax, class, and of predictions the score.
COCO_LABELS = [
    [
        [272.1, 200.23, 424.07, 480.0, 2.0],
        [181.23, 86.28, 208.67, 159.81, 2.0],
        [174.74, 0.0, 435.78, 220.79, 2.0],
    ],
    [
        [473.07, 395.93, 503.07, 424.6, 1.0],
        [204.01, 235.08, 264.85, 412.44, 2.0],
        [0.43, 499.79, 340.22, 606.24, 2.0],
        [204.42, 304.1, 256.93, 456.86, 2.0],
    ],
]
COCO_PREDICTIONS = [
    [
        [271.2, 178.86, 429.52, 459.57, 2.0, 0.64],
        [178.53, 92.57, 206.39, 159.71, 2.0, 0.38],
        [167.96, 9.97, 442.79, 235.07, 2.0, 0.95],
    ],
    [
        [471.15, 398.57, 502.29, 428.26, 1.0, 0.54],
        [198.53, 242.14, 263.93, 427.51, 2.0, 0.95],
        [-32.86, 505.75, 338.82, 619.66, 2.0, 0.17],
        [201.59, 299.39, 258.4, 452.88, 1.0, 0.05],
    ],
]
PRECISION, RECALL = "COCOMeanAveragePrecision", "COCOMeanAverageRecall"
COCO = {
    "iou0.5": (PRECISION, {"iou_thresholds": [0.5]}, 0.916),
    "iou0.75": (PRECISION, {"iou_thresholds": [0.75]}, 0.416),
    "iouave": (PRECISION, {"iou_thresholds": [0.5, 0.75]}, 0.666),
    "mdet1": (RECALL, {"max_num_detections": 1}, 0.375),
    "mdet10": (RECALL, {"max_num_detections": 10}, 0.533),
    "mdet100": (RECALL, {"max_num_detections": 100}, 0.533),
    "small": (RECALL, {"area_range": [0, 1024]}, 0.5),
    "medium": (RECALL, {"area_range": [1024, 9216]}, 0.3),
    "large": (RECALL, {"area_range": [9216, 99999]}, 0.7),
}


def test_boxes_as_coco_counts_them() -> None:
    metrics = [
        (name, {"class_ids": [1, 2], "max_num_detections": 100, **config, "name": key})
        for key, (name, config, _) in COCO.items()
    ]
    expected = {key: value for key, (_, _, value) in COCO.items()}
    assert values(COCO_LABELS, COCO_PREDICTIONS, metrics) == pytest.approx(expected, abs=1e-3)


BOXES = [
    [[30.0, 100.0, 70.0, 300.0, 0.0], [50.0, 100.0, 80.0, 200.0, 1.0]],
    [[30.0, 100.0, 70.0, 400.0, 0.0], [10.0, 200.0, 80.0, 300.0, 0.0]],
]
DETECTED = [
    [
        [20.0, 130.0, 60.0, 290.0, 0.0, 0.7],
        [30.0, 100.0, 70.0, 300.0, 0.0, 0.3],
        [500.0, 100.0, 800.0, 300.0, 1.0, 0.1],
    ],
    [[100.0, 130.0, 160.0, 290.0, 0.0, 0.4], [30.0, 100.0, 70.0, 300.0, 0.0, 0.3]],
]
DETECTION: list[tuple[str, dict[str, Any], float]] = [
    ("ObjectDetectionMaxRecall", {}, 2 / 3),
    ("ObjectDetectionRecall", {"thresholds": 0.1}, 2 / 3),
    ("ObjectDetectionPrecision", {"thresholds": 0.1}, 0.5),
    ("ObjectDetectionThresholdAtRecall", {"recall": 0.4}, 0.3),
]


@pytest.mark.parametrize("case", DETECTION, ids=lambda case: case[0])
def test_boxes_of_a_class(case: Any) -> None:
    name, config, expected = case
    metrics = [(name, {"class_id": 0, "max_num_detections": 100, **config, "name": "made"})]
    assert values(BOXES, DETECTED, metrics)["made"] == pytest.approx(expected, abs=1e-3)


# The same boxes as TFMA's test of split data has them: what a model returns, padded to one length.
STACKS = {
    "labels_to_stack": ["xmin", "ymin", "xmax", "ymax", "class_id"],
    "predictions_to_stack": ["bbox", "class_id", "scores"],
    "class_ids": [1, 2],
    "iou_thresholds": [0.5],
    "max_num_detections": 100,
}
PARTS = {
    "xmin": [[box[0] for box in image] for image in COCO_LABELS],
    "ymin": [[box[1] for box in image] for image in COCO_LABELS],
    "xmax": [[box[2] for box in image] for image in COCO_LABELS],
    "ymax": [[box[3] for box in image] for image in COCO_LABELS],
    "class_id": [[box[4] for box in image] for image in COCO_LABELS],
}
DETECTED_PARTS = {
    "bbox": [[box[:4] for box in image] for image in COCO_PREDICTIONS],
    "class_id": [[box[4] for box in image] for image in COCO_PREDICTIONS],
    "scores": [[box[5] for box in image] for image in COCO_PREDICTIONS],
}


def detector(frame: Any) -> dict[str, Any]:
    """Detections of the images of a frame as four outputs, of which the last row of the first is padding."""
    image = [DETECTED_PARTS["bbox"][i] for i in frame["image"]]
    padded = [[*boxes, *[[0.0, 0.0, 9e9, 9e9]] * (4 - len(boxes))] for boxes in image]
    made = {"bbox": np.array(padded), "num_detections": np.array([[len(boxes)] for boxes in image])}
    for name in ("class_id", "scores"):
        rows = [DETECTED_PARTS[name][i] for i in frame["image"]]
        made[name] = np.array([[*row, *[1.0] * (4 - len(row))] for row in rows])
    return made


def split(config: dict[str, Any], model: Any = None, **columns: Any) -> list[dict[str, Any]]:
    metric = {"class_name": PRECISION, "config": {**STACKS, "name": "iou0.5", **config}}
    specs = columns.pop("model_specs", [{}])
    made = {"model_specs": specs, "metrics_specs": [{"metrics": [metric]}]}
    return benison.evaluate(pa.table(columns), made, model=model).metrics.to_pylist()


def test_boxes_are_outputs_of_a_model() -> None:
    """Outputs come before columns of the data of the same name, as class_id is; images after padding are none."""
    (row,) = split({"num_detections_key": "num_detections"}, detector, image=[0, 1], **PARTS)
    assert row["value"] == pytest.approx(0.916, abs=1e-3)


def test_boxes_are_parts_of_two_columns() -> None:
    """As in TFMA's test, where label and prediction are dicts."""
    columns = {
        "labels": [dict(zip(PARTS, row, strict=True)) for row in zip(*PARTS.values(), strict=True)],
        "predictions": [
            dict(zip(DETECTED_PARTS, row, strict=True))
            for row in zip(*DETECTED_PARTS.values(), strict=True)
        ],
    }
    specs = [{"label_key": "labels", "prediction_key": "predictions"}]
    (row,) = split({}, model_specs=specs, **columns)
    assert row["value"] == pytest.approx(0.916, abs=1e-3)
    with pytest.raises(
        benison.DataError, match="labels are structs of .*'xmin'.* needs one of these"
    ):
        split({"labels_to_stack": []}, model_specs=specs, **columns)


def test_two_models_have_boxes_of_their_own() -> None:
    def blind(frame: Any) -> dict[str, Any]:
        return {**detector(frame), "num_detections": np.full(len(frame), 1.0)}

    metric = {"class_name": PRECISION, "config": {**STACKS, "num_detections_key": "num_detections"}}
    config = {"metrics_specs": [{"metrics": [metric]}]}
    table = pa.table({"image": [0, 1], **PARTS})
    result = benison.evaluate(table, config, model=detector, baseline=blind).metrics.to_pylist()
    values = {(row["model"], row["kind"]): row["value"] for row in result}
    assert values["candidate", "value"] == pytest.approx(0.916, abs=1e-3)
    assert values["baseline", "value"] < values["candidate", "value"]


def test_an_output_that_is_nowhere() -> None:
    stacks = {"predictions_to_stack": ["bbox", "class_ids", "scores"]}
    with pytest.raises(benison.ModelError, match="'class_ids'.*class_id"):
        split(stacks, detector, image=[0, 1], **PARTS)
    assert (
        split({**stacks, "allow_missing_key": True}, detector, image=[0, 1], **PARTS)[0]["value"]
        == 0
    )
