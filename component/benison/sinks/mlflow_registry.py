# SPDX-License-Identifier: Apache-2.0
"""MLflow's registry: an alias stands at the version that is blessed."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from benison.errors import ConfigError, MissingExtraError, RegistryError
from benison.models.registered import kept_at, version_of, without_passwords
from benison.results.overall import headline
from benison.results.result import EvalResult

_OPTIONS = ("alias", "log")
_FOLDER = "benison"
_FILES = ("report.html", "verdict.json", "config.json")
_MOST = 1_000  # metrics in one request
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
        parts = urlsplit(url)
        if parts.password:
            raise ConfigError(
                "The registry's URL holds a password, which logs would show. Give it in "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the whole URL in "
                "MLFLOW_TRACKING_URI, and `mlflow:` here."
            )
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        alias, log = given.pop("alias", "blessed"), given.pop("log", "false")
        if not alias or log not in ("true", "false"):
            raise ConfigError("A registry has the options alias=NAME and log=true or log=false.")
        server = parts._replace(query=urlencode(given)).geturl()
        return cls(server or None, alias, log == "true")

    def fetching(self) -> AbstractContextManager[None]:
        return kept_at(self.server)

    def name_of(self, model: str) -> str:
        version = version_of(model)
        if version is None:
            raise ConfigError(
                f"{model or 'A model whose predictions are in the data'} is in no registry. Give the version "
                "to bless: --model models:/NAME/VERSION."
            )
        return version[0]

    def follow(self, name: str, blessed: str | None) -> None:
        known = version_of(blessed or "")
        self._put(name, lambda _: known[1] if known and known[0] == name else None)

    def withdraw(self, model: str) -> None:
        name, version = version_of(model) or (self.name_of(model), "")
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
        with self._client() as client:
            (model,) = (m["path"] for m in result.manifest["models"] if not m["is_baseline"])
            run = client.get_model_version(*(version_of(model) or ())).run_id
            if not run:
                raise RegistryError(f"{model} was made by no run, so there is none to log to.")
            metrics = list(_metrics(result))
            for start in range(0, len(metrics), _MOST):
                client.log_batch(run, metrics=metrics[start : start + _MOST])
            for file in map(Path(str(result.path)).joinpath, _FILES):
                if file.is_file():
                    client.log_artifact(run, str(file), _FOLDER)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            yield MlflowClient(self.server)
        except (MlflowException, OSError) as error:
            where = f" at {self.server}" if self.server else ""
            text = without_passwords(f"MLflow{where} did not do it: {error}")
            raise RegistryError(text) from error


def _metrics(result: EvalResult) -> Iterator[Any]:
    """The values on all data, at the time of the evaluation: logged again they are the same."""
    from mlflow.entities import Metric

    moment = int(datetime.fromisoformat(result.manifest["created"]).timestamp() * 1000)
    for name, value in headline(result).items():
        if math.isfinite(value):
            yield Metric(f"{_FOLDER}/{_NOT_IN_A_NAME.sub('', name)}"[:250], value, moment, 0)
