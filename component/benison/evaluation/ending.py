# SPDX-License-Identifier: Apache-2.0
"""Takes an end of the program by code that was only called for the error that it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benison import signals
from benison.errors import BenisonError


@contextmanager
def unended() -> Iterator[None]:
    """Let nothing but a signal end the program: its exit code could say that a model is blessed.

    A number above 0 says no such thing, and may come from the program's own handler of signals.

    Raises:
        BenisonError: A model, a metric or a stage called `sys.exit`.
    """
    try:
        yield
    except SystemExit as end:
        if signals.was_stopped() is not None or (isinstance(end.code, int) and end.code):
            raise
        raise BenisonError(
            f"Code of a model, of a metric or of a stage ended the program with sys.exit({end.code!r}), "
            f"before anything was judged. Take that out of it."
        ) from end
