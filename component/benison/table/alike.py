# SPDX-License-Identifier: Apache-2.0
"""Finds the rows of a table that are alike in some columns.

Rows of one key lie one after the other, so that one row of each stretch is looked at in place of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Index
from benison.table.key import KEY_COLUMNS, Key


def alike(table: pa.Table, columns: Sequence[str]) -> tuple[pa.Table, Index]:
    """The distinct rows of some columns, in the order in which they come, and which of them each row is.

    >>> firsts, codes = alike(pa.table({"a": ["x", "x", "y", "x"], "b": [1, 2, 3, 4]}), ["a"])
    >>> firsts.to_pylist(), codes
    ([{'a': 'x'}, {'a': 'y'}], array([0, 0, 1, 0]))
    """
    chosen = table.select(list(columns))
    starts = _starts(chosen)
    heads = few_of(chosen, starts)
    codes = np.zeros(len(starts), np.int64)
    for name in columns:
        column = heads[name].combine_chunks().dictionary_encode("encode")
        if len(column.dictionary) > 1:  # most columns of keys hold one value
            both = codes * len(column.dictionary) + column.indices.to_numpy()
            codes = np.asarray(pa.array(both).dictionary_encode().indices.to_numpy(), np.int64)
    firsts = np.flatnonzero(np.diff(np.maximum.accumulate(codes), prepend=-1))
    lengths = np.diff(starts, append=table.num_rows)
    return heads.take(pa.array(firsts)), np.repeat(codes, lengths)


def _starts(table: pa.Table) -> Index:
    """The first row of each stretch of rows that are alike, and perhaps some more: int64[n], ascending."""
    starts = [np.zeros(0, np.int64)]
    known: dict[tuple[int, ...], Index] = {}  # constants of several columns are in memory once
    for column in table.columns:
        before = 0
        for chunk in column.chunks:
            addresses = (0 if part is None else part.address for part in chunk.buffers())
            memory = (chunk.offset, len(chunk), *addresses)
            if memory not in known:
                known[memory] = pc.run_end_encode(chunk).run_ends.to_numpy()
            starts.append(before + np.append(0, known[memory])[: len(known[memory])])
            before += len(chunk)
    return np.unique(np.concatenate(starts))


def few_of(table: pa.Table, rows: Index) -> pa.Table:
    """Some rows of a table; Arrow would copy all of its chunks together first.

    >>> parts = pa.table({"a": [1, 2]}), pa.table({"a": [3]})
    >>> few_of(pa.concat_tables(parts), np.array([2, 0]))["a"].to_pylist()
    [3, 1]
    """
    batches = table.to_batches()
    ends = np.cumsum([batch.num_rows for batch in batches], dtype=np.int64)
    of = np.searchsorted(ends, rows, side="right")
    parts = [
        batch.take(pa.array(rows[of == i] - (ends[i] - batch.num_rows)))
        for i, batch in enumerate(batches)
    ]
    back = np.empty_like(rows)
    back[np.argsort(of, kind="stable")] = np.arange(len(rows))
    return pa.Table.from_batches(parts, table.schema).take(pa.array(back))


def rows_by(table: pa.Table, names: Sequence[str]) -> dict[tuple[Any, ...], Index]:
    """The distinct rows of some columns, in the order in which they come, and where each is.

    Arrow's own `group_by` imports an engine for it, and takes memory without bounds for chunks without rows.
    """
    firsts, codes = alike(table, names)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=firsts.num_rows))
    keys = (tuple(row.values()) for row in firsts.to_pylist())
    return dict(zip(keys, np.split(order, ends[:-1]), strict=False))  # no rows are one part of none


def rows_by_key(table: pa.Table) -> dict[Key, Index]:
    """The rows of each key of a table of metrics or checks."""
    return {Key(*values): rows for values, rows in rows_by(table, KEY_COLUMNS).items()}
