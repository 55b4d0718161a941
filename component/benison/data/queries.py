# SPDX-License-Identifier: Apache-2.0
"""Runs the query of an address of a database, such as `duckdb://eval.duckdb#SELECT * FROM trips`."""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import WHOLE_FLOATS
from benison.errors import DataError, MissingExtraError
from benison.paths import holds_secret

_DRIVERS = {
    "postgresql": "adbc_driver_postgresql.dbapi",
    "postgres": "adbc_driver_postgresql.dbapi",
    "sqlite": "adbc_driver_sqlite.dbapi",
}
_DUCKDB = "duckdb"
_TYPE_NAME = b"ADBC:postgresql:typname"
_NO_ROWS = "The query gives no rows: {} Give a SELECT."
_QUOTED = re.compile(
    r"""(?<!\w)[eE]'(?:\\.|[^'\\])*'|'[^']*'|"[^"]*"|`[^`]*`|\[[^\]'"]*\]"""
    r"""|(?<!\w)(\$(?:[A-Za-z_]\w*)?\$).*?\1|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
"""Texts, names in quotes and comments, in which a semicolon ends no statement."""


def queried(source: Any) -> pa.Table | None:
    """The rows of the query in an address of a database; None for what is no such address.

    The query stands behind the first `#` as it is. A database file of DuckDB or SQLite is only read.

    Raises:
        DataError: There is no query or more than one, or the database refuses it.
        MissingExtraError: The driver is not installed.
    """
    single = address_of(source)
    scheme, separator, rest = single.partition("://")
    if not separator or scheme not in (_DUCKDB, *_DRIVERS):
        return None
    address, _, query = rest.partition("#")
    if not query.strip():
        raise DataError(
            f"{scheme}:// needs a query behind #, as in '{scheme}://{address}#SELECT * FROM trips'."
        )
    if len(_statements(query)) > 1:
        raise DataError(
            f"The query has more than one statement, of which only one could give the rows: {query.strip()} "
            "Give a single SELECT; what has to come before it may stand in WITH."
        )
    if holds_secret(f"{scheme}://{address}"):
        raise DataError(
            "The address of the database holds a password, which results and logs would show. Leave it to "
            "the environment (PGPASSWORD) or to a password file."
        )
    return _of_duckdb(address, query) if scheme == _DUCKDB else _of_adbc(scheme, address, query)


def _statements(query: str) -> list[str]:
    """The statements of a query, without what is in quotes.

    >>> _statements("SELECT 'a;b'; -- the end; really")
    ['SELECT  ']
    >>> len(_statements("SELECT [a;b] FROM trips; DROP TABLE trips"))
    2
    """
    return [part for part in _QUOTED.sub(" ", query).split(";") if part.strip()]


def _statement(query: str) -> str:
    r"""The only statement of a query, without its semicolon, as a driver may put it into one of its own.

    >>> _statement("SELECT 'a;b' -- all; really"), _statement("SELECT 1 ; -- the end")
    ("SELECT 'a;b' -- all; really\n", 'SELECT 1 \n')
    """
    shown = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), query)
    begin = len(shown) - len(shown.lstrip("; \n\t"))
    end = shown.find(";", begin)
    return query[begin : None if end < 0 else end] + "\n"


def address_of(source: Any) -> str:
    """The one address that examples may be; "" where they are something else."""
    single = source[0] if isinstance(source, list | tuple) and len(source) == 1 else source
    return single if isinstance(single, str) else ""


def _of_duckdb(path: str, query: str) -> pa.Table:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("DuckDB", "duckdb") from error
    if path and not os.path.exists(path):
        raise DataError(f"There is no database {path}.")
    try:
        with duckdb.connect(path or ":memory:", read_only=bool(path)) as connection:
            rows = connection.sql(query)
            if rows is None:
                raise DataError(_NO_ROWS.format(query.strip()))
            table: pa.Table = rows.to_arrow_table()
            return table
    except duckdb.Error as error:
        raise DataError(_refused(f"duckdb://{path}", error)) from error


def _of_adbc(scheme: str, address: str, query: str) -> pa.Table:
    try:
        driver = importlib.import_module(_DRIVERS[scheme])
    except ImportError as error:
        raise MissingExtraError(f"The ADBC driver of {scheme}", "adbc") from error
    if scheme == "sqlite" and not os.path.exists(address):
        raise DataError(f"There is no database {address}.")
    uri = f"file:{address}?mode=ro" if scheme == "sqlite" else f"{scheme}://{address}"
    try:
        with driver.connect(uri) as connection, connection.cursor() as cursor:
            cursor.execute(_statement(query))
            table: pa.Table = cursor.fetch_arrow_table()
    except driver.Error as error:
        raise DataError(_refused(f"{scheme}://{address}", error)) from error
    if not table.num_columns:
        raise DataError(_NO_ROWS.format(query.strip()))
    return _with_numbers(table)


def _with_numbers(table: pa.Table) -> pa.Table:
    """The table with numbers in the columns of PostgreSQL's `numeric`, which its driver gives as text."""
    for index, field in enumerate(table.schema):
        if (field.metadata or {}).get(_TYPE_NAME) == b"numeric":
            table = table.set_column(index, field.name, _numbers(table.column(index)))
    return table


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Integers or floats; text where floats would round integers."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        floats = column.cast(pa.float64())
    finite = floats.filter(pc.is_finite(floats))
    return column if (pc.max(pc.abs(finite)).as_py() or 0) >= WHOLE_FLOATS else floats


def _refused(address: str, error: Exception) -> str:
    return f"{address} refuses the query: {' '.join(str(error).split())[:400]}"
