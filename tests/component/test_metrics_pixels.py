# SPDX-License-Identifier: Apache-2.0
"""The tests of metrics of segmented images: TFMA's class names, files and lists, and what is refused."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import benison

# The example of TFMA's own test, with the class 1 and the ignored class 255.
TRUTH = np.array([[1, 1, 0], [255, 2, 0]], np.uint8)
FOUND = np.array([[1, 0, 1], [1, 2, 1]], np.uint8)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def evaluated(
    truth: Any, actual: Any, name: str = "SemanticSegmentationFalsePositive", **more: Any
) -> Any:
    config = {"class_ids": [1, 2], "ground_truth_key": "truth", "prediction_key": "found", **more}
    metric = {"class_name": name, "config": config}
    table = pa.table({"truth": truth, "found": actual})
    return benison.evaluate(table, {"metrics_specs": [{"metrics": [metric]}]})


def values(result: Any) -> dict[str, float]:
    return {row["sub_key"]: row["value"] for row in result.metrics.to_pylist()}


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("lines", [True, False])
def test_images_come_as_files_and_as_lists(files: bool, lines: bool) -> None:
    truth = png(TRUTH) if files else TRUTH.tolist()
    actual = FOUND.tolist()
    if not lines:
        actual = FOUND.ravel().tolist()
    result = evaluated([truth], [actual], decode_ground_truth=files, ignore_ground_truth_id=255)
    assert values(result) == {"classId:1": 2, "classId:2": 0}
    result = evaluated([truth], [actual], decode_ground_truth=files)
    assert values(result) == {"classId:1": 3, "classId:2": 0}


def test_a_missing_image_counts_as_missing_labels_and_predictions_do() -> None:
    name = "SemanticSegmentationTruePositive"
    result = evaluated([png(TRUTH), None], [FOUND.tolist()] * 2, name)
    assert values(result) == {"classId:1": 1, "classId:2": 1}
    result = evaluated([png(TRUTH)] * 2, [FOUND.tolist(), None], name)
    assert all(math.isnan(value) for value in values(result).values())


@pytest.mark.parametrize(
    ("truth", "actual", "sentence"),
    [
        (png(TRUTH), FOUND[:1].tolist(), "Predict images of the size of the labelled ones"),
        (png(TRUTH), FOUND.T.tolist(), "Predict images of the size of the labelled ones"),
        (b"no image", FOUND.tolist(), "'truth' is no image"),
        (png(np.zeros((2, 3, 3), np.uint8)), FOUND.tolist(), "has 3 numbers for each pixel"),
        (TRUTH.tolist(), FOUND.tolist(), "'truth' does not hold files of images"),
    ],
)
def test_images_that_do_not_fit_are_refused(truth: Any, actual: Any, sentence: str) -> None:
    with pytest.raises(benison.DataError, match=sentence):
        evaluated([truth], [actual])


def test_a_column_of_images_is_not_compared_with_itself() -> None:
    config = {"class_ids": [1], "ground_truth_key": "truth", "prediction_key": "found"}
    config |= {"decode_ground_truth": False}
    metric = {"class_name": "SemanticSegmentationTruePositive", "config": config}
    models = [{"name": "a"}, {"name": "b", "is_baseline": True}]
    table = pa.table({"truth": [TRUTH.tolist()], "found": [FOUND.tolist()]})
    with pytest.raises(benison.DataError, match="'found', which is the same for every model"):
        benison.evaluate(table, {"model_specs": models, "metrics_specs": [{"metrics": [metric]}]})


def test_a_pixel_without_a_label_is_none_and_without_a_prediction_undefines_the_image() -> None:
    unlabelled = evaluated([[[1, None, 2]]], [[[1, 1, 1]]], decode_ground_truth=False)
    assert values(unlabelled) == {"classId:1": 1.0, "classId:2": 0.0}
    unknown = evaluated([[[1, 2, 2]]], [[[1, None, 1]]], decode_ground_truth=False)
    assert all(math.isnan(value) for value in values(unknown).values())


def test_a_column_of_images_is_no_output_of_a_model() -> None:
    config = {"class_ids": [1], "ground_truth_key": "truth", "prediction_key": "mask"}
    metric = {"class_name": "SemanticSegmentationTruePositive", "config": config}
    metric["config"] |= {"decode_ground_truth": False}
    table = pa.table({"truth": [TRUTH.tolist()], "mask": [TRUTH.tolist()]})
    with pytest.raises(benison.BenisonError, match="no output 'mask'"):
        benison.evaluate(
            table,
            {"metrics_specs": [{"metrics": [metric]}]},
            model=lambda frame: {"edges": np.zeros((len(frame), 2)), "lines": np.zeros((1, 2))},
        )


def test_images_are_one_of_several_outputs_of_each_model() -> None:
    config = {"class_ids": [1], "ground_truth_key": "truth", "prediction_key": "mask"}
    config |= {"decode_ground_truth": False}
    metric = {"class_name": "SemanticSegmentationTruePositive", "config": config}
    table = pa.table({"truth": [TRUTH.tolist()], "mask": [FOUND.tolist()]})

    def cutter(image: Any) -> Any:
        return lambda frame: {"mask": np.array([image]), "edges": np.zeros((1, 2, 3))}

    made = {"metrics_specs": [{"metrics": [metric]}]}
    result = benison.evaluate(table, made, model=cutter(TRUTH), baseline=cutter(0 * TRUTH))
    by_model = {r["model"]: r["value"] for r in result.metrics.to_pylist() if r["kind"] == "value"}
    assert by_model == {"candidate": (TRUTH == 1).sum(), "baseline": 0}
