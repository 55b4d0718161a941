# SPDX-License-Identifier: Apache-2.0
"""Measures how often 95 % intervals hold the true value, of metrics of a model and of changes of two.

    python -m tests.statistics.coverage 4000

Every run is a slice of its own of one table, so that all runs are evaluated at once. The true values are those
of many more rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from benison.data.batch import Array, Inputs
from benison.evidence.choice import estimator_of
from benison.evidence.estimators import Estimator
from benison.evidence.paired_spread import Paired
from benison.metrics import from_config
from benison.slicing.codes import SliceCodes
from tests.statistics.measured import Measured, script, tell

CLASSES = ("BinaryAccuracy", "F1Score", "BinaryCrossentropy", "AUC", "Calibration")
NUMBERS = (
    "MeanSquaredError",
    "R2Score",
    "PearsonCorrelation",
    "SquaredPearsonCorrelation",
    "SpearmanCorrelation",
    "KendallTau",
)
LEAST, MOST = 0.93, 0.97
_TRUE_ROWS = 1_000_000


def of_classes(rng: np.random.Generator, rows: int) -> Inputs:
    """Labels of which three in ten are positive, and probabilities of two models."""
    chances = rng.beta(1.2, 2.8, rows)
    labels = (rng.random(rows) < chances).astype(float)
    return _both(rng, labels, np.clip(chances + rng.normal(0, 0.1, (2, rows)), 0.02, 0.98))


def of_numbers(rng: np.random.Generator, rows: int) -> Inputs:
    """Skewed labels, and predictions of two models, of which the baseline errs more."""
    known = rng.normal(size=rows)
    labels = known + 0.4 * rng.exponential(size=rows)
    errors = rng.normal(0, (0.5, 0.6), (rows, 2)).T + rng.normal(0, 0.3, rows)
    return _both(rng, labels, known + errors)


def _both(rng: np.random.Generator, labels: Array, predictions: Array) -> Inputs:
    numbers = rng.integers(0, 2**63, len(labels), dtype=np.uint64)
    own, other = predictions
    return Inputs(labels, own, baseline=other, batch_numbers=numbers)


def compared(name: str, rows: Inputs, slices: int, weighted: bool = False) -> Paired:
    """What slices of equally many rows say of a metric of both models."""
    known = estimator_of(from_config(name, {}), paired=True, weighted=weighted)
    assert known is not None
    return known.compared(*_states(known, rows, slices))


def _states(known: Estimator, rows: Inputs, slices: int) -> list[Any]:
    codes = SliceCodes.of(np.arange(len(rows)) % slices, slices)
    own = dataclasses.replace(rows, baseline=None)
    other = dataclasses.replace(own, predictions=rows.baseline)
    states = [statistic.add(rows, codes) for statistic in known.statistics()]
    return states + [s.add(side, codes) for side in (own, other) for s in known.alone()]


def true_values(name: str, rows: Inputs) -> tuple[float, float]:
    """The value of the candidate, and the change."""
    metric = from_config(name, {})
    own, other = (
        float(metric.of(dataclasses.replace(rows, predictions=of, baseline=None)))
        for of in (rows.predictions, rows.baseline)
    )
    return own, own - other


def coverages(runs: int, rows: int = 200, true_rows: int = _TRUE_ROWS) -> Iterator[Measured]:
    """How often the intervals of each metric hold the true value, and those of changes the true change."""
    for names, draw in ((CLASSES, of_classes), (NUMBERS, of_numbers)):
        rng = np.random.default_rng(rows)
        many, drawn = draw(rng, true_rows), draw(rng, rows * runs)
        for name in names:
            paired = compared(name, drawn, runs)
            truths = true_values(name, many)
            for kind, spread, true in zip(
                ("value", "change"), (paired.candidate, paired.change), truths, strict=True
            ):
                lower, upper = spread.limits(0.025)
                hits = int(((lower <= true) & (true <= upper)).sum())
                yield Measured(f"{name}, {kind}, {rows:,} rows", hits, runs)


def error_of_delong(seed: int, rows: int = 10_000) -> float:
    """By which share the error of a change of AUC differs from DeLong's, which is of all pairs of rows."""
    drawn = of_classes(np.random.default_rng(seed), rows)
    placed = []
    for scores in (drawn.predictions, drawn.baseline):
        ranks = stats.rankdata(scores)
        own = np.zeros(rows)
        for side in (0, 1):
            own[drawn.labels == side] = stats.rankdata(scores[drawn.labels == side])
        others = np.where(drawn.labels == 1, (drawn.labels == 0).sum(), (drawn.labels == 1).sum())
        placed.append((ranks - own) / others)
    apart = placed[0] - placed[1]
    exact = sum(apart[of].var(ddof=1) / of.sum() for of in (drawn.labels == 0, drawn.labels == 1))
    error = compared("AUC", drawn, 1).change.std_error[0]
    return abs(float(error) / float(exact) ** 0.5 - 1)


def main(runs: int) -> int:
    """Print a line for each measurement; 1 if one does not hold."""
    failed = 0
    for rows in (200, 1_000):
        for each in coverages(runs, rows):
            holds = LEAST <= each.hits / each.runs <= MOST
            failed |= tell(each, f"from {LEAST} to {MOST}", holds)
    worst = max(error_of_delong(seed) for seed in range(max(runs // 200, 1)))
    text = f"{'the error of a change of AUC, 10,000 rows, is off by at most':62} {worst:7.4f}"
    failed |= tell(text, "at most 0.01", worst <= 0.01)  # noqa: PLR2004
    return int(failed)


if __name__ == "__main__":
    script(main, 4_000)
