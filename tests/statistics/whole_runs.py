# SPDX-License-Identifier: Apache-2.0
"""Measures how often whole evaluations of two equal models refuse one: `benison.evaluate` on data made anew.

    python -m tests.statistics.whole_runs 2000 --jobs 2

Every run draws rows of 100 slices, from 30 to 300 each, and two models that err alike, and asks for evidence
that the candidate is worse, in accuracy or in log-loss, in any slice. Rows are as they come, weighted, or three
of a user that are alike.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pyarrow as pa

import benison
from tests.statistics.measured import Measured, ended, tell_error

KINDS = ("unweighted", "weighted", "clustered")
SLICES = 100
_FEWEST, _MOST_ROWS = 30, 300
_METRICS = {"BinaryAccuracy": "HIGHER_IS_BETTER", "BinaryCrossentropy": "LOWER_IS_BETTER"}
_OF_USER = 3


def drawn(rng: np.random.Generator, kind: str, worse: float = 0.0) -> pa.Table:
    """Labels, and scores of two models, of which the new one errs by as much more."""
    exponents = rng.uniform(np.log(_FEWEST), np.log(_MOST_ROWS), SLICES)
    slices = np.repeat(np.arange(SLICES), np.exp(exponents).astype(int))
    rows = len(slices)
    users = np.arange(rows) // _OF_USER if kind == "clustered" else np.arange(rows)
    chances = rng.beta(1.2, 2.8, rows)[users]
    errors = rng.normal(0, 0.1, (2, rows))[:, users]
    new, old = np.clip(chances + errors * [[1 + worse], [1]], 0.02, 0.98)
    return pa.table(
        {
            "label": (rng.random(rows)[users] < chances).astype(float),
            "new": new,
            "old": old,
            "slice": slices,
            "user": users,
            "weight": rng.choice([1.0, 3.0], rows, p=[0.7, 0.3]),
        }
    )


def config(kind: str, evidence: str = "worse") -> dict[str, Any]:
    """No fall of either metric is allowed, in any slice."""
    specs: list[dict[str, Any]] = [
        {"name": name, "label_key": "label", "prediction_key": name} for name in ("new", "old")
    ]
    specs[1]["is_baseline"] = True
    if kind == "weighted":
        specs = [{**spec, "example_weight_key": "weight"} for spec in specs]
    metrics = [
        {
            "class_name": name,
            "threshold": {
                "change_threshold": {"absolute": 0, "direction": direction},
                "evidence": evidence,
            },
        }
        for name, direction in _METRICS.items()
    ]
    return {
        "model_specs": specs,
        "slicing_specs": [{"feature_keys": ["slice"]}],
        "metrics_specs": [{"metrics": metrics}],
        "options": {"confidence": {"cluster_key": "user"} if kind == "clustered" else {}},
    }


def is_refused(kind: str, seed: int, evidence: str = "worse", worse: float = 0.0) -> bool:
    """Whether one evaluation does not bless the candidate."""
    rows = drawn(np.random.default_rng((KINDS.index(kind), seed)), kind, worse)
    verdict = benison.evaluate(rows, config(kind, evidence)).verdict
    assert verdict.status in ("blessed", "not_blessed")
    assert len(verdict.checks) == SLICES * len(_METRICS)
    return verdict.status == "not_blessed"


def refusals(runs: int, jobs: int = 1) -> Iterator[Measured]:
    """How often equal models are refused, by each kind of rows."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for kind in KINDS:
            refused = pool.map(functools.partial(is_refused, kind), range(runs), chunksize=10)
            name = f"refused though equal, whole runs, {SLICES} slices, {kind}"
            yield Measured(name, sum(refused), runs)


def main(runs: int, jobs: int) -> int:
    """Print a line for each kind of rows; 1 if one does not hold."""
    return int(any([tell_error(each) for each in refusals(runs, jobs)]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=2_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    given = parser.parse_args()
    ended(main(given.runs, given.jobs))
