# SPDX-License-Identifier: Apache-2.0
"""The tests of the confusion-matrix metrics, with the values of TFMA's own tests."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benison.data.batch import Inputs
from benison.errors import ConfigError, DataError
from benison.metrics import from_config
from benison.testing import value_of

Evaluate = Callable[..., Any]

# TFMA's ten rows: tp 1, tn 2, fp 3, fn 4.
TEN = Inputs.of([1, 0, 0, 0, 0, 0, 1, 1, 1, 1], [0.6, 0.3, 0.2, 0.6, 0.7, 0.8, 0.1, 0.2, 0.3, 0.4])
TPR, TNR, PPV, NPV = 1 / 5, 2 / 5, 1 / 4, 2 / 6

EXPECTED = {
    "TruePositives": 1.0,
    "FalsePositives": 3.0,
    "TrueNegatives": 2.0,
    "FalseNegatives": 4.0,
    "BinaryAccuracy": 3 / 10,
    "Precision": PPV,
    "Recall": TPR,
    "Specificity": TNR,
    "FallOut": 3 / 5,
    "MissRate": 4 / 5,
    "NegativePredictiveValue": NPV,
    "FalseDiscoveryRate": 3 / 4,
    "FalseOmissionRate": 4 / 6,
    "Prevalence": 5 / 10,
    "PrevalenceThreshold": (math.sqrt(TPR * (1 - TNR)) + TNR - 1) / (TPR + TNR - 1),
    "ThreatScore": 1 / 8,
    "BalancedAccuracy": (TPR + TNR) / 2,
    "F1Score": 2 / 9,
    "MatthewsCorrelationCoefficient": (2 - 12) / math.sqrt(4 * 5 * 5 * 6),
    "FowlkesMallowsIndex": math.sqrt(PPV * TPR),
    "Informedness": TPR + TNR - 1,
    "Markedness": PPV + NPV - 1,
    "PositiveLikelihoodRatio": TPR / (3 / 5),
    "NegativeLikelihoodRatio": (4 / 5) / TNR,
    "DiagnosticOddsRatio": (1 / 4) / (3 / 2),
    "PredictedPositiveRate": 4 / 10,
    "MaxRecall": 1.0,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_ten_rows(evaluate_metric: Evaluate, name: str) -> None:
    assert evaluate_metric(from_config(name, {}), TEN) == pytest.approx(EXPECTED[name], rel=1e-12)


def test_weights(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([0, 1, 0], [1.0, 0.7, 0.5], [0.5, 0.7, 0.9])
    names = ("TP", "FP", "TN", "FN")
    counts = [evaluate_metric(from_config(name, {}), rows) for name in names]
    assert counts == pytest.approx([0.7, 0.5, 0.9, 0.0])


def test_a_fractional_label_is_a_share_of_two_rows(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([0, 0.6, 0.8], [0, 0.7, 1.0])
    counts = [evaluate_metric(from_config(n, {}), rows) for n in ("TP", "FP", "TN", "FN")]
    assert counts == pytest.approx([1.4, 0.6, 1.0, 0.0])


TRUE_POSITIVE, TRUE_NEGATIVE = Inputs.of([1], [0.9]), Inputs.of([0], [0.1])


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("Precision", TRUE_NEGATIVE),
        ("Recall", TRUE_NEGATIVE),
        ("Specificity", TRUE_POSITIVE),
        ("FallOut", TRUE_POSITIVE),
        ("MissRate", TRUE_NEGATIVE),
        ("NegativePredictiveValue", TRUE_POSITIVE),
        ("FalseDiscoveryRate", TRUE_NEGATIVE),
        ("FalseOmissionRate", TRUE_POSITIVE),
        ("ThreatScore", TRUE_NEGATIVE),
        ("F1Score", TRUE_NEGATIVE),
        ("MatthewsCorrelationCoefficient", TRUE_NEGATIVE),
        ("BalancedAccuracy", TRUE_POSITIVE),
        ("Informedness", TRUE_POSITIVE),
        ("PrevalenceThreshold", TRUE_NEGATIVE),
        ("FowlkesMallowsIndex", TRUE_NEGATIVE),
        ("PositiveLikelihoodRatio", TRUE_POSITIVE),
        ("NegativeLikelihoodRatio", TRUE_NEGATIVE),
        ("DiagnosticOddsRatio", TRUE_POSITIVE),
    ],
)
def test_an_empty_denominator_has_no_value(
    evaluate_metric: Evaluate, name: str, row: Inputs
) -> None:
    assert math.isnan(evaluate_metric(from_config(name, {}), row))


def test_a_prediction_equal_to_the_threshold_is_not_above_it(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([1, 1, 1], [0.25, 0.5, 0.75])
    assert evaluate_metric(from_config("TP", {"thresholds": 0.5}), rows) == 1.0
    assert evaluate_metric(from_config("TP", {"thresholds": [0.75, 0.25]}), rows).tolist() == [0, 2]
    assert evaluate_metric(from_config("TP", {"thresholds": [-math.inf]}), rows) == 3.0


def test_several_thresholds_keep_their_order_and_repeats(evaluate_metric: Evaluate) -> None:
    metric = from_config("Recall", {"thresholds": [0.8, 0.1, 0.8, 0.3]})
    assert evaluate_metric(metric, TEN) == pytest.approx([0, 0.8, 0, 0.4])


def test_matrices_at_thresholds(evaluate_metric: Evaluate) -> None:
    metric = from_config("ConfusionMatrixAtThresholds", {"thresholds": [0.3, 0.5, 0.8]})
    actual = evaluate_metric(metric, Inputs.of([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    assert {key: column.tolist() for key, column in actual.items()} == {
        "threshold": [0.3, 0.5, 0.8],
        "true_positives": [1, 1, 1],
        "false_positives": [1, 0, 0],
        "true_negatives": [1, 2, 2],
        "false_negatives": [1, 1, 1],
    }


def test_a_perfect_and_a_random_prevalence_threshold(evaluate_metric: Evaluate) -> None:
    metric = from_config("PrevalenceThreshold", {})
    assert evaluate_metric(metric, Inputs.of([1, 0], [0.9, 0.1])) == 0.0
    # Recall equals fall-out, where the unreduced formula is 0 / 0.
    assert evaluate_metric(metric, Inputs.of([1, 1, 0, 0], [0.9, 0.1, 0.9, 0.1])) == 0.5


def test_huge_weights_do_not_overflow(evaluate_metric: Evaluate) -> None:
    rows = Inputs(TEN.labels, TEN.predictions, np.full(10, 1e100))
    metric = from_config("MatthewsCorrelationCoefficient", {})
    expected = EXPECTED["MatthewsCorrelationCoefficient"]
    assert evaluate_metric(metric, rows) == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted({*EXPECTED, "AUC"} - {"Prevalence"}))  # which is of labels
@pytest.mark.parametrize("label", [0, 1])
def test_one_missing_prediction_leaves_no_value(
    evaluate_metric: Evaluate, name: str, label: int
) -> None:
    predictions = TEN.predictions.copy()
    predictions[int(np.argmax(TEN.labels == label))] = np.nan
    actual = evaluate_metric(from_config(name, {}), Inputs(TEN.labels, predictions))
    assert math.isnan(actual)


def test_a_missing_prediction_spoils_its_own_slice_alone() -> None:
    rows = Inputs.of([1, 1, 0], [0.9, None, 0.1])
    actual = value_of(from_config("BinaryAccuracy", {}), rows, [0, 1, 0], 2)
    np.testing.assert_array_equal(actual, [1.0, np.nan])


@pytest.mark.parametrize("label", [2.0, -0.5, math.inf])
def test_a_label_outside_0_and_1_is_refused(label: float) -> None:
    sentence = (
        f"Binary metrics need labels in [0, 1]; a label is {label:g}. For a regression use metrics "
        f"such as MeanSquaredError."
    )
    with pytest.raises(DataError, match=re.escape(sentence)):
        from_config("Precision", {}).of(Inputs.of([0, label], [0.1, 0.2]))


def test_a_label_may_be_off_by_rounding(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([1 + 5e-8, -5e-8], [0.9, 0.2])
    assert evaluate_metric(from_config("BinaryAccuracy", {}), rows) == 1.0


def test_several_predictions_in_a_row_are_refused() -> None:
    sentence = (
        "Binary metrics need one label and one prediction in each row, and there are several. For "
        "several classes, choose them with binarize.class_ids"
    )
    with pytest.raises(DataError, match=re.escape(sentence)):
        from_config("Precision", {}).of(Inputs.of([0, 1], [[0.1, 0.9], [0.2, 0.8]]))


@pytest.mark.parametrize(
    ("name", "config", "sentence"),
    [
        ("Precison", {}, "There is no metric 'Precison'. Did you mean 'Precision'?"),
        (
            "Precision",
            {"threshold": 0.5},
            "Precision has no parameter 'threshold'. Did you mean 'thresholds'?",
        ),
        (
            "BinaryAccuracy",
            {"thresholds": 0.5},
            "BinaryAccuracy has no parameter 'thresholds'. Did you mean 'threshold'?",
        ),
        ("Recall", {"thresholds": []}, "thresholds must be numbers, at least one, not []"),
        ("Recall", {"thresholds": ["high"]}, "thresholds must be numbers"),
        ("Recall", {"thresholds": [math.nan]}, "thresholds must be numbers"),
        (
            "ConfusionMatrixAtThresholds",
            {},
            "ConfusionMatrixAtThresholds needs the parameter 'thresholds'.",
        ),
    ],
)
def test_faults_of_the_config(name: str, config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        from_config(name, config)
