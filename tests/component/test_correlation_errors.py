# SPDX-License-Identifier: Apache-2.0
"""The errors of correlations, of values and of ranks, and of explained variance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Array, Inputs
from benison.evidence.choice import estimator_of
from benison.evidence.paired_spread import Paired
from benison.metrics import Metric, from_config
from benison.slicing.codes import SliceCodes
from tests.component.test_estimators import deviation
from tests.statistics.coverage import compared, of_numbers

NAMES = ("R2Score", "PearsonCorrelation", "SquaredPearsonCorrelation", "SpearmanCorrelation")


def rows_of(n: int, weighted: bool = False, digits: int = 12) -> Inputs:
    rng = np.random.default_rng(4)
    rows = of_numbers(rng, n)
    columns = (rows.labels, rows.predictions, rows.baseline)
    labels, own, other = (np.round(column, digits) for column in columns)
    weights = rng.integers(1, 4, n).astype(float) if weighted else None
    return dataclasses.replace(
        rows, labels=labels, predictions=own, baseline=other, weights=weights
    )


def other_of(rows: Inputs) -> Inputs:
    return dataclasses.replace(rows, predictions=rows.baseline, baseline=None)


def falls_of(metric: Metric, rows: Inputs, share: float = 1e-5) -> Array:
    """By how much the value falls where a row weighs less by a share, as if all of it were taken."""
    n = len(rows)
    weights = np.tile(np.ones(n) if rows.weights is None else rows.weights, (n + 1, 1))
    weights[np.arange(n), np.arange(n)] *= 1 - share
    tiled = rows.take(np.tile(np.arange(n), n + 1))
    tiled = dataclasses.replace(tiled, weights=weights.ravel(), baseline=None)
    codes = SliceCodes.of(np.repeat(np.arange(n + 1), n), n + 1)
    values = np.asarray(metric.result(*(s.add(tiled, codes) for s in metric.statistics())))
    return np.asarray((values[-1] - values[:-1]) / share)


@pytest.mark.parametrize("name", [*NAMES, "KendallTau"])
@pytest.mark.parametrize("form", ["plain", "weighted", "tied"])
def test_correlations_know_what_each_row_contributes(name: str, form: str) -> None:
    n, metric = 60, from_config(name, {})
    rows = rows_of(n, form == "weighted", 0 if form == "tied" else 12)
    paired = compared(name, rows, 1, weighted=form == "weighted")
    own, other = (falls_of(metric, side) for side in (rows, other_of(rows)))
    for spread, falls in (
        (paired.candidate, own),
        (paired.baseline, other),
        (paired.change, own - other),
    ):
        assert spread.std_error[0] == pytest.approx(deviation(falls) * n / (n - 1), rel=1e-4)
    assert paired.covariance[0] == pytest.approx(np.cov(own, other)[0, 1] * n, rel=1e-4)


def in_parts(name: str, rows: Inputs, parts: list[Array]) -> Paired:
    """What a metric says of one slice whose rows come in parts."""
    known = estimator_of(from_config(name, {}), paired=True, weighted=False)
    assert known is not None
    sides = (dataclasses.replace(rows, baseline=None), other_of(rows))
    states = []
    for side, statistics in ((rows, known.statistics()), *((s, known.alone()) for s in sides)):
        for statistic in statistics:
            state = statistic.zero(1)
            for part in parts:
                codes = SliceCodes.of(np.zeros(len(part)), 1)
                state = statistic.merge(state, statistic.add(side.take(part), codes))
            states.append(state)
    return known.compared(*states)


@pytest.mark.parametrize("name", ["R2Score", "PearsonCorrelation"])
def test_moments_far_from_zero_keep_their_digits(name: str) -> None:
    rows, n = rows_of(500), 500
    far = dataclasses.replace(
        rows,
        labels=rows.labels + 1e7,
        predictions=rows.predictions + 1e7,
        baseline=rows.baseline + 1e7,
    )
    order = np.random.default_rng(0).permutation(n)
    parts = [order[:1], order[1:1], order[1:400], order[400:]]
    expected, moved = in_parts(name, rows, [np.arange(n)]), in_parts(name, far, parts)
    assert moved.candidate.std_error == pytest.approx(expected.candidate.std_error, rel=1e-6)
    assert moved.change.std_error == pytest.approx(expected.change.std_error, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_of_many_rows_has_nearly_the_errors_of_all(name: str) -> None:
    rows = rows_of(20_000)
    whole = in_parts(name, rows, np.array_split(np.arange(20_000), 3))
    few = compared(name, rows, 5)  # 4,000 rows each, of which none is left out
    expected = np.sqrt(np.square(few.change.std_error).mean() / 5)
    assert whole.change.std_error[0] == pytest.approx(expected, rel=0.1)


def test_nearly_right_models_have_small_errors_that_are_not_lost() -> None:
    rng = np.random.default_rng(1)
    labels = 5 + rng.normal(size=300)
    errors = rng.normal(size=(2, 300))
    values = []
    for size in (1e-2, 1e-5):
        own, other = labels - size * errors
        rows = Inputs(labels, own, baseline=other)
        values.append(compared("R2Score", rows, 1).candidate.std_error[0] / size**2)
    assert values[1] == pytest.approx(values[0], rel=1e-3)


def test_models_without_errors_or_rows_say_so() -> None:
    labels = np.arange(40.0)
    rows = Inputs(labels, labels, baseline=labels, batch_numbers=labels.astype(np.uint64))
    for name in NAMES:
        exact = compared(name, rows, 1)
        assert exact.candidate.is_constant[0]
        assert exact.is_unchanged[0]
        few = compared(name, rows.take(np.arange(4)), 1)
        assert np.isnan(few.candidate.std_error[0])
        assert not few.candidate.is_unknown[0]  # more rows would tell
    missing = rows_of(40)
    missing.baseline[3] = np.nan
    for name in NAMES:
        paired = compared(name, missing, 1)
        assert np.isfinite(paired.candidate.std_error[0])
        assert np.isnan(paired.change.std_error[0])


def test_a_square_near_0_is_not_shown_to_be_above_it() -> None:
    rng = np.random.default_rng(3)
    labels, own = rng.normal(size=(2, 2000 * 100))
    paired = compared("SquaredPearsonCorrelation", Inputs(labels, own, baseline=own), 2000)
    assert (paired.candidate.p_above(0.0) <= 0.05).mean() == pytest.approx(0.05, abs=0.015)
    assert (paired.candidate.p_below(0.0) == 1).all()
    assert (paired.candidate.limits(0.025)[0] == 0).mean() > 0.9


@pytest.mark.parametrize("name", ["R2Score", "PearsonCorrelation", "SquaredPearsonCorrelation"])
@pytest.mark.parametrize("octave", [300, -300])
def test_errors_do_not_depend_on_the_unit(name: str, octave: int) -> None:
    rows = rows_of(200)
    labels, own, other = (
        np.ldexp(column, octave) for column in (rows.labels, rows.predictions, rows.baseline)
    )
    scaled = dataclasses.replace(rows, labels=labels, predictions=own, baseline=other)
    parts = [np.arange(3), np.arange(3, 120), np.arange(120, 200)]
    expected, moved = in_parts(name, rows, [np.arange(200)]), in_parts(name, scaled, parts)
    for side in ("candidate", "baseline", "change"):
        own_error, theirs = (getattr(each, side).std_error for each in (moved, expected))
        assert own_error == pytest.approx(theirs, rel=1e-9)
    assert moved.covariance == pytest.approx(expected.covariance, rel=1e-9)


def test_a_baseline_that_exploded_leaves_the_candidate_known() -> None:
    rows = rows_of(200)
    exploded = dataclasses.replace(rows, baseline=rows.baseline * 1e100)
    for name in ("R2Score", "PearsonCorrelation"):
        errors = [compared(name, each, 1).candidate.std_error[0] for each in (rows, exploded)]
        assert errors[1] == pytest.approx(errors[0], rel=1e-9)


def test_a_violation_at_any_scale_is_shown() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    for scale in (1.0, 1e90, 1e-90):
        table = pa.table({"y": scale * y, "p": scale * (-y + 0.1 * rng.normal(size=300))})
        for name in ("PearsonCorrelation", "R2Score"):
            threshold = {"evidence": "worse", "value_threshold": {"lower_bound": 0.5}}
            made = {
                "model_specs": [{"label_key": "y", "prediction_key": "p"}],
                "metrics_specs": [{"metrics": [{"class_name": name, "threshold": threshold}]}],
            }
            verdict = benison.evaluate(table, made).verdict
            assert (verdict.status, len(verdict.reasons)) == ("not_blessed", 1)


def test_a_perfect_model_is_not_said_to_need_more_rows() -> None:
    y = np.arange(300.0)
    threshold = {"evidence": "not_worse", "value_threshold": {"lower_bound": 0.5}}
    made = {
        "model_specs": [{"label_key": "y", "prediction_key": "y"}],
        "metrics_specs": [{"metrics": [{"class_name": "R2Score", "threshold": threshold}]}],
    }
    (reason,) = benison.evaluate(pa.table({"y": y}), made).verdict.reasons
    assert (
        "300 examples do not tell how far it may be from the true one, as where none differ"
        in reason
    )
