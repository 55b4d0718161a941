# SPDX-License-Identifier: Apache-2.0
"""Measures how often intervals of estimates without labels hold what the labels then show.

    python -m tests.statistics.estimates 400

Rows are drawn from a world in which the features shift and the relation of score and label does not, with
scores that are not calibrated; the share of 95 % intervals that hold is to be between 93 and 97 %. With few
labels the relation changes too, and intervals are of the true value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from sklearn import metrics

from benison.data.batch import Array
from benison.estimation import estimate, prediction_powered_mean
from tests.statistics.coverage import LEAST, MOST
from tests.statistics.measured import Measured, script, tell_within

OF_SKLEARN = {
    "binary_accuracy": lambda y, s: metrics.accuracy_score(y, s > 0.5),
    "auc": metrics.roc_auc_score,
    "precision": lambda y, s: metrics.precision_score(y, s > 0.5),
    "recall": lambda y, s: metrics.recall_score(y, s > 0.5),
    "f1_score": lambda y, s: metrics.f1_score(y, s > 0.5),
}


def drawn(
    rng: np.random.Generator, rows: int, shift: float = 0.0, concept: float = 0.0
) -> tuple[Array, Array]:
    """Labels and scores; the score is too sure of itself, and off by a constant."""
    x = rng.normal(shift, 1.5, rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-x - concept))).astype(np.float64)
    return labels, 1 / (1 + np.exp(0.5 - 1.7 * x))


def covered(
    rng: np.random.Generator, reference: int, rows: int, shift: float, labels: int = 0
) -> dict[str, bool]:
    """For each metric whether its interval holds what it should in one draw."""
    before = pa.table(dict(zip(("label", "score"), drawn(rng, reference), strict=True)))
    concept = 1.0 if labels else 0.0
    y, s = drawn(rng, rows, shift, concept)
    known = np.where(np.arange(rows) < labels, y, np.nan)
    now = pa.table({"label": pa.array(known, from_pandas=True), "score": s})
    truth = (y, s) if not labels else drawn(np.random.default_rng(0), 1_000_000, shift, concept)
    report = estimate(before, now, label="label", prediction="score")
    return {
        each.metric.removeprefix("estimated_"): each.lower
        <= OF_SKLEARN[each.metric.removeprefix("estimated_")](*truth)
        <= each.upper
        for each in report.estimates
        if not labels or each.method == "prediction_powered"
    }


def shares(runs: int, *of: float, seed: int = 0, labels: int = 0) -> Mapping[str, float]:
    """The share of runs in which each interval holds."""
    rng, hits = np.random.default_rng(seed), Counter[str]()
    reference, rows, shift = of
    for _ in range(runs):
        hits.update(
            k for k, hit in covered(rng, int(reference), int(rows), shift, labels).items() if hit
        )
    return {name: count / runs for name, count in hits.items()}


def powered(runs: int, labels: int = 300, judged: int = 20_000) -> tuple[float, float, float]:
    """The share of runs whose interval of a mean holds, its mean width, and that of the labels alone."""
    rng, hits, widths, alone = np.random.default_rng(1), 0, 0.0, 0.0
    for _ in range(runs):
        right = (rng.random(labels + judged) < 0.7).astype(np.float64)
        judge = np.clip(0.5 * right + 0.45 + rng.normal(0, 0.25, len(right)), 0, 1)
        mean = prediction_powered_mean(right[:labels], judge[:labels], judge[labels:])
        hits += mean.lower <= 0.7 <= mean.upper
        widths += (mean.upper - mean.lower) / runs
        alone += 2 * 1.968 * float(right[:labels].std(ddof=1)) / labels**0.5 / runs
    return hits / runs, widths, alone


def main(runs: int) -> int:
    """Print a line for each measurement; 1 if one does not hold."""
    failed = 0
    worlds = (
        (50_000, 2_000, 0.8),
        (50_000, 5_000, -0.8),
        (50_000, 300, 0.5),
        (20_000, 1_000, 0.8),
        (20_000, 1_000, -0.8),
        (2_000, 1_000, 0.5),
    )
    # With one seed for all of them, what is rare in one is rare in the others too.
    for seed, of in enumerate(worlds):
        about = f"{of[0]:,} rows before, {of[1]:,} now, shift {of[2]:+g}"
        failed |= _tell(about, shares(runs, *of, seed=seed), runs)
    few = shares(runs, 20_000, 20_300, 0.5, labels=300)
    failed |= _tell("300 labels, the relation changed", few, runs)
    held, width, alone = powered(runs)
    failed |= _tell("300 labels, 20,000 judged", {"mean": held}, runs)
    print(f"its width {width:.3f}, that of the labels alone {alone:.3f}")
    return int(failed)


def _tell(about: str, held: Mapping[str, float], runs: int) -> bool:
    each = (Measured(f"{name}, {about}", round(s * runs), runs) for name, s in held.items())
    return any([tell_within(measured, LEAST, MOST) for measured in each])


if __name__ == "__main__":
    script(main, 400)
