# SPDX-License-Identifier: Apache-2.0
"""Writes a verdict to a registry of models, after its output and its record and in place of neither."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from benison import lineage, sinks
from benison.errors import BenisonError, ConfigError, RegistryError
from benison.evaluation.job import PathLike
from benison.evaluation.recording import Recording
from benison.lineage import Recorder
from benison.lineage.ledger import Ledger
from benison.models.registered import pinned
from benison.output import blessing
from benison.paths import locate
from benison.results.result import EvalResult, load_result
from benison.sinks import Registry

_MOST = (
    10_000  # of the newest verdicts, among which the newest blessed version of a name is looked for
)
_SINGLE_CANDIDATE = "A registry is told of one candidate: evaluate each apart."
_LOGGER = logging.getLogger("benison")


class Announcer:
    """Has a registry say what an evaluation came to; without a registry it does nothing."""

    def __init__(self, registry: str | Registry | None) -> None:
        self._registry = sinks.connect(registry) if isinstance(registry, str) else registry

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Fetch the models of `models:/` addresses from the registry during the block."""
        with nullcontext() if self._registry is None else self._registry.fetching():
            yield

    def checked(self, model: Any) -> Any:
        """The candidate, with the version that is meant; refuses what the registry does not have.

        Raises:
            ConfigError: It is several models, or not the address of a version.
            ModelError: The registry has no such model, or cannot be asked.
        """
        meant = pin(model)
        if self._registry is not None:
            if isinstance(meant, Mapping):
                raise ConfigError(_SINGLE_CANDIDATE)
            self._registry.name_of("" if meant is None else str(meant))
        return meant

    def tell(self, result: EvalResult, recording: Recording) -> EvalResult:
        """Repeat a verdict that is written and recorded; why that failed is in `unannounced`."""
        if self._registry is None:
            return result
        try:
            pipeline = recording.key.pipeline if recording.key else ""
            _repeat(self._registry, result, recording.recorder, pipeline)
        except Exception as error:  # a registry may be anybody's
            why = (
                str(error)
                if isinstance(error, BenisonError)
                else f"{type(error).__name__}: {error}."
            )
            again = (
                f" `benison record {result.path} --registry URL` tells it." if result.path else ""
            )
            text = f"The registry was not told, and the verdict stands: {why}{again}"
            _LOGGER.error(text)
            return dataclasses.replace(result, unannounced=text)
        return result


def pin(model: Any) -> Any:
    """A model, or several by name, with the versions that aliases of a registry mean now."""
    if isinstance(model, Mapping):
        return {name: pin(path) for name, path in model.items()}
    return pinned(model) if isinstance(model, str) else model


def announce(output: PathLike, registry: str, metadata: str | None) -> EvalResult:
    """Have a registry say what a finished output says, or with a store, what the store says by now.

    Raises:
        OutputError: It is not a whole output of Benison.
        ConfigError: Its model is not in a registry, or there are several.
        RegistryError: The registry cannot be asked or refuses.
        MetadataError: The store cannot be asked.
    """
    blessing.check_whole(locate(output))
    result = load_result(str(output))
    ledger = lineage.connect(metadata) if metadata else None
    pipeline = (result.manifest["lineage"] or {}).get("pipeline", "")
    _repeat(sinks.connect(registry), result, ledger, pipeline)
    return result


def follow_decision(registry: str, ledger: Ledger, pipeline: str, models: Iterable[str]) -> None:
    """Have a registry say what was decided on models.

    Raises:
        RegistryError: The registry cannot be asked or refuses; the decision stands.
    """
    opened = sinks.connect(registry)
    try:
        for model in dict.fromkeys(models):
            _follow(opened, ledger, pipeline, opened.name_of(model))
    except BenisonError as error:
        raise RegistryError(f"It is recorded, but the registry was not told: {error}") from error


def _repeat(
    registry: Registry, result: EvalResult, recorder: Recorder | None, pipeline: str
) -> None:
    paths = [m["path"] or "" for m in result.manifest["models"] if not m["is_baseline"]]
    if len(paths) != 1:
        raise ConfigError(_SINGLE_CANDIDATE)
    name = registry.name_of(paths[0])
    if recorder is not None:
        _follow(registry, recorder, pipeline, name)
    elif result.verdict.blessed:
        registry.follow(name, paths[0])
    else:
        registry.withdraw(paths[0])
    registry.log(result)


def _follow(registry: Registry, recorder: Recorder, pipeline: str, name: str) -> None:
    """Have a registry say of a name what a history says, until that is what it still says."""
    before: str | None = ""
    while (blessed := _latest(registry, recorder, pipeline, name)) != before:
        registry.follow(name, blessed)
        before = blessed


def _latest(registry: Registry, recorder: Recorder, pipeline: str, name: str) -> str | None:
    """The newest version of a name that is blessed in a pipeline."""
    latest = recorder.latest_blessed(pipeline)
    models = [latest.path] if latest else []
    if isinstance(recorder, Ledger):
        newest = recorder.blessings(pipeline, _MOST)
        models += [each.model for each in newest if each.status == "blessed"]
    return next((model for model in models if _is_of(registry, model, name)), None)


def _is_of(registry: Registry, model: str, name: str) -> bool:
    try:
        return registry.name_of(model) == name
    except ConfigError:
        return False
