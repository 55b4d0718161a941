# SPDX-License-Identifier: Apache-2.0
"""Renders the first screen of the page: verdict, reasons, and what was evaluated.

It is plain HTML, so that a mail preview or a viewer without scripts shows it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from benison.report.page.columns import PageColumns
from benison.results.result import EvalResult
from benison.table.words import cut, metric_text, view_text
from benison.validation.checks import Check
from benison.validation.terms import (
    CHANGE_RELATIVE,
    FAIL,
    LOWER,
    NOT_EVALUATED,
    RUBBER_STAMPED,
    UNDECIDED,
)
from benison.validation.verdict import BLESSED

MAX_CHECKS = 200
"""The most failed checks, and the most unevaluated ones, in the page; the rest is in verdict.json."""

_FIRST = 8  # sentences before the fold
_MAX_SENTENCE = 1_000
_DIGEST = "SHA-256"


def front(result: EvalResult) -> dict[str, str]:
    """The pieces of HTML that page.html names."""
    verdict = result.verdict
    slices = PageColumns(result, result.metrics.slice(0, 0))
    open_ = verdict.of_outcome(*_OPEN, most=MAX_CHECKS)
    count = sum(verdict.counts[outcome] for outcome in _OPEN)
    return {
        "status": escape(verdict.status),
        "words": escape(verdict.status.replace("_", " ").upper()),
        "summary": escape(verdict.summary().partition(": ")[2]),
        "why": "".join(_why(result, slices)),
        "open": "".join(_not_evaluated(open_, count, _several(result), slices)),
        "facts": "".join(_facts(result)),
    }


_OPEN = (UNDECIDED, NOT_EVALUATED, RUBBER_STAMPED)


def _why(result: EvalResult, slices: PageColumns) -> Iterator[str]:
    count = result.verdict.counts[FAIL]
    if not count:
        checked = result.verdict.status == BLESSED
        yield f"<p>{'Every check that could be evaluated passed.' if checked else _UNCHECKED}</p>"
        return
    several = _several(result)
    failures = result.verdict.of_outcome(FAIL, most=MAX_CHECKS)
    shown = [_sentence(check, several, slices, _drawn(check)) for check in failures]
    yield f"<ul>{''.join(shown[:_FIRST])}</ul>"
    if count > _FIRST:
        yield f"<details><summary>{count - _FIRST:,} more failed checks</summary>"
        yield f"<ul>{''.join(shown[_FIRST:])}{_rest(count)}</ul></details>"


_UNCHECKED = "No check could be evaluated: the model is neither blessed nor rejected."


def _several(result: EvalResult) -> bool:
    """Whether there are several candidates."""
    return len(result.config.candidate_specs) > 1


def _not_evaluated(
    checks: Sequence[Check], count: int, several: bool, slices: PageColumns
) -> Iterator[str]:
    if checks:
        some = "one check" if count == 1 else f"{count:,} checks"
        sentences = "".join(_sentence(check, several, slices) for check in checks)
        yield f"<details><summary>What could not be evaluated: {some}</summary>"
        yield f"<ul>{sentences}{_rest(count)}</ul></details>"


def _sentence(check: Check, several: bool, slices: PageColumns, drawn: str = "") -> str:
    kind = "open" if check.outcome in _OPEN else "failed"
    metric = metric_text(check.key.metric, check.key.kind)
    view = view_text(check.key.view, several)
    shown = {"slice": slices.name_of(check), "metric": cut(metric), "view": view}
    data = " ".join(f'data-{key}="{escape(name)}"' for key, name in shown.items())
    return f'<li class="{kind}" {data}><span>{_reason(check)}</span>{drawn}</li>'


def _reason(check: Check) -> str:
    """The reason with its slice cut and isolated.

    A long name would hide the numbers behind it, and a right-to-left name would reorder them.
    """
    before, name, after = check.reason.partition(check.slice or "\0")
    isolated = f"<bdi>{escape(cut(name))}</bdi>" if name else ""
    return f"{escape(cut(before, _MAX_SENTENCE))}{isolated}{escape(cut(after, _MAX_SENTENCE))}"


def _rest(count: int) -> str:
    return (
        f"<li>and {count - MAX_CHECKS:,} more, in verdict.json</li>" if count > MAX_CHECKS else ""
    )


def _facts(result: EvalResult) -> Iterator[str]:
    for term, texts in _rows(result):
        texts_html = "".join(_fact(text) for text in texts)
        yield f"<div><dt>{escape(cut(term))}</dt>{texts_html}</div>"


def _fact(text: str) -> str:
    kind = ' class="digest"' if text.startswith(_DIGEST) else ""
    return f"<dd{kind}>{escape(cut(text, 400))}</dd>"


def _rows(result: EvalResult) -> Iterator[tuple[str, Iterable[str]]]:
    """What was evaluated: a term and its descriptions for each line."""
    manifest = result.manifest
    files = [file["name"] for file in manifest["data"]["files"]]
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    yield "Examples", [f"{manifest['rows']:,}, all of them read"]
    yield (
        "Data",
        [
            f"{', '.join(files[:3]) or 'a table in memory'}{more}",
            _short(manifest["data"]["digest"]),
        ],
    )
    for model in manifest["models"]:
        name = model["name"] or ("baseline" if model["is_baseline"] else "candidate")
        read = model["path"] is None
        yield (
            name,
            ["predictions in the data"] if read else [model["path"], _short(model["digest"])],
        )
    missing = {name: count for name, count in manifest.get("missing", {}).items() if count}
    if missing:
        yield "Missing", [f"{count:,} of {name}" for name, count in missing.items()]
    yield "Config", [_short(manifest["config"])]
    yield "Evaluated", [result.provenance]
    yield from _lineage(manifest.get("lineage") or {})


def _short(digest: str) -> str:
    """A digest cut to twelve characters, which are enough to compare it by eye."""
    return f"{_DIGEST} {digest[:12]}…" if len(digest) == 64 else digest


def _lineage(lineage: dict[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    """The names of the lineage, one on each line, then all ids of the store in one line."""
    values = {name.replace("_", " "): value for name, value in lineage.items()}
    names = [f"{name} {value}" for name, value in values.items() if not isinstance(value, int)]
    ids = ", ".join(f"{name} {value}" for name, value in values.items() if isinstance(value, int))
    if lineage:
        yield "Lineage", filter(None, [*names, ids])


def _drawn(check: Check) -> str:
    """An SVG of baseline, value and allowed range on one axis; "" if there is nothing to compare."""
    low, high = _allowed(check)
    marks = [x for x in (check.value, check.baseline, low, high) if math.isfinite(x)]
    if not math.isfinite(check.value) or len(marks) < 2 or min(marks) == max(marks):
        return ""
    margin = 0.15 * (max(marks) - min(marks))
    least, most = min(marks) - margin, max(marks) + margin

    def at(x: float) -> str:
        return f"{4 + 232 * (min(max(x, least), most) - least) / (most - least):.1f}"

    left, right = (
        at(low if math.isfinite(low) else least),
        at(high if math.isfinite(high) else most),
    )
    parts = [
        '<line class="axis" x1="4" x2="236" y1="9" y2="9"/>',
        f'<rect class="allowed" x="{left}" width="{float(right) - float(left):.1f}" y="4" height="10"/>',
    ]
    if math.isfinite(check.baseline):
        parts.append(f'<path class="even" d="M{at(check.baseline)} 1v16"/>')
    parts.append(f'<circle class="missed" cx="{at(check.value)}" cy="9" r="4.5"/>')
    about = "Dot: the candidate; stroke: the baseline; band: what is allowed."
    frame = f'viewBox="0 0 240 18" role="img" aria-label="{about}" data-tip="{about}"'
    return f"<svg {frame}>{''.join(parts)}</svg>"


def _allowed(check: Check) -> tuple[float, float]:
    """The bounds on the value, whichever kind the check is of; NaN where there is none."""
    bound = check.bound
    if check.is_change:
        unit = abs(check.baseline) if check.kind == CHANGE_RELATIVE else 1.0
        bound = check.baseline + unit * bound
    return (bound, math.nan) if check.side == LOWER else (math.nan, bound)
