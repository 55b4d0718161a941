# SPDX-License-Identifier: Apache-2.0
"""The local host: a spec in, the same results as the function."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison_orchestration import local
from tests.conftest import config


def test_a_spec_gives_what_the_function_gives(trips: pa.Table, in_folder: Path) -> None:
    pq.write_table(trips, "eval.parquet")
    spec = {"examples": ["eval.parquet"], "config": config("AUC"), "output": "out"}
    Path("spec.json").write_text(json.dumps(spec))
    result = local.run("spec.json")
    assert result.value("auc") == benison.evaluate("eval.parquet", config("AUC")).value("auc")
    assert benison.load_result("out").value("auc") == result.value("auc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": None}, "output: is missing."),
        ({"output": 5}, "output: is a text, not 5."),
        ({"overwrite": "no"}, "overwrite: is true or false, not 'no'."),
        ({"model": 3}, "model: is a path, or paths by the names of model_specs, not 3."),
        ({"baseline": ["a"]}, r"baseline: is a text, not \['a'\]."),
        ({"engine_options": "--x"}, "engine_options: is a list of texts"),
        ({"writers": ["x"]}, "writers: is made of Python objects"),
    ],
)
def test_json_of_another_type_is_refused(
    in_folder: Path, change: dict[str, object], message: str
) -> None:
    spec = {"examples": ["eval.parquet"], "config": config("AUC"), "output": "out", **change}
    with pytest.raises(benison.ConfigError, match=message):
        local.run(json.dumps(spec))


def test_a_wrong_spec_says_all_that_is_wrong(in_folder: Path) -> None:
    with pytest.raises(benison.ConfigError) as raised:
        local.run({"exampels": [], "config": {}})
    assert "Did you mean 'examples'?" in str(raised.value)
    assert "output: is missing." in str(raised.value)
    Path("list.json").write_text("[]")
    with pytest.raises(benison.ConfigError, match="holds list, not an object"):
        local.run("list.json")
    with pytest.raises(benison.ConfigError, match="nothing.json cannot be read"):
        local.run("nothing.json")
    with pytest.raises(benison.ConfigError, match="The spec that was given cannot be read"):
        local.run('{"examples": ')
