# SPDX-License-Identifier: Apache-2.0
"""The subcommand that estimates metrics of data without labels: estimate."""

from __future__ import annotations

import json
import math
from typing import Annotated

import typer
from rich.table import Table

from benison.cli.options import AsJson, errors
from benison.estimation import EstimatedMetric, EstimateReport, estimate
from benison.table.words import cut_apart
from benison.terminal import console, plain
from benison.terminal.fitted_table import fitted_table

ESTIMATE_HELP = """Estimate accuracy, AUC, precision, recall and F1 of CURRENT data without labels.

REFERENCE is data with labels that the model has not learned; both are read
as by evaluate. What a score meant on the reference it is taken to mean now:
that this has changed is seen only where some rows have labels. Where at
least 50 of a slice have, a random sample, they correct all but the AUC; where
all have, what they measure stands beside the estimate from scores alone.
Nothing here is judged, and no model is blessed by it.

[bold]Examples[/bold]

This week's predictions, whose labels come in a month:
  benison estimate eval.parquet week-47.parquet --label tip --prediction score

Of each company too, at another threshold:
  benison estimate eval.parquet now.csv --label tip --prediction score --slice company --threshold 0.3
"""


_COLUMNS = (
    "slice",
    "metric",
    "estimate",
    "lower",
    "upper",
    "reference",
    "measured",
    "rows",
    "labels",
)
_MEASURED = (
    "Labels are there: estimates are from scores alone, and beside them is what the labels measure; "
    "benison evaluate has more of it."
)
_UNCORRECTED = "*"
_BY_SCORES = "what scores meant on the reference, they are taken to mean now."
_BY_LABELS = "the labels of few rows correct what scores meant on the reference, but for the AUC."


def estimating(  # noqa: PLR0913, PLR0917 - one parameter an option
    reference: Annotated[
        str, typer.Argument(help="Labelled data, not those of the training.", show_default=False)
    ],
    current: Annotated[str, typer.Argument(help="The data now.", show_default=False)],
    label: Annotated[str, typer.Option(help="The column of labels, 0 and 1.", show_default=False)],
    prediction: Annotated[str, typer.Option(help="The column of scores.", show_default=False)],
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", help="A feature of which every value is a slice; repeatable."),
    ] = None,
    threshold: Annotated[float, typer.Option(help="Scores above it decide for 1.")] = 0.5,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    most_outside: Annotated[
        float,
        typer.Option(help="The share of scores outside those of the reference that is borne."),
    ] = 0.05,
    as_json: AsJson = False,
) -> None:
    """The command behind ESTIMATE_HELP."""
    with errors(as_json):
        report = estimate(
            reference,
            current,
            label=label,
            prediction=prediction,
            slices=slices or [],
            decision_threshold=threshold,
            confidence=confidence,
            most_outside=most_outside,
        )
    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        _show(report)


def _show(report: EstimateReport) -> None:
    out = console()
    by_labels = any(each.method == "prediction_powered" for each in report.estimates)
    out.print(f"Estimates, not measured: {_BY_LABELS if by_labels else _BY_SCORES}", soft_wrap=True)
    if has_measured := any(not math.isnan(each.measured) for each in report.estimates):
        out.print(_MEASURED, soft_wrap=True)
    if report.unscored:
        out.print(f"{report.unscored:,} rows without a score are left out.")
    out.print(_table(report, has_measured))
    for reason in dict.fromkeys((each.slice, each.reason) for each in report.estimates):
        if reason[1]:
            out.print(plain(f"{reason[0]}: {reason[1]}.", 1_000), soft_wrap=True)
    for few in dict.fromkeys((each.slice, each.uncorrected) for each in report.estimates):
        if few[1]:
            out.print(plain(f"{_UNCORRECTED} {few[0]}: {few[1]}.", 1_000), soft_wrap=True)


def _table(report: EstimateReport, has_measured: bool) -> Table:
    called = cut_apart(each.slice for each in report.estimates)
    lines = [
        (plain(called[each.slice]), each.metric.removeprefix("estimated_"), *_numbers(each))
        for each in report.estimates
    ]
    columns = zip(*lines, strict=True)
    return fitted_table(
        f"Estimated, with {100 * report.confidence:g} % intervals",
        {
            name: [*column]
            for name, column in zip(_COLUMNS, columns, strict=True)
            if has_measured or name != "measured"
        },
        names=("slice",),
        left_out_first=("labels", "rows", "reference"),
        words=("metric",),
    )


def _numbers(each: EstimatedMetric) -> tuple[str, ...]:
    rows = f"{each.rows:,}", f"{each.labelled:,}"
    values = (each.value, each.lower, each.upper, each.on_reference)
    value, *others = ("-" if each.reason else f"{value:.4f}" for value in values)
    measured = "-" if math.isnan(each.measured) else f"{each.measured:.4f}"
    return (f"{value}{_UNCORRECTED if each.uncorrected else ''}", *others, measured, *rows)
