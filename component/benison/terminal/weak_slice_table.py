# SPDX-License-Identifier: Apache-2.0
"""Prints the weak slices that a search has confirmed."""

from __future__ import annotations

from rich.table import Table

from benison.config.weak_slice_options import CHANGE
from benison.results.result import EvalResult
from benison.table.words import WEAK_SLICE_COLUMNS, weak_slice_numbers
from benison.terminal import console, plain


def weak_slices(result: EvalResult) -> None:
    """Print a table of the slices, the strongest first; nothing where none was looked for."""
    rows = result.weak_slices.to_pylist()
    if result.config.weak_slices is None:
        return
    if not rows:
        print("No weak slice was confirmed.")
        return
    became_worse = rows[0]["loss"] == CHANGE
    title = "Slices that became worse" if became_worse else "Slices in which the model is weak"
    table = Table(title=title, title_justify="left")
    table.add_column("slice", overflow="fold")
    for name in WEAK_SLICE_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(plain(row["slice"]), *weak_slice_numbers(row))
    console().print(table)
