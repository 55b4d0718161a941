# SPDX-License-Identifier: Apache-2.0
"""A store or a service that is away ends each command with a code of its own, by which a host tries again."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.errors import (
    AGAIN,
    ConfigError,
    DataError,
    MissingExtraError,
    PublishError,
    StoreAwayError,
    is_away,
)
from benison.lineage import database
from tests.conftest import config, taxi_like

NOWHERE = "gs://anonymous@b/x?endpoint_override=127.0.0.1:9&scheme=http&retry_limit_seconds=0.1"
STORE = ("--metadata", "sql+postgresql://me@127.0.0.1:9/runs")
WHY = ("--pipeline", "p", "--by", "ada", "--reason", "r")


@pytest.fixture
def output(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, a config, and the output of a run."""
    monkeypatch.setattr(database, "_ATTEMPTS", 1)
    pq.write_table(taxi_like(200), "eval.parquet")
    Path("c.json").write_text(json.dumps(config("AUC")))
    key = {"pipeline": "p", "run": "r"}
    benison.evaluate("eval.parquet", "c.json", output="out", **key)  # type: ignore[arg-type]
    return in_folder


@pytest.mark.usefixtures("output")
@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "-e", NOWHERE, "-c", "c.json", "-o", "new"),
        ("evaluate", "-e", "eval.parquet", "-c", NOWHERE.replace("x?", "x.json?"), "-o", "new"),
        ("evaluate", "-e", "eval.parquet", "-c", "c.json", "-o", NOWHERE),
        ("evaluate", "-e", "eval.parquet", "-c", "c.json", "-o", "new", "--pipeline", "p", *STORE),
        ("gate", NOWHERE),
        ("show", NOWHERE),
        ("compare", "out", NOWHERE),
        ("explain", NOWHERE),
        ("checks", NOWHERE),
        ("report", NOWHERE, "-o", "report.html"),
        ("publish", NOWHERE, "--to", "webhook=http://127.0.0.1:9"),
        ("publish", "out", "--to", "webhook=http://127.0.0.1:9"),
        ("promote", NOWHERE, "--slice", "company=a", "--metric", "AUC", "--config", "c.json"),
        ("check-config", "c.json", "--examples", NOWHERE),
        ("init", NOWHERE),
        ("drift", "eval.parquet", NOWHERE),
        ("profile", NOWHERE, "x.profile.parquet"),
        ("estimate", "eval.parquet", NOWHERE, "--label", "label", "--prediction", "prediction"),
        ("monitor", NOWHERE),
        ("power", NOWHERE, "--metric", "auc", "--fall", "0.1"),
        ("verify", NOWHERE),
        ("verify", "out", *STORE),
        ("blessings", "--pipeline", "p", *STORE),
        ("lineage", "out", *STORE),
        ("bless", "out", "--override", *WHY, *STORE),
        ("revoke", "out", *WHY, *STORE),
        ("record", "out", *STORE),
    ],
    ids=lambda words: words[0],
)
def test_a_command_that_cannot_reach_something_says_to_try_again(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == AGAIN, done.output


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StoreAwayError("The store stayed locked."), True),
        (benison.MetadataError("The run was of other data."), False),
        (ConfigError("There is no metric 'ACU'."), False),
        (DataError("gs://b cannot be read: google::cloud::Status(UNAVAILABLE: Retry"), True),
        (DataError("gs://b cannot be read: google::cloud::Status(PERMISSION_DENIED: no"), False),
    ],
)
def test_what_is_away_is_told_from_what_is_wrong(error: Exception, expected: bool) -> None:
    assert is_away(error) is expected
    error.__cause__ = urllib.error.URLError(ConnectionRefusedError())
    assert is_away(error)


def test_a_pipe_to_a_process_is_no_network() -> None:
    error = benison.ModelError("The command 'python score.py' ended with 1.")
    error.__cause__ = BrokenPipeError(32, "Broken pipe")
    assert not is_away(error)
    error.__cause__ = urllib.error.URLError(BrokenPipeError(32, "Broken pipe"))
    assert is_away(error)


@pytest.mark.parametrize("error", [ConfigError("No."), MissingExtraError("PyMySQL", "mysql")])
def test_what_is_wrong_whatever_came_before_is_not_away(error: benison.BenisonError) -> None:
    error.__context__, error.__suppress_context__ = ConnectionRefusedError(), True
    assert not is_away(error)


@pytest.mark.parametrize(("status", "expected"), [(503, True), (429, True), (404, False)])
def test_a_server_that_is_too_busy_may_be_tried_again(status: int, expected: bool) -> None:
    refused = urllib.error.HTTPError("http://h", status, "why", {}, None)  # type: ignore[arg-type]
    error = PublishError("refused")
    error.__context__, error.__suppress_context__ = refused, True  # as its text may have a password
    assert is_away(error) is expected
