# SPDX-License-Identifier: Apache-2.0
"""The pipelines, each of which is run for real."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import benison
from benison import terminal
from tests.component.test_history import carried
from tests.orchestration.airflow_host import AirflowDatabases, AirflowHost

PIPELINES = Path(__file__).parents[1] / "pipelines"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the demo, and what it printed."""
    pytest.importorskip("tensorflow")
    output = tmp_path_factory.mktemp("demo") / "with a space"
    run = [sys.executable, str(PIPELINES / "taxi_local.py"), "--output", str(output)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    # TensorFlow says nothing in between.
    assert (done.returncode, done.stderr) == (0, "")
    return output, done.stdout


@pytest.mark.slow
def test_taxi_local(demo: tuple[Path, str]) -> None:
    output, message = demo
    worse = benison.load_result(output / "candidate-1")
    assert worse.verdict.status == "not_blessed"
    assert all("Blue Ribbon Taxi Association Inc." in reason for reason in worse.verdict.reasons)
    assert all("shown worse" in reason for reason in worse.verdict.reasons)
    lost = "company=Blue Ribbon Taxi Association Inc., payment_type=Credit Card"
    assert worse.weak_slices["slice"].to_pylist() == [lost]
    assert benison.load_result(output / "candidate-2").verdict.status == "blessed"
    probes = benison.load_result(output / "candidate-2").probes.to_pylist()
    flips = {row["feature"] for row in probes if row["probe"] == "permutation_flips"}
    assert {"fare", "company", "payment_type", "trip_start_hour"} < flips
    page = (output / "candidate-2" / "report.html").read_text(encoding="utf-8")
    assert "and 20 single rows" in page
    commands = [line for line in message.splitlines() if "benison " in line and line[:2] == "  "]
    assert len(commands) == 5
    for command in commands:
        tried = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert tried.returncode == 0, (command, tried.stderr)


@pytest.mark.slow
def test_taxi_local_leaves_the_folders_of_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "thesis.tex").touch()
    monkeypatch.setattr(terminal, "own_the_log", lambda: None)  # which is this process's
    monkeypatch.setattr(sys, "argv", ["taxi_local.py", "--output", str(tmp_path)])
    with pytest.raises(SystemExit) as raised:
        runpy.run_path(str(PIPELINES / "taxi_local.py"), run_name="__main__")
    # Python prints a text on standard error, and its exit code is 1.
    assert raised.value.code == f"{tmp_path} is not a demo's; name another folder with --output."
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.slow
def test_taxi_airflow(
    demo: tuple[Path, str], airflow_databases: AirflowDatabases, tmp_path: Path
) -> None:
    # On Airflow 2; on Airflow 3 a scheduler runs it, in orchestration/test_airflow_scheduler.py.
    host = AirflowHost("2", tmp_path, PIPELINES)
    airflow_databases.copy_to(host)
    host.run("-m", "airflow", "dags", "reserialize")
    for number, candidate in enumerate(("candidate-1", "candidate-2"), start=1):
        conf = json.dumps({"folder": str(demo[0]), "candidate": candidate})
        day = f"2025-01-0{number}"
        host.run("-m", "airflow", "dags", "test", "taxi", day, "--conf", conf, timeout=300)
    states = host.ask("SELECT task_id, state FROM task_instance ORDER BY run_id, task_id")
    assert states == [
        ("evaluate", "success"),
        ("push", "skipped"),
        ("evaluate", "success"),
        ("push", "success"),
    ]
    assert [path.name for path in (demo[0] / "serving").iterdir()] == ["1"]
    ((_, uri, extra),) = host.asset_events()
    assert (uri, extra["model"]) == (
        "file:///models/taxi",
        str(demo[0] / "models" / "candidate-2"),
    )


def test_taxi_month(tmp_path: Path) -> None:
    report = runpy.run_path(str(PIPELINES / "taxi_month.py"))["run"](tmp_path)
    (alert,) = report.alerts
    slice_ = "company=Flash Cab, payment_type=Credit Card"
    assert (alert.metric, alert.slice, alert.since) == ("binary_accuracy", slice_, "2026-03-21")
    assert benison.load_result(tmp_path / "march").verdict.status == "blessed"
    data = carried((tmp_path / "history.html").read_text(encoding="utf-8"))
    (shown,) = data["watched"]["alerts"]
    assert data["slices"][shown["slice"]] == slice_
    assert data["points"][shown["since"]]["run"] == "2026-03-21"
    assert shown["sentence"] == alert.reason


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


@pytest.mark.slow
def test_taxi_kubeflow(tmp_path: Path) -> None:
    pytest.importorskip("kfp")
    output = tmp_path / "with a space"
    run = [sys.executable, str(PIPELINES / "taxi_kubeflow.py"), "--output", str(output)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    refused, blessed = sorted(output.glob("taxi-*"))
    worse = benison.load_result(refused / "evaluate" / "evaluation")
    assert worse.verdict.status == "not_blessed"
    assert all("Blue Ribbon Taxi Association Inc." in reason for reason in worse.verdict.reasons)
    assert not (refused / "push").exists()
    assert (blessed / "evaluate" / "blessing").read_text() == "BLESSED"
    assert (blessed / "push" / "pushed" / "saved_model.pb").is_file()
