# SPDX-License-Identifier: Apache-2.0
"""The tests of the calibration plot."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs
from benison.errors import ConfigError, DataError
from benison.metrics import from_config
from benison.metrics.groups import members
from benison.testing import value_of
from tests.conftest import config

Evaluate = Callable[..., Any]


def test_buckets_of_known_rows(evaluate_metric: Evaluate) -> None:
    # The rows of TFMA's histogram test.
    rows = Inputs.of([0, 1, 0, 1], [-0.2, 0.2, 0.5, 1.0], [1, 2, 3, 4])
    plot = evaluate_metric(from_config("CalibrationPlot", {"num_buckets": 2}), rows)
    assert {key: column.tolist() for key, column in plot.items()} == {
        "lower": [-math.inf, 0.0, 0.5, 1.0],
        "upper": [0.0, 0.5, 1.0, math.inf],
        "label": [0, 2, 0, 4],
        "prediction": [-0.2, 0.4, 1.5, 4.0],
        "weight": [1, 2, 3, 4],
    }


@pytest.mark.parametrize(("left", "right"), [(0, 1), (-1, 2), (0.1, 0.7), (1e9, 1e9 + 1)])
@pytest.mark.parametrize("buckets", [1, 7, 1000])
def test_every_prediction_lies_between_its_edges(left: float, right: float, buckets: int) -> None:
    low, high = Fraction(str(left)), Fraction(str(right))
    edges = np.array([float(low + (high - low) * i / buckets) for i in range(buckets + 1)])
    beside = [np.nextafter(edges, way) for way in (-np.inf, np.inf)]
    predictions = np.concatenate([edges, *beside, [-np.inf, np.inf]])
    config = {"num_buckets": buckets, "left": left, "right": right}
    rows = Inputs(np.zeros(len(predictions)), predictions)
    plot = from_config("CalibrationPlot", config).of(rows)
    expected = np.searchsorted(edges, predictions, side="right")
    np.testing.assert_array_equal(plot["weight"], np.bincount(expected, minlength=buckets + 2))


@pytest.mark.parametrize("name", ["ExpectedCalibrationError", "BrierReliability"])
@pytest.mark.parametrize("buckets", [10, 7, 100])
def test_predictions_on_an_edge_are_in_the_bucket_above_it(name: str, buckets: int) -> None:
    """Decimals say exactly where a prediction with two places is."""
    rng = np.random.default_rng(buckets)
    texts = [f"{k / 100:.2f}" for k in rng.integers(0, 101, 500)]
    predictions = np.array([float(text) for text in texts])
    labels = (rng.random(500) < predictions**2).astype(float)
    of = np.array([min(int(Decimal(text) * buckets), buckets - 1) for text in texts])
    rows, *sums = (
        np.bincount(of, values, buckets) for values in (np.ones(500), labels, predictions)
    )
    gaps = np.abs(sums[0] - sums[1])
    wanted = {
        "ExpectedCalibrationError": gaps.sum() / 500,
        "BrierReliability": (gaps[rows > 0] ** 2 / rows[rows > 0]).sum() / 500,
    }
    value = from_config(name, {"num_buckets": buckets}).of(Inputs(labels, predictions))
    assert value == pytest.approx(wanted[name], rel=1e-12)


def test_predictions_of_amounts_have_buckets_on_their_range(evaluate_metric: Evaluate) -> None:
    rng = np.random.default_rng(0)
    predictions = np.append(rng.uniform(10, 60, 2_000).round(1), [0.0, 0.5, 1.0, -3.0, 900.0])
    labels, weights = 2 * predictions, rng.integers(0, 3, len(predictions)).astype(float)
    rows = Inputs(labels, predictions, weights)
    plot = evaluate_metric(from_config("CalibrationPlot", {"num_buckets": 5}), rows)
    edges = np.append(plot["lower"], np.inf)
    np.testing.assert_array_equal(plot["upper"], edges[1:])
    np.testing.assert_allclose(edges[1:-1], np.linspace(10, 60, 6), atol=1.0)
    place = np.searchsorted(edges, predictions, side="right") - 1
    for name, values in (("label", labels), ("prediction", predictions), ("weight", 1)):
        expected = np.bincount(place, weights * values, minlength=7)
        total = weights @ (values * np.ones(len(weights)))
        np.testing.assert_allclose(plot[name], expected, atol=0.005 * total)
        assert plot[name].sum() == pytest.approx(total)
    assert (plot["weight"][1:-1] > 0).all()


def test_most_probabilities_keep_the_buckets_of_probabilities() -> None:
    logits = Inputs.of([0, 1, 1, 0, 1], [-3.0, 4.0, 1.0, 1.0, 1.0])
    plot = from_config("CalibrationPlot", {"num_buckets": 2}).of(logits)
    assert plot["lower"] == [-math.inf, 0.0, 0.5, 1.0]


def test_a_missing_prediction_leaves_no_plot() -> None:
    rows = Inputs.of([0, 1, 1], [0.2, None, 0.7])
    plot = value_of(from_config("CalibrationPlot", {}), rows, [0, 0, 1], 2)
    for key in ("label", "prediction", "weight"):
        np.testing.assert_array_equal(np.isnan(plot[key]).all(axis=1), [True, False])


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"num_buckets": 0}, "num_buckets must be a whole number from 1 up, not 0"),
        ({"num_buckets": 1.5}, "num_buckets must be a whole number from 1 up, not 1.5"),
        ({"left": 1.0}, "left must be below right, not 1.0 and 1.0"),
    ],
)
def test_faults_of_the_config(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        from_config("CalibrationPlot", config)


def test_several_predictions_in_a_row_are_refused() -> None:
    sentence = "A calibration plot needs one label and one prediction in each row"
    with pytest.raises(DataError, match=re.escape(sentence)):
        from_config("CalibrationPlot", {}).of(Inputs.of([0, 1], np.ones((2, 3))))


@pytest.mark.parametrize("num_buckets", [1, 10, 1000])
@pytest.mark.parametrize("steps", [1, 10], ids=["whole labels", "fractional labels"])
def test_the_terms_of_the_brier_score_sum_up_to_it(num_buckets: int, steps: int) -> None:
    rng = np.random.default_rng(num_buckets)
    labels, weights = rng.integers(0, steps + 1, 200) / steps, rng.random(200)
    rows = Inputs.of(labels, rng.integers(0, 999, 200) / 1000, weights)
    score, uncertainty, reliability, resolution, within = (
        value_of(metric, rows, np.arange(200) % 3, 3)
        for _, metric in members("BrierDecomposition", {"num_buckets": num_buckets})
    )
    expected = reliability - resolution + uncertainty + within
    np.testing.assert_allclose(score, expected, rtol=1e-12)
    if num_buckets == 1000:  # a bucket for each prediction
        np.testing.assert_allclose(within, 0, atol=1e-15)


def test_a_brier_score_of_log_odds_is_refused() -> None:
    with pytest.raises(DataError, match="brier_score needs probabilities, and a prediction lies 2"):
        from_config("BrierScore", {}).of(Inputs.of([1, 0], [3.0, 0.5]))


@pytest.mark.parametrize("name", ["BrierReliability", "BrierResolution", "BrierWithinBuckets"])
def test_a_part_of_the_brier_score_needs_probabilities(name: str) -> None:
    logits = pa.table({"label": [1.0, 0.0], "prediction": [2.5, -1.0]})
    with pytest.raises(DataError, match="needs probabilities, and a prediction lies 1.5"):
        benison.evaluate(logits, config(name))
