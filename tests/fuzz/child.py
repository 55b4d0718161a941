# SPDX-License-Identifier: Apache-2.0
"""The child processes: each tries inputs in a row, under limits of time and memory.

A child writes how far it is into memory that its parent shares, so that the parent knows which input a
signal has ended.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import gc
import json
import mmap
import os
import resource
import signal
import struct
import sys
import time
import warnings
from pathlib import Path
from random import Random
from typing import IO

from tests.benchmarks.peak import peak_bytes
from tests.fuzz.cases import Bug, Case, Entry, judged

SECONDS = 10
"""Of a processor, for one input."""
WALL_SECONDS = 120
"""For one input that waits; other programs may use the machine."""
GIGABYTE = 2**30
_COUNTS = struct.Struct("<8q")
_KINDS = ("result", "refusal", "bug")
FIELDS = ("number", *_KINDS, "slowest", "slowest_number", "largest", "largest_number")


class Board:
    """Numbers that parent and child share: see FIELDS; `slowest` in ns, `largest` in bytes."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _COUNTS.size)

    def write(self, values: list[int]) -> None:
        """Replace all numbers."""
        _COUNTS.pack_into(self._memory, 0, *values)

    def read(self) -> dict[str, int]:
        """The numbers by name."""
        return dict(zip(FIELDS, _COUNTS.unpack_from(self._memory), strict=True))


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Inputs in a row that one child tries."""

    entry: Entry
    seed: int
    numbers: range
    shared: Path


def case_of(stretch: Stretch, number: int, folder: Path) -> Case:
    """The input with a number; equal for equal seeds, whichever child tries it."""
    chance = Random(f"{stretch.seed}/{stretch.entry.name}/{number}")
    return Case(chance, folder, stretch.shared)


def run(stretch: Stretch, folder: Path, board: Board, bugs: IO[str], log: IO[str]) -> None:
    """Try the inputs in a folder; each bug is a line of JSON in `bugs`, what native code says is in `log`."""
    _quiet(log)
    _limit_memory()
    warnings.simplefilter("error")
    # Of other libraries, which Python hides too.
    warnings.simplefilter("ignore", DeprecationWarning)
    gc.freeze()
    counts = dict.fromkeys(FIELDS, 0)
    base = peak_bytes()
    for number in stretch.numbers:
        counts["number"] = number
        board.write([*counts.values()])
        _limit_seconds()
        case = case_of(stretch, number, folder)
        began, before = time.process_time_ns(), peak_bytes()
        kind, bug = judged(number, lambda case=case: stretch.entry.attempt(case))  # type: ignore[misc]
        if peak_bytes() > max(before, base + GIGABYTE):
            text = f"{peak_bytes() - base:,} bytes\n{bug.text if bug else ''}"
            kind, bug = "bug", Bug(number, "more than a gigabyte", text)
        _count(counts, kind, time.process_time_ns() - began, peak_bytes(), (before, base))
        if bug is not None:
            bugs.write(json.dumps(dataclasses.asdict(bug)) + "\n")
            bugs.flush()
    counts["number"] = stretch.numbers.stop
    board.write([*counts.values()])


def read_bugs(bugs: IO[str]) -> list[Bug]:
    """The bugs that a child wrote."""
    bugs.seek(0)
    return [Bug(**json.loads(line)) for line in bugs if line.endswith("\n")]


def _count(
    counts: dict[str, int], kind: str, nanoseconds: int, peak: int, levels: tuple[int, int]
) -> None:
    counts[kind] += 1
    before, base = levels
    if nanoseconds > counts["slowest"]:
        counts["slowest"], counts["slowest_number"] = nanoseconds, counts["number"]
    if peak > before and peak - base > counts["largest"]:
        counts["largest"], counts["largest_number"] = peak - base, counts["number"]


def _quiet(log: IO[str]) -> None:
    sys.stdout.flush()
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    faulthandler.enable(log)
    faulthandler.register(signal.SIGXCPU, log, all_threads=True, chain=True)
    faulthandler.register(signal.SIGUSR1, log, all_threads=True)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    # Threads, and Arrow's grouping, reserve gigabytes of addresses that they never use.
    most = pages * resource.getpagesize() + 6 * GIGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_seconds() -> None:
    """Let the kernel end this process, with a traceback before, when one input takes too long."""
    soft = int(time.process_time()) + SECONDS + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
