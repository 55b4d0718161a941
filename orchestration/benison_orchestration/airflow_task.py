# SPDX-License-Identifier: Apache-2.0
"""An evaluation for a task of Airflow, in a process or a container of its own, without Airflow.

    python -m benison_orchestration.airflow_task <spec.json

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
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import benison
from benison import terminal
from benison.errors import BenisonError, MetadataError, OutputError
from benison.evaluation.spec import read_spec
from benison.output.blessing import read_manifest
from benison.paths import absolute, locate
from benison.results.overall import headline
from benison.validation.terms import FAIL
from benison_orchestration.airflow_spec import AGAIN, RETURN, WRONG, unpacked

_MOST = 20
_MOST_METRICS = 200


def evaluate(spec: dict[str, Any]) -> dict[str, Any]:
    """Do what a spec says, which has the run that it is for; the outcome.

    Raises:
        BenisonError: The evaluation cannot be made; nothing is blessed then.
    """
    arguments = read_spec(spec)
    if arguments.get("overwrite") is None:
        # Which replaces, where there is an output of a run, that of this run alone.
        arguments["overwrite"] = _is_of_a_run(arguments["output"])
    with terminal.progress() as progress:
        result = benison.evaluate(**arguments, progress=progress)
    return outcome(result, arguments)


def _is_of_a_run(output: str) -> bool:
    with suppress(OutputError):
        return bool(read_manifest(locate(output, OutputError)).get("lineage"))
    return False


def outcome(result: benison.EvalResult, arguments: dict[str, Any]) -> dict[str, Any]:
    """A result as the task's XCom has it: small, whatever the number of checks and slices."""
    verdict = result.verdict
    output = absolute(arguments["output"])
    failed = verdict.of_outcome(FAIL, most=_MOST)
    return {
        "status": verdict.status,
        "summary": verdict.summary(),
        "reasons": [check.reason for check in failed],
        "failures": verdict.counts[FAIL],
        "failed_checks": [_document(check) for check in failed],
        "metrics": dict(islice(headline(result).items(), _MOST_METRICS)),
        "rows": result.manifest["rows"],
        "output": output,
        "report": _address(f"{output}/report.html"),
        "examples": _first(arguments["examples"]),
        "model": arguments.get("model"),
        "baseline": arguments.get("baseline"),
    }


def _document(check: benison.Check) -> dict[str, Any]:
    """What there is to say of a check, without its keys."""
    fields = {name: value for name, value in check.to_dict().items() if value not in (None, "")}
    return {name: value for name, value in fields.items() if not name.endswith("slice_key")}


def _first(examples: str | list[str]) -> list[str]:
    return [examples] if isinstance(examples, str) else examples[:_MOST]


def _address(path: str) -> str:
    location = locate(path)
    return location.as_uri() if isinstance(location, Path) else path


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
