# SPDX-License-Identifier: Apache-2.0
"""An evaluation for a task of Airflow or Argo, in a process or a container of its own, without either.

    python -m benison_orchestration.host_task <spec.json

The spec names the run that it is for. It comes by standard input, or packed in the environment, which is
the only way into a container. The outcome goes into the file that BENISON_RETURN
names: the verdict, the first reasons, and the numbers on all data. An evaluation that cannot be done exits
with 2 and its reason; with 75 if it is the metadata store that failed, which may work at the next try.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from benison import terminal
from benison.errors import BenisonError, MetadataError
from benison_orchestration.airflow_spec import AGAIN, RETURN, WRONG, unpacked
from benison_orchestration.host_outcome import evaluate


def main() -> int:
    """The command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        document = evaluate(unpacked(os.environ) or json.load(sys.stdin))
    except MetadataError as error:
        return _refused(error, AGAIN)
    except BenisonError as error:
        return _refused(error, WRONG)
    path = Path(os.environ[RETURN])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    return 0


def _refused(error: BenisonError, code: int) -> int:
    print(f"error: {terminal.plain_lines(str(error))}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
