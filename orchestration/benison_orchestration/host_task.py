# SPDX-License-Identifier: Apache-2.0
"""An evaluation for a task of Airflow or Argo, in a process or a container of its own, without either.

    python -m benison_orchestration.host_task <spec.json

The spec names the run that it is for. It comes by standard input, or packed in the environment, which is
the only way into a container. The outcome goes into the file that BENISON_RETURN
names: the verdict, the first reasons, and the numbers on all data. An evaluation that cannot be done exits
with 2 and its reason; with 75 if a metadata store or an object store was away, and may be back at the next.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from benison import terminal
from benison.errors import AGAIN, BenisonError
from benison.evaluation.spec import read_spec
from benison_orchestration.airflow_spec import (
    RETURN,
    WRONG,
    check_no_secrets,
    fields_of,
    unpacked,
)
from benison_orchestration.host_outcome import evaluate, may_pass


def main() -> int:
    """The command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        document = evaluate(_spec())
    except BenisonError as error:
        return _refused(error, AGAIN if may_pass(error) else WRONG)
    path = Path(os.environ[RETURN])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    return 0


def _spec() -> dict[str, Any]:
    """What the environment or standard input asks for.

    Raises:
        ConfigError: It cannot be read, has a value of the wrong type, or holds a password.
    """
    packed = unpacked(os.environ)
    fields = fields_of(sys.stdin.read()) if packed is None else packed
    check_no_secrets(fields)
    return read_spec(json.dumps(fields))


def _refused(error: BenisonError, code: int) -> int:
    print(f"error: {terminal.plain_lines(str(error))}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
