# SPDX-License-Identifier: Apache-2.0
"""Data of which it is known in which slices losses are larger, drawn as states of cells."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from benison.data.mixing import mixed
from benison.weak_slices.cell_sums import CellSums
from benison.weak_slices.layout import Layout
from benison.weak_slices.pursuit import Candidate

SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 20, 25)
SLICES: tuple[tuple[dict[int, int], float], ...] = (
    ({8: 3}, 0.15),
    ({5: 2, 6: 4}, 0.20),
    ({3: 1, 7: 5}, 0.25),
    ({2: 2, 9: 1}, 0.30),
    ({1: 1, 4: 1, 6: 4}, 0.30),
)
"""Slices of 1, 2 and 3 features, counted from code 0 of the draws, and what they add to the error rate."""
BASE = 0.10
CHURN = 0.03
"""The share of rows on which just one of two equal models errs."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Rows as they reach the cells; codes start at 1. `rates` are the true mean losses of the rows."""

    codes: npt.NDArray[np.int16]
    losses: npt.NDArray[np.float64]
    rates: npt.NDArray[np.float64]
    levels: tuple[int, int] | None
    hashes: npt.NDArray[np.uint64]

    def state(self, depth: int = 3) -> CellSums:
        """The sums of all rows."""
        layout = Layout.of(tuple(int(c.max()) + 1 for c in self.codes), depth)
        zero = CellSums.zero(layout, self.levels)
        return zero.add(self.hashes, self.codes, self.losses, np.abs(self.losses))

    def rows_of(self, candidate: Candidate) -> npt.NDArray[np.bool_]:
        """Which rows are in a slice."""
        return np.asarray(
            np.all([self.codes[f] == code for f, code in candidate.pairs.items()], axis=0)
        )


def draw(
    seed: int,
    rows: int = 100_000,
    effect: float = 1.0,
    correlated: bool = False,
    loss: str = "decision",
    sizes: tuple[int, ...] = SIZES,
) -> Drawn:
    """Rows with the planted slices; `effect` scales what these add, 0 for data without any."""
    rng = np.random.default_rng(seed)
    codes = np.stack([_values(rng, size, rows) for size in sizes])
    if correlated:  # half of the rows of one feature follow another
        for follower, leader in ((5, 4), (7, 6), (9, 8)):
            follows = rng.random(rows) < 0.5
            codes[follower] = np.where(follows, codes[leader] % sizes[follower], codes[follower])
    added = np.zeros(rows)
    for pairs, more in SLICES if effect else ():
        within = np.all([codes[f] == code for f, code in pairs.items()], axis=0)
        added[within] += effect * more
    losses, rates, levels = _losses(rng, np.minimum(added, 0.6), loss)
    numbers = np.arange(rows, dtype=np.uint64) + np.uint64(seed * 2**33)
    return Drawn(codes + 1, losses, rates, levels, mixed(numbers))


def _values(rng: np.random.Generator, size: int, rows: int) -> npt.NDArray[np.int16]:
    """Values of which the later ones are somewhat rarer."""
    shares = 1 / np.sqrt(np.arange(1, size + 1))
    return rng.choice(size, rows, p=shares / shares.sum()).astype(np.int16)


def _losses(
    rng: np.random.Generator, added: npt.NDArray[np.float64], loss: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[int, int] | None]:
    rows = len(added)
    if loss == "decision":
        return (rng.random(rows) < BASE + added).astype(float), BASE + added, (0, 1)
    if loss == "change":
        drawn = rng.random(rows)
        worse = drawn < CHURN / 2 + added
        better = drawn > 1 - CHURN / 2
        return worse.astype(float) - better, added, (-1, 1)
    # Squared errors are skewed; their mean is 1 and their standard deviation 1.4.
    return rng.normal(size=rows) ** 2 * (1 + 5 * added), 1 + 5 * added, None
