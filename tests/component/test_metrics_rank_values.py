# SPDX-License-Identifier: Apache-2.0
"""The tests of areas and operating points: scikit-learn's values, to the resolution that they claim."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from benison.data.batch import Inputs
from benison.metrics import Metric, from_config
from benison.metrics.statistics.ranks import EXACT_SCORES
from benison.testing import states_of

POINTS: dict[str, dict[str, Any]] = {
    "SensitivityAtSpecificity": {"specificity": [0.2, 0.5, 0.9]},
    "SpecificityAtSensitivity": {"sensitivity": [0.2, 0.5, 0.9]},
    "PrecisionAtRecall": {"recall": [0.2, 0.5, 0.9]},
    "RecallAtPrecision": {"precision": [0.2, 0.6, 0.8]},
    "RecallAtFalsePositiveRate": {"false_positive_rate": [0.02, 0.3, 0.9]},
    "ThresholdAtRecall": {"recall": [0.2, 0.5, 1.0]},
}


def best_point(name: str, rows: Inputs) -> list[float]:
    """From scikit-learn's curves, which take a score and all above it as positive."""
    args = {"sample_weight": rows.weights}
    fall_out, recall, _ = sk.roc_curve(
        rows.labels, rows.predictions, drop_intermediate=False, **args
    )
    precision, recall_too, thresholds = sk.precision_recall_curve(
        rows.labels, rows.predictions, **args
    )
    near = 1e-9
    choose = {
        "SensitivityAtSpecificity": lambda x: recall[1 - fall_out >= x - near].max(),
        "SpecificityAtSensitivity": lambda x: (1 - fall_out)[recall >= x - near].max(),
        "PrecisionAtRecall": lambda x: precision[:-1][recall_too[:-1] >= x - near].max(),
        "RecallAtPrecision": lambda x: max([0, *recall_too[:-1][precision[:-1] >= x - near]]),
        "RecallAtFalsePositiveRate": lambda x: recall[fall_out <= x + near].max(),
        "ThresholdAtRecall": lambda x: thresholds[recall_too[:-1] >= x - near].max(),
    }[name]
    (bounds,) = POINTS[name].values()
    return [float(choose(bound)) for bound in bounds]


def davis_goadrich(rows: Inputs) -> float:
    """The integral of precision over recall, between neighbours on the straight lines of the ROC curve."""
    weights, (_, rank) = weights_or_1(rows), np.unique(-rows.predictions, return_inverse=True)
    tp, fp = (
        np.append(0, np.cumsum(np.bincount(rank, weights * (rows.labels == label))))
        for label in (1, 0)
    )
    area = 0.0
    for i in range(len(tp) - 1):
        rise, run, predicted = tp[i + 1] - tp[i], fp[i + 1] - fp[i], tp[i] + fp[i]
        growth = math.log((predicted + rise + run) / predicted) if predicted else 0.0
        slope = rise / (rise + run)
        area += slope * (rise + (tp[i] - slope * predicted) * growth)
    return area / tp[-1]


def weights_or_1(rows: Inputs) -> np.ndarray:
    return np.ones(len(rows)) if rows.weights is None else rows.weights


def scores_like(kind: str, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    logits = rng.normal(1.5 * labels - 1, 2)
    p = 1 / (1 + np.exp(-logits))
    return {
        "probabilities": p,
        "logits": logits,
        "percent": 100 * p,
        "rare": 1e-4 * p,
        "tiny": 1e-30 * p,
        "near 1": 1 - 1e-6 * (1 - p),
        "huge": 1e30 * logits,
        "inverted": -logits,
        "credit": np.round(575 + 60 * logits),
        "decimals": np.round(p, 3),
        "all magnitudes": np.sign(logits) * 10.0 ** (60 * np.abs(logits) - 300),
        "infinite": np.where(np.abs(logits) > 3, np.sign(logits) * np.inf, logits),
    }[kind]


KINDS = [
    "probabilities", "logits", "percent", "rare", "tiny", "near 1", "huge", "inverted", "credit", "decimals",
    "all magnitudes", "infinite",
]  # fmt: skip


def rows_like(kind: str, rows: int, weighted: bool, seed: int = 5) -> Inputs:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows) * 1.0
    weights = rng.integers(0, 5, rows) / 2 if weighted else None
    return Inputs(labels, scores_like(kind, rng, labels), weights)


def value_and_resolution(metric: Metric, rows: Inputs) -> tuple[Any, float]:
    states = states_of(metric, rows, np.zeros(len(rows)), 1)
    with np.errstate(all="ignore"):
        value, resolution = metric.result(*states), metric.resolution(*states)
        at_once = metric.result_and_resolution(*states)
    np.testing.assert_array_equal(at_once[0], value)
    np.testing.assert_array_equal(at_once[1], resolution)
    return value[0], float(np.asarray(resolution)[0])


def expected_values(rows: Inputs) -> Iterator[tuple[Metric, Any]]:
    ranked = rows.take(np.flatnonzero(weights_or_1(rows)))
    order = np.unique(ranked.predictions, return_inverse=True)[1]
    ranked = dataclasses.replace(ranked, predictions=order * 1.0)  # infinity is a score too
    args = (ranked.labels, ranked.predictions)
    yield from_config("AUC", {}), sk.roc_auc_score(*args, sample_weight=ranked.weights)
    yield from_config("AUC", {"curve": "PR"}), davis_goadrich(ranked)
    yield from_config("AUCPrecisionRecall", {}), davis_goadrich(ranked)
    for name, config in POINTS.items():
        expected = np.array(best_point(name, ranked))
        if name == "ThresholdAtRecall":
            scores = np.unique(rows.predictions[weights_or_1(rows) > 0])
            expected = scores[expected.astype(int)]
        yield from_config(name, config), expected


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_few_scores_are_exact(kind: str, weighted: bool) -> None:
    rows = rows_like(kind, EXACT_SCORES, weighted)
    for metric, expected in expected_values(rows):
        value, resolution = value_and_resolution(metric, rows)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
        assert resolution == 0.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_many_scores_are_within_the_resolution(kind: str, weighted: bool) -> None:
    rows = rows_like(kind, 12_000, weighted)
    few = len(np.unique(rows.predictions)) <= EXACT_SCORES
    for metric, expected in expected_values(rows):
        value, resolution = value_and_resolution(metric, rows)
        with np.errstate(invalid="ignore"):
            off = np.where(value == expected, 0.0, np.abs(value - expected))
        assert np.all(off <= resolution + 1e-12), metric
        assert resolution == 0.0 or not few, metric
        if metric.name == "auc" and kind != "all magnitudes":
            assert resolution < 1e-3
        if metric.name == "threshold_at_recall" and kind not in ("all magnitudes", "infinite"):
            assert resolution <= np.max(np.abs(expected)) / 128


# Scores that 10,000 bins of [0, 1] cannot tell apart.


def auc(labels: Any, scores: Any) -> float:
    value, resolution = value_and_resolution(from_config("AUC", {}), Inputs.of(labels, scores))
    assert resolution == 0.0
    return float(value)


def test_scores_far_below_a_ten_thousandth() -> None:
    labels = [1] * 50 + [0] * 50
    assert auc(labels, [8e-5] * 50 + [1e-5] * 50) == 1.0
    assert auc(labels, [1e-5] * 50 + [8e-5] * 50) == 0.0


@pytest.mark.parametrize(
    "scores",
    [
        np.linspace(97, 100, 15),
        np.linspace(1, 100, 15),
        1 - 1e-6 * np.linspace(15, 1, 15),
        np.linspace(-4, 3, 15),
        10.0 ** np.linspace(-300, 300, 15),
    ],
)
def test_scores_outside_of_0_and_1(scores: np.ndarray) -> None:
    labels = np.array([0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1])
    assert auc(labels, scores) == pytest.approx(sk.roc_auc_score(labels, np.arange(15)), rel=1e-12)
    assert auc(1 - labels, scores) == pytest.approx(1 - auc(labels, scores), rel=1e-12)


def test_thresholds_are_scores() -> None:
    rows = Inputs.of([0, 1, 0, 1], [1e-5, 1.98e-5, 1.5e-5, 3e-5])
    value, resolution = value_and_resolution(from_config("ThresholdAtRecall", {"recall": 1}), rows)
    assert (value, resolution) == (1.98e-5, 0.0)
    value, _ = value_and_resolution(from_config("ThresholdAtRecall", {"recall": 0}), rows)
    assert value == math.inf  # nothing need be positive


# Thresholds that are given.


@pytest.mark.parametrize("count", [3, 200, 9_999])
def test_a_number_of_thresholds_is_what_tfma_has(count: int) -> None:
    rows = rows_like("probabilities", 3_000, False)
    buckets = np.floor(rows.predictions * 10_000) / 10_000
    edges = np.arange(count - 1) / (count - 1)
    reached = np.searchsorted(edges + 1e-7, buckets, side="right") - 1
    expected = sk.roc_auc_score(rows.labels, np.maximum(reached, 0))
    value, resolution = value_and_resolution(from_config("AUC", {"num_thresholds": count}), rows)
    assert value == pytest.approx(expected, abs=1e-9)
    exact = sk.roc_auc_score(rows.labels, rows.predictions)
    assert abs(value - exact) <= resolution < 2 / count


def test_ten_thousand_thresholds_are_none_given() -> None:
    given = from_config("AUC", {"num_thresholds": 10_000})
    assert given == from_config("AUC", {})
    assert auc([1, 0], [2e-6, 1e-6]) == 1.0


@pytest.mark.parametrize("name", ["AUC", "RecallAtPrecision", "ThresholdAtRecall"])
def test_more_thresholds_than_tfma_has_buckets(name: str) -> None:
    rows = rows_like("probabilities", 3_000, True)
    config = {"RecallAtPrecision": {"precision": 0.7}, "ThresholdAtRecall": {"recall": 0.4}}
    exact, _ = value_and_resolution(from_config(name, config.get(name, {})), rows)
    values = []
    for count in (1_000, 20_000, 1_000_000):
        given = {**config.get(name, {}), "num_thresholds": count}
        value, resolution = value_and_resolution(from_config(name, given), rows)
        assert abs(value - exact) <= resolution + 1e-12
        values.append(resolution)
    assert values[0] >= values[1] >= values[2] >= 0
    assert values[0] > 0 or name == "RecallAtPrecision"


def test_thresholds_of_ones_own_are_those_of_the_area_too() -> None:
    rows = rows_like("logits", 6_000, False)
    exact = sk.roc_auc_score(rows.labels, rows.predictions)
    for thresholds in ([0.0], np.linspace(-5, 5, 50).tolist(), np.linspace(-5, 5, 5000).tolist()):
        metric = from_config("AUC", {"thresholds": thresholds})
        value, resolution = value_and_resolution(metric, rows)
        assert abs(value - exact) <= resolution < 1 / len(thresholds)
    point = from_config("PrecisionAtRecall", {"recall": 0.5, "thresholds": [0.0, 1.0]})
    assert value_and_resolution(point, rows)[1] == 0.0  # no other thresholds count


@pytest.mark.parametrize("method", ["minoring", "majoring"])
@pytest.mark.parametrize("curve", ["ROC", "PR"])
@pytest.mark.parametrize("kind", ["probabilities", "percent", "decimals"])
def test_sums_of_rectangles(
    monkeypatch: pytest.MonkeyPatch, kind: str, curve: str, method: str
) -> None:
    rows = rows_like(kind, 12_000, True)
    metric = from_config("AUC", {"curve": curve, "summation_method": method})
    value, resolution = value_and_resolution(metric, rows)
    monkeypatch.setattr("benison.metrics.statistics.ranks.EXACT_SCORES", 10**6)
    exact, none = value_and_resolution(metric, rows)
    assert none == 0.0
    assert abs(value - exact) <= resolution + 1e-12
    assert resolution < 5e-3
