# SPDX-License-Identifier: Apache-2.0
"""MLflow's registry, on a server of its own: where the alias stands after each verdict and decision."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.models.registered import pinned
from benison.results.overall import headline
from benison.sinks.publishing import publish
from tests.sinks.conftest import Shelf

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]
AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.6}}}
CONFIG: dict[str, Any] = {
    "model_specs": [{"label_key": "label"}],
    "slicing_specs": [{}, {"feature_keys": ["company"]}],
    "metrics_specs": [{"metrics": [AUC]}],
}


def name() -> str:
    """A model's name that no other test has."""
    return f"taxi-{uuid.uuid4().hex[:8]}"


def evaluate(shelf: Shelf, model: str, output: str, **more: Any) -> benison.EvalResult:
    return benison.evaluate(
        "eval.parquet",
        CONFIG,
        model=model,
        output=output,
        **{"registry": shelf.url, **more},
    )


def command(*words: str) -> Any:
    return CliRunner().invoke(app, [*words])


def store(pipeline: str, run: str) -> dict[str, str]:
    return {"metadata": "sql+sqlite:///m.db?create=true", "pipeline": pipeline, "run": run}


def test_the_alias_stands_at_the_version_that_is_blessed(shelf: Shelf) -> None:
    taxi = name()
    good, bad = shelf.add(taxi, "prediction"), shelf.add(taxi, "bad")
    result = evaluate(shelf, good, "one")
    assert (result.verdict.status, result.unannounced) == ("blessed", "")
    assert result.manifest["models"][0]["path"] == good
    assert shelf.alias(taxi) == good
    assert evaluate(shelf, bad, "two").verdict.status == "not_blessed"
    assert shelf.alias(taxi) == good
    assert evaluate(shelf, good, "one", overwrite=True).verdict.blessed
    assert shelf.alias(taxi) == good


def test_a_version_that_is_blessed_no_more_loses_the_alias(shelf: Shelf) -> None:
    taxi = name()
    good = shelf.add(taxi, "prediction")
    evaluate(shelf, good, "one")
    strict = {**AUC, "threshold": {"value_threshold": {"lower_bound": 0.999}}}
    config = {**CONFIG, "metrics_specs": [{"metrics": [strict]}]}
    benison.evaluate("eval.parquet", config, model=good, output="two", registry=shelf.url)
    assert shelf.alias(taxi) is None


def test_an_alias_and_the_newest_are_the_version_that_they_are_now(shelf: Shelf) -> None:
    taxi = name()
    good, bad = shelf.add(taxi, "prediction"), shelf.add(taxi, "bad")
    evaluate(shelf, good, "one")
    config = {**CONFIG, "model_specs": [*CONFIG["model_specs"], {"name": "b", "is_baseline": True, "label_key": "label"}]}  # fmt: skip
    config["model_specs"] = [{"name": "c", "label_key": "label"}, config["model_specs"][1]]
    result = benison.evaluate(
        "eval.parquet",
        config,
        model=f"models:/{taxi}/latest",
        baseline=f"models:/{taxi}@blessed",
        output="two",
        registry=shelf.url,
    )
    paths = {m["is_baseline"]: m["path"] for m in result.manifest["models"]}
    assert paths == {False: bad, True: good}


def test_the_alias_follows_the_history_of_the_pipeline(shelf: Shelf) -> None:
    taxi = name()
    first, second = shelf.add(taxi, "prediction"), shelf.add(taxi, "old_prediction")
    evaluate(shelf, first, "one", **store("p", "1"))
    evaluate(shelf, second, "two", **store("p", "2"))
    assert shelf.alias(taxi) == second
    # An older run again is no newer blessing.
    evaluate(shelf, first, "one", **store("p", "1"))
    assert shelf.alias(taxi) == second
    where = ("--metadata", "sql+sqlite:///m.db", "--pipeline", "p", "--registry", shelf.url)
    why = ("--by", "ada", "--reason", "wrong labels")
    revoked = command("revoke", second, *where, *why)
    assert revoked.exit_code == 0, revoked.output
    assert shelf.alias(taxi) == first
    assert command("revoke", first, *where, *why).exit_code == 0
    assert shelf.alias(taxi) is None
    bad = shelf.add(taxi, "bad")
    evaluate(shelf, bad, "three", **store("p", "3"))
    assert shelf.alias(taxi) is None
    assert command("bless", bad, "--override", *where, *why).exit_code == 0
    assert shelf.alias(taxi) == bad


def test_what_is_superseded_loses_the_alias(shelf: Shelf) -> None:
    taxi = name()
    good, bad = shelf.add(taxi, "prediction"), shelf.add(taxi, "bad")
    evaluate(shelf, good, "one", **store("p", "1"))
    assert shelf.alias(taxi) == good
    evaluate(shelf, bad, "one", overwrite=True, **store("p", "1"))
    assert shelf.alias(taxi) is None


def test_two_names_in_a_pipeline_keep_an_alias_each(shelf: Shelf) -> None:
    single, other = name(), name()
    first, second = shelf.add(single, "prediction"), shelf.add(other, "prediction")
    evaluate(shelf, first, "one", **store("p", "1"))
    evaluate(shelf, second, "two", **store("p", "2"))
    worse = shelf.add(single, "bad")
    evaluate(shelf, worse, "three", **store("p", "3"))
    assert (shelf.alias(single), shelf.alias(other)) == (first, second)


def test_a_failure_is_said_and_changes_no_verdict(shelf: Shelf) -> None:
    taxi = name()
    good = shelf.add(taxi, "prediction")

    class Broken:
        def __init__(self) -> None:
            from benison import sinks

            self.real = sinks.connect(shelf.url)

        def fetching(self) -> Any:
            return self.real.fetching()

        def name_of(self, model: str) -> str:
            return self.real.name_of(model)

        def follow(self, name: str, blessed: str | None) -> None:
            raise benison.RegistryError("It is away.")

        withdraw = log = follow

    result = evaluate(shelf, good, "one", registry=Broken())
    assert result.verdict.blessed
    assert "BLESSED" in {path.name for path in Path("one").iterdir()}
    assert "the verdict stands: It is away. `benison record one" in result.unannounced
    assert shelf.alias(taxi) is None
    again = command("record", "one", "--registry", shelf.url)
    assert again.exit_code == 0, again.output
    assert shelf.alias(taxi) == good
    away = command("record", "one", "--registry", "mlflow:http://127.0.0.1:1")
    assert (away.exit_code, "did not do it" in away.output) == (75, True)


def test_no_password_is_shown(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(benison.ConfigError, match="holds a password.*MLFLOW_TRACKING_PASSWORD"):
        evaluate(shelf, "models:/a/1", "out", registry="mlflow:http://me:secret@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    with pytest.raises(benison.ModelError, match="cannot be fetched") as refused:
        evaluate(shelf, "models:/a/1", "out", registry="mlflow:")
    assert "secret" not in str(refused.value)


def test_metrics_and_report_are_logged_where_that_was_asked_for(shelf: Shelf) -> None:
    taxi = name()
    good = shelf.add(taxi, "prediction")
    url = f"{shelf.url}?alias=champion&log=true"
    result = evaluate(shelf, good, "one", registry=url)
    assert result.unannounced == ""
    assert (shelf.alias(taxi), shelf.alias(taxi, "champion")) == (None, good)
    run = shelf.run_of(good)
    assert run.data.metrics["benison/auc"] == pytest.approx(result.value("auc"))
    files = {file.path for file in shelf.client.list_artifacts(run.info.run_id, "benison")}
    assert {"benison/report.html", "benison/verdict.json"} <= files
    assert command("record", "one", "--registry", url).exit_code == 0
    assert len(shelf.client.get_metric_history(run.info.run_id, "benison/auc")) == 1


def test_the_command_evaluates_and_verifies_a_registered_model(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    taxi = name()
    good, bad = shelf.add(taxi, "prediction"), shelf.add(taxi, "bad")
    Path("eval.json").write_text(str(CONFIG).replace("'", '"'))
    words = ("--examples", "eval.parquet", "--config", "eval.json", "--output", "one")
    done = command("evaluate", "--model", good, *words, "--registry", shelf.url, "--gate")
    assert done.exit_code == 0, done.output
    assert shelf.alias(taxi) == good
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shelf.server)
    assert command("verify", "one").exit_code == 0
    assert command("verify", "one", "--model", f"models:/{taxi}@blessed").exit_code == 0
    assert command("verify", "one", "--model", bad).exit_code == 2
    assert pinned(f"models:/{taxi}@blessed") == good


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": "m.onnx"}, "m.onnx is in no registry.*models:/NAME/VERSION"),
        ({"model": None}, "predictions are in the data is in no registry"),
        ({"model": "models:/nobody/1"}, "models:/nobody/1 cannot be fetched through MLflow from"),
        ({"model": "models:/nobody@blessed"}, "models:/nobody@blessed cannot be fetched"),
        ({"model": "models:/nobody/latest"}, "no version of the model 'nobody'"),
        ({"registry": "vertex:p", "model": "models:/a/1"}, "not one of MLflow: write mlflow:http"),
        ({"registry": "mlflow:http://h?log=1", "model": "models:/a/1"}, "log=true or log=false"),
        ({"model": {"a": "models:/a/1"}}, "one candidate"),
    ],
)
def test_what_no_registry_has_is_refused_before_any_work(
    shelf: Shelf, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(benison.BenisonError, match=sentence):
        evaluate(shelf, **{"output": "out", **given})
    assert not Path("out").exists()


def test_a_result_of_any_model_is_published_as_one_run(shelf: Shelf) -> None:
    predicted = [{"label_key": "label", "prediction_key": "prediction"}]
    result = benison.evaluate("eval.parquet", {**CONFIG, "model_specs": predicted}, output="out")
    publish(result, [f"mlflow={shelf.server}", f"mlflow={shelf.server}"])
    client = shelf.client
    runs = client.search_runs([client.get_experiment_by_name("benison").experiment_id])
    (run,) = [run for run in runs if run.data.tags["benison.output"] == str(result.path)]
    assert (run.data.tags["benison.verdict"], run.info.status) == ("blessed", "FINISHED")
    logged = {name.partition("/")[2]: value for name, value in run.data.metrics.items()}
    assert logged == pytest.approx(headline(result))
    files = {each.path for each in client.list_artifacts(run.info.run_id, "benison")}
    assert files == {f"benison/{name}" for name in ("report.html", "verdict.json", "config.json")}
