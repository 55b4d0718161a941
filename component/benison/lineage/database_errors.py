# SPDX-License-Identifier: Apache-2.0
"""What an error of a SQL database means: that another try may succeed, that the database is away, or neither.

An error's code says that: SQLSTATE, MySQL's number, or SQLite's code. Its words do where it has none, as one
of PostgreSQL's client that could not connect.
"""

from __future__ import annotations

import re
import ssl
from typing import Any

from sqlalchemy import exc

# Connection failures, rollbacks, lack of resources; a lock, a server that starts or stops, a canceled query.
_STATES = ("08", "40", "53", "55P03", "57014", "57P")
# Of a protocol, of a full disk, of a database that was dropped.
_FINAL_STATES = ("08P01", "53100", "57P04")
_LOCKED_SQLITE = (5, 6)
# Busy, locked, input or output, locking protocol, another schema.
_SQLITE = (*_LOCKED_SQLITE, 10, 15, 17)
# Of the client: no host, no server, a lost connection. Of the server: connections, shutdown, locks,
# deadlocks, the network, time, and a cluster's node that is not ready.
_MYSQL = frozenset(
    {0, 2002, 2003, 2006, 2013, 2055}
    | {1020, 1037, 1038, 1040, 1041, 1047, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226}
    | {1317, 1927, 3024, 4031}
)
# What several processes make at once: a row, a table, a type.
_RACED_STATES = ("23505", "42P07", "42710")
_RACED_SQLITE, _RACED_MYSQL = (1555, 2067), (1050, 1062)
# What a password, a right, a certificate, a name or a file has to be mended for.
_FINAL = re.compile(
    r"denied|authentication failed|password supplied|does not exist|unable to open"
    r"|no such (table|file|column)|no pg_hba\.conf entry|not permitted|certificate|does not support SSL"
    r"|readonly|malformed|disk is full",
    re.IGNORECASE,
)


def is_raced(error: BaseException) -> bool:
    """Whether another process has just made the same, so that another try sees it."""
    if not isinstance(error, exc.DBAPIError):
        return False
    state, sqlite, mysql = _codes(error.orig)
    if state in _RACED_STATES or sqlite in _RACED_SQLITE or mysql in _RACED_MYSQL:
        return True
    return sqlite == 1 and "already exists" in str(error.orig)  # which has no code of its own


def is_locked(error: exc.DBAPIError) -> bool:
    """Whether another process keeps the file of SQLite from being written."""
    sqlite = _codes(error.orig)[1]
    return sqlite is not None and sqlite & 0xFF in _LOCKED_SQLITE


def is_lost(error: BaseException) -> bool:
    """Whether the database is away or locked for now."""
    if not isinstance(error, exc.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state, sqlite, mysql = _codes(error.orig)
    if state is not None:
        return state.startswith(_STATES) and state not in _FINAL_STATES
    if sqlite is not None:
        return sqlite & 0xFF in _SQLITE
    if mysql is not None:
        cause = getattr(error.orig, "original_exception", None)
        refused = (ssl.SSLCertVerificationError, FileNotFoundError, PermissionError)
        return mysql in _MYSQL and not isinstance(cause, refused)
    kinds = (exc.OperationalError, exc.InterfaceError)
    return isinstance(error, kinds) and not _FINAL.search(str(error.orig))


def _codes(error: Any) -> tuple[str | None, int | None, int | None]:
    """SQLSTATE, SQLite's code and MySQL's number, of which an error has one at most."""
    state = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)
    sqlite = getattr(error, "sqlite_errorcode", None)
    first = next(iter(getattr(error, "args", ())), None)
    if isinstance(first, int):  # beside which newer drivers give a SQLSTATE that says less
        return None, None, first
    return state, sqlite, None
