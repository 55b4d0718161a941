# SPDX-License-Identifier: Apache-2.0
"""The files that reports are written to: nothing but an older report is replaced, and nothing in a result."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from benison.cli import app
from tests.conftest import config, taxi_like


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Data, a config that is judged, and the words that evaluate them in the folder."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(taxi_like(60), "d.parquet")
    pq.write_table(pa.table({"mine": [1]}), "mine.parquet")
    Path("mine.json").write_text('{"mine": 1}', encoding="utf-8")
    Path("c.yaml").write_text(json.dumps(config("AUC")), encoding="utf-8")
    Path("mine.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    return ["evaluate", "-e", "d.parquet", "-c", "c.yaml", "-o", "out"]


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize("option", ["--junit", "--summary"])
@pytest.mark.parametrize("name", ["d.parquet", "c.yaml", "mine.csv", "mine.json"])
def test_a_report_of_an_evaluation_replaces_no_file_of_another_kind(
    inputs: list[str], option: str, name: str
) -> None:
    before = Path(name).read_bytes()
    done = run(*inputs, option, name)
    assert done.exit_code == 2
    assert f"{name} is there and is not" in " ".join(done.stderr.split())
    assert Path(name).read_bytes() == before
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["report", "out", "--output"], "mine.parquet"),
        (["report", "out", "--output"], "c.yaml"),
        (["gate", "out", "--junit"], "mine.json"),
        (["publish", "out", "--to", "prometheus="], "mine.parquet"),
        (["publish", "out", "--to", "dvc="], "mine.json"),
    ],
)
def test_nor_do_other_commands(inputs: list[str], words: list[str], name: str) -> None:
    pytest.importorskip("prometheus_client")
    assert run(*inputs).exit_code == 0
    before = Path(name).read_bytes()
    *words, last = words
    done = run(*words, *([last + name] if last.endswith("=") else [last, name]))
    assert done.exit_code == 2
    assert "is there and is not" in " ".join(done.stderr.split())
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["gate", "out", "--junit", "out/verdict.json"],
        ["gate", "out", "--summary", "out/new.md"],
        ["gate", "out", "--summary", "out/new/deep/page.md"],
        ["report", "out", "--output", "out/new/page.html"],
        ["report", "out", "--output", "out/report.html"],
        ["publish", "out", "--to", "dvc=link/metrics.json"],
    ],
)
def test_nothing_is_written_into_a_result(inputs: list[str], words: list[str]) -> None:
    run(*inputs)
    Path("link").symlink_to("out")
    Path("out/new").mkdir()  # which no digest knows
    done = run(*words)
    assert done.exit_code == 2
    assert "sealed as it is" in " ".join(done.stderr.split())
    assert run("verify", "out").exit_code in {0, 1}  # 2 where a byte differs


@pytest.mark.parametrize("option", ["--junit", "--summary"])
@pytest.mark.parametrize("name", ["out/report.md", "./out/deep/report.md"])
def test_nor_into_one_that_is_to_be_made(inputs: list[str], option: str, name: str) -> None:
    done = run(*inputs, option, name)
    assert done.exit_code == 2
    assert "would be in the output out" in " ".join(done.stderr.split())
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "name", "content"),
    [
        (["gate", "out", "--junit"], "pom.xml", '<?xml version="1.0"?>\n<project></project>'),
        (["report", "out", "--output"], "README.md", "<!-- title -->\n# Mine\n"),
    ],
)
def test_marks_that_several_kinds_begin_with_tell_none(
    inputs: list[str], words: list[str], name: str, content: str
) -> None:
    run(*inputs)
    Path(name).write_text(content, encoding="utf-8")
    assert run(*words, name).exit_code == 2
    assert Path(name).read_text(encoding="utf-8") == content


def test_older_reports_are_replaced_and_summaries_added_to(inputs: list[str]) -> None:
    pytest.importorskip("prometheus_client")
    Path("page.md").write_text("# Mine\n", encoding="utf-8")
    reports = ["--junit", "junit.xml", "--summary", "page.md"]
    targets = ["--publish", "dvc=metrics.json", "--publish", "prometheus=b.prom"]
    for _ in range(2):
        done = run(*inputs, "--overwrite", *reports, *targets)
        assert done.exit_code == 0, done.output
        assert run("report", "out", "--output", "page.html").exit_code == 0
    assert Path("page.md").read_text(encoding="utf-8").startswith("# Mine\n\n##")


def test_a_link_to_a_result_stays_and_what_it_leads_to_is_replaced(inputs: list[str]) -> None:
    Path("elsewhere").mkdir()
    assert run(*inputs[:-1], "elsewhere/run-1").exit_code == 0
    Path("out").symlink_to("elsewhere/run-1")
    first = Path("elsewhere/run-1/manifest.json").read_bytes()
    assert run(*inputs, "--overwrite").exit_code == 0
    assert os.readlink("out") == "elsewhere/run-1"
    assert Path("elsewhere/run-1/manifest.json").read_bytes() != first
    assert [path.name for path in Path("elsewhere").iterdir()] == ["run-1"]
    assert not [path for path in Path.cwd().iterdir() if path.name.startswith(".")]
