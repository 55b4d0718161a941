# SPDX-License-Identifier: Apache-2.0
"""What GitHub shows of a step, and hands to the steps after it: annotations and outputs.

A step runs where GITHUB_ACTIONS is `true`. Annotations are lines of the log, so they go to standard error,
where no document for machines is.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from benison.errors import OutputError, visible
from benison.results.result import EvalResult
from benison.validation.terms import FAIL
from benison.validation.verdict import BLESSED

MAX_CHECKS = 9  # GitHub shows ten annotations of a step, of which one is the summary
_TITLE = "Benison"
_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}


def is_step() -> bool:
    """Whether this runs in a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def show(result: EvalResult, gate: bool) -> None:
    """Annotate the step with a verdict, and set the step's outputs; elsewhere it does nothing.

    The outputs are `verdict`, `summary`, `failures` (how many checks failed), `failed_checks` (the first, as
    a JSON list of metric, slice and reason), `output` and `report`.

    Args:
        result: What was evaluated.
        gate: Whether the step fails with the verdict: its annotations are then errors, and else warnings.

    Raises:
        OutputError: The file of the outputs cannot be written.
    """
    if not is_step():
        return
    level = "error" if gate else "warning"
    if result.verdict.status != BLESSED:
        _annotate(level, result.verdict.summary())
        for check in result.verdict.of_outcome(FAIL, most=MAX_CHECKS):
            _annotate(level, visible(check.reason))
    if path := os.environ.get("GITHUB_OUTPUT"):
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.writelines(_outputs(result))
        except OSError as error:
            raise OutputError(f"The outputs of the step cannot be written: {error}.") from error


def show_error(text: str) -> None:
    """Annotate the step with what kept it from a verdict; elsewhere it does nothing."""
    if is_step():
        _annotate("error", text)


def _annotate(level: str, text: str) -> None:
    data = "".join(_IN_DATA.get(character, character) for character in text)
    print(f"::{level} title={_TITLE}::{data}", file=sys.stderr, flush=True)


def _outputs(result: EvalResult) -> Iterator[str]:
    """The lines of GitHub's file, in which a text ends where a word comes that is in no text."""
    verdict = result.verdict
    failed = verdict.of_outcome(FAIL, most=MAX_CHECKS)
    values = {
        "verdict": verdict.status,
        "summary": visible(verdict.summary()),
        "failures": str(verdict.counts[FAIL]),
        "failed_checks": json.dumps(
            [{"metric": c.metric, "slice": c.slice, "reason": c.reason} for c in failed]
        ),
        "output": str(result.path),
        "report": "" if result.path is None else str(result.path / "report.html"),
    }
    end = f"end-{uuid.uuid4().hex}"
    for name, value in values.items():
        yield f"{name}<<{end}\n{value}\n{end}\n"
