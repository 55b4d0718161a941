# SPDX-License-Identifier: Apache-2.0
"""Weak slices beside other tools that look for them: `python -m tests.benchmarks.slice_finder_bench`.

Draws rows in which five slices are weak, lets each tool search them in a process of its own, and prints
processor time, peak memory, and how many of the five are among its first five and ten. The other tools do not
go with Benison's dependencies and are installed into .bench/slice-finders when they are not there. `scan` is
Benison's pass over the same columns without a search. Takes the number of rows, 100,000 when it is not given,
and the tools, all when none is.

    python -m tests.benchmarks.slice_finder_bench 10000000 scan benison
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv
from tests.benchmarks.bench import FOLDER, ROOT
from tests.benchmarks.slice_finders import TOOLS
from tests.statistics.planted import SLICES, draw

OTHERS = ("sliceline==0.3.0", "divexplorer==0.2.6", "pysubgroup==0.9.0", "pandas<3")
OURS = ("scan", "benison")
PLANTED = [{f"f{feature}": code + 1 for feature, code in pairs.items()} for pairs, _ in SLICES]


def environment() -> Path:
    """The Python that has the other tools."""
    folder = FOLDER / "slice-finders"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *OTHERS], check=True)
    return python


def write(rows: int, path: Path) -> None:
    data = draw(3, rows)
    columns: dict[str, Any] = {f"f{i}": codes for i, codes in enumerate(data.codes)}
    columns |= {"wrong": data.losses.astype(np.int64), "label": np.zeros(rows, np.int64)}
    csv.write_csv(pa.table(columns), path)


def line_of(tool: str, python: Path, path: Path) -> str:
    command = [python, ROOT / "tests" / "benchmarks" / "slice_finders.py", tool, path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return f"{tool:12} {ended.stderr.strip().splitlines()[-1][:80]}"
    run = json.loads(ended.stdout.splitlines()[-1])
    hits = [sum(pairs in run["slices"][:most] for pairs in PLANTED) for most in (5, 10)]
    others = len(run["slices"]) - hits[1]
    return f"{tool:12} {run['seconds']:9.1f} {run['megabytes']:9,.0f} {hits[0]:11} {hits[1]:12} {others:10}"


def main(rows: int, tools: Sequence[str]) -> None:
    print(f"{rows:,} rows of 10 features, five planted slices of one to three features")
    print(
        f"{'':12} {'seconds':>9} {'MB':>9} {'in first 5':>11} {'in first 10':>12} {'not these':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.csv"
        write(rows, path)
        for tool in tools:
            python = Path(sys.executable) if tool in OURS else environment()
            print(line_of(tool, python, path), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, sys.argv[2:] or [*TOOLS])
