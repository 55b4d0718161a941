# SPDX-License-Identifier: Apache-2.0
"""The subcommand that plans gates: power."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from benison.cli.options import AsJson, ModulePath, errors
from benison.config import EvalConfig
from benison.errors import ConfigError, OutputError
from benison.evaluation.planned_checks import of_data
from benison.evidence.power import MOST_NEEDED, rows_text
from benison.metrics import modules
from benison.paths import locate
from benison.results import sample_sizes
from benison.results.checks_query import metrics_named
from benison.results.result import load_result
from benison.table.words import counted
from benison.terminal import console, plain

_LEAST_FALL = 1e-9
_EITHER = "Say either an output and --metric, or data and --churn, or --rows and --churn."
_NUMBERS = (
    "examples",
    "allowed",
    "detectable",
    "family_size",
    "needed_examples",
    "needed_to_bless",
)
_BLESSES = "rows to bless an equal model"

POWER_HELP = """Say which fall each slice can show, and how many rows a fall needs to be seen.

[bold]Examples[/bold]

Of the slices of a result with a baseline, and what a fall of one point would need:
  benison power out --metric binary_accuracy --fall 0.01

Before any model is there, for two of 100 slices, where exactly one of two models is right on 6 % of the rows:
  benison power --rows 500 --rows 5000 --slices 100 --churn 0.06 --fall 0.01

Of the slices that a config makes of data, before any model is there:
  benison power eval.parquet --config eval.yaml --churn 0.06 --fall 0.01

A fall that a threshold of the result, or of the config, allows is added to what can be seen, and taken from
what is to be seen. Of a config these are thresholds on a change of the share of right rows, such as accuracy.
A fall counts as seen where 80 % of such samples show it after the correction (Holm): over all checks of the
run, as its gate does, where the metric has a threshold with evidence; else over all slices of the metric.
With evidence: not_worse a model must be shown to be within the bound: from so many rows 80 % of models that
are equal to the baseline are blessed, and with fewer most are refused.
"""


def power(  # noqa: PLR0913, PLR0917 - one parameter an option
    output: Annotated[
        str | None, typer.Argument(help="The output of an evaluation, or with --churn data.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="The metric that may fall: its name or class.")
    ] = None,
    fall: Annotated[float | None, typer.Option(min=0, help="The fall that is to be seen.")] = None,
    rows: Annotated[
        list[int] | None, typer.Option(min=1, help="Rows of a slice; repeatable.")
    ] = None,
    churn: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="The share of rows on which exactly one model is right."),
    ] = None,
    slices: Annotated[int, typer.Option(min=1, help="How many slices are judged.")] = 1,
    config: Annotated[
        str | None,
        typer.Option(help="The config whose slices of the data, and thresholds, are planned for."),
    ] = None,
    module_path: ModulePath = None,
    as_json: AsJson = False,
) -> None:
    """The command behind POWER_HELP."""
    with errors(as_json), modules.importable(module_path) as folder:
        _check(fall, churn)
        is_data = output is not None and churn is not None and not _is_output(output)
        if (output or metric) and (rows or slices > 1 or not is_data and churn is not None):
            raise ConfigError(f"{_EITHER} An output, and data, have their own rows and slices.")
        if config is not None and not is_data:
            raise ConfigError(f"--config is for data. {_EITHER}")
        if output is not None and churn is not None and metric is None:
            planned = of_data(output, EvalConfig.load(config or {}), churn, fall, folder)
        elif output is not None and metric is not None and not is_data:
            planned = _of_output(output, metric, fall)
        elif output is None and rows and churn is not None:
            planned = sample_sizes.of_churn(rows, churn, slices, fall)
        else:
            raise ConfigError(_EITHER)
        if as_json:
            print(json.dumps(planned))
        else:
            _print(planned, fall)


def _is_output(path: str) -> bool:
    try:
        return (locate(path, OutputError) / "verdict.json").is_file()
    except OutputError:  # it is an address that data alone have, such as a query
        return False


def _of_output(output: str, metric: str, fall: float | None) -> list[dict[str, Any]]:
    result = load_result(output)
    names = metrics_named(result, [metric])
    if len(names) > 1:
        raise ConfigError(f"--metric {metric} is several: say {', '.join(names[:10])}.")
    return sample_sizes.of_result(result, names[0], fall)


def _check(fall: float | None, churn: float | None) -> None:
    if fall is not None and not fall >= _LEAST_FALL:
        raise ConfigError(f"--fall {fall:g}: a fall that could be seen is above 0, such as 0.01.")
    if churn is not None and not churn > 0:
        raise ConfigError("--churn 0: two models that never differ have nothing to be seen.")
    if fall is not None and churn is not None and fall > churn:
        raise ConfigError(
            f"--fall {fall:g}: the models differ on {churn:g} of the rows, and no fall is larger."
        )


def _needed(count: int) -> str:
    return rows_text(count) if count >= MOST_NEEDED else f"{count:,}"


def _print(planned: list[dict[str, Any]], fall: float | None) -> None:
    console().print(_table(planned, fall))
    if fall is not None and any(row["needed_examples"] is None for row in planned):
        text = f"A fall of {fall:g} has no rows (-) where a threshold allows it."
        console().print(text, soft_wrap=True)


def _table(planned: list[dict[str, Any]], fall: float | None) -> Table:
    family = counted(planned[0]["family_size"], "check")
    caption = f"Corrected over {family}, seen in 80 % of samples."
    table = Table(caption=caption, caption_justify="left")
    names = [
        column for column in planned[0] if column not in _NUMBERS and _is_shown(planned, column)
    ]
    for column in names:
        table.add_column(column, overflow="fold")
    numbers = [_cells(row, fall) for row in planned]
    shown = [column for column in numbers[0] if any(row[column] for row in numbers)]
    for column in shown:
        table.add_column(column, justify="right", overflow="fold")
    for row, cells in zip(planned, numbers, strict=True):
        texts = [plain(str(row[name])) or "-" for name in names]
        table.add_row(*texts, *(cells[column] or "-" for column in shown))
    return table


def _is_shown(planned: list[dict[str, Any]], column: str) -> bool:
    return column != "evidence" or any(row[column] for row in planned)


def _cells(row: dict[str, Any], fall: float | None) -> dict[str, str]:
    """The numbers of a row by their columns; a column of empty ones is left out."""
    blesses = row["needed_to_bless"]
    cells = {
        "examples": f"{row['examples']:,}",
        "allowed": f"{row['allowed']:.4g}" if row["evidence"] else "",
        "smallest fall seen": f"{row['detectable']:.4g}",
        _BLESSES: "" if blesses is None else _needed(blesses),
    }
    if fall is not None:
        count = row["needed_examples"]
        cells[f"rows for {fall:g}"] = "-" if count is None else _needed(count)
    return cells
