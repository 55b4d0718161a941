# SPDX-License-Identifier: Apache-2.0
"""What other repositories take from this one: the action of GitHub, whose script runs here, and hooks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from benison.cli import app
from tests.conftest import config, taxi_like
from tests.sinks.test_publishing import Server, server

__all__ = ["server"]
ROOT = Path(__file__).resolve().parents[2]
HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.999}}}


def read(name: str) -> Any:
    return YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8"))


def test_the_action_is_valid() -> None:
    pytest.importorskip("check_jsonschema")
    words = ("-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions")
    done = subprocess.run(
        [sys.executable, *words, str(ROOT / "action.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_input_is_text_of_a_script() -> None:
    for step in read("action.yml")["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_the_script_evaluates_annotates_and_comments(
    in_folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(taxi_like(200), "one part.parquet")
    pq.write_table(taxi_like(200, seed=1), "other.parquet")
    Path("eval.json").write_text(json.dumps(config(HIGH)))
    Path("event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
    server.answers["GET", "/repos/me/taxi/issues/7/comments"] = (200, [])
    Path("benison").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m benison "$@"\n')
    Path("benison").chmod(0o755)
    given = {
        "examples": "one part.parquet\nother.parquet\n",
        "config": "eval.json",
        "comment": "true",
        "publish": "dvc=metrics.json",
        "options": "--threads\n1",
    }
    done = _step(_inputs(given), in_folder, server)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("::error title=Benison::") == 2
    assert "verdict" in Path("outputs").read_text()
    assert "NOT BLESSED" in Path("summary.md").read_text()
    assert "Benison: not blessed" in json.loads(server.received[-1][2])["body"]
    assert json.loads(Path("metrics.json").read_text())["examples"] == 400
    assert Path("benison-output.xml").exists()


def _inputs(given: dict[str, str]) -> dict[str, str]:
    """What the action's step has in its environment, as GitHub fills it in."""
    document = read("action.yml")
    step = next(step for step in document["runs"]["steps"] if step.get("id") == "evaluate")
    inputs = {
        name: given.get(name, str(each.get("default", "")))
        for name, each in document["inputs"].items()
    }
    inputs["token"] = "t"
    names = {name: re.sub(r"\W|^inputs|inputs", "", text) for name, text in step["env"].items()}
    return {name: inputs[source] for name, source in names.items()}


def _step(
    environment: dict[str, str], folder: Path, server: Server
) -> subprocess.CompletedProcess[str]:
    step = next(s for s in read("action.yml")["runs"]["steps"] if s.get("id") == "evaluate")
    of_github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": server.address,
        "GITHUB_EVENT_PATH": "event.json",
        "GITHUB_OUTPUT": "outputs",
        "GITHUB_REPOSITORY": "me/taxi",
        "GITHUB_STEP_SUMMARY": "summary.md",
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={**os.environ, **of_github, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_hook_checks_each_config(in_folder: Path) -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    assert re.search(hook["files"], "configs/eval_taxi.yaml")
    assert not re.search(hook["files"], "configs/deploy.yaml")
    good, bad = json.dumps(config("AUC")), json.dumps(config("AUCC"))
    for name, text in {"eval.json": good, "eval_a.json": bad, "eval_b.json": bad}.items():
        Path(name).write_text(text)
    words = hook["entry"].split()[1:]
    done = CliRunner().invoke(app, [*words, "eval.json", "eval_a.json", "eval_b.json"])
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("eval")] == ["eval_b.json:"]
    assert lines[0] == "error: eval_a.json:"
    assert done.stderr.count("Did you mean 'AUC'?") == 2
    done = CliRunner().invoke(app, [*words, "eval.json", "eval.json"])
    assert done.exit_code == 0
