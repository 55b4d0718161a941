# SPDX-License-Identifier: Apache-2.0
"""Has an evaluation wait, before it publishes, until whoever asked for it says that it is still wanted.

A pod goes on when the task that asked for it was stopped, or its worker was lost. So it asks in its log when
all is evaluated, and publishes when the file is there that the variable BENISON_PERMISSION names.
"""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from benison.errors import OutputError

PERMISSION = "BENISON_PERMISSION"
"""The variable with the file that says that the evaluation is wanted; without it nobody is asked."""
ASKS = "All is evaluated. Before it is published, the task that asked for it has to say that it still waits."
"""The line of the log by which an evaluation asks, again and again."""
ASKED_SECONDS = 5.0
"""How often it asks."""
PATIENCE_SECONDS = 3_600.0
"""How long it waits for the answer; a worker that goes on with a task may have to be waited for, too."""
_STEP_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class PermissionWriter:
    """The last of the writers, which writes nothing.

    Args:
        file: It is there when the evaluation is wanted.
    """

    file: Path
    stage_name: str = "WaitForPermission"

    def write(self, evaluation: dict[str, Any], directory: Path) -> None:
        """Wait for the file.

        Raises:
            OutputError: It has not come, so that nothing may be published.
        """
        asked, ends = 0.0, time.monotonic() + PATIENCE_SECONDS
        while not self.file.exists():
            moment = time.monotonic()
            if moment > ends:
                raise OutputError(
                    "The task that asked for this evaluation has not said that it still waits for it, so "
                    "nothing was published. Evaluate again."
                ) from TimeoutError()
            if not asked or moment - asked > ASKED_SECONDS:
                print(ASKS, flush=True)
                asked = moment
            time.sleep(_STEP_SECONDS)


def permission_writers() -> list[PermissionWriter]:
    """The writer that waits for the host of this process, if it has one that has to be asked."""
    return [PermissionWriter(Path(os.environ[PERMISSION]))] if os.environ.get(PERMISSION) else []
