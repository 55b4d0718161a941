# SPDX-License-Identifier: Apache-2.0
"""The operators that evaluate in a container, in Airflow 3 and 2: Docker for real, pods nearly."""

from __future__ import annotations

import json
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
from tests.orchestration.airflow_host import (
    ENVIRONMENTS,
    Probed,
    Prober,
    rows,
    wait_for,
    with_long_names,
)

DAGS = Path(__file__).parent / "dags"
USER = 10001  # of the image
PODS = (
    *("pod", "pod_deferred", "pod_ended", "pod_wrong", "pod_wrong_deferred", "pod_wrong_ended"),
    *("pod_long", "pod_secret", "pod_open"),
)
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


@pytest.fixture(scope="module")
def pods(version: str, folder: Path, probe: Prober) -> Probed:
    """What pods came to, which are run here, with this Python in their path."""
    with_long_names(folder / "eval.parquet", folder)
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_CONN_STORE": "mysql://me:open-sesame@db/metadata",
    }
    return probe(version, DAGS / "contained.py", folder, *PODS, **env)


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


def test_a_container_ends_with_the_task_that_waits_for_it(pods: Probed) -> None:
    """A task that is deferred, and then cleared or too late; against Docker's API, spoken by a test."""
    ways = json.loads(pods.host.run(DAGS / "docker_engine.py").splitlines()[-1])
    for way in ("cancelled", "late"):
        ended = [asked for asked in ways[way]["asked"] if not asked.startswith("GET")]
        assert ended == ["POST /containers/slow/stop", "DELETE /containers/slow"]
    assert ways["cancelled"]["event"] is None
    assert ways["late"]["event"]["code"] == 124
    gone = ways["gone"]["event"]
    assert gone == {"code": 75, "text": "error: The container is gone before it has ended."}


@pytest.mark.parametrize("dag", ["pod", "pod_deferred", "pod_ended"])
def test_in_a_pod(pods: Probed, dag: str) -> None:
    """The last one has ended before it could be deferred."""
    assert pods.of(dag) == {"evaluate": "success", "push": "success"}
    verdict = pods.verdict(dag)
    assert (verdict["status"], verdict["metrics"]["example_count"]) == ("blessed", 2_000)
    assert equals_the_function(pods.folder, Path(verdict["output"]))


@pytest.mark.parametrize("dag", ["pod_wrong", "pod_wrong_deferred", "pod_wrong_ended"])
def test_a_pod_that_cannot_evaluate_fails_at_once_with_its_reason(pods: Probed, dag: str) -> None:
    assert pods.of(dag) == {"evaluate": "failed", "push": "upstream_failed"}
    assert pods.tries[dag, "evaluate"] == 1  # of three
    lines = [line for line in pods.log.splitlines() if "AirflowFailException: " in line]
    assert sum("nothing.parquet" in line for line in lines) >= 3


def test_a_pod_takes_a_spec_that_is_longer_than_a_variable(pods: Probed) -> None:
    assert pods.of("pod_long") == {"evaluate": "success", "push": "success"}
    assert pods.verdict("pod_long")["rows"] == 60 * 2_000


def test_a_password_is_no_part_of_a_pod(pods: Probed) -> None:
    pod = (pods.folder / "pod_secret.json").read_text()
    assert "mysql://me@db/metadata" in pod
    assert "open-sesame" not in pod
    (container, _) = json.loads(pod)["spec"]["containers"]
    (secret,) = (v for v in container["env"] if v["name"] == "BENISON_METADATA_PASSWORD")
    assert secret["valueFrom"] == {"secretKeyRef": {"name": "the-secret", "key": "its-key"}}


def test_a_password_without_a_secret_starts_no_pod(pods: Probed) -> None:
    assert pods.of("pod_open") == {"evaluate": "failed", "push": "upstream_failed"}
    assert pods.tries["pod_open", "evaluate"] == 1
    assert not (pods.folder / "pod_open.json").exists()
    assert "secrets=[Secret('env', 'BENISON_METADATA_PASSWORD', SECRET, KEY)]" in pods.log
