# SPDX-License-Identifier: Apache-2.0
"""A short form of `tests.statistics.weak_slices`, and what must not matter to sums and searches."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from scipy import stats

from benison.evidence.tails import binomial_upper_tail
from benison.weak_slices.cell_sums import SAMPLED, CellSums
from benison.weak_slices.confirm import confirmed
from benison.weak_slices.layout import Layout
from benison.weak_slices.overlaps import RowsInBoth
from benison.weak_slices.pursuit import WHOLE, pursue
from tests.statistics.planted import draw
from tests.statistics.weak_slices import ALPHA, PLANTED, SEARCH, SEARCH_OF_CHANGES, run


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"correlated": True},
        {"loss": "change"},
        {"loss": "squared"},
        {"correlated": True, "rows": 1_000_000},
    ],
)
def test_planted_slices_are_reported_and_nothing_else(condition: dict[str, object]) -> None:
    outcome = run(draw(3, **condition))  # type: ignore[arg-type]
    assert outcome.in_top
    assert outcome.reported == len(PLANTED)
    assert outcome.covered >= len(PLANTED) - 1


@pytest.mark.parametrize("loss", ["decision", "change", "squared"])
def test_equal_rates_report_nothing(loss: str) -> None:
    drawn = [run(draw(seed, rows=20_000, effect=0, loss=loss)) for seed in range(4)]
    assert sum(outcome.reported for outcome in drawn) == 0


def test_many_features_are_searched_by_pairs_and_around_the_best_of_them() -> None:
    data = draw(5, sizes=(2, 3, 4, 5, 6, 8, 10, 12, 20, 25, *(2,) * 6))
    state = data.state()
    assert state.layout.depth == 2
    taken = [candidate.pairs for candidate in pursue(state, SEARCH).taken]
    assert all(pairs in taken for pairs in PLANTED)


@pytest.mark.parametrize("loss", ["decision", "change", "squared"])
def test_sums_do_not_depend_on_batches_and_order(loss: str) -> None:
    data = draw(1, rows=SAMPLED + 20_000, loss=loss, sizes=(2, 3, 4, 5, 6, 8, 10, 12, 3, 3))
    order = np.random.default_rng(1).permutation(len(data.losses))
    layout = Layout.of(tuple(int(codes.max()) + 1 for codes in data.codes), 2)
    parts = [
        CellSums.zero(layout, data.levels).add(
            data.hashes[rows], data.codes[:, rows], data.losses[rows], np.abs(data.losses[rows])
        )
        for rows in np.array_split(order, 3)
    ]
    merged = functools.reduce(CellSums.merge, parts)
    whole = data.state(depth=2)
    assert merged.sums == pytest.approx(whole.sums, rel=1e-12)
    assert merged.reference == pytest.approx(whole.reference, rel=1e-12)
    for name in ("hashes", "codes", "losses"):
        ours, theirs = (getattr(s.sample.ordered(), name) for s in (merged, whole))
        assert np.array_equal(ours, theirs)


def test_cells_are_counted_right() -> None:
    data = draw(2, rows=5_000, sizes=(2, 3, 4, 5, 6, 8, 10, 12, 3, 3), loss="squared")
    tables = data.state().layout.dense(data.state().moments())
    rows = (data.codes[2] == 3) & (data.codes[5] == 1)
    assert tables[2, 5][0, :, 3, 1].sum() == rows.sum()
    assert tables[2, 5][1, :, 3, 1].sum() == pytest.approx(data.losses[rows].sum())
    assert tables[7,][2, :, 4].sum() == pytest.approx((data.losses[data.codes[7] == 4] ** 2).sum())


@pytest.mark.parametrize(
    ("k", "n", "p"),
    [(0, 10, 0.1), (3, 10, 0.1), (90, 200, 0.5), (40, 90, 0.2), (5_100, 50_000, 0.1)],
)
def test_tails_of_binomials(k: int, n: int, p: float) -> None:
    assert binomial_upper_tail(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-6)


def test_a_slice_that_improved_less_did_not_become_worse() -> None:
    data = draw(4, rows=20_000, effect=0, loss="change")
    improved = -1.0 * (np.random.default_rng(5).random(20_000) < 0.3)
    better = np.where(data.codes[0] == 1, data.losses, improved)
    state = dataclasses.replace(data, losses=better).state()
    reported = [
        confirmed(pursue(state, search), state.levels, ALPHA, search.min_effect)
        for search in (SEARCH, SEARCH_OF_CHANGES)
    ]
    assert [len(slices) > 0 for slices in reported] == [True, False]


@pytest.mark.parametrize("loss", ["change", "squared"])
def test_all_rows_together_are_reported_with_an_interval_that_covers_their_change(
    loss: str,
) -> None:
    data = draw(6, rows=20_000, effect=0, loss=loss)
    worse = np.random.default_rng(7).random(20_000) < 0.05
    shifted = np.where(worse, 1.0, data.losses) if data.levels else data.losses - 0.9
    state = dataclasses.replace(data, losses=shifted).state()
    pursuit = pursue(state, SEARCH_OF_CHANGES)
    (evidence,) = confirmed(pursuit, state.levels, ALPHA, SEARCH.min_effect)
    true = 0.05 if data.levels else 0.1
    assert evidence.candidate == WHOLE
    assert (evidence.expected, evidence.lower <= true <= evidence.upper) == (0, True)
    half = data.losses[(data.hashes & np.uint64(1)) == 1]
    assert evidence.rows == len(half)


@pytest.mark.parametrize(("feature", "values"), [(0, {1}), (3, {1, 2, 3})])
def test_slices_of_most_rows_do_not_hide_in_the_change_of_all(
    feature: int, values: set[int]
) -> None:
    """Each became worse by more than the least effect, and all rows together by less."""
    data = draw(8, rows=120_000, effect=0, loss="change", sizes=(2, 3, 4, 5))
    inside = np.isin(data.codes[feature], [*values])
    share = 0.85 * SEARCH.min_effect / inside.mean()
    worse = inside & (np.random.default_rng(9).random(len(inside)) < share)
    state = dataclasses.replace(data, losses=worse.astype(float)).state()
    reported = confirmed(pursue(state, SEARCH_OF_CHANGES), state.levels, ALPHA, SEARCH.min_effect)
    assert share < 2 * SEARCH.min_effect
    assert {tuple(e.candidate.pairs.items()) for e in reported} == {((feature, v),) for v in values}


@pytest.mark.parametrize("within", [{0: 2, 3: 1}, {0: 2, 2: 1, 4: 3}, {1: 0, 4: 1, 5: 2}])
def test_rows_in_both_are_right_where_features_depend_on_each_other_by_twos(
    within: dict[int, int],
) -> None:
    rng = np.random.default_rng(1)
    twos = [rng.dirichlet(np.ones(a * b)).reshape(a, b) for a, b in ((3, 2), (4, 3), (5, 6))]
    every = 1e6 * np.einsum("ab,cd,ef->abcdef", *twos)
    rows = {
        features: every.sum(axis=tuple({*range(6)} - {*features}))
        for size in range(4)
        for features in itertools.combinations(range(6), size)
    }
    inside = every[tuple(within.get(feature, slice(None)) for feature in range(6))]
    left = [feature for feature in range(6) if feature not in within]
    for size in range(1, 4):
        for combination in itertools.combinations(range(6), size):
            if len({*combination, *within}) > 3:
                axes = tuple(i for i, feature in enumerate(left) if feature not in combination)
                found = RowsInBoth(rows, within, 3).of(combination)
                assert found == pytest.approx(inside.sum(axis=axes))
