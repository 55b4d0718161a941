# SPDX-License-Identifier: Apache-2.0
"""Takes slices of periods of time apart: into a bucket, and the slice without the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config.slicing_specs import PERIODS, period_of
from benison.errors import DataError, NothingYetError, suggestion
from benison.slicing.keys import PERIOD, SLICE_KEY, slice_name
from benison.table.slices import as_key, slice_codes

_CURE = (
    "Evaluate with slicing_specs such as {bins: {pickup: {every: day}}}, or give data and time_key."
)


def in_periods(
    rows: pa.Table, time_key: str | None, every: str | None, first: int
) -> tuple[str, list[str], pa.Table]:
    """The column, its periods in their order, and the rows of metrics in one, by the rest of their slices.

    Args:
        rows: With the columns of metrics.parquet.
        time_key: The column whose periods they are; None for the only one.
        every: Which of `PERIODS`; None for the only one. Slices by others are left out.
        first: The number of the first bucket.

    Raises:
        DataError: There are none of the column, or of several columns, or of periods of several sizes.
        NothingYetError: There are no slices of periods.
    """
    _, codes = slice_codes(rows)
    _, firsts = np.unique(codes, return_index=True)
    keys: list[Any] = rows["slice_key"].take(pa.array(firsts)).to_pylist()
    key = _time_key(keys, time_key)
    size = _size(keys, key, every)
    periods = [_period(pairs, key, size) for pairs in keys]
    known = sorted({each for each in periods if each is not None})
    number = {period: first + i for i, period in enumerate(known)}
    rests = [[pair for pair in pairs if pair["feature"] != key] for pairs in keys]
    buckets = pa.array([None if each is None else number[each] for each in periods], pa.int64())
    kept = np.flatnonzero(np.array([each is not None for each in periods])[codes])
    chosen = pa.array(codes[kept])
    taken = rows.take(pa.array(kept))
    columns = {
        "slice": pa.array([slice_name(as_key(rest)) for rest in rests], pa.string()),
        "slice_key": pa.array(rests, SLICE_KEY),
    }
    for name, of_slices in columns.items():
        at = taken.schema.get_field_index(name)
        taken = taken.set_column(at, taken.schema.field(at), of_slices.take(chosen))
    return key, known, taken.append_column("bucket", buckets.take(chosen))


def without_periods(rows: pa.Table, time_key: str) -> pa.Table:
    """The rows of metrics whose slices do not have the column of times."""
    keys = rows["slice_key"].to_pylist()
    is_timed = [any(pair["feature"] == time_key for pair in pairs) for pairs in keys]
    return rows.filter(pa.array([not each for each in is_timed], pa.bool_()))


def _time_key(keys: Sequence[Sequence[Mapping[str, str]]], asked: str | None) -> str:
    known = sorted({p["feature"] for pairs in keys for p in pairs if p["type"] == PERIOD})
    if asked is not None and asked not in known:
        hint = suggestion(asked, known) if known else ""
        raise DataError(f"The result has no slices by periods of {asked!r}. {hint} {_CURE}")
    if not known:
        raise NothingYetError(
            f"There is one result, which has no slices by periods of time. {_CURE}"
        )
    if asked is None and len(known) > 1:
        raise DataError(f"The result has slices by periods of {', '.join(known)}; say time_key.")
    return asked or known[0]


def _size(keys: Sequence[Sequence[Mapping[str, str]]], key: str, asked: str | None) -> str:
    """Which of `PERIODS` the buckets are."""
    sizes = {period_of(p["value"]) for pairs in keys for p in pairs if _is_period(p, key)}
    known = [every for every in PERIODS if every in sizes]
    named = " and by ".join(known)
    if asked is None and len(known) > 1:
        raise DataError(
            f"The result has slices of {key!r} by {named}, and buckets are of one size. Evaluate with one of "
            "them in slicing_specs, or give the data, time_key and bucket."
        )
    if asked is not None and asked not in known:
        raise DataError(f"The result has no slices of {key!r} by {asked}, but by {named}. {_CURE}")
    return asked or known[0]


def _period(pairs: Sequence[Mapping[str, str]], key: str, every: str) -> str | None:
    """The period of such a size that a slice is of; None where it is of none."""
    values = (pair["value"] for pair in pairs if _is_period(pair, key))
    return next((value for value in values if period_of(value) == every), None)


def _is_period(pair: Mapping[str, str], key: str) -> bool:
    return pair["feature"] == key and pair["type"] == PERIOD
