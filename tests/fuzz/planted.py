# SPDX-License-Identifier: Apache-2.0
"""An entry with faults that are put there, for the tests of the fuzzer itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from benison.errors import DataError
from tests.fuzz.cases import Case, WrongError


def attempt(fault: str, case: Case) -> None:
    """Do what the fault is called in the third input; all others are right."""
    counter = case.folder / "number"
    number = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(number + 1))
    if number == 2:
        _FAULTS[fault]()


def _refuse(sentence: str, cause: BaseException | None = None) -> Callable[[], None]:
    def refuse() -> None:
        raise DataError(sentence) from cause

    return refuse


def _raise(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _loop() -> None:
    while True:
        pass


_FAULTS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "refusal": _refuse("data.csv has no column 'label'."),
    "exception": _raise(KeyError("label")),
    "signal": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "loop": _loop,
    "exit": lambda: os._exit(7),
    "wrong": _raise(WrongError("3, and not 4")),
    "terse": _refuse("no"),
    "memory": _refuse("data.csv cannot be read because of something.", MemoryError()),
}
FAULTS = tuple(_FAULTS)
