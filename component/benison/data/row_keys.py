# SPDX-License-Identifier: Apache-2.0
"""Numbers rows by the columns that tell them apart, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from benison.data.mixing import Numbers, mixed, text_numbers
from benison.data.values import is_missing, single_values
from benison.errors import DataError


def key_numbers(batch: pa.RecordBatch, row_key: Sequence[str], source: str) -> Numbers:
    """A number for each row, which depends on the columns of its key alone: uint64[N].

    Args:
        batch: The rows.
        row_key: The columns.
        source: How messages call the data.

    Raises:
        DataError: A column of the key is missing, or has no text; or a row has no value in any of them.
    """
    made: Numbers = np.zeros(batch.num_rows, np.uint64)
    missing = np.ones(batch.num_rows, np.bool_)
    for name in row_key:
        if name not in batch.schema.names:
            raise DataError.from_missing_column(name, batch.schema.names, source)
        values = _values(batch.column(name), name, source)
        missing &= is_missing(values)
        column = _as_text(values, name, source)
        made = mixed(made ^ text_numbers(column))
    if missing.any():
        raise DataError(
            f"{source}: the row_key {', '.join(row_key)} is missing in some rows, which nothing tells apart "
            f"then. Fill it in."
        )
    return made


def _values(column: pa.Array, name: str, source: str) -> pa.Array:
    singles = single_values(column)
    if singles is None:
        raise _unfit(column, name, source)
    return singles


def _as_text(values: pa.Array, name: str, source: str) -> pa.Array:
    try:
        return values.cast(pa.large_string())
    except pa.ArrowException as error:
        raise _unfit(values, name, source) from error


def _unfit(column: pa.Array, name: str, source: str) -> DataError:
    return DataError(
        f"{source}: column {name!r} of the row_key is {column.type}; name one with a text or a number in "
        f"each row."
    )


def keyed(
    batches: Iterable[pa.RecordBatch], row_key: Sequence[str], numbers: str, source: str
) -> Iterator[pa.RecordBatch]:
    """The batches with the numbers of their rows as the column `numbers`."""
    for batch in batches:
        made = pa.array(key_numbers(batch, row_key, source))
        yield batch.append_column(numbers, made)
