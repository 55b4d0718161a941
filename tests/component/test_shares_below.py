# SPDX-License-Identifier: Apache-2.0
"""The shares of a slice's weights that are below a score, against a count of its rows."""

from __future__ import annotations

import numpy as np
import pytest

from benison.data.batch import Array, Index, Inputs
from benison.metrics.statistics.binary import BinaryRows
from benison.metrics.statistics.pooled_scores import PooledScores
from benison.metrics.statistics.scale import bins_of
from benison.metrics.statistics.shares_below import shares_below
from benison.slicing.codes import SliceCodes


def counted(bins: Index, labels: Array, weights: Array, looked: Index, sides: Index) -> Array:
    """The share of the weights of each side's rows in lower bins, and half of those in the same one."""
    below = (bins[None] < looked[:, None]) + (bins[None] == looked[:, None]) / 2
    of_side = weights * (labels[None] == sides[:, None])
    return np.asarray((below * of_side).sum(axis=1) / of_side.sum(axis=1))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("slices", "rows"), [(1, 9_000), (7, 3_000), (90, 60)])
def test_shares_are_those_of_the_rows(slices: int, rows: int, weighted: bool) -> None:
    rng, n = np.random.default_rng(slices), slices * rows
    labels, of = rng.integers(0, 2, n).astype(np.float64), np.repeat(np.arange(slices), rows)
    scores = rng.random(n)
    scores[::17] *= 1e-6  # on pages with so few rows that the table lacks them
    scores[5::31] = 40 * scores[5::31] - 20
    weights = rng.integers(1, 5, n).astype(np.float64) if weighted else None
    codes = SliceCodes.of(of, slices)
    binary = BinaryRows.of(Inputs(labels, scores, weights), codes)
    pooled = PooledScores.for_rows(np.arange(slices), [binary]).add(binary)
    at = np.sort(rng.choice(n, 500))
    looked = np.where(rng.random(500) < 0.1, 1e9, scores[at])  # above all rows too
    sides = rng.integers(0, 2, 500)
    shares = shares_below(pooled, of[at], looked, sides)
    every = np.ones(n) if weights is None else weights
    for i in np.unique(of[at]):
        own, asked = of == i, of[at] == i
        rows_of = bins_of(scores[own]), labels[own], every[own]
        expected = counted(*rows_of, bins_of(looked[asked]), sides[asked])
        assert shares[asked] == pytest.approx(expected, abs=1e-12)
