# SPDX-License-Identifier: Apache-2.0
"""Rank correlations against scipy's, exact and in bins, however rows arrive."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from benison.data.batch import Inputs
from benison.errors import DataError
from benison.metrics import from_config
from benison.metrics.statistics import joint_counts
from benison.metrics.statistics.scale import bins_of
from benison.testing import WAYS, states_of, value_of, whole

SCIPY: dict[str, Callable[..., Any]] = {
    "SpearmanCorrelation": scipy.stats.spearmanr,
    "KendallTau": scipy.stats.kendalltau,
}
every_correlation = pytest.mark.parametrize("name", SCIPY)


def value_and_resolution(name: str, inputs: Inputs, codes: Any = None, size: int = 1) -> Any:
    metric = from_config(name, {})
    codes = np.zeros(len(inputs)) if codes is None else codes
    with np.errstate(all="ignore"):
        return metric.result_and_resolution(*states_of(metric, inputs, codes, size, whole))


def related(rows: int, seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    labels = rng.normal(100, 15, rows)
    return Inputs(labels, labels + rng.normal(0, 10, rows))


@every_correlation
def test_exact_up_to_4096_pairs_and_within_its_resolution_beyond(name: str) -> None:
    for rows, exact in ((4096, True), (4097, False), (20_000, False)):
        inputs = related(rows)
        (value,), (resolution,) = value_and_resolution(name, inputs)
        truth = SCIPY[name](inputs.labels, inputs.predictions).statistic
        assert (resolution == 0) == exact
        assert abs(value - truth) <= resolution + 1e-12
        assert resolution < 5e-3
    binned = SCIPY[name](bins_of(inputs.labels), bins_of(inputs.predictions)).statistic
    assert value == pytest.approx(binned, rel=1e-12)


@every_correlation
@pytest.mark.parametrize("seed", range(4))
def test_no_order_inside_bins_moves_a_value_beyond_its_resolution(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joint_counts, "EXACT_PAIRS", 10)
    rng = np.random.default_rng(seed)
    bins, inside = rng.integers(0, 4, (2, 60)) / 10 + 0.30001, rng.random((2, 60)) * 1e-5
    for second in (inside[0], -inside[0], inside[1]):  # the extreme orders, and any
        labels, predictions = bins[0] + inside[0], bins[1] + second + 5e-5
        (value,), (resolution,) = value_and_resolution(name, Inputs(labels, predictions))
        truth = SCIPY[name](labels, predictions).statistic
        assert abs(value - truth) <= resolution + 1e-12
        assert resolution > 0


@every_correlation
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_bins_and_values_are_the_same_however_rows_arrive(
    name: str, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joint_counts, "EXACT_PAIRS", 30)
    monkeypatch.setattr(joint_counts, "WAITING", 8)
    rows, codes = related(150, 1), np.repeat([0, 1, 2], [30, 31, 89])
    inputs = Inputs(rows.labels, rows.predictions, np.random.default_rng(2).random(150))
    ours = value_of(from_config(name, {}), inputs, codes, 3, way)
    together, resolution = value_and_resolution(name, inputs, codes, 3)
    np.testing.assert_allclose(ours, together, rtol=1e-12)
    assert (resolution > 0).tolist() == [False, True, True]


def weighted_spearman(y: Any, p: Any, w: Any) -> float:
    ranks = [[w[v < x].sum() + w[v == x].sum() / 2 for x in v] for v in (y, p)]
    covariance = np.cov(ranks, aweights=w)
    return float(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1]))


def weighted_kendall(y: Any, p: Any, w: Any) -> float:
    pairs = [
        (w[i] * w[j], np.sign(y[i] - y[j]), np.sign(p[i] - p[j]))
        for i, j in itertools.product(range(len(y)), repeat=2)
    ]
    both, of_y, of_p = (
        sum(v * f(a, b) for v, a, b in pairs)
        for f in (lambda a, b: a * b, lambda a, b: a * a, lambda a, b: b * b)
    )
    return float(both / math.sqrt(of_y * of_p))


@pytest.mark.parametrize(
    ("name", "literal"),
    [("SpearmanCorrelation", weighted_spearman), ("KendallTau", weighted_kendall)],
)
def test_any_weights(name: str, literal: Any) -> None:
    rng = np.random.default_rng(3)
    y, p, w = (
        rng.integers(0, 6, 40) * 1.0,
        rng.integers(0, 9, 40) / 8,
        10.0 ** rng.uniform(-2, 2, 40),
    )
    ours = from_config(name, {}).of(Inputs(y, p, w))
    assert ours == pytest.approx(literal(y, p, w), rel=1e-12)


@every_correlation
def test_where_there_is_no_correlation(name: str) -> None:
    metric = from_config(name, {})
    undefined = [([1, 1], [0.1, 0.2]), ([1, 2], [0.1, 0.1]), ([1], [1]), ([1, 2], [0.1, math.nan])]
    assert all(math.isnan(metric.of(Inputs.of(*rows))) for rows in undefined)
    infinite = Inputs.of([-math.inf, 0, -0.0, math.inf], [1, 2, 2, 3])
    assert metric.of(infinite) == pytest.approx(1, rel=1e-12)
    with pytest.raises(DataError, match="needs one label and one prediction in each row"):
        metric.of(Inputs.of([0], [[0.2, 0.8]]))


@every_correlation
def test_nothing_is_known_of_scores_that_are_all_in_one_bin(name: str) -> None:
    """Nor whether they are equal, so that there is no value, and no resolution that would make it one."""
    rng = np.random.default_rng(0)
    labels, near = rng.random(5000), 0.50001 + 1e-6 * rng.random(5000)
    both = Inputs.of([*labels, *np.zeros(5000), *labels], [*near, *near, *np.full(5000, 0.3)])
    values, resolutions = value_and_resolution(name, both, np.repeat([0, 1, 2], 5000), 3)
    assert np.isnan(values).all()
    np.testing.assert_array_equal(resolutions, [np.nan, 0, np.nan])
