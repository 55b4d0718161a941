# SPDX-License-Identifier: Apache-2.0
"""The tests of what ranks rows: exact for few scores, and never off by more than the resolution."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import benison
from benison.data.batch import Inputs
from benison.metrics import curve_metric
from benison.metrics.statistics import exact_scores, pooled_scores, ranks
from benison.metrics.statistics.curve import scored_weights
from benison.metrics.statistics.pooled_scores import PooledScores
from benison.metrics.statistics.ranks import Ranks, ScoreRanks
from benison.metrics.statistics.scale import BINS, bins_of, edges_of, holds_equal_scores
from benison.slicing.codes import SliceCodes
from tests.conftest import config, taxi_like

EXTREMES = [0.0, 1.0, 5e-324, 1e-300, 1e300, np.finfo(float).max, np.inf, 1 - 2**-53, 1 + 2**-52]
ANY_SCORE = st.one_of(
    st.floats(allow_nan=False),
    st.floats(0, 1),
    st.sampled_from([*EXTREMES, *(-x for x in EXTREMES)]),
    st.builds(lambda x: 10.0**x, st.floats(-320, 300)),
    st.builds(lambda x: 1 - 10.0**x, st.floats(-17, 0)),
)

# The scale.


@settings(deadline=None)
@given(st.lists(ANY_SCORE, min_size=1, max_size=60))
def test_every_float_has_a_bin_in_the_order_of_floats(scores: list[float]) -> None:
    ascending = np.sort(np.array(scores))
    bins = bins_of(ascending)
    assert np.all(np.diff(bins) >= 0)
    assert 0 <= bins[0] <= bins[-1] < BINS
    np.testing.assert_array_equal(bins_of(-ascending[ascending == 0]), bins_of(np.zeros(1))[0])
    edges = edges_of(bins)
    assert np.all(edges <= ascending)
    assert np.all(ascending < edges_of(bins + 1)) or ascending[-1] == np.inf
    np.testing.assert_array_equal(bins_of(edges), bins)


def test_the_edges_of_tfma_are_edges() -> None:
    parts = np.arange(1, 10_001) / 10_000
    assert np.all(np.diff(bins_of(parts)) > 0)
    edges = edges_of(bins_of(parts))
    assert np.all(parts - edges <= 2 * np.spacing(parts))


@pytest.mark.parametrize(
    ("low", "bins"),
    [
        (-1.0, 1024),
        (-64.0, 1024),
        (-(2.0**-12), 1024),
        (1.0, 1024),
        (64.0, 1024),
        (1e300, 1024),
        (1e-6, 1024),
        (1e-300, 1024),
        (1e-3, 256),
    ],
)
def test_an_octave_has_as_many_bins(low: float, bins: int) -> None:
    octave = np.linspace(low, 2 * low, 100_001)
    assert bins <= len(np.unique(bins_of(octave))) <= bins + 2
    if 0 < low < 1e-2:
        near_one = 1 - np.maximum(octave, 1e-8)
        assert bins / 2 <= len(np.unique(bins_of(near_one))) or low < 1e-8


def test_scores_at_the_ends_are_alone() -> None:
    for end in (-np.inf, 0.0, 1.0, np.inf):
        beside = [np.nextafter(end, side) for side in (-np.inf, np.inf)]
        bins = bins_of(np.array([end, *(x for x in beside if x != end)]))
        assert np.all(bins[1:] != bins[0])
        assert holds_equal_scores(bins).tolist() == [True] + [False] * (len(bins) - 1)


# The state: however rows arrive, it is the same.


@pytest.fixture(params=[(6, 0), (6, 40), (1, 2**22), (40, 10)], ids=str)
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Few scores are many, and rows wait or do not."""
    most, waiting = request.param
    monkeypatch.setattr(ranks, "EXACT_SCORES", most)
    monkeypatch.setattr(ranks, "WAITING", waiting)
    monkeypatch.setattr(exact_scores, "_SAMPLE", 16)
    monkeypatch.setattr(pooled_scores, "PENDING_KEYS", waiting)
    return most


def some_scores(rng: np.random.Generator, rows: int) -> np.ndarray:
    kinds = [
        rng.random(rows),
        rng.normal(0, 3, rows),
        rng.integers(0, 8, rows) / 8,
        rng.integers(300, 310, rows) * 1.0,
        0.5 + rng.integers(0, 12, rows) * 1e-9,
        rng.choice([*EXTREMES, -0.0, *(-x for x in EXTREMES)], rows),
    ]
    kind = rng.integers(0, len(kinds), rows) if rng.random() < 0.3 else rng.integers(len(kinds))
    return np.choose(kind, kinds)


def some_rows(rng: np.random.Generator, rows: int, size: int) -> tuple[Inputs, SliceCodes]:
    weights = rng.integers(0, 5, rows) / 4 if rng.random() < 0.5 else None
    labels = rng.integers(0, 2, rows) * 1.0
    inputs = Inputs(labels, some_scores(rng, rows), weights)
    some = np.sort(rng.permutation(rows)[: rows // 2])
    parts = (
        (None, np.zeros(rows, np.int64)),
        (some, rng.integers(1, size, len(some))),
    )
    return inputs, SliceCodes(size, parts)


def expected_weights(
    batches: list[tuple[Inputs, SliceCodes]], most: int
) -> dict[int, dict[float, tuple[float, float]]]:
    """Weights of negatives and positives by slice and score, or by the lowest score of its bin."""
    values: dict[int, dict[float, list[float]]] = {}
    for inputs, codes in batches:
        for rows, of_rows in codes.parts:
            for row, code in zip(
                range(len(inputs)) if rows is None else rows, of_rows, strict=True
            ):
                weight = 1.0 if inputs.weights is None else inputs.weights[row]
                if weight:
                    score = inputs.predictions[row] + 0.0
                    both = values.setdefault(code, {}).setdefault(score, [0.0, 0.0])
                    both[int(inputs.labels[row])] += weight
    return {code: pooled(scores, most) for code, scores in values.items()}


def pooled(scores: dict[float, list[float]], most: int) -> dict[float, tuple[float, float]]:
    if len(scores) <= most:
        return {score: (a, b) for score, (a, b) in scores.items()}
    summed: dict[float, tuple[float, float]] = {}
    for score, (a, b) in scores.items():
        edge = float(edges_of(bins_of(np.array([score])))[0])
        before = summed.get(edge, (0.0, 0.0))
        summed[edge] = (before[0] + a, before[1] + b)
    return summed


def weights_of(state: Ranks) -> dict[int, dict[float, tuple[float, float]]]:
    values: dict[int, dict[float, tuple[float, float]]] = {}
    for scores, _, weights in scored_weights(state):
        for i, score in enumerate(scores):
            of_slice = values.setdefault(int(weights.slices[i]), {})
            a, b = of_slice.get(float(score), (0.0, 0.0))
            pair = (a + weights.negatives[i], b + weights.positives[i])
            of_slice[float(score)] = (float(pair[0]), float(pair[1]))
            assert list(of_slice) == sorted(of_slice)
    return values


@given(seed=st.integers(0, 10**9))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_split_of_the_rows_makes_the_same_state(limits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    statistic, size = ScoreRanks(), int(rng.integers(2, 6))
    batches = [some_rows(rng, int(rng.integers(0, 60)), size) for _ in range(rng.integers(1, 6))]
    states = [statistic.add(*batch) for batch in batches]
    while len(states) > 1:  # in any tree
        a, b = rng.permutation(len(states))[:2]
        merged = statistic.merge(states[a], states[b])
        if rng.random() < 0.2:
            merged = pickle.loads(pickle.dumps(merged))
        if rng.random() < 0.2:
            merged = statistic.take(merged, np.arange(size))
        states = [merged, *(state for i, state in enumerate(states) if i not in (a, b))]
    expected = expected_weights(batches, limits)
    assert weights_of(states[0]) == expected
    index = rng.integers(0, size, rng.integers(0, 4))
    taken = {i: expected[code] for i, code in enumerate(index) if code in expected}
    assert weights_of(statistic.take(states[0], index)) == taken
    index = rng.permutation(size + 2)[:size]
    placed = statistic.scatter(states[0], index, size + 2)
    assert weights_of(placed) == {int(index[code]): of for code, of in expected.items()}


def test_a_curve_is_read_once_for_a_value_and_its_resolution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = []
    curves = curve_metric.score_curves
    monkeypatch.setattr(
        curve_metric, "score_curves", lambda ranks: read.append(ranks) or curves(ranks)
    )
    result = benison.evaluate(taxi_like(6_000), config("AUC"))
    assert result.value("auc") > 0.5
    assert len(read) == 1


def test_the_curves_are_kept_for_the_metrics_that_read_them_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first metric makes and keeps them, because others read them."""
    made = []
    blocks = PooledScores.blocks
    monkeypatch.setattr(PooledScores, "blocks", lambda self: made.append(self) or blocks(self))
    names = ("AUC", "AUCPrecisionRecall", "Gini", "KolmogorovSmirnov")
    result = benison.evaluate(taxi_like(6_000), config(*names))
    assert len(made) == 1
    assert result.value("gini") == pytest.approx(2 * result.value("auc") - 1)
