# SPDX-License-Identifier: Apache-2.0
"""Reads the rows that evaluators of rows have put into an output."""

from __future__ import annotations

import pyarrow as pa

from benison.errors import DataError, suggestion
from benison.output import blessing
from benison.paths import Location
from benison.table.row_files import RowFiles, keys_in, names_of


def written_rows(directory: Location, name: str) -> pa.Table:
    """All rows called `name`, unchanged since they were written.

    Raises:
        DataError: There are none of that name.
        OutputError: The output is not whole, or they were changed.
    """
    files = list(blessing.read_manifest(directory)["files"])
    names = names_of(files, name)
    if not names:
        raise no_rows(name, keys_in(files))
    blessing.check_whole(directory, *names)
    return RowFiles(tuple(directory / file for file in names)).table()


def no_rows(name: str, known: list[str]) -> DataError:
    """What to say where an evaluator has written no rows of a name."""
    return DataError(f"The results have no rows {name!r}. {suggestion(name, known)}")
