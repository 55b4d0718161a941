# SPDX-License-Identifier: Apache-2.0
"""What pycocotools makes of boxes: matches, average precision and recall."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import sklearn.metrics as sk
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benison.data.batch import Ragged

IOUS = np.linspace(0.5, 0.95, 10)
LEVELS = np.linspace(0, 1, 101)


def annotations(boxes: Ragged) -> list[dict[str, Any]]:
    images = np.repeat(np.arange(len(boxes)), boxes.lengths)
    rows = zip(images.tolist(), boxes.values.tolist(), strict=True)
    return [
        {
            "id": i + 1,
            "image_id": image,
            "category_id": int(box[4]),
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "area": (box[2] - box[0]) * (box[3] - box[1]),
            "iscrowd": 0,
            "score": box[-1],
        }
        for i, (image, box) in enumerate(rows)
    ]


def data_set(boxes: Ragged, classes: list[int]) -> COCO:
    made = COCO()
    made.dataset = {
        "images": [{"id": i} for i in range(len(boxes))],
        "categories": [{"id": c} for c in classes],
        "annotations": annotations(boxes),
    }
    made.createIndex()
    return made


def evaluated(
    truth: Ragged,
    detected: Ragged,
    classes: list[int],
    ious: Any = IOUS,
    area: tuple[float, float] = (0, 1e10),
    most: int = 1000,
) -> COCOeval:
    """The evaluation of pycocotools, with one range of areas."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(data_set(truth, classes), data_set(detected, classes), "bbox")
        params = evaluation.params
        params.iouThrs, params.areaRng, params.areaRngLbl = np.array(ious), [area], ["all"]
        params.maxDets = [most]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


_IMAGES: dict[bytes, list[Any]] = {}


def matches(truth: Ragged, detected: Ragged, weights: Any, class_id: int, iou: float) -> Any:
    """Label, score and weight of each detection, and the weight of the missed boxes."""
    rows, missed, at = [], 0.0, int(np.argmin(np.abs(IOUS - iou)))
    key = detected.values.tobytes()
    if key not in _IMAGES:  # the reference takes half a second
        _IMAGES[key] = evaluated(truth, detected, [0, 1, 2]).evalImgs
    for image in _IMAGES[key]:
        if image is not None and image["category_id"] == class_id:
            weight = weights[image["image_id"]]
            labels = image["dtMatches"][at] > 0
            rows += [(y, p, weight) for y, p in zip(labels, image["dtScores"], strict=True)]
            missed += weight * (image["gtMatches"][at] == 0).sum()
    return *np.array(rows).reshape(-1, 3).T, missed


def curve(truth: Ragged, detected: Ragged, weights: Any, class_id: int, iou: float) -> Any:
    """Precision and recall at each threshold, from the lowest up, and the thresholds."""
    labels, scores, weight, missed = matches(truth, detected, weights, class_id, iou)
    precision, recall, thresholds = sk.precision_recall_curve(labels, scores, sample_weight=weight)
    positives = (labels * weight).sum()
    return precision[:-1], recall[:-1] * positives / (positives + missed), thresholds


def average_precision(
    truth: Ragged, detected: Ragged, weights: Any, class_id: int, iou: float
) -> float:
    precision, recall, _ = curve(truth, detected, weights, class_id, iou)
    return float(np.mean([precision[recall >= r].max(initial=0) for r in LEVELS]))


def mean_of(function: Any, classes: list[int], ious: Any) -> Any:
    return lambda y, p, w: np.mean([function(y, p, w, c, t) for c in classes for t in ious])


def recall_above(threshold: float) -> Any:
    def recall(y: Ragged, p: Ragged, w: Any, class_id: int = 1, iou: float = 0.5) -> float:
        labels, scores, weight, missed = matches(y, p, w, class_id, iou)
        right = (labels * weight)[scores > threshold].sum()
        return right / ((labels * weight).sum() + missed)

    return recall


def precision_above(y: Ragged, p: Ragged, w: Any) -> float:
    labels, scores, weight, _ = matches(y, p, w, 1, 0.5)
    above = scores > 0.5  # noqa: PLR2004
    return np.average(labels[above], weights=weight[above])


def best_precision(y: Ragged, p: Ragged, w: Any) -> float:
    precision, recall, _ = curve(y, p, w, 1, 0.5)
    return precision[recall >= 0.5].max()  # noqa: PLR2004


def highest_threshold(y: Ragged, p: Ragged, w: Any) -> float:
    _, recall, thresholds = curve(y, p, w, 1, 0.5)
    return thresholds[recall >= 0.5].max()  # noqa: PLR2004


def plot(y: Ragged, p: Ragged, w: Any) -> np.ndarray:
    labels, scores, weight, missed = matches(y, p, w, 1, 0.5)
    cells = []
    for t in [-1.0, -1e-12, *(np.arange(1, 1001) / 1000)]:
        tp, fp = (weight[(labels == side) & (scores > t)].sum() for side in (1, 0))
        tn, fn = (weight[(labels == side) & ~(scores > t)].sum() for side in (0, 1))
        cells.append((tp, fp, tn, fn + missed))
    return np.array(cells).T.ravel()


ORACLES: dict[str, Any] = {
    "COCOAveragePrecision": mean_of(average_precision, [1], [0.5]),
    "COCOMeanAveragePrecision": mean_of(average_precision, [0, 2], IOUS),
    "COCOAverageRecall": mean_of(recall_above(0), [1], IOUS),
    "COCOMeanAverageRecall": mean_of(recall_above(0), [0, 2], IOUS),
    "ObjectDetectionConfusionMatrixPlot": plot,
    "ObjectDetectionMaxRecall": recall_above(0),
    "ObjectDetectionPrecision": precision_above,
    "ObjectDetectionPrecisionAtRecall": best_precision,
    "ObjectDetectionRecall": recall_above(0.5),
    "ObjectDetectionThresholdAtRecall": highest_threshold,
}
