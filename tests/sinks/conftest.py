# SPDX-License-Identifier: Apache-2.0
"""A result, an MLflow server of this machine, and models in its registry."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import benison
from tests.component.test_models_files import FLOAT, node, onnx_model
from tests.conftest import config, taxi_like

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-hosts/bin/python"
QUICK: dict[str, Any] = {"pip_requirements": []}  # else MLflow loads a model to see what it imports
AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.9}}}
MODELS = [
    {"name": "new", "label_key": "label", "prediction_key": "prediction"},
    {"name": "old", "label_key": "label", "prediction_key": "old_prediction", "is_baseline": True},
]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> benison.EvalResult:
    folder = tmp_path_factory.mktemp("published")
    pq.write_table(taxi_like(500), folder / "eval.parquet")
    slices = ({}, {"feature_keys": ["company"]})
    more = {"options": {"compute_confidence_intervals": True}}
    made = {**config(AUC, "BinaryAccuracy", slices=slices, **more), "model_specs": MODELS}
    return benison.evaluate(folder / "eval.parquet", made, output=folder / "out")


@pytest.fixture(scope="session")
def hosts() -> Path:
    """The Python of the environment that has MLflow's server and DVC."""
    if not PYTHON.exists():
        missing = "there is no .venv-hosts, which has MLflow's server and DVC; run: make hosts-env"
        (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
    return PYTHON


@pytest.fixture(scope="session")
def server(hosts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that keeps models and their files."""
    folder = tmp_path_factory.mktemp("mlflow")
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    options = {
        "--backend-store-uri": f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination": str(folder / "files"),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
    }
    words = [word for pair in options.items() for word in pair]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [str(hosts), "-m", "mlflow", "server", *words],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=folder,
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/health", process, folder / "log")
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


class Shelf:
    """The registry, seen by MLflow's own client."""

    def __init__(self, server: str, folder: Path) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(server)
        self.folder = folder
        self.server = server
        self.url = f"mlflow:{server}"

    def add(self, name: str, column: str, run_name: str = "") -> str:
        """A new version of a model that gives back a column as its score; its address."""
        import mlflow.onnx
        import onnx

        folder = self.folder / f"{name} {column} {run_name}"
        file = onnx_model(
            self.folder / "m.onnx",
            [node("Identity", [column], ["score"])],
            {column: (FLOAT, ["n", 1])},
            {"score": (FLOAT, ["n", 1])},
        )
        if not folder.exists():
            mlflow.onnx.save_model(onnx.load(file), str(folder), **QUICK)
        run = self.client.create_run("0").info.run_id
        self.client.log_artifacts(run, str(folder), "model")
        if not self.client.search_registered_models(f"name='{name}'"):
            self.client.create_registered_model(name)
        uri = self.client.get_run(run).info.artifact_uri
        version = self.client.create_model_version(name, f"{uri}/model", run).version
        return f"models:/{name}/{version}"

    def alias(self, name: str, alias: str = "blessed") -> str | None:
        """The version at which an alias stands."""
        version = self.client.get_registered_model(name).aliases.get(alias)
        return None if version is None else f"models:/{name}/{version}"

    def run_of(self, model: str) -> Any:
        """The run that has made a version."""
        _, name, version = model.split("/")
        return self.client.get_run(self.client.get_model_version(name, version).run_id)


@pytest.fixture
def shelf(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    pytest.importorskip("mlflow")
    pytest.importorskip("pandas")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # so that the server is named
    monkeypatch.chdir(tmp_path)
    table = taxi_like(500)
    bad = [1 - value for value in table["prediction"].to_pylist()]
    pq.write_table(table.append_column("bad", [bad]), tmp_path / "eval.parquet")
    return Shelf(server, tmp_path)
