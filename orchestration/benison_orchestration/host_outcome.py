# SPDX-License-Identifier: Apache-2.0
"""An evaluation for the task of a host, and the outcome that it is told: small, plain, the same in each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import benison
from benison import terminal
from benison.errors import BenisonError, OutputError, is_away
from benison.evaluation.spec import read_spec
from benison.lineage import RunKey
from benison.output.blessing import read_manifest
from benison.paths import absolute, locate
from benison.results.overall import headline
from benison.validation.terms import FAIL
from benison_orchestration.airflow_spec import check_no_secrets, default_output, fields_of
from benison_orchestration.host_permission import permission_writers

_MOST = 20
_MOST_METRICS = 200


def may_pass(error: BaseException) -> bool:
    """Whether the next try may end otherwise: something is away, or the error is none of Benison's own."""
    return is_away(error) or not isinstance(error, BenisonError)


def evaluate(spec: dict[str, Any]) -> dict[str, Any]:
    """Do what a spec says, which has the run that it is for; the outcome.

    Raises:
        BenisonError: The evaluation cannot be made; nothing is blessed then.
    """
    arguments = read_spec(spec)
    if arguments.get("overwrite") is None:
        # Which replaces, where there is an output of a run, that of this run alone.
        arguments["overwrite"] = _is_of_a_run(arguments["output"])
    arguments["writers"] = [*benison.default_writers(), *permission_writers()]
    with terminal.progress() as progress:
        result = benison.evaluate(**arguments, progress=progress)
    return outcome(result, arguments)


def evaluate_as(key: RunKey, spec: Mapping[str, Any] | str, output_root: str) -> dict[str, Any]:
    """Evaluate under a key, into a folder of that key's own if the spec names none; the outcome.

    Args:
        key: What the host calls the run.
        spec: The arguments of `benison.evaluate`: a mapping, the text of a JSON document, or its path.
        output_root: Where the outputs are.

    Raises:
        BenisonError: The evaluation cannot be made; nothing is blessed then.
    """
    fields = {**dataclasses.asdict(key), **fields_of(spec)}
    check_no_secrets(fields)
    fields["output"] = fields.get("output") or default_output(output_root, key)
    return evaluate(read_spec(json.dumps(fields)))


def _is_of_a_run(output: str) -> bool:
    with suppress(OutputError):
        return bool(read_manifest(locate(output, OutputError)).get("lineage"))
    return False


def outcome(result: benison.EvalResult, arguments: dict[str, Any]) -> dict[str, Any]:
    """A result as a host keeps it: small, whatever the number of checks and slices."""
    verdict = result.verdict
    output = absolute(arguments["output"])
    failed = verdict.of_outcome(FAIL, most=_MOST)
    return {
        "status": verdict.status,
        "summary": verdict.summary(),
        "reasons": [check.reason for check in failed],
        "failures": verdict.counts[FAIL],
        "counts": verdict.counts,
        "look": verdict.look,
        "failed_checks": [_document(check) for check in failed],
        "metrics": dict(islice(headline(result).items(), _MOST_METRICS)),
        "rows": result.manifest["rows"],
        "output": output,
        "report": _report_of(output),
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


def _report_of(output: str) -> str:
    report = locate(output) / "report.html"
    return report.as_uri() if isinstance(report, Path) else str(report)
