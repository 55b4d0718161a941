# SPDX-License-Identifier: Apache-2.0
"""The tests of the regression metrics, with the values of TFMA's own tests."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benison.data.batch import Inputs
from benison.errors import DataError
from benison.metrics import from_config
from benison.testing import value_of

Evaluate = Callable[..., Any]

SEVEN = Inputs.of([0.1, 0.3, 0.5, 1, 2, 3, 3], [1, 0, 2, 0.5, 1, 5, 5], [0.1, 0.5, 1, 1, 1, 1, 1])
ERRORS = [
    "MeanSquaredError",
    "RootMeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MeanSquaredError", 2.07607),
        ("RootMeanSquaredError", math.sqrt(2.07607)),
        ("MeanSquaredLogarithmicError", 0.20117),
    ],
)
def test_known_errors(evaluate_metric: Evaluate, name: str, expected: float) -> None:
    assert evaluate_metric(from_config(name, {}), SEVEN) == pytest.approx(expected, abs=1e-5)


def test_percentage_error_skips_labels_of_0(evaluate_metric: Evaluate) -> None:
    metric = from_config("MeanAbsolutePercentageError", {})
    rows = Inputs.of([1, 0, 4], [0.5, 9, 5], [1, 7, 3])
    assert evaluate_metric(metric, rows) == pytest.approx((50 * 1 + 25 * 3) / 4)
    assert math.isnan(evaluate_metric(metric, Inputs.of([0], [1])))


def test_label_prediction_and_calibration(evaluate_metric: Evaluate) -> None:
    rows = Inputs.of([0, 1, 1], [0.3, 0.3, 0.6])
    weighted = Inputs.of([0, 1, 0], [1.0, 0.7, 0.5], [0.5, 0.7, 0.9])
    for name, plain, with_weights in (
        ("MeanLabel", 2 / 3, 0.7 / 2.1),
        ("MeanPrediction", 0.4, 1.44 / 2.1),
        ("Calibration", 0.6, 1.44 / 0.7),
    ):
        metric = from_config(name, {})
        assert evaluate_metric(metric, rows) == pytest.approx(plain)
        assert evaluate_metric(metric, weighted) == pytest.approx(with_weights)
    nothing = Inputs.of([0, 0], [0.5, 0.5])
    assert math.isnan(evaluate_metric(from_config("Calibration", {}), nothing))


def test_correlation(evaluate_metric: Evaluate) -> None:
    metric = from_config("SquaredPearsonCorrelation", {})
    plain = Inputs.of([2, 1, 2, 3], [1, 2, 3, 4])
    assert evaluate_metric(metric, plain) == pytest.approx(0.4)
    weighted = Inputs.of([1, 4, 3, 3], [1, 2, 3, 4], [1, 2, 3, 4])
    assert evaluate_metric(metric, weighted) == pytest.approx(0.06667, abs=1e-5)
    assert math.isnan(evaluate_metric(metric, Inputs.of([1], [2])))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-9, 1e9 + 0.1, -0.3])
@pytest.mark.parametrize("name", ["SquaredPearsonCorrelation", "R2Score"])
def test_equal_labels_have_no_correlation(
    evaluate_metric: Evaluate, name: str, value: float
) -> None:
    rng = np.random.default_rng(0)
    rows = Inputs(np.full(500, value), rng.random(500), rng.random(500))
    assert math.isnan(evaluate_metric(from_config(name, {}), rows))


def test_many_equal_labels_have_no_correlation() -> None:
    rng = np.random.default_rng(0)
    rows = Inputs(np.full(10**6, 0.1), rng.random(10**6), rng.random(10**6))
    actual = value_of(from_config("R2Score", {}), rows, np.zeros(10**6), 300_000)
    assert np.isnan(actual).all()


def test_labels_that_barely_vary_do_vary() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 1000)
    rows = Inputs(1e9 + noise, 1e9 + 2 * noise)
    assert from_config("SquaredPearsonCorrelation", {}).of(rows) == pytest.approx(1.0)


def test_discrimination(evaluate_metric: Evaluate) -> None:
    difference, quotient = (
        from_config(name, {})
        for name in ("CoefficientOfDiscrimination", "RelativeCoefficientOfDiscrimination")
    )
    rows = Inputs.of([0, 1, 1, 0], [0.8, 0.3, 0.9, 0.2], [1, 2, 3, 4])
    assert evaluate_metric(difference, rows) == pytest.approx(0.66 - 0.32)
    assert evaluate_metric(quotient, rows) == pytest.approx(0.66 / 0.32)
    for label in (0, 1):
        assert math.isnan(evaluate_metric(difference, Inputs.of([label], [0.3])))
    with pytest.raises(DataError, match=re.escape("labels in [0, 1]; a label is 3")):
        evaluate_metric(difference, Inputs.of([3], [0.3]))


@pytest.mark.parametrize("name", ERRORS)
def test_several_outputs_count_as_rows(evaluate_metric: Evaluate, name: str) -> None:
    metric = from_config(name, {})
    labels, predictions = [[1, 2], [0, 4], [3, 3]], [[1.5, 1], [2, 5], [3, 0]]
    together = evaluate_metric(metric, Inputs.of(labels, predictions, [1, 2, 0.5]))
    flat = Inputs.of(np.ravel(labels), np.ravel(predictions), [1, 1, 2, 2, 0.5, 0.5])
    assert together == pytest.approx(evaluate_metric(metric, flat))


@pytest.mark.parametrize("name", [*ERRORS, "BinaryCrossEntropy"])
def test_a_label_for_each_prediction(name: str) -> None:
    sentence = (
        "There must be a label for each prediction; labels have the shape (2, 2) and predictions "
        "(2, 3). For several classes, choose them with binarize.class_ids in metrics_specs."
    )
    with pytest.raises(DataError, match=re.escape(sentence)):
        from_config(name, {}).of(Inputs.of(np.ones((2, 2)), np.ones((2, 3))))


@pytest.mark.parametrize("name", ["SquaredPearsonCorrelation", "R2Score"])
def test_a_correlation_is_of_one_output(name: str) -> None:
    sentence = "A correlation needs one label and one prediction in each row"
    with pytest.raises(DataError, match=re.escape(sentence)):
        from_config(name, {}).of(Inputs.of(np.ones((2, 3)), np.ones((2, 3))))


@pytest.mark.parametrize("name", [*ERRORS, "MeanPrediction", "Calibration", "R2Score"])
def test_a_missing_prediction_leaves_no_value(name: str) -> None:
    rows = Inputs.of([1, 2, 3, 4], [1, None, 3, 5])
    actual = value_of(from_config(name, {}), rows, [0, 0, 1, 1], 2)
    np.testing.assert_array_equal(np.isnan(actual), [True, False])


def test_sums_are_the_same_however_rows_are_split() -> None:
    metric = from_config("MeanLabel", {})
    rows = Inputs(np.full(2_000_000, 0.1), np.zeros(2_000_000))

    def thousands(n: int) -> list[np.ndarray]:
        return np.split(np.arange(n), 1000)

    whole = value_of(metric, rows, np.zeros(len(rows)), 1)
    split = value_of(metric, rows, np.zeros(len(rows)), 1, thousands)
    np.testing.assert_allclose([whole, split], 0.1, rtol=1e-12)


def test_slices_far_from_each_other_keep_the_digits_of_their_correlation() -> None:
    rng = np.random.default_rng(4)
    codes = np.repeat(np.arange(5), 200)
    labels = rng.normal(size=1000) + np.array([0.0, 1e9, 0.1, -1e7, 0.3])[codes]
    predictions = labels + rng.normal(size=1000) + np.array([0.0, 5.0, 1e8, 0.0, 0.2])[codes]
    labels[codes == 4] = 0.3  # which is close to the means of no slice, and varies nowhere
    rows, each = Inputs.of(labels, predictions), from_config("PearsonCorrelation", {})
    values = value_of(each, rows, codes, 5)
    for i in range(4):
        mine = codes == i
        expected = np.corrcoef(labels[mine], predictions[mine])[0, 1]
        assert values[i] == pytest.approx(expected, rel=1e-9)
        assert values[i] == pytest.approx(each.of(rows.take(np.flatnonzero(mine))), rel=1e-12)
    assert np.isnan(values[4])
