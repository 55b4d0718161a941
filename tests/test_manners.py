# SPDX-License-Identifier: Apache-2.0
"""How every subcommand behaves: width, colours, streams, exit codes; and how results print themselves."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.main import get_command
from typer.testing import CliRunner

import benison
from benison import terminal
from benison.cli import app, main
from benison.terminal.pipes import outlive_readers
from tests.conftest import config, taxi_like

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
HIGH = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.99}}}
SLICES = ({}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]})
SHOWING = (
    ("show", "out"),
    ("show", "out", "--slice", "Overall"),
    ("show", "out", "--compare", "out"),
    ("checks", "out"),
    ("explain", "out", "--slice", "Overall"),
    ("compare", "out", "out"),
    ("gate", "out"),
    ("metrics",),
    ("metrics", "AUC"),
    ("check-config", "eval.json"),
    ("verify", "out"),
    ("report", "out", "-o", "r.html"),
)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data, a config and an evaluation, in which the commands run."""
    made = tmp_path_factory.mktemp("manners")
    before = Path.cwd()
    os.chdir(made)
    pq.write_table(taxi_like(500), "eval.parquet")
    Path("eval.json").write_text(json.dumps(config(HIGH, slices=SLICES)))
    benison.evaluate("eval.parquet", "eval.json", output="out")
    yield made
    os.chdir(before)


def run(*words: str, **environment: str) -> Any:
    return CliRunner().invoke(app, [*words], env={"COLUMNS": "80", **environment})


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns_and_ends_with_the_exit_codes(command: str) -> None:
    lines = run(command, "--help").output.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert re.search(r"Exit code:? 0", text)
    assert "2 wrong usage, config or data" in text or "2 when something differs" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_takes_a_store_takes_a_pipeline(command: str) -> None:
    made = get_command(app).get_command(None, command)  # type: ignore[attr-defined]
    options = {option for each in made.params for option in each.opts}
    assert ("--metadata" in options) == ("--pipeline" in options)


@pytest.mark.parametrize("command", COMMANDS)
def test_h_is_help(command: str) -> None:
    assert run(command, "-h").output == run(command, "--help").output


@pytest.mark.parametrize(
    ("words", "completed"),
    [("benison che", {"checks", "check-config"}), ("benison evaluate --conf", {"--config"})],
)
def test_a_shell_completes(words: str, completed: set[str]) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    asked["_BENISON_COMPLETE"] = "complete_bash"
    assert {
        *CliRunner().invoke(app, [], env=asked, prog_name="benison").stdout.split()
    } == completed


def test_the_schema_of_a_config_takes_configs_and_refuses_others() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(run("schema").stdout)
    jsonschema.validate(config("AUC", HIGH, slices=SLICES), schema)
    for wrong in ({**config("AUC"), "metric_specs": []}, config("AUCC")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
def test_machine_output_is_one_document_and_all_of_stdout(words: tuple[str, ...]) -> None:
    json.loads(run(*words, "--json").stdout)


@pytest.mark.parametrize("words", [("show", "nowhere"), ("check-config", "nowhere.yaml")])
def test_errors_for_people_leave_stdout_alone(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
def test_no_color_means_none_and_tables_fit_80_columns(words: tuple[str, ...]) -> None:
    colourful = run(*words, FORCE_COLOR="1", NO_COLOR="1").output
    codes = re.findall(r"\x1b\[([0-9;]*)m", colourful)
    assert {part for code in codes for part in code.split(";")} <= {"", "0", "1", "2", "3"}
    table = [line for line in run(*words).output.splitlines() if line[:1] in tuple("┏┃┡│├└╭╰")]
    assert max(map(len, table), default=0) <= 80


def test_what_python_shows_is_one_short_line() -> None:
    result = benison.load_result("out")
    made = benison.EvalConfig.load("eval.json")
    for shown in map(repr, (result, result.verdict, made)):
        assert "\n" not in shown
        assert len(shown) <= 100
    assert repr(made) == "<EvalConfig 1 model, 3 slicing specs, 1 metric>"


def test_a_log_has_one_line_of_progress_with_the_time_that_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 5.0, 20.0, 25.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with terminal.progress() as listener:
        for rows in (1_000, 2_000, 2_500):
            listener("read", rows, 8_000)
    printed = capsys.readouterr()
    line = "read: 2,000 of 8,000 rows, 100 rows/s, about 1:00 left\n"
    assert (printed.out, printed.err) == ("", line)


def test_a_reader_that_has_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        for name in ("stdout", "__stdout__"):
            monkeypatch.setattr(sys, name, stream)
        outlive_readers()
        print("read")
        sys.stdout.flush()
        assert os.read(reader, 10) == b"read\n"
        os.close(reader)
        print("lost" * 100_000, flush=True)
        assert sys.stdout is not stream


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
@pytest.mark.parametrize("words", [["metrics"], ["schema"], ["--version"], ["metrics", "--json"]])
def test_output_that_is_lost_is_said_and_ends_with_2(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benison", *words])
    for of_process in ("terminal.own_the_log", "signals.finish"):
        monkeypatch.setattr(f"benison.cli.{of_process}", lambda *_: None)
    with open("/dev/full", "w", encoding="utf-8") as stream:
        for name in ("stdout", "__stdout__"):
            monkeypatch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 2
    assert "error: Standard output cannot be written: No space" in capsys.readouterr().err


def test_a_process_without_output_prints_to_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stderr", "__stderr__"):
        monkeypatch.setattr(sys, name, None)
    outlive_readers()
    with sys.stderr:
        print("lost", file=sys.stderr, flush=True)
