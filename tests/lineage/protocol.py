# SPDX-License-Identifier: Apache-2.0
"""A process that records one run, and that may be killed at a call to the store.

python protocol.py URL FOLDER RUN CALL      kills itself before that call, 0 is never
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Engine

from benison import lineage
from benison.lineage.store import Store
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


def kill_before(call: int) -> None:
    """Let the process die, as from `kill -9`, before the given call."""
    count = 0

    def counted() -> None:
        nonlocal count
        count += 1
        if count == call:
            os.kill(os.getpid(), signal.SIGKILL)

    before_each_call(counted)


def record(url: str, folder: Path, run_id: str) -> None:
    recorder = lineage.connect(url)
    run = make_run(folder, run_id)
    written = recorder.begin(run)
    Path(run.output).mkdir(exist_ok=True)
    (Path(run.output) / "BLESSED").touch()
    written.complete(BLESSED)


if __name__ == "__main__":
    kill_before(int(sys.argv[4]))
    record(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
