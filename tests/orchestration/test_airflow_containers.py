# SPDX-License-Identifier: Apache-2.0
"""The operator that evaluates in a container of Docker's, in Airflow 3 and 2."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import benison
from tests.conftest import taxi_like
from tests.orchestration import images
from tests.orchestration.airflow_host import ENVIRONMENTS, AirflowHost, Prober, rows, wait_for

DAGS = Path(__file__).parent / "dags"
USER = 10001  # of the image
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


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


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data are."""
    folder = tmp_path_factory.mktemp("data")
    pq.write_table(taxi_like(2_000), folder / "eval.parquet")
    return folder


def equals_the_function(folder: Path, output: Path) -> bool:
    benison.evaluate(
        folder / "eval.parquet", output / "config.json", output=folder / "ours", overwrite=True
    )
    return rows(output) == rows(folder / "ours")


def test_in_docker(version: str, folder: Path, docker: dict[str, str], probe: Prober) -> None:
    os.chown(folder, USER, USER)
    dags = ("docker", "docker_deferred", "docker_wrong", "docker_wrong_deferred")
    probed = probe(version, DAGS / "contained.py", folder, *dags, **docker)
    for dag in dags[:2]:
        assert probed.of(dag) == {"evaluate": "success", "push": "success"}
        verdict = probed.verdict(dag)
        assert verdict["status"] == "blessed"
        assert verdict["output"].startswith(f"/data/{dag}/")
        assert verdict["metrics"]["example_count"] == 2_000
        assert equals_the_function(folder, folder / Path(verdict["output"]).relative_to("/data"))
    for dag in dags[2:]:
        assert probed.of(dag) == {"evaluate": "failed", "push": "upstream_failed"}
        assert probed.tries[dag, "evaluate"] == 1  # of three
    assert "error: " in probed.log
    assert "/data/nothing.parquet" in probed.log
    # Other tests' containers run beside these.
    own = images.run("podman", "ps", "--all", "--quiet", "--filter", f"label=data={folder}")
    assert own == ""


def test_a_container_ends_with_the_task_that_waits_for_it(version: str, tmp_path: Path) -> None:
    """A task that is deferred, and then cleared or too late; against Docker's API, spoken by a test."""
    printed = AirflowHost(version, tmp_path, tmp_path).run(DAGS / "docker_engine.py")
    ways = json.loads(printed.splitlines()[-1])
    for way in ("cancelled", "late"):
        ended = [asked for asked in ways[way]["asked"] if not asked.startswith("GET")]
        assert ended == ["POST /containers/slow/stop", "DELETE /containers/slow"]
    assert ways["cancelled"]["event"] is None
    assert ways["late"]["event"]["code"] == 124
    gone = ways["gone"]["event"]
    assert gone == {"code": 75, "text": "error: The container is gone before it has ended."}
    # A container that has evaluated is answered by the worker alone, and then waited for and removed.
    asking = ways["asking"]
    changes = [asked for asked in asking["asked"] if not asked.startswith("GET")]
    assert [a for a in asking["asked"][: asking["before"]] if not a.startswith("GET")] == []
    assert changes == [
        *(
            "POST /containers/asking/exec",
            "POST /exec/touching/start",
            "POST /containers/asking/wait",
        ),
        *("POST /containers/asking/stop", "DELETE /containers/asking"),
    ]
    assert asking["event"] == ["asking", {"code": 0, "outcome": {"status": "blessed"}}]
    # A network that is cut for once keeps neither the trigger nor a worker from seeing that it asks.
    assert [*ways["cut"]["event"]] == ["asking"]
    assert ways["waiting"]["asked"].count("POST /containers/cut/exec") == 2
    assert ways["waiting"]["asked"][-1] == "POST /exec/touching/start"
