# SPDX-License-Identifier: Apache-2.0
"""Evaluations on runners whose workers are processes of their own: numbers, lost workers, errors."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import benison
from tests.clusters.runners import (
    FLINK,
    INSTALLED,
    PRISM,
    RUNNERS,
    Runner,
    ancestor,
    environment,
    python,
    wait_for,
)
from tests.conftest import config, taxi_like
from tests.test_evaluation import catalogue, same_results, split

HERE = Path(__file__).parent
HOURS = ({}, {"feature_keys": ["hour"]})


@pytest.fixture(scope="module", params=RUNNERS)
def runner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    """A runner, which is started once."""
    check_installed(request.param)
    with RUNNERS[request.param](tmp_path_factory.mktemp(request.param)) as started:
        yield started


def check_installed(runner: str) -> None:
    """Skip, or in continuous integration fail, where a runner is not installed."""
    unable = pytest.fail if "CI" in os.environ else pytest.skip
    environments = (FLINK,) if runner == "flink" else (INSTALLED,)
    if not all((each / "ready").exists() for each in environments):
        unable("the environments of clusters are not there; run: make clusters-env")
    if runner in ("spark", "flink") and not shutil.which("java"):
        unable("there is no Java, which Spark and Flink need")
    if runner in ("prism", "pool") and not PRISM.exists():
        unable = unable if shutil.which("go") else pytest.skip
        unable("there is no Prism, which is built with Go; then run: make clusters-env")


@pytest.fixture
def data(tmp_path: Path) -> str:
    return split(taxi_like(2_000), tmp_path / "data", 4)


def command(made: dict[str, Any], folder: Path, runner: Runner) -> list[str]:
    """Evaluate the data in a folder, which is where the command but not every worker is."""
    (folder / "config.json").write_text(json.dumps(made), encoding="utf-8")
    start = [
        python(runner.installed),
        "-m",
        "benison",
        "evaluate",
        "--examples",
        "data",
        "--output",
        "out",
    ]
    stages = ["--config", "config.json", "--module-path", str(HERE)]
    return [*start, *stages, *runner.options]


def evaluated(made: dict[str, Any], folder: Path, runner: Runner) -> tuple[int, str]:
    """The exit code, and what is said."""
    run = subprocess.run(
        command(made, folder, runner),
        cwd=folder,
        env=environment(runner.installed),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    return run.returncode, run.stderr


def waiting(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    held = {"class_name": "Waiting", "module": "waiting", "config": {"folder": str(folder)}}
    return config("AUC", held, slices=HOURS)


@pytest.mark.slow
def test_every_metric_is_the_same_on_a_runner(
    runner: Runner, data: str, trips: pa.Table, tmp_path: Path
) -> None:
    made = catalogue(trips)
    code, words = evaluated(made, tmp_path, runner)
    assert code == 0, words[-4_000:]
    same_results(benison.evaluate(data, made), benison.load_result(tmp_path / "out"))


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["spark", "flink"], indirect=True)
def test_a_model_is_called_by_the_workers(runner: Runner, data: str, tmp_path: Path) -> None:
    made = with_model(tmp_path / "model.joblib")
    arguments = command(made, tmp_path, runner)
    arguments[4:4] = ["--model", "model.joblib", "--trust-pickle"]
    subprocess.run(arguments, cwd=tmp_path, env=environment(runner.installed), check=True)
    expected = benison.evaluate(data, made, model=tmp_path / "model.joblib", trust_pickle=True)
    same_results(expected, benison.load_result(tmp_path / "out"))


def with_model(path: Path) -> dict[str, Any]:
    """Save a model of two columns; the config that calls it."""
    frame = taxi_like(500).select(["hour", "weight", "label"]).to_pandas()
    model = LogisticRegression().fit(frame[["hour", "weight"]], frame["label"])
    joblib.dump(model, path)
    made = config("AUC", "ExampleCount", slices=HOURS)
    made["model_specs"] = [{"label_key": "label", "feature_keys": ["hour", "weight"]}]
    return made


@pytest.mark.slow
def test_a_user_s_error_arrives_with_the_file(runner: Runner, data: str, tmp_path: Path) -> None:
    made = config({"class_name": "Dividing", "module": "waiting"}, slices=HOURS)
    code, words = evaluated(made, tmp_path, runner)
    (sentence,) = [line for line in words.splitlines() if line.startswith("error: ")]
    assert code == 2, words[-4_000:]
    assert re.search(
        r"The metric dividing fails in line \d+ of .*waiting.py: ZeroDivisionError", sentence
    )
    assert f"This happened with rows of {data}/" in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_damaged_file_is_named(runner: Runner, data: str, tmp_path: Path) -> None:
    damaged = Path(data, "002.parquet")
    content = bytearray(damaged.read_bytes())
    content[4:2_000] = bytes(1_996)
    damaged.write_bytes(content)
    code, words = evaluated(config("AUC"), tmp_path, runner)
    assert code == 2, words[-4_000:]
    (sentence,) = [line for line in words.splitlines() if line.startswith("error: ")]
    assert str(damaged) in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["spark"], indirect=True)
def test_workers_of_an_interpreter_without_packages_are_told_so(
    runner: Runner, data: str, tmp_path: Path
) -> None:
    bare = f"--conf=spark.pyspark.python={Path(python()).resolve()}"
    bare_runner = dataclasses.replace(runner, options=(*runner.options, bare))
    code, words = evaluated(config("AUC"), tmp_path, bare_runner)
    assert code == 2, words[-4_000:]
    assert "error: Spark ended the job: its workers have no module '" in words
    assert not (tmp_path / "out").exists()


# The workers of Prism alone are threads of the command.
@pytest.mark.slow
@pytest.mark.parametrize("runner", [name for name in RUNNERS if name != "prism"], indirect=True)
def test_a_worker_that_is_killed_changes_no_number(
    runner: Runner, data: str, tmp_path: Path
) -> None:
    ended_while_it_works(runner, data, tmp_path, lambda worker: worker)


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["spark", "flink"], indirect=True)
def test_an_executor_or_task_manager_that_is_killed_changes_no_number(
    runner: Runner, data: str, tmp_path: Path
) -> None:
    ended_while_it_works(runner, data, tmp_path, lambda worker: ancestor(worker, "java"))


def ended_while_it_works(
    runner: Runner, data: str, folder: Path, chosen: Callable[[int], int]
) -> None:
    """Kill the process that is chosen by the worker that evaluates, and hold the numbers against local ones."""
    made, held = waiting(folder / "held"), folder / "held"
    with subprocess.Popen(
        command(made, folder, runner),
        cwd=folder,
        env=environment(runner.installed),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        wait_for(lambda: any(held.iterdir()), "an evaluation")
        killed = chosen(int(next(held.iterdir()).name))
        assert killed != process.pid
        os.kill(killed, signal.SIGKILL)
        (held / "go").touch()
        words = process.communicate(timeout=300)[1]
    if runner.survives:
        assert process.returncode == 0, words[-4_000:]
    else:
        lost = "error: Beam's runner ended the job: "
        assert (process.returncode, words.count(lost)) == (2, 1), words[-4_000:]
        assert not (folder / "out").exists()
        assert evaluated(made, folder, runner)[0] == 0
    expected = benison.evaluate(data, made, module_path=HERE)
    same_results(expected, benison.load_result(folder / "out"))
