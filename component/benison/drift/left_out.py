# SPDX-License-Identifier: Apache-2.0
"""The columns that are compared only where they are named: ids, times and counters, which always differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from benison.drift.profiles import Column, Numbers, Profile, Texts
from benison.slicing.bin_edges import DistinctNumbers
from benison.slicing.periods import are_times

_FEW, _FEW_NUMBERS = 2, 30
_PAIRS = 3.0
"""So many pairs of rows would have the same number by chance, where none has as rows are counted by it."""
_REPEATED = 100  # rows, of which one may have a number that another has
_LARGE, _HUGE = 2.0**40, 2.0**53
_NARROW = 0.1
_FEW_BUCKETS = 3
_LATE = 0.01  # of the rows of a bucket, whose numbers may be those of other buckets


def times_of(schema: Iterable[pa.Field]) -> tuple[str, ...]:
    """The columns of times by their type; those that are texts are known by their values alone."""
    return tuple(field.name for field in schema if pa.types.is_temporal(field.type))


def left_out(
    reference: Profile, names: Sequence[str], current: Profile | None = None
) -> tuple[str, ...]:
    """The columns of ids, and of texts that are all times.

    Of ids most rows of the reference have a text of their own, or nearly all of 30 rows or more a whole
    number, now too: from a range so narrow that far more would share one by chance, or beyond 2^53, or beyond
    2^40 and all near each other, as times in milliseconds are. Rows of other data have other ones, whether
    anything changed or not.
    """
    now = reference if current is None else current
    return tuple(name for name in names if _is_unlike(reference[name], now[name]))


def left_out_over_time(
    reference: Profile, names: Sequence[str], buckets: Sequence[Profile]
) -> tuple[str, ...]:
    """The same of a stream, of which also whole numbers are left out that count up from bucket to bucket.

    Args:
        reference: The first buckets together.
        names: The columns.
        buckets: All that have rows, in the order of time.
    """
    unlike = left_out(reference, names)
    return tuple(n for n in names if n in unlike or _counts_up([of[n] for of in buckets]))


def left_out_sentence(names: Sequence[str]) -> str:
    """Which they are, why, and what to do."""
    return (
        "Left out, as rows have a text or a whole number of their own, as ids are, or they are times, or "
        f"count up with time: {', '.join(names)}. Name a column (-c) to have it compared all the same."
    )


def _counts_up(buckets: Sequence[Column]) -> bool:
    """Whether the whole numbers of each bucket are above those of the one before, as of a day's number."""
    held = [of for of in buckets if isinstance(of, Numbers) and _rows(of)]
    if len(held) < max(_FEW_BUCKETS, len(buckets)):
        return False
    ends = np.array([_ends(of.distinct) for of in held])
    are_whole = all((of.distinct.numbers == np.trunc(of.distinct.numbers)).all() for of in held)
    grows = (ends[1:, 0] >= ends[:-1, 1]) & (ends[1:, 1] > ends[:-1, 1])
    return are_whole and bool(np.isfinite(ends).all() and grows.all())


def _ends(distinct: DistinctNumbers) -> tuple[float, float]:
    """The least and the largest number but for a few late rows."""
    below = np.cumsum(distinct.counts)
    late = int(_LATE * below[-1])
    low, high = np.searchsorted(below, [late + 1, below[-1] - late])
    return float(distinct.numbers[low]), float(distinct.numbers[high])


def _is_unlike(column: Column, now: Column) -> bool:
    if not isinstance(column, Numbers):
        return _is_id(column) or _has_times(column)
    if not isinstance(now, Numbers) or _rows(column) < _FEW_NUMBERS:
        return False
    are_own = _are_own(column) and _are_own(now)
    return are_own and (_counts_rows(column) or _is_long(column, now))


def _rows(column: Numbers) -> int:
    return int(column.distinct.counts.sum())


def _are_own(column: Numbers) -> bool:
    """Whether nearly every row has a whole number of its own."""
    held, rows, distinct = column.distinct.numbers, _rows(column), column.distinct_numbers
    if distinct is None or rows - distinct > max(1, rows // _REPEATED):
        return False
    return bool(np.isfinite(held.astype(np.float64)).all() and (held == np.trunc(held)).all())


def _counts_rows(column: Numbers) -> bool:
    """Whether far more rows would share a number by chance than do, as a Poisson number says."""
    held, rows = column.distinct.numbers, _rows(column)
    shared = rows - (column.distinct_numbers or 0)
    by_chance = rows * (rows - 1) / 2 / (int(held[-1]) - int(held[0]) + 1)
    return by_chance >= shared + 2 * math.sqrt(shared) + _PAIRS


def _is_long(column: Numbers, now: Numbers) -> bool:
    """Whether numbers are as large as only ids and times are, which amounts are not, or not all so near."""
    held = np.concatenate([of.distinct.numbers.astype(np.float64) for of in (column, now)])
    low, high = (float(of(np.abs(held))) for of in (np.min, np.max))
    middle = float(np.median(np.abs(held)))
    return middle >= _HUGE or (low >= _LARGE and high - low <= _NARROW * high)


def _is_id(column: Texts) -> bool:
    counts = [*column.counts.values()]
    alone = counts.count(1)
    if alone:  # the others of a stored profile are not more frequent than those that it names
        alone += column.other
    return alone > max(_FEW, (sum(counts) + column.other) / 2)


def _has_times(column: Texts) -> bool:
    return are_times(pa.array([*column.counts], pa.string()))
