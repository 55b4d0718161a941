# SPDX-License-Identifier: Apache-2.0
"""MLflow's registry: an alias stands at the version that is blessed."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from benison.errors import BenisonError, ConfigError, MissingExtraError, RegistryError
from benison.models.registered import failure, kept_at, version_of
from benison.paths import fetched, locate
from benison.results.overall import headline
from benison.results.result import EvalResult

_FOLDER = "benison"
_FILES = ("report.html", "verdict.json", "config.json")
_MOST = 1_000  # metrics in one request
_PASSWORD = re.compile(r"//[^/\s]*:[^/\s]*@")
_NOT_IN_A_NAME = re.compile(r"[^\w./: -]")


@dataclasses.dataclass(frozen=True)
class MlflowRegistry:
    """The registered models of an MLflow server; a `Registry`."""

    server: str | None
    """MLflow's tracking URI; None is what MLFLOW_TRACKING_URI says."""
    alias: str = "blessed"
    is_logging: bool = False

    @classmethod
    def of(cls, url: str) -> MlflowRegistry:
        """The registry of MLflow's URI with our options among its own.

        Raises:
            ConfigError: An option has a value that it cannot have.
            MissingExtraError: MLflow is not installed.
        """
        try:
            import mlflow  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("MLflow", "mlflow") from error
        server, _, query = url.partition("?")
        if _PASSWORD.search(server):
            raise ConfigError(
                "The registry's URL holds a password, which logs would show. Give it in "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the whole URL in "
                "MLFLOW_TRACKING_URI, and `mlflow:` here."
            )
        given = dict(parse_qsl(query, keep_blank_values=True))
        alias, log = given.pop("alias", "blessed"), given.pop("log", "false")
        if not alias or log not in ("true", "false"):
            raise ConfigError("A registry has the options alias=NAME and log=true or log=false.")
        server += f"?{urlencode(given)}" if given else ""
        return cls(server or None, alias, log == "true")

    def fetching(self) -> AbstractContextManager[None]:
        return kept_at(self.server)

    def name_of(self, model: str) -> str:
        return _known(model)[0]

    def follow(self, name: str, blessed: str | None) -> None:
        known = version_of(blessed or "")
        self._put(name, lambda _: known[1] if known and known[0] == name else None)

    def withdraw(self, model: str) -> None:
        name, version = _known(model)
        self._put(name, lambda stands: None if stands == version else stands)

    def _put(self, name: str, choose: Callable[[str | None], str | None]) -> None:
        """Have the alias stand at the version that is chosen, knowing where it stands."""
        with self._client() as client:
            aliases = client.get_registered_model(name).aliases
            stands = aliases.get(self.alias)
            wanted = choose(None if stands is None else str(stands))
            if wanted is None and stands is not None:
                client.delete_registered_model_alias(name, self.alias)
            elif wanted is not None and wanted != str(stands):
                client.set_registered_model_alias(name, self.alias, wanted)

    def log(self, result: EvalResult) -> None:
        if not self.is_logging:
            return
        models = [m["path"] or "" for m in result.manifest["models"] if not m["is_baseline"]]
        if len(models) != 1:
            raise RegistryError("A run is that of one candidate: evaluate each apart.")
        with self._client() as client:
            run = client.get_model_version(*_known(models[0])).run_id
            if not run:
                raise RegistryError(
                    f"{models[0]} was made by no run, so there is none to log to. Leave log=true out, or "
                    "register the model of a run."
                )
            log_numbers(client, run, result)
            log_files(client, run, result)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        from mlflow import MlflowClient

        try:
            yield MlflowClient(self.server)
        except BenisonError:
            raise
        except Exception as error:  # of MLflow, or of the client of any store that holds the files
            where = f" at {self.server}" if self.server else ""
            raise RegistryError(failure(f"MLflow{where} did not do it", error)) from error


def _known(model: str) -> tuple[str, str]:
    """The name and the version of a model of the registry."""
    version = version_of(model)
    if version is None:
        raise ConfigError(
            f"{model or 'A model whose predictions are in the data'} is in no registry. Give the version "
            "to bless: --model models:/NAME/VERSION."
        )
    return version


def log_numbers(client: Any, run: str, result: EvalResult) -> None:
    """Log the candidates' values on all data, as metrics of a run."""
    metrics = list(_metrics(result))
    for start in range(0, len(metrics), _MOST):
        client.log_batch(run, metrics=metrics[start : start + _MOST])


def log_files(client: Any, run: str, result: EvalResult) -> None:
    """Log what is written of the report and the verdict, wherever the output is."""
    if result.path is None:
        return
    for name in _FILES:
        file = locate(result.path) / name
        if file.is_file():
            with fetched(file) as copy:
                client.log_artifact(run, str(copy), _FOLDER)


def _metrics(result: EvalResult) -> Iterator[Any]:
    """The values on all data, at the time of the evaluation: logged again they are the same."""
    from mlflow.entities import Metric

    moment = int(datetime.fromisoformat(result.manifest["created"]).timestamp() * 1000)
    for name, value in headline(result).items():
        if math.isfinite(value):
            yield Metric(f"{_FOLDER}/{_NOT_IN_A_NAME.sub('', name)}"[:250], value, moment, 0)
