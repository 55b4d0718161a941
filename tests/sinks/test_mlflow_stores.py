# SPDX-License-Identifier: Apache-2.0
"""MLflow's registry without a server: its URLs, what its stores raise, and outputs on other stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import benison
from benison import sinks
from benison.errors import PublishError
from benison.models.registered import downloaded, pinned, without_passwords
from benison.sinks.publishing import publish
from tests.conftest import config, taxi_like
from tests.object_store import Bucket

mlflow = pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow's own client of a registry in files."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "registry").as_uri())
    return mlflow.MlflowClient()


def add(client: Any, name: str, versions: int = 1) -> None:
    client.create_registered_model(name)
    for _ in range(versions):
        client.create_model_version(name, "s3://bucket/model")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("mlflow:sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("mlflow:sqlite:////data/mlflow.db?alias=champion", "sqlite:////data/mlflow.db"),
        ("mlflow:http://host:5000/?log=true", "http://host:5000/"),
        (
            "mlflow:postgresql://ada@db/ml?alias=a&sslmode=require",
            "postgresql://ada@db/ml?sslmode=require",
        ),
        ("mlflow:databricks-uc", "databricks-uc"),
        ("mlflow:?alias=a", None),
    ],
)
def test_the_server_is_the_url_that_mlflow_takes(url: str, server: str | None) -> None:
    registry: Any = sinks.connect(url)
    assert registry.server == server


@pytest.mark.parametrize("login", ["ada:secret", "ada:se@cret", ":secret"])
def test_a_password_is_refused_and_never_shown(login: str) -> None:
    with pytest.raises(benison.ConfigError, match="holds a password"):
        sinks.connect(f"mlflow:http://{login}@host?log=true")
    assert without_passwords(f"no answer of https://{login}@host/a") == (
        "no answer of https://host/a"
    )


@pytest.mark.parametrize("name", ["taxi", "taxi's", "the taxi"])
def test_the_newest_version_is_that_of_all_pages(
    client: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(client, name, versions=12)
    add(client, "other", versions=15)
    search = mlflow.MlflowClient.search_model_versions

    def few(self: Any, asked: str, **options: Any) -> Any:
        return search(self, asked, max_results=5, order_by=["version_number ASC"], **options)

    monkeypatch.setattr(mlflow.MlflowClient, "search_model_versions", few)
    assert pinned(f"models:/{name}/latest") == f"models:/{name}/12"


class UnauthorizedError(Exception):
    """As the clients of stores raise them: of no base that is MLflow's or the system's."""


FAILURES = [
    (ImportError("No module named 'boto3'"), "'boto3'. Install the client of the store"),
    (UnauthorizedError("no credentials."), "no credentials. Check that it is there"),
    (OSError("away"), "away. Check that it is there"),
    (UnauthorizedError(), "UnauthorizedError. Check that it is there"),
]


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(("error", "sentence"), FAILURES, ids=range(len(FAILURES)))
def test_whatever_a_store_raises_is_a_sentence(
    client: Any, error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(client, "taxi")
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", raising(error))
    monkeypatch.setattr(mlflow.MlflowClient, "get_registered_model", raising(error))
    with pytest.raises(benison.ModelError, match=sentence), downloaded("models:/taxi/1"):
        pass
    with pytest.raises(benison.RegistryError, match=sentence):
        sinks.connect("mlflow:").follow("taxi", "models:/taxi/1")


def result_of(output: Any, **more: Any) -> benison.EvalResult:
    return benison.evaluate(taxi_like(200), config("AUC"), output=output, **more)


def with_models(result: benison.EvalResult, *paths: str | None) -> benison.EvalResult:
    """The result as it is where its candidates are of a registry."""
    models = [{**result.manifest["models"][0], "path": path} for path in paths]
    result.manifest["models"] = models
    return result


def logged(client: Any, result: benison.EvalResult) -> set[str]:
    """The files that a run holds after a result was logged to it."""
    run = client.create_run("0").info.run_id
    client.create_registered_model("taxi")
    client.create_model_version("taxi", "s3://bucket/model", run)
    sinks.connect("mlflow:?log=true").log(with_models(result, "models:/taxi/1"))
    return {file.path for file in client.list_artifacts(run, "benison")}


FILES = {"benison/report.html", "benison/verdict.json", "benison/config.json"}


def test_the_report_on_this_machine_is_logged(client: Any, tmp_path: Path) -> None:
    assert logged(client, result_of(tmp_path / "out")) == FILES


def test_the_report_on_an_object_store_is_logged(client: Any, bucket: Bucket) -> None:
    assert logged(client, result_of(f"{bucket.address}/out")) == FILES


def test_a_result_without_an_output_has_no_files(client: Any) -> None:
    assert logged(client, result_of(None)) == set()


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (["models:/taxi/1", "models:/taxi/2"], "of one candidate: evaluate each apart"),
        (["m.onnx"], "m.onnx is in no registry. Give the version"),
        ([None], "is in no registry. Give the version"),
        (["models:/taxi/1"], "made by no run, so there is none to log to. Leave log=true out"),
    ],
)
def test_what_has_no_run_is_not_logged(client: Any, paths: list[str | None], sentence: str) -> None:
    add(client, "taxi")
    result = with_models(result_of(None), *paths)
    with pytest.raises(benison.BenisonError, match=sentence):
        sinks.connect("mlflow:?log=true").log(result)


def test_an_output_of_several_candidates_is_told_to_no_registry(
    client: Any, tmp_path: Path
) -> None:
    from benison.evaluation.registering import announce

    table = taxi_like(200)
    specs = [{"name": n, "label_key": "label", "prediction_key": k}
             for n, k in (("a", "prediction"), ("b", "old_prediction"))]  # fmt: skip
    asked = {**config("AUC"), "model_specs": specs}
    benison.evaluate(table, asked, output=tmp_path / "out")
    assert len(json.loads((tmp_path / "out/manifest.json").read_text())["models"]) == 2
    with pytest.raises(benison.ConfigError, match="told of one candidate"):
        announce(tmp_path / "out", "mlflow:", None)


def test_a_run_that_could_not_be_logged_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[Any] = []
    run = SimpleNamespace(info=SimpleNamespace(run_id="7"))
    client = SimpleNamespace(
        get_experiment_by_name=lambda _: SimpleNamespace(experiment_id="1"),
        search_runs=lambda *_: [],
        create_run=lambda *_, **__: run,
        set_terminated=lambda *words: ended.append(words),
    )
    monkeypatch.setattr(mlflow, "MlflowClient", lambda _: client)
    result = benison.evaluate(taxi_like(100), config("BinaryAccuracy"))
    with pytest.raises(PublishError, match="MLflow did not take it"):
        publish(result, ["mlflow"])  # whose client cannot log
    assert ended == [("7", "FAILED")]
