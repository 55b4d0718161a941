# SPDX-License-Identifier: Apache-2.0
"""Systems that are told of a verdict, beside its output and its record: a registry of models.

A sink repeats what the files and the metadata store say, so that its failure is said and changes no verdict.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from benison.errors import ConfigError
from benison.results.result import EvalResult


class Registry(Protocol):
    """Holds versions of models, one of which it calls the blessed one."""

    def fetching(self) -> AbstractContextManager[None]:
        """The block in which the addresses of models are those of this registry."""

    def name_of(self, model: str) -> str:
        """The name under which the registry has a model.

        Raises:
            ConfigError: It is not the address of a version in the registry.
        """

    def follow(self, name: str, blessed: str | None) -> None:
        """Call this address the blessed one of a name, or none; the same again changes nothing.

        Raises:
            RegistryError: The registry cannot be asked or refuses.
        """

    def withdraw(self, model: str) -> None:
        """Call a model blessed no more, if it is the one that is.

        Raises:
            RegistryError: The registry cannot be asked or refuses.
        """

    def log(self, result: EvalResult) -> None:
        """Keep numbers and report beside the model, if that was asked for.

        Raises:
            RegistryError: The registry cannot be asked or refuses.
        """


def connect(url: str) -> Registry:
    """The registry of a URL.

    Args:
        url: `mlflow:` and MLflow's own URI, such as `mlflow:http://host:5000`; nothing after the colon is
            what MLFLOW_TRACKING_URI says. Options stand after a `?`: `alias`, the name that the blessed
            version has, by default `blessed`; and `log=true`, to log metrics and report to the run that
            made the model.

    Raises:
        ConfigError: It is none of these.
        MissingExtraError: MLflow is not installed.
    """
    scheme, colon, rest = url.partition(":")
    if scheme != "mlflow" or not colon:
        raise ConfigError(
            f"The registry {url!r} is not one of MLflow: write mlflow:http://host:5000."
        )
    from benison.sinks.mlflow_registry import MlflowRegistry

    return MlflowRegistry.of(rest)
