# SPDX-License-Identifier: Apache-2.0
"""Rates of the k highest scores, and of one class, by parameters of the metric as TFMA has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as sk

import benison
from benison.testing import example_config
from tests.conftest import config

RNG = np.random.default_rng(2)
LABELS, SCORES = (
    RNG.integers(0, 4, 200),
    RNG.normal(0, 2, (200, 4)),
)  # logits, of which half are below 0
TABLE = pa.table({"label": LABELS, "prediction": SCORES.tolist()})


def values(*metrics: Any, **more: Any) -> dict[tuple[str, str], float]:
    table = benison.evaluate(TABLE, config(*metrics, **more)).metrics
    rows = table.select(["metric", "sub_key", "value"]).to_pylist()
    return {(row["metric"], row["sub_key"]): row["value"] for row in rows}


def test_the_k_highest_scores_are_positive() -> None:
    metrics = [
        {"class_name": name, "config": {"top_k": 2}} for name in ("Recall", "Precision", "TP")
    ]
    hits = sk.top_k_accuracy_score(LABELS, SCORES, k=2)
    expected = {
        ("recall", "topK:2"): hits,
        ("precision", "topK:2"): hits / 2,
        ("tp", "topK:2"): hits * 200,
    }
    assert values(*metrics) == pytest.approx(expected)


def test_thresholds_hold_among_the_k_highest_scores() -> None:
    metric = {"class_name": "Recall", "config": {"top_k": 1, "thresholds": 1.0}}
    right = (SCORES.argmax(axis=1) == LABELS) & (SCORES.max(axis=1) > 1.0)
    assert values(metric) == pytest.approx({("recall", "topK:1"): right.mean()})


def test_one_class_beside_another() -> None:
    metrics = [
        {"class_name": "Recall", "config": {"class_id": k, "thresholds": 0.0}} for k in (0, 3)
    ]
    expected = {
        ("recall", f"classId:{k}"): sk.recall_score(k == LABELS, SCORES[:, k] > 0) for k in (0, 3)
    }
    assert values(*metrics) == pytest.approx(expected)


# Of the classes to which TFMA gives both parameters those that are not rates of the confusion matrix.
NEW = [
    "AUC",
    "AUCPrecisionRecall",
    "BinaryAccuracy",
    "ConfusionMatrixAtThresholds",
    "FBetaScore",
    "Gini",
    "KolmogorovSmirnov",
    "MaxRecall",
    "PrecisionAtRecall",
    "RecallAtFalsePositiveRate",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "ThresholdAtRecall",
]


def structured(table: pa.Table) -> dict[str, Any]:
    rows = table.select(["metric", "value", "structured"]).to_pylist()
    return {row["metric"]: (row["value"], row["structured"]) for row in rows}


def with_parameters(**parameters: int) -> list[dict[str, Any]]:
    return [{"class_name": name, "config": {**example_config(name), **parameters}} for name in NEW]


def test_one_class_by_a_parameter_is_one_class_of_the_spec() -> None:
    ours = benison.evaluate(TABLE, config(*with_parameters(class_id=3)))
    assert set(ours.metrics["sub_key"].to_pylist()) == {"classId:3"}
    spec = {"binarize": {"class_ids": [3]}}
    expected = benison.evaluate(TABLE, config(*with_parameters(), spec=spec))
    np.testing.assert_equal(structured(ours.metrics), structured(expected.metrics))


def test_the_classes_that_are_not_among_the_k_highest_score_nothing() -> None:
    ours = benison.evaluate(TABLE, config(*with_parameters(top_k=2)))
    assert set(ours.metrics["sub_key"].to_pylist()) == {"topK:2"}
    best = np.sort(SCORES, axis=1)[:, -2:-1] <= SCORES
    pairs = {
        "label": np.eye(4)[LABELS].ravel(),
        "prediction": np.where(best, SCORES, -np.inf).ravel(),
    }
    highest = {"BinaryAccuracy": {"threshold": -1e30}, "FBetaScore": {"threshold": -1e30}}
    metrics = [
        m | {"config": m["config"] | highest.get(m["class_name"], {})} for m in with_parameters()
    ]
    expected = benison.evaluate(pa.table(pairs), config(*metrics))
    np.testing.assert_equal(structured(ours.metrics), structured(expected.metrics))


def test_a_parameter_and_its_spec_contradict_each_other() -> None:
    metric = {"class_name": "Recall", "config": {"class_id": 2}}
    with pytest.raises(benison.ConfigError, match="recall has class_id or top_k, and its spec has"):
        values(metric, spec={"binarize": {"class_ids": [1]}})


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"top_k": 0}, "top_k must be a number of classes from 1 up, not 0"),
        ({"class_id": -1}, "class_id must be a class from 0 up, not -1"),
    ],
)
def test_parameters_without_meaning(parameters: Any, sentence: str) -> None:
    with pytest.raises(benison.ConfigError, match=sentence):
        values({"class_name": "Recall", "config": parameters})


def test_a_spec_asks_for_the_k_highest_scores_of_each_metric() -> None:
    metrics = ["Recall", "AUC", {"class_name": "Precision", "config": {"thresholds": 1.0}}]
    spec = {"binarize": {"top_k_list": [1, 2], "class_ids": [0]}}
    actual = values(*metrics, spec=spec)
    named = [m if isinstance(m, dict) else {"class_name": m, "config": {}} for m in metrics]
    for k in (1, 2):
        own = [{**m, "config": {**m["config"], "top_k": k}} for m in named]
        for key, value in values(*own).items():
            assert actual.pop(key) == pytest.approx(value)
    assert {sub_key for _, sub_key in actual} == {"classId:0"}


def test_metrics_of_all_scores_have_no_k_highest() -> None:
    with pytest.raises(benison.ConfigError, match="MeanPrediction would see the scores"):
        values("MeanPrediction", spec={"binarize": {"top_k_list": [2]}})


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        (
            {"class_name": "Precision", "config": {"top_k": 2}},
            "Precision has top_k, and its spec binarize; keep one",
        ),
        ({"class_name": "MRR"}, "MRR counts ranks of a query by its top_k"),
    ],
)
def test_top_k_list_takes_the_place_of_no_other_top_k(metric: Any, sentence: str) -> None:
    asked = {"metrics": [metric], "binarize": {"top_k_list": [1]}, "query_key": "q"}
    table = pa.table({"label": [0, 1], "prediction": [[0.9, 0.1], [0.2, 0.8]], "q": ["a", "a"]})
    models = [{"label_key": "label", "prediction_key": "prediction"}]
    with pytest.raises(benison.ConfigError, match=sentence):
        benison.evaluate(table, {"model_specs": models, "metrics_specs": [asked]})
