# SPDX-License-Identifier: Apache-2.0
"""Errors of workers and of the engine that has them, as they reach the process that waits for them."""

from __future__ import annotations

import pickle
import re
from typing import Any

from benison.errors import BenisonError, DataError, RunnerError

_NOT_THERE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_INSTALL = (
    "Benison and what its models need must be installed where the workers run, in the same version. "
    "Name their interpreter with --conf={}=PATH where it is another than the command's. Nothing was written."
)


def portable(error: Exception, path: str = "") -> Exception:
    """The error, or one with its words where it cannot travel.

    Args:
        error: What ended the work.
        path: The file whose rows were worked on, which is named unless the error does so.
    """
    where = f"This happened with rows of {path}."
    if type(error) is DataError and path not in str(error):
        error = DataError(f"{str(error).rstrip('.')}. {where}")
    elif path and not isinstance(error, BenisonError):
        error.add_note(where)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:
        return _in_words(error)
    return error


def _in_words(error: Exception) -> RuntimeError:
    words = RuntimeError(f"{type(error).__name__}: {error}")
    for note in getattr(error, "__notes__", ()):
        words.add_note(str(note))
    return words


def ended(engine: str, message: str, reason: str, advice: str, interpreter: str) -> RunnerError:
    """That an engine ended the job for a reason of its own.

    Args:
        engine: Its name.
        message: All that it says.
        reason: What of it says why; it may be empty.
        advice: What can be done.
        interpreter: The setting that names the workers' interpreter.
    """
    missing = _NOT_THERE.search(message)
    if missing:
        why = f"its workers have no module {missing[1]!r}"
        return RunnerError(f"{engine} ended the job: {why}. {_INSTALL.format(interpreter)}")
    why = reason.strip()[:500].rstrip(". ") or "it does not say why"
    return RunnerError(f"{engine} ended the job: {why}. {advice}")


def lines_of(error: Any) -> list[str]:
    """The lines of what an engine says that hold anything."""
    return [line.strip() for line in str(error).splitlines() if line.strip()]
