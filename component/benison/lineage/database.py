# SPDX-License-Identifier: Apache-2.0
"""A SQL database as a store: its URL, its transactions, and what it says when it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import sqlalchemy
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import NullPool
from tenacity import Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from benison.errors import MetadataError, MissingExtraError, StoreAwayError
from benison.lineage.connection import (
    UNREADABLE,
    check_no_password,
    check_options,
    locked,
    password_of,
    shown_url,
    sqlite_path,
    truth,
)
from benison.lineage.database_errors import is_locked, is_lost, is_raced
from benison.lineage.tables import METADATA, STORE, VERSION

T = TypeVar("T")

_ATTEMPTS = 8
_LOCK_SECONDS = 30
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_FORMS = (
    "Say sql+sqlite:///relative/path.db, sql+sqlite:////absolute/path.db, "
    "sql+postgresql://user@host/database or sql+mysql://user@host/database."
)
_OPTIONS = {
    "sqlite": {},
    "postgresql": {
        name: name
        for name in ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "host")
    },
    "mysql": {
        "ssl_ca": "ssl_ca",
        "ssl_cert": "ssl_cert",
        "ssl_key": "ssl_key",
        "ssl_verify": "ssl_verify_identity",
        "socket": "unix_socket",
        "connect_timeout": "connect_timeout",
    },
}


class Database:
    """Transactions on the tables of a SQL store, each tried again where that may help.

    Connections are not kept, so that a process that was forked has its own.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        """Read the URL; the database is connected to when it is first used.

        Args:
            url: The URL, with `sql+` before it.
            password: The password of its server; None is that of the environment.

        Raises:
            MetadataError: The URL is wrong, or names a file that is not there.
            MissingExtraError: The database's driver is not installed.
        """
        try:
            parts = urlsplit(url.removeprefix("sql+"))
            options = dict(parse_qsl(parts.query, keep_blank_values=True))
            self.shown = f"sql+{shown_url(parts)}"
            self._create = truth(options.pop("create", "false"), "create")
            self._engine = _engine(parts, options, self._create, password_of(password))
        except ValueError as error:
            if isinstance(error, MetadataError | MissingExtraError):
                raise
            raise MetadataError(UNREADABLE) from None  # what it would say may be of the password
        self._is_ready = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, done in one transaction.

        Raises:
            MetadataError: The database cannot be reached, or refuses it.
        """
        attempts = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(0.1, max=2),
            reraise=True,
        )
        try:
            return attempts(lambda: self._transaction(work))
        except exc.DBAPIError as error:
            if is_locked(error):
                path = self._engine.url.database or ""
                raise StoreAwayError(locked(self.shown, path)) from None
            kind = StoreAwayError if is_lost(error) else MetadataError
            raise kind(
                f"The metadata store {self.shown} cannot be used: {_cause(error)}"
            ) from None  # the rest has what was to be written

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        if not self._is_ready:
            self._prepare()
        with self._engine.begin() as connection:
            return work(connection)

    def _prepare(self) -> None:
        """Make the tables, if that is asked for, and check their version."""
        if self._create:
            METADATA.create_all(self._engine)
        with self._engine.begin() as connection:
            if not sqlalchemy.inspect(connection).has_table(STORE.name):
                raise MetadataError(
                    f"{self.shown} has no tables of Benison. If they are to be made, add ?create=true."
                )
            versions = [row.version for row in connection.execute(sqlalchemy.select(STORE))]
            if not versions:
                connection.execute(STORE.insert().values(version=VERSION))
            elif max(versions) > VERSION:
                raise MetadataError(f"{self.shown} was made by a newer Benison. Upgrade Benison.")
        self._is_ready = True


def _engine(parts: SplitResult, options: dict[str, str], create: bool, password: str) -> Engine:
    dialect, _, driver = parts.scheme.partition("+")
    check_no_password(parts)
    dialect = {"mariadb": "mysql", "postgres": "postgresql"}.get(dialect, dialect)
    if dialect not in _DRIVERS:
        raise MetadataError(f"'sql+{shown_url(parts)}' is not the URL of a SQL store. {_FORMS}")
    known = _OPTIONS[dialect]
    check_options(options, [*known, "create"])
    arguments: dict[str, Any] = {known[name]: value for name, value in options.items()}
    name = f"{dialect}+{driver}" if driver else _DRIVERS[dialect]
    try:
        if dialect == "sqlite":
            return _sqlite(sqlite_path(parts, create, "sql+sqlite", _FORMS))
        return sqlalchemy.create_engine(
            _server(parts, name, password), poolclass=NullPool, connect_args=_typed(arguments)
        )
    except (ImportError, exc.NoSuchModuleError) as error:
        raise MissingExtraError(f"The driver of {dialect}", "sql") from error


def _server(parts: SplitResult, driver: str, password: str) -> URL:
    database = unquote(parts.path.removeprefix("/"))
    missing = [
        name for name, value in {"database": database, "user": parts.username}.items() if not value
    ]
    if missing:
        raise MetadataError(
            f"sql+{shown_url(parts)} lacks the {' and the '.join(missing)}. {_FORMS}"
        )
    return URL.create(
        driver,
        unquote(parts.username or ""),
        password or None,
        parts.hostname,
        parts.port,
        database,
    )


def _typed(arguments: dict[str, Any]) -> dict[str, Any]:
    if "connect_timeout" in arguments:
        arguments["connect_timeout"] = int(arguments["connect_timeout"])
    if "ssl_verify_identity" in arguments:
        arguments["ssl_verify_identity"] = truth(arguments["ssl_verify_identity"], "ssl_verify")
    for name in ("ssl_ca", "ssl_cert", "ssl_key", "sslrootcert", "sslcert", "sslkey"):
        if name in arguments and not Path(arguments[name]).is_file():
            raise MetadataError(f"There is no file {arguments[name]}, which {name} names.")
    return arguments


def _sqlite(path: Path) -> Engine:
    engine = sqlalchemy.create_engine(
        URL.create("sqlite", database=os.fspath(path)),
        poolclass=NullPool,
        connect_args={"timeout": _LOCK_SECONDS},
    )

    # Without these two the driver begins a transaction with the first write, which may be too late.
    @sqlalchemy.event.listens_for(engine, "connect")
    def _begin_nothing(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @sqlalchemy.event.listens_for(engine, "begin")
    def _begin_writing(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _may_pass(error: BaseException) -> bool:
    """Whether another try may succeed: a lock, a lost connection, a row that another process just made."""
    return is_lost(error) or is_raced(error)


def _cause(error: exc.DBAPIError) -> str:
    """The database's own words, without the statement and what was to be written."""
    return (str(error.orig).strip() or type(error.orig).__name__).rstrip(".") + "."
