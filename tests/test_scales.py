# SPDX-License-Identifier: Apache-2.0
"""Values do not depend on the unit of weights, scores and labels, up to the ends of the floats."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs
from benison.engine.intervals import Jackknife, PoissonBootstrap
from benison.metrics import registered
from benison.metrics.curve_metric import CurveMetric
from benison.metrics.rank_correlation import RankCorrelation
from benison.metrics.retrieval import TopRanks
from benison.testing import example_inputs, flat, shuffled_in_parts, value_of
from tests.conftest import config
from tests.test_laws import build

CODES = np.arange(60) % 3
LARGE = (-1000, -600, -300, 300, 600, 1000)  # powers of two, of which 1000 is about 1e301


def value(name: str, inputs: Inputs) -> np.ndarray:
    return flat(value_of(build(name), inputs, CODES, 3, shuffled_in_parts))


@pytest.mark.parametrize("name", registered())
def test_weights_in_any_unit_weigh_the_same(name: str) -> None:
    inputs = example_inputs(build(name), 60, 3, True)
    if inputs.weights is None or build(name).is_plot:
        pytest.skip("it takes no weights, or shows sums of them")
    before, twice = (value(name, in_unit(inputs, times)) for times in (1, 2))
    sums = np.isclose(twice, 2 * before) & (before != 0)
    for power in LARGE:
        ours = value(name, in_unit(inputs, 2.0**power))
        expected = np.where(sums, np.ldexp(before, power), before)
        np.testing.assert_allclose(ours, expected, rtol=1e-9, equal_nan=True, err_msg=f"2^{power}")


def in_unit(inputs: Inputs, times: float) -> Inputs:
    """Rows whose weights are some times as large."""
    assert inputs.weights is not None
    return dataclasses.replace(inputs, weights=inputs.weights * times)


RNG = np.random.default_rng(0)
LABELS = RNG.normal(3, 1, 60)
PREDICTIONS = LABELS + RNG.normal(0, 0.5, 60)
WEIGHTS = RNG.integers(0, 4, 60) / 2

# The power of the unit in which a value is.
UNITS = {
    "MeanLabel": 1,
    "MeanPrediction": 1,
    "MeanAbsoluteError": 1,
    "RootMeanSquaredError": 1,
    "MeanSquaredError": 2,
    "Calibration": 0,
    "MeanAbsolutePercentageError": 0,
    "R2Score": 0,
    "SquaredPearsonCorrelation": 0,
}


@pytest.mark.parametrize("power", [-480, -300, 300, 480])
@pytest.mark.parametrize("name", UNITS)
def test_amounts_in_any_unit(name: str, power: int) -> None:
    unit = 2.0**power
    before = value(name, Inputs(LABELS, PREDICTIONS, WEIGHTS))
    ours = value(name, Inputs(LABELS * unit, PREDICTIONS * unit, WEIGHTS))
    np.testing.assert_allclose(ours, np.ldexp(before, UNITS[name] * power), rtol=1e-9)


@pytest.mark.parametrize("power", [-1000, -600, -530, -520, -505, 505, 510, 520, 600, 1000, 1020])
@pytest.mark.parametrize("name", ["R2Score", "SquaredPearsonCorrelation"])
def test_where_squares_are_no_floats_there_is_no_value(name: str, power: int) -> None:
    before = value(name, Inputs(LABELS, PREDICTIONS, WEIGHTS))
    unit = 2.0**power
    ours = value(name, Inputs(LABELS * unit, PREDICTIONS * unit, WEIGHTS))
    known = ~np.isnan(ours)
    np.testing.assert_allclose(ours[known], before[known], rtol=1e-9)


def is_ranked(name: str) -> bool:
    """Whether a metric looks at no more than the order of scores."""
    metric, kinds = build(name), (CurveMetric, RankCorrelation, TopRanks)
    ranked = isinstance(metric, kinds) or name in ("NDCG", "MinLabelPosition")
    return ranked and "boxes" not in metric.accepts


@pytest.mark.parametrize("power", [-1060, -1000, -300, -20, 20, 300, 1000])
@pytest.mark.parametrize("name", [*filter(is_ranked, registered())])
def test_ranks_do_not_depend_on_the_unit_of_scores(name: str, power: int) -> None:
    labels, scores = RNG.integers(0, 2, 60) * 1.0, RNG.integers(-9, 20, 60) / 16
    before = value(name, Inputs(labels, scores, WEIGHTS))
    ours = value(name, Inputs(labels, scores * 2.0**power, WEIGHTS))
    scale = power if name == "ThresholdAtRecall" else 0
    np.testing.assert_allclose(ours, np.ldexp(before, scale), rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_means_of_all_magnitudes_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p, w = (10.0 ** rng.uniform(-60, 60, 200) for _ in range(3))
    rows = list(zip(*([Fraction(x) for x in column.tolist()] for column in (y, p, w)), strict=True))
    total = sum(c for _, _, c in rows)
    exact = {
        "MeanLabel": sum(a * c for a, _, c in rows) / total,
        "MeanPrediction": sum(b * c for _, b, c in rows) / total,
        "Calibration": sum(b * c for _, b, c in rows) / sum(a * c for a, _, c in rows),
        "MeanSquaredError": sum((a - b) ** 2 * c for a, b, c in rows) / total,
        "MeanAbsoluteError": sum(abs(a - b) * c for a, b, c in rows) / total,
        "MeanAbsolutePercentageError": 100 * sum(abs(a - b) / a * c for a, b, c in rows) / total,
    }
    for name, expected in exact.items():
        ours = value_of(build(name), Inputs(y, p, w), np.zeros(200), 1, shuffled_in_parts)
        assert ours[0] == pytest.approx(float(expected), rel=1e-12), name


@pytest.mark.parametrize("sizes", [(-200, -150), (-150, 150), (120, 180), (-300, -290)])
def test_squares_that_are_no_floats_have_a_mean_and_a_root(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    y, p = (10.0 ** rng.uniform(*sizes, 60) for _ in range(2))
    w = 10.0 ** rng.uniform(-100, 100, 60)
    name = "RootMeanSquaredError"
    for i, ours in enumerate(value(name, Inputs(y, p, w))):
        rows = zip(*(map(Fraction, x[i == CODES].tolist()) for x in (y, p, w)), strict=True)
        total, weight = map(sum, zip(*((c * (a - b) ** 2, c) for a, b, c in rows), strict=True))
        exact = total / weight * Fraction(10) ** (-2 * sizes[1])  # in a unit in which it is a float
        assert ours == pytest.approx(math.sqrt(exact) * 10.0 ** sizes[1], rel=1e-12)


@pytest.mark.parametrize(
    ("name", "labels", "predictions", "expected"),
    [
        ("MeanSquaredError", [3e-170, 0], [0, 4e-170], math.nan),
        ("MeanSquaredError", [3e160, 0], [0, 4e160], math.nan),
        ("MeanSquaredError", [3e-170, 2.0], [0, 0.0], 2.0),
        ("MeanSquaredError", [0, 1e-200], [0, 1e-200], 0.0),
        ("MeanSquaredLogarithmicError", [3e-170, 0], [0, 4e-170], math.nan),
        ("SquaredHinge", [1, 1], [-1e160, 0], math.nan),
        ("RootMeanSquaredError", [1e-200, 7e-200], [0, 0], 5e-200),
        ("RootMeanSquaredError", [1e200, 7e200], [0, 0], 5e200),
        ("R2Score", [0.0, 2.0], [1e-200, 2.0], 1.0),
        ("LogCosh", [1e-9, 0], [0, 1e-9], 5e-19),
        ("LogCosh", [1e-3, 0.999], [0, 0], (4.999999166666889e-07 + 0.4330194464208848) / 2),
        ("CosineSimilarity", [[3e-170, 4e-170]], [[4e-170, 3e-170]], 0.96),
        ("CosineSimilarity", [[3e200, 4e200]], [[4e-300, 3e-300]], 0.96),
    ],
)
def test_values_of_any_size(name: str, labels: Any, predictions: Any, expected: float) -> None:
    ours = build(name).of(Inputs.of(labels, predictions))
    assert ours == pytest.approx(expected, rel=1e-12, abs=0, nan_ok=True)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_intervals_are_in_the_unit_of_the_values(unit: float) -> None:
    values = np.array([[1.0], [2.0], [4.0]] * 7)[:20]
    for method in (Jackknife(), PoissonBootstrap()):
        np.testing.assert_allclose(
            method.error(values * unit), method.error(values) * unit, rtol=1e-12
        )


def table(**columns: Any) -> pa.Table:
    plain = {"label": [1.0, 0, 1, 0], "prediction": [0.9, 0.2, 0.7, 0.4]}
    return pa.table({**plain, **columns})


@pytest.mark.parametrize("weight", [5e-324, 1e-310, 1e305, 1.7e308])
def test_weights_whose_sums_would_lose_digits_are_refused(weight: float) -> None:
    made = config("AUC", model={"example_weight_key": "weight"})
    with pytest.raises(benison.DataError, match=r"from 1e-300 to 1e\+300, or 0"):
        benison.evaluate(table(weight=[weight, 1, 1, 1]), made)
    for fine in (1e-300, 1e300, 0.0):
        assert benison.evaluate(table(weight=[fine, 1, 1, 1]), made)


def test_a_sum_beyond_the_floats_is_no_number_to_be_blessed() -> None:
    huge = [1e200, -1e200, 3e200, 1e199]
    bound = {"value_threshold": {"lower_bound": 0.5}}
    made = config({"class_name": "R2Score", "threshold": bound})
    result = benison.evaluate(table(label=huge, prediction=[0.0] * 4), made)
    assert math.isnan(result.value("r2_score"))
    assert result.verdict.status == "not_blessed"
