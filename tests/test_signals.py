# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and SIGINT at any moment of a command: a sentence, and the code of the signal."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import taxi_like

BOTH = (signal.SIGTERM, signal.SIGINT)
SENTENCE = "benison was ended by {} before it was done."
# Stops where the command line says: in a module that is imported, in a function, or at the end.
PROGRAM = """
import builtins, os, signal, sys, time
number, where, end = int(sys.argv.pop(1)), sys.argv.pop(1), sys.argv.pop(1)
class Panic(BaseException): pass
sys.orig_argv = ["python", "-m", "benison", *sys.argv[1:]]
plain = builtins.__import__
def stop(*_):
    builtins.__import__ = plain
    try:
        os.kill(os.getpid(), number)
        time.sleep(60)
    except SystemExit as stopped:
        raise {"plain": stopped, "fault": RuntimeError, "panic": Panic}[end]
def imported(name, *args, **kwargs):
    if name == where:
        stop()
    return plain(name, *args, **kwargs)
builtins.__import__ = imported
from benison.cli import main
if "." in where and where not in sys.modules:
    import importlib
    module, _, name = where.rpartition(".")
    owner = importlib.import_module(module)
    if hasattr(owner, name):  # a module that is imported later has no name yet
        call = getattr(owner, name)
        setattr(owner, name, lambda *args, **kwargs: (stop(), call(*args, **kwargs))[1])
try:
    main()
finally:
    if where == "end":
        stop()
"""


def run(
    number: int, where: str, *words: str, end: str = "plain"
) -> subprocess.CompletedProcess[str]:
    """The command, stopped there; `end` is what a library makes of the exception that ends it."""
    command = [sys.executable, "-c", PROGRAM, str(int(number)), where, end, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("number", BOTH, ids=lambda number: number.name)
@pytest.mark.parametrize(
    "where",
    [
        "numpy",
        "benison.evaluation.job",
        "benison.engine.local.run",
        "benison.evaluation.judgement.validate",
        "benison.output.blessing.seal",
        "benison.cli.evaluate.print_result",
    ],
)
def test_a_command_that_is_stopped_says_so(
    number: signal.Signals, where: str, tmp_path: Path
) -> None:
    pq.write_table(taxi_like(50), tmp_path / "eval.parquet")
    (tmp_path / "eval.yaml").write_text(
        "model_specs: [{label_key: label, prediction_key: prediction}]\n"
        "metrics_specs: [{metrics: [{class_name: AUC}]}]\n"
    )
    data = ("--examples", f"{tmp_path}/eval.parquet", "--config", f"{tmp_path}/eval.yaml")
    done = run(number, where, "evaluate", *data, "--output", f"{tmp_path}/out")
    assert done.returncode == 128 + number, done.stderr
    assert SENTENCE.format(number.name) in done.stderr
    assert "Traceback" not in done.stderr
    is_written = where.endswith("print_result")
    assert (tmp_path / "out").exists() == is_written
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("end", ["fault", "panic"])
@pytest.mark.parametrize("where", ["numpy", "benison.results.result", "benison.cli.app"])
def test_what_a_library_makes_of_the_end_is_no_verdict(where: str, end: str) -> None:
    """As an extension that is just being imported; Python's own code would be that of *not blessed*."""
    done = run(signal.SIGINT, where, "show", "/nowhere", end=end)
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert done.stderr.strip() == SENTENCE.format("SIGINT")


@pytest.mark.parametrize("number", BOTH, ids=lambda number: number.name)
def test_a_command_that_is_done_keeps_its_code(number: signal.Signals) -> None:
    done = run(number, "end", "show", "/nowhere")
    assert done.returncode == 2
    assert "was ended" not in done.stderr


@pytest.mark.parametrize("swallowed", ["pass", "import time\n    time.sleep(30)"])
def test_what_swallows_the_end_is_ended(swallowed: str) -> None:
    program = f"""
import os, signal, sys
sys.orig_argv = ["python", "-m", "benison"]
from benison import cli, signals
signals.GRACE_SECONDS = 1
def app():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:
        pass
    {swallowed}
cli.app = app
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 128 + signal.SIGTERM


def test_an_end_that_python_ignores_is_repeated() -> None:
    program = """
import os, signal, sys, time
sys.orig_argv = ["python", "-m", "benison"]
from benison import cli, signals
class Odd:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)
def app():
    Odd()
    time.sleep(signals.GRACE_SECONDS / 2)
    print("went on")
cli.app = app
cli.main()
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 128 + signal.SIGTERM
    assert not done.stdout
    assert "Traceback" not in done.stderr


def test_a_program_that_imports_benison_keeps_its_handlers() -> None:
    program = (
        "import signal; before = signal.getsignal(2), signal.getsignal(15); import benison.cli;"
        "assert before == (signal.getsignal(2), signal.getsignal(15))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("number", BOTH, ids=lambda number: number.name)
def test_the_module_listens_from_its_start(number: signal.Signals) -> None:
    """At the first moment at which it can be seen that something of ours was imported."""
    command = [sys.executable, "-v", "-m", "benison", "--version"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "import 'benison.signals'" not in process.stderr.readline():
            pass
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 128 + number
    assert SENTENCE.format(number.name) in rest
