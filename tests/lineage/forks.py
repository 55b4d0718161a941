# SPDX-License-Identifier: Apache-2.0
"""Commands of Benison in processes that are forked, which spares each of them the start.

What a command may import is imported here, before there is any thread; handlers of signals are those of
the command.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

USED = (
    "ml_metadata",
    "sqlalchemy.dialects.sqlite",
    "pandas",
    "joblib",
    "tests.conftest",
    "benison.cli",
    "benison.models.sklearn",
    "benison.report.page.build",
    *(f"benison.lineage.{name}" for name in ("database", "decisions", "mlmd", "sql")),
)


class Echo:
    """A model that predicts what a column of the data says."""

    feature_names_in_ = ("prediction",)

    def predict(self, frame: Any) -> Any:
        return frame["prediction"].to_numpy()


def prepare() -> None:
    """Import what the children need, and listen to signals as the command does."""
    for module in USED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    importlib.import_module("benison.signals").listen()
    faulthandler.register(signal.SIGUSR1)


class Child:
    """A process that runs a function, and what it printed."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="benison-test-")
        sys.stdout.flush()
        ready, ok = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for number, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(Path(self._folder.name, name), os.O_CREAT | os.O_WRONLY), number)
            os.close(ok)
            os._exit(code_of(act))
        os.close(ok)
        os.read(ready, 1)  # until it is closed there: from then on the process is like a new one
        os.close(ready)

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float = 600) -> int:
        """The exit code, or the negative number of a signal.

        Raises:
            TimeoutError: It does not end, even on a machine that has much else to do; with where it stands.
        """
        end = time.monotonic() + seconds
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        while not pid:
            if time.monotonic() > end:
                raise TimeoutError(f"It did not end in {seconds} s:\n{self._stack()}")
            time.sleep(0.005)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        self.out, self.err = (Path(self._folder.name, name).read_text() for name in ("out", "err"))
        self._folder.cleanup()
        return os.waitstatus_to_exitcode(status)

    def _stack(self) -> str:
        """End it, and where it stood."""
        self.send(signal.SIGUSR1)
        time.sleep(1)
        self.send(signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return Path(self._folder.name, "err").read_text()[-4000:]


def code_of(act: Callable[[], Any]) -> int:
    """What a whole interpreter would make of the end of a function."""
    code = 0
    try:
        act()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 99
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def benison(*words: str | Path, before: Callable[[], Any] = lambda: None) -> Callable[[], Any]:
    """The command as a function for a child."""

    def act() -> None:
        from benison import cli

        sys.argv = ["benison", *map(str, words)]
        before()
        cli.main()

    return act


def run(act: Callable[[], Any]) -> tuple[int, str]:
    """How a child ended, and what it printed on one line."""
    child = Child(act)
    code = child.wait()
    return code, " ".join((child.out + child.err).split())


def answer(act: Callable[[], Any]) -> Any:
    """What a function gives in a process of its own, by way of JSON."""
    return _answer(_answering(act))


def _answering(act: Callable[[], Any]) -> Child:
    return Child(lambda: print(json.dumps(act())))


def _answer(child: Child) -> Any:
    code = child.wait()
    if code:
        raise AssertionError(f"It ended with {code}: {child.err[-2000:]}")
    return json.loads(child.out)


def together(acts: Iterable[Callable[[], Any]], jobs: int) -> Iterator[Any]:
    """The answers of functions, in order; so many of them run at a time."""
    running: deque[Child] = deque()
    for act in acts:
        running.append(_answering(act))
        if len(running) >= jobs:
            yield _answer(running.popleft())
    while running:
        yield _answer(running.popleft())
