# SPDX-License-Identifier: Apache-2.0
"""Opens a metadata store when it is first used, tries calls again, and turns errors into sentences.

A store is opened by the process that calls it, never handed through a fork: a connection that two
processes share loses what they write.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from typing import Any

from benison.errors import MetadataError, MissingExtraError, StoreAwayError
from benison.lineage.client import Client
from benison.lineage.connection import DAMAGED, Connection, is_locked, locked

_ATTEMPTS = 4
_OPEN_SECONDS = {"sqlite": 60, "mysql": 6, "grpc": 6}
_LOCK_RETRIES = 10  # with two seconds between them on average
_FINAL = (
    ("is greater than library version", "It was made by a newer ML Metadata; upgrade ml-metadata."),
    (
        "Schema migration is disabled",
        "It was made by an older ML Metadata; back it up, then open it once with "
        "ml_metadata.MetadataStore(config, enable_upgrade_migration=True).",
    ),
    ("unable to open database file", "The folder does not exist, or may not be written."),
    ("Access denied", "User or password are wrong."),
    ("malformed", DAMAGED),
    ("file is not a database", "It is not a SQLite file."),
    (
        "readonly database",
        "Its file, or the folder that it is in, may not be written by this user.",
    ),
    ("database or disk is full", "The disk is full."),
)


@dataclasses.dataclass
class Store(Client):
    """ML Metadata's client: `store.get_artifacts_by_uri(uri)`.

    ML Metadata's AlreadyExistsError and NotFoundError pass through: they are answers. What may be mended
    by trying again is tried again, with a bound; everything else is a MetadataError.
    """

    connection: Connection
    _client: Any = dataclasses.field(default=None, repr=False)
    _process: int = 0
    types: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict, repr=False)
    """The ids of types that are known, by kind and name."""

    @classmethod
    def open(cls, url: str, password: str | None = None) -> Store:
        """The store behind a URL; it is connected to when it is first used.

        Args:
            url: The URL.
            password: The password of its server; None is that of the environment.

        Raises:
            MetadataError: The URL is wrong.
            MissingExtraError: ML Metadata is not installed.
        """
        _ml_metadata()
        return cls(Connection.parse(url, password))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.connection,)

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from ml_metadata import errors
        from tenacity import Retrying, retry_if_exception, stop_after_attempt
        from tenacity.wait import wait_random_exponential

        # After these the connection is of no use: the next attempt makes another.
        lost = (errors.InternalError, errors.FailedPreconditionError, errors.UnavailableError)
        attempts = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, lost) and not _cure(error)),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(0.1, max=2),
            before_sleep=lambda _: self.close(),
            reraise=True,
        )
        try:
            return attempts(lambda: getattr(self._connected(), method)(*args, **kwargs))
        except (errors.AlreadyExistsError, errors.NotFoundError):
            raise
        except errors.AbortedError as error:
            raise self._locked(error) from error
        except errors.StatusError as error:
            why = _cure(error) or f"{str(error) or type(error).__name__}."
            is_away = isinstance(error, lost) and not _cure(error)
            if is_away and self._is_locked():
                raise self._locked(error) from error
            raise (StoreAwayError if is_away else MetadataError)(
                f"The metadata store {self.connection.shown} refused {method}: {why}"
            ) from error
        except UnicodeEncodeError as error:
            raise MetadataError(
                f"A metadata store holds UTF-8, which {error.object[:60]!r} is not."
            ) from error

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        self._client = None

    def _connected(self) -> Any:
        if self._client is None or self._process != os.getpid():
            self._client, self._process = self._connect(), os.getpid()
        return self._client

    def _connect(self) -> Any:
        """A client; several processes that make the tables at once get in each other's way at first."""
        from tenacity import RetryError, Retrying, retry_if_exception, stop_after_delay
        from tenacity.wait import wait_random_exponential

        mlmd = _ml_metadata()
        logging.getLogger("absl").addFilter(_is_no_password)
        attempts = Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, RuntimeError) and not _cure(error)
            ),
            stop=stop_after_delay(_OPEN_SECONDS[self.connection.backend]),
            wait=wait_random_exponential(0.1, max=2),
        )
        try:
            return attempts(lambda: mlmd.MetadataStore(_message(self.connection)))
        except (RuntimeError, RetryError) as error:
            why: Any = error.last_attempt.exception() if isinstance(error, RetryError) else error
            if not _cure(why) and self._is_locked():
                raise self._locked(why) from error
            raise (MetadataError if _cure(why) else StoreAwayError)(
                f"The metadata store {self.connection.shown} cannot be opened: {why}. {_cure(why)}".rstrip()
            ) from error

    def _is_locked(self) -> bool:
        return self.connection.backend == "sqlite" and is_locked(self._file)

    @property
    def _file(self) -> str:
        return str(self.connection.fields["filename_uri"])

    def _locked(self, error: Any) -> StoreAwayError:
        shown = self.connection.shown
        if self.connection.backend == "sqlite":
            return StoreAwayError(locked(shown, self._file))
        return StoreAwayError(
            f"The metadata store {shown} stayed locked by another process: {error}."
        )


def _is_no_password(record: logging.LogRecord) -> bool:
    """ML Metadata logs the whole connection where somebody listens to the least of its messages."""
    return not str(record.msg).startswith("ConnectionConfig")


def _cure(error: BaseException) -> str:
    """What helps against a fault that trying again does not mend; "" for others."""
    return next((cure for sign, cure in _FINAL if sign in str(error)), "")


def _message(connection: Connection) -> Any:
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    if connection.backend == "grpc":
        return mlmd.MetadataStoreClientConfig(**connection.fields)
    fields = dict(connection.fields)
    if "connection_mode" in fields:
        mode = mlmd.SqliteMetadataSourceConfig.ConnectionMode
        fields["connection_mode"] = mode.Value(fields["connection_mode"])
    config = mlmd.ConnectionConfig(**{connection.backend: fields})
    config.retry_options.max_num_retries = _LOCK_RETRIES
    return config


def _ml_metadata() -> Any:
    """The module; a failed import of its compiled part is silent there and leaves it without its class."""
    try:
        import ml_metadata
        import tenacity  # noqa: F401 - the two come together
    except ImportError as error:
        raise MissingExtraError("ML Metadata", "mlmd") from error
    if not hasattr(ml_metadata, "MetadataStore"):
        raise MetadataError(
            "ML Metadata is installed, but its compiled part does not load on this system (1.21 needs "
            "glibc 2.39 or newer; 1.17.1 runs on older ones with Python 3.11)."
        )
    return ml_metadata
