# SPDX-License-Identifier: Apache-2.0
"""The tables of a SQL store.

A text of any length cannot be a unique key in every database, and some compare texts without regard to case:
what is looked up is looked up by its SHA-256.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from benison.lineage.decision import Revocation

VERSION = 1
METADATA = MetaData()

_DIGEST = String(64)
_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")  # whose own text ends at 64 kB
_OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}

STORE = Table("benison_store", METADATA, Column("version", Integer, primary_key=True), **_OPTIONS)

RUNS = Table(
    "benison_runs",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key_digest", _DIGEST, nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", _TEXT, nullable=False),
    Column("pipeline_digest", _DIGEST, nullable=False, index=True),
    Column("pipeline", _TEXT, nullable=False),
    Column("run", _TEXT, nullable=False),
    Column("task", _TEXT, nullable=False),
    Column("map_index", Integer),
    Column("state", String(16), nullable=False),
    Column("token", String(32), nullable=False),
    Column("inputs", _DIGEST, nullable=False),
    Column("fingerprint", _TEXT, nullable=False),
    Column("data", _TEXT, nullable=False),
    Column("data_digest", _DIGEST, index=True),
    Column("examples", _TEXT, nullable=False),
    Column("model_id", Integer),
    Column("baseline_id", Integer),
    Column("baseline", _TEXT, nullable=False),
    Column("config", _TEXT, nullable=False),
    Column("output", _TEXT, nullable=False),
    Column("status", String(16), nullable=False),
    Column("summary", _TEXT, nullable=False),
    Column("error", _TEXT, nullable=False),
    Column("benison", String(32), nullable=False),
    Column("created", String(32), nullable=False),
    UniqueConstraint("key_digest", "number", name="benison_runs_key"),
    **_OPTIONS,
)
"""A row for each execution: what `sink.Attempt` has, and what it read and wrote."""

ARTIFACTS = Table(
    "benison_artifacts",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("identity", _DIGEST, unique=True),
    Column("uri_digest", _DIGEST, nullable=False, index=True),
    Column("uri", _TEXT, nullable=False),
    Column("digest", _TEXT, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("created", String(32), nullable=False),
    # Of a blessing alone:
    Column("run_id", Integer, ForeignKey("benison_runs.id"), index=True),
    Column("pipeline_digest", _DIGEST, index=True),
    Column("model_id", Integer),
    Column("blessed", Integer),
    Column("reasons", _TEXT),
    Column("rubber_stamped", Boolean),
    Column("decided_by", _TEXT),
    Column("decision", _TEXT),
    Column("until", String(64)),
    Column("revoked_by", _TEXT),
    Column("revoked_reason", _TEXT),
    Column("superseded_by", _TEXT),
    **_OPTIONS,
)
"""A row for each model, each place of data, and each blessing: by a verdict, or by somebody's decision."""

REVOCATIONS = Table(
    "benison_revocations",
    METADATA,
    Column("identity", _DIGEST, primary_key=True),
    *(Column(field.name, _TEXT, nullable=False) for field in dataclasses.fields(Revocation)),
    **_OPTIONS,
)
"""A row for contents that were revoked in a pipeline: what `decision.Revocation` has."""


def sha256(*texts: str) -> str:
    """The key under which texts are looked up."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
