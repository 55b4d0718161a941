# SPDX-License-Identifier: Apache-2.0
"""Measures how often 95 % intervals of comparisons of two slices hold the true one, where these vary together.

    python -m tests.statistics.slice_coverage 4000

Every run has 100 users with four rows in either slice, and the slices share the users, who are right in both or
in one of them, or one slice is a part of the other; or rows are independent and in one slice each, of which
errors are known in closed form. All runs are evaluated at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from benison.data.batch import Array, Inputs
from benison.evidence.block_errors import BlocksEstimator
from benison.evidence.choice import estimator_of
from benison.evidence.estimators import Evidenced
from benison.evidence.slice_pairs import compared
from benison.evidence.spread import Spread
from benison.metrics import from_config
from benison.slicing.codes import SliceCodes
from tests.statistics.coverage import LEAST, MOST
from tests.statistics.measured import Measured, script, tell

METRICS = ("BinaryAccuracy", "F1Score", "MeanSquaredError")
ALIKE, OPPOSED, NESTED = "users alike in both", "users right in one", "a part of the other"
APART = "no row in both"
_USERS, _ROWS = 100, 4
_RIGHT = np.array([[0.75, 0.65], [0.70, 0.64]])
"""The share of right rows, of the candidate and the baseline, in either slice."""
_ALL = 400_000


def drawn(rng: np.random.Generator, users: int, kind: str) -> Inputs:
    """Rows of users, first those in the first slice; each user is right more or less often than others."""
    of_user = np.tile(np.repeat(np.arange(users), _ROWS), 2)
    second = np.repeat([0, 1], users * _ROWS)
    effect = rng.choice([-0.24, 0.24], users)[of_user] * (kind != APART)
    if kind != ALIKE:
        effect = np.where(second, -effect, effect)
    chances = _RIGHT[:, second] + effect
    is_right = rng.random(len(of_user)) < chances
    labels = (rng.random(len(of_user)) < 0.4).astype(float)
    sure = rng.uniform(0.55, 0.95, chances.shape)
    own, other = np.where(is_right == (labels == 1), sure, 1 - sure)
    return Inputs(labels, own, baseline=other, batch_numbers=of_user.astype(np.uint64))


def codes_of(rows: int, runs: int, kind: str) -> SliceCodes:
    """Two slices for each run: of rows in the order in which they are drawn, users of a run side by side."""
    half = rows // 2
    first = 2 * np.tile(np.arange(half) * runs // half, 2)
    if kind == NESTED:
        return SliceCodes(2 * runs, ((None, first), (np.arange(half, rows), first[half:] + 1)))
    return SliceCodes(2 * runs, ((None, first + np.repeat([0, 1], half)),))


def evidenced(name: str, rows: Inputs, codes: SliceCodes, kind: str) -> tuple[Evidenced, Evidenced]:
    """What the rows say of the difference and of the ratio of the two slices of each run."""
    pairs = np.arange(codes.size).reshape(-1, 2)
    if kind == APART:
        closed = estimator_of(from_config(name, {}), paired=True, weighted=False)
        assert closed is not None
        models = closed.compared(*(s.add(rows, codes) for s in closed.statistics()))
        return compared(Evidenced(models.candidate, models), pairs, np.ones(len(pairs), bool))
    known = BlocksEstimator(from_config(name, {}), paired=True)
    own = dataclasses.replace(rows, baseline=None)
    sides = (own, dataclasses.replace(own, predictions=rows.baseline))
    of_models = known.compared(*(s.add(side, codes) for side in sides for s in known.alone()))
    return compared(Evidenced(of_models.candidate, of_models), pairs, np.zeros(len(pairs), bool))


def spreads(name: str, rows: Inputs, codes: SliceCodes, kind: str) -> dict[str, Spread]:
    """By what is compared."""
    difference, ratio = evidenced(name, rows, codes, kind)
    assert difference.paired is not None
    assert ratio.paired is not None
    return {
        "difference": difference.value,
        "change of it": difference.paired.change,
        "ratio": ratio.value,
        "change of the ratio": ratio.paired.change,
        "what a tenth off the ratio is": ratio.paired.combined(0.9),
    }


def coverages(runs: int, all_users: int = _ALL) -> Iterator[Measured]:
    """How often the intervals of each metric and kind of slices hold the true values."""
    for kind in (ALIKE, OPPOSED, NESTED, APART):
        rng = np.random.default_rng(runs)
        many, rows = drawn(rng, all_users, kind), drawn(rng, _USERS * runs, kind)
        for name in METRICS:
            truths = spreads(name, many, codes_of(len(many), 1, kind), kind)
            codes = codes_of(len(rows), runs, kind)
            for what, spread in spreads(name, rows, codes, kind).items():
                hits = int(_holds(spread, truths[what].value).sum())
                yield Measured(f"{name}, {what}, {kind}", hits, runs)


def _holds(spread: Spread, true: Array) -> Array:
    lower, upper = spread.limits(0.025)
    return np.asarray((lower <= true) & (true <= upper))


def main(runs: int) -> int:
    """Print a line for each measurement; 1 if one does not hold."""
    failed = 0
    for each in coverages(runs):
        failed |= tell(each, f"from {LEAST} to {MOST}", LEAST <= each.hits / each.runs <= MOST)
    return int(failed)


if __name__ == "__main__":
    script(main, 4_000)
