# SPDX-License-Identifier: Apache-2.0
"""The subcommand that writes a config of TFMA as YAML: convert."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import typer

from benison.cli.options import errors
from benison.config.plain import parse_json
from benison.errors import ConfigError, OutputError
from benison.paths import locate, write
from benison.tfma.conversion import as_yaml, load

CONVERT_HELP = """Write a TFMA config as commented YAML that evaluates to the same.

It reads, without TFMA installed and without running anything:

  text proto         .pbtxt .textproto .txtpb
  binary proto       .pb .binpb
  JSON or YAML       both spellings, and the eval_config.json of TFMA's output
  Python, notebooks  .py .ipynb that make an EvalConfig of constants

Faults are said all at once, with path and cure. Comments in the YAML say what
each field means, and where values will not be TFMA's.

[bold]Examples[/bold]

To the screen:
  benison convert eval_config.pbtxt

From the output of a TFMA run:
  benison convert tfma_output/eval_config.json -o eval.yaml

From the Python file of a TFX pipeline, which makes two:
  benison convert taxi_pipeline.py --line 120 -o eval.yaml

From the pipeline of a TFX template, whose threshold is a parameter of a function:
  benison convert pipeline.py --set eval_accuracy_threshold=0.6 -o eval.yaml

Then:
  benison check-config eval.yaml --examples eval.parquet
  benison evaluate --examples eval.parquet --config eval.yaml --output out --gate
"""


def convert(
    config: Annotated[str, typer.Argument(help="The config of TFMA.", show_default=False)],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="The YAML file to write; default: the screen."),
    ] = None,
    line: Annotated[
        int | None,
        typer.Option(help="A line of the EvalConfig, in a Python file that makes several."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE of a name that a Python file has from elsewhere; repeatable."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the YAML file if it exists.")
    ] = False,
) -> None:
    """The command behind CONVERT_HELP."""
    with errors(as_json=False):
        text = as_yaml(load(config, line, dict(map(_named, given or ()))), locate(config).name)
        if output is None:
            print(text, end="")
            return
        path = locate(output, OutputError)
        if path.is_file() and not overwrite:
            raise OutputError(f"{output} exists; give another name, or --overwrite.")
        try:
            write(path, text.encode())
        except OSError as error:
            raise OutputError(f"{output} cannot be written: {error.strerror or error}.") from error
    print(f"{output} evaluates to the same as {config}.")


def _named(text: str) -> tuple[str, Any]:
    """A name and its value, which is JSON where it can be, and text otherwise."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ConfigError(f"--set {text}: expected NAME=VALUE, such as --set threshold=0.6.")
    with suppress(ConfigError):
        return name, parse_json(value)
    return name, value
