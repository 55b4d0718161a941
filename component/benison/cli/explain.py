# SPDX-License-Identifier: Apache-2.0
"""The subcommands that look into results: compare, explain, checks."""

from __future__ import annotations

import csv
import json
import sys
from typing import Annotated

import typer

from benison.cli.options import AsJson, Output, errors
from benison.errors import DataError
from benison.results import checks_query, query
from benison.results.checks_query import metrics_named, slice_named
from benison.results.result import load_result
from benison.terminal import check_tables, result_tables
from benison.validation.terms import OUTCOMES

COMPARE_HELP = """Print what changed from one evaluation to another: verdicts, checks, the largest changes.

[bold]Examples[/bold]

From last week's to this week's:
  benison compare last-week/out out

Over several runs, the first against the last:
  benison compare run-1 run-2 run-3 --metric auc --slice Overall

What went to its bad end is marked lower or higher, and worse where the intervals of both runs lie apart.
"""

EXPLAIN_HELP = """Explain the checks of a slice: what the metric is, what must hold, and the numbers put in.

[bold]Example[/bold]:  benison explain out --slice 'company=Flash Cab' --metric auc
"""

CHECKS_HELP = """List the checks of an evaluation, those that failed first.

[bold]Examples[/bold]

What failed:
  benison checks out --outcome fail

All of them, for a spreadsheet:
  benison checks out --csv > checks.csv
"""

Metrics = Annotated[
    list[str] | None, typer.Option("--metric", help="Only these, by name or class; repeatable.")
]
Slice = Annotated[str | None, typer.Option("--slice", help="Only this one: Overall, 'hour=5'.")]
Most = Annotated[int, typer.Option(min=1, help="How many of each to show.")]


def compare(  # noqa: PLR0913, PLR0917 - one parameter an option
    before: Annotated[
        str, typer.Argument(help="The output of the earlier evaluation.", show_default=False)
    ],
    after: Annotated[
        list[str],
        typer.Argument(help="That of the later one, or of several.", show_default=False),
    ],
    metric: Metrics = None,
    slice_: Slice = None,
    worst: Most = 5,
    as_json: AsJson = False,
) -> None:
    """The command behind COMPARE_HELP."""
    with errors(as_json):
        *others, result = [load_result(path) for path in (before, *after)]
        slice_ = None if slice_ is None else slice_named(result, slice_)
        names = metrics_named(result, metric)
        checks = checks_query.changed_checks(others[0], result, slice_, names)
        if as_json:
            changes = query.changes(result, others, names, slice_)
            print(json.dumps({"ok": True, "checks": checks, "changes": changes}))
        else:
            result_tables.show_changes(result, others, names, slice_, worst)
            check_tables.print_changed(checks, worst)


def explain(
    output: Output,
    slice_: Annotated[
        str, typer.Option("--slice", help="The slice: Overall, 'hour=5'.")
    ] = "Overall",
    metric: Metrics = None,
    as_json: AsJson = False,
) -> None:
    """The command behind EXPLAIN_HELP."""
    with errors(as_json):
        result = load_result(output)
        slice_ = slice_named(result, slice_)
        names = metrics_named(result, metric)
        checks = checks_query.checks_of(result, slice_, names)
        if as_json:
            print(json.dumps({"ok": True, "checks": [check.to_dict() for check in checks]}))
        else:
            check_tables.explain(result, slice_, checks)
            known, checked = query.metrics_of_slice(result, slice_), {c.metric for c in checks}
            wanted = [name for name in names if name in known or name not in checked]
            if wanted or (known and not names):
                result_tables.show_slice(result, slice_, wanted)


def checks(  # noqa: PLR0913, PLR0917 - one parameter an option
    output: Output,
    outcome: Annotated[
        list[str] | None,
        typer.Option(help=f"Only with this outcome, of {', '.join(OUTCOMES)}; repeatable."),
    ] = None,
    metric: Metrics = None,
    slice_: Slice = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print them as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """The command behind CHECKS_HELP."""
    with errors(as_json):
        for each in outcome or ():
            if each not in OUTCOMES:
                raise DataError(f"There is no outcome {each!r}. There are: {', '.join(OUTCOMES)}.")
        result = load_result(output)
        slice_ = None if slice_ is None else slice_named(result, slice_)
        names = metrics_named(result, metric)
        rows = checks_query.checks_of(result, slice_, names, outcome or OUTCOMES)
        if as_json:
            print(json.dumps({"ok": True, "checks": [check.to_dict() for check in rows]}))
        elif as_csv:
            table = csv.writer(sys.stdout, lineterminator="\n")
            table.writerow(checks_query.CHECK_COLUMNS)
            table.writerows(map(checks_query.check_row, rows))
        else:
            check_tables.print_checks(result, rows)
