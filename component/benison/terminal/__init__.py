# SPDX-License-Identifier: Apache-2.0
"""Prints to a terminal: progress while an evaluation runs, the verdict, blessings and lineage."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from benison.evaluation.progress import Progress as Listener
from benison.lineage.sink import Blessing, Node
from benison.results.result import EvalResult
from benison.results.written_tables import CHECKS
from benison.table.words import shortened
from benison.validation.terms import FAIL, UNDECIDED
from benison.validation.ungated import ORDER
from benison.validation.verdict import BLESSED, NOT_BLESSED, Verdict

if TYPE_CHECKING:
    from rich.progress import Progress

_COLOURS = {BLESSED: "bold green", NOT_BLESSED: "bold red"}
_SHOWN_REASONS = 20
_SHOWN_UNDECIDED = 5
_LONG = 1_000
_LONG_REASONS = 3
_LOG_SECONDS = 10.0
_ANNOUNCED = {"examples": "Slices failed: all rows are read a second time, for the worst of each."}
_PIPED = 140  # columns of a table in a pipe, which has no width of its own


def own_the_log() -> None:
    """Keep Benison's log from the root logger, which would print the verdict a second time.

    And that of SQLAlchemy's pool, which is a traceback where a command is ended while it gives one back.
    """
    logging.getLogger("benison").propagate = False
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Listener]:
    """A progress bar on a terminal, a line every ten seconds elsewhere, nothing when quiet."""
    if quiet:
        yield lambda stage, rows, total: None
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _Bar(bar)
    else:
        yield _Log()


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    return Progress(
        "{task.description:<9}",
        BarColumn(),
        MofNCompleteColumn(),
        "rows",
        "{task.fields[rate]}",
        "{task.fields[left]}",
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Bar:
    """Rows, rows per second and the stage, as a bar."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("load", total=None, rate="", left="")
        self._started = time.monotonic()

    def __call__(self, stage: str, rows: int, total: int | None) -> None:
        if not rows and stage in _ANNOUNCED:
            self._bar.console.print(_ANNOUNCED[stage])
        seconds = time.monotonic() - self._started
        rate = f"{rows / max(seconds, 1e-3):,.0f} rows/s" if rows else ""
        left = time_left(rows, total, seconds)
        self._bar.update(
            self._task, description=stage, completed=rows, total=total, rate=rate, left=left
        )


class _Log:
    """Rows and rows per second as lines, one every ten seconds."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def __call__(self, stage: str, rows: int, total: int | None) -> None:
        now = time.monotonic()
        if not rows and stage in _ANNOUNCED:
            print(_ANNOUNCED[stage], file=sys.stderr)
        if not rows or rows == total or now - self._last < _LOG_SECONDS:
            return
        self._last = now
        of = f" of {total:,}" if total else ""
        left = time_left(rows, total, now - self._started)
        end = f", {left}" if left else ""
        print(
            f"{stage}: {rows:,}{of} rows, {rows / (now - self._started):,.0f} rows/s{end}",
            file=sys.stderr,
        )


def time_left(rows: int, total: int | None, seconds: float) -> str:
    """How long the rest takes at the same rate, "" where that is not known.

    >>> time_left(1_000, 4_000, 30.0), time_left(10, 10_000, 30.0), time_left(5, None, 30.0)
    ('about 1:30 left', 'about 8:19:30 left', '')
    """
    if not rows or not total or rows >= total:
        return ""
    whole = round(seconds / rows * (total - rows))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"about {clock} left"


def verdict(result: EvalResult, console: Console | None = None) -> None:
    """Print the verdict and why."""
    out = console or Console(soft_wrap=True)
    judged: Verdict = result.verdict
    head, _, rest = judged.summary().partition(":")
    out.print(f"[{_COLOURS.get(judged.status, 'bold yellow')}]{head}[/]:{escape(rest)}")
    for reason in judged.first_reasons(_SHOWN_REASONS):
        out.print(f"  [red]✗[/red] {plain(reason, _LONG)}")
    if judged.counts[FAIL] > _SHOWN_REASONS:
        out.print(f"  ... and {judged.counts[FAIL] - _SHOWN_REASONS:,} more{_where(result)}")
    if not judged.counts[FAIL]:
        _undecided(out, result)
    _ungated(out, judged)
    for sentence in result.manifest.get("advice", ()):
        out.print(f"  [yellow]![/yellow] {plain(sentence, _LONG)}")


def _undecided(out: Console, result: EvalResult) -> None:
    """Print what the rows cannot tell, and what could; of many checks those that look worst."""
    judged: Verdict = result.verdict
    for check in judged.of_outcome(UNDECIDED, most=_SHOWN_UNDECIDED):
        out.print(f"  [yellow]?[/yellow] {plain(check.reason, _LONG)}")
    left = judged.counts[UNDECIDED] - _SHOWN_UNDECIDED
    if left > 0:
        out.print(f"  ... and {left:,} more are undecided{_where(result)}")


def _ungated(out: Console, judged: Verdict) -> None:
    """Print what changed without a threshold on it, if anything did."""
    changes = judged.ungated
    if changes is None or not changes.largest:
        return
    out.print(f"  [yellow]~[/yellow] Also changed, not gated: {escape(changes.summary)} {ORDER}:")
    for each in changes.largest:
        out.print(f"      {plain(each.sentence, _LONG)}")


def _where(result: EvalResult) -> str:
    """Which file has all checks; TFMA's results and those of older versions have none."""
    has_all = result.path is not None and (result.path / CHECKS).is_file()
    return f" in {CHECKS}" if has_all else ""


def plain(text: str, most: int = 300) -> str:
    """A name as one line without control characters, escaped for Rich."""
    short = shortened(text, most)
    printable = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
    return escape("".join(printable))


def plain_lines(text: str) -> str:
    """A text of several lines, each made `plain`."""
    return "\n".join(plain(line, _LONG) for line in text.split("\n"))


def console() -> Console:
    """A console for tables, as wide as the terminal, or 140 columns wide in a pipe."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else _PIPED, highlight=False)


def blessings(listed: Sequence[Blessing]) -> None:
    """Print the verdicts of a store, the newest first."""
    if not listed:
        print("There are no verdicts yet.")
        return
    table = Table()
    for column in ("id", "when", "verdict", "model", "why"):
        table.add_column(column, overflow="fold", no_wrap=column in ("id", "when", "verdict"))
    for each in listed:
        colour = _COLOURS.get(each.status, "bold yellow")
        status = f"[{colour}]{each.status.replace('_', ' ')}[/]"
        why = [line for line in (each.note, *each.reasons[:_LONG_REASONS]) if line]
        more = len(each.reasons) - _LONG_REASONS
        why += [f"... and {more:,} more, in --json"] if more > 0 else []
        model = plain(each.model, _LONG) or "predictions in the data"
        table.add_row(str(each.id), each.created, status, model, plain_lines("\n".join(why)))
    console().print(table)


def lineage(node: Node) -> None:
    """Print an artifact and what it was made from, as a tree."""
    console().print(_branch(node, Tree("")).children[0])


def _branch(node: Node, tree: Tree) -> Tree:
    properties = {k: v for k, v in node.properties.items() if k in _SHOWN_PROPERTIES and v != ""}
    facts = "".join(
        f"\n{key.removeprefix('benison_')}: {value}" for key, value in properties.items()
    )
    role = f"{plain(node.role)}: " if node.role else ""
    name = plain_lines(node.name + facts)
    branch = tree.add(f"{role}[bold]{plain(node.kind)}[/] {node.id}  {name}")
    for source in node.sources:
        _branch(source, branch)
    return tree


# The properties of artifacts and executions that a reader can use.
_SHOWN_PROPERTIES = (
    "benison_digest",
    "benison_override_by",
    "benison_override_reason",
    "benison_reasons",
    "benison_revoked_by",
    "benison_revoked_at",
    "benison_revoked_reason",
    "benison_summary",
    "benison_until",
    "blessed",
    "split_names",
)
