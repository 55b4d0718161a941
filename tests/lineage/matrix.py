# SPDX-License-Identifier: Apache-2.0
"""Stops a run at every arrow of its states, runs it again, and prints whether everything agrees.

    python -m tests.lineage.matrix [--few] [--hosts HOST,...] [STORE ...]

A table for each store and host, a row for each stop, and in it each rerun: with the same inputs and with others, with and without
`--overwrite`, from the same machine and from another, and by `benison record` alone. After each, the
marker in the output, the store, the latest blessed model, `verify --metadata` and the exit code agree, or
the run says why not. STORE is sqlite, sql+sqlite, or the URL of a server up to the database's name.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import itertools
import json
import os
import pickle
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benison.lineage.states import OPEN
from tests.lineage import forks
from tests.lineage.hosts import HOSTS, Asked

# Name of a stop -> (where the process is stopped, the count of the call, before or after it).
STOPS: dict[str, tuple[str, int, str]] = {
    "before asked": ("benison.lineage.ledger.Ledger.begin", 1, "before"),
    "asked": ("benison.lineage.ledger.Ledger.begin", 1, "after"),
    "running": ("benison.lineage.ledger.LedgerRecord.note", 1, "after"),
    "evaluated": ("benison.lineage.ledger.LedgerRecord.note", 2, "after"),
    "sealed": ("benison.output.blessing.seal", 1, "after"),
    "published": ("benison.lineage.ledger.LedgerRecord.note", 4, "before"),
    "written": ("benison.lineage.ledger.LedgerRecord.note", 4, "after"),
    "recording": ("benison.lineage.ledger.LedgerRecord.complete", 1, "before"),
    "recorded": ("benison.lineage.ledger.LedgerRecord.complete", 1, "after"),
}
WAYS: dict[str, Callable[[], Any]] = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "a fault": lambda: (_ for _ in ()).throw(MemoryError("made up")),
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
    latest: bool
    """Whether the store has a latest blessed model."""
    verified: int
    """The exit code of `verify --metadata`; -1 without an output."""


class Pipeline:
    """A folder with data, a model and an output, and the history of a pipeline in a store."""

    def __init__(self, folder: Path, url: str, host: str = "command") -> None:
        self.folder, self.url, self.host = folder, url, HOSTS[host]
        forks.answer(self._prepare)

    def _prepare(self) -> None:
        import numpy as np
        import pyarrow.parquet as pq

        from tests.conftest import config, taxi_like

        bound = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}}
        settings = {**config(bound), "model_specs": [{"label_key": "label"}]}
        (self.folder / "eval.json").write_text(json.dumps(settings))
        (self.folder / "model.pkl").write_bytes(pickle.dumps(forks.Echo()))
        other = taxi_like(50)
        index = other.schema.get_field_index("label")
        flipped = 1 - np.asarray(other["label"])
        pq.write_table(taxi_like(60), self.folder / "same.parquet")
        pq.write_table(other.set_column(index, "label", [flipped]), self.folder / "other.parquet")

    def words(self, data: str, *more: str, run: str = "out") -> list[str | Path]:
        """The command that evaluates; the output is named after the run."""
        return Asked(self.folder, self.url, data, run, more).words()

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
        act = self.host.act(Asked(self.folder, self.url, data, run, more))
        return forks.run(lambda: (before(), act()))

    def rerun(self, kind: str, *words: str) -> tuple[int, str]:
        if kind == "record":
            output = self.folder / "out"
            return forks.run(forks.benison("record", output, "--metadata", self.url))
        data, _, elsewhere = kind.partition(", ")
        return self.evaluate(data, *words, before=_move if elsewhere else lambda: None)

    def seen(self) -> Seen:
        out = self.folder / "out"
        markers = [path.name for path in out.glob("*BLESSED")]
        verify = forks.benison("verify", out, "--metadata", self.url)
        verified = forks.run(verify)[0] if out.exists() else -1
        newest, states, latest = forks.answer(self._ask)
        return Seen("".join(markers), newest, tuple(states), latest, verified)

    def _ask(self) -> tuple[str, list[str], bool]:
        from benison import MetadataError, lineage

        ledger = lineage.connect(self.url)
        try:
            newest = ledger.blessings("taxi", 1)
        except MetadataError:  # there is no such pipeline yet
            newest = []
        states = [attempt.state for attempt in ledger.sink.attempts(lineage.RunKey("taxi", "out"))]
        latest = ledger.latest_blessed("taxi")
        return newest[0].status if newest else "", states, latest is not None


def _move() -> None:
    socket.gethostname = lambda: "elsewhere"


def stop_at(stop: str, way: str) -> Callable[[], None]:
    """What a process does before its command, so that it is stopped there."""
    target, count, when = STOPS[stop]
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
    found = []
    if seen.latest != (seen.newest == "blessed"):
        found.append("the latest blessed model is not that of the newest verdict")
    expected = {0: ("BLESSED", "blessed", 0), 1: ("NOT_BLESSED", "not_blessed", 1)}
    if code is not None and code not in (0, 1, 2):
        found.append(f"exit code {code}")
    if code in expected and (seen.marker, seen.newest, seen.verified) != expected[code]:
        found.append(f"exit code {code} beside {seen}")
    if not seen.marker and seen.newest:
        found.append("a verdict without its output")
    matching = {"BLESSED": (0, "blessed"), "NOT_BLESSED": (1, "not_blessed")}
    is_open = any(state in OPEN for state in seen.states)
    recorded = (seen.verified, seen.newest) == matching.get(seen.marker)
    if seen.marker and not recorded and not (seen.verified == 2 and is_open):
        found.append(f"the output is {seen.marker}, and the store has {seen}")
    return found


def cell(pipeline: Pipeline, stop: str, way: str, is_again: bool, rerun: Rerun) -> str:
    """Stop a run, run it again, and what came of it; with a ! before each disagreement."""
    if is_again:
        assert pipeline.evaluate("other")[0] == 1
    overwrite = ("--overwrite",) if is_again else ()
    stopped, text = pipeline.evaluate("same", *overwrite, before=stop_at(stop, way))
    wrong = [f"after the stop: {fault}" for fault in faults(pipeline.seen(), None)]
    if stopped != {"SIGKILL": -9, "SIGTERM": 143, "a fault": pipeline.host.fault}[way]:
        wrong.append(f"stopped with {stopped}: {text[-200:]}")
    kind, words = rerun
    code, text = pipeline.rerun(kind, *words)
    # Recording says nothing of the verdict in its exit code.
    seen = pipeline.seen()
    judged = {"BLESSED": 0, "NOT_BLESSED": 1}.get(seen.marker, 2)
    judged = judged if kind == "record" and code == 0 else code
    wrong += [f"after the rerun: {fault} ({text[-200:]})" for fault in faults(seen, judged)]
    return "".join(f"! {fault}; " for fault in wrong) + f"{code} {seen.states[-1:] or '-'}"


def rows(
    url: str, host: str, reruns: Sequence[Rerun], few: bool
) -> Iterator[tuple[str, list[str]]]:
    """The name of each row, and its cells; of a few, half the rows, each way and each rerun in turn."""
    turn, number = itertools.count(), [*HOSTS].index(host)
    for stop, is_again in itertools.product(STOPS, (False, True)):
        at = next(turn)
        if few and at % 2 != number % 2:
            continue
        for way in [[*WAYS][at % len(WAYS)]] if few else WAYS:
            name = f"{stop}, {way}{', over a recorded run' if is_again else ''}"
            shown = [reruns[(at // 2 + number) % len(reruns)]] if few else reruns
            cells = []
            for rerun in shown:
                with tempfile.TemporaryDirectory(prefix="benison-matrix-") as folder:
                    pipeline = Pipeline(Path(folder), url.format(folder=folder), host)
                    cells.append(cell(pipeline, stop, way, is_again, rerun))
            yield name, cells


def table(store: str, host: str, few: bool) -> tuple[int, int]:
    """Print the rows of a store and a host: how many cells they have, and how many disagree."""
    url = store if "://" in store else f"{store}:///{{folder}}/m.db?create=true"
    reruns = [each for each in RERUNS if not (HOSTS[host].overwrites and each[1])]
    heads = [] if few else [" ".join((kind, *more)) for kind, more in reruns]
    print(f"\n{store}, {host}\n{'stopped at':44}" + "".join(f"{h:24}" for h in heads), flush=True)
    count = wrong = 0
    for name, cells in rows(url, host, reruns, few):
        print(f"{name:44}" + "".join(f"{each:24}" for each in cells), flush=True)
        wrong += sum("!" in each for each in cells)
        count += len(cells)
    return count, wrong


def main(words: list[str]) -> int:
    """Print a table for each store and host; 1 if anything disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="a cell in each row")
    parser.add_argument("--hosts", default=",".join(HOSTS), help="of these alone, by commas")
    parser.add_argument("stores", nargs="*", default=["sqlite", "sql+sqlite"])
    given: Any = parser.parse_args(words)
    forks.prepare()
    pairs = itertools.product(given.stores, given.hosts.split(","))
    counts = [table(store, host, given.few) for store, host in pairs]
    count, disagreements = (sum(column) for column in zip(*counts, strict=True))
    print(f"\n{count} reruns, {disagreements} disagreements")
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
