# SPDX-License-Identifier: Apache-2.0
"""Writes a verdict for a CI: each check as a JUnit test case, and a summary in Markdown.

Both files are written at once as "unfinished" and replaced at the end, so that however a run ends, a CI
does not read the green file of an earlier run. What is in the Markdown file already stays before it, because
all that write the summary of a step on GitHub share one file.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import pyarrow.compute as pc

from benison.config.weak_slice_options import CHANGE as CHANGE_LOSS
from benison.errors import visible
from benison.output.report_file import JUNIT, SUMMARY, ReportFile, check_not_below
from benison.results.result import EvalResult
from benison.table.key import CHANGE, KEY_COLUMNS, VALUE, Key
from benison.table.slices import slice_ids
from benison.table.weak_slice_words import CONFIRMED, weak_slice_table, weak_slice_title
from benison.table.words import metric_text, model_source, shortened
from benison.validation.checks import Check
from benison.validation.terms import FAIL, NOT_EVALUATED, PASS, RUBBER_STAMPED, UNDECIDED, WARN
from benison.validation.ungated import ORDER
from benison.validation.verdict import BLESSED, NOT_BLESSED

# GitHub accepts a megabyte of summary. What does not fit is in checks.parquet, and the page says so.
MAX_ROWS = 50
MAX_CELL = 500
MAX_METRICS = 20
WORST = 3  # slices of each metric

_MARKS = {BLESSED: "✅", NOT_BLESSED: "❌", NOT_EVALUATED: "⚠️"}
_MARKUP = re.compile(r"[\\`*_\[\]<>#|~$&@:]")


@dataclasses.dataclass(frozen=True)
class Reports:
    """The files that a CI asked for; either may be None."""

    junit: str | os.PathLike[str] | None = None
    summary: str | os.PathLike[str] | None = None
    output: str | os.PathLike[str] | None = None
    """The output that is to be made, if it is known."""

    @cached_property
    def _before(self) -> bytes:
        """What the summary held when this was first asked."""
        content = ReportFile(self.summary or "", SUMMARY).read()
        return content.rstrip(b"\n") + b"\n\n" if content.strip() else b""

    @contextmanager
    def promised(self) -> Iterator[None]:
        """Write both files as unfinished, and as failed if the block raises; `write` replaces them.

        Raises:
            OutputError: A file cannot be written, or would be in the output; so this is known before the
                evaluation starts.
        """
        for path in (self.junit, self.summary):
            if path is not None and self.output:
                check_not_below(path, self.output)
        self._write_error("Unfinished", "The evaluation was begun and has not ended.")
        try:
            yield
        except Exception as error:
            self._write_error(type(error).__name__, str(error))
            raise

    def write(self, result: EvalResult, gate: bool) -> None:
        """Write the verdict; under the gate, a model that could not be judged has failed."""
        cases = [*_cases(result.verdict.checks)]
        if result.verdict.status == NOT_EVALUATED:
            cases.append(_unjudged(result.verdict.summary(), gate))
        facts, seconds = dict(facts_of(result)), sum(result.manifest["seconds"].values())
        document = _suite(cases, facts, result.manifest["created"], seconds)
        self._write(document, summary_page(result))

    def _write_error(self, kind: str, text: str) -> None:
        case = Element("testcase", classname="benison", name="evaluation", time="0")
        _say(case, "error", text, kind)
        now = datetime.datetime.now(datetime.UTC).isoformat()
        page = f"## ❌ Benison: no verdict\n\n{markdown(text)}\n"
        self._write(_suite([case], {}, now, 0), page)

    def _write(self, suite: Element, page: str) -> None:
        if self.junit is not None:
            ReportFile(self.junit, JUNIT).write(_document(suite), make_folders=True)
        if self.summary is not None:
            file = ReportFile(self.summary, SUMMARY)
            file.write(self._before + page.encode(), make_folders=True)


def markdown(text: str) -> str:
    r"""The text escaped for a line of Markdown or a cell of a table, and shortened.

    >>> markdown("a|b <i>")
    'a\\|b \\<i\\>'
    """
    shown = visible(text)
    return _MARKUP.sub(lambda match: f"\\{match[0]}", shortened(shown, MAX_CELL))


def _suite(
    cases: Sequence[Element], facts: Mapping[str, str], created: str, seconds: float
) -> Element:
    """A suite with the attributes, and the order of elements, that the strictest JUnit schema requires."""
    tags = Counter(child.tag for case in cases for child in case)
    counts = {"failures": tags["failure"], "errors": tags["error"], "skipped": tags["skipped"]}
    numbers = {"id": 0, "tests": len(cases), **counts, "time": f"{seconds:.3f}"}
    where = {
        "package": "benison",
        "timestamp": created[:19],
        "hostname": socket.gethostname() or "localhost",
    }
    attributes = {name: str(number) for name, number in numbers.items()}
    suite = Element("testsuite", {"name": "benison", **where, **attributes})
    properties = SubElement(suite, "properties")
    for name, value in facts.items():
        SubElement(properties, "property", name=visible(name), value=visible(value))
    suite.extend(cases)
    SubElement(suite, "system-out")
    SubElement(suite, "system-err")
    return suite


def write_cases(
    path: str | os.PathLike[str],
    cases: Iterable[tuple[str, str, str]],
    facts: Mapping[str, str],
) -> None:
    """Write a JUnit file of cases that are no checks of a verdict.

    Args:
        path: The file.
        cases: Of each the group, the name, and why it has failed; "" where it has not.
        facts: What stands beside them.

    Raises:
        OutputError: It cannot be written.
    """
    made = []
    for group, name, reason in cases:
        case = Element("testcase", classname=visible(group), name=visible(name), time="0")
        if reason:
            _say(case, "failure", reason, "alert")
        made.append(case)
    now = datetime.datetime.now(datetime.UTC).isoformat()
    ReportFile(path, JUNIT).write(_document(_suite(made, facts, now, 0)), make_folders=True)


def _document(suite: Element) -> bytes:
    root = Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return content + b"\n"


def _cases(checks: Iterable[Check]) -> Iterator[Element]:
    """A case for each check; equal names are numbered, because a CI would merge the cases."""
    seen: Counter[tuple[str, str]] = Counter()
    for check in checks:
        group = f"{check.model}.{check.metric}" if check.model else check.metric
        held = f": {check.formula}" if check.formula else ""
        name = f"{metric_name(check.key)} of {check.slice}{held}"
        seen[group, name] += 1
        number = f" ({seen[group, name]})" if seen[group, name] > 1 else ""
        case = Element("testcase", classname=visible(group), name=visible(name + number), time="0")
        if check.outcome == FAIL:
            _say(case, "failure", check.reason, check.kind)
        elif check.outcome != PASS:
            _say(case, "skipped", check.reason, check.kind)
        yield case


def _unjudged(summary: str, gate: bool) -> Element:
    """The case for a model that no check has judged; without it a CI would see no case, or green ones."""
    case = Element("testcase", classname="benison", name="verdict", time="0")
    _say(case, "failure" if gate else "skipped", summary, NOT_EVALUATED)
    return case


def _say(case: Element, tag: str, text: str, kind: str) -> None:
    """Add a reason, as attribute and as text, because some readers show only one of the two."""
    kinds = {} if tag == "skipped" else {"type": kind}  # Ant's schema allows no type on <skipped>
    SubElement(case, tag, {**kinds, "message": visible(text)}).text = visible(text)


def metric_name(key: Key, several: bool = False) -> str:
    """A metric's name, and what tells it from others of its name; `several` models are told apart."""
    model = f"model {key.model}" if several else ""
    weighting = "weighted" if key.weighted else ""
    parts = [model, key.output, key.variant, key.sub_key, key.aggregation, weighting]
    apart = ", ".join(part for part in parts if part)
    name = metric_text(key.metric, key.kind)
    return f"{name} ({apart})" if apart else name


def facts_of(result: EvalResult, shown: Callable[[str], str] = str) -> Iterator[tuple[str, str]]:
    """What was evaluated; `shown` gives what is shown of a path."""
    manifest = result.manifest
    files = [shown(file["name"]) for file in manifest["data"]["files"]]
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    yield "Data", f"{', '.join(files[:3]) or 'a table in memory'}{more}"
    yield "Examples", f"{manifest['rows']:,}"
    for model in manifest["models"]:
        name = model["name"] or ("baseline" if model["is_baseline"] else "candidate")
        read = model["path"] is None
        yield (
            name,
            model_source(model) if read else f"{shown(model['path'])} {model['digest'][:12]}",
        )
    yield "Config", manifest["config"][:12]
    yield "Results", "in memory" if result.path is None else shown(str(result.path))
    yield "Evaluated", result.provenance


def summary_page(result: EvalResult) -> str:
    """The verdict, why, and what changed most, as a page of Markdown."""
    return "\n".join(_page(result, dict(facts_of(result))))


def _page(result: EvalResult, facts: Mapping[str, str]) -> Iterator[str]:
    verdict = result.verdict
    yield f"## {_MARKS[verdict.status]} Benison: {verdict.status.replace('_', ' ')}\n"
    yield f"{markdown(verdict.summary())}\n"
    several = len(result.config.candidate_specs) > 1
    groups = {
        "Failed": (FAIL,),
        "Undecided": (UNDECIDED,),
        "Not evaluated": (NOT_EVALUATED, RUBBER_STAMPED),
        "Warned": (WARN,),
    }
    for title, outcomes in groups.items():
        shown = verdict.of_outcome(*outcomes, most=MAX_ROWS)
        cells = [(metric_name(check.key, several), check.slice, check.reason) for check in shown]
        yield from markdown_table(title, ("Metric", "Slice", "Why"), cells)
        count = sum(verdict.counts[outcome] for outcome in outcomes)
        if count > MAX_ROWS:
            yield f"and {count - MAX_ROWS:,} more, in checks\\.parquet\n"
    if (beside := verdict.ungated) is not None:
        sentences = [(each.metric, each.slice, each.sentence) for each in beside.largest]
        yield from markdown_table("Also changed, not gated", ("Metric", "Slice", "What"), sentences)
        yield f"{markdown(beside.summary)} {markdown(ORDER)}, are shown.\n" if sentences else ""
    yield from _weak_slices(result)
    columns = ("Metric", "Slice", "Examples", "Baseline", "Candidate", "Change")
    yield from markdown_table("Worst changes", columns, [*worst_changes(result, several)])
    yield from markdown_table("What was evaluated", ("What", "Which"), [*facts.items()])


def _weak_slices(result: EvalResult) -> Iterator[str]:
    """The slices that a search has confirmed, the strongest first."""
    options = result.config.weak_slices
    headings, rows = weak_slice_table(result.weak_slices.to_pylist()[:MAX_ROWS])
    if options is not None and rows:
        columns = [heading.capitalize() for heading in headings]
        yield from markdown_table(weak_slice_title(options.loss == CHANGE_LOSS), columns, rows)
        yield f"{markdown(CONFIRMED)}\n"


def markdown_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    """The lines of a table of Markdown below its title, or none without rows."""
    if rows:
        yield f"### {title}\n"
        yield f"| {' | '.join(columns)} |"
        yield f"|{' --- |' * len(columns)}"
        yield from (f"| {' | '.join(map(markdown, row))} |" for row in rows)
        yield ""


def worst_changes(result: EvalResult, several: bool) -> Iterator[tuple[str, ...]]:
    """For each judged metric (or all) whose direction is known, the slices that became worse by most."""
    baseline = result.config.baseline_spec
    if baseline is None:
        return
    table = result.metrics
    changed = pc.unique(table.filter(pc.equal(table["kind"], CHANGE))["metric"]).to_pylist()
    judged = pc.unique(result.verdict.table["metric"]).to_pylist()
    values = values_by_key(result)
    for name in [name for name in judged or changed if name in changed][:MAX_METRICS]:
        is_bad_when_high = result.is_bad_when_high(name)
        if is_bad_when_high is None:
            continue
        sign = -1 if is_bad_when_high else 1
        rows = result.worst(metric_text(name, CHANGE), WORST)
        for row, identity in zip(rows.to_pylist(), slice_ids(rows).to_pylist(), strict=True):
            if sign * row["value"] < 0:
                key = Key.of(row).as_kind(VALUE)
                sides = (key.of_model(baseline.name), key)
                numbers = (f"{values[side, identity]:.6g}" for side in sides)
                where = (metric_name(key, several), row["slice"])
                yield (*where, f"{row['examples']:,}", *numbers, _change(row, result.level))


def values_by_key(result: EvalResult) -> dict[tuple[Key, str], float]:
    """Every value of every model, by its key and the identity of its slice."""
    table = result.metrics.filter(pc.equal(result.metrics["kind"], VALUE))
    rows = table.select([*KEY_COLUMNS, "value"]).to_pylist()
    identities = slice_ids(table).to_pylist()
    return {(Key.of(r), identity): r["value"] for r, identity in zip(rows, identities, strict=True)}


def _change(row: Mapping[str, Any], level: float) -> str:
    """A change, with its interval where it has one."""
    change, lower, upper = (row[key] for key in ("value", "lower", "upper"))
    ends = f" ({100 * level:.4g} % interval {lower:.4g} to {upper:.4g})"
    return f"{change:+.6g}{ends if math.isfinite(upper - lower) else ''}"
