# SPDX-License-Identifier: Apache-2.0
"""Ranks of the scores that real models give, which need not be in [0, 1], through whole evaluations."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as sk
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

import benison
from tests.conftest import config

FEW, MANY = 2_000, 12_000  # scores that are kept as they are, and scores in places of the scale


@functools.cache
def scores_of(kind: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of rows that a model has not seen, and its scores of them."""
    x, y = make_classification(rows + 500, 8, flip_y=0.2, random_state=4)
    train, held_out = slice(None, 500), slice(500, None)
    if kind == "margins":
        return y[held_out], LinearSVC(random_state=0).fit(x[train], y[train]).decision_function(
            x[held_out]
        )
    model = LogisticRegression().fit(x[train], y[train])
    logits = model.decision_function(x[held_out])
    probabilities = model.predict_proba(x[held_out])[:, 1]
    return y[held_out], {
        "logits": logits,
        "inverted logits": -logits,
        "percent": 100 * probabilities,
        "of a rare class": 1e-5 * probabilities,
        "nearly certain": 1 - 1e-6 * (1 - probabilities),
        "credit scores": np.round(600 + 40 * logits),
        "float32": probabilities.astype(np.float32).astype(float),
    }[kind]


def evaluated(labels: Any, scores: Any, *metrics: Any, **more: Any) -> benison.EvalResult:
    table = pa.table({"label": labels, "prediction": scores, **more.pop("columns", {})})
    return benison.evaluate(table, config(*metrics, **more))


def resolution(result: benison.EvalResult, metric: str) -> float:
    (row,) = [row for row in result.metrics.to_pylist() if row["metric"] == metric]
    return float(row["resolution"])


KINDS = [
    "margins", "logits", "inverted logits", "percent", "of a rare class", "nearly certain",
    "credit scores", "float32",
]  # fmt: skip


@pytest.mark.parametrize("rows", [FEW, MANY])
@pytest.mark.parametrize("kind", KINDS)
def test_areas_and_thresholds_are_those_of_the_scores(kind: str, rows: int) -> None:
    labels, scores = scores_of(kind, rows)
    at_recall = {"class_name": "ThresholdAtRecall", "config": {"recall": 0.8}}
    result = evaluated(labels, scores, "AUC", "AUCPrecisionRecall", at_recall)
    distinct = len(np.unique(scores))
    _, recall, thresholds = sk.precision_recall_curve(labels, scores)
    ranks = np.unique(scores, return_inverse=True)[1] / distinct
    expected = {
        "auc": sk.roc_auc_score(labels, scores),
        "threshold_at_recall": thresholds[recall[:-1] >= 0.8].max(),
        "auc_precision_recall": evaluated(labels, ranks, "AUCPrecisionRecall").value(
            "auc_precision_recall"
        ),
    }
    for metric, value in expected.items():
        off, known = abs(result.value(metric) - value), resolution(result, metric)
        if distinct <= 4_096:
            assert known == 0, metric
        if metric != "threshold_at_recall":
            assert known < 1e-3, metric
            assert off <= known + (1e-3 if metric == "auc_precision_recall" else 0) + 1e-12, metric
        else:
            assert off <= known + 1e-12 * abs(value)
    assert expected["auc"] != pytest.approx(0.5, abs=0.2)


def test_fifteen_logits_around_a_hundred() -> None:
    scores = np.linspace(97, 100, 15)
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1])
    value = evaluated(labels, scores, "AUC").value("auc")
    assert value == pytest.approx(sk.roc_auc_score(labels, scores), rel=1e-12)
    pairs = scores[labels == 1][:, None] > scores[labels == 0]
    assert value == pytest.approx(pairs.mean(), rel=1e-12)


def test_an_inverted_model_is_not_blessed() -> None:
    labels, scores = scores_of("inverted logits", FEW)
    bound = {"value_threshold": {"lower_bound": 0.5}}
    result = evaluated(labels, scores, {"class_name": "AUC", "threshold": bound})
    assert result.verdict.status == "not_blessed"
    assert result.value("auc") == pytest.approx(sk.roc_auc_score(labels, scores), rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_a_fall_below_a_ten_thousandth_is_a_fall(scale: float) -> None:
    labels = [1.0] * 50 + [0.0] * 50
    good, bad = [8e-5] * 50 + [1e-5] * 50, [1e-5] * 50 + [8e-5] * 50
    table = pa.table({"label": labels, "old": np.array(good) * scale, "new": np.array(bad) * scale})
    no_fall = {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": 0.0}}
    made = config({"class_name": "AUC", "threshold": no_fall})
    made["model_specs"] = [
        {"name": "new", "label_key": "label", "prediction_key": "new"},
        {"name": "old", "label_key": "label", "prediction_key": "old", "is_baseline": True},
    ]
    result = benison.evaluate(table, made)
    assert (result.value("auc", model="new"), result.value("auc", model="old")) == (0.0, 1.0)
    assert result.verdict.status == "not_blessed"


@pytest.mark.parametrize("weighted", [False, True])
def test_each_slice_decides_for_itself_how_exact_it_is(weighted: bool) -> None:
    labels, scores = scores_of("logits", MANY)
    large = np.arange(MANY) % 3 > 0  # 8,000 scores, and 4,000
    weights = 1.0 + np.arange(MANY) % 4 if weighted else np.ones(MANY)
    result = evaluated(
        labels,
        scores,
        "AUC",
        columns={"large": large, "weight": weights},
        slices=[{"feature_keys": ["large"]}],
        model={"example_weight_key": "weight"} if weighted else {},
    )
    for flag in (True, False):
        rows = large == flag
        expected = sk.roc_auc_score(labels[rows], scores[rows], sample_weight=weights[rows])
        value = result.value("auc", slice={"large": flag})
        assert value == pytest.approx(expected, rel=1e-12 if not flag else 1e-3)
    (rough, exact) = (
        row["resolution"]
        for row in sorted(result.metrics.to_pylist(), key=lambda row: -row["resolution"])
    )
    assert 0 == exact < rough < 1e-3
