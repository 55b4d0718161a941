# SPDX-License-Identifier: Apache-2.0
"""This file is the pipelines, each of which is run for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import benison

PIPELINES = Path(__file__).parents[1] / "pipelines"


@pytest.mark.slow
def test_taxi_local(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    output = tmp_path / "with a space"
    command = [sys.executable, str(PIPELINES / "taxi_local.py"), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    worse = benison.load_result(output / "candidate-1")
    assert worse.verdict.status == "not_blessed"
    assert all("Blue Ribbon Taxi Association Inc." in reason for reason in worse.verdict.reasons)
    assert benison.load_result(output / "candidate-2").verdict.status == "blessed"
    assert "benison show" in done.stdout


def test_every_pipeline_is_run() -> None:
    here = Path(__file__).read_text()
    assert all(f"def test_{path.stem}(" in here for path in PIPELINES.glob("*.py"))
