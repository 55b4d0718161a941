# SPDX-License-Identifier: Apache-2.0
"""The columns that are compared only where they are named: ids and times, which always differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from benison.drift.profiles import Column, Numbers, Profile, Texts
from benison.slicing.periods import are_times

_FEW, _FEW_NUMBERS = 2, 30
_PAIRS = 3.0
"""So many pairs of rows would have the same number by chance, where none has as rows are counted by it."""


def left_out(reference: Profile, names: Sequence[str]) -> tuple[str, ...]:
    """The columns of ids, and of texts that are all times.

    Of ids most rows of the reference have a text of their own, or all have a whole number of their own, from
    a range so narrow that some would share one by chance, and there are 30 or more. Rows of other data have
    other ones, whether anything changed or not.
    """
    return tuple(name for name in names if _is_unlike(reference[name]))


def left_out_sentence(names: Sequence[str]) -> str:
    """Which they are, why, and what to do."""
    return (
        "Left out, as rows have a text or a whole number of their own, as ids are, or the texts are times: "
        f"{', '.join(names)}. Name a column (-c) to have it compared all the same."
    )


def _is_unlike(column: Column) -> bool:
    if isinstance(column, Numbers):
        return _counts_rows(column)
    return _is_id(column) or _has_times(column)


def _counts_rows(column: Numbers) -> bool:
    held, rows = column.distinct.numbers, int(column.distinct.counts.sum())
    if rows < _FEW_NUMBERS or column.distinct_numbers != rows:
        return False
    is_whole = np.isfinite(held.astype(np.float64)).all() and (held == np.trunc(held)).all()
    return bool(is_whole) and rows * (rows - 1) / 2 >= _PAIRS * (int(held[-1]) - int(held[0]) + 1)


def _is_id(column: Texts) -> bool:
    counts = [*column.counts.values()]
    alone = counts.count(1)
    if alone:  # the others of a stored profile are not more frequent than those that it names
        alone += column.other
    return alone > max(_FEW, (sum(counts) + column.other) / 2)


def _has_times(column: Texts) -> bool:
    return are_times(pa.array([*column.counts], pa.string()))
