# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped anywhere and run again: nothing disagrees, and nothing is blessed twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lineage import of_tfx

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "sql+sqlite"])
def test_a_run_that_is_stopped_anywhere_agrees_with_its_store(store: str, tmp_path: Path) -> None:
    """In a process of its own, because it forks and must have no threads; what is kept is not done again."""
    kept = tmp_path / "kept.jsonl"
    command = [sys.executable, "-m", "tests.lineage.matrix", "--few", "--kept", str(kept), store]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if store == "sql+sqlite":  # whose second call need not import TFX
        rows = kept.read_text()
        again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (again.stdout, kept.read_text()) == (done.stdout, rows)
    count = 31 if store == "sql+sqlite" else 38 if of_tfx.is_installed() else 32
    assert f"{count} reruns, 0 disagreements" in done.stdout


@pytest.mark.slow
def test_runs_that_are_ended_at_random_bless_nothing_and_are_completed() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.lineage.kills",
        "--rounds",
        "10",
        "sqlite",
        "sql+sqlite",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("10 rounds, 0 faults") == 2
