# SPDX-License-Identifier: Apache-2.0
"""This file is the commands that show results: show, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benison import terminal
from benison.cli.options import AsJson, Output, errors, say
from benison.errors import OutputError
from benison.report import history, html
from benison.results import load_result


def show(
    output: Output,
    metric: Annotated[list[str] | None, typer.Option(help="Metrics to show; repeatable.")] = None,
    worst: Annotated[
        int, typer.Option(help="How many of the worst slices to show for each metric.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Print the verdict, its reasons, and the worst slices of each metric.

    [bold]Example[/bold]:  benison show out --metric auc --worst 10
    """
    with errors(as_json):
        result = load_result(output)
        if not as_json:
            terminal.show(result, metric or [], worst)
    if as_json:
        say(result, as_json)


REPORT_HELP = """Write the report of a run to another place, or that of several runs over time.

[bold]Examples[/bold]

The report of one run, to send to someone:
  benison report out --output report.html

Every metric of every slice over the runs, oldest first, with verdicts and baselines:
  benison report evaluations/* --output history.html

In the order in which they are named, as where the data of later days were evaluated first:
  benison report day-1 day-2 day-3 --as-given --output history.html
"""


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="The output directories of evaluations.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The HTML file to write.", show_default=False)
    ],
    as_given: Annotated[
        bool, typer.Option("--as-given", help="Keep the order; else by time of evaluation.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The command behind REPORT_HELP."""
    with errors(as_json):
        results = [load_result(run) for run in runs]
        page = history.render(results, as_given) if len(results) > 1 else html.render(results[0])
        write_page(output, page)
    if as_json:
        print(json.dumps({"ok": True, "output": str(output), "runs": len(runs)}))
    else:
        print(f"Report: {output}")


def write_page(path: Path, page: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"The report cannot be written to {path}: {error}.") from error
