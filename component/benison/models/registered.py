# SPDX-License-Identifier: Apache-2.0
"""Models of an MLflow registry, by addresses such as `models:/taxi/3`, fetched through MLflow."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from benison.errors import BenisonError, MissingExtraError, ModelError

_SCHEME = "models:/"
_VERSION = re.compile(r"models:/+([^/@]+)/(\d+)")
_ALIAS = re.compile(r"models:/+([^/@]+)@([^/@]+)")
_NEWEST = re.compile(r"models:/+([^/@]+)/latest")
_LOGIN = re.compile(r"//[^/\s]*@")
# MLflow's own default is what its variable MLFLOW_TRACKING_URI says.
_server: ContextVar[str | None] = ContextVar("benison_mlflow", default=None)


def is_registered(path: str | os.PathLike[str]) -> bool:
    """Whether a path is the address of a model in a registry."""
    return os.fspath(path).startswith(_SCHEME)


def version_of(path: str) -> tuple[str, str] | None:
    """Name and version of a registered model; None of any other path.

    >>> version_of("models:/taxi/3"), version_of("models/taxi/3")
    (('taxi', '3'), None)
    """
    match = _VERSION.fullmatch(path)
    return (match[1], match[2]) if match else None


@contextmanager
def kept_at(server: str | None) -> Iterator[None]:
    """Fetch models from an MLflow server during the block; None is MLflow's own default."""
    token = _server.set(server)
    try:
        yield
    finally:
        _server.reset(token)


def pinned(path: str) -> str:
    """The address of the version that an alias or `latest` means now; any other path as it is.

    Raises:
        ModelError: The registry has no such model, or cannot be asked.
    """
    alias, newest = _ALIAS.fullmatch(path), _NEWEST.fullmatch(path)
    if alias:
        version = _asked(path, lambda c: c.get_model_version_by_alias(alias[1], alias[2]).version)
        return f"{_SCHEME}{alias[1]}/{version}"
    if newest:
        return f"{_SCHEME}{newest[1]}/{_asked(path, lambda c: _newest(c, newest[1]))}"
    return path


def _newest(client: Any, name: str) -> str:
    # MLflow's filters know no escape, and the registry of Unity Catalog no order.
    quote = '"' if "'" in name else "'"
    numbers: list[int] = []
    page: str | None = None
    while page != "":
        versions = client.search_model_versions(f"name={quote}{name}{quote}", page_token=page)
        numbers += (int(each.version) for each in versions)
        page = versions.token or ""
    if not numbers:
        raise ModelError(
            f"The registry has no version of the model {name!r}. Register one, or check the name."
        )
    return str(max(numbers))


@contextmanager
def downloaded(path: str) -> Iterator[Path]:
    """A temporary copy of a registered model.

    Raises:
        ModelError: It is not there, or cannot be fetched.
    """
    with tempfile.TemporaryDirectory(prefix="benison-model-") as folder:
        yield Path(_asked(path, lambda client: _download(client, pinned(path), folder)))


def _download(client: Any, path: str, folder: str) -> str:
    from mlflow.artifacts import download_artifacts

    version = version_of(path)
    # Where the files are, and not the version, to whose copies MLflow adds a file of its own.
    source = client.get_model_version_download_uri(*version) if version else path
    return str(download_artifacts(source, dst_path=folder, tracking_uri=_server.get()))


def _asked(path: str, ask: Callable[[Any], Any]) -> Any:
    """What a registry answers."""
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MissingExtraError("MLflow", "mlflow") from error
    try:
        return ask(MlflowClient(_server.get()))
    except BenisonError:
        raise
    except Exception as error:  # of MLflow, or of the client of any store that holds the files
        where = f" from {_server.get()}" if _server.get() else ""
        raise ModelError(
            failure(f"{path} cannot be fetched through MLflow{where}", error)
        ) from error


def failure(what: str, error: Exception) -> str:
    """What failed in MLflow or a store below it, why, and the cure; without passwords.

    >>> failure("models:/taxi/3 cannot be fetched", ImportError("No module named 'boto3'"))
    "models:/taxi/3 cannot be fetched: No module named 'boto3'. Install the client of the store that has it."
    """
    cure = (
        "Install the client of the store that has it."
        if isinstance(error, ImportError)
        else "Check that it is there, that MLFLOW_TRACKING_URI or the registry's URL leads to it, and that "
        "its server and the store of its files let you in."
    )
    reason = str(error).strip().rstrip(".") or type(error).__name__
    return without_passwords(f"{what}: {reason}. {cure}")


def without_passwords(text: str) -> str:
    """A text of MLflow's, which may have an address with a login.

    >>> without_passwords("no answer from https://ada:secret@host/api")
    'no answer from https://host/api'
    >>> without_passwords("no answer from https://ada:p@ss@host/api")
    'no answer from https://host/api'
    """
    return _LOGIN.sub("//", text)
