# SPDX-License-Identifier: Apache-2.0
"""The subcommands that show results: show, report."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from benison.cli.options import AsJson, Output, errors, locations, result_document
from benison.output.report_file import PAGE, ReportFile
from benison.report import history, page
from benison.results import query
from benison.results.checks_query import metrics_named, slice_named
from benison.results.result import EvalResult, load_result
from benison.terminal import result_tables

SHOW_HELP = """Print the verdict, its reasons, and the worst slices of each metric with a threshold.

[bold]Examples[/bold]

How two metrics are spread over slices, and where they are worst:
  benison show out --metric auc --metric recall --worst 10

All metrics of one slice:
  benison show out --slice 'company=Flash Cab'

What changed since another run, the largest changes first:
  benison show out --compare last-week/out --metric auc

The same over several runs, as a line of bars; changes are those since the first that is named:
  benison show out --compare run-3 --compare run-2 --compare run-1 --slice Overall
"""


def show(  # noqa: PLR0913, PLR0917 - one parameter an option
    output: Output,
    metric: Annotated[list[str] | None, typer.Option(help="Metrics to show; repeatable.")] = None,
    slice_: Annotated[
        str | None,
        typer.Option("--slice", help="Show all metrics of one slice: Overall, 'hour=5'."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(help="The output of another run to compare with; repeatable."),
    ] = None,
    worst: Annotated[
        int, typer.Option(min=1, help="How many slices to show for each metric, the worst first.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """The command behind SHOW_HELP."""
    with errors(as_json):
        result = load_result(output)
        names = metrics_named(result, metric)
        others = [load_result(path) for path in compare or ()]
        slice_ = None if slice_ is None else slice_named(result, slice_)
        if as_json:
            print(json.dumps(_document(result, others, names, slice_, worst)))
        elif others:
            result_tables.show_changes(result, others, names, slice_, worst)
        elif slice_ is not None:
            result_tables.show_slice(result, slice_, names)
        else:
            result_tables.show(result, names, worst)
            print(locations(result))


def _document(
    result: EvalResult, others: list[EvalResult], names: list[str], slice_: str | None, worst: int
) -> dict[str, Any]:
    """The results that the command shows, as JSON: the verdict, then the metrics asked for."""
    shown = result_document(result)
    if others:
        compared = {"compare": [str(other.path) for other in others]}
        return {**shown, **compared, "changes": query.changes(result, others, names, slice_)}
    if slice_ is not None:
        return {**shown, "slice": slice_, "metrics": query.of_slice(result, slice_, names)}
    asked = names or query.judged(result)
    if result.config.weak_slices is not None:
        shown["weak_slices"] = query.weak_slices(result)
    return {**shown, "worst": {name: query.worst(result, name, worst) for name in asked}}


REPORT_HELP = """Write the report of a run to another place, or that of several runs over time.

[bold]Examples[/bold]

The report of one run, to send to someone:
  benison report out --output report.html

Every metric of every slice over the runs, oldest first, with verdicts and baselines:
  benison report evaluations/* --output history.html

The same with a mark where a slice became worse:
  benison monitor evaluations/* --page history.html

In the order in which they are named, as where the data of later days were evaluated first:
  benison report day-1 day-2 day-3 --as-given --output history.html
"""


def report(
    runs: Annotated[
        list[str],
        typer.Argument(help="The output directories of evaluations.", show_default=False),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="The HTML file to write.", show_default=False)
    ],
    as_given: Annotated[
        bool, typer.Option("--as-given", help="Keep the order; else by time of evaluation.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The command behind REPORT_HELP."""
    with errors(as_json):
        results = [load_result(run) for run in runs]
        text = history.render(results, as_given) if len(results) > 1 else page.render(results[0])
        write_page(output, text)
    if as_json:
        print(json.dumps({"ok": True, "output": str(output), "runs": len(runs)}))
    else:
        print(f"Report: {output}")


def write_page(output: str, page: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: It cannot be written, or another kind of file would be lost.
    """
    ReportFile(output, PAGE).write(page.encode())
