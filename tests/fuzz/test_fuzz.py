# SPDX-License-Identifier: Apache-2.0
"""A seeded half minute of the fuzzer, and that it sees what it looks for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.fuzz import campaign, child, planted
from tests.fuzz.cases import Entry
from tests.fuzz.entries import ENTRIES

OF_TENSORFLOW = ["savedmodel"]
SIGNATURES = {
    "exception": "KeyError fuzz/planted.py:fail",
    "signal": "SIGSEGV",
    "loop": "no end after",
    "exit": "exit with 7",
    "wrong": "WrongError",
    "terse": "a refusal that says nothing",
    "memory": "a refusal by MemoryError",
}


@pytest.mark.parametrize("fault", planted.FAULTS)
def test_what_an_input_comes_to(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "SECONDS", 0)
    tally = campaign.run(Entry("planted", "planted", 5, fault), range(5), seed=1)
    assert tally.inputs == 5
    assert tally.refusals == (fault == "refusal")
    kinds = [(signature, bug.number) for signature, _, bug in tally.kinds()]
    expected = SIGNATURES.get(fault)
    assert len(kinds) == (expected is not None)
    for signature, number in kinds:
        assert number == 2
        assert signature.startswith(str(expected))


@pytest.mark.slow
@pytest.mark.parametrize("tensorflow", [False, True])
def test_half_a_minute_finds_nothing(tensorflow: bool) -> None:
    entries = [name for name in ENTRIES if (name in OF_TENSORFLOW) == tensorflow]
    needed = (
        "tensorflow",
        "pandas",
        "polars",
        "google_crc32c",
        "tfx_bsl",
        "tensorflow_model_analysis",
    )
    if lacking := [name for name in needed if importlib.util.find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    share = "0.01" if tensorflow else "0.003"
    command = [sys.executable, "-m", "tests.fuzz", *entries, "--share", share, "--seed", "7"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-5_000:] + ended.stderr[-2_000:]
    lines = [line.split() for line in ended.stdout.splitlines() if line]
    assert {line[0] for line in lines} >= {*entries}
    assert all(line[4] == "0" for line in lines if line[0] in entries)
