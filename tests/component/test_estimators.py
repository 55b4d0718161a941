# SPDX-License-Identifier: Apache-2.0
"""The errors of metrics, from one pass over the rows: against values that leave out each row in turn."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import benison
from benison.data.batch import Array, Inputs
from benison.evidence.block_errors import BlocksEstimator
from benison.evidence.blocks import hashes_of
from benison.evidence.choice import estimator_of
from benison.evidence.estimators import Estimator, is_number
from benison.metrics import Metric, from_config, registered
from benison.slicing.codes import SliceCodes
from benison.testing import check_metric, example_config, example_inputs
from tests.conftest import config, taxi_like


def estimator(name: str, paired: bool = True, weighted: bool = False) -> Estimator | None:
    return estimator_of(from_config(name, example_config(name)), paired, weighted)


def rows_of(n: int, weighted: bool = False, fractional: bool = False) -> Inputs:
    """Labels, scores of two models that err alike, and weights."""
    rng = np.random.default_rng(5)
    label = rng.integers(0, 2, n).astype(np.float64)
    score = np.clip(0.3 * label + 0.7 * rng.random(n), 0, 1)
    other = np.clip(score + rng.normal(0, 0.2, n), 0, 1)
    weights = rng.gamma(2.0, size=n) if weighted else None
    label = 0.8 * label + 0.1 if fractional else label
    return Inputs(label, score, weights, baseline=other)


def without_each(metric: Metric, rows: Inputs, share: float) -> Array:
    """By how much the value falls with each row's weight, as if all of the row were taken."""
    ones = np.ones(len(rows)) if rows.weights is None else rows.weights

    def value(weights: Array) -> float:
        return float(metric.of(dataclasses.replace(rows, weights=weights, baseline=None)))

    def lighter(i: int) -> Array:
        return np.where(np.arange(len(rows)) == i, ones * (1 - share), ones)

    return np.array([(value(ones) - value(lighter(i))) / share for i in range(len(rows))])


def deviation(falls: Array) -> float:
    """The jackknife's standard error."""
    return float(np.sqrt((len(falls) - 1) / len(falls) * np.square(falls - falls.mean()).sum()))


def states_of(known: Estimator, rows: Inputs) -> list[Any]:
    codes = SliceCodes.of(np.zeros(len(rows)), 1)
    return [statistic.add(rows, codes) for statistic in known.statistics() or known.alone()]


@pytest.mark.parametrize("name", ["F1Score", "MatthewsCorrelationCoefficient", "TruePositives"])
@pytest.mark.parametrize("form", ["plain", "weighted", "fractional"])
def test_cells_know_what_each_row_contributes(name: str, form: str) -> None:
    metric = from_config(name, {})
    rows = rows_of(150, form == "weighted", form == "fractional")
    known = estimator(name, weighted=form == "weighted")
    assert known is not None
    paired = known.compared(*states_of(known, rows))
    share = 1.0 if form == "plain" else 1e-5
    own = without_each(metric, rows, share)
    other = without_each(metric, dataclasses.replace(rows, predictions=rows.baseline), share)
    near = 1e-9 if form == "plain" else 0.03  # a cell's mean row stands for all of its rows
    assert paired.candidate.std_error[0] == pytest.approx(deviation(own), rel=near)
    assert paired.baseline.std_error[0] == pytest.approx(deviation(other), rel=near)
    assert paired.change.std_error[0] == pytest.approx(deviation(own - other), rel=near)


@pytest.mark.parametrize(
    "name",
    [
        "BinaryCrossentropy",
        "Calibration",
        "CoefficientOfDiscrimination",
        "MeanAbsolutePercentageError",
        "RootMeanSquaredError",
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_know_what_each_row_contributes(name: str, weighted: bool) -> None:
    metric, rows = from_config(name, {}), rows_of(100, weighted)
    known = estimator(name, weighted=weighted)
    assert known is not None
    paired = known.compared(*states_of(known, rows))
    own = without_each(metric, rows, 1e-5)
    other = without_each(metric, dataclasses.replace(rows, predictions=rows.baseline), 1e-5)
    for spread, falls in (
        (paired.candidate, own),
        (paired.baseline, other),
        (paired.change, own - other),
    ):
        assert spread.std_error[0] == pytest.approx(deviation(falls) * 100 / 99, rel=1e-4)
    assert paired.covariance[0] == pytest.approx(np.cov(own, other)[0, 1] * 100, rel=1e-4)


def test_a_skewed_mean_is_tested_by_its_third_moment() -> None:
    metric, rows = from_config("MeanSquaredError", {}), rows_of(80)
    known = estimator("MeanSquaredError")
    assert known is not None
    halves = [states_of(known, rows.take(part))[0] for part in np.split(np.arange(80), [11])]
    paired = known.compared(known.statistics()[0].merge(*halves))
    own, other = (np.square(rows.labels - p) for p in (rows.predictions, rows.baseline))
    factor = (79 / 80) ** 1.5 * (1 + 6 / 80) / np.sqrt(80)  # that of a sample is too small
    expected = [factor * stats.skew(x) for x in (own, other, own - other)]
    spreads = (paired.candidate, paired.baseline, paired.change)
    assert [spread.skew[0] for spread in spreads] == pytest.approx(expected)  # type: ignore[attr-defined]
    assert metric.of(rows) == pytest.approx(paired.candidate.value[0])


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98, 1.0])
def test_moments_of_zeros_and_ones_are_those_of_any_numbers(share: float) -> None:
    known, rng = estimator("MeanPrediction"), np.random.default_rng(7)
    assert known is not None
    (statistic,) = known.statistics()
    columns = np.asarray(rng.random((2, 3_000)) < share, np.float64)
    parts = [Inputs(of[0], of[0], baseline=of[1]) for of in np.split(columns, [1_100], axis=1)]
    codes = [SliceCodes.of(np.zeros(len(part)), 2) for part in parts]
    state = statistic.merge(*map(statistic.add, parts, codes))
    far = columns - columns.mean(axis=1)[:, None]
    cubes = np.stack([*far, far[0] - far[1]]) ** 3
    assert state.mean[0] == pytest.approx(columns.mean(axis=1))
    assert state.second[0] == pytest.approx(far @ far.T, abs=1e-10)
    assert state.third[0] == pytest.approx(cubes.sum(axis=1), abs=1e-10)
    assert not state.second[1].any()


@pytest.mark.parametrize("name", ["SparseCategoricalAccuracy", "ExactMatch"])
def test_a_share_of_right_rows_is_tested_as_one(name: str) -> None:
    known, rng = estimator(name), np.random.default_rng(2)
    assert known is not None
    labels = rng.integers(0, 3, 300).astype(np.float64)
    scores = rng.random((2, 300, 3)) + 0.3 * (labels[:, None] == np.arange(3))
    own, other = scores if name != "ExactMatch" else scores.argmax(axis=2).astype(np.float64)
    paired = known.compared(*states_of(known, Inputs(labels, own, baseline=other)))
    right, before = (x.argmax(axis=1) == labels for x in scores)
    assert paired.won is not None
    assert paired.lost is not None
    assert paired.won[0] == (right & ~before).sum()
    assert paired.lost[0] == (before & ~right).sum()
    assert paired.candidate.method == ["wilson"]
    assert paired.change.value[0] == pytest.approx(right.mean() - before.mean())


def delong(labels: Array, *scores: Array) -> Array:
    """The covariance matrix of the areas of some scores, as DeLong and others have it, pair by pair."""

    def placements(score: Array, rows: Array, others: Array) -> Array:
        a, b = score[rows][:, None], score[others][None]
        return np.asarray(((a > b) + (a == b) / 2).mean(axis=1))

    sides = [np.flatnonzero(labels == side) for side in (1, 0)]
    parts = (
        np.cov([placements(score, rows, others) for score in scores]) / len(rows)
        for rows, others in (sides, sides[::-1])
    )
    return np.asarray(sum(parts))


@pytest.mark.parametrize(("n", "digits"), [(400, 1), (400, 9), (6_000, 9)])
def test_areas_have_the_errors_of_delong(n: int, digits: int) -> None:
    rows, known = rows_of(n), estimator("AUC")
    assert known is not None
    own, other = (np.round(x, digits) for x in (rows.predictions, rows.baseline))
    numbers = np.arange(n, dtype=np.uint64)
    rows = dataclasses.replace(rows, predictions=own, baseline=other, batch_numbers=numbers)
    alone = [
        known.alone()[0].add(
            dataclasses.replace(rows, predictions=scores), SliceCodes.of(np.zeros(n), 1)
        )
        for scores in (own, other)
    ]
    paired = known.compared(*states_of(known, rows), *alone)
    expected = delong(rows.labels, own, other)
    near = 1e-9 if n == 400 else 1e-3
    assert paired.candidate.std_error[0] == pytest.approx(np.sqrt(expected[0, 0]), rel=near)
    assert paired.covariance[0] == pytest.approx(expected[0, 1], rel=near)
    change = np.sqrt(expected[0, 0] + expected[1, 1] - 2 * expected[0, 1])
    assert paired.change.std_error[0] == pytest.approx(change, rel=near)
    assert paired.change.df[0] == min(rows.labels.sum(), (1 - rows.labels).sum()) - 1


def test_a_sample_of_large_classes_has_nearly_the_errors_of_all_rows() -> None:
    n, known = 60_000, estimator("AUC")
    assert known is not None
    rows = dataclasses.replace(rows_of(n), batch_numbers=np.arange(n, dtype=np.uint64))
    halves = [
        rows.take(part) for part in np.array_split(np.random.default_rng(0).permutation(n), 7)
    ]
    own, other = (
        [dataclasses.replace(half, predictions=getattr(half, of)) for half in halves]
        for of in ("predictions", "baseline")
    )
    paired = known.compared(
        *(
            functools.reduce(
                statistic.merge,
                [statistic.add(part, SliceCodes.of(np.zeros(len(part)), 1)) for part in parts],
            )
            for statistic, parts in (
                (known.statistics()[0], halves),
                (known.alone()[0], own),
                (known.alone()[0], other),
            )
        )
    )
    step = np.arange(0, n, 10)  # as exact as it gets in a second
    expected = delong(rows.labels[step], rows.predictions[step], rows.baseline[step]) / 10
    change = np.sqrt(expected[0, 0] + expected[1, 1] - 2 * expected[0, 1])
    assert paired.change.std_error[0] == pytest.approx(change, rel=0.05)


@pytest.mark.parametrize("clustered", [False, True])
def test_blocks_agree_with_closed_forms_where_rows_are_independent(clustered: bool) -> None:
    metric, rows = from_config("MeanSquaredError", {}), rows_of(20_000)
    users = pa.record_batch({"user": [f"user {i}" for i in range(20_000)]})
    rows = dataclasses.replace(rows, batch=users, batch_numbers=np.arange(20_000, dtype=np.uint64))
    blocks = BlocksEstimator(metric, paired=True, cluster_key="user" if clustered else "")
    other = dataclasses.replace(rows, predictions=rows.baseline)
    paired = blocks.compared(*states_of(blocks, rows), *states_of(blocks, other))
    closed = estimator("MeanSquaredError")
    assert closed is not None
    expected = closed.compared(*states_of(closed, rows))
    for own, exact in (
        (paired.candidate, expected.candidate),
        (paired.change, expected.change),
    ):
        assert own.value[0] == pytest.approx(exact.value[0])
        assert own.std_error[0] == pytest.approx(exact.std_error[0], rel=0.35)
        assert own.df[0] == 49


def test_rows_of_a_cluster_are_one_piece_of_evidence() -> None:
    metric, rng = from_config("MeanPrediction", {}), np.random.default_rng(1)
    users = np.repeat(np.arange(300), 40)
    scores = rng.random(300)[users]
    batch = pa.record_batch({"user": users})
    rows = Inputs(np.zeros(len(users)), scores, batch=batch)
    blocks = BlocksEstimator(metric, paired=False, cluster_key="user")
    spread = blocks.spread(*states_of(blocks, rows))
    assert spread.std_error[0] == pytest.approx(scores.std() / np.sqrt(300), rel=0.35)
    few = BlocksEstimator(metric, paired=False, cluster_key="user")
    four = few.spread(*states_of(few, rows.take(np.flatnonzero(users < 4))))
    assert np.isnan(four.std_error[0])


def test_texts_are_hashed_alike_whatever_stands_beside_them() -> None:
    texts = ["", "a", "anna", "a name of many letters", "anna", None]
    together = hashes_of(pa.array(texts))
    apart = [hashes_of(pa.array([text], pa.string()))[0] for text in texts]
    assert together.tolist() == apart
    assert len(set(apart[:4])) == 4


@dataclasses.dataclass(frozen=True)
class Errors(Metric):
    """The standard errors, which obey the laws of any value."""

    known: Estimator
    name: str = "errors"

    def statistics(self) -> tuple[Any, ...]:
        return (*self.known.statistics(), *self.known.alone())

    def result(self, *states: Any) -> Array:
        return self.known.spread(*states).std_error


def each_state() -> list[str]:
    """A metric for each kind of state; what is made of equal states is a function of them."""
    known = {name: estimator(name, paired=False) for name in registered()}
    return list(
        {(each.statistics(), each.alone()): name for name, each in known.items() if each}.values()
    )


@pytest.mark.parametrize("name", each_state())
def test_errors_depend_on_the_rows_of_a_slice_alone(name: str) -> None:
    metric = from_config(name, example_config(name))
    known = estimator_of(metric, paired=False, weighted=True)
    assert known is not None
    inputs = example_inputs(metric, 40, 3, weighted=True)
    numbers = np.arange(len(inputs), dtype=np.uint64)
    check_metric(Errors(known), dataclasses.replace(inputs, batch_numbers=numbers))


def test_a_missing_prediction_of_the_baseline_leaves_the_candidate_known() -> None:
    rows, known = rows_of(50), estimator("Recall")
    assert known is not None
    rows.baseline[3] = np.nan
    paired = known.compared(*states_of(known, rows))
    assert np.isnan(paired.change.limits(0.025)[0])
    assert np.isnan(paired.baseline.value)
    assert np.isfinite(paired.candidate.limits(0.025)[0])


def test_an_evaluation_writes_closed_form_intervals() -> None:
    models = {
        "model_specs": [
            {"name": "new", "label_key": "label", "prediction_key": "prediction"},
            {"name": "old", "label_key": "label", "prediction_key": "old_prediction"},
        ]
    }
    models["model_specs"][1]["is_baseline"] = True  # type: ignore[assignment]
    asked = config("BinaryAccuracy", "F1Score", slices=[{}, {"feature_keys": ["hour"]}])
    data = taxi_like(3_000)
    result = benison.evaluate(data, {**asked, **models, "options": {"confidence": {"level": 0.9}}})
    rows = result.metrics.to_pylist()
    one = next(r for r in rows if r["slice"] == "Overall" and r["kind"] == "value")
    right = int(round(one["value"] * 3_000))
    expected = stats.binomtest(right, 3_000).proportion_ci(0.9, method="wilson")
    assert (one["lower"], one["upper"]) == pytest.approx((expected.low, expected.high), rel=1e-9)
    methods = {
        (r["metric"], r["kind"]): r["interval_method"] for r in rows if r["slice"] == "Overall"
    }
    assert methods == {
        ("binary_accuracy", "value"): "wilson",
        ("binary_accuracy", "change"): "tango",
        ("f1_score", "value"): "cells",
        ("f1_score", "change"): "cells",
    }
    assert all(r["lower"] <= r["value"] <= r["upper"] for r in rows)
    assert is_number(from_config("F1Score", {}))


def test_closed_forms_do_not_depend_on_row_groups_or_threads(tmp_path: Path) -> None:
    """Of each kind of state: 6,000 rows of a class, of which areas take a sample."""
    table = taxi_like(12_000)
    names = ["BinaryAccuracy", "MeanSquaredError", "AUC", "R2Score", "KolmogorovSmirnov"]
    names.append("SpearmanCorrelation")
    made = config(*names, slices=({}, {"feature_keys": ["hour"]}))
    made["options"] = {"confidence": {"level": 0.9}}
    bounds = []
    for groups, threads in ((12_000, 1), (700, 1), (700, 3)):
        path = tmp_path / f"{groups}-{threads}" / "eval.parquet"
        path.parent.mkdir()
        pq.write_table(table, path, row_group_size=groups)
        metrics = benison.evaluate(path, made, threads=threads).metrics
        assert {*metrics["interval_method"].to_pylist()} >= {
            "johnson",
            "delong",
            "blocks",
            "t",
            "fisher_z",
        }
        bounds.append(
            np.stack([metrics[name].to_numpy() for name in ("lower", "upper", "std_error")])
        )
    for other in bounds[1:]:
        np.testing.assert_allclose(other, bounds[0], rtol=1e-9)
