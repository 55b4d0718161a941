# SPDX-License-Identifier: Apache-2.0
"""Measures how often gates err, on drawn counts: equal models refused, worse models blessed, falls missed.

    python -m tests.statistics.gates 20000

Every run draws the rows of S slices on which exactly one of two models is right, and judges them as a verdict
does. What must hold is held against the limit of the share of runs that is exceeded with 1 % chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benison.data.batch import Array
from benison.evidence.block_errors import Replicates, paired
from benison.evidence.blocks import BLOCKS
from benison.evidence.cell_errors import CellsEstimator
from benison.evidence.correction import holm
from benison.evidence.paired_cells import DECISIONS, CellCounts
from benison.evidence.paired_spread import Paired
from benison.evidence.skewed import Skewed, skew_of_means
from benison.evidence.spread import PairedShares, Share
from benison.metrics import from_config
from benison.metrics.statistics.cells import Cells
from tests.statistics.measured import Measured, script, tell, tell_error

ALPHA = 0.05
_FAILURES = 0.05
_AT_ONCE = 5_000
"""Slices of several runs that are drawn together, few enough for the caches of a processor."""


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


def _weighted(rng: np.random.Generator, rows: Array, churn: float, name: str) -> Paired:
    """What rows of which three in ten weigh 3, and the others 1, say of two equal models.

    One row in twenty is positive. Which weight a row has does not depend on who is right.
    """
    chances = np.zeros((2, DECISIONS, DECISIONS, 2))  # weight, candidate, baseline, label
    for label, share in enumerate((0.95, 0.05)):
        right, wrong = share * (0.9 - churn / 2), share * (0.1 - churn / 2)
        chances[:, label, label, label] = right
        chances[:, 1 - label, 1 - label, label] = wrong
        chances[:, label, 1 - label, label] = chances[:, 1 - label, label, label] = (
            share * churn / 2
        )
    chances *= np.array([0.7, 0.3]).reshape(2, 1, 1, 1)
    size, width = len(rows), 2 * DECISIONS**2
    counts = rng.multinomial(rows.astype(int), chances.ravel()).reshape(size, 2, width)
    sums, squares = ((counts * [[each[0]], [each[1]]]).sum(1) for each in ((1, 3), (1, 9)))
    cells = [Cells(size, width, of.astype(float).ravel(), None) for of in (sums, squares)]
    nothing = Cells(size, width // 2, np.zeros(size * width // 2), None)
    state = CellCounts(rows, cells[0], cells[1], nothing, np.ones(size))
    return CellsEstimator(from_config(name, {}), paired=True, weighted=True).compared(state)


def _clustered(rng: np.random.Generator, rows: Array, churn: float) -> Paired:
    """What two equal models say of the accuracy of rows of which those of a cluster are alike."""
    of_block = np.floor(rows / BLOCKS) + (rng.random((BLOCKS, len(rows))) < (rows / BLOCKS) % 1)
    # A cluster has three rows, and all of them go the same way.
    clusters = np.ceil(of_block / 3).astype(int)
    won = rng.binomial(clusters, churn / 2)
    lost = rng.binomial(clusters - won, churn / 2 / (1 - churn / 2))
    sides = [np.minimum(3.0 * (0.9 * clusters + x), of_block) for x in (won, lost)]
    own, other = (_without_each(hits, of_block) for hits in sides)
    return paired(own, other)


def _without_each(hits: Array, rows: Array) -> Replicates:
    """The share of hits, and that without each block."""
    value = hits.sum(0) / rows.sum(0)
    without = (hits.sum(0) - hits) / np.maximum(rows.sum(0) - rows, 1.0)
    return Replicates.of(value, without, rows > 0)


def _family_of(kind: str, slices: int, runs: int) -> Measured:
    """Runs in which one of two equal models is refused somewhere, by weighted or clustered rows."""
    rng, rows = np.random.default_rng(slices + 1), sizes(slices)
    hits = 0
    most = max(_AT_ONCE // slices, 1)
    for start in range(0, runs, most):
        count = min(most, runs - start)
        many = np.tile(rows, count)
        compared = (
            _clustered(rng, many, 0.06)
            if kind == "clustered"
            else _weighted(rng, many, 0.06, kind.removeprefix("weighted "))
        )
        p = np.nan_to_num(compared.change.p_below(0.0), nan=1.0).reshape(count, slices)
        hits += sum(bool((holm(of) <= ALPHA).any()) for of in p)
    return Measured(f"refused though equal, {slices:,} slices, {kind}", hits, runs)


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
    mean, error = values.mean(1), values.std(1, ddof=1) / np.sqrt(rows)
    third = ((values - mean[:, None]) ** 3).sum(1)
    many = np.full(runs, float(rows))
    spread = Skewed(mean, error, many - 1, skew=skew_of_means(third, many, error))
    hits = int((spread.p_below(1.0) <= ALPHA).sum())
    return Measured(f"skewed loss shown below its bound, {rows:,} rows", hits, runs)


def _families_of_means(
    name: str, draw: Callable[[np.random.Generator, int], Array], slices: int, runs: int
) -> Measured:
    """Runs in which one of two equal models is refused somewhere for a mean of what rows have long tails of."""
    rng = np.random.default_rng(slices + 2)
    rows = np.floor(np.exp(rng.uniform(np.log(30), np.log(300), slices)))
    starts = np.append(0, np.cumsum(rows.astype(int)))
    one, other = draw(rng, 100_000)
    changes, hits = np.append(one - other, other - one), 0
    for _ in range(runs):
        drawn = rng.choice(changes, starts[-1])
        powers = drawn, drawn * drawn, drawn * drawn * drawn
        sums = [np.add.reduceat(power, starts[:-1]) / rows for power in powers]
        mean = sums[0]
        variance = sums[1] - mean**2
        third = (sums[2] - 3 * mean * sums[1] + 2 * mean**3) * rows
        error = np.sqrt(variance / (rows - 1))
        spread = Skewed(mean, error, rows - 1, skew=skew_of_means(third, rows, error))
        hits += bool((holm(spread.p_above(0.0)) <= ALPHA).any())
    return Measured(f"refused though equal, {slices:,} slices, {name}", hits, runs)


def _losses(rng: np.random.Generator, rows: int) -> Array:
    """The log-loss of rows by two equal models, of which few are high: float64[2, rows]."""
    chances = rng.beta(1.2, 2.8, rows)
    right = np.clip(chances + rng.normal(0, 0.1, (2, rows)), 0.02, 0.98)
    right = np.where(rng.random(rows) < chances, right, 1 - right)
    return np.asarray(-np.log(right))


def _scores_near_one(rng: np.random.Generator, rows: int) -> Array:
    """Predictions of two equal models, of which few are low: float64[2, rows]."""
    return np.clip(rng.beta(20, 1, rows) + rng.normal(0, 0.02, (2, rows)), 0, 1)


def _scores_with_failures(rng: np.random.Generator, rows: int) -> Array:
    """Scores of two equal models that are nearly 1 but where one fails: float64[2, rows]."""
    fails, share = rng.random((2, rows)) < _FAILURES, rng.random((2, rows))
    return np.asarray(np.where(fails, share / 2, 1 - share / 20))


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


def errors(runs: int, of_many: int | None = None) -> Iterator[Measured]:
    """The shares of errors, each of which must be at most `MOST`, by its upper limit.

    Args:
        runs: How many of each.
        of_many: How many with 1,000 slices or more, which take longer; as many if it is not said.
    """
    few, several, many = 100, 1_000, 10_000
    for slices in (few, several, many):
        count = of_many if of_many and slices > few else runs
        yield _family_errors(slices, 0.06, count, 0.0)
        yield _family_of("weighted BinaryAccuracy", slices, count)
        yield _family_of("clustered", slices, count)
        yield _families_of_means("log-loss", _losses, slices, count)
        if slices < many:  # of which these would take long, and show nothing else
            yield _family_errors(slices, 0.06, count, -0.01)
            yield _family_of("weighted Recall", slices, count)
    yield _families_of_means("scores near 1", _scores_near_one, few, runs)
    yield _families_of_means("scores with few failures", _scores_with_failures, few, runs)
    yield _falsely_blessed(20, 0.2, -0.1, runs)  # as the recall of few positives
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
        failed |= tell_error(each)
    for each, least in powers(max(runs // 2, 1)):
        failed |= tell(each, f"at least {least}", each.hits / each.runs >= least)
    return int(failed)


if __name__ == "__main__":
    script(main, 20_000)
