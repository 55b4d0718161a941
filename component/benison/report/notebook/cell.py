# SPDX-License-Identifier: Apache-2.0
"""Renders a result as a piece of HTML for a notebook, without scripts, style sheets or requests.

Notebooks allow different things: Colab a sandboxed frame, JupyterLab no frame until a notebook is trusted,
GitHub no style sheets. So verdict, reasons and worst slices are plain elements with every name escaped;
the whole report, which has scripts, is folded up in a frame of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import pyarrow.compute as pc

from benison.config.weak_slice_options import CHANGE
from benison.report import page
from benison.report.look import LIGHT
from benison.results.result import EvalResult
from benison.slicing.keys import OVERALL
from benison.table.slices import slice_id, slice_ids
from benison.table.weak_slice_words import CONFIRMED, weak_slice_table, weak_slice_title
from benison.table.words import FEW_EXAMPLES, shortened
from benison.validation.terms import FAIL

MAX_REPORT = 2_000_000
"""Characters of a report that a cell embeds; every cell that shows a result stores its own copy."""

_REASONS, _METRICS, _SLICES, _NAME = 8, 6, 5, 120
_COLOURS = {"blessed": "#18794e", "not_blessed": "#c3272b"}
_NONE = (math.nan,) * 3
_NUMBERS = "text-align:right;font-variant-numeric:tabular-nums"


def piece(result: EvalResult) -> str:
    """Verdict, reasons, worst and weak slices; then the report, or its path if it is too large."""
    return "".join(
        ("<div>", *_verdict(result), *_worst(result), *_weak(result), _report(result), "</div>")
    )


def _verdict(result: EvalResult) -> Iterator[str]:
    status, _, rest = result.verdict.summary().partition(": ")
    colour = _COLOURS.get(result.verdict.status, LIGHT["open"])
    yield f'<p><strong style="color:{colour}">{escape(status)}</strong> {escape(rest)}</p>'
    reasons = result.verdict.first_reasons(_REASONS)
    if reasons:
        more = result.verdict.counts[FAIL] - _REASONS
        rest = f"<li>… and {more:,} more in <code>verdict.reasons</code></li>" if more > 0 else ""
        yield f"<ul>{''.join(f'<li>{_cut(r, 600)}</li>' for r in reasons)}{rest}</ul>"


def _worst(result: EvalResult) -> Iterator[str]:
    names = _judged(result)[:_METRICS]
    yield "<table><thead><tr>"
    yield "".join(f"<th>{_cut(name)}</th>" for name in ("slice", "examples", *names))
    yield "</tr></thead><tbody>"
    table = result.verdict.table.filter(pc.equal(result.verdict.table["outcome"], FAIL))
    failed = set(zip(slice_ids(table).to_pylist(), table["metric"].to_pylist(), strict=True))
    rows = _rows(result, names)
    for identity, row in rows.items():
        yield f'<tr><td style="text-align:left">{_cut(row["slice"])}</td>'
        few = "≈ " if row["examples"] < FEW_EXAMPLES else ""
        yield f'<td style="{_NUMBERS}">{few}{row["examples"]:,}</td>'
        for name in names:
            mark = " ✗" if (identity, name) in failed else ""
            yield f'<td style="{_NUMBERS}">{_number(*row.get(name, _NONE))}{mark}</td>'
        yield "</tr>"
    yield "</tbody></table>"
    if any(row["examples"] < FEW_EXAMPLES for row in rows.values()):
        yield f"<p><small>≈: fewer than {FEW_EXAMPLES} examples, so uncertain.</small></p>"


def _weak(result: EvalResult) -> Iterator[str]:
    """The slices that a search has confirmed, the strongest first."""
    options = result.config.weak_slices
    headings, rows = weak_slice_table(result.weak_slices.to_pylist())
    if options is None or not rows:
        return
    yield f"<p><strong>{weak_slice_title(options.loss == CHANGE)}</strong></p><table><thead><tr>"
    yield f"{''.join(f'<th>{name}</th>' for name in headings)}</tr></thead><tbody>"
    for name, *cells in rows:
        yield f'<tr><td style="text-align:left">{_cut(name)}</td>'
        yield "".join(f'<td style="{_NUMBERS}">{_cut(cell)}</td>' for cell in cells)
        yield "</tr>"
    yield f"</tbody></table><p><small>{CONFIRMED}</small></p>"


def _rows(result: EvalResult, names: list[str]) -> dict[str, dict[str, Any]]:
    """Overall, then the worst slices of each metric, with what was found of all these metrics there."""
    tables = {name: result.ranked(name) for name in names}
    wanted = {slice_id(OVERALL): None}
    for table in tables.values():
        wanted |= dict.fromkeys(slice_ids(table.slice(0, _SLICES)).to_pylist())
    rows: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        columns = ("slice", "examples", "value", "lower", "upper")
        numbers = (table[column].to_pylist() for column in columns)
        for identity, slice_, examples, *values in zip(
            slice_ids(table).to_pylist(), *numbers, strict=True
        ):
            if identity in wanted:
                row = rows.setdefault(identity, {"slice": slice_, "examples": examples})
                row.setdefault(name, values)
    return {identity: rows[identity] for identity in wanted if identity in rows}


def _judged(result: EvalResult) -> list[str]:
    """The metrics that have thresholds, else all; the first failures first."""
    table = result.verdict.table
    failed = table.filter(pc.equal(table["outcome"], FAIL))
    known = result.metric_names()
    names = dict.fromkeys([*failed["metric"].to_pylist(), *pc.unique(table["metric"]).to_pylist()])
    return [name for name in names if name in known] or known


def _report(result: EvalResult) -> str:
    text = page.render(result)
    file = "" if result.path is None else escape(str(result.path / "report.html"))
    if len(text) > MAX_REPORT:
        where = file or "benison report RUN --output report.html"
        return f"<p>The report is too large for a notebook: <code>{where}</code></p>"
    where = f", or open <code>{file}</code>" if file else ""
    hint = f"<p><small>Empty? Trust this notebook{where}.</small></p>"
    # Without `allow-same-origin` the page cannot reach the notebook, whatever it does.
    frame = (
        f'<iframe title="Benison report" srcdoc="{escape(text)}" loading="lazy" '
        'sandbox="allow-scripts allow-downloads" width="100%" height="640" '
        'style="border:1px solid #8884"></iframe>'
    )
    return f"<details><summary>The whole report</summary>{hint}{frame}</details>"


def _cut(text: str, most: int = _NAME) -> str:
    return escape(shortened(text, most))


def _number(value: float, lower: float, upper: float) -> str:
    """A value, with its interval where it has one."""
    if math.isnan(value):
        return ""
    known = not (math.isnan(lower) or math.isnan(upper))
    interval = f" <small>({lower:.3g} to {upper:.3g})</small>" if known else ""
    return f"{value:.5g}{interval}"
