# SPDX-License-Identifier: Apache-2.0
"""Measures how often gates err, on drawn counts: equal models refused, worse models blessed, falls missed.

    python -m tests.statistics.gates 20000

Every run draws the rows of S slices on which exactly one of two models is right, and judges them as a verdict
does. What must hold is held against the limit of the share of runs that is exceeded with 1 % chance.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

import numpy as np
from scipy import stats

from benison.data.batch import Array
from benison.evidence.correction import holm
from benison.evidence.spread import PairedShares, Share, Skewed

ALPHA = 0.05
MOST = 0.06
"""The most that the upper limit of an error may be."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """How often something happened in so many runs."""

    name: str
    hits: int
    runs: int

    def limit(self, is_upper: bool) -> float:
        """The 99 % limit of the share, after Clopper and Pearson."""
        side = "less" if is_upper else "greater"
        interval = stats.binomtest(self.hits, self.runs, alternative=side).proportion_ci(0.99)
        return float(interval.high if is_upper else interval.low)

    def __str__(self) -> str:
        return f"{self.name:62} {self.hits / self.runs:7.4f} [{self.limit(False):.4f}, {self.limit(True):.4f}]"


def sizes(slices: int, seed: int = 0) -> Array:
    """Rows of slices, from 30 to 12,000, many small and few large."""
    rng = np.random.default_rng(seed)
    return np.floor(np.exp(rng.uniform(np.log(30), np.log(12_000), slices)))


def _discordant(
    rng: np.random.Generator, rows: Array, churn: float, fall: Array | float
) -> PairedShares:
    """Rows that one of two models has right, where the candidate is worse by `fall`."""
    lost = (churn + fall) / 2
    drawn = rng.binomial(rows.astype(int), lost)
    won = rng.binomial(rows.astype(int) - drawn, (churn - fall) / 2 / (1 - lost))
    return PairedShares(won.astype(float), drawn.astype(float), rows)


def _family_errors(slices: int, churn: float, runs: int, bound: float) -> Measured:
    """Runs in which a model at its bound is refused somewhere, with Holm's correction."""
    rng, rows = np.random.default_rng(slices), sizes(slices)
    hits = 0
    for _ in range(runs):
        p = _discordant(rng, rows, churn, -bound).p_below(bound)
        hits += bool((holm(p) <= ALPHA).any())
    return Measured(
        f"refused at the bound {bound:g}, {slices:,} slices, churn {churn:g}", hits, runs
    )


def _falsely_blessed(rows: int, churn: float, bound: float, runs: int) -> Measured:
    """Models that are as bad as is no longer allowed, and are shown not to be worse."""
    rng = np.random.default_rng(rows)
    drawn = _discordant(rng, np.full(runs, float(rows)), churn, -bound)
    hits = int((drawn.p_above(bound) <= ALPHA).sum())
    return Measured(f"blessed at the bound {bound:g}, {rows:,} rows, churn {churn:g}", hits, runs)


def _share_at_bound(rows: int, share: float, runs: int) -> Measured:
    """Shares that are at their bound and are shown to be above it."""
    rng = np.random.default_rng(rows)
    drawn = Share(rng.binomial(rows, share, runs).astype(float), np.full(runs, float(rows)))
    return Measured(
        f"share shown above its bound {share:g}, {rows:,} rows",
        int((drawn.p_above(share) <= ALPHA).sum()),
        runs,
    )


def _skewed_losses(rows: int, runs: int) -> Measured:
    """Means of skewed changes of a loss at their bound, shown to be below it."""
    rng = np.random.default_rng(rows)
    values = rng.exponential(size=(runs, rows))
    mean, deviation = values.mean(1), values.std(1, ddof=1)
    third = ((values - mean[:, None]) ** 3).mean(1) / values.std(1) ** 3
    spread = Skewed(
        mean, deviation / np.sqrt(rows), np.full(runs, rows - 1.0), skew=third / np.sqrt(rows)
    )
    hits = int((spread.p_below(1.0) <= ALPHA).sum())
    return Measured(f"skewed loss shown below its bound, {rows:,} rows", hits, runs)


def _fall_detected(churn: float, runs: int, slices: int = 100) -> Measured:
    """Falls of 2 points in a slice of 2,500 rows that are refused among equal slices."""
    rng, rows = np.random.default_rng(int(churn * 100)), sizes(slices)
    rows[0] = 2500
    falls = np.zeros(slices)
    falls[0] = 0.02
    hits = 0
    for _ in range(runs):
        p = _discordant(rng, rows, churn, falls).p_below(0.0)
        hits += bool(holm(p)[0] <= ALPHA)
    return Measured(f"fall of 2 points is refused, {slices} slices, churn {churn:g}", hits, runs)


def errors(runs: int) -> Iterator[Measured]:
    """The shares of errors, each of which must be at most `MOST`, by its upper limit."""
    for slices in (100, 1_000):
        yield _family_errors(slices, 0.06, max(runs * 100 // slices, 1), 0.0)
        yield _family_errors(slices, 0.06, max(runs * 100 // slices, 1), -0.01)
    for rows in (30, 200, 1_000):
        yield _falsely_blessed(rows, 0.06, -0.01, runs)
        yield _falsely_blessed(rows, 0.06, -0.05, runs)
        yield _share_at_bound(rows, 0.97, runs)
    for rows in (30, 300):
        yield _skewed_losses(rows, runs)


def powers(runs: int) -> Iterator[tuple[Measured, float]]:
    """The shares of falls that are refused, each with the least that it must be."""
    yield _fall_detected(0.06, runs), 0.77
    yield _fall_detected(0.03, runs), 0.99


def main(runs: int) -> int:
    """Print a line for each measurement; 1 if one does not hold."""
    failed = 0
    for each in errors(runs):
        holds = each.limit(is_upper=True) <= MOST
        failed |= not holds
        print(each, "" if holds else f"is more than {MOST}", flush=True)
    for each, least in powers(max(runs // 2, 1)):
        holds = each.hits / each.runs >= least
        failed |= not holds
        print(each, "" if holds else f"is less than {least}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
