# SPDX-License-Identifier: Apache-2.0
"""Renders the weak slices that a search has confirmed, as plain HTML."""

from __future__ import annotations

from html import escape
from typing import Any

from benison.config.weak_slice_options import CHANGE
from benison.results.result import EvalResult
from benison.table.words import WEAK_SLICE_COLUMNS, cut, weak_slice_numbers

_HEADINGS = ("Slice", *(name.capitalize() for name in WEAK_SLICE_COLUMNS))


def weak_slice_section(result: EvalResult) -> str:
    """A section with a table, the strongest slice first; "" where none was looked for."""
    options = result.config.weak_slices
    if options is None:
        return ""
    changed = options.loss == CHANGE
    title = "Slices that became worse" if changed else "Slices in which the model is weak"
    rows = result.weak_slices.to_pylist()
    heads = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
    body = "".join(map(_row, rows))
    content = (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
        if rows
        else '<p class="note">None was confirmed.</p>'
    )
    note = (
        '<p class="note">Found in half of the examples without being named, and confirmed on the other '
        "half, from which effects and intervals are.</p>"
    )
    return (
        f'<section id="weak-slices" aria-labelledby="weak-slices-title"><h2 id="weak-slices-title">{title}'
        f"</h2>{note if rows else ''}{content}</section>"
    )


def _row(row: dict[str, Any]) -> str:
    name = f'<th scope="row" dir="auto">{escape(cut(row["slice"]))}</th>'
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in weak_slice_numbers(row))}</tr>"
