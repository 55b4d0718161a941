# SPDX-License-Identifier: Apache-2.0
"""The front door: what is refused, found before data are read, all at once, with what to do."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

import benison
from benison.cli import app


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_schema_names_every_metric() -> None:
    schema = json.loads(run("schema").output)
    assert schema["title"] == "EvalConfig"
    names = schema["$defs"]["MetricConfig"]["properties"]["class_name"]["enum"]
    assert set(names) >= set(benison.registered())
    assert "slicing_specs" in schema["properties"]
    assert schema["properties"]["version"]["default"] == 1
