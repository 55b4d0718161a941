# SPDX-License-Identifier: Apache-2.0
"""The CI files of the pages: valid by the hosts' own schemas, and their evaluation runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from benison.cli import app
from tests.test_docs import ROOT, blocks, run

PAGE = {block.title: block.text for block in blocks(ROOT / "docs" / "ci.md")}
FILES = {
    ".github/workflows/evaluate.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}


def check(file: Path, schema: str) -> int:
    """The exit code of the tool."""
    tool = pytest.importorskip("check_jsonschema")
    words = ["--builtin-schema", schema, str(file)]
    return int(tool.main(words, standalone_mode=False))


@pytest.mark.parametrize("title", FILES)
def test_a_file_is_valid(title: str, tmp_path: Path) -> None:
    file = tmp_path / "ci.yml"
    file.write_text(PAGE[title], encoding="utf-8")
    assert check(file, FILES[title]) == 0
    file.write_text(PAGE[title].replace("evaluate:", "evaluate: 7 #"), encoding="utf-8")
    assert check(file, FILES[title]) == 1


def test_no_output_of_a_step_is_put_into_a_script() -> None:
    """A name of a slice could command the shell there; a variable is only text."""
    document: Any = YAML(typ="safe").load(PAGE[".github/workflows/evaluate.yml"])
    scripts = [line for job in document["jobs"].values() for line in _steps(job)]
    assert any("$SUMMARY" in script for script in scripts)
    assert not [script for script in scripts if "${{" in script]


def lines(title: str) -> list[str]:
    """What the jobs of a file run, of which the second begins if the first has succeeded."""
    document: Any = YAML(typ="safe").load(PAGE[title])
    jobs = document.get("jobs", document)
    assert jobs["push"].get("needs", "evaluate") == "evaluate"
    assert document.get("stages", ["evaluate", "push"]) == ["evaluate", "push"]
    steps = [step for job in ("evaluate", "push") for step in _steps(jobs[job])]
    return [line for line in steps if not line.startswith("pip install")]


def _steps(job: Any) -> list[str]:
    return job.get("script") or [step["run"].strip() for step in job["steps"] if "run" in step]


@pytest.mark.slow
@pytest.mark.parametrize("title", FILES)
@pytest.mark.parametrize(("bound", "is_pushed"), [(0.9, True), (1.1, False)])
def test_from_nothing_to_a_gated_push(
    title: str, bound: float, is_pushed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    (folder / "predict.py").write_text(PAGE["predict.py"])
    (folder / "eval.yaml").write_text(PAGE["eval.yaml"].replace("0.9", str(bound)))
    printed = run(f"{' && '.join(lines(title))} || echo stopped with $?", folder)
    assert printed.endswith("pushed\n" if is_pushed else "stopped with 1\n")
    assert (folder / "out.xml").exists()


def test_the_steps_of_jenkins_evaluate_and_keep_what_they_collect(in_folder: Path) -> None:
    pages = blocks(ROOT / "docs" / "publishing.md")
    (recipe,) = [block.text for block in pages if block.language == "groovy"]
    assert recipe.count("{") == recipe.count("}")
    install, evaluate = re.findall(r"sh '([^']+)'", recipe)
    collected = re.findall(r"(?:junit|archiveArtifacts) '([^']+)'", recipe)
    Path("eval.yaml").write_text(PAGE["eval.yaml"])
    rows = ["tipped,score,company", *["1,0.9,a", "0,0.1,b"] * 20, "0,0.2,a", "1,0.8,b"]
    Path("eval.csv").write_text("\n".join(rows))
    assert install.startswith("pip install ")
    done = CliRunner().invoke(app, evaluate.split()[1:])
    assert done.exit_code == 0, done.output
    assert all([*Path().glob(pattern)] for pattern in collected)
