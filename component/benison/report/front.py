# SPDX-License-Identifier: Apache-2.0
"""This file is the first screen of the page: verdict, reasons, and what was evaluated.

It is HTML before any script runs, so that a mail preview or a viewer without scripts shows it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from benison.report.slices import cut
from benison.results import EvalResult
from benison.validation import BLESSED, NOT_EVALUATED, Check

MAX_CHECKS = 200
"""Sentences of each sort in the page; the rest is in verdict.json, and the page says so."""

_FIRST = 8  # sentences before the fold
_MAX_SENTENCE = 1_000


def front(result: EvalResult) -> dict[str, str]:
    """Pieces of HTML by their place in page.html."""
    verdict = result.verdict
    open_ = [check for check in verdict.checks if check.outcome == NOT_EVALUATED]
    return {
        "status": escape(verdict.status),
        "words": escape(verdict.status.replace("_", " ").upper()),
        "summary": escape(verdict.summary().partition(": ")[2]),
        "why": "".join(_why(result)),
        "open": "".join(_not_evaluated(open_)),
        "facts": "".join(_facts(result)),
    }


def _why(result: EvalResult) -> Iterator[str]:
    failures = result.verdict.failures
    if not failures:
        checked = result.verdict.status == BLESSED
        yield f"<p>{'Every check that could be evaluated passed.' if checked else _UNCHECKED}</p>"
        return
    shown = [_sentence(check, "failed") for check in failures[:MAX_CHECKS]]
    yield f"<ul>{''.join(shown[:_FIRST])}</ul>"
    if len(failures) > _FIRST:
        yield f"<details><summary>{len(failures) - _FIRST:,} more failed checks</summary>"
        yield f"<ul>{''.join(shown[_FIRST:])}{_rest(len(failures))}</ul></details>"


_UNCHECKED = "Nothing was judged, so the model is not blessed; neither was it found wanting."


def _not_evaluated(checks: list[Check]) -> Iterator[str]:
    if checks:
        some = "one check" if len(checks) == 1 else f"{len(checks):,} checks"
        sentences = "".join(_sentence(check, "open") for check in checks[:MAX_CHECKS])
        yield f"<details><summary>What could not be evaluated: {some}</summary>"
        yield f"<ul>{sentences}{_rest(len(checks))}</ul></details>"


def _sentence(check: Check, kind: str) -> str:
    place = f'data-slice="{escape(cut(check.slice))}" data-metric="{escape(cut(check.metric))}"'
    return f'<li class="{kind}" {place}>{escape(cut(check.reason, _MAX_SENTENCE))}</li>'


def _rest(count: int) -> str:
    return (
        f"<li>and {count - MAX_CHECKS:,} more, in verdict.json</li>" if count > MAX_CHECKS else ""
    )


def _facts(result: EvalResult) -> Iterator[str]:
    for term, texts in _rows(result):
        said = "".join(f"<dd>{escape(cut(text, 400))}</dd>" for text in texts)
        yield f"<div><dt>{escape(cut(term))}</dt>{said}</div>"


def _rows(result: EvalResult) -> Iterator[tuple[str, Iterable[str]]]:
    """What was evaluated, a line for each thing."""
    manifest = result.manifest
    files = [file["name"] for file in manifest["data"]["files"]]
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    yield "Examples", [f"{manifest['rows']:,}, all of them read"]
    yield (
        "Data",
        [f"{', '.join(files[:3]) or 'a table in memory'}{more}", manifest["data"]["digest"][:12]],
    )
    for model in manifest["models"]:
        name = model["name"] or ("baseline" if model["is_baseline"] else "candidate")
        read = model["path"] is None
        yield name, ["predictions in the data"] if read else [model["path"], model["digest"][:12]]
    missing = {name: count for name, count in manifest.get("missing", {}).items() if count}
    if missing:
        yield "Missing", [f"{count:,} of {name}" for name, count in missing.items()]
    yield "Config", [manifest["config"][:12]]
    yield "Evaluated", [result.made]
    yield from _lineage(manifest.get("lineage") or {})


def _lineage(lineage: dict[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    if lineage:
        said = (f"{name.replace('_', ' ')} {value}" for name, value in lineage.items())
        yield "Lineage", said
