# SPDX-License-Identifier: Apache-2.0
"""The laws that hold for every registered metric, found by discovery."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benison.data.batch import Inputs
from benison.errors import DataError
from benison.metrics import Metric, from_config, registered
from benison.metrics.base import AXES, Statistic, ratio
from benison.metrics.registry import describe
from benison.metrics.statistics import Mean
from benison.slicing.codes import SliceCodes
from benison.testing import (
    WAYS,
    check_metric,
    example_config,
    example_inputs,
    flat,
    states_of,
    value_of,
    whole,
)


def build(name: str) -> Metric:
    return from_config(name, example_config(name))


def inputs_for(name: str, rng: np.random.Generator, rows: int, weighted: bool) -> Inputs:
    return example_inputs(build(name), rows, int(rng.integers(2**31)), weighted)


def same(a: Any, b: Any) -> None:
    np.testing.assert_allclose(flat(a), flat(b), rtol=1e-12, atol=1e-12, equal_nan=True)


def plain(value: Any) -> Any:
    """States as what can be compared."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return value.to_pylist() if isinstance(value, pa.Array) else value


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
        alone = value_of(build(name), inputs.take(rows), np.zeros(len(rows)), 1)
        same(together[[slice_number]], flat(alone))


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
        states = states_of(metric, inputs.take(rows), own, len(numbers), whole)
        for i, (statistic, state) in enumerate(zip(metric.statistics(), states, strict=True)):
            placed = statistic.scatter(state, numbers, 5)
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
    actual = metric.result(*(s.add(inputs, codes) for s in metric.statistics()))
    once = np.concatenate([np.arange(60), rows])
    same(actual, value_of(metric, inputs.take(once), np.concatenate([c for _, c in parts]), 4))


@every_metric
def test_a_row_without_weight_is_no_row(name: str) -> None:
    rng = np.random.default_rng(6)
    inputs, codes = inputs_for(name, rng, 60, True), rng.integers(0, 3, 60)
    if inputs.weights is None:
        pytest.skip("it takes no weights")
    heavy = np.flatnonzero(inputs.weights)
    metric = build(name)
    same(value_of(metric, inputs, codes, 3), value_of(metric, inputs.take(heavy), codes[heavy], 3))


@every_metric
def test_no_rows_no_value(name: str) -> None:
    metric = build(name)
    value = value_of(metric, inputs_for(name, np.random.default_rng(1), 0, False), [], 2)
    if metric.is_plot:
        pytest.skip("a plot without rows is a plot of zeros")
    columns = (
        {k: v for k, v in value.items() if k not in AXES} if isinstance(value, dict) else value
    )
    np.testing.assert_array_equal(flat(columns), np.full_like(flat(columns), metric.empty_value))


@every_metric
def test_no_slices_no_values(name: str) -> None:
    metric, inputs = build(name), inputs_for(name, np.random.default_rng(1), 0, False)
    value = metric.result(*(s.add(inputs, SliceCodes(0, ())) for s in metric.statistics()))
    assert {len(column) for column in (value.values() if isinstance(value, dict) else [value])} <= {
        0
    }


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
        statistic.scatter(state, np.array([2, 0, 1]), 5)
        statistic.gather(state, np.array([1]))
    metric.result(*states)
    assert plain(copy.deepcopy((inputs, states))) == plain(before)


@every_metric
def test_scatter_and_gather(name: str) -> None:
    rng = np.random.default_rng(4)
    inputs, codes = inputs_for(name, rng, 50, True), rng.integers(0, 3, 50)
    metric = build(name)
    states = states_of(metric, inputs, codes, 3, whole)
    index = np.array([4, 0, 2])
    placed = [
        s.scatter(state, index, 6) for s, state in zip(metric.statistics(), states, strict=True)
    ]
    taken = [s.gather(state, index) for s, state in zip(metric.statistics(), placed, strict=True)]
    same(metric.result(*taken), metric.result(*states))


@every_metric
def test_a_value_and_its_resolution_are_the_same_at_once(name: str) -> None:
    rng = np.random.default_rng(6)
    inputs, codes = inputs_for(name, rng, 50, True), rng.integers(0, 3, 50)
    metric = build(name)
    states = states_of(metric, inputs, codes, 3, whole)
    value, resolution = metric.result_and_resolution(*states)
    same(value, metric.result(*states))
    np.testing.assert_array_equal(resolution, metric.resolution(*states))


@every_metric
def test_metrics_travel_between_processes(name: str) -> None:
    assert pickle.loads(pickle.dumps(build(name))) == build(name)


@every_metric
def test_nan_prediction_makes_the_value_nan(name: str) -> None:
    metric = build(name)
    if metric.is_plot:
        pytest.skip("the points of a plot are counts")
    if not metric.needs_prediction:
        pytest.skip("it does not look at predictions")
    inputs = inputs_for(name, np.random.default_rng(5), 20, False)
    if not isinstance(inputs.predictions, np.ndarray):
        pytest.skip("its predictions are no numbers")
    predictions = inputs.predictions.copy()
    predictions[[np.argmin(inputs.labels), np.argmax(inputs.labels)]] = np.nan
    rows = dataclasses.replace(inputs, predictions=predictions)
    value = value_of(metric, rows, np.zeros(20), 1)
    columns = (
        {k: v for k, v in value.items() if k not in AXES} if isinstance(value, dict) else value
    )
    assert np.all(np.isnan(flat(columns)))


ODD_LABELS = (
    np.asarray,
    lambda y: np.abs(np.sin(y + 0.3)),
    lambda y: 3 * y - 1,
    lambda y: -y - 0.5,
)
ODD_PREDICTIONS = (
    np.asarray,
    lambda p: 10 * np.sin(50 * p),
    lambda p: -p - 0.1,
    lambda p: 1000 * p,
)


@every_metric
def test_what_would_be_outside_of_the_range_is_refused(name: str) -> None:
    metric, about = build(name), describe(name)
    rows = inputs_for(name, np.random.default_rng(2), 40, True)
    if not (isinstance(rows.labels, np.ndarray) and isinstance(rows.predictions, np.ndarray)):
        pytest.skip("it is not one of numbers")
    for odd_labels, odd_predictions in itertools.product(ODD_LABELS, ODD_PREDICTIONS):
        labels, predictions = odd_labels(rows.labels), odd_predictions(rows.predictions)
        try:
            value = metric.of(dataclasses.replace(rows, labels=labels, predictions=predictions))
        except DataError:
            continue
        if not isinstance(value, float):
            pytest.skip("it is not a single number")
        assert math.isnan(value) or about.low - 1e-9 <= value <= about.high + 1e-9


@every_metric
def test_the_public_check_finds_no_fault(name: str) -> None:
    check_metric(build(name))


def most_likely(inputs: Inputs) -> Any:
    return (inputs.predictions.argmax(axis=1) == inputs.labels).astype(float)


@dataclasses.dataclass(frozen=True)
class OfClasses(Metric):
    """A metric of classes that does not say so."""

    name: str = "of_classes"

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (Mean(most_likely),)

    def result(self, mean: Any) -> Any:
        return ratio(*mean)


@dataclasses.dataclass(frozen=True)
class SaysClasses(OfClasses):
    accepts = frozenset({"classes"})


def test_a_metric_that_fails_on_the_rows_is_told_what_to_say() -> None:
    with pytest.raises(AssertionError, match=r"AxisError.* accepts = {binary, real}.* inputs="):
        check_metric(OfClasses())
    check_metric(SaysClasses())
    check_metric(OfClasses(), example_inputs(SaysClasses()))
