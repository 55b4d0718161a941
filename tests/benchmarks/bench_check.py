# SPDX-License-Identifier: Apache-2.0
"""`make bench-check BASE=COMMIT`: this tree against another commit, in processes that run in turn.

Prints the ratio of this tree to the other commit, of seconds and of processor time, which is less
disturbed where the machine does something else too: the median over the rounds, the least and the largest.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from tests.benchmarks.bench import ROOT, Cases, Line, generate, in_rounds, ratios, run, table_of


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=False
        )
        if archive.returncode:
            raise SystemExit(archive.stderr.decode().strip())
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


def compared(base: Path, rows: int, rounds: int) -> Iterator[Line]:
    """The ratios on the task of `make bench`, and on 8,000 rows from process start to verdict."""
    for size in (rows, 8_000):
        path = generate(size)
        cases: Cases = {
            "ours": lambda path=path: run("benison", path),
            "base": lambda path=path: run("benison", path, root=base),
        }
        measured = in_rounds(cases, rounds)
        for of in ("wall", "cpu"):
            yield Line(f"{size:,} rows, {of}", ratios(measured, "ours", "base", of), "x", "")


def main() -> None:
    """Compare with the commit that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="a commit, tag or branch")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = table_of(f"this tree against {options.base}", ("what", "median", "range"))
    with checkout(options.base) as base:
        for line in compared(base, options.rows, options.rounds):
            table.add_row(*line.cells()[:3])
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
