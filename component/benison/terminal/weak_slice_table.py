# SPDX-License-Identifier: Apache-2.0
"""Prints the weak slices that a search has confirmed."""

from __future__ import annotations

from benison.config.weak_slice_options import AUTO, CHANGE
from benison.results.result import EvalResult
from benison.table.weak_slice_words import (
    BY_DECISIONS,
    NONE_CONFIRMED,
    weak_slice_table,
    weak_slice_title,
)
from benison.table.words import cut_apart
from benison.terminal import console, plain
from benison.terminal.fitted_table import fitted_table

_NAMES = ("slice", "of")
_LEFT_OUT_FIRST = ("confirmed on", "expected", "mean loss")


def weak_slices(result: EvalResult) -> None:
    """Print a table of the slices, the strongest first; nothing where none was looked for."""
    options, rows = result.config.weak_slices, result.weak_slices.to_pylist()
    if options is None:
        return
    if not rows:
        print(f"{NONE_CONFIRMED} {BY_DECISIONS}" if options.measure == AUTO else NONE_CONFIRMED)
        return
    headings, lines = weak_slice_table(rows)
    left_out_first = dict.fromkeys((*_LEFT_OUT_FIRST, headings[-1], "examples", "interval"))
    columns = zip(*lines, strict=True)
    called = cut_apart(row["slice"] for row in rows)
    cells = {
        name: [plain(called[text] if name == "slice" else text) for text in column]
        for name, column in zip(headings, columns, strict=True)
    }
    table = fitted_table(
        weak_slice_title(options.loss == CHANGE),
        cells,
        names=_NAMES,
        left_out_first=[*left_out_first],
        elsewhere="report.html",
    )
    console().print(table)
