# SPDX-License-Identifier: Apache-2.0
"""The command that monitors: it gates, replays, reads patterns of results, and hands alerts on."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.monitoring import (
    DETECTORS,
)
from tests.component.test_monitoring import CHANGE_AT, CONFIG, on_page, trips


def test_the_command_gates_and_replays(tmp_path: Path) -> None:
    for day in (0, *range(CHANGE_AT, CHANGE_AT + 1)):
        benison.evaluate(trips(day, "concept", 4000), CONFIG, output=tmp_path / f"day-{day:02}")
    runs, junit = sorted(map(str, tmp_path.glob("day-*"))), tmp_path / "alerts.xml"
    command = ["monitor", *runs, "--gate", "--junit", str(junit), "--page", str(tmp_path / "p")]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 1
    assert "binary_accuracy of company=Blue fell" in run.stdout
    assert "at most 2 %" in run.stdout
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert on_page((tmp_path / "p").read_text(encoding="utf-8")) == [
        ("binary_accuracy", "company=Blue", f"day-{CHANGE_AT:02}")
    ]
    as_json = CliRunner().invoke(app, ["monitor", *runs, "--json", "--detector", "ddm"])
    assert as_json.exit_code == 0
    assert json.loads(as_json.stdout)["alerts"][0]["since"] == f"day-{CHANGE_AT:02}"
    replay = CliRunner().invoke(app, ["monitor", *runs, "--replay", "--json"])
    values = json.loads(replay.stdout)
    assert values[0]["slices"][0] == "company=Blue"
    alarms: dict[str, list[int]] = {}
    for each in values:
        alarms.setdefault(each["detector"], []).append(each["alarms"])
    # The results have no specificity and no margin density.
    assert [*alarms] == [name for name in DETECTORS if name not in {"lfr", "md3"}]
    assert all(counts == sorted(counts, reverse=True) for counts in alarms.values())
    two = ["--detector", "adwin", "--detector", "ddm"]
    table = CliRunner().invoke(app, ["monitor", *runs, "--replay", *two], env={"COLUMNS": "120"})
    assert [line.split()[0] for line in table.stdout.splitlines()] == [
        "detector",
        *["adwin"] * len(alarms["adwin"]),
        *["ddm"] * len(alarms["ddm"]),
        "Where",
    ]
    refused = CliRunner().invoke(app, ["monitor", *runs, *two])
    assert (refused.exit_code, "compared by --replay" in refused.stderr) == (2, True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two evaluations, of which only the last is blessed."""
    folder = tmp_path_factory.mktemp("runs")
    failing = {**CONFIG, "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy"}]}]}
    benison.evaluate(trips(0), failing, output=folder / "1")
    benison.evaluate(trips(1), CONFIG, output=folder / "2")
    return folder


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["1"], "no slices by periods of time"),
        (["1", "2"], "Only the last result"),
        (["2", "--reference", "2"], "takes a reference and a later result"),
        (["1", "2", "--as-given", "--reference", "1", "--reference-buckets", "2"], "none is left"),
        (["nowhere/*"], "Nothing matches nowhere/*"),
    ],
)
def test_that_there_is_nothing_yet_to_watch_is_said_to_machines(
    runs: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
) -> None:
    monkeypatch.chdir(runs)
    done = CliRunner().invoke(app, ["monitor", "--json", *words])
    document = json.loads(done.output)
    assert why in document.pop("error")
    assert (done.exit_code, document) == (2, {"ok": False, "nothing_yet": True})


@pytest.mark.parametrize("words", [["1", "--time-key", "pick"], ["3"], ["1", "3"]])
def test_what_is_wrong_is_not_that_there_is_nothing_yet(
    runs: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(runs)
    done = CliRunner().invoke(app, ["monitor", "--json", *words])
    assert [*json.loads(done.output)] == ["ok", "error"]


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_a_pattern_is_of_whole_results(
    runs: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """On an object store too, where no shell expands it; what is still being written is left out."""
    pattern = f"{runs}/*"
    if scheme:
        fsspec = pytest.importorskip("fsspec")
        fsspec.filesystem("memory").put(f"{runs}/", "/evaluations/", recursive=True)
        pattern = "memory://evaluations/*"
    else:
        (runs / "3").mkdir()
    words = ["--as-given", "--metric", "binary_accuracy", "--reference", str(runs / "1")]
    done = CliRunner().invoke(app, ["monitor", "--json", pattern, *words])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.output)["buckets"]) == (2 if scheme else 1)
