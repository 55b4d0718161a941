# SPDX-License-Identifier: Apache-2.0
"""Ends evaluations at random moments, runs each again, and counts what is wrong. `make kills ROUNDS=...`

    python -m tests.lineage.kills [--rounds 20] [--seed 1] [STORE ...]

Each round is a run of its own in one store: it is ended by SIGKILL, SIGTERM or SIGINT somewhere between its
start and its end, at times while another process of the same run is at work; then it is run again until it
is done. Nothing may be blessed before, nothing twice, and every rerun completes. STORE is sqlite,
sql+sqlite, mysql or sql+mysql (a MariaDB is started), or sql+postgresql.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.lineage import forks, servers
from tests.lineage.matrix import Pipeline

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FRESH = 10  # every so many rounds a process with a whole start, in which it may be ended too


@dataclasses.dataclass
class Campaign:
    """Rounds in one store."""

    pipeline: Pipeline
    chance: random.Random
    seconds: float
    """How long an evaluation takes here, by and by."""
    ends: Counter[str] = dataclasses.field(default_factory=Counter)

    def round(self, number: int) -> list[str]:
        """End a run and run it again; a sentence for each thing that is wrong."""
        run = f"r{number}"
        good = self.chance.random() < 0.7
        data = "same" if good else "other"
        signum = self.chance.choice(SIGNALS)
        code, err = self._ended(number, run, data, signum)
        # Before a process listens to signals it ends as Python does, and has not begun.
        unheard = code == -signum and not self._begun(run)
        wrong = [] if unheard else _wrong_end(code, err, signum, 0 if good else 1)
        is_done = code in (0, 1)
        if not is_done and self._blessings(run) and not self._recorded(run):
            wrong.append("blessed before it was recorded")
        again, text = self.pipeline.evaluate(data, run=run)
        if again != (0 if good else 1):
            wrong.append(f"the rerun ended with {again}: {text[-500:]}")
        blessings = self._blessings(run)
        if blessings != ["blessed" if good else "not_blessed"]:
            wrong.append(f"the store has {blessings}")
        left = [path.name for path in self.pipeline.folder.glob(f".{run}.*")]
        if left:
            wrong.append(f"left behind: {left}")
        return [f"round {number} ({data}, {signum.name}, code {code}): {each}" for each in wrong]

    def _ended(self, number: int, run: str, data: str, signum: int) -> tuple[int, str]:
        is_fresh = number % FRESH == 0
        wait = self.chance.random() * (self.seconds * 1.1 + (self.start if is_fresh else 0))
        company = self.chance.random() < 0.2
        second = self.pipeline.child(data, run=run) if company else None
        if is_fresh:
            code, err = self._fresh(run, data, signum, wait)
        else:
            child = self.pipeline.child(data, run=run)
            time.sleep(wait)
            child.send(signum)
            code = child.wait()
            err = child.err or child.out
        if second is not None:
            second.wait()
        self.ends[f"{signal.Signals(signum).name} {code}"] += 1
        return code, err

    start: float = 0.0
    """How long a process takes until it evaluates."""

    def _fresh(self, run: str, data: str, signum: int, wait: float) -> tuple[int, str]:
        command = [sys.executable, "-m", "benison", *map(str, self.pipeline.words(data, run=run))]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=subprocess.PIPE, text=True) as process:
            time.sleep(max(wait, 0.1))  # before that Python itself is not there
            process.send_signal(signum)
            err = process.communicate(timeout=120)[1]
        return process.returncode, err

    def _blessings(self, run: str) -> list[str]:
        """The verdicts of a run in the store."""
        return list(forks.answer(lambda: self._ask(run)))

    def _begun(self, run: str) -> bool:
        return bool(forks.answer(lambda: self._states(run)))

    def _recorded(self, run: str) -> bool:
        return "recorded" in forks.answer(lambda: self._states(run))

    def _ask(self, run: str) -> list[str]:
        from benison import MetadataError, lineage

        output = str(self.pipeline.folder / run)
        try:
            known = lineage.connect(self.pipeline.url).blessings("taxi", 10**6)
        except MetadataError as error:
            return [] if "has no pipeline" in str(error) else [str(error)]
        return [blessing.status for blessing in known if blessing.uri == output]

    def _states(self, run: str) -> list[str]:
        from benison import lineage

        sink = lineage.connect(self.pipeline.url).sink
        return [attempt.state for attempt in sink.attempts(lineage.RunKey("taxi", run))]


def _wrong_end(code: int, err: str, signum: int, done: int) -> list[str]:
    """What is wrong with the way in which a process ended."""
    if code == done:
        return []
    if signum == signal.SIGKILL:
        return [] if code == -signum else [f"it ended by itself: {err[-500:]}"]
    if code == -signum and "benison" not in err:  # Python itself was starting
        return []
    if code != 128 + signum:
        return [f"it did not end with the code of its signal: {err[-500:]}"]
    says = f"benison was ended by {signal.Signals(signum).name}" in err
    return [] if says and "Traceback" not in err else [f"it said {err[-500:]}"]


def campaign(kind: str, url: str, rounds: int, seed: int) -> int:
    """The rounds in one store, each fault printed; how many there were."""
    faults = 0
    with tempfile.TemporaryDirectory(prefix="benison-kills-") as folder:
        pipeline = Pipeline(Path(folder), url)
        began = time.monotonic()
        assert pipeline.evaluate("same", run="first")[0] == 0
        runs = Campaign(pipeline, random.Random(seed), time.monotonic() - began)
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "benison", "--version"], check=True, capture_output=True
        )
        runs.start = time.monotonic() - began
        for number in range(1, rounds + 1):
            wrong = runs.round(number)
            faults += len(wrong)
            for each in wrong:
                print(f"{kind}: {each}", flush=True)
    ends = ", ".join(f"{end}: {count}" for end, count in sorted(runs.ends.items()))
    print(f"{kind}: {rounds} rounds, {faults} faults ({ends})", flush=True)
    return faults


def main(words: list[str]) -> int:
    """Run the campaign; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("stores", nargs="*", default=["sqlite", "sql+sqlite"])
    given: Any = parser.parse_args(words)
    forks.prepare()
    with tempfile.TemporaryDirectory(prefix="benison-stores-") as folder, ExitStack() as started:
        stores = {k: started.enter_context(servers.store(k, Path(folder))) for k in given.stores}
        return int(any([campaign(k, url, given.rounds, given.seed) for k, url in stores.items()]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
