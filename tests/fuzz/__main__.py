# SPDX-License-Identifier: Apache-2.0
"""Feeds every public entry with inputs, and says which are bugs. `make fuzz INPUTS=...`

    python -m tests.fuzz [ENTRY ...] [--inputs N | --share PART] [--seed S] [--jobs J]
    python -m tests.fuzz --replay ENTRY SEED NUMBER

An input is right if it gives what an independent computation gives, or is refused by a BenisonError that
is a sentence; everything else, as an exception, a signal, 10 seconds or a gigabyte, is a bug. The
same seed gives the same inputs. A replay tries one of them here, and saves it in a folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from pprint import pformat
from typing import Any

# Arrow's own pool reserves more address space at once than an input may have.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.fuzz import campaign, child
from tests.fuzz.campaign import Tally
from tests.fuzz.cases import judged
from tests.fuzz.entries import ENTRIES

_ROW = "{:<14} {:>9} {:>9} {:>9} {:>6} {:>18} {:>18} {:>8}"


def main(words: list[str]) -> int:
    """Run a campaign or a replay; 1 if there was a bug."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help=", ".join(ENTRIES))
    parser.add_argument("--inputs", type=int, help="inputs of each entry; else those of ENTRIES")
    parser.add_argument("--share", type=float, default=1.0, help="of the inputs of ENTRIES")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--verbose", action="store_true", help="print where each bug was raised")
    parser.add_argument("--replay", nargs=3, metavar=("ENTRY", "SEED", "NUMBER"))
    given = parser.parse_args(words)
    if unknown := {*given.entries} - {*ENTRIES}:
        parser.error(f"no entry {', '.join(unknown)}; there are {', '.join(ENTRIES)}")
    return _replay(*given.replay) if given.replay else _campaign(given)


def _campaign(given: Any) -> int:
    tallies = []
    for name in given.entries or ENTRIES:
        entry = ENTRIES[name]
        inputs = round(entry.inputs * given.share) if given.inputs is None else given.inputs
        numbers = range(given.first, given.first + inputs)
        tallies.append(campaign.run(entry, numbers, given.seed, given.jobs))
        for signature, count, bug in tallies[-1].kinds():
            print(
                f"\n{name} {given.seed} {bug.number}: {signature} ({count:,} times)\n{bug.text if given.verbose else ''}"
            )
        print(_line(tallies[-1]), flush=True)
    print(f"\n{table(tallies)}")
    return int(any(tally.bugs for tally in tallies))


def table(tallies: list[Tally]) -> str:
    """What the inputs of all entries came to, a line each; each extreme with its input's number."""
    heads = ("entry", "inputs", "results", "refusals", "bugs", "slowest", "largest", "seconds")
    whole = Tally("all")
    for tally in tallies:
        whole.inputs += tally.inputs
        whole.results += tally.results
        whole.refusals += tally.refusals
        whole.bugs += tally.bugs
        whole.seconds += tally.seconds
        whole.slowest = max(whole.slowest, (tally.slowest[0], -1))
        whole.largest = max(whole.largest, (tally.largest[0], -1))
    return "\n".join([_ROW.format(*heads), *map(_line, tallies), _line(whole)])


def _line(tally: Tally) -> str:
    time, slow = tally.slowest
    size, large = tally.largest
    return _ROW.format(
        tally.entry,
        f"{tally.inputs:,}",
        f"{tally.results:,}",
        f"{tally.refusals:,}",
        f"{len(tally.bugs):,}",
        f"{time / 1e6:,.0f} ms" + (f" ({slow})" if slow >= 0 else ""),
        f"{size / 2**20:,.0f} MB" + (f" ({large})" if large >= 0 else ""),
        f"{tally.seconds:,.0f}",
    )


def _replay(name: str, seed: str, number: str) -> int:
    """Try one input in this process, and save it."""
    entry = ENTRIES[name]
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-{seed}-{number}-"))
    shared = folder / "shared"  # with nothing else in it, as entries choose among what is there
    shared.mkdir()
    entry.load()
    entry.prepare(shared)
    stretch = child.Stretch(entry, int(seed), range(0), shared)
    (folder / "input").mkdir()
    case = child.case_of(stretch, int(number), folder / "input")
    kind, bug = judged(int(number), lambda: _noisy(lambda: entry.attempt(case)))
    for key, value in case.kept.items():
        text = value if isinstance(value, str) else pformat(value)
        (folder / "input" / f"{key}.txt").write_text(text, "utf-8", errors="backslashreplace")
    print(f"{kind}{f': {bug.signature}' if bug else ''}\nThe input is in {folder / 'input'}.")
    if bug is not None:
        print(bug.text)
    return int(bug is not None)


def _noisy(work: Any) -> None:
    """Print the sentence of a refusal, and pass it on."""
    import warnings

    warnings.simplefilter("error")
    try:
        work()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
