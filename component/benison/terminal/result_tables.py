# SPDX-License-Identifier: Apache-2.0
"""Prints results as tables: the worst slices, one slice, or the changes between runs."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence

import numpy as np
from rich.table import Table

from benison.results import query
from benison.results.query import Rows
from benison.results.result import UNDIRECTED, EvalResult
from benison.table.key import Key
from benison.table.words import cut_apart, view_text
from benison.terminal import console, plain, verdict
from benison.terminal.fitted_table import fitted_table
from benison.terminal.probe_table import probes
from benison.terminal.weak_slice_table import weak_slices

_BARS = "▁▂▃▄▅▆▇█"
_BUCKETS = 24
_SIGNED = ("change",)
# The two fields of a row that each interval column shows.
_ENDS = {
    "interval": ("lower", "upper"),
    "change interval": ("change_lower", "change_upper"),
    "was interval": ("was_lower", "was_upper"),
    "is interval": ("is_lower", "is_upper"),
}
_WORDS = ("", "over runs")
# What a narrow terminal does without, in this order; the value, its change and the mark always stay.
_LEFT_OUT_FIRST = (
    "over runs", "was interval", "is interval", "interval", "baseline", "was", "examples",
)  # fmt: skip
_MOST_OF_STRUCTURED = 40  # characters of a value that is no number; --json has all


def show(result: EvalResult, metrics: Sequence[str], worst: int) -> None:
    """Print the verdict, then for each metric its worst slices and its distribution over slices."""
    worst_of = {name: query.worst(result, name, worst) for name in metrics or query.judged(result)}
    verdict(result)
    weak_slices(result)
    probes(result)
    out = console()
    for name, rows in worst_of.items():
        if not rows:
            continue
        directed = result.is_bad_when_high(name) is not None
        which = "worst slices" if directed else f"lowest slices ({UNDIRECTED})"
        if any(row["structured"] is not None for row in rows):
            which = "largest slices (its values are no numbers)"
        title = f"{plain(name)}: its {len(rows)} {which}"
        out.print()
        out.print(_table(result, title, _with_views(rows), ("slice", "of", *_VALUES)))
        spread = [value for value in query.distribution(result, name) if math.isfinite(value)]
        if len(spread) > 1:
            low, high = min(spread), max(spread)
            out.print(
                f"  {len(spread):,} slices beside Overall: {low:.5g} {histogram(spread)} {high:.5g}"
            )


def _with_views(rows: Rows) -> Rows:
    """The rows with what tells those of one slice apart, such as the class; "" where nothing need."""
    several = len({row["model"] for row in rows}) > 1
    views = [view_text(Key.of(row).view, several) for row in rows]
    qualified = [row["output"] or row["sub_key"] or row["aggregation"] for row in rows]
    shown = several or any(qualified) or len(set(views)) > 1
    return [{**row, "of": view if shown else ""} for row, view in zip(rows, views, strict=True)]


def show_slice(result: EvalResult, slice_: str, metrics: Sequence[str]) -> None:
    """Print every metric of one slice."""
    rows = query.of_slice(result, slice_, metrics)
    examples = max((row["examples"] for row in rows), default=0)
    console().print(
        _table(result, f"{plain(slice_)}: {examples:,} examples", rows, ("metric", *_VALUES[1:]))
    )


def show_changes(
    result: EvalResult,
    others: Sequence[EvalResult],
    metrics: Sequence[str],
    slice_: str | None,
    most: int,
) -> None:
    """Print what changed since another run, the largest changes of each metric first."""
    rows = query.changes(result, others, metrics, slice_)
    out = console()
    for run in (*others, result):
        status = run.verdict.status.replace("_", " ").upper()
        out.print(f"{plain(str(run.path))}: {status}, {run.manifest.get('created', '')}")
    columns = ("examples", "was", "was interval", "is", "is interval", "change", "", "over runs")
    if slice_ is not None:
        out.print(_table(result, f"{plain(slice_)}: what changed", rows, ("metric", *columns)))
        return
    for name in dict.fromkeys(row["metric"] for row in rows):
        of_metric = [row for row in rows if row["metric"] == name]
        changed = [row for row in of_metric if row["change"]]
        if changed:
            note = "" if result.is_bad_when_high(name) is not None else f" ({UNDIRECTED})"
            title = f"{plain(name)}: the largest of {len(changed):,} changes{note}"
            out.print(_table(result, title, changed[:most], ("slice", *columns)))
        else:
            out.print(f"{plain(name)}: nothing changed")
        for text, side in (("only in the older", "is"), ("only in the newer", "was")):
            gone = sum(row[side] is None for row in of_metric)
            if gone:
                out.print(f"  {gone:,} values are defined {text} run")


_VALUES = ("examples", "value", "interval", "baseline", "change", "change interval", "")


def histogram(values: Sequence[float]) -> str:
    """The distribution of values between the lowest and the highest, as bars of text.

    >>> histogram([0.0, 0.5, 0.5, 1.0])
    '▄           █          ▄'
    """
    counts = np.histogram(values, min(_BUCKETS, max(2, len(values) * 6)))[0]
    return "".join(" " if n == 0 else _bar(n / counts.max()) for n in counts)


def sparkline(values: Sequence[float | None]) -> str:
    """A sequence of values as bars of text, a dot for a missing value.

    >>> sparkline([1.0, None, 2.0, 3.0])
    '▁·▄█'
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, width = min(known), (max(known) - min(known)) or 1.0
    return "".join("·" if value is None else _bar((value - low) / width) for value in values)


def _bar(share: float) -> str:
    return _BARS[min(len(_BARS) - 1, int(share * (len(_BARS) - 1)))]


def _table(result: EvalResult, title: str, rows: Rows, columns: Sequence[str]) -> Table:
    """A table of those columns that say something and for which there is room."""
    names = cut_apart(row["slice"] for row in rows)
    rows = [{**row, "slice": names[row["slice"]]} for row in rows]
    texts = [[_cell(row, column) for column in columns] for row in rows]
    full = [k for k in range(len(columns)) if k == 0 or any(row[k] for row in texts)]
    cells = {columns[k]: [row[k] for row in texts] for k in full}
    intervals = f"{100 * result.level:.4g} % interval"
    return fitted_table(
        title,
        cells,
        names=(columns[0], "of"),
        left_out_first=_left_out_first(cells),
        words=_WORDS,
        headings={column: intervals for column in cells if column in _ENDS},
    )


def _left_out_first(columns: Collection[str]) -> Sequence[str]:
    """What a narrow terminal does without: last the interval that a threshold is held against."""
    judged = "change interval" if "change interval" in columns else "interval"
    return (*(column for column in _LEFT_OUT_FIRST if column != judged), judged)


def _mark(row: dict[str, object]) -> str:
    if "outcome" in row:
        return "[red]✗[/red]" if row["outcome"] == "fail" else ""
    return "[red]worse[/red]" if row["worse"] else str(row["bad_way"] or "")


def _cell(row: dict[str, object], column: str) -> str:
    if column == "":
        return _mark(row)
    if column == "over runs":
        return sparkline(row["runs"])  # type: ignore[arg-type]
    if column == "metric":
        view = (row[key] for key in ("metric", "output", "sub_key", "aggregation"))
        return plain(
            " ".join(str(part) for part in (*view, row["weighted"] and "weighted") if part)
        )
    if column in _ENDS:
        low, high = (row[end] for end in _ENDS[column])
        return "" if low is None or high is None else f"{low:.4g} to {high:.4g}"
    value, structured = row[column], row.get("structured")
    if column == "value" and structured is not None:
        value = json.dumps(structured, ensure_ascii=False)
    if value is None or isinstance(value, str):
        return plain(value or "", _MOST_OF_STRUCTURED if column == "value" else 300)
    return (
        f"{value:,}" if column == "examples" else f"{value:{'+' if column in _SIGNED else ''}.5g}"
    )
