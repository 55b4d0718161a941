# SPDX-License-Identifier: Apache-2.0
"""A process that records one run, and that may be killed at a call to the store.

python protocol.py URL FOLDER RUN CALL      kills itself before that call, 0 is never
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from benison import lineage
from benison.lineage.store import Store
from tests.lineage.stores import BLESSED, make_run


def kill_before(call: int) -> None:
    """Let the process die, as from `kill -9`, before the given call to ML Metadata."""
    plain, count = Store._call, 0

    def counted(self: Store, *args: Any) -> Any:
        nonlocal count
        count += 1
        if count == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, *args)

    Store._call = counted  # type: ignore[method-assign]


def record(url: str, folder: Path, run_id: str) -> None:
    recorder = lineage.connect(url)
    run = make_run(folder, run_id)
    record = recorder.begin(run)
    Path(run.output).mkdir(exist_ok=True)
    (Path(run.output) / "BLESSED").touch()
    record.complete(BLESSED)


if __name__ == "__main__":
    kill_before(int(sys.argv[4]))
    record(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
