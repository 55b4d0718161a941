# SPDX-License-Identifier: Apache-2.0
"""Errors of workers, as they reach the process that waits for them."""

from __future__ import annotations

import pickle

from benison.errors import BenisonError, DataError


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
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
