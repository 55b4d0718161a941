# SPDX-License-Identifier: Apache-2.0
"""Renders the checks: by outcome, and within an outcome by metric, each metric on an axis of its own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import pyarrow.compute as pc

from benison.report.page.axis import Axis, Marks, plain
from benison.report.page.page_columns import PageColumns
from benison.table.words import column_text, cut, view_text
from benison.validation.checks import Check
from benison.validation.misses import farthest_off
from benison.validation.sentences import shown
from benison.validation.terms import (
    CHANGE_ABSOLUTE,
    CHANGE_RELATIVE,
    FAIL,
    LOWER,
    MISSING,
    NOT_EVALUATED,
    PASS,
    RUBBER_STAMPED,
    SMALL_SLICES,
    UNDECIDED,
    WARN,
)
from benison.validation.ungated import ORDER, Ungated

MAX_CHECKS = 200
"""The most checks of each outcome in the page; the rest is in checks.parquet."""

_MAX_SENTENCE = 1_000
_TABS = {
    "Failed": (FAIL,),
    "Undecided": (UNDECIDED,),
    "Not evaluated": (NOT_EVALUATED, RUBBER_STAMPED),
    "Warned": (WARN,),
    "Passed": (PASS,),
}
_JUDGED = {CHANGE_ABSOLUTE: "change of ", CHANGE_RELATIVE: "relative change of "}
_HEAD = ("slice", "value", "must be", "examples")
_LEGEND = (
    '<th scope="col"><span class="of-value">value</span> <span class="of-reach">interval</span> '
    '<span class="of-before">baseline</span> <span class="of-allowed">allowed</span></th>'
)
_NO_THRESHOLDS = """\
<p>The config has no thresholds, so nothing was judged. A bound makes a metric a check:</p>
<pre tabindex="0">metrics_specs:
  - metrics:
      - class_name: AUC
        threshold: {value_threshold: {lower_bound: 0.8}}</pre>"""


@dataclasses.dataclass(frozen=True)
class CheckLine:
    """A check as the page shows it."""

    outcome: str
    slice: str
    """Its name in the page."""
    metric: str
    view: str
    subject: str
    """What its axis is of; checks of one subject share one."""
    value: str
    rule: str
    examples: str
    marks: Marks
    sentence: str

    @classmethod
    def of(cls, check: Check, slice_name: str) -> CheckLine:
        """The line of a check, whose slice the page calls `slice_name`."""
        key, marks = check.key, _marks(check)
        unit = "%" if check.kind == CHANGE_RELATIVE else ""
        bound = marks.least if check.side == LOWER else marks.most
        limit = "at least" if check.side == LOWER else "at most"
        is_known, is_bound = math.isfinite(marks.value), math.isfinite(bound)
        sign = "+" if check.is_change and marks.value > 0 else ""
        metric = cut(column_text(key.metric, key.kind))
        return cls(
            check.outcome,
            slice_name,
            metric,
            view_text(key.view, check.several_models),
            f"{_JUDGED.get(check.kind, '')}{metric}",
            f"{sign}{_number(shown(marks.value, bound))}{unit}" if is_known else "–",
            f"{limit} {plain(bound, 15)}{unit}" if is_bound else "–",
            _rows(check),
            marks,
            "" if check.outcome == PASS else _sentence(check),
        )


def lines_of(columns: PageColumns) -> list[CheckLine]:
    """The checks that the page shows: of each outcome those that are farthest off."""
    table = columns.result.verdict.table
    several = len(pc.unique(table["model"])) > 1
    lines = []
    for outcomes in _TABS.values():
        chosen = farthest_off(table, outcomes, MAX_CHECKS)
        for row, name in zip(chosen.to_pylist(), columns.names_of(chosen), strict=True):
            check = Check.of(row, several)
            is_there = check.kind not in (MISSING, SMALL_SLICES)
            lines.append(CheckLine.of(check, name if is_there else cut(check.slice)))
    return lines


def panels(columns: PageColumns, lines: Sequence[CheckLine]) -> Iterator[str]:
    """A part of the page for each outcome that a check has, the worst outcome first."""
    counts = columns.result.verdict.counts
    if not any(counts.values()):
        yield _NO_THRESHOLDS
    axes = _axes(lines)
    for title, outcomes in _TABS.items():
        count = sum(counts[outcome] for outcome in outcomes)
        if count:
            of_tab = [line for line in lines if line.outcome in outcomes]
            heading = f"<h3>{title} <span>{count:,}</span></h3>"
            yield f'<section class="panel" data-outcome="{outcomes[0]}">{heading}'
            yield from _table(title, of_tab, axes)
            if count > len(of_tab):
                yield f'<p class="note">and {count - len(of_tab):,} more, in checks.parquet</p>'
            yield "</section>"
    yield from _ungated(columns.result.verdict.ungated)


def _ungated(changes: Ungated | None) -> Iterator[str]:
    """What changed without a threshold on it."""
    if changes is None or not changes.largest:
        return
    yield f'<section class="panel"><h3>Also changed, not gated <span>{changes.significant:,}</span></h3>'
    yield f"<p>{escape(changes.summary)} {ORDER}:</p><ul>"
    for each in changes.largest:
        before, _, after = each.sentence.partition(each.slice)
        yield f"<li>{escape(cut(before))}<bdi>{escape(cut(each.slice))}</bdi>{escape(after)}</li>"
    yield "</ul></section>"


def _axes(lines: Iterable[CheckLine]) -> dict[str, Axis | None]:
    """The axis of each subject."""
    by_subject: dict[str, list[float]] = {}
    for line in lines:
        by_subject.setdefault(line.subject, []).extend(line.marks.ends())
    return {subject: Axis.spanning(numbers) for subject, numbers in by_subject.items()}


def _table(title: str, lines: Sequence[CheckLine], axes: dict[str, Axis | None]) -> Iterator[str]:
    region = f'class="scroll" tabindex="0" role="region" aria-label="{title}"'
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEAD)
    yield f'<div {region}><table class="checks"><thead><tr>{head}{_LEGEND}</tr></thead>'
    groups = dict.fromkeys((line.subject, line.view) for line in lines)
    for subject, view in groups:
        axis = axes[subject]
        group = [line for line in lines if (line.subject, line.view) == (subject, view)]
        scale = axis.scale() if axis else ""
        apart = "" if view == "all examples" else f" <small>{escape(view)}</small>"
        yield f'<tbody><tr class="subject"><th scope="rowgroup" colspan="4">{escape(subject)}'
        yield f"{apart}</th><td>{scale}</td></tr>"
        yield from (_row(line, axis) for line in group)
        yield "</tbody>"
    yield "</table></div>"


def _row(line: CheckLine, axis: Axis | None) -> str:
    names = {"slice": line.slice, "metric": line.metric, "view": line.view}
    data = " ".join(f'data-{key}="{escape(name)}"' for key, name in names.items())
    picture = axis.picture(line.marks, line.outcome, line.rule) if axis else ""
    sentence = f"<p>{line.sentence}</p>" if line.sentence else ""
    name = f"<bdi>{escape(line.slice)}</bdi>"
    return (
        f'<tr class="is-{line.outcome}" {data}><th scope="row">{name}{sentence}</th>'
        f"<td>{line.value}</td><td>{line.rule}</td>"
        f"<td>{line.examples}</td><td>{picture}</td></tr>"
    )


def _sentence(check: Check) -> str:
    """The sentence with its slice cut and isolated, as HTML.

    A long name would hide the numbers behind it, and a right-to-left name would reorder them.
    """
    before, name, after = check.reason.partition(check.slice or "\0")
    isolated = f"<bdi>{escape(cut(name))}</bdi>" if name else ""
    return f"{escape(cut(before, _MAX_SENTENCE))}{isolated}{escape(cut(after, _MAX_SENTENCE))}"


def _marks(check: Check) -> Marks:
    """What is judged, a relative change in percent."""
    share = 100 if check.kind == CHANGE_RELATIVE else 1
    bound = share * check.bound
    bounds = (bound, math.nan) if check.side == LOWER else (math.nan, bound)
    interval = (share * check.lower, share * check.upper)
    if check.is_change:
        return Marks(share * check.change, *interval, 0.0, *bounds)
    return Marks(check.value, *interval, check.baseline, *bounds)


def _number(text: str) -> str:
    return text.replace("-", "−")


def _rows(check: Check) -> str:
    """How many rows it rests on, and of how many in the slice."""
    if not check.examples:
        return "–"
    if check.evaluated is None or check.evaluated == check.examples:
        return f"{check.examples:,}"
    return f"{check.evaluated:,} of {check.examples:,}"
