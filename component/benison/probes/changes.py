# SPDX-License-Identifier: Apache-2.0
"""Changes of columns: other numbers, missing values, the values of other rows, values that nobody expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Index, Mask
from benison.data.values import (
    floats_of,
    innermost,
    is_list,
    is_number,
    is_text,
    text_of,
    undictionary,
    unlisted,
)
from benison.errors import ModelError
from benison.probes.deviations import spread_of as spread_of_numbers

MISSING = "missing"
_LONG = 10_000
_FLOATS = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "1e30": 1e30, "-1e30": -1e30, "0": 0.0}
_TEXTS = {
    "empty text": "",
    "blanks": "  ",
    "a long text": "x" * _LONG,
    "an unseen text": "never seen before",
    "odd characters": "\u202e\u0000é\U0001f600",
}


def is_changeable(kind: pa.DataType) -> bool:
    """Whether a column holds numbers, text or booleans, singly or in lists, and not in lists of lists.

    >>> is_changeable(pa.list_(pa.int64())), is_changeable(pa.list_(pa.list_(pa.int64())))
    (True, False)
    """
    values = kind.value_type if is_list(kind) else kind
    plain = innermost(values)
    return not is_list(values) and (is_number(plain) or is_text(plain))


def is_same(column: pa.Array, other: pa.Array) -> bool:
    """Whether a change left every value as it was; NaN is NaN, and missing."""
    column, other = undictionary(column), undictionary(other)
    if is_list(column.type):
        (values, lengths), (others, their_lengths) = unlisted(column), unlisted(other)
        return np.array_equal(lengths, their_lengths) and is_same(values, others)
    if pa.types.is_floating(column.type):
        return np.array_equal(numbers(column), numbers(other), equal_nan=True)
    return bool(column.equals(other))


def check_changes(pairs: Iterable[tuple[pa.Array, pa.Array]]) -> None:
    """Refuse columns that are as they were before, as predictions on them say nothing of the model.

    Raises:
        ModelError: None is another one, or there is none.
    """
    if all(is_same(column, other) for column, other in pairs):
        raise ModelError(
            "no row gets another value: there is no such feature, all rows have the same value, or the "
            "change is too small for whole numbers or too large for the type"
        )


def changed_rows(column: pa.Array, other: pa.Array) -> Mask:
    """The rows with another number than before, of lists any of them: bool[N].

    Lists are as long in both; what is missing in one is another number.
    """
    kind = undictionary(column).type
    if is_list(kind):
        (values, lengths), (others, _) = unlisted(undictionary(column)), unlisted(other)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        return np.bincount(rows[changed_rows(values, others)], minlength=len(lengths)) > 0
    if pa.types.is_integer(kind):  # the largest of 64 bits are no floats
        differs = pc.not_equal(undictionary(column), undictionary(other))
        return np.asarray(differs.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)
    before, after = numbers(column), numbers(other)
    return np.asarray((before != after) & ~(np.isnan(before) & np.isnan(after)))


def settled(values: pa.Array) -> pa.Array:
    """Values as they are compared: NaN is missing, and there is one zero; halves are float32.

    >>> settled(pa.array([0.0, -0.0, float("nan"), None])).to_pylist()
    [0.0, 0.0, None, None]
    """
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    if not pa.types.is_floating(values.type):
        return values
    zeroed = pc.add(values, pa.scalar(0.0, values.type))
    return pc.if_else(pc.is_nan(zeroed), pa.scalar(None, values.type), zeroed)


def names_of(values: pa.Array) -> list[str]:
    """What values are called, as slices of them are; the text that a missing value is called is quoted.

    >>> names_of(pa.array(["missing", None, "3.10"]))
    ["'missing'", 'missing', '3.10']
    """
    try:
        texts = text_of(values).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [None if each is None else str(each) for each in values.to_pylist()]
    quoted = (repr(text) if text == MISSING else text for text in texts)
    return [MISSING if text is None else text for text in quoted]


def rolled(column: pa.Array, by: int = 1) -> pa.Array:
    """Each row with the value of the row `by` before it; rows in the order of hashes are in no order."""
    return undictionary(column).take(pa.array(np.roll(np.arange(len(column)), by)))


def emptied(column: pa.Array) -> pa.Array:
    """No row with a value."""
    return pa.nulls(len(column), undictionary(column).type)


def filled(column: pa.Array, value: Any) -> pa.Array:
    """Each row with one value, which the type of the column must be able to hold."""
    if value is None:
        return emptied(column)
    kind = undictionary(column).type
    single = _single(value, innermost(kind))
    repeated = single.take(pa.array(np.zeros(len(column), np.int64)))
    if not is_list(kind):
        return repeated
    length = kind.list_size if pa.types.is_fixed_size_list(kind) else 1
    lengths = np.full(len(column), length, np.int64)
    return _listed(
        repeated.take(pa.array(np.repeat(np.arange(len(column)), lengths))), lengths, kind
    )


def _single(value: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind) and isinstance(value, float):
        return pa.array([value]).cast(kind, safe=False)
    if pa.types.is_float16(kind) and value is not None:
        value = np.float16(value)
    if pa.types.is_integer(kind) and value is not None:
        limits = np.iinfo(kind.to_pandas_dtype())  # a float is above the largest of 64 bits
        value = min(max(value, int(limits.min)), int(limits.max))
    return pa.array([value], kind, from_pandas=False)


def numbers(column: pa.Array) -> Array:
    """The numbers of a column, NaN where there is none: float64[N], of lists all values one after another."""
    flat = undictionary(column)
    values = unlisted(flat)[0] if is_list(flat.type) else flat
    return np.asarray(floats_of(values).to_numpy(zero_copy_only=False), np.float64)


def with_numbers(column: pa.Array, change: Callable[[Array], Array]) -> pa.Array:
    """The column with changed numbers, those of whole-numbered columns rounded; what is missing stays so."""
    flat = undictionary(column)
    with np.errstate(over="ignore", invalid="ignore"):
        changed = change(numbers(flat))
    if not is_list(flat.type):
        return _as(changed, flat)
    values, lengths = unlisted(flat)
    return _listed(_as(changed, values), lengths, flat.type)


def raised(column: pa.Array, by: float) -> pa.Array:
    """The column with every number higher by so much, by whole ones those of whole-numbered columns.

    What has no room for that in its type stays as it is, and so does what is missing.
    """
    flat = undictionary(column)
    if is_list(flat.type):
        values, lengths = unlisted(flat)
        return _listed(raised(values, by), lengths, flat.type)
    if pa.types.is_integer(flat.type):
        return _raised_whole(flat, by)
    top = _top(flat.type)

    def higher(known: Array) -> Array:
        after = known + by
        return np.where(np.abs(after) < top, after, known)

    return with_numbers(flat, higher)


def _raised_whole(values: pa.Array, by: float) -> pa.Array:
    """Exactly, as the largest of 64 bits are no floats."""
    top = int(np.iinfo(values.type.to_pandas_dtype()).max)
    if not by <= top:
        return values
    step = round(by)
    has_room = pc.less_equal(values, pa.scalar(top - step, values.type))
    higher = pc.add(values, pa.scalar(step, values.type))
    return pc.if_else(has_room, higher, values)


def _top(kind: pa.DataType) -> float:
    """Beyond what no number of a type is; of decimals that with all digits before the point."""
    if pa.types.is_floating(kind):
        return float(np.finfo(kind.to_pandas_dtype()).max)
    return 10.0 ** (kind.precision - kind.scale) if pa.types.is_decimal(kind) else math.inf


def _listed(values: pa.Array, lengths: Index, kind: pa.DataType) -> pa.Array:
    """Values in lists of so many; one that was missing is empty, which is missing too.

    Of a fixed size it is null.
    """
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if pa.types.is_fixed_size_list(kind):
        missing = pa.array(lengths == 0)
        return pa.LargeListArray.from_arrays(
            pa.array(offsets, pa.int64()), values, mask=missing
        ).cast(kind)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values).cast(kind)


def _as(changed: Array, values: pa.Array) -> pa.Array:
    kind = values.type
    missing = np.asarray(pc.is_null(values).to_numpy(zero_copy_only=False))
    if missing.all():  # of the type null too, to which no number is cast
        return values
    if pa.types.is_integer(kind):
        limits = np.iinfo(kind.to_pandas_dtype())
        whole = np.clip(np.rint(np.where(missing, 0.0, changed)), limits.min, limits.max)
        # The largest of 64 bits is no float.
        fitted = np.minimum(
            whole, np.nextafter(float(limits.max), 0) if limits.bits > 32 else whole
        )
        return pa.array(fitted.astype(kind.to_pandas_dtype()), kind, mask=missing)
    if pa.types.is_decimal(kind):
        top = np.nextafter(_top(kind), 0)
        changed = np.clip(changed, -top, top)
    return pa.array(np.where(missing, 0.0, changed), pa.float64(), mask=missing).cast(
        kind, safe=False
    )


def spread_of(column: pa.Array) -> float:
    """The standard deviation of the finite numbers but for outliers; 0 where there is none."""
    return spread_of_numbers(numbers(column))


def hostile_values(kind: pa.DataType) -> dict[str, Any]:
    """Values of a type that a model may not expect, by what they are called; None is a missing one."""
    kind = innermost(kind)
    if pa.types.is_fixed_size_binary(kind):
        width = kind.byte_width
        return {"missing": None, "zeros": bytes(width), "an unseen text": b"~" * width}
    if is_text(kind):
        as_is = not pa.types.is_unicode(kind)
        return {"missing": None, **{n: t.encode() if as_is else t for n, t in _TEXTS.items()}}
    if pa.types.is_floating(kind):
        top = float(np.finfo(kind.to_pandas_dtype()).max)
        return {name: x for name, x in _FLOATS.items() if not np.isfinite(x) or abs(x) <= top}
    if pa.types.is_integer(kind):
        limits = np.iinfo(kind.to_pandas_dtype())
        return {"missing": None, "0": 0, "the largest": limits.max, "the least": limits.min}
    if pa.types.is_decimal(kind):
        largest = Decimal((0, (9,) * kind.precision, -kind.scale))
        return {
            "missing": None,
            "0": Decimal(0),
            "the largest": largest,
            "the least": largest.copy_negate(),  # and not -largest, which is rounded to 28 digits
        }
    return {"missing": None}
