# SPDX-License-Identifier: Apache-2.0
"""Renders the weak slices that a search has confirmed, as plain HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benison.config.weak_slice_options import CHANGE
from benison.results.result import EvalResult
from benison.table.weak_slice_words import CONFIRMED, weak_slice_table, weak_slice_title
from benison.table.words import cut


def weak_slice_section(result: EvalResult) -> str:
    """A section with a table, the strongest slice first; "" where none was looked for."""
    options = result.config.weak_slices
    if options is None:
        return ""
    title = weak_slice_title(options.loss == CHANGE)
    headings, rows = weak_slice_table(result.weak_slices.to_pylist())
    heads = "".join(f'<th scope="col">{heading.capitalize()}</th>' for heading in headings)
    body = "".join(map(_row, rows))
    content = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table><thead>'
        f"<tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        if rows
        else '<p class="note">None was confirmed.</p>'
    )
    note = f'<p class="note">{CONFIRMED}</p>' if rows else ""
    return (
        f'<section id="weak-slices" aria-labelledby="weak-slices-title"><h2 id="weak-slices-title">{title}'
        f"</h2>{note}{content}</section>"
    )


def _row(cells: Sequence[str]) -> str:
    name = f'<th scope="row" dir="auto">{escape(cut(cells[0]))}</th>'
    return f"<tr>{name}{''.join(f'<td>{escape(cell)}</td>' for cell in cells[1:])}</tr>"
