# SPDX-License-Identifier: Apache-2.0
"""This folder is the command `benison`: a file for each group of subcommands, registered here."""

from __future__ import annotations

from typing import Annotated

import typer

import benison
from benison import terminal
from benison.cli.evaluate import EVALUATE_HELP, check, evaluate, verify
from benison.cli.lineage import bless, blessings, lineage, revoke
from benison.cli.show import show

app = typer.Typer(
    name="benison",
    help="The step between trained and served: every metric on every slice, and a blessing that says why.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command(help=EVALUATE_HELP)(evaluate)
app.command()(show)
app.command("check-config")(check)
app.command()(verify)
app.command()(blessings)
app.command()(lineage)
app.command()(bless)
app.command()(revoke)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"benison {benison.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command."""
    terminal.own_the_log()
    app()
