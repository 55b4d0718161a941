# SPDX-License-Identifier: Apache-2.0
"""Periods of time: the hour, day, week, month or year in which each row is, as a text that sorts by time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config.slicing_specs import PERIODS
from benison.data.values import floats_of, innermost, is_number, is_text, undictionary
from benison.errors import DataError
from benison.slicing.keys import PERIOD, ZONED_PERIOD

Group: TypeAlias = "tuple[tuple[str, ...], tuple[str, ...]]"
"""The features of slices, and how their values are compared: those of a number and of its bins are two."""

_MOST_TIMES = 1_000
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From which number on times are not seconds, and how many to a second they are then."""
_FIRST, _END = 31_536_000, 7_258_118_400  # the years from 1971 to 2199 in seconds
_FORMS = "2026-01-31 or 2026-01-31 12:00:00, all with a zone or all without"


def check_times(feature: str, kind: pa.DataType) -> None:
    """Refuse periods of what is no time; raises DataError."""
    kind = innermost(kind)
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind)
    is_numeric = is_number(kind) and not pa.types.is_boolean(kind)
    if not (is_time or is_text(kind) or is_numeric):
        raise DataError(
            f"Column {feature!r} holds {kind}, and periods are of timestamps, dates, texts such as "
            "2026-01-31 12:00:00, or seconds since 1970."
        )


def check_zones(group: Group, known: Iterable[Group]) -> None:
    """Refuse slices by periods of texts with zones beside slices by those of texts without.

    A batch has texts of one kind, so that a column has, where no two of its batches differ.

    Args:
        group: The features of slices and the kinds of their values, and
        known: those of slices of other batches.

    Raises:
        DataError: A feature has both.
    """
    pairs = (
        each
        for features, kinds in known
        if features == group[0]
        for each in zip(features, kinds, group[1], strict=True)
    )
    for feature, *both in pairs:
        if {*both} == {PERIOD, ZONED_PERIOD}:
            raise DataError(
                f"Column {feature!r} holds texts of times with a zone and others without, in different "
                f"parts of the data. Write them as {_FORMS}."
            )


def periods(feature: str, column: pa.Array, every: str) -> pa.Array:
    """The period of each row: string[N], null where the time is missing.

    Args:
        feature: The name of the column.
        column: Timestamps, by the clock of their zone where they have one, so that an hour that a change of
            the clock repeats is one period; dates; texts of ISO 8601, in UTC where they have zones, which
            all of a column have or none (`check_zones`); or numbers of the years from 1971 to 2199: seconds
            since 1970, from 1e11 on milliseconds, from 1e14 microseconds, from 1e17 nanoseconds.
        every: One of `PERIODS`; a week begins on Monday and is named as in ISO 8601.

    Raises:
        DataError: The column holds no times.

    >>> periods("t", pa.array(["2026-01-31 12:30:00", None]), "week").to_pylist()
    ['2026-W05', None]
    """
    return with_kind(feature, column, every)[0]


def with_kind(feature: str, column: pa.Array, every: str) -> tuple[pa.Array, str]:
    """What `periods` gives, and its kind: `ZONED_PERIOD` of texts with zones, else `PERIOD`."""
    check_times(feature, column.type)
    column = undictionary(column)
    times = _times(feature, column)
    encoded = pc.floor_temporal(_local(feature, times), unit=every).dictionary_encode()
    is_zoned = is_text(column.type) and times.type.tz is not None
    labels = pc.strftime(encoded.dictionary, PERIODS[every]).take(encoded.indices)
    return labels, ZONED_PERIOD if is_zoned else PERIOD


def _times(feature: str, column: pa.Array) -> pa.Array:
    """As timestamps, without fractions of a second."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("s", kind.tz), safe=False)
    if pa.types.is_date(kind) or pa.types.is_null(kind):
        return column.cast(pa.timestamp("s"), safe=False)
    return _of_texts(feature, column) if is_text(kind) else _of_numbers(feature, column)


def _local(feature: str, times: pa.Array) -> pa.Array:
    """What the clock of their zone shows, without a zone: a period may begin where that is no instant or two.

    Arrow looks zones up by name, and so knows none such as +05:30.
    """
    if offset := _OFFSET.fullmatch(times.type.tz or ""):
        sign, hours, minutes = offset.groups()
        seconds = int(f"{sign}1") * (int(hours) * 3600 + int(minutes) * 60)
        return pc.add(times.cast(pa.timestamp("s")), pa.scalar(seconds, pa.duration("s")))
    try:
        return pc.local_timestamp(times)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"Column {feature!r} holds times in the zone {times.type.tz!r}, which is unknown here. Cast the "
            "column to UTC, or to a zone such as Europe/Berlin or +02:00."
        ) from error


def are_times(texts: pa.Array) -> bool:
    """Whether texts, of many the first thousand, are times of ISO 8601, with a zone or without: string[n].

    >>> are_times(pa.array(["2026-01-31 12:00:00"])), are_times(pa.array(["2026-01-31", "blue"]))
    (True, False)
    >>> are_times(pa.array(["2026-01-31 12:00:00.123456789"])), are_times(pa.array([], pa.string()))
    (True, False)
    """
    if not len(texts):
        return False
    try:
        _of_texts("", texts.slice(0, _MOST_TIMES))
    except DataError:
        return False
    return True


def _of_texts(feature: str, column: pa.Array) -> pa.Array:
    distinct = column.cast(pa.string()).dictionary_encode()
    texts = pc.replace_substring_regex(distinct.dictionary, r"(\.\d{6})\d+", r"\1")  # nanoseconds
    has_zones = pc.any(pc.match_substring_regex(texts, _ZONE.pattern)).as_py()
    try:
        times = texts.cast(pa.timestamp("us", "UTC" if has_zones else None))
    except pa.ArrowException as error:
        raise DataError(
            f"Column {feature!r} holds texts that are no times: {error}. Write them as {_FORMS}."
        ) from error
    seconds: pa.Array = times.cast(pa.timestamp("s", times.type.tz), safe=False)
    return seconds.take(distinct.indices)


def _of_numbers(feature: str, column: pa.Array) -> pa.Array:
    numbers = floats_of(column).to_numpy(zero_copy_only=False)
    size = np.abs(numbers)
    scale = np.select([size >= least for least, _ in _SCALES], [each for _, each in _SCALES], 1.0)
    is_missing, seconds = np.isnan(numbers), np.floor(numbers / scale)
    is_other = ~is_missing & ~((seconds >= _FIRST) & (seconds < _END))
    if is_other.any():
        raise DataError(
            f"Column {feature!r} holds {numbers[is_other][0]:.17g}, which as seconds since 1970 is outside "
            "1971 to 2200. Give timestamps, or texts such as 2026-01-31 in place of yyyymmdd."
        )
    whole = np.where(is_missing, 0.0, seconds).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=is_missing).cast(pa.timestamp("s"))
