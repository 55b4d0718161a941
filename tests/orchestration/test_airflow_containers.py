# SPDX-License-Identifier: Apache-2.0
"""The operators that evaluate in a container, in Airflow 3 and 2: Docker for real, pods nearly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import benison
from tests.conftest import taxi_like
from tests.orchestration import images
from tests.orchestration.airflow_host import ENVIRONMENTS, AirflowHost, is_running, rows, wait_for

DAGS = Path(__file__).parent / "dags"
USER = 10001  # of the image
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The image, and the address of an engine with Docker's API."""
    image = images.benison("base")
    url = f"unix://{tmp_path_factory.mktemp('docker') / 'socket'}"
    command = ["podman", "system", "service", "--time", "0", url]
    with subprocess.Popen(command, env=images.environment()) as engine:
        wait_for(lambda: Path(url.removeprefix("unix://")).exists())
        yield {"IMAGE": image, "DOCKER_HOST": url}
        engine.terminate()


@pytest.fixture(params=ENVIRONMENTS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> AirflowHost:
    folder, home = tmp_path / "data", tmp_path / "home"
    for made in (folder, home):
        made.mkdir()
    pq.write_table(taxi_like(2_000), folder / "eval.parquet")
    host = AirflowHost(request.param, home, DAGS, PROBES=str(folder))
    host.run("-m", "airflow", "db", "migrate")
    return host


def run(host: AirflowHost, *dags: str) -> tuple[dict[str, dict[str, str]], str]:
    """The states of the tasks of each DAG, and the log."""
    log = host.run(DAGS / "contained.py", *dags, timeout=400)
    lines = [line.split()[1:] for line in log.splitlines() if line.startswith("STATE ")]
    states: dict[str, dict[str, str]] = {dag: {} for dag in dags}
    for dag, task, state in lines:
        states[dag][task] = state
    return states, log


def equals_the_function(host: AirflowHost, output: Path) -> bool:
    folder = Path(host.env["PROBES"])
    benison.evaluate(
        folder / "eval.parquet", output / "config.json", output=folder / "ours", overwrite=True
    )
    return rows(output) == rows(folder / "ours")


def test_in_docker(host: AirflowHost, docker: dict[str, str]) -> None:
    host.env |= docker
    folder = Path(host.env["PROBES"])
    os.chown(folder, USER, USER)
    states, log = run(host, "docker", "docker_wrong")
    assert states["docker"] == {"evaluate": "success", "push": "success"}
    verdict = host.xcoms()["docker", "evaluate", -1]
    assert verdict["status"] == "blessed"
    assert verdict["output"].startswith("/data/docker/")
    assert equals_the_function(host, folder / Path(verdict["output"]).relative_to("/data"))
    assert states["docker_wrong"] == {"evaluate": "failed", "push": "upstream_failed"}
    assert "error: " in log
    assert "/data/nothing.parquet" in log
    assert images.run("podman", "ps", "--all", "--quiet") == ""


def test_in_a_pod(host: AirflowHost) -> None:
    host.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{host.env['PATH']}"
    states, log = run(host, "pod", "pod_deferred", "pod_wrong")
    for dag in ("pod", "pod_deferred"):
        assert states[dag] == {"evaluate": "success", "push": "success"}
        verdict = host.xcoms()[dag, "evaluate", -1]
        assert verdict["status"] == "blessed"
        assert equals_the_function(host, Path(verdict["output"]))
    assert states["pod_wrong"] == {"evaluate": "failed", "push": "upstream_failed"}
    assert "nothing.parquet" in log


def test_a_pod_that_is_ended_ends_its_evaluation(host: AirflowHost) -> None:
    """The first process of a container is the only one that hears of its end."""
    slow = host.home / "benison"
    slow.write_text("#!/bin/sh\necho $$ >pid\nexec sleep 300\n")
    slow.chmod(0o755)
    host.env["PATH"] = f"{host.home}{os.pathsep}{host.env['PATH']}"
    program = """
import pathlib, subprocess, time
from benison_orchestration.airflow_kubernetes import SCRIPT
shell = subprocess.Popen(["sh", "-c", SCRIPT])
while not (pathlib.Path("pid").exists() and pathlib.Path("pid").read_text().strip()):
    time.sleep(0.05)
shell.terminate()
print("CODE", shell.wait(300))
"""
    assert "CODE 143\n" in host.run("-c", program)
    pid = int((host.home / "pid").read_text())
    wait_for(lambda: not is_running(pid))
