# SPDX-License-Identifier: Apache-2.0
"""Reads the tables of an output as today's schema has them, whatever another program has made of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from benison.errors import OutputError
from benison.output import blessing
from benison.paths import Location
from benison.table import documents
from benison.table.row_files import read_rows
from benison.table.schema import (
    CHECKS_SCHEMA,
    PROBES_SCHEMA,
    WEAK_SLICES_SCHEMA,
    completed,
    upgraded,
    whole,
)
from benison.validation.verdict import Verdict

CHECKS = "checks.parquet"
WEAK_SLICES = "weak_slices.parquet"
PROBES = "probes.parquet"


@contextmanager
def readable(source: object) -> Iterator[None]:
    """Turn what reading a result, or a file of one, may raise into an OutputError that names it."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"The result in {source} cannot be read: {error}.") from error


def written_table(path: Location, schema: pa.Schema) -> pa.Table:
    """The rows of metrics.parquet or plots.parquet, with the columns of `schema`.

    Raises:
        OutputError: It lacks columns.
        ValueError: A value is missing, or of a type that does not fit.
    """
    table = read_rows(path)
    try:
        return upgraded(table, schema)
    except KeyError:
        required = [field.name for field in schema if not field.nullable]
        missing = [name for name in required if name not in table.column_names]
        raise OutputError(
            f"{path} lacks the columns {', '.join(missing)}; evaluate again."
        ) from None


def written_verdict(directory: Location) -> Verdict:
    """The verdict with all its checks, which results of schema 1 have in verdict.json.

    Raises:
        OutputError: A newer Benison wrote it.
        ValueError: It has not the fields, or the columns, of a verdict.
    """
    path = directory / CHECKS
    checks = whole(completed(read_rows(path), CHECKS_SCHEMA)) if path.is_file() else None
    document = documents.read_json((directory / "verdict.json").read_bytes())
    return Verdict.from_dict(document, checks)


def written_weak_slices(directory: Location | None) -> pa.Table:
    """The slices that a search confirmed; none where there was no search.

    Raises:
        OutputError: They are not as they were written.
    """
    return _optional_table(directory, WEAK_SLICES, WEAK_SLICES_SCHEMA)


def written_probes(directory: Location | None) -> pa.Table:
    """What probes say of the models; no rows where there was none.

    Raises:
        OutputError: They are not as they were written.
    """
    return _optional_table(directory, PROBES, PROBES_SCHEMA)


def _optional_table(directory: Location | None, name: str, schema: pa.Schema) -> pa.Table:
    if directory is None or not (directory / name).is_file():
        return schema.empty_table()
    blessing.check_whole(directory, name)
    with readable(directory):
        return whole(completed(read_rows(directory / name), schema))
