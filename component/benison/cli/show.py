# SPDX-License-Identifier: Apache-2.0
"""This file is the commands that show results: show."""

from __future__ import annotations

from typing import Annotated

import typer

from benison import terminal
from benison.cli.options import AsJson, Output, errors, say
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
