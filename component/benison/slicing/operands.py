# SPDX-License-Identifier: Apache-2.0
"""What conditions compare and calculate with: columns and literals in few types, held against each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import (
    WHOLE_FLOATS,
    floats_of,
    is_number,
    is_text,
    single_values,
)
from benison.data.widening import MOST_DIGITS, unify
from benison.errors import ConfigError

Operand: TypeAlias = "pa.Array | pa.Scalar"

DIGITS = 38  # of a decimal128
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")


def kind_of_operand(value: Operand) -> str:
    """What a value is held against: "null", "truth", "number", "text" or "time"."""
    kind = value.type
    if pa.types.is_null(kind):
        return "null"
    if pa.types.is_boolean(kind):
        return "truth"
    if is_number(kind):
        return "number"
    return "text" if is_text(kind) else "time"


def nulls_like(like: Operand, kind: pa.DataType) -> Operand:
    """Nulls of a type, as many as there are values."""
    return pa.nulls(len(like), kind) if isinstance(like, pa.Array) else pa.scalar(None, kind)


def _beside(value: Operand, other: Operand) -> Operand:
    """A number as a column has it that it is held against: 0.7 of a condition, or of decimals, is its 0.7."""
    is_narrow = pa.types.is_float32(other.type) and isinstance(other, pa.Array)
    if is_narrow and _has_places(value.type):
        return floats_of(value, pa.float32())
    if not isinstance(value, pa.Scalar) or not is_number(other.type):
        return value
    if is_narrow:
        return floats_of(value, pa.float32())
    is_exact = pa.types.is_decimal(other.type) or _is_rounded(other)
    return floats_of(value) if _has_places(value.type) and not is_exact else value


def _has_places(kind: pa.DataType) -> bool:
    """Whether a type is of exact numbers that need not be whole."""
    return bool(pa.types.is_decimal(kind)) and kind.scale > 0


def _alike(a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """Two values in one type, where one of them is decimals, of which Arrow compares those of one type."""
    kind = unify(a.type, b.type)
    if kind is None or not any(pa.types.is_decimal(value.type) for value in (a, b)):
        return a, b
    if pa.types.is_floating(kind):  # no decimal has so many digits
        return floats_of(a), floats_of(b)
    return pc.cast(a, kind), pc.cast(b, kind)


def compared(compare: Callable[..., Operand], a: Operand, b: Operand) -> Operand:
    """Compare two values exactly, and not whole numbers as the floats nearest to them.

    Decimals with places beside floats are, as in SQL, the floats nearest to them, of the
    type that these have: 0.70 is the float 0.7.
    """
    a, b = _beside(a, b), _beside(b, a)
    if pa.types.is_floating(a.type) == pa.types.is_floating(b.type):
        return compare(*_alike(a, b))
    floats = [floats_of(value) for value in (a, b)]
    if not any(map(_is_rounded, (a, b))):
        return compare(*floats)
    # Rounding keeps the order of numbers but for those that it makes equal.
    equal = pc.equal(*floats)
    exact = compare(*_alike(*(_as_decimal(value, equal) for value in (a, b))))
    return pc.if_else(equal, exact, compare(*floats))


def _is_rounded(value: Operand) -> bool:
    """Whether there may be whole numbers that are no floats."""
    if pa.types.is_floating(value.type) or _has_places(value.type):
        return False
    ends = pc.min_max(
        value if isinstance(value, pa.Array) else pa.array([value.as_py()], value.type)
    )
    return any(abs(end.as_py() or 0) > WHOLE_FLOATS for end in ends.values())


def _as_decimal(value: Operand, where: Operand) -> Operand:
    """Whole numbers, and floats `where` they are whole, without rounding."""
    if pa.types.is_floating(value.type):
        value = pc.if_else(where, floats_of(value), 0.0)
    if pa.types.is_decimal(value.type):
        return value
    return pc.cast(value, pa.decimal256(MOST_DIGITS, 0))


def as_time(name: str, value: Operand, other: str, kind: pa.DataType) -> Operand:
    """The text `name` as a time; without a zone it is of UTC where the times of `other` have one.

    Raises:
        ConfigError: It is no time of this form, or `kind` is none of dates, times and timestamps.
    """
    if pa.types.is_timestamp(kind):
        form = "'2024-01-31' or '2024-01-31 12:00:00'"
    elif pa.types.is_date(kind) or pa.types.is_time(kind):
        form = "'2024-01-31'" if pa.types.is_date(kind) else "'12:00:00'"
    else:
        raise ConfigError(
            f"{other} holds {kind}, which is not compared with the text {name}; a text is compared with "
            "dates, times and timestamps. Store it as a number, such as of seconds."
        )
    try:
        return _parsed(value, kind)
    except pa.ArrowException as error:
        text = name if isinstance(value, pa.Scalar) else f"The text of {name}"
        raise ConfigError(
            f"{text} is not a time of the form of {kind}; write it as {form}."
        ) from error


def _parsed(value: Operand, kind: pa.DataType) -> Operand:
    if pa.types.is_time(kind):  # which Arrow reads as a part of a timestamp alone
        value = pc.binary_join_element_wise("1970-01-01", value, " ")
    is_utc = pa.types.is_timestamp(kind) and kind.tz and not _has_zones(value)
    if is_utc or pa.types.is_time(kind):
        value = pc.cast(value, pa.timestamp(kind.unit))
    return pc.cast(value, kind)


def _has_zones(value: Operand) -> bool:
    """Whether a text has a zone; of a column, any."""
    if isinstance(value, pa.Scalar):
        return _ZONE.search(value.as_py()) is not None
    return bool(pc.any(pc.match_substring_regex(value, _ZONE.pattern)).as_py())


def without_nan(value: Operand) -> Operand:
    """Floats with null in place of NaN."""
    return pc.if_else(pc.is_nan(value), pa.scalar(None, value.type), value)


def as_operand(name: str, column: pa.Array) -> pa.Array:
    """A column with one value, or none, in a row, in one of few types.

    Raises:
        ConfigError: It has several values in a row, or values that are not compared.
    """
    column = single_values(column)
    if column is None:
        raise ConfigError(
            f"column {name!r} has several values in a row; a condition looks at one; "
            "use feature_keys or feature_values."
        )
    kind = column.type
    if pa.types.is_fixed_size_binary(kind):
        column = column.cast(pa.binary())
    if is_text(kind):
        return column.cast(pa.string())
    if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        return column
    if not is_number(kind):
        raise ConfigError(
            f"column {name!r} holds {kind}, which is no number, text, time or truth value."
        )
    return _as_number(column)


def _as_number(column: pa.Array) -> pa.Array:
    """A column of numbers as int64, float32, float64 or a decimal, which it is where int64 is too small."""
    kind = column.type
    if pa.types.is_decimal(kind):
        return column.cast(_plain_decimal(kind))
    if pa.types.is_uint64(kind):
        return column.cast(pa.decimal128(20, 0))
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    is_narrow = pa.types.is_float16(kind) or pa.types.is_float32(kind)
    return without_nan(column.cast(pa.float32() if is_narrow else pa.float64()))


def _plain_decimal(kind: pa.DataType) -> pa.DataType:
    """The decimals that are compared: of 128 or 256 bits, and with all digits before the point."""
    digits = kind.precision - min(kind.scale, 0)
    decimal = pa.decimal128 if digits <= DIGITS else pa.decimal256
    return decimal(digits, max(kind.scale, 0))
