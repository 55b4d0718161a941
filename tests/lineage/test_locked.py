# SPDX-License-Identifier: Apache-2.0
"""A store whose file another process keeps locked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benison import cli, lineage
from benison.lineage import database, store
from tests.lineage.stores import BLESSED, make_run

_HOLD = (
    "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
    "c.execute('begin ' + sys.argv[2]); print(flush=True); time.sleep(600)"
)


@pytest.fixture
def hold() -> Iterator[Callable[..., None]]:
    """Has other processes keep files of SQLite locked until the test ends."""
    with ExitStack() as holding:

        def start(file: Path, how: str) -> None:
            command = [sys.executable, "-c", _HOLD, str(file), how]
            other = holding.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            holding.callback(other.kill)
            assert other.stdout is not None
            other.stdout.readline()

        yield start


@pytest.mark.slow
@pytest.mark.parametrize("how", ["immediate", "exclusive"])
@pytest.mark.parametrize("url", ["sqlite", "sql+sqlite"], indirect=True)
def test_a_locked_file_is_named_with_what_to_do(
    url: str,
    how: str,
    tmp_path: Path,
    hold: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lineage.connect(url).begin(make_run(tmp_path)).complete(BLESSED)
    monkeypatch.setattr(store, "_OPEN_SECONDS", {"sqlite": 0.1})
    monkeypatch.setattr(store, "_LOCK_RETRIES", 1)
    monkeypatch.setattr(database, "_ATTEMPTS", 1)
    monkeypatch.setattr(database, "_LOCK_SECONDS", 0.1)
    hold(tmp_path / "meta data.db", how)
    words = ["revoke", f"{tmp_path}/out", "--pipeline", "taxi", "--by", "ada", "--reason", "r"]
    done = CliRunner().invoke(cli.app, [*words, "--metadata", url])
    assert done.exit_code == 75
    said = " ".join(done.output.split())
    assert f"is locked: another process is writing its file {tmp_path}/meta data.db, or" in said
    assert (
        f"Try again when it has ended; `fuser '{tmp_path}/meta data.db'` says which it is." in said
    )
    assert "oncurrent" not in said
