# SPDX-License-Identifier: Apache-2.0
"""Prints what the probes of debugging say of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benison.results.result import EvalResult
from benison.table.words import probe_numbers
from benison.terminal import console, plain
from benison.terminal.fitted_table import fitted_table
from benison.validation.terms import FAIL, NOT_EVALUATED, UNDECIDED

_COLUMNS = ("probe", "of", "value", "interval", "allowed", "rows", "")
_NAMES = ("probe", "of")
_LEFT_OUT_FIRST = ("rows", "interval", "allowed")
_MARKS = {FAIL: "✗", UNDECIDED: "~", NOT_EVALUATED: "?"}
_NOTABLE = "!"
_LEGEND = {
    "✗": "fails its bound",
    "~": "undecided",
    "?": "not measured, so its bound is not judged",
    _NOTABLE: "notable, without a bound",
}


def probes(result: EvalResult) -> None:
    """Print a table of the findings, then a sentence for each that a person should look at."""
    rows = result.probes.to_pylist()
    if not rows:
        return
    lines = [
        (plain(row["probe"]), plain(_of(row)), *probe_numbers(row), _mark(row)) for row in rows
    ]
    cells = dict(zip(_COLUMNS, map(list, zip(*lines, strict=True)), strict=True))
    table = fitted_table(
        "Probes",
        cells,
        names=_NAMES,
        left_out_first=_LEFT_OUT_FIRST,
        least=0,
        words=("",),
        elsewhere="report.html",
    )
    out = console()
    out.print(table)
    legend = [f"{mark} {words}" for mark, words in _LEGEND.items() if mark in cells[""]]
    if legend:
        out.print(f"  {'; '.join(legend)}", soft_wrap=True)
    for row in rows:
        if _mark(row) or row["notable"] or math.isnan(row["value"]):
            out.print(f"  {_mark(row) or ' '} {plain(row['sentence'], 1_000)}", soft_wrap=True)


def _of(row: Mapping[str, Any]) -> str:
    is_of_feature = row["count"] is not None and row["feature"]
    return row["feature"] if is_of_feature else f"{row['feature']} {row['detail']}".strip()


def _mark(row: Mapping[str, Any]) -> str:
    """What came of the bound, or whether the finding is notable where there is none."""
    if row["outcome"]:
        return _MARKS.get(row["outcome"], "")
    return _NOTABLE if row["notable"] else ""
