# SPDX-License-Identifier: Apache-2.0
"""The tests of areas and operating points, with the values of TFMA's own tests."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from benison.data.batch import Inputs
from benison.errors import ConfigError
from benison.metrics import from_config
from benison.metrics.statistics.ranks import ScoreRanks
from benison.slicing.codes import SliceCodes
from benison.testing import value_of
from tests.component.test_metrics_confusion import TEN

Evaluate = Callable[..., Any]

WEIGHTED = Inputs.of([0, 1, 0], [1.0, 0.7, 0.5], [0.5, 0.7, 0.9])
FRACTIONAL = Inputs.of([0, 0.6, 0.8], [0, 0.7, 1.0])
FOUR = Inputs.of([0, 1, 1, 0], [0.2, 0.5, 0.9, 0.7])


@pytest.mark.parametrize(
    ("name", "config", "rows", "expected"),
    [
        ("AUC", {}, TEN, 0.26),
        ("AUCPrecisionRecall", {}, TEN, 0.36205),
        ("SpecificityAtSensitivity", {"sensitivity": 0.5}, TEN, 0.2),
        ("SensitivityAtSpecificity", {"specificity": 0.5}, TEN, 0.0),
        ("PrecisionAtRecall", {"recall": 0.5}, TEN, 0.5),
        ("RecallAtPrecision", {"precision": 0.5}, TEN, 1.0),
        ("RecallAtFalsePositiveRate", {"false_positive_rate": 0.6}, TEN, 0.4),
        ("ThresholdAtRecall", {"recall": 0.5}, TEN, 0.3),
        ("AUC", {}, WEIGHTED, 0.64286),
        ("AUCPrecisionRecall", {}, WEIGHTED, 0.37467),
        ("SpecificityAtSensitivity", {"sensitivity": 0.5}, WEIGHTED, 0.642857),
        ("SensitivityAtSpecificity", {"specificity": 0.5}, WEIGHTED, 1.0),
        ("PrecisionAtRecall", {"recall": 0.5}, WEIGHTED, 0.58333),
        ("RecallAtFalsePositiveRate", {"false_positive_rate": 0.5 / 1.4}, WEIGHTED, 1.0),
        ("AUC", {}, FRACTIONAL, 0.8571428),
        ("AUCPrecisionRecall", {}, FRACTIONAL, 0.77369833),
    ],
)
def test_known_values(
    evaluate_metric: Evaluate, name: str, config: dict[str, Any], rows: Inputs, expected: float
) -> None:
    actual = evaluate_metric(from_config(name, config), rows)
    assert actual == pytest.approx(expected, abs=1e-5)


def test_own_thresholds_get_the_two_ends(evaluate_metric: Evaluate) -> None:
    metric = from_config("AUC", {"thresholds": [0.25, 0.5, 0.75]})
    rows = Inputs.of([0, 1, 1, 0], [0.2, 0.5, 0.9, 0.7])
    # Above .25: tp 2, fp 1; above .5: 1, 1; above .75: 1, 0; the ends are (2, 2) and (0, 0).
    assert evaluate_metric(metric, rows) == pytest.approx(0.75)
    exact = from_config("AUC", {"thresholds": [0.2, 0.5, 0.7, 0.9]})
    assert evaluate_metric(exact, rows) == sk.roc_auc_score(rows.labels, rows.predictions)


def test_evenly_spaced_thresholds_are_a_number_of_thresholds() -> None:
    number = from_config("AUC", {"num_thresholds": 200})
    inner = [(i + 1) / 199 for i in range(198)]
    keras = from_config("AUC", {"num_thresholds": 200, "thresholds": inner})
    ended = from_config("AUC", {"thresholds": [-1e-7, *inner, 1 + 1e-7]})
    assert number == keras == ended
    default = from_config("AUC", {})
    assert number.statistics() == default.statistics()  # one histogram for both


def test_keras_writes_own_thresholds_with_a_number() -> None:
    both = from_config("AUC", {"num_thresholds": 5, "thresholds": [0.1, 0.2, 0.9]})
    assert both == from_config("AUC", {"thresholds": [0.1, 0.2, 0.9]})


@pytest.mark.parametrize("way", ["int", "float", "list"])
def test_a_bound_may_be_a_whole_number_or_a_list(evaluate_metric: Evaluate, way: str) -> None:
    bound = {"int": 1, "float": 1.0, "list": [1]}[way]
    actual = evaluate_metric(from_config("PrecisionAtRecall", {"recall": bound}), FOUR)
    assert np.ravel(actual) == pytest.approx([2 / 3])
    assert np.ndim(actual) == (way == "list")


def test_several_bounds(evaluate_metric: Evaluate) -> None:
    metric = from_config("SensitivityAtSpecificity", {"specificity": [0, 0.5, 1]})
    assert evaluate_metric(metric, FOUR) == pytest.approx([1.0, 1.0, 0.5])


def test_a_bound_that_rounding_misses_is_reached(evaluate_metric: Evaluate) -> None:
    # 0.3 + 0.1 + 0.2 is a little more than 0.6, so that recall is a little less than a half.
    rows = Inputs.of([1, 0, 1, 1], [0.9, 0.7, 0.5, 0.1], [0.3, 1.0, 0.1, 0.2])
    metric = from_config("PrecisionAtRecall", {"recall": 0.5})
    assert evaluate_metric(metric, rows) == 1.0


def test_own_thresholds_alone_are_operating_points(evaluate_metric: Evaluate) -> None:
    metric = from_config("PrecisionAtRecall", {"recall": 0.5, "thresholds": [0.6]})
    assert evaluate_metric(metric, FOUR) == 0.5
    strict = from_config("PrecisionAtRecall", {"recall": 0.9, "thresholds": [0.6]})
    assert math.isnan(evaluate_metric(strict, FOUR))
    threshold = from_config("ThresholdAtRecall", {"recall": 1, "thresholds": [0.1, 0.3, 0.6]})
    assert evaluate_metric(threshold, FOUR) == 0.3


def test_an_unreachable_precision_leaves_no_recall(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([0, 1], [0.9, 0.1])
    assert evaluate_metric(from_config("RecallAtPrecision", {"precision": 0.9}), rows) == 0.0


ONE_CLASS = {
    "AUC": (math.nan, math.nan),
    "AUCPrecisionRecall": (1.0, math.nan),
    "SensitivityAtSpecificity": (math.nan, math.nan),
    "SpecificityAtSensitivity": (math.nan, math.nan),
    "PrecisionAtRecall": (1.0, math.nan),
    "RecallAtPrecision": (1.0, math.nan),
    "RecallAtFalsePositiveRate": (math.nan, math.nan),
}
BOUNDS = {
    "SensitivityAtSpecificity": "specificity",
    "SpecificityAtSensitivity": "sensitivity",
    "PrecisionAtRecall": "recall",
    "RecallAtPrecision": "precision",
    "RecallAtFalsePositiveRate": "false_positive_rate",
    "ThresholdAtRecall": "recall",
}


@pytest.mark.parametrize("name", ONE_CLASS)
def test_slices_of_one_class_and_without_rows(name: str) -> None:
    metric = from_config(name, {BOUNDS[name]: 0.5} if name in BOUNDS else {})
    rows = Inputs.of([1, 1, 0, 0], [0.3, 0.8, 0.3, 0.8])
    actual = value_of(metric, rows, [0, 0, 1, 1], 3)
    np.testing.assert_array_equal(actual, [*ONE_CLASS[name], math.nan])


@pytest.mark.parametrize("rows", [3, 50, 3000])
def test_auc_of_many_slices_of_all_sizes(rows: int) -> None:
    rng = np.random.default_rng(rows)
    codes = np.minimum(rng.geometric(0.2, rows), 9)
    labels = rng.integers(0, 2, rows).astype(float)
    inputs = Inputs(labels, rng.random(rows), rng.random(rows))
    actual = value_of(from_config("AUC", {}), inputs, codes, 10)
    for code in range(10):
        at = codes == code
        if len(set(labels[at])) < 2:
            assert math.isnan(actual[code])
            continue
        args = (labels[at], inputs.predictions[at])
        weights = inputs.weights[at]  # type: ignore[index]
        expected = sk.roc_auc_score(*args, sample_weight=weights)
        assert actual[code] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
def test_the_methods_bound_each_other(evaluate_metric: Evaluate, method: str) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(float)
    rows = Inputs(labels, np.round(0.2 * labels + 0.8 * rng.random(200), 1))
    area = evaluate_metric(from_config("AUC", {"summation_method": method}), rows)
    exact = sk.roc_auc_score(rows.labels, rows.predictions)
    relation = {"interpolation": area == pytest.approx(exact), "minoring": area < exact - 0.01}
    assert relation.get(method, area > exact + 0.01)


def test_plot_at_three_thresholds(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    plot = evaluate_metric(from_config("ConfusionMatrixPlot", {"num_thresholds": 2}), rows)
    assert {key: column.tolist() for key, column in plot.items()} == {
        "threshold": [-1e-6, 0.0, 0.5, 1.0],
        "true_positives": [2, 2, 1, 0],
        "false_positives": [2, 2, 0, 0],
        "true_negatives": [0, 0, 2, 2],
        "false_negatives": [0, 0, 1, 2],
    }


def test_scores_outside_0_and_1_are_at_the_ends_of_the_plot(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([1, 1, 1], [-2.0, 0.5, 3.0])
    plot = evaluate_metric(from_config("ConfusionMatrixPlot", {"num_thresholds": 2}), rows)
    assert plot["true_positives"].tolist() == [3, 2, 1, 1]


def test_a_missing_prediction_leaves_no_plot(evaluate_metric: Evaluate) -> None:
    plot = evaluate_metric(from_config("ConfusionMatrixPlot", {}), Inputs.of([0, 1], [0.2, None]))
    assert all(np.isnan(column).all() for key, column in plot.items() if key != "threshold")


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("label", [0, 1])
def test_a_missing_prediction_leaves_no_operating_point(
    evaluate_metric: Evaluate, name: str, label: int
) -> None:
    predictions = FOUR.predictions.copy()
    predictions[int(np.argmax(FOUR.labels == label))] = np.nan
    metric = from_config(name, {BOUNDS[name]: 0.5})
    assert math.isnan(evaluate_metric(metric, Inputs(FOUR.labels, predictions)))


@pytest.mark.parametrize(
    ("name", "config", "sentence"),
    [
        ("AUC", {"curve": "RC"}, "curve must be one of ROC, PR, not 'RC'"),
        ("AUC", {"curve": 1}, "curve must be one of ROC, PR, not 1"),
        ("PrecisionAtRecall", {"recall": None}, "PrecisionAtRecall needs the parameter 'recall'."),
        (
            "CalibrationPlot",
            {"class_id": 1},
            "CalibrationPlot has no parameter 'class_id'. Choose classes with binarize.class_ids in metrics_specs.",
        ),
        (
            "AUC",
            {"summation_method": "sum"},
            "summation_method must be one of interpolation, minoring, majoring, not 'sum'",
        ),
        (
            "AUC",
            {"num_thresholds": 1},
            "num_thresholds must be a whole number from 2 up, not 1",
        ),
        ("AUC", {"num_thresholds": 2.5}, "num_thresholds must be a whole number from 2 up"),
        ("ConfusionMatrixPlot", {"num_thresholds": 10_001}, "must be at most 10,000, not 10,001"),
        ("CalibrationPlot", {"num_buckets": 10_001}, "must be at most 10,000, not 10,001"),
        ("CalibrationPlot", {"left": -math.inf}, "left and right must be finite, not -inf and 1.0"),
        (
            "AUC",
            {"num_thresholds": 9, "thresholds": [0.1]},
            "num_thresholds and thresholds contradict each other; give one of them",
        ),
        ("AUCPrecisionRecall", {"curve": "ROC"}, "AUCPrecisionRecall has no parameter 'curve'"),
        ("PrecisionAtRecall", {"recall": 1.5}, "recall must be in [0, 1], not 1.5"),
        ("PrecisionAtRecall", {"recall": []}, "recall must be in [0, 1], not []"),
        ("PrecisionAtRecall", {"recal": 0.5}, "no parameter 'recal'. Did you mean 'recall'?"),
        ("RecallAtPrecision", {}, "RecallAtPrecision needs the parameter 'precision'."),
        ("RecallAtPrecision", {"precision": "high"}, "precision must be in [0, 1], not 'high'"),
        ("ConfusionMatrixPlot", {"num_thresholds": 0}, "num_thresholds must be a whole number"),
    ],
)
def test_faults_of_the_config(name: str, config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        from_config(name, config)


def test_nobody_changes_the_values_that_another_one_reads() -> None:
    metric: Any = from_config("AUC", {})
    state = ScoreRanks().add(FOUR, SliceCodes.of([0] * len(FOUR), 1))
    first = [metric.result_and_resolution(state), (metric.result(state), metric.resolution(state))]
    expected = [part.copy() for part in first[0]]
    for part in (part for both in first for part in both):
        part[:] = 9.0
    again = metric.result(state), metric.resolution(state)
    for part, own in zip((*again, *metric.result_and_resolution(state)), expected * 2, strict=True):
        np.testing.assert_array_equal(part, own)
