# SPDX-License-Identifier: Apache-2.0
"""Prints what the probes of debugging say of a model."""

from __future__ import annotations

from rich.table import Table

from benison.results.result import EvalResult
from benison.table.words import probe_numbers
from benison.terminal import console, plain

_COLUMNS = ("value", "interval", "allowed", "rows")


def probes(result: EvalResult) -> None:
    """Print a table of the findings, then a sentence for each that a person should look at."""
    rows = result.probes.to_pylist()
    if not rows:
        return
    table = Table(title="Probes", title_justify="left")
    table.add_column("probe", overflow="fold")
    table.add_column("of", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        mark = "!" if row["notable"] else ""
        of = (
            row["feature"]
            if row["count"] is not None and row["feature"]
            else f"{row['feature']} {row['detail']}"
        )
        table.add_row(plain(row["probe"]), plain(of.strip()), *probe_numbers(row), mark)
    out = console()
    out.print(table)
    for row in rows:
        if row["notable"] or row["value"] != row["value"]:  # noqa: PLR0124 - NaN
            out.print(f"  {plain(row['sentence'], 1_000)}", soft_wrap=True)
