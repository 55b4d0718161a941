# SPDX-License-Identifier: Apache-2.0
"""Of what a SQL store refuses, what is tried again and may be back is told from what has to be mended."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import ssl
import struct
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import exc

from benison.errors import MetadataError, StoreAwayError
from benison.lineage import database


def of_postgres(state: str) -> Exception:
    return psycopg.errors.lookup(state)("in the words of the server's language")


def unconnected(text: str) -> Exception:
    """As psycopg says it, which has no code of what a server said before it let anybody in."""
    return psycopg.OperationalError(
        f'connection failed: connection to server at "h" failed: {text}'
    )


def of_mysql(number: int) -> Exception:
    """What the driver makes of a server's packet."""
    try:
        pymysql.err.raise_mysql_exception(b"\xff" + struct.pack("<h", number) + b"#HY000words")
    except pymysql.err.MySQLError as error:
        return error
    raise AssertionError


def unreached(cause: OSError) -> Exception:
    """As the driver says it of a server that it cannot connect to."""
    error = pymysql.err.OperationalError(2003, f"Can't connect to MySQL server on 'h' ({cause})")
    error.original_exception = cause  # type: ignore[attr-defined]
    return error


def of_sqlite(*statements: str, path: str = ":memory:") -> Exception:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0, uri=True)) as connection:
            for statement in statements:
                connection.execute(statement)
    except sqlite3.Error as error:
        return error
    raise AssertionError


def of_locked_sqlite() -> Exception:
    path = "file:locked?mode=memory&cache=shared"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as other:
        other.execute("begin immediate")
        return of_sqlite("begin immediate", path=path)


TABLE = "create table t (x integer primary key, y text not null)"


def raised(error: Exception, tmp_path: Path) -> tuple[type, int]:
    """What a transaction that has an error ends with, and how often it was tried."""
    tries: list[int] = []

    def work(connection: Any) -> None:
        tries.append(1)
        raise exc.DBAPIError.instance("insert", {}, error, _base(error))

    store = database.Database(f"sql+sqlite:///{tmp_path}/m.db?create=true")
    with pytest.raises(MetadataError) as caught:
        store.run(work)
    return type(caught.value), len(tries)


def _base(error: Exception) -> Any:
    modules = {"sqlite3": sqlite3, "psycopg": psycopg, "pymysql": pymysql}
    return modules[type(error).__module__.partition(".")[0]].Error


@pytest.mark.parametrize(
    "error",
    [
        *map(of_postgres, ("08006", "40001", "40P01", "53300", "55P03", "57P01", "57P03")),
        *map(of_mysql, (1040, 1053, 1205, 1213, 2006, 2013)),
        *map(unreached, (ConnectionRefusedError(), TimeoutError())),
        of_locked_sqlite(),
        unreached(socket.gaierror(11001, "No such host is known")),
        unconnected("Connection refused"),
        unconnected("could not translate host name: No such host is known."),
        unconnected("FATAL:  the database system is starting up"),
    ],
    ids=repr,
)
def test_what_may_be_back(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ATTEMPTS", 1)
    assert raised(error, tmp_path)[0] is StoreAwayError


@pytest.mark.parametrize(
    "error",
    [
        *map(of_postgres, ("23502", "28000", "28P01", "3D000", "42501", "42703", "53100")),
        *map(of_mysql, (1044, 1045, 1048, 1049, 1054, 1142, 1366)),
        unreached(ssl.SSLCertVerificationError("certificate verify failed")),
        unconnected('FATAL:  no pg_hba.conf entry for host "h", user "u", database "d"'),
        unconnected('FATAL:  role "u" is not permitted to log in'),
        unconnected("SSL error: certificate verify failed"),
        of_sqlite(TABLE, "insert into t values (1, null)"),
        of_sqlite("select * from missing"),
        of_sqlite("select 1", path="/nowhere/x.db"),
    ],
    ids=repr,
)
def test_what_has_to_be_mended(error: Exception, tmp_path: Path) -> None:
    assert raised(error, tmp_path) == (MetadataError, 1)


@pytest.mark.parametrize(
    "error",
    [
        of_postgres("23505"),
        of_mysql(1062),
        of_sqlite(TABLE, *["insert into t values (1, 'a')"] * 2),
    ],
    ids=repr,
)
def test_a_row_of_another_process_is_looked_for_again(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ATTEMPTS", 2)
    assert raised(error, tmp_path) == (MetadataError, 2)
