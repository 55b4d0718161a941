# SPDX-License-Identifier: Apache-2.0
"""The subcommands on a pipeline's history: blessings, lineage, bless, revoke, record."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from benison import terminal
from benison.cli.options import (
    METADATA,
    PIPELINE,
    AsJson,
    OfPipeline,
    Output,
    Registry,
    errors,
    print_result,
)
from benison.errors import ConfigError
from benison.evaluation import written_runs
from benison.evaluation.registering import announce, follow_decision
from benison.lineage import connect

Metadata = Annotated[str, METADATA]
Pipeline = Annotated[str, PIPELINE]
By = Annotated[str, typer.Option(help="Who decides.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why.", show_default=False)]
Target = Annotated[
    str,
    typer.Argument(
        help="The output of an evaluation, the model, or the id of either.", show_default=False
    ),
]


def blessings(
    metadata: Metadata,
    pipeline: Pipeline,
    limit: Annotated[int, typer.Option(min=1, help="How many verdicts, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the verdicts of a pipeline: model, verdict, reasons, when, and who overrode or revoked it.

    [bold]Example[/bold]:  benison blessings --metadata sqlite:///metadata.db --pipeline taxi
    """
    with errors(as_json):
        newest = connect(metadata).blessings(pipeline, limit)
    if as_json:
        print(json.dumps([dataclasses.asdict(blessing) for blessing in newest]))
    else:
        terminal.blessings(newest)


def lineage(
    target: Target, metadata: Metadata, pipeline: OfPipeline = None, as_json: AsJson = False
) -> None:
    """Show what a blessing, an evaluation or a model was made from, back to what came from outside.

    [bold]Example[/bold]:  benison lineage out --metadata sqlite:///metadata.db
    """
    with errors(as_json):
        node = connect(metadata).trace(target, pipeline)
    if as_json:
        print(json.dumps(dataclasses.asdict(node)))
    else:
        terminal.lineage(node)


def bless(  # noqa: PLR0913, PLR0917 - one parameter an option
    target: Target,
    metadata: Metadata,
    pipeline: Pipeline,
    by: By,
    reason: Reason,
    until: Annotated[
        str | None,
        typer.Option(
            help="When the blessing ends: a day such as 2030-01-31, which is 00:00 UTC of it, or a time "
            "such as 2030-01-31T18:00+02:00, in UTC without an offset. Default: never."
        ),
    ] = None,
    override: Annotated[
        bool, typer.Option("--override", help="Yes, against the verdict. Required.")
    ] = False,
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    r"""Bless a model against its verdict, on record: who, why, until when.

    The verdict stays as it is, and the new blessing stands beside it, where resolvers find it. From --until
    on the model is not blessed again, and the latest blessed one is the one before it. Benison heeds that
    at once; TFX's own resolvers know no time, and heed it when Benison is next used on the pipeline.
    Without --until a revocation of the model is taken back too, for later runs.

    [bold]Example[/bold]:  benison bless out --override --by ada --reason 'known label delay' \
      --until 2030-01-31 --metadata sqlite:///metadata.db --pipeline taxi
    """
    with errors(as_json):
        if not override:
            raise ConfigError(
                "A model is blessed by evaluating it; against its verdict say --override."
            )
        ledger = connect(metadata)
        blessing = ledger.override(pipeline, target, by=by, reason=reason, until=until)
        if registry:
            follow_decision(registry, ledger, pipeline, [blessing.model])
    if as_json:
        print(json.dumps(dataclasses.asdict(blessing)))
    else:
        terminal.blessings([blessing])


def revoke(  # noqa: PLR0913, PLR0917 - one parameter an option
    target: Target,
    metadata: Metadata,
    pipeline: Pipeline,
    by: By,
    reason: Reason,
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    r"""Take back every blessing of a model, on record; resolvers stop finding it.

    The model is its contents, wherever copies of them are: no later run blesses them, and says who has
    revoked them, until `benison bless --override` without --until takes that back.

    [bold]Example[/bold]:  benison revoke serving/1700000000 --by ada --reason 'wrong labels' \
      --metadata sqlite:///metadata.db --pipeline taxi
    """
    with errors(as_json):
        ledger = connect(metadata)
        taken = ledger.revoke(pipeline, target, by=by, reason=reason)
        if registry:
            follow_decision(registry, ledger, pipeline, [each.model for each in taken])
    if as_json:
        print(json.dumps([dataclasses.asdict(blessing) for blessing in taken]))
    else:
        terminal.blessings(taken)


def record(
    output: Output,
    metadata: Annotated[str | None, METADATA] = None,
    pipeline: OfPipeline = None,
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    """Record a finished evaluation whose run ended before it was recorded.

    Resolvers find its blessing from then on, and a registry's alias stands where they find it. An evaluation
    that is recorded already stays as it is.

    [bold]Example[/bold]:  benison record out --metadata sqlite:///metadata.db
    """
    with errors(as_json):
        if metadata is None and registry is None:
            raise ConfigError("Say where to record it: --metadata, --registry, or both.")
        if pipeline is not None:
            written_runs.check_pipeline(output, pipeline)
        if metadata is not None:
            result = written_runs.record(output, metadata)
        if registry is not None:
            result = announce(output, registry, metadata)
    print_result(result, as_json)
