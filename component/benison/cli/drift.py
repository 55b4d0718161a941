# SPDX-License-Identifier: Apache-2.0
"""The subcommand that compares two data sets: drift."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from benison.cli.options import NOT_BLESSED, AsJson, errors
from benison.drift import DriftReport, compare
from benison.drift.distances import DISTANCES
from benison.terminal import console, plain

DRIFT_HELP = """Tell which columns of CURRENT data are distributed otherwise than in REFERENCE.

Both are files, globs or folders, in any format that evaluate reads. A column
drifted where its true distance is above the threshold with confidence, over
all columns together: small data do not drift by chance, and large ones not
by trifles.

[bold]Examples[/bold]

This week against the data that the model was trained on:
  benison drift train.parquet week-47.parquet

Two columns, as the population stability index, in a job that ends with 1:
  benison drift train/ now/ -c fare -c company --measure psi --gate
"""


def drift(  # noqa: PLR0913, PLR0917 - one parameter an option
    reference: Annotated[
        str, typer.Argument(help="What was expected, such as training data.", show_default=False)
    ],
    current: Annotated[str, typer.Argument(help="What is there now.", show_default=False)],
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="A column to compare; default: all that both have."),
    ] = None,
    measure: Annotated[
        str, typer.Option(help=f"The distance: {', '.join(DISTANCES)}.")
    ] = "jensen_shannon",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Above which it is drift; default: 0.1 (the Jensen-Shannon distance is in nats, to 0.83)."
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="The confidence, over all columns.")] = 0.99,
    gate: Annotated[bool, typer.Option("--gate", help="Exit with 1 if a column drifted.")] = False,
    as_json: AsJson = False,
) -> None:
    """The command behind DRIFT_HELP."""
    with errors(as_json):
        report = compare(
            reference,
            current,
            columns=columns or None,
            measure=measure,
            threshold=threshold,
            level=level,
        )
    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        _show(report)
    if gate and report.drifted:
        raise typer.Exit(NOT_BLESSED)


def _show(report: DriftReport) -> None:
    out = console()
    drifted = f"{len(report.drifted)} of {len(report.checks)} columns drifted"
    rows = f"{report.reference_rows:,} rows of the reference, {report.current_rows:,} now"
    out.print(f"{drifted} ({rows}).")
    table = Table("column", "distance", "debiased", "p", "missing", "now", box=None)
    for check in report.checks:
        numbers = (f"{check.distance:.3f}", f"{check.debiased:.3f}", f"{check.p_adjusted:.2g}")
        missing = (f"{100 * share:.3g} %" for share in check.missing)
        style = "bold" if check.outcome == "drift" else None
        table.add_row(plain(check.feature), *numbers, *missing, style=style)
    out.print(table)
    for check in report.checks:
        if check.outcome == "drift":
            out.print(plain(check.reason))
