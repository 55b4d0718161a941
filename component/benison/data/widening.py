# SPDX-License-Identifier: Apache-2.0
"""One type for the columns of one name in all files, and the conversion into it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from benison.data.values import floats_of, is_list, is_number, is_text, text_of, unlisted
from benison.errors import DataError

_UNITS = ("s", "ms", "us", "ns")
_INT64_DIGITS = 19
_UINT64_DIGITS = 20
MOST_DIGITS = 76
"""Of Arrow's decimal256."""


class MisfitError(DataError):
    """A value is not of the type that the rows read before gave its column.

    A reader of all rows finds the type that fits; `column` is what it has to look at.
    """

    def __init__(self, text: str, column: str) -> None:
        self.column = column
        super().__init__(text)


def unify(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The narrowest type for the values of both: null < bool < integer < float < text.

    None where there is none: a list and a number, a struct and a text.

    >>> unify(pa.int8(), pa.float32()), unify(pa.null(), pa.bool_()), unify(pa.int64(), pa.string())
    (DataType(double), DataType(bool), DataType(string))
    >>> unify(pa.list_(pa.null()), pa.large_list(pa.string()))
    LargeListType(large_list<item: string>)
    """
    a, b = (t.value_type if pa.types.is_dictionary(t) else t for t in (a, b))
    if a == b or pa.types.is_null(a) or pa.types.is_null(b):
        return b if pa.types.is_null(a) else a
    for is_kind, unify_kind in _KINDS:
        if is_kind(a) and is_kind(b):
            return unify_kind(a, b)
    other = b if is_text(a) else a
    with_text = is_text(a) or is_text(b)
    return pa.string() if with_text and (is_number(other) or pa.types.is_temporal(other)) else None


def _unify_lists(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    inner = unify(a.value_type, b.value_type)
    return None if inner is None else pa.large_list(inner)


def _unify_texts(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    large = any(pa.types.is_large_string(t) or pa.types.is_large_binary(t) for t in (a, b))
    strings = [t for t in (a, b) if "string" in str(t)]
    if strings:
        return pa.large_string() if large else pa.string()
    return pa.large_binary() if large else pa.binary()


def _unify_numbers(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    if pa.types.is_boolean(a) or pa.types.is_boolean(b):
        return b if pa.types.is_boolean(a) else a
    if pa.types.is_floating(a) and pa.types.is_floating(b):
        return a if a.bit_width > b.bit_width else b
    if pa.types.is_floating(a) or pa.types.is_floating(b):
        return pa.float64()
    if pa.types.is_decimal(a) or pa.types.is_decimal(b) or {a, b} > {pa.uint64()}:
        return _unify_decimals(a, b)
    return pa.int64()


def _unify_decimals(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Also of uint64 and int64, of which neither holds the other."""
    scales = [t.scale if pa.types.is_decimal(t) else 0 for t in (a, b)]
    whole = [_digits(t) - scale for t, scale in zip((a, b), scales, strict=True)]
    digits = max(whole) + max(scales)
    if digits > MOST_DIGITS:
        return pa.float64()
    return (
        pa.decimal128(digits, max(scales)) if digits <= 38 else pa.decimal256(digits, max(scales))
    )


def _digits(kind: pa.DataType) -> int:
    if pa.types.is_decimal(kind):
        return int(kind.precision)
    return _UINT64_DIGITS if kind == pa.uint64() else _INT64_DIGITS


def _is_local(kind: pa.DataType) -> bool:
    """Whether a type is of days and times of no time zone."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind) and kind.tz is None)


def _unify_local(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    if pa.types.is_date(a) and pa.types.is_date(b):
        return pa.date32()
    return pa.timestamp(_finest(a, b))


def _is_zoned(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _unify_zoned(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    return pa.timestamp(_finest(a, b), a.tz if a.tz == b.tz else "UTC")


def _unify_hours(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    return pa.time64("ns" if "ns" in (a.unit, b.unit) else "us")


def _unify_durations(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    return pa.duration(_finest(a, b))


def _finest(*kinds: pa.DataType) -> str:
    units = ["s" if pa.types.is_date(kind) else str(kind.unit) for kind in kinds]
    return max(units, key=_UNITS.index)


_KINDS: tuple[
    tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, pa.DataType], pa.DataType | None]],
    ...,
] = (
    (is_list, _unify_lists),
    (is_text, _unify_texts),
    (is_number, _unify_numbers),
    (_is_local, _unify_local),
    (_is_zoned, _unify_zoned),
    (pa.types.is_time, _unify_hours),
    (pa.types.is_duration, _unify_durations),
)


def convert(column: pa.Array, target: pa.DataType, safe: bool = True) -> pa.Array:
    """The column as `target`, which `unify` gave for its type; a dictionary stays one.

    Lists that are null become empty ones.

    Args:
        column: Of any length.
        target: The type.
        safe: Whether each value must be what it was; else integers are rounded to floats.

    Raises:
        pyarrow.ArrowException: A value does not fit, such as 2^53 + 1 among fractions.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        values = convert(column.dictionary, target, safe)
        return pa.DictionaryArray.from_arrays(column.indices, values)
    if kind == target:
        return column
    if is_list(kind) and is_list(target):
        values, lengths = unlisted(column)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        lists = pa.LargeListArray if pa.types.is_large_list(target) else pa.ListArray
        index = pa.int64() if lists is pa.LargeListArray else pa.int32()
        converted = convert(values, target.value_type, safe)
        return lists.from_arrays(pa.array(offsets, index), converted)
    if pa.types.is_string(target) and not is_text(kind):
        return text_of(column)
    if pa.types.is_floating(target) and not (safe and pa.types.is_integer(kind)):
        return floats_of(column, target)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    return column.cast(target, safe=safe)
