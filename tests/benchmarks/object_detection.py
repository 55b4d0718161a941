# SPDX-License-Identifier: Apache-2.0
"""COCO's mean average precision of many images, beside pycocotools.

Prints one JSON line: seconds of both, and the two values.

    python tests/benchmarks/object_detection.py --images 100000 --reference-images 5000
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import benison
from benison.data.batch import Ragged

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests import coco  # noqa: E402

CLASSES = list(range(10))
METRIC = {"class_name": "COCOMeanAveragePrecision", "config": {"class_ids": CLASSES}}


def generate(images: int) -> tuple[Ragged, Ragged]:
    """Seven labelled boxes and fourteen detections in an image, on the average."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 15, images)
    corners, sides = rng.random((lengths.sum(), 2)) * 500, 10 + rng.random((lengths.sum(), 2)) * 90
    classes = rng.integers(0, len(CLASSES), (len(corners), 1))
    truth = np.concatenate([corners, corners + sides, classes], axis=1)
    near = np.repeat(truth, 2, axis=0)
    near[:, :4] += rng.normal(0, 4, (len(near), 4))
    near[:, 2:4] = np.maximum(near[:, 2:4], near[:, :2])
    scores = rng.permutation(len(near))[:, None] / len(near)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return Ragged(truth, ends), Ragged(np.concatenate([near, scores], axis=1), 2 * ends)


def nested(boxes: Ragged) -> pa.Array:
    """A column of lists of lists."""
    width = boxes.values.shape[1]
    inner = pa.FixedSizeListArray.from_arrays(pa.array(boxes.values.ravel()), width)
    return pa.ListArray.from_arrays(pa.array(boxes.offsets, pa.int32()), inner)


def ours(truth: Ragged, detected: Ragged) -> tuple[float, float]:
    """Seconds and the value."""
    table = pa.table({"label": nested(truth), "prediction": nested(detected)})
    model = {"label_key": "label", "prediction_key": "prediction"}
    config = {"model_specs": [model], "metrics_specs": [{"metrics": [METRIC]}]}
    started = time.monotonic()
    result = benison.evaluate(table, config)
    return time.monotonic() - started, result.value("mean_average_precision")


def theirs(truth: Ragged, detected: Ragged) -> tuple[float, float]:
    """Seconds and the value."""
    started = time.monotonic()
    precision = coco.evaluated(truth, detected, CLASSES).eval["precision"]
    return time.monotonic() - started, float(precision[precision > -1].mean())


def main() -> None:
    """Generate, evaluate, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--reference-images", type=int, default=5_000)
    options = parser.parse_args()
    ours(*generate(100))  # the first run pays for imports
    figures: dict[str, float] = {}
    figures["seconds"], _ = ours(*generate(options.images))
    same = generate(options.reference_images)
    for name, run in (("few", ours), ("pycocotools", theirs)):
        figures[f"{name}_seconds"], figures[f"{name}_value"] = run(*same)
    figures["times"] = (
        figures["pycocotools_seconds"] / options.reference_images * options.images
    ) / figures["seconds"]
    print(json.dumps({"images": options.images, **figures}))


if __name__ == "__main__":
    main()
