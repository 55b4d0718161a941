# SPDX-License-Identifier: Apache-2.0
"""`make growth`: fits what an evaluation costs to some runs, and holds it against others.

The model is a sum: what a process takes, what a row takes and each metric of it, what a slice takes and each
metric of it, in seconds of processor time and in megabytes; and what it takes to merge the states of two
workers. It is fitted without negative parts to the runs of `FITTED`, by relative errors, and checked on those
of `CHECKED`, which are larger. `docs/growth.svg` is drawn of both.

    make growth                     some minutes
    make growth ARGS="--rows 10000000000 --slices 10000000 --workers 200"
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tests.benchmarks.peak import peak_mb

ROOT = Path(__file__).resolve().parents[2]
METRICS = ("ExampleCount", "MeanLabel", "MeanPrediction", "BinaryAccuracy", "Precision", "Recall")
PARTS = ("process", "row", "metric of a row", "slice", "metric of a slice")


class Run(NamedTuple):
    """How much is evaluated."""

    rows: int
    slices: int
    metrics: int

    @property
    def parts(self) -> tuple[float, ...]:
        """How often each of `PARTS` is there."""
        rows, slices, metrics = self
        return 1.0, rows, rows * metrics, slices, slices * metrics


FITTED = [
    Run(10_000, 10, 1),
    Run(10_000, 10, 6),
    Run(1_000_000, 10, 1),
    Run(1_000_000, 10, 6),
    Run(100_000, 30_000, 1),
    Run(100_000, 30_000, 6),
    Run(1_000_000, 100_000, 3),
]
CHECKED = [
    Run(100_000, 1_000, 3),
    Run(4_000_000, 100, 6),
    Run(2_000_000, 200_000, 2),
    Run(600_000, 300_000, 4),
]

READ_AHEAD = 2_000_000
"""Rows from which on memory no longer grows with them, as no more are in it at once."""

Parts = npt.NDArray[np.float64]


HELD: dict[str, Callable[[Run], Run]] = {
    "seconds": lambda run: run,
    "megabytes": lambda run: run._replace(rows=min(run.rows, READ_AHEAD)),
}
"""What of a run each figure depends on."""


def config_of(metrics: int) -> dict[str, Any]:
    """Some metrics, on all rows and on each store."""
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "score"}],
        "slicing_specs": [{}, {"feature_keys": ["store"]}],
        "metrics_specs": [{"metrics": [{"class_name": name} for name in METRICS[:metrics]]}],
        "options": {"confidence": "off"},
    }


def table_of(run: Run) -> pa.Table:
    """Labels, scores, and the store of each row."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, run.rows).astype(np.float64)
    store = rng.permutation(np.arange(run.rows) % run.slices)
    return pa.table({"label": label, "score": rng.random(run.rows), "store": store})


def measure_here(run: Run) -> dict[str, float]:
    """What a run takes in this process, beyond its imports, and what merging its states takes."""
    import benison

    config = config_of(run.metrics)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(table_of(run), path)
        benison.evaluate(table_of(Run(100, 2, 1)), config)
        started = time.process_time()
        benison.evaluate(str(path), config, output=Path(folder) / "out", threads=1)
        seconds = time.process_time() - started
    peak = peak_mb()
    return {"seconds": seconds, "megabytes": peak, "merge": _merging(run)}


def _merging(run: Run) -> float:
    """Seconds that two states of all slices take to become one."""
    from benison import EvalConfig, default_evaluators, default_extractors
    from benison.engine import local

    config = EvalConfig.load(config_of(run.metrics))
    (evaluator,) = default_evaluators(config)
    batches = table_of(run._replace(rows=run.slices)).to_batches()
    states = [local.run(batches, default_extractors(config), [evaluator])[0] for _ in range(2)]  # type: ignore[list-item]
    started = time.process_time()
    evaluator.merge(*states)  # type: ignore[union-attr]
    return time.process_time() - started


def measure(run: Run) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", "--run", *map(str, run)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def fitted(runs: Sequence[Run], figures: Sequence[float]) -> Parts:
    """What each of `PARTS` takes, none of it negative, with the least squares of relative errors."""
    from scipy.optimize import nnls

    weights = 1 / np.array(figures)
    matrix = np.array([run.parts for run in runs]) * weights[:, None]
    scale = matrix.max(axis=0)
    return np.asarray(nnls(matrix / scale, np.ones(len(runs)))[0] / scale)


def predicted(costs: Parts, run: Run) -> float:
    """What the model says of a run."""
    return float(costs @ np.array(run.parts))


def plan(seconds: Parts, megabytes: Parts, merge: float, run: Run, workers: int) -> Iterator[str]:
    """Sentences on a run that is spread over workers of one core each."""
    rows = run._replace(rows=run.rows // workers, slices=0)
    at_once = min(run.slices, run.rows // workers)
    states = at_once * run.metrics * merge
    last = predicted(seconds, run._replace(rows=0))
    held = predicted(megabytes, run._replace(rows=0, slices=at_once)) / 1024
    driver = predicted(megabytes, run._replace(rows=0)) / 1024
    yield f"{run.rows:,} rows, {run.slices:,} slices, {run.metrics} metrics, {workers} workers of a core"
    yield f"  rows: {predicted(seconds, rows):,.0f} s on each worker, which then holds at most {held:,.1f} GB"
    yield f"  merging: {states:,.0f} s on each worker, for its share of the slices from all others"
    yield f"  judging and writing: {last:,.0f} s and {driver:,.1f} GB in one process"


def chart(points: Sequence[tuple[str, float, float]]) -> str:
    """An SVG of measured seconds against those of the model, on scales of powers of ten."""
    low, high = -2, 2
    at = lambda x: 60 + 360 * (min(max(math.log10(x), low), high) - low) / (high - low)  # noqa: E731
    marks = [
        f'<circle class="{kind}" cx="{at(model):.1f}" cy="{440 - at(actual):.1f}" r="5"/>'
        for kind, model, actual in points
    ]
    ticks = [
        f'<text x="{at(10.0**p):.0f}" y="400" text-anchor="middle">{10.0**p:g}</text>'
        f'<text x="50" y="{444 - at(10.0**p):.0f}" text-anchor="end">{10.0**p:g}</text>'
        for p in range(low, high + 1)
    ]
    return "\n".join((_HEAD, *ticks, *marks, "</svg>\n"))


_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 460 440" width="460" font-family="sans-serif" font-size="12">
<style>.fitted{fill:none;stroke:#00796b;stroke-width:2}.checked{fill:#d84315}text{fill:#666}</style>
<path d="M60 380L420 20M60 20V380H420" fill="none" stroke="#999"/>
<text x="240" y="430" text-anchor="middle">seconds of a core, by the model</text>
<text x="16" y="200" text-anchor="middle" transform="rotate(-90 16 200)">measured</text>
<text x="80" y="40">ring: fitted, dot: checked, line: equal</text>"""


def report(target: Run, workers: int) -> None:
    """Measure, fit, check, draw, and print a plan."""
    made = {run: measure(run) for run in (*FITTED, *CHECKED)}
    costs = {
        name: fitted(list(map(HELD[name], FITTED)), [made[run][name] for run in FITTED])
        for name in HELD
    }
    for name, unit, factor in (("seconds", "µs", 1e6), ("megabytes", "bytes", 2**20)):
        pairs = zip(PARTS, costs[name], strict=True)
        print(", ".join(f"{part} {cost * factor:,.3g} {unit}" for part, cost in pairs))
    merge = float(np.median([made[r]["merge"] / r.slices / r.metrics for r in CHECKED[2:]]))
    print(f"merging {merge * 1e6:.3g} µs a metric of a slice")
    points = []
    for run, figures in made.items():
        model = predicted(costs["seconds"], run)
        size = predicted(costs["megabytes"], HELD["megabytes"](run))
        kind = "fitted" if run in FITTED else "checked"
        points.append((kind, model, figures["seconds"]))
        print(
            f"{kind:8}{run.rows:>11,} rows{run.slices:>9,} slices{run.metrics:>3} metrics:", end=""
        )
        print(f" {figures['seconds']:.2f} s, model {model:.2f};", end="")
        print(f" {figures['megabytes']:.0f} MB, model {size:.0f}")
    (ROOT / "docs" / "growth.svg").write_text(chart(points), encoding="utf-8")
    print(*plan(costs["seconds"], costs["megabytes"], merge, target, workers), sep="\n")


def main() -> None:
    """Measure one run, or all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", nargs=3, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=10_000_000_000)
    parser.add_argument("--slices", type=int, default=10_000_000)
    parser.add_argument("--metrics", type=int, default=len(METRICS))
    parser.add_argument("--workers", type=int, default=100)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(measure_here(Run(*options.run))))
    else:
        report(Run(options.rows, options.slices, options.metrics), options.workers)


if __name__ == "__main__":
    main()
