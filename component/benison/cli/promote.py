# SPDX-License-Identifier: Apache-2.0
"""The subcommand that writes a slice that was found into a config."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated

import typer

from benison.cli.options import AsJson, Output, errors
from benison.config import EvalConfig
from benison.config.text_forms import as_text, read_file
from benison.errors import ConfigError, OutputError, suggestion
from benison.metrics import describe
from benison.paths import locate, write_whole
from benison.results.checks_query import slice_named
from benison.results.result import EvalResult, load_result
from benison.weak_slices.promotion import promoted, threshold_of

PROMOTE_HELP = """Write a weak slice that was found into the config, with a threshold that holds from then on.

[bold]Examples[/bold]

A slice that became worse must not do so again:
  benison promote out --slice 'company=Blue, hour=5' --metric BinaryAccuracy --config eval.yaml

A slice that is weak must reach 0.8:
  benison promote out --slice 'hour=5' --metric BinaryAccuracy --lower-bound 0.8 --config eval.yaml
"""


def promote(  # noqa: PLR0913, PLR0917 - one parameter an option
    output: Output,
    slice_: Annotated[
        str,
        typer.Option("--slice", help="The name of the slice, as the table of weak slices has it."),
    ],
    metric: Annotated[str, typer.Option(help="The class or the name of a metric of the config.")],
    config: Annotated[
        str, typer.Option(help="The config to change, YAML or JSON; its other lines stay.")
    ],
    lower_bound: Annotated[float | None, typer.Option(help="The least value allowed.")] = None,
    upper_bound: Annotated[float | None, typer.Option(help="The largest value allowed.")] = None,
    as_json: AsJson = False,
) -> None:
    """The command behind PROMOTE_HELP."""
    with errors(as_json):
        result = load_result(output)
        rows = {row["slice"]: row for row in result.weak_slices.to_pylist()}
        slice_ = slice_named(result, slice_)
        if slice_ not in rows:
            none = "" if rows else "; evaluate with weak_slices in the config"
            raise ConfigError(
                f"{output} has no weak slice {slice_!r}. {suggestion(slice_, rows)}{none}"
            )
        threshold = threshold_of(
            rows[slice_], _is_better_when_high(result, metric), lower_bound, upper_bound
        )
        path = locate(config, ConfigError)
        is_json = path.name.endswith(".json")
        if not is_json and not path.name.endswith((".yaml", ".yml")):
            raise ConfigError(
                f"{config} is neither YAML nor JSON; `benison convert` makes such a file."
            )
        EvalConfig.load(path)  # says what is wrong with it
        known = as_text(read_file(path), path)
        made = promoted(known, is_json, rows[slice_], metric, threshold)
        try:
            write_whole(path, made.text.encode())
        except OSError as error:
            raise OutputError(f"{config} cannot be written: {error.strerror or error}.") from error
    if as_json:
        document = {"threshold": made.threshold, "others": made.others}
        print(json.dumps({"ok": True, "config": config, "slice": slice_, **document}))
    else:
        print(f"{config}: {{{slice_}}} is judged by {metric} from now on. {made.sentence}")


def _is_better_when_high(result: EvalResult, metric: str) -> bool | None:
    """What is known of a metric by its class, or by its name in the result."""
    with suppress(ConfigError):
        return describe(metric).higher_is_better
    bad = result.is_bad_when_high(metric)
    return None if bad is None else not bad
