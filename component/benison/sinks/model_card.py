# SPDX-License-Identifier: Apache-2.0
"""A model card: what a model is, on what it was judged, how well it does, where badly, and by which rules."""

from __future__ import annotations

import dataclasses
import html
import io
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.compute as pc
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from benison.errors import ConfigError, OutputError, visible
from benison.output.report_file import CARD, ReportFile
from benison.paths import locate
from benison.report.ci import facts_of, markdown, markdown_table, metric_name
from benison.report.look import colours
from benison.results.overall import headline, overall
from benison.results.query import judged
from benison.results.result import EvalResult
from benison.sinks.result_names import shared_model_of, shared_path
from benison.table.alike import rows_by
from benison.table.key import CHANGE, VALUE, Key
from benison.table.words import metric_text
from benison.validation.terms import CHANGE_ABSOLUTE, CHANGE_RELATIVE, FAIL, LOWER, PASS

_KEPT = "<!-- What stands below is yours: it is kept when the card is written again. -->"
_GENERATOR = '<meta name="generator" content="Benison">'
_MARKS = {
    ".md": (_KEPT, "what stands above it is replaced"),
    ".html": (_GENERATOR, "the page is replaced whole"),
}
_RECORDS = ("execution", "examples", "model", "baseline_model", "evaluation", "blessing")
_UNKNOWN = """## What an evaluation does not know

For what the model is meant and for what not, on which data it was trained, whom its mistakes may harm.
"""
_MOST_METRICS, _MOST_RULES, _WORST = 40, 50, 3
_CHANGES = {
    CHANGE_ABSOLUTE: "change from the baseline ",
    CHANGE_RELATIVE: "change by a share of the baseline ",
}
_STYLE = (
    "body{max-width:52rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;"
    "color:var(--ink);background:var(--paper)}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{padding:.25rem .75rem;border-bottom:1px solid var(--line);text-align:left}"
)


@dataclasses.dataclass(frozen=True)
class ModelCard:
    """A file of Markdown (`.md`), as model hubs read it, or a page of HTML (`.html`); a `Publisher`."""

    path: str

    def __post_init__(self) -> None:
        if not self.path or self._suffix not in _MARKS:
            raise ConfigError("A model card is a .md or a .html file: model-card=MODEL_CARD.md.")

    @property
    def _suffix(self) -> str:
        return locate(self.path, ConfigError).suffix

    def publish(self, result: EvalResult) -> None:
        ReportFile(self.path, CARD).write(self.text(result).encode())

    def check_target(self) -> None:
        ReportFile(self.path, CARD).check()
        self._before()

    def text(self, result: EvalResult) -> str:
        """The card, with what somebody has written below an earlier one.

        Raises:
            OutputError: What is there is no card, and would be lost.
        """
        body, before = "\n".join(_body(result)), self._before()
        if self._suffix == ".html":
            return _page(shared_model_of(result), f"{body}\n{_UNKNOWN}")
        _, mark, below = before.partition(_KEPT)
        kept = below.removeprefix("\n") if mark else f"\n{_UNKNOWN}"
        return f"---\n{_front_matter(result)}---\n\n{body}\n{_KEPT}\n{kept}"

    def _before(self) -> str:
        """The card that is there, or ""."""
        location = locate(self.path, OutputError)
        try:
            content = location.read_bytes() if location.is_file() else b""
            return self._card(content.decode("utf-8").replace("\r\n", "\n"))
        except UnicodeDecodeError as error:
            raise OutputError(
                f"{self.path} is no model card: its byte {error.start} is not UTF-8. Name another file."
            ) from error
        except OSError as error:
            raise OutputError(f"{self.path} cannot be read: {error.strerror or error}.") from error

    def _card(self, before: str) -> str:
        mark, what_then = _MARKS[self._suffix]
        if before.strip() and mark not in before:
            raise OutputError(
                f"{self.path} is there and is no model card; name another file, or add the line {mark} to "
                f"it: {what_then}."
            )
        return before


def _body(result: EvalResult) -> Iterator[str]:
    yield f"# {markdown(shared_model_of(result))}\n"
    yield f"**{markdown(result.verdict.summary())}**\n"
    yield from markdown_table(
        "What was evaluated",
        ("What", "Which"),
        [*facts_of(result, shared_path), *_origin(result.manifest)],
    )
    yield from markdown_table(
        "On all data",
        ("Metric", "Value", "Interval", "Change from the baseline"),
        [*_values(result)],
    )
    worst, rules = [*_worst(result)], [*_rules(result)]
    yield from markdown_table("Where it is worst", ("Metric", "Slice", "Examples", "Value"), worst)
    columns = ("Metric", "Has to be", "Slices", "Passed", "Failed", "Neither")
    yield from markdown_table("What it has to reach", columns, rules)
    failed = result.verdict.first_reasons(_MOST_RULES)
    if failed:
        yield "### What failed\n"
        yield from (f"* {markdown(reason)}" for reason in failed)
        yield ""
    if advice := result.manifest.get("advice"):
        yield "### What to know of the numbers\n"
        yield from (f"* {markdown(sentence)}" for sentence in advice)
        yield ""


def _values(result: EvalResult) -> Iterator[tuple[str, ...]]:
    """The candidates' values on all data, with their intervals and changes."""
    rows = {kind: _overall(result, kind) for kind in (VALUE, CHANGE)}
    for key, row in list(rows[VALUE].items())[:_MOST_METRICS]:
        change = rows[CHANGE].get(key.as_kind(CHANGE))
        moved = "" if change is None else f"{change['value']:+.4g}{_interval(change, ' (', ')')}"
        yield metric_name(key, bool(row["model"])), f"{row['value']:.6g}", _interval(row), moved


def _overall(result: EvalResult, kind: str) -> dict[Key, dict[str, Any]]:
    table = result.metrics.filter(pc.equal(result.metrics["kind"], kind))
    rows = overall(result, table)
    return {Key.of(row): row for row in rows if math.isfinite(row["value"])}


def _interval(row: dict[str, Any], start: str = "", end: str = "") -> str:
    ends = row["lower"], row["upper"]
    return f"{start}{ends[0]:.4g} to {ends[1]:.4g}{end}" if all(map(math.isfinite, ends)) else ""


def _worst(result: EvalResult) -> Iterator[tuple[str, ...]]:
    for name in judged(result)[:_MOST_METRICS] or result.metric_names()[:1]:
        if result.is_bad_when_high(name) is None:
            continue
        for row in result.worst(name, _WORST).to_pylist():
            yield name, row["slice"], f"{row['examples']:,}", f"{row['value']:.6g}"


def _origin(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the data were, byte for byte, and where the lineage of the evaluation is recorded."""
    if manifest["data"].get("digest"):
        yield "Digest of the data", manifest["data"]["digest"]
    recorded = manifest.get("lineage") or {}
    given = {name: value for name, value in recorded.items() if value not in (None, "")}
    run = [f"{name} {given[name]}" for name in ("pipeline", "run", "task") if name in given]
    ids = [f"{name} {value}" for name, value in given.items() if name in _RECORDS]
    if run:
        kind = str(given.get("store", "")).partition(":")[0]
        yield "Recorded as", ", ".join(run)
        yield f"Lineage{f' ({kind})' if kind else ''}", ", ".join(ids).replace("_", " ")


def _rules(result: EvalResult) -> Iterator[tuple[str, ...]]:
    """Each bound, the slices on which it stands, and how many passed, failed, and did neither."""
    keys = ["metric", "kind", "check", "side", "bound"]
    rules: dict[tuple[Any, ...], dict[str, int]] = {}
    for (*rule, outcome), rows in rows_by(result.verdict.table, [*keys, "outcome"]).items():
        rules.setdefault(tuple(rule), {})[outcome] = len(rows)
    for (metric, kind, check, side, bound), outcomes in list(rules.items())[:_MOST_RULES]:
        least = "at least" if side == LOWER else "at most"
        has_to = "" if bound is None else f"{_CHANGES.get(check, '')}{least} {bound:g}"
        total, passed, failed = sum(outcomes.values()), outcomes.get(PASS, 0), outcomes.get(FAIL, 0)
        counted = (total, passed, failed, total - passed - failed)
        yield metric_text(metric, kind), has_to, *(f"{count:,}" for count in counted)


def _front_matter(result: EvalResult) -> str:
    """What a model hub reads of a card: the values on all data, as its `model-index`."""
    data = result.manifest["data"]
    names = [shared_path(file["name"]) for file in data["files"]] or ["table"]
    values = {visible(name): value for name, value in headline(result).items()}
    metrics = [{"type": name, "name": name, "value": value} for name, value in values.items()]
    results = {
        "task": {"type": "other"},
        "dataset": {"name": visible(names[0]), "type": data["format"] or "table"},
        "metrics": metrics[:_MOST_METRICS],
    }
    document = {
        "tags": ["benison", result.verdict.status],
        "model-index": [{"name": shared_model_of(result), "results": [results]}],
    }
    written = io.StringIO()
    YAML(typ="safe").dump(document, written)
    return written.getvalue()


def _page(title: str, text: str) -> str:
    """The Markdown as a page, in which names are text whatever they hold."""
    content = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{_GENERATOR}<title>{html.escape(title)}</title><style>{colours()}{_STYLE}</style></head>"
        f"<body>{content}</body></html>\n"
    )
