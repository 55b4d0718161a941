# SPDX-License-Identifier: Apache-2.0
"""Residuals: a planted fault is named by its probe alone, and values are those of SciPy and statsmodels."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from statsmodels.stats.stattools import durbin_watson
from statsmodels.tsa.stattools import acovf

import benison
from benison.probes.residual_bins import ResidualMoments
from benison.probes.residual_order import Stretch, in_order

Model: TypeAlias = "Callable[[Any], Any]"


def sales(rows: int = 1_500, follows: float = 0.0, seed: int = 3) -> pa.Table:
    """Numbers that are the fare and a residual, of which each may follow from the one before."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=rows)
    residuals = np.array([*itertools.accumulate(noise, lambda last, new: follows * last + new)])
    fare, day = rng.normal(size=rows), np.arange(rows)
    company = rng.choice(["Blue", "Red"], rows)
    return pa.table({"fare": fare, "company": company, "day": day, "tip": fare + residuals})


RESIDUALS = (
    {"name": "residuals_by_feature", "features": ["fare", "company"]},
    *("residuals_by_prediction", "residual_normality"),
    {"name": "residual_autocorrelation", "features": ["day"]},
)


def fare_alone(frame: Any) -> Any:
    return frame["fare"]


def red_too_low(frame: Any) -> Any:
    return frame["fare"] - 0.5 * (frame["company"] == "Red")


def skewed(rows: int = 1_500) -> pa.Table:
    table = sales(rows)
    noise = np.random.default_rng(1).exponential(1.0, rows) - 1
    return table.set_column(3, "tip", pa.array(table["fare"].to_numpy() + noise))


def of_residuals(data: Any, model: Model = fare_alone) -> dict[tuple[str, str], Any]:
    asked = {
        "model_specs": [{"label_key": "tip"}],
        "metrics_specs": [{"metrics": ["MeanSquaredError"]}],
        "debugging": {"probes": [*RESIDUALS]},
    }
    rows = benison.evaluate(data, asked, model=model).probes.to_pylist()
    return {(row["probe"], row["feature"]): row for row in rows}


@pytest.mark.parametrize(
    ("data", "model", "named"),
    [
        (sales, fare_alone, set()),
        (sales, red_too_low, {("residuals_by_feature", "company")}),
        (lambda: sales(follows=0.5), fare_alone, {("residual_autocorrelation", "day")}),
        (skewed, fare_alone, {("residual_normality", "")}),
    ],
    ids=["sound", "company", "follows", "skewed"],
)
def test_a_fault_of_residuals_is_named_by_its_probe_alone(
    data: Callable[[], pa.Table], model: Model, named: set[tuple[str, str]]
) -> None:
    rows = of_residuals(data(), model)
    assert {key for key, row in rows.items() if row["notable"]} == named


def test_residuals_are_tested_as_scipy_and_statsmodels_do() -> None:
    data = sales(follows=0.6)
    rows = of_residuals(data)
    residuals = data["tip"].to_numpy() - data["fare"].to_numpy()
    _, (*_, correlation) = stats.probplot(residuals)
    assert rows["residual_normality", ""]["value"] == pytest.approx(correlation, abs=1e-4)
    is_red = data["company"].to_numpy() == "Red"
    by_company = rows["residuals_by_feature", "company"]
    sides = (is_red, ~is_red) if by_company["detail"] == "Red" else (~is_red, is_red)
    theirs = stats.ttest_ind(*(residuals[side] for side in sides), equal_var=False)
    interval = theirs.confidence_interval(0.95)
    ends = sorted(np.sign(theirs.statistic) * np.array([*interval]))
    assert [by_company["lower"], by_company["upper"]] == pytest.approx(ends, rel=1e-6)
    at_0, at_1 = acovf(residuals, fft=False, nlag=1)
    watson = durbin_watson(residuals - residuals.mean())
    in_time = rows["residual_autocorrelation", "day"]
    assert in_time["value"] == pytest.approx(at_1 / at_0)
    assert f"Durbin-Watson {watson:.3g}, 1,500 rows" in in_time["sentence"]


def test_bins_of_features_are_over_all_rows() -> None:
    """Beyond the rows of probes, as SciPy tests them; numbers with many values in cells of a fixed scale."""
    data = sales(30_000)
    rows = of_residuals(data, red_too_low)
    residuals = data["tip"].to_numpy() - np.array(red_too_low(data.to_pandas()))
    is_red = data["company"].to_numpy() == "Red"
    theirs = stats.ttest_ind(residuals[is_red], residuals[~is_red], equal_var=False)
    red = rows["residuals_by_feature", "company"]
    assert (red["rows"], red["detail"] in {"Red", "Blue"}) == (30_000, True)
    ends = theirs.confidence_interval(0.95)
    assert sorted([red["lower"], red["upper"]]) == pytest.approx(sorted(np.abs([*ends])), rel=1e-6)
    assert rows["residuals_by_feature", "fare"]["rows"] == 30_000
    assert rows["residuals_by_prediction", "the prediction"]["rows"] == 30_000


@pytest.mark.parametrize(
    "column",
    [
        pa.array(np.random.default_rng(0).normal(0, 50, 9_000)),
        pa.array([*range(6_000), *range(3_000)]),
        pa.array(["Blue", None, "Red"] * 3_000),
        pa.array([1.5, None, float("nan")] * 3_000),
        pa.array([True, False, None] * 3_000),
    ],
    ids=["numbers", "whole", "texts", "missing", "booleans"],
)
def test_residuals_of_parts_are_those_of_all(column: pa.Array) -> None:
    """However rows are split, and whichever part has too many values first; sums are NumPy's."""
    residuals = np.random.default_rng(1).normal(5, 2, len(column))
    residuals[::7] = np.nan
    whole = ResidualMoments.of(column, residuals)
    cuts = itertools.pairwise([0, 10, 4_500, 4_501, 9_000])
    parts = [ResidualMoments.of(column[a:b], residuals[a:b]) for a, b in cuts]
    for order in (parts, parts[::-1]):
        made = functools.reduce(ResidualMoments.merge, order)
        known = [{*each.values.to_pylist()} for each in (made, whole)]
        assert known[0] == known[1]
        place = [whole.values.to_pylist().index(value) for value in made.values.to_pylist()]
        for name in ("rows", "means", "squares"):
            ours, all_ = getattr(made, name), getattr(whole, name)[place]
            assert ours == pytest.approx(all_, rel=1e-9, abs=1e-9)
    known_residuals = residuals[np.isfinite(residuals)]
    assert whole.rows.sum() == len(known_residuals)
    assert (whole.rows * whole.means).sum() == pytest.approx(known_residuals.sum())
    apart = whole.squares + whole.rows * (whole.means - known_residuals.mean()) ** 2
    assert apart.sum() == pytest.approx(known_residuals.var() * len(known_residuals))


@pytest.mark.parametrize("centre", [41.9, -87.6, 0.0, 1.7e9], ids=str)
def test_cells_of_many_numbers_are_fine_wherever_these_are(centre: float) -> None:
    """As NumPy counts them from the lowest number of each cell on: no number is in the cell above its own."""
    column = np.random.default_rng(4).normal(centre, 0.05, 20_000)
    rows = []
    for values in (column, -column):
        made = ResidualMoments.of(pa.array(values), np.zeros(len(values)))
        order = np.argsort(made.values.to_numpy())
        edges = [*made.values.to_numpy()[order], np.inf]
        assert made.rows[order].tolist() == np.histogram(values, edges)[0].tolist()
        rows.append(made.rows)
        assert len(made.rows) > 1_000
        assert made.rows.max() < 200
    assert len(rows[0]) == pytest.approx(len(rows[1]), abs=2)


@pytest.mark.parametrize("rows", [40_000, 100_000])
def test_a_band_beside_many_numbers_far_apart_has_bins_of_its_own(rows: int) -> None:
    """Cells of all rows are as wide as the band; where the model is off in it the probe says."""
    rng = np.random.default_rng(4)
    fares = 1000 + rng.random(rows) * 1e-3
    fares[: rows // 8] = rng.random(rows // 8) * 1e6
    rng.shuffle(fares)
    off = (fares > 1000) & (fares < 1000.0001)
    tips = rng.normal(size=rows) + off
    data = pa.table({"fare": fares, "tip": tips, "score": np.zeros(rows)})
    asked = {
        "model_specs": [{"label_key": "tip", "prediction_key": "score"}],
        "metrics_specs": [{"metrics": ["MeanSquaredError"]}],
        "debugging": {"probes": [{"name": "residuals_by_feature", "features": ["fare"]}]},
    }
    (row,) = benison.evaluate(data, asked).probes.to_pylist()
    names = [point["at"] for point in row["curve"]]
    assert len(names) == len({*names}) == 10
    assert row["notable"]
    assert 0.6 < row["value"] < 1.4


@pytest.mark.parametrize("hours", [24, 25, 26])
def test_whole_numbers_of_few_values_are_each_a_bin(hours: int) -> None:
    """Hours are not cut in quantiles: of one in which the model is off its own number is said."""
    rng = np.random.default_rng(6)
    hour, residual = rng.integers(0, hours, 6_000), rng.normal(size=6_000)
    data = pa.table({"hour": hour, "tip": residual + 2 * (hour == 5), "score": np.zeros(6_000)})
    probe = {"name": "residuals_by_feature", "features": ["hour"]}
    config = {
        "model_specs": [{"label_key": "tip", "prediction_key": "score"}],
        "metrics_specs": [{"metrics": ["MeanSquaredError"]}],
        "debugging": {"probes": [probe]},
    }
    (row,) = benison.evaluate(data, config).probes.to_pylist()
    assert len(row["curve"]) == (hours if hours <= 25 else 10)
    assert (row["detail"] == "5") == (hours <= 25)


def test_stretches_of_any_size_are_joined_in_the_order_of_time() -> None:
    rng = np.random.default_rng(2)
    times, residuals = np.repeat(np.arange(50.0), 2), rng.normal(size=100)
    residuals[7] = np.nan
    numbers = np.arange(100, dtype=np.uint64)

    def stretches(*parts: slice) -> list[Stretch]:
        made = [Stretch.of(times[part], numbers[part], residuals[part]) for part in parts]
        return [each for each in made if each is not None]

    (whole,) = stretches(slice(None))
    cuts = itertools.pairwise([0, 1, 30, 31, 64, 100])
    joined = in_order(reversed(stretches(*(slice(a, b) for a, b in cuts))))
    assert joined is not None
    assert joined[:5] == whole[:5]
    assert joined.durbin_watson == pytest.approx(whole.durbin_watson)
    assert in_order(stretches(slice(0, None, 2), slice(1, None, 2))) is None


def with_tips(data: pa.Table, residuals: Any) -> pa.Table:
    """The data with labels that are so much above the fare, which is predicted."""
    tips = data["fare"].to_numpy() + residuals
    return data.set_column(data.schema.get_field_index("tip"), "tip", pa.array(tips))


@pytest.mark.parametrize(
    ("residuals", "sentence"),
    [
        ([1.0], "fewer than 20 rows have a time, a label and a score"),
        ([0.0] * 30, "all residuals are equal"),
        ([1e300, *range(50)], "residuals are too large to be squared"),
    ],
)
def test_residuals_of_which_none_says_anything_of_the_next_are_not_measured(
    residuals: list[float], sentence: str
) -> None:
    data = with_tips(sales(len(residuals)), np.array(residuals))
    ordered = of_residuals(data)["residual_autocorrelation", "day"]
    assert ordered["value"] is None or np.isnan(ordered["value"])
    assert sentence in ordered["sentence"]


def test_a_constant_error_follows_from_nothing() -> None:
    data = sales(1_500)
    higher = with_tips(data, data["tip"].to_numpy() - data["fare"].to_numpy() + 50)
    expected, value = (
        of_residuals(each)["residual_autocorrelation", "day"]["value"] for each in (data, higher)
    )
    assert value == pytest.approx(expected, abs=1e-6)
    assert abs(value) < 0.1


def test_ids_beyond_the_whole_floats_are_binned() -> None:
    """Many of them as floats, and a few later ones as the whole numbers that they are."""
    ids = 2**53 + 1 + 2 * np.arange(6_000)
    cuts = (slice(0, 5_000), slice(5_000, 5_100), slice(5_100, 6_000))
    parts = [ResidualMoments.of(pa.array(ids[cut]), ids[cut] % 7.0) for cut in cuts]
    for order in (parts, parts[::-1]):
        made = functools.reduce(ResidualMoments.merge, order)
        assert (made.rows.sum(), made.values.type) == (6_000, pa.float64())
        assert (made.rows * made.means).sum() == pytest.approx((ids % 7).sum())


@pytest.mark.parametrize(
    "day",
    [
        pa.array(range(60), pa.int64()).cast(pa.timestamp("s")),
        pa.array(range(60), pa.int32()).cast(pa.date32()),
        pa.array([f"2026-01-01 00:{minute:02d}:00" for minute in range(60)]),
    ],
    ids=["timestamp", "date", "text"],
)
def test_times_are_of_any_type(day: pa.Array) -> None:
    data = sales(60, 0.5)
    expected = of_residuals(data)["residual_autocorrelation", "day"]["value"]
    turned = data.set_column(2, "day", day).take(pa.array(range(59, -1, -1)))
    value = of_residuals(turned)["residual_autocorrelation", "day"]["value"]
    assert value == pytest.approx(expected)
