# SPDX-License-Identifier: Apache-2.0
"""This file is the pipelines, each of which is run for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import benison
from tests.orchestration.airflow_host import ENVIRONMENTS, AirflowHost

PIPELINES = Path(__file__).parents[1] / "pipelines"


@pytest.mark.slow
def test_taxi_local(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    output = tmp_path / "with a space"
    run = [sys.executable, str(PIPELINES / "taxi_local.py"), "--output", str(output)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    worse = benison.load_result(output / "candidate-1")
    assert worse.verdict.status == "not_blessed"
    assert all("Blue Ribbon Taxi Association Inc." in reason for reason in worse.verdict.reasons)
    assert benison.load_result(output / "candidate-2").verdict.status == "blessed"
    commands = [
        line for line in done.stdout.splitlines() if "benison " in line and line[:2] == "  "
    ]
    assert len(commands) == 3
    for command in commands:
        tried = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert tried.returncode == 0, (command, tried.stderr)


@pytest.mark.slow
def test_taxi_local_leaves_the_folders_of_others_alone(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "thesis.tex").touch()
    command = [sys.executable, str(PIPELINES / "taxi_local.py"), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path} is not a demo's; name another folder with --output." in done.stderr
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("version", ENVIRONMENTS)
def test_taxi_airflow(version: str, tmp_path: Path) -> None:
    program = "import taxi_airflow; print('TASKS', sorted(taxi_airflow.dag.task_ids))"
    host = AirflowHost(version, tmp_path, PIPELINES)
    host.env["PYTHONPATH"] += f":{PIPELINES}"
    assert "TASKS ['evaluate', 'push']" in host.run("-c", program)


def test_every_pipeline_is_run() -> None:
    here = Path(__file__).read_text()
    assert all(f"def test_{path.stem}(" in here for path in PIPELINES.glob("*.py"))


@pytest.mark.slow
def test_taxi_tfx(tmp_path: Path) -> None:
    pytest.importorskip("tfx")
    output = tmp_path / "with a space"
    run = [sys.executable, str(PIPELINES / "taxi_tfx.py"), "--output", str(output)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    folders = sorted(
        (output / "artifacts/Evaluator/evaluation").iterdir(), key=lambda f: int(f.name)
    )
    first, second, third = (benison.load_result(folder).verdict for folder in folders)
    assert (first.status, first.rubber_stamped) == ("blessed", True)
    assert second.status == "not_blessed"
    assert all("Blue Ribbon Taxi Association Inc." in reason for reason in second.reasons)
    assert (third.status, third.rubber_stamped) == ("blessed", False)
    assert len(list((output / "serving").iterdir())) == 2
    pushed = sorted((output / "artifacts/Pusher/pushed_model").iterdir(), key=lambda f: int(f.name))
    assert [any(folder.iterdir()) for folder in pushed] == [True, False, True]
