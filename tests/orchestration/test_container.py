# SPDX-License-Identifier: Apache-2.0
"""The container: the repository's Dockerfile, built and run for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from tests.conftest import config
from tests.orchestration import images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = config("AUC", "BinaryAccuracy", "ExampleCount", slices=({}, {"feature_keys": ["hour"]}))
TOO_HIGH = config({"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.99}}})
EVALUATE = ("evaluate", "-e", "eval.parquet", "-c", "eval.json", "-o", "out")


@pytest.fixture(scope="module")
def image() -> str:
    return images.benison("base")


@pytest.fixture
def mount(in_folder: Path, trips: pa.Table) -> Path:
    """A folder of the user that the image runs as, with data and a config."""
    pq.write_table(trips, "eval.parquet")
    Path("eval.json").write_text(json.dumps(CONFIG))
    os.chown(in_folder, 10001, 10001)
    return in_folder


def container(image: str, mount: Path, *words: str, user: str = "") -> list[str]:
    """The command that runs the image on a mounted folder."""
    options = ["--rm", "--volume", f"{mount}:/data", *(["--user", user] if user else [])]
    return ["podman", "run", *options, image, *words]


def started(image: str, mount: Path, name: str) -> subprocess.Popen[bytes]:
    """A container that is in the middle of a long evaluation."""
    Path("many").mkdir()
    for i in range(5_000):
        os.link("eval.parquet", f"many/{i}.parquet")
    words = ("evaluate", "-e", "many", "-c", "eval.json", "-o", "out", "--junit", "out.xml")
    command = container(image, mount, *words)
    command[2:2] = ["--name", name]
    process = subprocess.Popen(command, env=images.environment(), stderr=subprocess.DEVNULL)
    while not Path("out.xml").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    return process


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=images.environment(), capture_output=True, text=True, check=False, timeout=300
    )


def test_it_gives_what_the_function_gives(image: str, mount: Path) -> None:
    done = run(container(image, mount, *EVALUATE))
    assert done.returncode == 0, done.stderr
    expected = benison.evaluate("eval.parquet", CONFIG).metrics
    table = pq.read_table("out/metrics.parquet").to_pandas()
    pd.testing.assert_frame_equal(table, expected.to_pandas(), check_exact=True)
    assert benison.load_result("out").verdict.status == "not_evaluated"
    assert Path("out/metrics.parquet").stat().st_uid == 10001


def test_any_user_may_run_it(image: str, mount: Path) -> None:
    os.chown(mount, 4711, 4711)
    done = run(container(image, mount, *EVALUATE, user="4711:4711"))
    assert done.returncode == 0, done.stderr
    assert Path("out").stat().st_uid == 4711


def test_the_gate_is_its_exit_code(image: str, mount: Path) -> None:
    Path("eval.json").write_text(json.dumps(TOO_HIGH))
    gated = run(container(image, mount, *EVALUATE, "--gate"))
    assert gated.returncode == 1
    assert "auc of Overall is" in gated.stdout
    refused = run(container(image, mount, *EVALUATE))
    assert refused.returncode == 2
    assert "The output out exists already" in " ".join(refused.stderr.split())


def test_it_hears_that_it_shall_stop(image: str, mount: Path) -> None:
    """As process 1, to which the kernel gives no default for SIGTERM."""
    name = f"benison-{uuid.uuid4().hex[:8]}"
    process = started(image, mount, name)
    assert run(["podman", "stop", "--time", "120", name]).returncode == 0
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert not Path("out").exists()
    assert not list(Path().glob(".*partial"))
    assert "has not ended" in Path("out.xml").read_text()
