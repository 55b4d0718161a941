# SPDX-License-Identifier: Apache-2.0
"""The subcommand that hands a result on to other tools: publish; and the option by which evaluate does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated

import typer

from benison.cli.options import AsJson, Output, errors
from benison.errors import PublishError
from benison.results.result import EvalResult, load_result
from benison.sinks import publishing
from benison.sinks.publishing import Publisher

PUBLISH_HELP = """Hand a result on to other tools: numbers, messages, lineage, a model card.

Each --to is a kind and its target. A target `env:NAME` is what the
environment variable NAME holds, for addresses that are secrets.

[bold]Kinds[/bold]

  prometheus=FILE      gauges for the node exporter's textfile collector
  opentelemetry=URL    the same to a collector, by OTLP over HTTP
  dvc=FILE             a metrics file of DVC, in JSON
  model-card=FILE      a model card, as .md or .html
  mlflow=URI           a run of the experiment `benison`
  openlineage=URL      an event that completes a run
  webhook=URL          one JSON document by POST
  slack=env:NAME       a message to an incoming webhook
  github-comment       on the pull request that GitHub Actions checks

[bold]Example[/bold]

  benison publish out --to prometheus=benison.prom --to slack=env:SLACK_URL
"""

To = Annotated[
    list[str] | None,
    typer.Option(
        "--publish",
        help="Hand the result on, as `benison publish --to` does; repeatable.",
    ),
]


def publish(
    output: Output,
    to: Annotated[
        list[str], typer.Option("--to", help="Kind and target; repeatable.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """The command behind PUBLISH_HELP."""
    with errors(as_json):
        publishing.publish(load_result(output), to)
    if as_json:
        print(json.dumps({"ok": True, "output": output, "published": len(to)}))
    else:
        print(f"Published: {', '.join(each.partition('=')[0] for each in to)}")


def publish_after(result: EvalResult, sinks: Sequence[Publisher]) -> EvalResult:
    """Hand on what was just evaluated; what did not take it is in `unannounced`."""
    try:
        publishing.publish(result, sinks)
    except PublishError as error:
        text = f"The verdict stands, but not all was published:\n{error}"
        before = f"{result.unannounced}\n" if result.unannounced else ""
        return dataclasses.replace(result, unannounced=before + text)
    return result
