# SPDX-License-Identifier: Apache-2.0
"""A spec on its way from a DAG to the process that evaluates, without Airflow."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import benison
from benison.lineage import RunKey
from benison_orchestration.airflow_spec import (
    check,
    check_environment,
    default_output,
    fields_of,
    packed,
    plain,
    unpacked,
)
from benison_orchestration.host_outcome import evaluate_as
from tests.conftest import config

MOST = 128 * 1024  # bytes of a variable that Linux takes
WHOLE = {"examples": "x", "config": config("AUC"), "output": "out"}


class LaterValue:
    """What Airflow puts where a task's output will be."""

    def iter_references(self) -> Any:
        return iter(())


def test_a_spec_is_what_json_has() -> None:
    given = {"examples": [Path("/data/a"), "b"], "config": benison.EvalConfig.load(config("AUC"))}
    text = json.dumps(plain(given))
    assert json.loads(text)["examples"] == ["/data/a", "b"]
    loaded = benison.EvalConfig.load(json.loads(text)["config"])
    assert loaded == benison.EvalConfig.load(config("AUC"))


def test_an_object_that_a_task_cannot_take_is_named() -> None:
    with pytest.raises(benison.ConfigError, match=r"spec.examples\[1\]: is a DataFrame"):
        plain({**WHOLE, "examples": ["x", pd.DataFrame()]})


@pytest.mark.parametrize(
    "spec",
    [
        WHOLE,
        {**WHOLE, "config": "{{ params.config }}"},
        {**WHOLE, "overwrite": "{{ params.overwrite }}"},
        {**WHOLE, "examples": LaterValue()},
        {**WHOLE, "config": {"model_specs": [{"label_key": LaterValue()}]}},
        LaterValue(),
        "{{ ti.xcom_pull('prepare') }}",
        "/specs/{{ ds }}.json",
        {**WHOLE, "metadata": "mysql://me@db/m?ssl_key=/k.pem"},
        {**WHOLE, "examples": "s3://b/a:b@c/x"},
        '{"examples": {{ params.list }}, "config": "c", "output": "o"}',
        json.dumps(WHOLE),
    ],
)
def test_what_is_not_known_yet_is_not_refused(spec: Any) -> None:
    check(plain(spec), has_output=False)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({**WHOLE, "exampels": 1}, "exampels: there is no such field"),
        ({"examples": "x", "config": {}}, "output: is missing"),
        ({**WHOLE, "overwrite": "yes"}, "overwrite: is true or false"),
        ({**WHOLE, "config": {"metric_specs": []}}, "metric_specs"),
        ({**WHOLE, "metadata": "mysql://me:secret@db/m"}, "spec.metadata: holds a password"),
        (
            {**WHOLE, "examples": ["x", "s3://me:secret@b/x"]},
            r"spec.examples\[1\]: holds a password",
        ),
        ({**WHOLE, "examples": "s3://b/x?secret_key=secret"}, "AWS_SECRET_ACCESS_KEY"),
        ({**WHOLE, "model": {"a": "https://me:secret@h/m"}}, "spec.model.a: holds a password"),
        ({**WHOLE, "output": "hdfs://me:secret@h/o"}, "spec.output: holds a password"),
        ({**WHOLE, "registry": "mlflow:http://me:secret@h"}, "MLFLOW_TRACKING_PASSWORD"),
        (
            {**WHOLE, "engine_options": ["--s3_secret_access_key=secret"]},
            r"spec.engine_options\[0\]",
        ),
        (
            {**WHOLE, "engine_options": ["--azure_connection_string", "secret"]},
            r"spec.engine_options\[0\]",
        ),
        ({**WHOLE, "config": "gs://me:secret@b/c.yaml"}, "spec.config: holds a password"),
        (json.dumps({**WHOLE, "engin": "beam"}), "engin: there is no such field"),
        ('{"examples": ', "cannot be read"),
        ("[1]", None),
    ],
)
def test_what_is_known_to_be_wrong_is_refused(spec: Any, sentence: str | None) -> None:
    if sentence is None:
        check(spec, has_output=True)  # it may be the path of a file
        return
    with pytest.raises(benison.ConfigError, match=sentence) as raised:
        check(spec, has_output=False)
    assert "secret" not in str(raised.value)
    if isinstance(spec, dict) and "secret" in str(spec):  # as Dagster and Prefect are refused it
        with pytest.raises(benison.ConfigError, match=sentence):
            evaluate_as(RunKey("p", "r"), spec, "out")


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", "abc", True),
        ("BENISON_METADATA_PASSWORD", "abc", True),
        ("AZURE_STORAGE_CONNECTION_STRING", "abc", True),
        ("hf_token", "abc", True),
        ("MLFLOW_TRACKING_URI", "http://me:abc@h", True),
        ("AWS_SECRET_ACCESS_KEY", "", False),
        ("AWS_SECRET_ACCESS_KEY", "{{ conn.s3.password }}", False),
        ("AWS_ACCESS_KEY_ID", "abc", False),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token", False),
        ("TOKENIZERS_PARALLELISM", "false", False),
    ],
)
def test_a_variable_that_is_a_secret_is_refused(name: str, value: str, is_secret: bool) -> None:
    for variables in ({name: value}, [SimpleNamespace(name=name, value=value)]):
        if is_secret:
            with pytest.raises(benison.ConfigError, match=f"env.{name}: holds .* Cure") as raised:
                check_environment(variables, "env", "Cure.")
            assert "abc" not in str(raised.value)
        else:
            check_environment(variables, "env", "Cure.")


def test_a_spec_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(WHOLE))
    assert fields_of(str(file)) == fields_of(json.dumps(WHOLE)) == fields_of(WHOLE) == WHOLE
    file.write_text("[1]")
    with pytest.raises(benison.ConfigError, match="holds list, not an object"):
        fields_of(str(file))
    with pytest.raises(benison.ConfigError, match="No such file"):
        fields_of("/nowhere.json")


@pytest.mark.parametrize("count", [1, 3_000, 200_000])
def test_a_spec_of_any_length_fits_into_variables(count: int) -> None:
    spec = {"run": "r", "examples": [f"/data/{i}.parquet" for i in range(count)]}
    variables = packed(spec)
    assert all(len(f"{name}={value}") < MOST for name, value in variables.items())
    assert unpacked({**variables, "PATH": "/bin"}) == spec


def test_a_spec_that_no_container_takes_is_refused() -> None:
    examples = [f"/data/{hash((i, 'x')):x}{hash((i, 'y')):x}" for i in range(200_000)]
    with pytest.raises(benison.ConfigError, match="bytes, which is more than a container"):
        packed({"examples": examples})


def test_nothing_packed_is_nothing() -> None:
    assert unpacked({"PATH": "/bin"}) is None


def test_task_instances_never_share_an_output() -> None:
    names = ["a", "b/c", "a/b", "c", "a%2Fb", "..", "a\\b", "a.b", "evaluation", "0"]
    outputs = {
        default_output("", RunKey(dag, "run", task, index))
        for dag in names
        for task in names
        for index in (None, 0, 1)
    }
    assert len(outputs) == 3 * len(names) ** 2
    assert all(each.count("/") == 4 and ".." not in each.split("/") for each in outputs)


def test_a_default_output_is_below_its_root() -> None:
    run = "manual__2030-01-31T00:00:00+00:00"
    assert default_output("/e/", RunKey("d", run, "t")) == f"/e/d/{run}/t/evaluation"
    assert default_output("s3://b/e", RunKey("d", run, "t", 3)) == f"s3://b/e/d/{run}/t/3"
    assert (
        default_output("s3://b/e?a=1", RunKey("d", run, "t"))
        == f"s3://b/e/d/{run}/t/evaluation?a=1"
    )
    assert default_output("/e?a=1", RunKey("d", run, "t")) == f"/e?a=1/d/{run}/t/evaluation"
