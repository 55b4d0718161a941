# SPDX-License-Identifier: Apache-2.0
"""Runs Benison in a child process, of this Python or of another: an evaluation, or a command."""

from __future__ import annotations

import collections
import contextlib
import contextvars
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benison.errors import AGAIN
from benison_orchestration.airflow_sdk import (
    AirflowException,
    AirflowFailException,
    BaseOperator,
    conf,
)
from benison_orchestration.airflow_spec import (
    RETURN,
    WRONG,
    check_environment,
    is_output_of_a_task,
)

_SHOWN_LINES = 50
_PATIENCE_SECONDS = 10.0
_STEP_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1  # from linux/prctl.h
_CURE = (
    "Leave it in the worker's environment, to which append_env=True adds the rest; or take it from a "
    "connection, as in '{{ conn.NAME.password }}', which Airflow hides."
)
# By which a Python finds the packages of the worker's in place of its own.
_OF_THIS_PYTHON = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")


class Child:
    """A process whose words go to a log line by line, and which ends with whatever waits for it.

    Args:
        command: The program and its arguments.
        log: Takes each line that it prints.
        stdin: The file that it reads.
        options: As `subprocess.Popen`.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Callable[[str], object],
        stdin: str = os.devnull,
        **options: Any,
    ) -> None:
        self._command = command
        self._log = log
        self._stdin = stdin
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._code: int | None = None
        self._is_to_end = False
        self.lines: collections.deque[str] = collections.deque(maxlen=_SHOWN_LINES)
        """The last that it printed."""

    def run(self) -> int:
        """Start it, and wait until it has ended; its exit code, -N for signal N.

        Raises:
            AirflowFailException: There is no such program, or it may not be started.
        """
        try:
            self._process = self._start()
            # Not in this thread: a signal's handler ends the process, and would wait for a lock of this one.
            threading.Thread(target=self._wait, args=(self._process,), daemon=True).start()
            reader = in_this_context(self._read, self._process)
            while self._code is None and not self._is_to_end:
                time.sleep(_STEP_SECONDS)
        finally:  # of a timeout too, which is no Exception
            self.end()
        reader.join(_PATIENCE_SECONDS)
        self._process = None
        return -signal.SIGKILL if self._code is None else self._code

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            with open(self._stdin, "rb") as stdin:
                return subprocess.Popen(
                    self._command,
                    stdin=stdin,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                    **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **self._options},
                )
        except OSError as error:
            raise AirflowFailException(f"Benison cannot be started: {error}.") from error

    def end(self) -> None:
        """End it and every process that it has started."""
        self._is_to_end = True
        process = self._process
        if process is None:
            return
        deadline = time.monotonic() + _PATIENCE_SECONDS
        if self._code is None:
            _signal(process.pid, signal.SIGTERM)
        while self._code is None and time.monotonic() < deadline:
            time.sleep(_STEP_SECONDS)
        _signal(process.pid, signal.SIGKILL)  # to what the first has left of its group

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        self._code = process.wait()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        stream = process.stdout or process.stderr
        if stream is not None:
            with stream:
                for line in stream:
                    self.lines.append(line.decode(errors="replace").rstrip())
                    self._log(self.lines[-1])


class PythonOperatorBase(BaseOperator):
    """What an operator that runs Benison in a child process takes.

    Args:
        python: The Python to run, in which Benison is installed; default: the option `python` in Airflow's
            section `benison`, or the worker's own.
        env: The environment of the process; default: that of the worker, for another Python without
            PYTHONPATH and PYTHONHOME, by which it would find the worker's packages. Airflow shows it, so
            that a password in it is refused, unless a template takes it from where Airflow hides it.
        append_env: Add `env` to the worker's environment, and do not replace it.
        cwd: The folder to run in; default: the worker's.
        kwargs: As `BaseOperator`.

    Raises:
        ConfigError: `env` holds a password or a key.
    """

    template_fields: Sequence[str] = ("python", "env", "cwd")
    template_fields_renderers = {"env": "json"}
    _child: Child | None = None

    def __init__(
        self,
        *,
        python: str | None = None,
        env: Mapping[str, str] | None = None,
        append_env: bool = False,
        cwd: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.python = python
        self.env = env
        self.append_env = append_env
        if not is_output_of_a_task(env) and not isinstance(env, str):
            check_environment(env, "env", _CURE)
        self.cwd = cwd

    def process(self) -> dict[str, Any]:
        """What a process is started with, as a trigger can take it."""
        python = self.python or conf.get("benison", "python", fallback="") or sys.executable
        env = None if self.env is None else dict(self.env)
        return {"python": python, "env": env, "append_env": self.append_env, "cwd": self.cwd}

    def run_command(self, *words: str, variables: dict[str, str]) -> tuple[int, Any]:
        """Run a command of Benison's; its exit code, and the JSON document that it printed, if any."""
        options = self.process()
        command = [options.pop("python"), "-m", "benison", words[0], "--json", *words[1:]]
        cwd = options.pop("cwd")
        env = environment(command[0], **options) | variables
        with tempfile.TemporaryFile() as printed:
            self._child = Child(
                command, self.log.info, env=env, cwd=cwd, stdout=printed, stderr=subprocess.PIPE
            )
            code = self._child.run()
            printed.seek(0)
            text = printed.read()
        try:
            return code, json.loads(text)
        except ValueError:
            raise failure(code, "\n".join(self._child.lines)) from None

    def on_kill(self) -> None:
        """End the process and every process that it has started."""
        if self._child is not None:
            self._child.end()


def evaluation(
    spec: Mapping[str, Any], process: Mapping[str, Any], folder: str, log: Callable[[str], object]
) -> Child:
    """The process that evaluates by a spec; it writes `return.json` into a folder.

    Args:
        spec: As `host_task` takes it.
        process: As `PythonOperatorBase.process` gives it.
        folder: Where what goes in and out lies for the time.
        log: Takes each line that it prints.
    """
    options = dict(process)
    command = [options.pop("python"), "-m", "benison_orchestration.host_task"]
    cwd = options.pop("cwd")
    secrets = options.pop("secrets", {})
    returned = str(Path(folder, "return.json"))
    env = environment(command[0], **options) | secrets | {RETURN: returned}
    text = Path(folder, "spec.json")
    text.write_text(json.dumps(spec), encoding="utf-8")
    return Child(command, log, str(text), env=env, cwd=cwd)


def returned(child: Child, code: int, folder: str) -> dict[str, Any]:
    """What a process has written.

    Raises:
        AirflowFailException: The config, the data or the model is wrong, which no retry mends.
        AirflowException: It failed in another way.
    """
    if code:
        raise failure(code, "\n".join(child.lines))
    return dict(json.loads(Path(folder, "return.json").read_text(encoding="utf-8")))


def environment(
    python: str, env: Mapping[str, str] | None = None, append_env: bool = False
) -> dict[str, str]:
    """The environment of a process of a Python, as `PythonOperatorBase` describes it."""
    is_another = os.path.abspath(python) != os.path.abspath(sys.executable)
    dropped = _OF_THIS_PYTHON if is_another else ()
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    if env is None:
        return inherited
    return {**(inherited if append_env else {}), **env}


class AwayException(AirflowException):  # noqa: N818 - as Airflow calls them
    """A store or a service is away, and may be back at the next try, or at the next look of a sensor."""


def failure(code: int, text: str) -> Exception:
    """The exception for an exit code, with the reason among what was printed; no retry after a 2."""
    kind = {WRONG: AirflowFailException, AGAIN: AwayException}.get(code, AirflowException)
    return kind(_reason(code, text))  # type: ignore[no-any-return]


def _reason(code: int, text: str) -> str:
    refused = re.search(r"^error: (.+)", text, re.MULTILINE | re.DOTALL)
    if refused:
        return refused[1]
    how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return f"The process {how}.\n{text}"


def in_this_context(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    """A thread that logs as this one does: Airflow may keep in the context whose log it is."""
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(function, *arguments), daemon=True)
    thread.start()
    return thread


@contextlib.contextmanager
def permitting(
    asks: Callable[[], bool],
    answer: Callable[[], None],
    every: float,
    patience: float,
    warn: Callable[[Exception], None],
) -> Iterator[None]:
    """Meanwhile, let an evaluation elsewhere publish when it asks for that.

    Args:
        asks: Whether it asks now.
        answer: Lets it publish.
        every: So many seconds lie between two looks.
        patience: So many seconds a look that is not over is waited for in the end.
        warn: Says why it cannot be looked at, or answered; it is tried again.
    """
    over = threading.Event()

    def permit() -> None:
        while not over.wait(every):
            try:
                if asks() and not over.is_set():
                    return answer()
            except Exception as error:  # noqa: BLE001 - of the client, the network or the server
                warn(error)
        return None

    thread = in_this_context(permit)
    try:
        yield
    finally:
        over.set()
        thread.join(patience)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _die_with_parent() -> None:
    """Have the kernel end this process with the task's, which a SIGKILL gives no time to do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
