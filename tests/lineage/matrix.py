# SPDX-License-Identifier: Apache-2.0
"""Stops a run at every arrow of its states, runs it again, and prints whether everything agrees.

    python -m tests.lineage.matrix [--few | --all-ways] [--jobs N] [--hosts HOST,...] [--kept FILE] [STORE ...]

A table for each store and host, a row for each stop, and in it each rerun: with the same inputs and with others, with and without
`--overwrite`, from the same machine and from another, and by `benison record` alone. After each, the
marker in the output, the store, the latest blessed model, `verify --metadata` and the exit code agree, or
the run says why not. A cell is stopped in one way of three, which turns from column to column and from store
to store, so that over three stores each stop and rerun of a host meets each way. STORE is sqlite, sql+sqlite, mysql or sql+mysql (a MariaDB is started), or
sql+postgresql. TFX keeps its records itself, in ML Metadata alone. With --kept each row that is done is added to
a file, so that a call with the same file and the same code goes on where the last was stopped, or adds a store
or a host to the tables.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import hashlib
import importlib
import io
import itertools
import json
import os
import pickle
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benison.lineage.states import OPEN
from tests.lineage import forks, of_tfx, servers
from tests.lineage.hosts import HOSTS, Asked, Host

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("component", "orchestration", "tests/lineage")
STORES = ("sqlite", "sql+sqlite", "mysql", "sql+mysql", "sql+postgresql")
WAYS: dict[str, Callable[[], Any]] = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "fault": lambda: (_ for _ in ()).throw(MemoryError("made up")),
}
Rerun = tuple[str, tuple[str, ...]]
RERUNS: tuple[Rerun, ...] = (
    ("same", ()),
    ("same", ("--overwrite",)),
    ("same, elsewhere", ()),
    ("other", ()),
    ("other", ("--overwrite",)),
    ("record", ()),
)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What can be seen of a run from outside."""

    marker: str
    newest: str
    """The newest verdict in the store."""
    states: tuple[str, ...]
    agrees: bool
    """Whether the store has a latest blessed model if, and only if, a verdict that stands blesses it."""
    verified: int
    """The exit code of `verify --metadata`; -1 without an output."""


class Pipeline:
    """A folder with data, a model and an output, and the history of a pipeline in a store."""

    def __init__(self, folder: Path, url: str, host: str = "command", name: str = "taxi") -> None:
        self.folder, self.url, self.host, self.name = folder, url, HOSTS[host], name
        shutil.copytree(_prepared().name, folder, dirs_exist_ok=True)

    def asked(self, data: str, *more: str, run: str = "out") -> Asked:
        """An evaluation; the output is named after the run."""
        return Asked(self.folder, self.url, data, run, more, self.name)

    def words(self, data: str, *more: str, run: str = "out") -> list[str | Path]:
        """The command that evaluates."""
        return self.asked(data, *more, run=run).words()

    def child(self, data: str, run: str) -> forks.Child:
        """A process that evaluates."""
        return forks.Child(forks.benison(*self.words(data, run=run)))

    def evaluate(
        self,
        data: str,
        *more: str,
        run: str = "out",
        before: Callable[[], Any] = lambda: None,
    ) -> tuple[int, str]:
        """Evaluate, in a process that does `before` first: its exit code, and what it printed."""
        act = self.host.act(self.asked(data, *more, run=run))
        return forks.run(lambda: (before(), act()))

    def rerun(self, kind: str, *words: str) -> tuple[int, str]:
        if kind == "record":
            output = self.host.output(self.folder)
            return forks.run(forks.benison("record", output, "--metadata", self.url))
        data, _, elsewhere = kind.partition(", ")
        return self.evaluate(data, *words, before=_move if elsewhere else lambda: None)

    def seen(self) -> Seen:
        marker, newest, states, agrees, verified = forks.answer(self._look)
        return Seen(marker, newest, tuple(states), agrees, verified)

    def _look(self) -> tuple[str, str, list[str], bool, int]:
        from benison import MetadataError, lineage

        output, ledger = self.host.output(self.folder), lineage.connect(self.url)
        try:
            verdicts = [each.status for each in ledger.blessings(self.name, 100)]
        except MetadataError:  # there is no such pipeline yet
            verdicts = []
        if self.host.states is None:
            key = lineage.RunKey(self.name, "out")
            states = [attempt.state for attempt in ledger.sink.attempts(key)]
        else:
            states = self.host.states(self.asked("same"))
        # Where each execution is a run of its own, a blessing stands beside a newer verdict.
        standing = verdicts[:1] if self.host.states is None else verdicts
        latest = ledger.latest_blessed(self.name) is not None
        agrees = latest == ("blessed" in standing)
        marker = "".join(path.name for path in output.glob("*BLESSED"))
        return marker, verdicts[0] if verdicts else "", states, agrees, self._verified(output)

    def _verified(self, output: Path) -> int:
        if not output.exists():
            return -1
        verify = forks.benison("verify", output, "--metadata", self.url)
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            return forks.code_of(verify)


@functools.cache
def _prepared() -> Any:
    """The folder with which each pipeline begins."""
    folder = tempfile.TemporaryDirectory(prefix="benison-matrix-")
    forks.answer(lambda: _prepare(Path(folder.name)))
    return folder


def _prepare(folder: Path) -> None:
    import numpy as np
    import pyarrow.parquet as pq

    from tests.conftest import config, taxi_like

    bound = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
    settings = {**config(bound), "model_specs": [{"label_key": "label"}]}
    (folder / "eval.json").write_text(json.dumps(settings))
    (folder / "model.pkl").write_bytes(pickle.dumps(forks.Echo()))
    other = taxi_like(50)
    index = other.schema.get_field_index("label")
    flipped = 1 - np.asarray(other["label"])
    pq.write_table(taxi_like(60), folder / "same.parquet")
    pq.write_table(other.set_column(index, "label", [flipped]), folder / "other.parquet")


def _move() -> None:
    socket.gethostname = lambda: "elsewhere"


def stop_at(host: Host, stop: str, way: str) -> Callable[[], None]:
    """What a process of a host does before its work, so that it is stopped there."""
    target, count, when = host.stops[stop]
    path, _, name = target.rpartition(".")
    calls = itertools.count(1)

    def patch() -> None:
        try:
            owner = importlib.import_module(path)
        except ModuleNotFoundError:  # a class
            module, _, kind = path.rpartition(".")
            owner = getattr(importlib.import_module(module), kind)
        plain = getattr(owner, name)

        def stopped(*args: Any, **kwargs: Any) -> Any:
            is_now = next(calls) == count
            if is_now and when == "before":
                WAYS[way]()
            result = plain(*args, **kwargs)
            if is_now and when == "after":
                WAYS[way]()
            return result

        setattr(owner, name, stopped)

    return patch


def faults(seen: Seen, code: int | None) -> list[str]:
    """What does not agree; `code` is the exit code of a run that was not stopped."""
    values = [] if seen.agrees else ["the latest blessed model is not that of a verdict"]
    expected = {0: ("BLESSED", "blessed", 0), 1: ("NOT_BLESSED", "not_blessed", 1)}
    if code is not None and code not in (0, 1, 2):
        values.append(f"exit code {code}")
    if code in expected and (seen.marker, seen.newest, seen.verified) != expected[code]:
        values.append(f"exit code {code} beside {seen}")
    if not seen.marker and seen.newest:
        values.append("a verdict without its output")
    matching = {"BLESSED": (0, "blessed"), "NOT_BLESSED": (1, "not_blessed")}
    is_open = any(state in OPEN for state in seen.states)
    recorded = (seen.verified, seen.newest) == matching.get(seen.marker)
    if seen.marker and not recorded and not (seen.verified == 2 and is_open):
        values.append(f"the output is {seen.marker}, and the store has {seen}")
    return values


@dataclasses.dataclass(frozen=True)
class Cell:
    """A run that is stopped, and run again."""

    host: str
    stop: str
    way: str
    is_again: bool
    """Whether the run that is stopped replaces one that is recorded."""
    rerun: Rerun

    @property
    def name(self) -> str:
        """The name of its row."""
        return f"{self.stop}{', over a recorded run' if self.is_again else ''}"

    def run(self, url: str) -> str:
        """What came of it in a store, in a folder of its own; with a ! before each disagreement."""
        with tempfile.TemporaryDirectory(prefix="benison-matrix-") as folder:
            # A name of its own, since a server has one store for all of them.
            its = " ".join((self.host, self.name, self.way, self.rerun[0], *self.rerun[1]))
            pipeline = Pipeline(Path(folder), url.format(folder=folder), self.host, its)
            return f"{self.way}: {self._in(pipeline)}"

    def _in(self, pipeline: Pipeline) -> str:
        if self.is_again:
            assert pipeline.evaluate("other")[0] == 1
        overwrite = ("--overwrite",) if self.is_again else ()
        stop_it = stop_at(pipeline.host, self.stop, self.way)
        stopped, text = pipeline.evaluate("same", *overwrite, before=stop_it)
        wrong = [f"after the stop: {fault}" for fault in faults(pipeline.seen(), None)]
        expected = {"SIGKILL": -9, "SIGTERM": 143, "fault": pipeline.host.fault}[self.way]
        if stopped != expected:
            wrong.append(f"stopped with {stopped}: {text[-200:]}")
        kind, words = self.rerun
        code, text = pipeline.rerun(kind, *words)
        # Recording says nothing of the verdict in its exit code.
        seen = pipeline.seen()
        judged = {"BLESSED": 0, "NOT_BLESSED": 1}.get(seen.marker, 2)
        judged = judged if kind == "record" and code == 0 else code
        wrong += [f"after the rerun: {fault} ({text[-200:]})" for fault in faults(seen, judged)]
        state = seen.states[-1] if seen.states else "-"
        return "".join(f"! {fault}; " for fault in wrong) + f"{code} {state}"


def rows(kind: str, host: str, given: Any) -> Iterator[list[Cell]]:
    """The cells of each row; of a few, one in a third of the rows, each way and each rerun in turn."""
    reruns = [each for each in RERUNS if not (HOSTS[host].overwrites and each[1])]
    number = [*HOSTS].index(host) + STORES.index(kind)
    for at, (stop, is_again) in enumerate(itertools.product(HOSTS[host].stops, (False, True))):
        if given.few:
            if at % 3 == number % 3:
                turn = at // 3 + number
                way, rerun = [*WAYS][turn % 3], reruns[turn % len(reruns)]
                yield [Cell(host, stop, way, is_again, rerun)]
            continue
        for ways in (
            [[way] * len(reruns) for way in WAYS] if given.all_ways else [turned(at + number)]
        ):
            cells = zip(ways, reruns, strict=False)
            yield [Cell(host, stop, way, is_again, rerun) for way, rerun in cells]


def turned(number: int) -> list[str]:
    """A way for each rerun of a row."""
    return [[*WAYS][(number + column) % 3] for column in range(len(RERUNS))]


class Kept:
    """The rows that are done, which a file may keep for the next call.

    Args:
        file: The file, or None; what other code has left there does not count.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        digest = hashlib.sha256()
        for path in sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
        self._code = digest.hexdigest()
        lines = file.read_text().splitlines() if file and file.exists() else []
        entries = map(json.loads, lines)
        self._rows = {each["row"]: each["texts"] for each in entries if each["code"] == self._code}

    def get(self, row: str) -> list[str] | None:
        """What came of each cell of a row."""
        return self._rows.get(row)

    def add(self, row: str, texts: list[str]) -> None:
        """Keep a row."""
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a") as file:
                print(json.dumps({"code": self._code, "row": row, "texts": texts}), file=file)


def table(kind: str, url: str, host: str, given: Any) -> tuple[int, int]:
    """Print the rows of a store and a host: how many cells they have, and how many disagree."""
    made = {f"{kind}: {row}": row for row in rows(kind, host, given)}
    first = next(iter(made.values()))
    heads = [] if given.few else [" ".join((c.rerun[0], *c.rerun[1])) for c in first]
    print(f"\n{kind}, {host}\n{'stopped at':34}" + "".join(f"{h:28}" for h in heads), flush=True)
    left = [row for name, row in made.items() if given.kept.get(name) is None]
    acts = [functools.partial(lambda row: [cell.run(url) for cell in row], row) for row in left]
    answers = forks.together(acts, given.jobs)
    count = wrong = 0
    for name, row in made.items():
        texts = given.kept.get(name)
        if texts is None:
            given.kept.add(name, texts := next(answers))
        print(f"{row[0].name:34}" + "".join(f"{each:28}" for each in texts), flush=True)
        wrong += sum("!" in each for each in texts)
        count += len(texts)
    return count, wrong


def tables(kind: str, hosts: Sequence[str], given: Any) -> dict[str, tuple[int, int]]:
    """Print the tables of a store: by host, how many cells they have, and how many disagree."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="benison-stores-") as folder, ExitStack() as started:
        url = f"{kind}:///{{folder}}/m.db?create=true"
        if not kind.endswith("sqlite"):
            url = started.enter_context(servers.store(kind, Path(folder)))
        for host in hosts:
            if kind.startswith(HOSTS[host].stores):
                if host == "TFX":  # the last, so that those of the others are forked without it
                    of_tfx.prepare()
                counts[host] = table(kind, url, host, given)
    return counts


def overview(counts: dict[str, dict[str, tuple[int, int]]]) -> int:
    """Print a line for each store, and the sums of reruns and disagreements; the latter."""
    print(f"\n{'reruns, and disagreements':34}" + "".join(f"{host:16}" for host in HOSTS))
    for kind, of in counts.items():
        cells = (f"{of[host][0]}, {of[host][1]}" if host in of else "-" for host in HOSTS)
        print(f"{kind:34}" + "".join(f"{cell:16}" for cell in cells))
    pairs = [pair for of in counts.values() for pair in of.values()]
    count, disagreements = (sum(column) for column in zip(*pairs, strict=True))
    print(f"\n{count} reruns, {disagreements} disagreements")
    return disagreements


def main(words: list[str]) -> int:
    """Print a table for each store and host; 1 if anything disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="a cell in a third of the rows")
    parser.add_argument("--all-ways", action="store_true", help="each cell stopped in each way")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rows at a time")
    parser.add_argument("--hosts", default=",".join(HOSTS), help="of these alone, by commas")
    parser.add_argument("--kept", type=Path, help="goes on with the rows in this file")
    parser.add_argument("stores", nargs="*", default=["sqlite", "sql+sqlite"])
    given: Any = parser.parse_args(words)
    hosts = [host for host in given.hosts.split(",") if host != "TFX" or of_tfx.is_installed()]
    given.kept = Kept(given.kept)
    forks.prepare()
    _prepared()
    return min(1, overview({kind: tables(kind, hosts, given) for kind in given.stores}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
