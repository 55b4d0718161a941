# SPDX-License-Identifier: Apache-2.0
"""Matrices and plots of several classes, with the columns of TFMA's own tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from tests.parity.test_tfma_gate import SPEC

FOUR = {"label": [0.0, 0.0, 1.0, 1.0], "prediction": [0.0, 0.5, 0.3, 0.9]}


EIGHT = {
    "label": [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0],
    "prediction": [0.2, 0.8, 0.5, -0.1, 0.5, 0.8, 0.2, 1.1],
    "weight": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
}


CLASSES = {
    "label": [2.0, 0.0, 1.0, 1.0, 1.0, 2.0],
    "prediction": [
        [0.2, 0.3, 0.5],
        [0.1, 0.3, 0.6],
        [0.3, 0.1, 0.6],
        [0.1, 0.9, 0.0],
        [0.1, 0.8, 0.1],
        [0.3, 0.1, 0.6],
    ],
    "weight": [0.5, 1.0, 0.25, 1.0, 1.0, 1.0],
}


LABELS = {
    "label": [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]],
    "prediction": [[0.7, 0.5, 0.2], [0.3, 0.6, 0.1], [0.2, 0.4, 0.5], [1.0, 0.4, 0.1]],
}


LABELS_WEIGHTED = {**LABELS, "weight": [0.25, 0.5, 0.75, 1.0]}


CELLS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def cells(**columns: list[float]) -> dict[str, list[float]]:
    return dict(zip(CELLS, columns.values(), strict=True))


# Data, metric, parameters, and the columns that TFMA's test expects.
TABLES: list[tuple[Any, str, dict[str, Any], dict[str, list[float]]]] = [
    (
        FOUR,
        "ConfusionMatrixAtThresholds",
        {"thresholds": [0.3, 0.5, 0.8]},
        cells(tp=[1, 1, 1], fp=[1, 0, 0], tn=[1, 2, 2], fn=[1, 1, 1]),
    ),
    (
        FOUR,
        "ConfusionMatrixAtThresholds",
        {"thresholds": [0.25, 0.75]},
        cells(tp=[2, 1], fp=[1, 0], tn=[1, 2], fn=[0, 1]),
    ),
    (
        FOUR,
        "ConfusionMatrixPlot",
        {"num_thresholds": 4},
        {
            "threshold": [-1e-6, 0.0, 0.25, 0.5, 0.75, 1.0],
            **cells(
                tp=[2, 2, 2, 1, 1, 0],
                fp=[2, 2, 1, 0, 0, 0],
                tn=[0, 0, 1, 2, 2, 2],
                fn=[0, 0, 0, 1, 1, 2],
            ),
        },
    ),
    (
        FOUR,
        "ScoreDistributionPlot",
        {"num_thresholds": 4},
        {"true_positives": [4, 3, 3, 1, 1, 0], "true_negatives": [0, 1, 1, 3, 3, 4]},
    ),
    (
        EIGHT,
        "CalibrationPlot",
        {"num_buckets": 10},
        {
            "label": [4, 0, 0, 0, 0, 0, 5, 0, 0, 8, 0, 8],
            "prediction": [-0.4, 0, 0, 1.6, 0, 0, 4.0, 0, 0, 6.4, 0, 8.8],
            "weight": [4, 0, 0, 8, 0, 0, 8, 0, 0, 8, 0, 8],
        },
    ),
    (
        LABELS,
        "MultiLabelConfusionMatrixPlot",
        {},
        cells(
            tp=[2, 0, 0, 1, 1, 0, 0, 0, 0],
            fp=[0] * 9,
            tn=[0, 1, 2, 1, 0, 2, 0, 0, 0],
            fn=[0, 1, 0, 0, 1, 0, 0, 0, 0],
        ),
    ),
    (
        LABELS_WEIGHTED,
        "MultiLabelConfusionMatrixPlot",
        {"thresholds": [0.0, 0.5, 1.0]},
        cells(
            tp=[1.25, 0.25, 0, 0.25, 0.75, 0, 0, 0, 0, 1.25, 0, 0, 0.25, 0.5, 0, 0, 0, 0] + [0] * 9,
            fp=[0, 1, 1.25, 0.5, 0, 0.75, 0, 0, 0] + [0] * 18,
            tn=[0] * 10 + [1, 1.25, 0.5, 0, 0.75, 0, 0, 0, 0, 1, 1.25, 0.5, 0, 0.75, 0, 0, 0],
            fn=[0] * 10 + [0.25, 0, 0, 0.25, 0, 0, 0, 0, 1.25, 0.25, 0, 0.25, 0.75, 0, 0, 0, 0],
        ),
    ),
]


def table_of(columns: Any, class_name: str, config: dict[str, Any]) -> dict[str, list[float]]:
    """The columns of a plot or of a structured value."""
    spec = {**SPEC, "example_weight_key": "weight"} if "weight" in columns else SPEC
    metric = {"class_name": class_name, "config": config}
    made = {"model_specs": [spec], "metrics_specs": [{"metrics": [metric]}]}
    result = benison.evaluate(pa.table(columns), made)
    if result.plots.num_rows:
        return dict(result.plots["columns"][0].as_py())
    return dict(json.loads(result.metrics["structured"][0].as_py()))


@pytest.mark.parametrize("case", TABLES, ids=lambda case: f"{case[1]}-{case[2]}")
def test_matrices_and_plots_have_the_columns_of_tfmas_tests(case: Any) -> None:
    data, class_name, config, expected = case
    made = table_of(data, class_name, config)
    for name, column in expected.items():
        np.testing.assert_allclose(made[name], column, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("class_name", "last"),
    [
        ("MultiClassConfusionMatrixAtThresholds", {(2, -1): 0.5, (2, 2): 1.0}),
        ("MultiClassConfusionMatrixPlot", {(2, 2): 1.5}),
    ],
)
def test_the_matrix_of_classes_is_that_of_tfmas_tests(class_name: str, last: Any) -> None:
    """A class is predicted where its score is above the threshold, 0.5 and for the plot 0; -1 is none."""
    made = table_of(CLASSES, class_name, {})
    names = ("actual_class_id", "predicted_class_id", "num_weighted_examples")
    rows = zip(*(made[name] for name in names), strict=True)
    weights = {(int(a), int(p)): weight for a, p, weight in rows if weight}
    assert weights == {(0, 2): 1.0, (1, 1): 2.0, (1, 2): 0.25, **last}
