# SPDX-License-Identifier: Apache-2.0
"""The tests of `benison report`: one run to another place, several as their history."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.cli.show import write_page
from benison.metrics import registry
from benison.metrics.counts import ExampleCount
from tests.component.test_history import carried, run
from tests.conftest import config, taxi_like


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for i in range(2):
        run(i, folder)
    return folder


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["report", *arguments])


def test_the_report_of_a_run_is_written_again(folder: Path, tmp_path: Path) -> None:
    done = command(str(folder / "run-0"), "--output", str(tmp_path / "again.html"))
    assert done.exit_code == 0, done.output
    again, first = ((tmp_path / "again.html"), (folder / "run-0/report.html"))
    same = again.read_bytes() == first.read_bytes()
    assert same  # and no difference of two large pages, which takes minutes to make


def test_the_report_of_several_runs_is_their_history(folder: Path, tmp_path: Path) -> None:
    paths = [str(folder / f"run-{i}") for i in (1, 0)]
    done = command(*paths, "--as-given", "--json", "--output", str(tmp_path / "h.html"))
    assert json.loads(done.output) == {"ok": True, "output": str(tmp_path / "h.html"), "runs": 2}
    data = carried((tmp_path / "h.html").read_text(encoding="utf-8"))
    assert [point["run"] for point in data["points"]] == ["run-1", "run-0"]


def test_a_metric_of_ones_own_need_not_be_registered_where_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(registry._REGISTRY, "Own", (Own, registry.About.of(Own)))
        for name in ("a", "b"):
            benison.evaluate(taxi_like(100), config("Own", "AUC"), output=tmp_path / name)
    runs = [str(tmp_path / name) for name in ("a", "b")]
    for words in (runs[:1], runs):
        done = command(*words, "--output", str(tmp_path / "h.html"))
        assert done.exit_code == 0, done.output
    for words in (["--metric", "own"], ["--compare", runs[1], "--metric", "own"]):
        shown = CliRunner().invoke(app, ["show", runs[0], *words])
        assert shown.exit_code == 0, shown.output
    assert benison.load_result(runs[0]).value("own") == 100


class Own(ExampleCount):
    """Rows, under another name."""

    def __init__(self) -> None:
        super().__init__(name="own")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/", "cannot be written: "),
        ("..", "cannot be written: "),
        ("", "A path is empty text"),
    ],
)
def test_a_page_that_has_no_name(folder: Path, path: str, sentence: str) -> None:
    done = command(str(folder / "run-0"), "--output", path)
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "page.html"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        write_page(str(pipe), "<p>")
        assert (os.read(reader, 9), pipe.is_fifo()) == (b"<p>", True)
    finally:
        os.close(reader)


def test_a_page_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    done = command(str(folder / "run-0"), "--output", str(tmp_path / "no" / "where.html"))
    assert done.exit_code == 2
    assert "cannot be written: " in " ".join(done.output.split())
    missing = command("nowhere", "--output", str(tmp_path / "x.html"))
    assert missing.exit_code == 2
    assert "There is no result at nowhere." in missing.output
    assert not list(tmp_path.iterdir())
