# SPDX-License-Identifier: Apache-2.0
"""The subcommands that compare two data sets, and keep what that takes: drift, profile."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from benison.cli.exit_codes import NOT_BLESSED
from benison.cli.options import AsJson, errors
from benison.drift import DriftReport, compare, profile
from benison.drift.distances import DISTANCES
from benison.drift.left_out import left_out_sentence
from benison.errors import ConfigError
from benison.table.words import counted
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

Against a profile that was kept, in each company too, with a threshold for fares:
  benison drift train.profile.parquet now/ --slice company --threshold fare=0.2
"""

PROFILE_HELP = """Keep how often each value of DATA is there, so that drift is seen without them.

drift takes the profile in place of the data. It has at most some thousand
rows for each column: numbers on the rank scale, the 1,000 most frequent texts
as they are, and how many rows have others.

[bold]Example[/bold]
  benison profile train.parquet train.profile.parquet --slice company
"""

Columns = Annotated[
    list[str] | None,
    typer.Option("--column", "-c", help="A column; default: all of numbers, text or booleans."),
]
Slices = Annotated[
    list[str] | None,
    typer.Option("--slice", help="A feature of which every value is a slice; repeatable."),
]

_FEW_ROWS = 50


def drift(  # noqa: PLR0913, PLR0917 - one parameter an option
    reference: Annotated[
        str, typer.Argument(help="What was expected, such as training data.", show_default=False)
    ],
    current: Annotated[str, typer.Argument(help="What is there now.", show_default=False)],
    columns: Columns = None,
    slices: Slices = None,
    measure: Annotated[
        str, typer.Option(help=f"The distance: {', '.join(DISTANCES)}.")
    ] = "jensen_shannon",
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            help="Above which it is drift, as 0.2, or of one column, as fare=0.2; repeatable. Default: 0.1 "
            "(the Jensen-Shannon distance is in nats, to 0.83)."
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
            slices=slices or (),
            measure=measure,
            threshold=_thresholds(threshold or [], measure),
            level=level,
        )
    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        _show(report)
    if gate and report.drifted:
        raise typer.Exit(NOT_BLESSED)


def _thresholds(given: list[str], measure: str) -> dict[str, float] | float | None:
    """That of all columns, or those of some, beside which the default holds for the others."""
    named = [text.rpartition("=") for text in given]
    numbers = {name: _number(number) for name, _, number in named}
    if "" not in numbers:
        return numbers or None
    if len(numbers) == 1:
        return numbers[""]
    raise ConfigError(
        f"Give one --threshold of all columns, or those of some, as {named[0][0] or 'fare'}=0.2, not both: "
        f"the others have the default of {measure}."
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"--threshold {text!r} is no number. Write 0.2, or fare=0.2 of one column."
        ) from None


def profile_data(
    data: Annotated[str, typer.Argument(help="As drift reads them.", show_default=False)],
    file: Annotated[
        str, typer.Argument(help="To be written: NAME.profile.parquet.", show_default=False)
    ],
    columns: Columns = None,
    slices: Slices = None,
) -> None:
    """The command behind PROFILE_HELP."""
    with errors(as_json=False):
        names = profile(data, file, columns=columns or None, slices=slices or ())
    console().print(
        plain(f"{file}: the profile of {counted(len(names), 'column')}."), soft_wrap=True
    )


def _show(report: DriftReport) -> None:
    out = console()
    drifted = f"{len(report.drifted)} of {len(report.checks)} columns drifted"
    rows = f"{report.reference_rows:,} rows of the reference, {report.current_rows:,} now"
    out.print(f"{drifted} ({rows}).")
    least = min(report.reference_rows, report.current_rows)
    if least < _FEW_ROWS:
        out.print(f"So few rows as {least:,} show hardly any drift; give at least {_FEW_ROWS}.")
    table = Table("column", "distance", "debiased", "p", "missing", "now", box=None)
    for check in report.checks:
        numbers = (f"{check.distance:.3f}", f"{check.debiased:.3f}", f"{check.p_adjusted:.2g}")
        missing = (f"{100 * share:.3g} %" for share in check.missing)
        style = "bold" if check.outcome == "drift" else None
        table.add_row(plain(check.name), *numbers, *missing, style=style)
    out.print(table)
    for check in report.checks:
        if check.outcome == "drift":
            out.print(plain(check.reason, 1_000))
    if report.left_out:
        out.print(plain(left_out_sentence(report.left_out), 1_000), style="dim")
