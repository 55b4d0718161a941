# SPDX-License-Identifier: Apache-2.0
"""A step of GitHub Actions: its annotations and outputs, read back as the runner reads them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from benison.cli import app
from tests.conftest import config, taxi_like

AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.999}}}
SLICES = ({}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]})


@pytest.fixture
def step(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a step, whose outputs file has what an earlier command of it has written."""
    table = taxi_like(500)
    # The hour with the lowest AUC, so that the name is among the failures that are shown.
    companies = zip(table["hour"].to_pylist(), table["company"].to_pylist(), strict=True)
    others = {"company 1": "company 2"}
    names = ["a%0A::error::b" if hour == 18 else others.get(name, name) for hour, name in companies]
    at = table.schema.get_field_index("company")
    pq.write_table(table.set_column(at, "company", [names]), "eval.parquet")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(in_folder / "outputs"))
    Path("outputs").write_text("earlier=1\n")
    return in_folder


def run(*words: str, metric: Any = AUC) -> Any:
    Path("eval.json").write_text(json.dumps(config(metric, slices=SLICES)))
    words = ("evaluate", "-e", "eval.parquet", "-c", "eval.json", "-o", "out", *words)
    return CliRunner().invoke(app, [*words])


def annotations(stderr: str) -> list[tuple[str, str]]:
    """Level and text of each, as the runner reads a line of a log."""
    lines = re.findall(r"^::(error|warning|notice) title=Benison::(.*)$", stderr, re.MULTILINE)
    return [(level, _unescaped(text)) for level, text in lines]


def _unescaped(text: str) -> str:
    return text.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")


def outputs() -> dict[str, str]:
    """The outputs, as the runner reads its file: `name=value`, or lines up to a word."""
    values, lines = {}, iter(Path("outputs").read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, sign, rest = re.match(r"(\w+)(=|<<)(.*)", line).groups()  # type: ignore[union-attr]
        values[name] = rest if sign == "=" else "\n".join(iter(lines.__next__, rest))
    return values


def test_what_failed_is_annotated_and_handed_on(step: Path) -> None:
    done = run("--gate", "--json", metric=HIGH)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["verdict"]["status"] == "not_blessed"
    shown = annotations(done.stderr)
    assert len(shown) == 10  # as many as GitHub shows
    assert {level for level, _ in shown} == {"error"}
    assert shown[0][1].startswith("NOT BLESSED: 28 of 29 checks failed")
    values = outputs()
    assert values["earlier"] == "1"
    assert (values["verdict"], values["failures"], values["output"]) == ("not_blessed", "28", "out")
    failed = json.loads(values["failed_checks"])
    assert [check["reason"] for check in failed] == [text for _, text in shown[1:]]
    assert {"a%0A::error::b" in check["slice"] for check in failed} == {True, False}


def test_a_blessed_model_has_no_annotation(step: Path) -> None:
    done = run("--gate")
    assert annotations(done.stderr) == []
    assert outputs()["verdict"] == "blessed"
    assert json.loads(outputs()["failed_checks"]) == []


def test_without_a_gate_it_is_a_warning_and_the_gate_says_it_again(step: Path) -> None:
    assert {level for level, _ in annotations(run(metric=HIGH).stderr)} == {"warning"}
    gated = CliRunner().invoke(app, ["gate", "out"])
    assert gated.exit_code == 1
    assert {level for level, _ in annotations(gated.stderr)} == {"error"}


def test_no_verdict_is_an_error_and_no_output(step: Path) -> None:
    done = run("--model", "nowhere")
    assert done.exit_code == 2
    assert [(level, "nowhere" in text) for level, text in annotations(done.stderr)] == [
        ("error", True)
    ]
    assert outputs() == {"earlier": "1"}


def test_elsewhere_nothing_is_added(step: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert "::" not in run("--gate", metric=HIGH).stderr
    assert outputs() == {"earlier": "1"}
