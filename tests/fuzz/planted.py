# SPDX-License-Identifier: Apache-2.0
"""An entry with faults that are put there, for the tests of the fuzzer itself."""

from __future__ import annotations

import os
import signal

from benison.errors import DataError
from tests.fuzz.cases import Case, WrongError

FAULTS = ("none", "refusal", "exception", "signal", "loop", "exit", "wrong", "terse", "memory")


def attempt(fault: str, case: Case) -> None:
    """Do what the fault is called, in the input that has its number; all others are right."""
    number = int(case.folder.joinpath("number").read_text()) if case.folder.joinpath("number").exists() else 0
    case.folder.joinpath("number").write_text(str(number + 1))
    if number != 2 or fault == "none":
        return
    match fault:
        case "refusal":
            raise DataError("data.csv has no column 'label'.")
        case "exception":
            raise KeyError("label")
        case "signal":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "loop":
            while True:
                pass
        case "exit":
            os._exit(7)
        case "wrong":
            raise WrongError("3, and not 4")
        case "terse":
            raise DataError("no")
        case "memory":
            raise DataError("data.csv cannot be read because of something.") from MemoryError()
