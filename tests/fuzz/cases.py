# SPDX-License-Identifier: Apache-2.0
"""What an entry of the fuzzer is, and what one input to it may come to."""

from __future__ import annotations

import dataclasses
import importlib
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

LONGEST = 20_000
"""Characters in a sentence of an error; a longer one repeats what it was given."""


# What a damaged file asks for at once is refused at once, and nothing was taken.
_EXPLAINED = re.compile(r"deep|damaged file.* of size \d{10}|of size \d{10}.*damaged file")


class WrongError(AssertionError):
    """A result that the oracle contradicts."""


@dataclasses.dataclass
class Case:
    """One input: what it is made by, and where its files are."""

    random: Random
    folder: Path
    """Where the input may write; what other inputs left there may be overwritten."""
    shared: Path
    """What `prepare` has written, which stays as it is."""
    kept: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What a replay saves beside the files, by name."""

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.random.random() < share


@dataclasses.dataclass(frozen=True)
class Entry:
    """A public entry of the product, and inputs to it."""

    name: str
    module: str
    """The module below tests.fuzz with the function `attempt`, and `prepare` where there is one."""
    inputs: int
    """How many a whole campaign tries."""
    argument: str = ""
    """What `attempt` and `prepare` are told, where a module has several entries."""
    of_a_child: int = 1_000
    """How many one child process tries; fewer where a library keeps memory of each."""

    def load(self) -> None:
        """Import what an input needs, so that each child has it."""
        load = getattr(self._module(), "load", None)
        if load is not None:
            load()

    def prepare(self, shared: Path) -> None:
        """Write what all inputs start from."""
        prepare = getattr(self._module(), "prepare", None)
        if prepare is not None:
            prepare(self.argument, shared)

    def attempt(self, case: Case) -> None:
        """Try one input.

        Raises:
            BenisonError: It was refused.
            Exception: It is a bug.
        """
        self._module().attempt(self.argument, case)

    def _module(self) -> Any:
        return importlib.import_module(f"tests.fuzz.{self.module}")


@dataclasses.dataclass(frozen=True)
class Bug:
    """An input that came to neither a right result nor a good refusal."""

    number: int
    signature: str
    """Equal for inputs that show the same."""
    text: str


def judged(number: int, attempt: Callable[[], None]) -> tuple[str, Bug | None]:
    """What an input came to: "result", "refusal", or "bug" with the bug."""
    from benison.errors import BenisonError

    try:
        attempt()
    except BenisonError as error:
        fault = refusal_fault(error)
        if not fault:
            return "refusal", None
        return "bug", Bug(number, f"{fault} ({_place(error)})", _text(error))
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return "bug", Bug(number, _signature(error), _text(error))
    return "result", None


def refusal_fault(error: Exception) -> str:
    """What is wrong with an error as a sentence for a person; "" if nothing is."""
    from benison.errors import visible

    text = str(error)
    if fault := _cause_fault(error, text):
        return fault
    if len(text.strip()) < 20:
        return "a refusal that says nothing"
    if any(visible(sentence) != sentence for sentence in text.split("\n")):
        return "a refusal with control characters"
    if re.search(r" at 0x|Traceback", text):
        return "a refusal with what only Python knows"
    return "a refusal that is longer than a page" if _longest(text) > LONGEST else ""


def _cause_fault(error: Exception, text: str) -> str:
    """What is wrong with the errors that an error was raised from."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and not any(cause is other for other in seen):
        if isinstance(cause, (MemoryError, RecursionError)) and not _EXPLAINED.search(text[:1_000]):
            return f"a refusal by {type(cause).__name__}"
        seen.append(cause)
        cause = cause.__cause__
    return "" if cause is None else "a refusal whose causes have no end"


def _longest(text: str) -> int:
    return max(map(len, text.split("\n")))


def _signature(error: BaseException) -> str:
    message = re.sub(r"""'[^']*'|"[^"]*"|\d+""", "_", str(error).split("\n")[0])[:60]
    return f"{type(error).__name__} {_place(error)}: {message}"


def _place(error: BaseException) -> str:
    """The innermost function of ours that the error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/benison/" in frame.filename]
    frame = (own or frames)[-1]
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.name}"


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-3_000:]
