# SPDX-License-Identifier: Apache-2.0
"""Records what a blessing was made from, where resolvers find it.

A `Recorder` hears of a run when it begins, while it goes on, and when the files of the output are complete.
Nothing that it recorded before that is visible to a resolver, so that a run that was killed has blessed
nothing; the same run again completes the record. The states of a run are in `states`, and what may follow
them in `ledger`, for every store that is a `sink.Sink`: ML Metadata, or a table in a SQL database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benison.errors import MissingExtraError
from benison.lineage.decision import Revocation
from benison.lineage.run import (
    TASK,
    DataContent,
    Finding,
    ModelFiles,
    Record,
    Recorder,
    Run,
    RunKey,
    RunStateError,
    joined,
    new_run_id,
)

if TYPE_CHECKING:
    from benison.lineage.ledger import Ledger
    from benison.lineage.sink import Sink

__all__ = [
    "DataContent",
    "Finding",
    "ModelFiles",
    "Record",
    "Recorder",
    "Revocation",
    "Run",
    "RunKey",
    "RunStateError",
    "TASK",
    "connect",
    "joined",
    "new_run_id",
]

_SQLALCHEMY = (
    2  # the major version from which on its types and connections are as they are used here
)


def connect(url: str, password: str | None = None) -> Ledger:
    """The recorder of a metadata store.

    Args:
        url: ML Metadata: `sqlite:///relative.db`, `sqlite:////absolute.db`, `mysql://user@host/database` or
            `grpc://host:port`. Tables in a SQL database: `sql+sqlite:///relative.db`,
            `sql+postgresql://user@host/database` or `sql+mysql://user@host/database`. A password in it is
            refused.
        password: The password of the store's server; None is what the variable BENISON_METADATA_PASSWORD
            holds.

    Raises:
        MetadataError: The URL is not one of these; says what is missing.
        MissingExtraError: What the store needs is not installed.
    """
    from benison.lineage.ledger import Ledger

    if url.startswith("sql+"):
        return Ledger(_sql_sink(url, password))
    from benison.lineage.mlmd import MetadataSink
    from benison.lineage.store import Store

    return Ledger(MetadataSink(Store.open(url, password)))


def _sql_sink(url: str, password: str | None) -> Sink:
    try:
        import sqlalchemy

        if int(sqlalchemy.__version__.partition(".")[0]) < _SQLALCHEMY:  # as Airflow 2 has it
            raise MissingExtraError(f"SQLAlchemy {_SQLALCHEMY} or newer", "sql")
        from benison.lineage.database import Database
        from benison.lineage.sql import SqlSink
    except ImportError as error:
        raise MissingExtraError("SQLAlchemy", "sql") from error
    return SqlSink(Database(url, password))
