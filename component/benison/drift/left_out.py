# SPDX-License-Identifier: Apache-2.0
"""The columns that are compared only where they are named: ids and times, which always differ."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from benison.drift.profiles import Column, Profile, Texts
from benison.slicing.periods import are_times

_FEW = 2
_MOST_TIMES = 1_000


def left_out(reference: Profile, names: Sequence[str]) -> tuple[str, ...]:
    """The columns of texts of which most rows of the reference have one of their own, or that are all times.

    Rows of other data have other ones, whether anything changed or not.
    """
    return tuple(name for name in names if _is_id(reference[name]) or _has_times(reference[name]))


def left_out_sentence(names: Sequence[str]) -> str:
    """Which they are, why, and what to do."""
    return (
        "Left out, as most rows have a text of their own or the texts are times: "
        f"{', '.join(names)}. Name a column (-c) to have it compared all the same."
    )


def _is_id(column: Column) -> bool:
    if not isinstance(column, Texts):
        return False
    counts = [*column.counts.values()]
    alone = counts.count(1)
    if alone:  # the others of a stored profile are not more frequent than those that it names
        alone += column.other
    return alone > max(_FEW, (sum(counts) + column.other) / 2)


def _has_times(column: Column) -> bool:
    if not isinstance(column, Texts) or not column.counts:
        return False
    return are_times(pa.array([*column.counts][:_MOST_TIMES], pa.string()))
