# SPDX-License-Identifier: Apache-2.0
"""Ends a command of Benison with a sentence and a code of its own when it is told to stop.

`benison/__init__` imports this module before anything that takes time, since a process that has no handler
yet ends without a word, and as the first of a container does not end at all. A program that imports
Benison keeps its own handlers.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time

TYPE_CHECKING = False  # importing typing would take longer than all that comes before `listen`
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

COMMANDS = (
    "benison",
    "benison_orchestration.host_task",
    "benison_orchestration.kubeflow_task",
)
"""What is run as `python -m ...`; the first is also a program."""
GRACE_SECONDS = 8.0
"""How long what was begun may take to be removed. Hosts wait 10 or 30 seconds before they kill."""
_LOST_SECONDS = 0.05


def listen() -> None:
    """End this process with a sentence at SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


def is_command(words: list[str]) -> bool:
    """Whether a process runs one of Benison's commands; `words` is its `sys.orig_argv`.

    >>> is_command(["python", "-X", "dev", "-m", "benison", "show", "out"])
    True
    >>> is_command(["python", "/usr/bin/benison", "show", "out"])
    True
    >>> is_command(["python", "-m", "pytest", "-m", "benison"])
    False
    """
    rest = iter(words[1:])
    for word in rest:
        if word in ("-X", "-W"):
            next(rest, None)
        elif word == "-m":
            return next(rest, "") in COMMANDS
        elif not word.startswith("-"):
            return os.path.splitext(os.path.basename(word))[0] == COMMANDS[0]
    return False


def finish(code: int) -> None:
    """From here on a signal ends the process at once, with the code of what it has done."""
    _ending.done = code


def was_stopped() -> int | None:
    """The code of the signal that has ended the process, even if some library has swallowed its exception."""
    return None if _ending.signal is None else 128 + _ending.signal


class _Ending:
    """How this process ends; there is one."""

    signal: int | None = None
    """What it was told to stop by."""
    done: int | None = None
    """The exit code of a command that is done."""
    is_lost = False
    """Whether the exception was raised where Python ignores it, such as in a callback of an import."""


_ending = _Ending()


def _stop(number: int, _frame: FrameType | None) -> None:
    if _ending.done is not None:
        os._exit(_ending.done)
    if _ending.signal is None:
        _ending.signal = number
        name = signal.Signals(number).name
        os.write(2, f"\nbenison was ended by {name} before it was done.\n".encode())
        sys.unraisablehook = _again
        sys.excepthook = _leave
        _thread.start_new_thread(_end, (128 + number,))
        raise SystemExit(128 + number)
    if _ending.is_lost:
        _ending.is_lost = False
        raise SystemExit(128 + _ending.signal)


def _again(ignored: object) -> None:
    """Raise the exception once more where it was ignored, without a word, as soon as that has been left."""
    if getattr(ignored, "exc_type", None) is SystemExit and _ending.signal is not None:
        _ending.is_lost = True
        _thread.start_new_thread(_interrupt, (_ending.signal,))


def _leave(*_exception: object) -> NoReturn:
    """End with the code of the signal, whatever some library has made of its exception on the way."""
    assert _ending.signal is not None
    os._exit(128 + _ending.signal)


def _interrupt(number: int) -> None:
    time.sleep(_LOST_SECONDS)
    _thread.interrupt_main(signal.Signals(number))


def _end(code: int) -> NoReturn:
    """End a process that waits for threads, is in a library's code, or has swallowed the exception."""
    time.sleep(GRACE_SECONDS)
    os._exit(code)


if is_command(sys.orig_argv):
    listen()
