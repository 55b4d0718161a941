# SPDX-License-Identifier: Apache-2.0
"""Prints the weak slices that a search has confirmed."""

from __future__ import annotations

from rich.table import Table

from benison.config.weak_slice_options import CHANGE
from benison.results.result import EvalResult
from benison.table.weak_slice_words import NONE_CONFIRMED, weak_slice_table, weak_slice_title
from benison.terminal import console, plain


def weak_slices(result: EvalResult) -> None:
    """Print a table of the slices, the strongest first; nothing where none was looked for."""
    options, rows = result.config.weak_slices, result.weak_slices.to_pylist()
    if options is None:
        return
    if not rows:
        print(NONE_CONFIRMED)
        return
    headings, cells = weak_slice_table(rows)
    table = Table(title=weak_slice_title(options.loss == CHANGE), title_justify="left")
    for name in headings:
        is_name = name in ("slice", "of")
        if is_name:
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=True)
    for row in cells:
        table.add_row(*map(plain, row))
    console().print(table)
