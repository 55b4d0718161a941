# SPDX-License-Identifier: Apache-2.0
"""Hands a result on to other tools: each kind of them is a `Publisher`, named by one line of text."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module, metadata
from typing import Any, Protocol, TypeAlias, runtime_checkable

from benison.config.faults import described
from benison.errors import BenisonError, ConfigError, PublishError, is_away, suggestion
from benison.results.result import EvalResult

GROUP = "benison.sinks"
"""The entry points at which users' kinds are looked up: classes of a target."""

_KINDS = {
    "dvc": "benison.sinks.metrics_file:DvcMetrics",
    "github-comment": "benison.sinks.pull_request:PullRequestComment",
    "mlflow": "benison.sinks.mlflow_run:MlflowRun",
    "model-card": "benison.sinks.model_card:ModelCard",
    "openlineage": "benison.sinks.openlineage:OpenLineageEvent",
    "opentelemetry": "benison.sinks.telemetry:OpenTelemetryMetrics",
    "prometheus": "benison.sinks.metrics_file:PrometheusMetrics",
    "slack": "benison.sinks.message:SlackMessage",
    "webhook": "benison.sinks.message:Webhook",
}


@runtime_checkable
class Publisher(Protocol):
    """Where a result goes on to; the result and its verdict stay as they are."""

    def publish(self, result: EvalResult) -> None:
        """Hand a result on; the same result again replaces what there is of it, where the tool can.

        Raises:
            BenisonError: The tool cannot be reached, or refuses.
        """


@runtime_checkable
class CheckedPublisher(Publisher, Protocol):
    """A sink that knows before there is a result whether its target can take one."""

    def check_target(self) -> None:
        """Find what would keep a result from the target, and change nothing there.

        Raises:
            BenisonError: The target cannot take a result.
        """


Target: TypeAlias = "str | Publisher"


def publisher_of(text: str) -> Publisher:
    """The sink of a line such as `prometheus=benison.prom`, `slack=env:SLACK_URL` or `mlflow`.

    Args:
        text: The kind, then `=` and the target: a file, or an address. `env:NAME` is what an environment
            variable holds, for addresses that are secrets. Without a target it is the usual one of the kind.

    Raises:
        ConfigError: There is no such kind, the variable is not set, or the target is none.
        MissingExtraError: What the kind needs is not installed.
    """
    kind, _, target = text.partition("=")
    if target.startswith("env:"):
        variable = target.removeprefix("env:")
        target = os.environ.get(variable, "")
        if not target:
            raise ConfigError(f"The target of {text} is not there: {variable} is not set.")
    made: Publisher = _class_of(kind)(target)
    return made


def _class_of(kind: str) -> Any:
    if kind in _KINDS:
        module, _, name = _KINDS[kind].partition(":")
        return getattr(import_module(module), name)
    offered = {point.name: point for point in metadata.entry_points(group=GROUP)}
    if kind not in offered:
        raise ConfigError(
            f"Results cannot be published to {kind!r}. {suggestion(kind, [*_KINDS, *offered])}"
        )
    return offered[kind].load()


def checked(lines: Iterable[str]) -> list[Publisher]:
    """The sinks of lines as `publisher_of` takes them, for a result that is yet to be made.

    Raises:
        BenisonError: A line names no target, or one that cannot take a result.
    """
    sinks = [publisher_of(line) for line in lines]
    for sink in sinks:
        if isinstance(sink, CheckedPublisher):
            sink.check_target()
    return sinks


def _sinks_of(targets: object) -> list[Publisher]:
    if isinstance(targets, Iterable) and not isinstance(targets, (str, Publisher)):
        return [_sink_of(target) for target in targets]
    return [_sink_of(targets)]


def _sink_of(target: object) -> Publisher:
    if isinstance(target, str):
        return publisher_of(target)
    if isinstance(target, Publisher):
        return target
    raise ConfigError(
        f"A result cannot be published to {described(target)}: expected a line such as "
        "'prometheus=benison.prom', an object with the method publish, or a list of these."
    )


def publish(result: EvalResult, targets: Target | Iterable[Target]) -> None:
    """Hand a result on to each target; one that fails keeps it from none of the others.

    Args:
        result: What was evaluated.
        targets: Sinks, or lines as `publisher_of` takes them, or one of these; all are looked at before the
            first is used.

    Raises:
        ConfigError: A target is none.
        MissingExtraError: What a target needs is not installed.
        PublishError: Some did not take it, each with why.
    """
    sinks = _sinks_of(targets)
    failures: list[str] = []
    causes: list[Exception] = []
    for sink in sinks:
        name = type(sink).__name__
        try:
            sink.publish(result)
        except BenisonError as error:
            failures.append(f"{name}: {error}")
            causes.append(error)
        except Exception as error:  # a sink may be anybody's
            from benison.sinks.web import (
                without_paths,  # with the client of HTTP, which a file needs not
            )

            failures.append(f"{name}: {type(error).__name__}: {without_paths(str(error))}")
            causes.append(error)
    if failures:
        # What another time does not mend, if there is any.
        raise PublishError(*failures) from min(causes, key=is_away)
