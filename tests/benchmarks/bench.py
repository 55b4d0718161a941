# SPDX-License-Identifier: Apache-2.0
"""`make bench`: what an evaluation costs, as ratios to what others or a bare reader need for the same.

Task: taxi-like Parquet files; example count, AUC, accuracy, precision, recall, mean label and mean
prediction; overall and by hour, payment type and company (147 slices). Each contestant is a process of
its own, so that peak memory and start-up are its own. The contestants' numbers must agree. They run in
turn, round by round, so that what else the machine does hits all alike; a first round is thrown away. A ratio is
that of two runs of one round: the table has the median over the rounds and, behind it, the least and the
largest.

    make bench                       some minutes; draws docs/bench.svg
    make bench ARGS="--rows 1000000 --rounds 3 --only files start"
    make bench-check BASE=v0.1.0     this tree against another commit
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / ".bench"
# More rows would take minutes; their rates are flat.
SLOW_ROWS = {"tfma": 100_000, "fairlearn": 1_000_000}
FILE_ROWS, MODEL_ROWS, BEAM_ROWS, TF_ROWS = 1_000_000, 500_000, 4_000_000, 200_000
LARGE_ROWS, LARGEST_GROUP = 100_000_000, 64_000_000  # pyarrow writes row groups of up to 2^26 rows
PAYMENTS, COMPANIES = 8, 114
TOLERANCE = {"auc": 2e-4}  # the hand-written queries bin a little differently at the edges
BARE = "import numpy, pyarrow, pyarrow.parquet, pyarrow.compute"

Figures: TypeAlias = dict[str, Any]
Cases: TypeAlias = dict[str, Callable[[], Figures]]
Rounds: TypeAlias = dict[str, list[Figures]]


class Line(NamedTuple):
    """A row of the table: a measured figure in each round beside its target, which is the most or the least."""

    what: str
    figures: Sequence[float]
    unit: str
    target: str
    is_least: bool = False

    def cells(self) -> tuple[str, str, str, str]:
        low, middle, high = min(self.figures), statistics.median(self.figures), max(self.figures)
        return self.what, f"{middle:,.2f} {self.unit}", f"{low:,.2f} to {high:,.2f}", self.target


def generate(rows: int, companies: int = COMPANIES) -> Path:
    """A Parquet file of trips, made once and kept."""
    path = FOLDER / f"trips-{rows}-{companies}.parquet"
    if path.exists():
        return path
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    partial = path.with_suffix(".partial")
    names = pa.array([f"company {i}" for i in range(companies)])
    payments = pa.array([f"payment {i}" for i in range(PAYMENTS)])
    writer = None
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        label = rng.integers(0, 2, n).astype(np.float64)
        columns = {
            "label": label,
            "prediction": np.clip(0.25 * label + 0.75 * rng.random(n), 0, 1),
            "hour": rng.integers(0, 24, n),
            "payment": payments.take(pa.array(rng.integers(0, PAYMENTS, n))),
            "company": names.take(pa.array(rng.integers(0, companies, n))),
        }
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(partial, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return partial.rename(path)


def as_text(path: Path, ending: str) -> Path:
    """The same rows as CSV or JSON Lines, made once and kept."""
    import duckdb

    made = path.with_suffix(f".{ending}")
    if not made.exists():
        form = "CSV, HEADER" if ending == "csv" else "JSON"
        duckdb.execute(f"COPY (FROM read_parquet('{path}')) TO '{made}' (FORMAT {form})")
    return made


def in_large_groups(path: Path, group_rows: int) -> Path:
    """The same rows in row groups of so many, made once and kept; needs the memory for one of them."""
    made = path.with_name(f"{path.stem}-by-{group_rows}.parquet")
    if made.exists():
        return made
    partial = made.with_suffix(".partial")
    with pq.ParquetFile(path, read_dictionary=["payment", "company"]) as file:
        per_group = max(1, group_rows // file.metadata.row_group(0).num_rows)
        groups = range(file.num_row_groups)
        with pq.ParquetWriter(partial, file.schema_arrow) as writer:
            for start in groups[::per_group]:
                rows = file.read_row_groups(groups[start : start + per_group])
                writer.write_table(rows, row_group_size=rows.num_rows)
    return partial.rename(made)


def as_tfrecord(path: Path) -> Path:
    """The same rows as tf.Examples, made once and kept."""
    made = path.with_suffix(".tfrecord")
    if not made.exists():
        import tensorflow as tf

        with tf.io.TFRecordWriter(str(made)) as writer:
            for row in pq.read_table(path).to_pylist():
                writer.write(tf.train.Example(features=_features(tf, row)).SerializeToString())
    return made


def _features(tf: Any, row: dict[str, Any]) -> Any:
    def feature(value: Any) -> Any:
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))

    return tf.train.Features(feature={name: feature(value) for name, value in row.items()})


def measure(
    script: str,
    *arguments: object,
    threads: int | None = None,
    root: Path = ROOT,
    on_one_core: bool = False,
) -> Figures:
    """What a script reports of itself, with its wall time from the outside.

    Args:
        script: Its name in this folder.
        arguments: Its own.
        threads: On how many Benison adds up, if not on all.
        root: The checkout whose Benison it imports.
        on_one_core: Whether it may use one core of the machine alone.
    """
    sources = [str(root / "component"), str(root / "orchestration")]
    # Without bytecode half of the time of a short run would be that of the compiler.
    changed = {"PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": ""}
    changed |= {} if threads is None else {"BENISON_THREADS": str(threads)}
    command = [python(), str(HERE / script), *map(str, arguments)]
    if on_one_core:
        command = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0))), *command]
    started = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | changed
    )
    wall = time.monotonic() - started
    if done.returncode:
        raise SystemExit(f"{arguments[0]} failed:\n{done.stderr[-2000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": wall}


@functools.cache
def python() -> str:
    """This interpreter, by a path without spaces, which Beam needs to start its processes."""
    if " " not in sys.executable:
        return sys.executable
    link = Path(tempfile.mkdtemp(prefix="benison-")) / "environment"
    link.symlink_to(sys.prefix)
    return str(link / "bin/python")


def run(contestant: str, path: Path, **more: Any) -> Figures:
    """What a contestant reports of itself."""
    return measure("contestants.py", contestant, path, **more)


def in_rounds(cases: Cases, rounds: int) -> Rounds:
    """The figures of each case in each round, after one round that pays for cold disks and bytecode."""
    figures: Rounds = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            measured = case()
            if number:
                figures[name].append(measured)
    return figures


def ratios(rounds: Rounds, ours: str, theirs: str, of: str = "seconds") -> list[float]:
    """Ours against theirs, in each round."""
    return [a[of] / b[of] for a, b in zip(rounds[ours], rounds[theirs], strict=True)]


def check_agreement(contestant: str, actual: Figures, ours: Figures) -> None:
    """Both must have computed the same thing."""
    for name, value in actual["values"].items():
        if abs(value - ours["values"][name]) > TOLERANCE.get(name, 1e-6):
            raise SystemExit(f"{contestant} has {name} {value}, Benison {ours['values'][name]}.")


def others(options: argparse.Namespace) -> Iterator[Line]:
    """Beside hand-written queries and the least scan; two cores and threads beside one."""
    path, text = generate(options.rows), f"{options.rows:,} rows, 147 slices"
    names = ["benison", "scan", "duckdb", "polars"]
    cases: Cases = {name: (lambda n=name: run(n, path)) for name in names}
    cases |= {str(n): (lambda n=n: run("benison", path, threads=n)) for n in (1, 2)}
    cases["core"] = lambda: run("benison", path, threads=1, on_one_core=True)
    rounds = in_rounds(cases, options.rounds)
    for name in names[2:]:
        check_agreement(name, rounds[name][0], rounds["benison"][0])
    yield Line(text, [f["seconds"] for f in rounds["benison"]], "s", "")
    yield Line("... its processor time", [f["cpu"] for f in rounds["benison"]], "s", "")
    yield Line("... its memory", [f["peak_mb"] for f in rounds["benison"]], "MB", "flat in rows")
    for name, target in (("duckdb", "0.38 x"), ("polars", "0.18 x"), ("scan", "4.5 x")):
        what = f"{options.rows:,} rows against {name}"
        yield Line(what, ratios(rounds, "benison", name), "x", target)
    what = f"{options.rows:,} rows on 1 core against 2"
    yield Line(what, ratios(rounds, "core", "2"), "x", "1.5 x", is_least=True)
    yield Line("... on 1 thread, beside the reader's, against 2", ratios(rounds, "1", "2"), "x", "")


def slow(options: argparse.Namespace) -> Iterator[Line]:
    """Beside TFMA and Fairlearn, per row."""
    ours = in_rounds({"benison": lambda: run("benison", generate(options.rows))}, 1)["benison"][0]
    for name, target in (("tfma", "1/10,000"), ("fairlearn", "1/650")):
        rows = min(options.rows, SLOW_ROWS[name])
        theirs = run(name, generate(rows))
        check_agreement(name, theirs, run("benison", generate(rows)))
        faster = theirs["seconds"] / rows * options.rows / ours["seconds"]
        yield Line(f"rows a second against {name}", [faster], "x", target)


def files(options: argparse.Namespace) -> Iterator[Line]:
    """Each format of text beside Arrow's bare reader of it."""
    for ending, target in (("csv", "2.5 x"), ("jsonl", "2 x")):
        path, names = as_text(generate(FILE_ROWS), ending), ("benison", f"bare-{ending}")
        cases: Cases = {n: (lambda n=n, path=path: run(n, path)) for n in names}
        rounds = in_rounds(cases, options.rounds)
        against = ratios(rounds, "benison", f"bare-{ending}")
        yield Line(f"{FILE_ROWS:,} rows of {ending} against the bare reader", against, "x", target)
    path, names = as_tfrecord(generate(TF_ROWS)), ("benison", "bare-tfrecord")
    rounds = in_rounds({n: (lambda n=n: run(n, path)) for n in names}, options.rounds)
    against = ratios(rounds, *names)
    yield Line(f"{TF_ROWS:,} rows of TFRecord against tf.data", against, "x", "1.2 x")


def start(options: argparse.Namespace) -> Iterator[Line]:
    """Processes that import, and that evaluate 8,000 rows."""
    path = generate(8_000)
    cases: Cases = {
        "bare": lambda: measure("contestants.py", "import", BARE),
        "import": lambda: measure("contestants.py", "import", "import benison"),
        "small": lambda: run("benison", path),
        "command": lambda: measure("contestants.py", "command", path),
    }
    rounds = in_rounds(cases, options.rounds)
    against = "against numpy and pyarrow"  # with parquet and compute
    imported, small, command = (
        ratios(rounds, name, "bare", "wall") for name in ("import", "small", "command")
    )
    yield Line(f"import benison, {against}", imported, "x", "1.5 x")
    yield Line("8,000 rows, process start to verdict, against the same", small, "x", "2 x")
    yield Line("8,000 rows by the command, against the same", command, "x", "2 x")


def slices(options: argparse.Namespace) -> Iterator[Line]:
    """One slice, 100,000 and a million."""
    path = generate(options.rows, 100_000)
    names = ("benison-overall", "benison-company")
    rounds = in_rounds({n: (lambda n=n: run(n, path)) for n in names}, options.rounds)
    yield Line("100,000 slices against one", ratios(rounds, *names[::-1]), "x", "4 x")
    arguments = ("--slices", 1_000_000, "--rows", 3_000_000)
    many = in_rounds({"many": lambda: measure("many_slices.py", *arguments)}, 1)["many"]
    yield Line("a million slices, written", [m["seconds"]["all"] for m in many], "s", "8 s")
    yield Line("... its memory", [m["peak_mb"] for m in many], "MB", "2,000 MB")


def intervals(options: argparse.Namespace) -> Iterator[Line]:
    """What intervals of every metric on every slice cost."""
    path = generate(options.rows)
    names = ("benison-evidence", "benison-compared")
    rounds = in_rounds({n: (lambda n=n: run(n, path)) for n in names}, options.rounds)
    what = "closed-form intervals with a baseline against none"
    yield Line(what, ratios(rounds, *names), "x", "1.35 x")
    yield Line("... in processor time", ratios(rounds, *names, of="cpu"), "x", "")
    names = ("benison", "benison-jackknife", "benison-bootstrap")
    rounds = in_rounds({n: (lambda n=n: run(n, path)) for n in names}, min(2, options.rounds))
    for name in names[1:]:
        against = ratios(rounds, name, "benison")
        yield Line(f"{name.partition('-')[2]} intervals against none", against, "x", "")


def memory(options: argparse.Namespace) -> Iterator[Line]:
    """One row group of all rows beside many."""
    path = generate(options.rows)
    whole = in_large_groups(path, options.rows)
    cases: Cases = {
        name: (lambda p=p: run("benison", p)) for name, p in (("1", whole), ("10", path))
    }
    against = ratios(in_rounds(cases, options.rounds), "1", "10", "peak_mb")
    yield Line("memory with one row group against many", against, "x", "1 x")


def large(options: argparse.Namespace) -> Iterator[Line]:
    """A hundred million rows of metrics that add up, in small row groups and in the largest."""
    path = generate(LARGE_ROWS)
    whole = in_large_groups(path, LARGEST_GROUP)
    cases: Cases = {
        name: (lambda p=p: run("benison-adding-up", p))
        for name, p in (("small", path), ("large", whole))
    }
    rounds = in_rounds(cases, 1)
    check_agreement("Another size of row groups", rounds["large"][0], rounds["small"][0])
    text = f"{LARGE_ROWS:,} rows of metrics that add up"
    yield Line(text, [f["seconds"] for f in rounds["small"]], "s", "")
    yield Line("... its memory", [f["peak_mb"] for f in rounds["small"]], "MB", "1,000 MB")
    groups = f"... in row groups of {LARGEST_GROUP:,} rows"
    yield Line(groups, [f["peak_mb"] for f in rounds["large"]], "MB", "1,000 MB")
    yield Line("... against small ones", ratios(rounds, "large", "small", "peak_mb"), "x", "1 x")


def families(options: argparse.Namespace) -> Iterator[Line]:
    """What other metrics cost than the seven."""
    costs = measure("families.py", generate(min(options.rows, FILE_ROWS)))["costs"]
    for family, rows, seconds, beside, theirs in costs:
        target = "4 x" if family.startswith("all") else ""
        yield Line(f"{family}: {rows:,} rows against {beside}", [seconds / theirs], "x", target)
        yield Line("... its rate", [rows / seconds], "rows/s", "")


def models(options: argparse.Namespace) -> Iterator[Line]:
    """Evaluations that call a model, against a loop that only calls it."""
    for case in ("savedmodel-examples", "savedmodel-named", "onnx"):
        actual = measure("model_bound.py", case, FOLDER / "models", MODEL_ROWS)
        ratio = actual["benison"] / actual["bare"]
        yield Line(f"{case}, {MODEL_ROWS:,} rows, against a bare loop", [ratio], "x", "1.05 x")


def beam(options: argparse.Namespace) -> Iterator[Line]:
    """Beam's direct runner with one process and with two, each with one thread for the model."""
    actual = measure("model_bound.py", "workers", FOLDER / "models", BEAM_ROWS)
    first, second = (actual[name] - actual["start"] for name in ("1", "2"))
    what = "Beam, 1 worker against 2, model-bound, beyond the start"
    yield Line(what, [first / second], "x", "1.7 x", is_least=True)


PARTS = {
    part.__name__: part
    for part in (
        *(others, start, files, slices, intervals, memory, large),
        *(families, slow, models, beam),
    )
}


def chart(lines: Sequence[Line]) -> str:
    """An SVG of the ratios: how far each is of its target, the line in the middle; what ends before it is better."""
    known = [
        (line, float(line.target[:-2])) for line in lines if re.fullmatch(r"[\d.]+ x", line.target)
    ]
    rows = []
    for i, (line, target) in enumerate(known):
        share = statistics.median(line.figures) / target
        share = min(2.0, 1 / share if line.is_least else share)
        y = 26 * i
        rows.append(f'<text x="430" y="{y + 17}" text-anchor="end">{escape(line.what)}</text>')
        rows.append(
            f'<rect x="440" y="{y + 4}" width="{120 * share:.0f}" height="18" fill="#00796b"/>'
        )
        rows.append(f'<text x="690" y="{y + 17}">{line.cells()[1]} of {line.target}</text>')
    height = 26 * len(known)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {height}" font-family="sans-serif"'
    goal = f'<path d="M560 0V{height}" stroke="#d84315" stroke-width="2"/>'
    return "\n".join((f'{head} font-size="13" fill="#666">', *rows, goal, "</svg>\n"))


def table_of(title: str, columns: Sequence[str]) -> Table:
    """An empty table."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    return table


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts")
    options = parser.parse_args()
    console = Console(width=110)
    lines: list[Line] = []
    table = table_of(
        f"{os.cpu_count()} cores, {options.rounds} rounds", ("what", "median", "range", "target")
    )
    for name in options.only:
        for line in PARTS[name](options):
            lines.append(line)
            table.add_row(*line.cells())
            console.print(*line.cells(), sep=" | ", highlight=False)
    console.print(table)
    drawn = ROOT / "docs" if options.only == list(PARTS) else FOLDER
    (drawn / "bench.svg").write_text(chart(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
