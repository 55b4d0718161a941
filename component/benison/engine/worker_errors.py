# SPDX-License-Identifier: Apache-2.0
"""Errors of workers, as they reach the process that waits for them."""

from __future__ import annotations

import pickle

from benison.errors import BenisonError


def portable(error: Exception, path: str = "") -> Exception:
    """The error, or one with its words where it cannot travel.

    Args:
        error: What ended the work.
        path: The file whose rows were worked on, which is noted unless the error has words of Benison's.
    """
    if path and not isinstance(error, BenisonError):
        error.add_note(f"This happened with rows of {path}.")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
