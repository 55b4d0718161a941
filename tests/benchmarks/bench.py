# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Benison beside TFMA, Fairlearn, Polars and DuckDB on one task, as ratios.

Task: taxi-like Parquet files; example count, AUC of 10,000 bins, accuracy, precision, recall, mean label
and mean prediction; overall and by hour, payment type and company (147 slices). Each contestant is a process
of its own, so that peak memory and start-up are its own. The contestants' numbers must agree.

    make bench                       1 and 10 million rows; some minutes
    make bench ARGS="--rows 1000000 --skip-slow"
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / ".bench"
SLOW_ROWS = {
    "tfma": 100_000,
    "fairlearn": 1_000_000,
}  # more would take minutes; their rates are flat
MODEL_ROWS, BEAM_ROWS = 500_000, 4_000_000
PAYMENTS, COMPANIES = 8, 114
TOLERANCE = {"auc": 2e-4}  # the hand-written queries bin a little differently at the edges


def generate(rows: int, companies: int = COMPANIES) -> Path:
    """A Parquet file of trips, made once and kept."""
    path = FOLDER / f"trips-{rows}-{companies}.parquet"
    if path.exists():
        return path
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    partial = path.with_suffix(".partial")
    names = pa.array([f"company {i}" for i in range(companies)])
    payments = pa.array([f"payment {i}" for i in range(PAYMENTS)])
    writer = None
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        label = rng.integers(0, 2, n).astype(np.float64)
        columns = {
            "label": label,
            "prediction": np.clip(0.25 * label + 0.75 * rng.random(n), 0, 1),
            "hour": rng.integers(0, 24, n),
            "payment": payments.take(pa.array(rng.integers(0, PAYMENTS, n))),
            "company": names.take(pa.array(rng.integers(0, companies, n))),
        }
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(partial, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return partial.rename(path)


def measure(script: str, *arguments: object) -> dict[str, Any]:
    """What a script reports of itself, with its wall time from the outside."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.monotonic() - started
    if done.returncode:
        raise SystemExit(f"{arguments[0]} failed:\n{done.stderr[-2000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": wall}


def run(contestant: str, path: Path) -> dict[str, Any]:
    """What a contestant reports of itself."""
    return measure("contestants.py", contestant, path)


def check_agreement(contestant: str, actual: dict[str, Any], ours: dict[str, Any]) -> None:
    """Both must have computed the same thing."""
    for name, value in actual["values"].items():
        if abs(value - ours["values"][name]) > TOLERANCE.get(name, 1e-6):
            raise SystemExit(f"{contestant} has {name} {value}, Benison {ours['values'][name]}.")


def compare(rows: int, contestants: list[str], console: Console) -> None:
    """One table of ratios."""
    table = Table(
        title=f"{rows:,} rows, 147 slices, Parquet on disk to results", title_justify="left"
    )
    for column in ("who", "rows", "seconds", "rows/s", "Benison faster by", "peak MB", "process s"):
        table.add_column(column, justify="left" if column == "who" else "right")
    path = generate(rows)
    run("benison", path)  # the first run of anything pays for a cold disk
    ours = run("benison", path)
    for contestant in contestants:
        fewer = min(rows, SLOW_ROWS.get(contestant, rows))
        actual = ours if contestant == "benison" else run(contestant, generate(fewer))
        if contestant not in ("benison", "columns"):
            check_agreement(
                contestant, actual, ours if fewer == rows else run("benison", generate(fewer))
            )
        rate, our_rate = fewer / actual["seconds"], rows / ours["seconds"]
        numbers = (
            f"{fewer:,}",
            f"{actual['seconds']:.2f}",
            f"{rate:,.0f}",
            f"{our_rate / rate:,.2f} x",
        )
        table.add_row(contestant, *numbers, f"{actual['peak_mb']:,.0f}", f"{actual['wall']:.1f}")
    console.print(table)


def slices_cost(rows: int, console: Console) -> None:
    """One slice against 100,000."""
    table = Table(title=f"{rows:,} rows, cost of slices", title_justify="left")
    for column in ("slices", "seconds", "ratio", "peak MB"):
        table.add_column(column, justify="right")
    path = generate(rows, 100_000)
    base = run("benison-overall", path)
    for actual, slices in ((base, 1), (run("benison-company", path), 100_000)):
        ratio = actual["seconds"] / base["seconds"]
        table.add_row(
            f"{slices:,}", f"{actual['seconds']:.2f}", f"{ratio:.1f} x", f"{actual['peak_mb']:,.0f}"
        )
    console.print(table)


def intervals_cost(rows: int, console: Console) -> None:
    """What 95 % intervals of every metric on every slice cost."""
    path = generate(rows)
    base = run("benison", path)
    for method in ("jackknife", "bootstrap"):
        actual = run(f"benison-{method}", path)
        console.print(
            f"{rows:,} rows with {method} intervals: {actual['seconds']:.2f} s, "
            f"{actual['seconds'] / base['seconds']:.2f} x, {actual['peak_mb']:,.0f} MB"
        )


def families_cost(rows: int, console: Console) -> None:
    """What other metrics cost than the seven."""
    table = Table(title="families of metrics", title_justify="left")
    for column in ("family", "rows", "seconds", "rows/s", "beside", "seconds ", "ratio"):
        table.add_column(column, justify="left" if column in ("family", "beside") else "right")
    for family, count, seconds, beside, theirs in measure("families.py", generate(rows))["costs"]:
        rate = f"{count / seconds:,.0f}"
        numbers = (f"{count:,}", f"{seconds:.2f}", rate, beside, f"{theirs:.2f}")
        table.add_row(family, *numbers, f"{seconds / theirs:.2f} x")
    console.print(table)


def beside_models(rows: int, console: Console) -> None:
    """Evaluations that call a model, against a loop that only calls it."""
    table = Table(
        title=f"{rows:,} rows, network of 3 x 256 on 17 features: evaluation and bare loop",
        title_justify="left",
    )
    for column in ("model", "bare s", "in the model", "Benison s", "ratio"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for case in ("savedmodel-examples", "savedmodel-named", "onnx"):
        actual = measure("model_bound.py", case, FOLDER / "models", rows)
        share, ratio = (actual[a] / actual["bare"] for a in ("model", "benison"))
        numbers = (f"{actual['bare']:.2f}", f"{share:.0%}", f"{actual['benison']:.2f}")
        table.add_row(case, *numbers, f"{ratio:.2f} x")
    console.print(table)


def beam_workers(rows: int, console: Console) -> None:
    """Beam's direct runner with one process and with two, each with one thread for the model."""
    actual = measure("model_bound.py", "workers", FOLDER / "models", rows)
    start, first, two = (actual[name] for name in ("start", "1", "2"))
    console.print(
        f"{rows:,} rows through a SavedModel on Beam: {first:.1f} s with 1 worker, {two:.1f} s with 2, "
        f"{first / two:.2f} x; {(first - start) / (two - start):.2f} x beyond the {start:.1f} s of a start"
    )


def small(console: Console) -> None:
    """8,000 rows from process start to verdict, beside an import of the package alone."""
    path = generate(8_000)
    run("benison", path)
    console.print(f"8,000 rows, process start to verdict: {run('benison', path)['wall']:.2f} s")
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import benison"], check=True)
    console.print(f"import benison, whole process: {time.monotonic() - started:.2f} s")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--skip-slow", action="store_true", help="leave out TFMA and Fairlearn")
    parser.add_argument("--skip-models", action="store_true", help="leave out TensorFlow and ONNX")
    parser.add_argument("--beam", action="store_true", help="add Beam with 1 and 2 workers")
    options = parser.parse_args()
    console = Console(width=120)
    slow = [] if options.skip_slow else ["fairlearn", "tfma"]
    small(console)
    for rows in options.rows:
        compare(rows, ["benison", "columns", "polars", "duckdb", *slow], console)
    slices_cost(max(options.rows), console)
    intervals_cost(max(options.rows), console)
    families_cost(min(options.rows), console)
    if not options.skip_models:
        beside_models(MODEL_ROWS, console)
    if options.beam:
        beam_workers(BEAM_ROWS, console)


if __name__ == "__main__":
    main()
