# SPDX-License-Identifier: Apache-2.0
"""The CI files of the pages: valid by the hosts' own schemas, and their evaluation runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.csv
import pytest
from ruamel.yaml import YAML

from tests.conftest import taxi_like
from tests.test_docs import ROOT, blocks, run

PAGE = {block.title: block.text for block in blocks(ROOT / "docs" / "hosts.md")}
FILES = {
    ".github/workflows/evaluate.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}
CONFIG = """
model_specs: [{label_key: label, prediction_key: prediction}]
metrics_specs: [{metrics: [{class_name: AUC, threshold: {value_threshold: {lower_bound: BOUND}}}]}]
"""


def check(file: Path, schema: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("check_jsonschema")
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("title", FILES)
def test_a_file_is_valid(title: str, tmp_path: Path) -> None:
    file = tmp_path / "ci.yml"
    file.write_text(PAGE[title], encoding="utf-8")
    checked = check(file, FILES[title])
    assert checked.returncode == 0, checked.stdout
    file.write_text(PAGE[title].replace("evaluate:", "evaluate: 7 #"), encoding="utf-8")
    assert check(file, FILES[title]).returncode == 1


def evaluations(title: str) -> list[str]:
    """The commands of a file that evaluate."""
    document: Any = YAML(typ="safe").load(PAGE[title])
    job = document.get("jobs", document)["evaluate"]
    lines = job.get("script") or [step.get("run", "") for step in job["steps"]]
    return [line for line in lines if "benison evaluate" in line]


@pytest.mark.parametrize("title", FILES)
@pytest.mark.parametrize(("bound", "code"), [(0.5, 0), (0.999, 1)])
def test_the_step_of_a_file_passes_when_the_model_is_blessed(
    title: str, bound: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    pyarrow.csv.write_csv(taxi_like(200).select(["label", "prediction"]), folder / "eval.csv")
    (folder / "eval.yaml").write_text(CONFIG.replace("BOUND", str(bound)))
    (command,) = evaluations(title)
    assert run(f"{command.strip()}{os.linesep}echo code=$?", folder).endswith(f"code={code}\n")
    assert (folder / "out.xml").exists()
