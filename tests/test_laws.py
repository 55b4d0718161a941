# SPDX-License-Identifier: Apache-2.0
"""The laws that hold for every registered metric, found by discovery."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benison.data.batch import Inputs
from benison.metrics import Metric, from_config, registered
from benison.slicing.codes import SliceCodes
from tests.conftest import WAYS, pick, states_of, value_of, whole

# Parameters without which a metric cannot be built.
REQUIRED: dict[str, dict[str, Any]] = {
    "ConfusionMatrixAtThresholds": {"thresholds": [0.3, 0.5, 0.8]},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "RecallAtFalsePositiveRate": {"false_positive_rate": 0.5},
    "ThresholdAtRecall": {"recall": 0.5},
}
COUNTS = {
    "ExampleCount",
    "WeightedExampleCount",
    "TruePositives",
    "TrueNegatives",
    "FalsePositives",
}
COUNTS |= {"FalseNegatives", "TP", "TN", "FP", "FN", "ConfusionMatrixAtThresholds"}
CLASSES = {
    "CategoricalCrossEntropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy",
    "CategoricalAccuracy", "SparseCategoricalAccuracy",
}  # fmt: skip


def build(name: str) -> Metric:
    return from_config(name, REQUIRED.get(name, {}))


def inputs_for(name: str, rng: np.random.Generator, rows: int, weighted: bool) -> Inputs:
    weights = rng.integers(0, 4, rows) / 2 if weighted else None
    if name in CLASSES:
        scores = rng.random((rows, 3)) + 0.01
        return Inputs(
            rng.integers(0, 3, rows).astype(float), scores / scores.sum(1, keepdims=True), weights
        )
    return Inputs(rng.integers(0, 2, rows).astype(float), rng.integers(0, 20, rows) / 20, weights)


def flat(value: Any) -> np.ndarray:
    if isinstance(value, dict):
        return np.concatenate([flat(column) for column in value.values()], axis=1)
    return value.reshape(len(value), -1)


def same(a: Any, b: Any) -> None:
    np.testing.assert_allclose(flat(a), flat(b), rtol=1e-12, atol=1e-12, equal_nan=True)


every_metric = pytest.mark.parametrize("name", registered())


@every_metric
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(0, 40),
    weighted=st.booleans(),
    way=st.sampled_from(WAYS),
)
@settings(max_examples=12, deadline=None)
def test_batching_and_order(name: str, seed: int, rows: int, weighted: bool, way: Any) -> None:
    rng = np.random.default_rng(seed)
    inputs, codes = inputs_for(name, rng, rows, weighted), rng.integers(0, 3, rows)
    same(
        value_of(build(name), inputs, codes, 3, way), value_of(build(name), inputs, codes, 3, whole)
    )


@every_metric
def test_grouping(name: str) -> None:
    rng = np.random.default_rng(1)
    inputs, codes = inputs_for(name, rng, 60, True), rng.integers(0, 4, 60)
    together = flat(value_of(build(name), inputs, codes, 4))
    for slice_number in range(4):
        rows = np.flatnonzero(codes == slice_number)
        alone = Inputs(inputs.labels[rows], inputs.predictions[rows], inputs.weights[rows])  # type: ignore[index]
        same(together[[slice_number]], flat(value_of(build(name), alone, np.zeros(len(rows)), 1)))


@every_metric
@given(seed=st.integers(0, 10**6), workers=st.integers(1, 4))
@settings(max_examples=6, deadline=None)
def test_workers_that_number_slices_on_their_own(name: str, seed: int, workers: int) -> None:
    rng = np.random.default_rng(seed)
    inputs, codes = inputs_for(name, rng, 50, True), rng.integers(0, 5, 50)
    metric = build(name)
    totals = [statistic.zero(5) for statistic in metric.statistics()]
    for rows in np.array_split(rng.permutation(50), workers):
        numbers = rng.permutation(np.unique(codes[rows]))  # slice i of this worker is numbers[i]
        own = np.argsort(numbers)[np.searchsorted(np.sort(numbers), codes[rows])]
        states = states_of(metric, pick(inputs, rows), own, len(numbers), whole)
        for i, (statistic, state) in enumerate(zip(metric.statistics(), states, strict=True)):
            placed = statistic.place(state, numbers, 5)
            pair = (totals[i], placed) if rng.random() < 0.5 else (placed, totals[i])
            totals[i] = statistic.merge(*pair)
    with np.errstate(all="ignore"):
        same(metric.result(*totals), value_of(metric, inputs, codes, 5))


@every_metric
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_in_several_slices(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(8)
    inputs = inputs_for(name, rng, 60, weighted)
    rows = np.sort(rng.integers(0, 60, 90))  # as of a feature with several values in a row
    parts = (
        (None, np.zeros(60, np.int64)),
        (rows, rng.integers(1, 4, 90)),
        (rows[:0], rows[:0]),
    )
    metric, codes = build(name), SliceCodes(4, parts)
    found = metric.result(*(s.add(inputs, codes) for s in metric.statistics()))
    once = np.concatenate([np.arange(60), rows])
    same(found, value_of(metric, pick(inputs, once), np.concatenate([c for _, c in parts]), 4))


@every_metric
def test_a_row_without_weight_is_no_row(name: str) -> None:
    rng = np.random.default_rng(6)
    inputs, codes = inputs_for(name, rng, 60, True), rng.integers(0, 3, 60)
    assert inputs.weights is not None
    heavy = np.flatnonzero(inputs.weights)
    metric = build(name)
    same(value_of(metric, inputs, codes, 3), value_of(metric, pick(inputs, heavy), codes[heavy], 3))


@every_metric
def test_no_rows_no_value(name: str) -> None:
    inputs = inputs_for(name, np.random.default_rng(1), 0, False)
    value = value_of(build(name), inputs, [], 2)
    if build(name).is_plot:
        return  # a plot without rows is a plot of zeros
    expected = 0.0 if name in COUNTS else np.nan
    columns = (
        {k: v for k, v in value.items() if k != "threshold"} if isinstance(value, dict) else value
    )
    assert np.all(flat(columns) == expected) if expected == 0 else np.all(np.isnan(flat(columns)))


@every_metric
def test_zero_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(2)
    inputs, codes = inputs_for(name, rng, 30, True), rng.integers(0, 3, 30)
    metric = build(name)
    states = states_of(metric, inputs, codes, 3, whole)
    merged = [
        s.merge(s.zero(3), state) for s, state in zip(metric.statistics(), states, strict=True)
    ]
    same(metric.result(*merged), metric.result(*states))


@every_metric
def test_purity(name: str) -> None:
    rng = np.random.default_rng(2)
    inputs, codes = inputs_for(name, rng, 30, True), rng.integers(0, 3, 30)
    metric = build(name)
    states = states_of(metric, inputs, codes, 3, whole)
    before = copy.deepcopy((inputs, states))
    for statistic, state in zip(metric.statistics(), states, strict=True):
        statistic.add(inputs, SliceCodes.of(codes, 3))
        statistic.merge(state, state)
        statistic.place(state, np.array([2, 0, 1]), 5)
        statistic.take(state, np.array([1]))
    metric.result(*states)
    assert pickle.dumps((inputs, states)) == pickle.dumps(before)


@every_metric
def test_place_and_take(name: str) -> None:
    rng = np.random.default_rng(4)
    inputs, codes = inputs_for(name, rng, 50, True), rng.integers(0, 3, 50)
    metric = build(name)
    states = states_of(metric, inputs, codes, 3, whole)
    index = np.array([4, 0, 2])
    placed = [
        s.place(state, index, 6) for s, state in zip(metric.statistics(), states, strict=True)
    ]
    taken = [s.take(state, index) for s, state in zip(metric.statistics(), placed, strict=True)]
    same(metric.result(*taken), metric.result(*states))


@every_metric
def test_metrics_travel_between_processes(name: str) -> None:
    assert pickle.loads(pickle.dumps(build(name))) == build(name)


@every_metric
def test_nan_prediction_makes_the_value_nan(name: str) -> None:
    if build(name).is_plot or name in (
        "MeanLabel",
        "Prevalence",
        "ExampleCount",
        "WeightedExampleCount",
    ):
        return  # they do not ask whether a prediction is there
    inputs = inputs_for(name, np.random.default_rng(5), 20, False)
    predictions = inputs.predictions.copy()
    predictions[[np.argmin(inputs.labels), np.argmax(inputs.labels)]] = np.nan
    value = value_of(build(name), Inputs(inputs.labels, predictions), np.zeros(20), 1)
    columns = (
        {k: v for k, v in value.items() if k != "threshold"} if isinstance(value, dict) else value
    )
    assert np.all(np.isnan(flat(columns)))
