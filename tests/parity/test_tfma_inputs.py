# SPDX-License-Identifier: Apache-2.0
"""Which labels, predictions and weights TFMA's own tests say that a metric sees, asked of Benison.

The inputs and numbers are facts of github.com/tensorflow/model-analysis: metric_util_test, stats_test,
calibration_histogram_test, aggregation_test, tf_metric_wrapper_test and the tests of preprocessors. TFMA looks
at the arrays that it hands on; here it is what metrics make of them: the mean label and the mean prediction,
or the cells, that such arrays have.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import benison

MEANS = ("MeanLabel", "MeanPrediction")
CELLS = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")


def rows(columns: Any, metrics: Any, spec: Any = None, **model: Any) -> Any:
    """The rows of metrics.parquet, of metrics that are names or (name, parameters)."""
    pairs = [(m, {}) if isinstance(m, str) else m for m in metrics]
    named = [{"class_name": name, "config": config} for name, config in pairs]
    keys = {"label_key": "label", "prediction_key": "prediction", "example_weight_key": "weight"}
    known = {key: name for key, name in keys.items() if name in columns} | model
    config = {"model_specs": [known], "metrics_specs": [{"metrics": named, **(spec or {})}]}
    return benison.evaluate(pa.table(columns), config).metrics.to_pylist()


def values(*given: Any, **more: Any) -> list[float]:
    return [row["value"] for row in rows(*given, **more)]


SCORES = [[0.0, 0.5, 0.3, 0.9]]
SECOND, THIRD = {"label": [1], "prediction": SCORES}, {"label": [2], "prediction": SCORES}
ONE_HOT = {"label": [[0.0, 0.0, 1.0, 0.0]], "prediction": SCORES}
THREE_HOT = {
    "label": [[0, 0, 1], [0, 0, 1], [0, 1, 0]],
    "prediction": [[0.2, 0.7, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7]],
}
THREE_SPARSE = {**THREE_HOT, "label": [0, 2, 1]}
MICRO = {"aggregate": {"micro_average": True}}
WEIGHED = {
    "aggregate": {"micro_average": True, "class_weights": {"0": 1, "1": 0.5, "2": 0.25, "3": 1}}
}
FIRST_TWO = {"binarize": {"top_k_list": [2]}}
# Data, the metrics, what is taken of the classes, and the values.
SEEN: list[tuple[Any, Any, Any, list[float]]] = [
    (ONE_HOT, MEANS, {}, [0.25, 0.425]),
    (THIRD, MEANS, MICRO, [0.25, 0.425]),
    (THIRD, MEANS, {"binarize": {"class_ids": [2]}}, [1.0, 0.3]),
    (THIRD, MEANS, {"binarize": {"k_list": [2]}}, [0.0, 0.5]),
    (
        {"label": [1, 2], "prediction": [*SCORES, [0.1, 0.4, 0.2, 0.3]]},
        MEANS,
        {"binarize": {"k_list": [2]}},
        [0.5, 0.4],
    ),
    (SECOND, CELLS, FIRST_TWO, [1, 1, 2, 0]),
    (
        {"label": [1, 2], "prediction": [*SCORES, [0.1, 0.4, 0.2, 0.3]]},
        CELLS,
        FIRST_TWO,
        [1, 3, 3, 1],
    ),
    (SECOND, [("TruePositives", {"class_id": 1, "thresholds": [0.4]})], FIRST_TWO, [1]),
    (SECOND, MEANS, {"aggregate": {"micro_average": True, "top_k_list": [2]}}, [0.5, 0.7]),
    (THIRD, MEANS, WEIGHED, [0.25 / 2.75, (0.25 + 0.3 * 0.25 + 0.9) / 2.75]),
    ({**ONE_HOT, "weight": [0.0]}, MEANS, {}, [math.nan] * 2),
    ({**THIRD, "weight": [0.0]}, MEANS, MICRO, [math.nan] * 2),
    ({"label": [-1], "prediction": [[0.2, 0.7, 0.1]]}, MEANS, MICRO, [0.0, 1 / 3]),
    (THREE_SPARSE, MEANS, {"binarize": {"class_ids": [1]}}, [1 / 3, 1.5 / 3]),
    (THREE_HOT, MEANS, {"binarize": {"class_ids": [1]}}, [1 / 3, 1.5 / 3]),
    ({"label": [[1]], "prediction": [[0.8]]}, MEANS, {}, [1.0, 0.8]),
    ({"label": [[0], [1]], "prediction": [[0.2], [0.7]]}, MEANS, {}, [0.5, 0.45]),
]


@pytest.mark.parametrize("case", SEEN, ids=lambda case: f"{case[0]['label']}-{case[2]}")
def test_what_a_metric_sees(case: Any) -> None:
    data, metrics, spec, expected = case
    assert values(data, metrics, spec) == pytest.approx(expected, nan_ok=True)
