# SPDX-License-Identifier: Apache-2.0
"""Measures how often a comparison of 30 columns calls something drift that did not drift.

    python -m tests.statistics.drift_alarms 2000

Rows of both data sets are drawn in cells: half of the columns are numbers in ten cells, half are texts of 100
values, few of them frequent. Nothing drifts; or every column is as far apart as its threshold bears, which is
the worst that must not be called drift. The share of comparisons with an alarm is to be at most 1 %.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import optimize

from benison.data.batch import Array
from benison.drift.distances import DISTANCES, Distance, Measure
from benison.drift.profiles import CellRows
from benison.evidence.correction import holm
from tests.statistics.measured import Measured, script, tell_within

COLUMNS = 30
SIZES = (200, 1_000, 10_000, 1_000_000)
LEVEL = 0.99


def shares() -> list[Array]:
    """The share of rows in each cell of each column of the reference."""
    frequent = 1 / np.arange(1, 101)
    return [np.full(10, 0.1), frequent / frequent.sum()] * (COLUMNS // 2)


def apart(p: Array, distance: Measure, by: float) -> Array:
    """Shares that are so far from others: each second cell has more, or for largest differences the first."""
    odd = np.where(np.arange(len(p)) % 2, 1.0, -1.0)
    if not isinstance(distance, Distance):
        odd = np.append(1.0, np.zeros(len(p) - 1))

    def tilted(strength: float) -> Array:
        weights = p * np.exp(strength * odd)
        return np.asarray(weights / weights.sum())

    root = optimize.brentq(lambda x: distance.of(p, tilted(x)) - by, 0, 5)
    return tilted(root)


def comparisons(
    measure: str, rows: int, runs: int, at_threshold: bool, seed: int = 0
) -> Iterator[bool]:
    """For each comparison whether it has an alarm."""
    rng, distance = np.random.default_rng(seed), DISTANCES[measure]
    before = shares()
    now = [apart(p, distance, distance.threshold) for p in before] if at_threshold else before
    for _ in range(runs):
        p_values = [
            _p_value(distance, rng.multinomial(rows, p), rng.multinomial(rows, q))
            for p, q in zip(before, now, strict=True)
        ]
        yield bool((holm(np.array(p_values)) <= 1 - LEVEL).any())


def _p_value(distance: Measure, before: Array, now: Array) -> float:
    cells = CellRows([str(i) for i in range(len(before))], before, now).pooled(distance.least)
    totals = [int(of.sum()) for of in (cells.reference, cells.current)]
    h = 1 / totals[0] + 1 / totals[1]
    p, q = cells.reference / totals[0], cells.current / totals[1]
    return distance.p_value(p, q, h, distance.threshold)


def main(runs: int) -> int:
    """Print a line for each measurement; 1 if one does not hold."""
    failed = 0
    print(f"share of {runs:,} comparisons of {COLUMNS} columns that have an alarm")
    for measure in DISTANCES:
        for rows in SIZES:
            for at_threshold in (False, True):
                alarms = sum(comparisons(measure, rows, runs, at_threshold))
                what = "all at the threshold" if at_threshold else "nothing drifts"
                measured = Measured(f"{measure}, {rows:,} rows, {what}", alarms, runs)
                failed |= tell_within(measured, 0, 1 - LEVEL)
    return int(failed)


if __name__ == "__main__":
    script(main, 2000)
