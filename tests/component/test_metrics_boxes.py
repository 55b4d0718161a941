# SPDX-License-Identifier: Apache-2.0
"""The tests of metrics of detected boxes, beside pycocotools and through the columns of data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.batch import Inputs, Ragged
from benison.metrics import from_config
from benison.testing import example_inputs, value_of
from tests import coco
from tests.conftest import config

CLASSES = [0, 1, 2]


def images(rows: int, seed: int = 0) -> tuple[Ragged, Ragged]:
    """Labelled boxes and detections whose scores all differ."""
    inputs = example_inputs(
        from_config("COCOMeanAveragePrecision", {"class_ids": CLASSES}), rows, seed
    )
    detected = inputs.predictions.values.copy()
    detected[:, 5] = np.random.default_rng(seed).permutation(len(detected)) / len(detected)
    return inputs.labels, Ragged(detected, inputs.predictions.offsets)


def ours(class_name: str, truth: Ragged, detected: Ragged, **parameters: Any) -> float:
    metric = from_config(class_name, {"class_ids": CLASSES, **parameters})
    return float(value_of(metric, Inputs(truth, detected), np.zeros(len(truth)), 1)[0])


@pytest.mark.parametrize(
    ("area", "most"), [((0, 1e10), 1000), ((0, 9), 1000), ((6, 20), 1000), ((4, 25), 1)]
)
def test_means_are_those_of_pycocotools(area: tuple[float, float], most: int) -> None:
    truth, detected = images(200)
    reference = coco.evaluated(truth, detected, CLASSES, area=area, most=most).eval
    precision, recall = (reference[name] for name in ("precision", "recall"))
    rules = {"area_range": list(area), "max_num_detections": most}
    assert ours("COCOMeanAveragePrecision", truth, detected, **rules) == pytest.approx(
        precision[precision > -1].mean(), rel=1e-12
    )
    # TFMA takes detections with the score 0 for padding.
    detected.values[:, 5] += 1e-6
    assert ours("COCOMeanAverageRecall", truth, detected, **rules) == pytest.approx(
        recall[recall > -1].mean(), rel=1e-12
    )


def test_scores_in_bins_tell_how_far_the_mean_may_be_off() -> None:
    truth, detected = images(6000)
    metric = from_config("COCOAveragePrecision", {"class_id": 1})
    states = [s.add(Inputs(truth, detected), _all(6000)) for s in metric.statistics()]
    (value,), (resolution,) = metric.result_and_resolution(*states)
    reference = coco.evaluated(truth, detected, [1], [0.5]).eval["precision"]
    assert 0 < resolution < 1e-3
    assert abs(value - reference.mean()) <= resolution


def _all(rows: int) -> Any:
    from benison.slicing.codes import SliceCodes

    return SliceCodes.of(np.zeros(rows), 1)


def lists(boxes: Ragged) -> list[Any]:
    return [part.tolist() for part in np.split(boxes.values, boxes.offsets[1:-1])]


def nested_table() -> tuple[pa.Table, Ragged, Ragged]:
    truth, detected = images(120)
    columns = {"label": lists(truth), "prediction": lists(detected), "g": ["a", "b"] * 60}
    return pa.table(columns), truth, detected


def test_boxes_come_as_lists_of_lists_of_a_file(tmp_path: Any) -> None:
    table, truth, detected = nested_table()
    pq.write_table(table, tmp_path / "images.parquet", row_group_size=7)
    metric = {"class_name": "COCOMeanAveragePrecision", "config": {"class_ids": CLASSES}}
    made = config(metric, slices=({}, {"feature_keys": ["g"]}))
    result = benison.evaluate(tmp_path / "images.parquet", made)
    expected = ours("COCOMeanAveragePrecision", truth, detected)
    assert result.value("mean_average_precision") == pytest.approx(expected, rel=1e-12)
    assert set(result.metrics["evaluated"].to_pylist()) == {120, 60}


def test_boxes_come_in_a_column_for_each_number() -> None:
    _, truth, detected = nested_table()
    names = ["left", "top", "right", "bottom", "class", "score"]
    columns = {
        f"true_{n}": lists(Ragged(truth.values[:, i], truth.offsets))
        for i, n in enumerate(names[:5])
    }
    columns |= {
        n: lists(Ragged(detected.values[:, i], detected.offsets)) for i, n in enumerate(names)
    }
    columns["count"] = [2] * 120
    stacks = {
        "labels_to_stack": [f"true_{n}" for n in names[:5]],
        "predictions_to_stack": names,
        "num_detections_key": "count",
    }
    metric = {"class_name": "ObjectDetectionRecall", "config": {"class_id": 1, **stacks}}
    result = benison.evaluate(pa.table(columns), {"metrics_specs": [{"metrics": [metric]}]})
    places = np.arange(len(detected.values)) - np.repeat(detected.offsets[:-1], detected.lengths)
    ends = np.concatenate([[0], np.cumsum(places < 2)])[detected.offsets]
    first = Ragged(detected.values[places < 2], ends)
    expected = coco.recall_above(0.5)(truth, first, np.ones(120))
    actual = result.metrics.to_pylist()[0]
    assert (actual["value"], actual["sub_key"]) == (pytest.approx(expected, rel=1e-12), "classId:1")


@pytest.mark.parametrize("is_struct", [False, True])
def test_detections_that_are_missing_are_no_image_without_any(is_struct: bool) -> None:
    names = ["left", "top", "right", "bottom", "class", "score"]
    box = dict(zip(names, [0.0, 0.0, 2.0, 2.0, 1.0, 0.9], strict=True))
    stacks = {"class_id": 1, "predictions_to_stack": names}
    metric = {"class_name": "ObjectDetectionPrecision", "config": stacks}
    model = {"prediction_key": "found"} if is_struct else {"prediction_key": ""}

    def value(second: Any) -> float:
        rows = [{name: [number] for name, number in box.items()}, second]
        columns = {name: [row and row[name] for row in rows] for name in names}
        columns = {"found": rows} if is_struct else columns
        table = pa.table({"label": [[[0.0, 0.0, 2.0, 2.0, 1.0]]] * 2, **columns})
        return benison.evaluate(table, config(metric, model=model)).metrics["value"][0].as_py()

    assert value({name: [] for name in names}) == 1
    assert np.isnan(value(dict.fromkeys(names) if not is_struct else None))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({}, "needs the parameter 'class_id'"),
        ({"class_id": -1}, "class_id must be from 0 up"),
        ({"class_id": 1, "iou_threshold": 1.5}, "iou_threshold must be from 0 to 1"),
        ({"class_id": 1, "area_range": [3, 2]}, "area_range must be the least and the largest"),
        ({"class_id": 1, "max_num_detections": 0}, "max_num_detections must be from 1 up"),
    ],
)
def test_what_makes_no_rule_is_refused(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(benison.ConfigError, match=sentence):
        from_config("COCOAveragePrecision", parameters)


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ([[0.0, 0.0, 1.0, 1.0]], r"must be \[left, top, right, bottom, class\], and one holds 4"),
        ([[2.0, 0.0, 1.0, 1.0, 1.0]], "whose right or bottom end comes before"),
        ([0.0, 0.0, 1.0, 1.0, 1.0], "Boxes are lists of lists"),
    ],
)
def test_labels_that_are_no_boxes_are_refused(label: Any, sentence: str) -> None:
    table = pa.table({"label": [label], "prediction": [[[0.0, 0.0, 1.0, 1.0, 1.0, 0.5]]]})
    metric = {"class_name": "COCOAveragePrecision", "config": {"class_id": 1}}
    with pytest.raises(benison.DataError, match=sentence):
        benison.evaluate(table, config(metric))


def test_boxes_are_refused_by_metrics_of_numbers() -> None:
    table, *_ = nested_table()
    with pytest.raises(benison.BenisonError, match="COCOMeanAveragePrecision"):
        benison.evaluate(table, config("AUC"))


def test_an_image_without_boxes_has_wrong_detections_alone() -> None:
    detections = [[[0.0, 0.0, 1.0, 1.0, 1.0, 0.9]]] * 2
    table = pa.table({"label": [[[0.0, 0.0, 1.0, 1.0, 1.0]], []], "prediction": detections})
    metric = {"class_name": "ObjectDetectionPrecision", "config": {"class_id": 1}}
    assert benison.evaluate(table, config(metric)).value("object_detection_precision") == 0.5
    nothing = table.set_column(1, "prediction", pa.array([[], []], table.schema.field(1).type))
    value = benison.evaluate(nothing, config(metric)).value("object_detection_precision")
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("levels", "value"),
    [({"recalls": [1 / 3]}, 1.0), ({"num_recalls": 4}, 0.5)],
)
def test_a_level_of_recall_that_is_reached_exactly_counts(
    levels: dict[str, Any], value: float
) -> None:
    # One of three boxes, and the only detection is right: precision 1 up to a recall of a third.
    truth = Ragged(np.array([[i, 0, i + 1, 1, 1] for i in (0, 5, 9)], np.float64), np.array([0, 3]))
    found = Ragged(np.array([[0, 0, 1, 1, 1, 0.9]]), np.array([0, 1]))
    made = {"iou_threshold": 0.5, "class_id": 1, **levels}
    assert from_config("COCOAveragePrecision", made).of(Inputs(truth, found)) == value
