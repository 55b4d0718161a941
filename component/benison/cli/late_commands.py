# SPDX-License-Identifier: Apache-2.0
"""Imports the module of a subcommand when that is called, so that none waits for those of the others."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperGroup

from benison.late_imports import imported

GIVEN = "benison.given"
"""The key in a context's `meta` under which the words after `benison` are."""


class Late(NamedTuple):
    """Where a subcommand is.

    Attributes:
        module: The module of `benison.cli`.
        function: Its function.
        epilog: What stands at the end of its help.
        help: The name of its help in the module; "" is the function's docstring.
    """

    module: str
    function: str
    epilog: str | None = None
    help: str = ""

    def command(self, name: str) -> Any:
        """The command, of which the module is imported."""
        module = imported(f"benison.cli.{self.module}")
        text = getattr(module, self.help) if self.help else None
        alone = typer.Typer(
            add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False
        )
        alone.command(name, help=text, epilog=self.epilog)(getattr(module, self.function))
        return typer.main.get_command(alone)


class LateCommands(TyperGroup):
    """A group of which each command is made when it is called, or when help lists all."""

    late: ClassVar[Mapping[str, Late]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(self.late)  # type: ignore[assignment] # their names suggest others

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """The context of a call, which keeps the words that were given."""
        given = [*args]
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[GIVEN] = given
        return context

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name; None if there is none."""
        return self._made(cmd_name) if cmd_name in self.late else None

    @functools.cache  # noqa: B019 - there is one group in a process
    def _made(self, name: str) -> Any:
        return self.late[name].command(name)
