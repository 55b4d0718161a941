# SPDX-License-Identifier: Apache-2.0
"""The front door: what is refused, found before data are read, all at once, with what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from tests.conftest import config, taxi_like

TRIPS = taxi_like(50)
LOW = {"value_threshold": {"lower_bound": 0.5}}
CROSSING = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["hour"]}]}
FALL = {"change_threshold": {"absolute": -0.1, "direction": 1}}
CROSSED = {"cross_slicing_specs": [CROSSING], "threshold": {**FALL, "evidence": "worse"}}


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def words_of(result: Any) -> str:
    return " ".join(result.output.split())


def faults_of(made: Any, examples: Any = TRIPS, **more: Any) -> dict[str, str]:
    with pytest.raises(benison.ConfigError) as raised:
        benison.evaluate(examples, made, **more)
    faults = dict(raised.value.faults)
    assert len(faults) == len(raised.value.faults)
    return faults


def checked(folder: Path, made: Any, *more: Any) -> Any:
    (folder / "eval.json").write_text(json.dumps(made))
    return run("check-config", folder / "eval.json", *more)


def test_the_schema_names_every_metric() -> None:
    schema = json.loads(run("schema").output)
    assert schema["title"] == "EvalConfig"
    names = schema["$defs"]["MetricConfig"]["properties"]["class_name"]["enum"]
    assert set(names) >= set(benison.registered())
    assert "slicing_specs" in schema["properties"]
    assert schema["properties"]["version"]["default"] == 1


# All at once.


def test_faults_of_every_kind_come_in_one_round(tmp_path: Path) -> None:
    made = {
        "model_specs": [{"label_key": "lable", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["company", "hours"]}],
        "metrics_specs": [
            {"metrics": [
                {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": "high"}}},
                {"class_name": "acc"},
                {"class_name": "Recall", "config": {"threshold": 0.5}},
            ]},
        ],
        "options": {"min_slice_size": -1},
    }  # fmt: skip
    expected = {
        "metrics_specs[0].metrics[0].threshold.value_threshold.lower_bound": "expected a number",
        "options.min_slice_size": "expected a number that is at least 0",
        "metrics_specs[0].metrics[1]": "Did you mean 'BinaryAccuracy'?",
        "metrics_specs[0].metrics[2]": "Did you mean 'thresholds'?",
        "model_specs[0].label_key": "the data have no column 'lable'. Did you mean 'label'?",
        "slicing_specs[1]": "'hours' is not a column of the data. Did you mean 'hour'?",
    }
    actual = faults_of(made)
    assert set(actual) == set(expected)
    for path, sentence in expected.items():
        assert sentence in actual[path]
    pq.write_table(TRIPS, tmp_path / "eval.parquet")
    result = checked(tmp_path, made, "--examples", tmp_path / "eval.parquet")
    assert result.exit_code == 2
    for path, sentence in expected.items():
        assert f"{path}: " in words_of(result)
        assert sentence in words_of(result)


def test_places_are_those_that_the_user_wrote() -> None:
    """Elements that are cut out, specs that the defaults add or take away: the numbers stay."""
    made = {
        "model_specs": [
            {"name": "old", "is_baseline": True, "label_key": "x", "prediction_key": "prediction"},
            {"name": "new", "label_key": "y", "prediction_key": "prediction"},
        ],
        "metrics_specs": [
            {"model_names": ["old"], "metrics": [{"class_name": "AUC"}]},
            {"model_names": ["new"], "metrics": [7, {"class_name": "Recal"}]},
        ],
    }
    assert set(faults_of(made)) == {
        "model_specs[0].label_key",
        "model_specs[1].label_key",
        "metrics_specs[1].metrics[0]",
        "metrics_specs[1].metrics[1]",
    }
    alone = {**config("AUC", model={"label_key": "x", "prediction_key": "y"})}
    assert set(faults_of(alone)) == {"model_specs[0].label_key", "model_specs[0].prediction_key"}


def test_a_fault_does_not_bring_others_that_are_not_there() -> None:
    misspelt = config("AUC", spec={"thresholds": {"auc": LOW}})
    misspelt["metrics_specs"][0]["metrics"][0]["clas_name"] = "x"
    misspelt["model_specs"][0]["label_kye"] = misspelt["model_specs"][0].pop("label_key")
    assert set(faults_of(misspelt)) == {
        "metrics_specs[0].metrics[0].clas_name",
        "model_specs[0].label_kye",
    }


def test_data_that_are_not_there_are_one_more_fault(tmp_path: Path) -> None:
    actual = faults_of(config("acc"), str(tmp_path / "no.parquet"))
    assert set(actual) == {"metrics_specs[0].metrics[0]", "examples"}
    assert "does not exist" in actual["examples"]
    with pytest.raises(benison.DataError, match="does not exist"):
        benison.evaluate(str(tmp_path / "no.parquet"), config("AUC"))


# Models and arguments.


@pytest.mark.parametrize("model", [5, {"": 5}, {"": [1]}])
def test_what_is_no_model_is_refused(model: Any) -> None:
    made = config("AUC", model={"prediction_key": ""})
    (fault,) = faults_of(made, model=model).items()
    assert fault[0] in ("model", "model['']")
    assert "a function of a data frame, or an object with predict()" in fault[1]


def test_what_is_missing_says_what_to_type(tmp_path: Path) -> None:
    result = run("evaluate", "--examples", "eval.parquet", "--config", "eval.yaml")
    assert result.exit_code == 2
    assert "output: is missing. Say --output out, or -o out, a folder to write" in words_of(result)
    text = words_of(run("evaluate"))
    assert "examples: is missing. Say --examples eval.parquet" in text
    assert "config: is missing. Say --config eval.yaml" in text


def test_a_spec_that_is_nested_without_end() -> None:
    result = run("evaluate", "--spec", '{"config": ' + "[" * 200_000)
    assert result.exit_code == 2
    assert "is nested more than 100 deep" in words_of(result)


@pytest.mark.parametrize("command", ["evaluate", "gate"])
def test_a_gate_without_thresholds_says_how_one_is_written(tmp_path: Path, command: str) -> None:
    pq.write_table(TRIPS, tmp_path / "eval.parquet")
    (tmp_path / "eval.json").write_text(json.dumps(config("AUC")))
    where = ("--examples", tmp_path / "eval.parquet", "--config", tmp_path / "eval.json")
    result = run("evaluate", *where, "--output", tmp_path / "out", "--gate")
    if command == "gate":
        result = run("gate", tmp_path / "out")
    assert result.exit_code == 1
    assert "A gate passes what a threshold has passed. Give a metric of the config one" in words_of(result)  # fmt: skip
    assert "threshold: {value_threshold: {lower_bound: 0.8}}" in words_of(result)


@pytest.mark.parametrize("name", ["manifest.json", "BLESSED", "verdict.json", "config.json"])
def test_results_that_are_nested_without_end(tmp_path: Path, name: str) -> None:
    made = config({"class_name": "ExampleCount", "threshold": LOW})
    benison.evaluate(TRIPS, made, output=tmp_path / "out")
    (tmp_path / "out" / name).write_text("[" * 200_000)
    for command in ("show", "verify", "gate"):
        result = run(command, tmp_path / "out")
        assert result.exit_code == 2, (command, result.output[-500:])
        assert name in words_of(result)


def test_a_graph_that_reaches_out_is_evaluated_when_its_ops_are_trusted(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    tf = tensorflow()

    def scores(prediction: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "written"), "x")]):
            return {"y": tf.identity(prediction)}

    spec = tf.TensorSpec([None], tf.float64, "prediction")
    call = tf.function(scores, input_signature=[spec], autograph=False)
    tf.saved_model.save(tf.Module(), str(tmp_path / "model"), signatures=call)
    made = config("MeanPrediction", model={"prediction_key": ""})
    with pytest.raises(benison.ModelError, match=r"ops WriteFile.* --trust-ops"):
        benison.evaluate(TRIPS, made, model=tmp_path / "model")
    (tmp_path / "written").unlink(missing_ok=True)
    assert benison.evaluate(TRIPS, made, model=tmp_path / "model", trust_ops=True)
    assert (tmp_path / "written").exists()


def test_slicing_by_an_id_is_said_with_what_to_do(tmp_path: Path) -> None:
    table = taxi_like(2_000)
    numbered = table.append_column("trip", pa.array(range(len(table))))
    made = config("AUC", slices=({}, {"feature_keys": ["hour"]}, {"feature_keys": ["trip"]}))
    pq.write_table(numbered, tmp_path / "eval.parquet")
    (tmp_path / "eval.json").write_text(json.dumps(made))
    where = ("--examples", tmp_path / "eval.parquet", "--config", tmp_path / "eval.json")
    for text in (words_of(run("evaluate", *where, "-o", tmp_path / "out")), words_of(run("show", tmp_path / "out"))):  # fmt: skip
        assert "2,000 of 2,025 slices have one example each, most of them of trip." in text
        assert "take trip out of slicing_specs, or leave small slices out" in text
        assert "options: {min_slice_size: 30}" in text
    quiet = benison.evaluate(numbered, {**made, "options": {"min_slice_size": 30}})
    (advice,) = quiet.manifest["advice"]
    assert advice.startswith("2,000 slices have fewer than 30 examples and are in no output")


HIDDEN = {
    "class_name": "AUC",
    "config": {"name": "_auc"},
    "threshold": {"value_threshold": {"lower_bound": 0.99}},
}


@pytest.mark.parametrize(
    ("made", "location", "sentence"),
    [
        (config(HIDDEN), "metrics_specs[0].metrics[0]", "'_auc', which begins with an underscore"),
        (
            config("AUC", options={"column_types": {"zpi": "string"}}),
            "options.column_types.zpi",
            "Did you mean 'zip'?",
        ),
        ({**config("AUC"), "metrics_specs": [{}, {}]}, "metrics_specs", "no metric is asked for"),
    ],
)
def test_what_would_be_without_effect_is_refused(made: Any, location: str, sentence: str) -> None:
    table = pa.table({"label": [1.0, 0.0], "prediction": [0.9, 0.2], "zip": [1, 2]})
    with pytest.raises(benison.ConfigError) as raised:
        benison.evaluate(table, made)
    ((path, text),) = raised.value.faults
    assert path == location
    assert sentence in text


def test_that_few_rows_have_a_label_is_said() -> None:
    labels = [1.0, *[None] * 98, 0.0]
    table = pa.table({"label": labels, "prediction": [0.5] * 100})
    result = benison.evaluate(table, config("AUC", slices=({},)))
    assert result.manifest["advice"] == [
        "98 of 100 labels are missing. What looks at labels rests on the other rows alone."
    ]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "eval.parquet")
    with pytest.raises(benison.DataError, match="is a pipe or a device"):
        benison.evaluate(tmp_path / "eval.parquet", config("AUC"))
