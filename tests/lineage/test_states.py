# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped at any arrow of its states and run again: nothing disagrees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "sql+sqlite"])
def test_a_run_that_is_stopped_anywhere_agrees_with_its_store(store: str) -> None:
    """In a process of its own, because it forks and must have no threads."""
    command = [sys.executable, "-m", "tests.lineage.matrix", "--few", store]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "108 reruns, 0 disagreements" in done.stdout
