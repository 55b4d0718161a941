# SPDX-License-Identifier: Apache-2.0
"""Processes that record a run each, and that may be killed at a call to the store.

    python -m tests.lineage.protocol

reads lines, each a list of the runs that shall be recorded at once: [url, folder, run, call, password]. It forks a
process for each, which kills itself before that call (0 is never), and answers with how each has ended:
[exit code, what it printed].
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Engine

from benison import lineage
from benison.lineage.connection import PASSWORD_VARIABLE
from benison.lineage.store import Store
from tests.lineage import forks
from tests.lineage.stores import BLESSED, make_run


def before_each_call(hear: Callable[[], None]) -> None:
    """Call `hear` before each call to ML Metadata, and before each statement and commit of a database."""
    plain = Store._call

    def heard(self: Store, *args: Any) -> Any:
        hear()
        return plain(self, *args)

    Store._call = heard  # type: ignore[method-assign]
    for name in ("before_cursor_execute", "commit"):
        sqlalchemy.event.listen(Engine, name, lambda *_: hear())


def record(url: str, folder: Path, run_id: str, kill_before: int) -> int:
    """Record a run; how many calls to the store that took. Dies, as from `kill -9`, before the given one."""
    calls: list[int] = []

    def counted() -> None:
        calls.append(1)
        if len(calls) == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)

    before_each_call(counted)
    recorder = lineage.connect(url)
    run = make_run(folder, run_id)
    written = recorder.begin(run)
    Path(run.output).mkdir(exist_ok=True)
    (Path(run.output) / "BLESSED").touch()
    written.complete(BLESSED)
    return len(calls)


def child(url: str, folder: str, run: str, call: int, password: str) -> forks.Child:
    def act() -> None:
        os.environ[PASSWORD_VARIABLE] = password
        print(record(url, Path(folder), run, call))

    return forks.Child(act)


def ended(process: forks.Child) -> tuple[int, str]:
    code = process.wait()
    return code, process.out if code == 0 else process.err


if __name__ == "__main__":
    forks.prepare()
    for line in sys.stdin:
        processes = [child(*words) for words in json.loads(line)]
        print(json.dumps([ended(process) for process in processes]), flush=True)
