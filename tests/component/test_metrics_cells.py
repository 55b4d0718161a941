# SPDX-License-Identifier: Apache-2.0
"""The tests of tables of cells: whatever way they are held, they hold the same sums."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benison.metrics.statistics import cells as module
from benison.metrics.statistics.cells import Cells
from benison.slicing.codes import SliceCodes, repeated

WIDTH = 5


@pytest.fixture(params=[(0, 0), (0, 2**24), (8, 0), (2**20, 2**24)], ids=str)
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Always compact or never, always sparse or where it pays dense."""
    monkeypatch.setattr(module, "PENDING_KEYS", request.param[0])
    monkeypatch.setattr(module, "DENSE_CELLS", request.param[1])


def some_cells(rng: np.random.Generator, size: int, rows: int) -> tuple[Cells, np.ndarray]:
    keys = rng.integers(0, size * WIDTH, rows) if size else np.zeros(0, np.int64)
    sums = rng.integers(1, 5, len(keys)).astype(float) if rng.random() < 0.5 else None
    expected = np.bincount(keys, sums, minlength=size * WIDTH).reshape(size, WIDTH)
    return Cells.of(keys, sums, size, WIDTH), expected


def holds(cells: Cells, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(cells.dense(), expected)
    keys, sums = cells.occupied()
    np.testing.assert_array_equal(keys, np.flatnonzero(expected))
    np.testing.assert_array_equal(sums, expected[expected != 0])


seeds = given(seed=st.integers(0, 10**9))
few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.usefixtures("limits")
@seeds
@few
def test_merge_take_and_relabel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 6))
    total, expected = Cells.empty(size, WIDTH), np.zeros((size, WIDTH))
    most = int(rng.choice([3, 40]))  # few rows stay sparse
    for _ in range(rng.integers(0, 8)):
        part, table = some_cells(rng, size, int(rng.integers(0, most)))
        before = copy.deepcopy(total.dense())
        merged = total.merge(part) if rng.random() < 0.5 else part.merge(total)
        np.testing.assert_array_equal(total.dense(), before)
        total, expected = merged, expected + table
    holds(total, expected)
    index = rng.integers(0, size, rng.integers(0, 4))
    holds(total.take(index), expected[index])
    more = size + int(rng.integers(0, 3))
    places = rng.permutation(more)[:size] if rng.random() < 0.7 else np.arange(size)
    moved = np.zeros((more, WIDTH))
    moved[places] = expected
    holds(total.relabel(places, more), moved)
    holds(pickle.loads(pickle.dumps(total)), expected)


def test_nan_is_occupied() -> None:
    cells = Cells.of(np.array([3, 3]), np.array([1.0, np.nan]), 1, WIDTH)
    keys, sums = cells.occupied()
    assert keys.tolist() == [3]
    assert np.isnan(sums).all()


def test_many_batches_stay_small() -> None:
    rng = np.random.default_rng(0)
    total = Cells.empty(100, 20_000)
    for _ in range(400):
        total = total.merge(Cells.of(rng.integers(0, 2_000_000, 10_000), None, 100, 20_000))
        waiting = sum(len(of.keys) for of in total.pending)
        assert waiting <= max(module.PENDING_KEYS, 4 * len(total.sums))
    assert total.dense().sum() == 4_000_000


@pytest.mark.parametrize("width", [4, 40, 40_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_overall_has_the_rows_of_a_spec_that_has_all(width: int, weighted: bool) -> None:
    rng = np.random.default_rng(width)
    rows, cells = np.arange(100), rng.integers(0, width, 100)
    weights = rng.integers(1, 5, 100).astype(float) if weighted else None
    each = (None, rng.integers(2, 6, 100))
    some = (rows[::3], np.ones(34, np.int64))
    codes = SliceCodes(6, (some, (None, repeated(0, 100)), each))
    expected = np.zeros((6, width))
    every = np.ones(100) if weights is None else weights
    for at, slices in (some, (rows, np.zeros(100, np.int64)), (rows, each[1])):
        np.add.at(expected, (slices, cells[at]), every[at])
    grouped = Cells.grouped(cells, weights, codes, width)
    holds(grouped.merge(grouped), 2 * expected)
