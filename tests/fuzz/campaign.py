# SPDX-License-Identifier: Apache-2.0
"""Runs entries in child processes of a thousand inputs each, and adds up what the inputs came to."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from tests.fuzz import child
from tests.fuzz.cases import Bug, Entry


@dataclasses.dataclass
class Tally:
    """What the inputs of an entry came to."""

    entry: str
    inputs: int = 0
    results: int = 0
    refusals: int = 0
    bugs: list[Bug] = dataclasses.field(default_factory=list)
    slowest: tuple[int, int] = (0, 0)
    """Nanoseconds of a processor, and the number of the input."""
    largest: tuple[int, int] = (0, 0)
    """Bytes beyond those that the child had at its start, and the number of the input."""
    seconds: float = 0.0

    def add(self, counts: dict[str, int], bugs: list[Bug]) -> None:
        """Take in what one child did."""
        self.results += counts["result"]
        self.refusals += counts["refusal"]
        self.inputs += counts["result"] + counts["refusal"] + len(bugs)
        self.bugs += bugs
        for name in ("slowest", "largest"):
            new = counts[name], counts[f"{name}_number"]
            setattr(self, name, max(getattr(self, name), new))

    def kinds(self) -> list[tuple[str, int, Bug]]:
        """Each kind of bug, how often it was seen, and one of them, the most frequent first."""
        counts = Counter(bug.signature for bug in self.bugs)
        firsts = {bug.signature: bug for bug in reversed(self.bugs)}
        return [(signature, n, firsts[signature]) for signature, n in counts.most_common()]


def run(entry: Entry, numbers: range, seed: int, jobs: int = 1) -> Tally:
    """Try the inputs of an entry with these numbers, `jobs` processes at a time."""
    entry.load()
    tally = Tally(entry.name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="benison-fuzz-") as folder:
        shared = Path(folder)
        _in_a_child(lambda: entry.prepare(shared))
        of_a_child = entry.of_a_child
        starts = range(numbers.start, numbers.stop, of_a_child)
        parts = [range(start, min(start + of_a_child, numbers.stop)) for start in starts]
        stretches = [child.Stretch(entry, seed, part, shared) for part in parts]
        with ThreadPoolExecutor(jobs) as pool:
            for ended in pool.map(lambda stretch: [*_tried(stretch)], stretches):
                for counts, bugs in ended:
                    tally.add(counts, bugs)
    tally.seconds = time.monotonic() - began
    return tally


def _forked(work: Callable[[], None]) -> int:
    """A child that does something and ends: its process id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def _in_a_child(work: Callable[[], None]) -> None:
    """Do something whose threads must not be there when the next child is forked."""
    if os.waitpid(_forked(work), 0)[1]:
        raise RuntimeError("What the inputs start from could not be written; see above.")


def _tried(stretch: child.Stretch) -> Iterator[tuple[dict[str, int], list[Bug]]]:
    """What all inputs of a stretch came to, by as many children as it takes."""
    numbers = stretch.numbers
    while numbers:
        board = child.Board()
        with (
            tempfile.TemporaryDirectory(prefix="benison-fuzz-") as folder,
            tempfile.TemporaryFile("w+") as bugs,
            tempfile.TemporaryFile("w+") as log,
        ):
            part = dataclasses.replace(stretch, numbers=numbers)
            work = functools.partial(child.run, part, Path(folder), board, bugs, log)
            ended = _child(work, part, board)
            counts, written = board.read(), child.read_bugs(bugs)
            if ended:
                written.append(_killed(counts["number"], ended, log))
            yield counts, written
        numbers = range(counts["number"] + 1 if ended else numbers.stop, numbers.stop)


def _child(work: Callable[[], None], stretch: child.Stretch, board: child.Board) -> str:
    """Run a child to its end; what ended it, "" if it ended by itself."""
    board.write([stretch.numbers.start, *[0] * (len(child.FIELDS) - 1)])
    status, is_late = _waited(_forked(work), board)
    if is_late:
        return f"no end after {child.WALL_SECONDS} s"
    if os.WIFSIGNALED(status):
        signum = os.WTERMSIG(status)
        late = f"no end after {child.SECONDS} s of a processor"
        return late if signum == signal.SIGXCPU else signal.Signals(signum).name
    code = os.WEXITSTATUS(status)
    return f"exit with {code}" if code else ""


def _waited(pid: int, board: child.Board) -> tuple[int, bool]:
    """The status of a child that ended, and whether it was ended because an input took too long."""
    number, since, pause = -1, time.monotonic(), 0.001
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status, False
        current = board.read()["number"]
        if current != number:
            number, since = current, time.monotonic()
        if time.monotonic() - since > child.WALL_SECONDS:
            os.kill(pid, signal.SIGUSR1)  # writes where each thread is
            time.sleep(0.5)
            os.kill(pid, signal.SIGKILL)
            return os.waitpid(pid, 0)[1], True
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _killed(number: int, ended: str, log: IO[str]) -> Bug:
    log.seek(0)
    text = log.read()
    own = [line.strip() for line in text.splitlines() if "/benison/" in line and "File" in line]
    location = own[0].rpartition("/benison/")[2] if own else ""
    return Bug(number, f"{ended} {location}".strip(), f"{ended}\n{text[-4_000:]}")
