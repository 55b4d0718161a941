# SPDX-License-Identifier: Apache-2.0
"""Takes the values of Arrow columns out of lists, and turns them into the text of slice keys."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

WHOLE_FLOATS = 2.0**53
"""Up to here every whole number is a float, and a float that is one is written as the integer."""

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_TEXTS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_string_view,
    pa.types.is_binary_view,
)
_NUMBERS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_decimal,
    pa.types.is_null,
)


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is lists, of whatever kind."""
    return any(matches(kind) for matches in _LISTS)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is strings or bytes."""
    return any(matches(kind) for matches in _TEXTS)


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type is numbers or truth values."""
    return any(matches(kind) for matches in _NUMBERS)


def innermost(kind: pa.DataType) -> pa.DataType:
    """The type of the values themselves, inside of lists and dictionaries.

    >>> innermost(pa.list_(pa.dictionary(pa.int8(), pa.string())))
    DataType(string)
    """
    while pa.types.is_dictionary(kind) or is_list(kind):
        kind = kind.value_type
    return kind


def is_measured(kind: pa.DataType) -> bool:
    """Whether the values are numbers of which bins can be made: no booleans."""
    kind = innermost(kind)
    return is_number(kind) and not pa.types.is_boolean(kind)


def unlisted(column: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """The values of all lists one after the other, and the length of each: int64[N], 0 for null.

    >>> values, lengths = unlisted(pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)))
    >>> values.to_pylist(), lengths.tolist()
    ([1, 2, 3, 4], [2, 0, 2])
    """
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    return pc.list_flatten(column), lengths.astype(np.int64)


def single_values(column: pa.Array) -> pa.Array | None:
    """The value of each row without an encoding, of a list the one that it has, null where it has none.

    None if a list has several.

    >>> single_values(pa.array([[1], None, [], [4]])).to_pylist()
    [1, None, None, 4]
    >>> single_values(pa.array(["a", None]).dictionary_encode()).to_pylist()
    ['a', None]
    """
    column = undictionary(column)
    if not is_list(column.type):
        return column
    values, lengths = unlisted(column)
    if lengths.max(initial=0) > 1:
        return None
    rows = pa.array(np.maximum(np.cumsum(lengths) - 1, 0), mask=lengths == 0)
    return undictionary(values.take(rows))


def is_missing(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Where values, which are no lists, are null or NaN: bool[N].

    >>> is_missing(pa.array([1.0, None, float("nan")]).dictionary_encode())
    array([False,  True,  True])
    """
    if not pa.types.is_dictionary(column.type):
        return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False))
    of_entries = np.append(is_missing(column.dictionary), True)
    at = pc.fill_null(column.indices.cast(pa.int64()), len(of_entries) - 1)
    return np.asarray(of_entries[at.to_numpy(zero_copy_only=False)])


def without(column: pa.Array, rows: npt.NDArray[np.bool_]) -> pa.Array:
    """The column, null in some rows.

    >>> without(pa.array([[1], [2]]), np.array([True, False])).to_pylist()
    [None, [2]]
    """
    column = undictionary(column)
    return pc.if_else(pa.array(rows), pa.scalar(None, column.type), column)


def lacks_value(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Where values are null or NaN, or lists that hold nothing else, at any depth: bool[N].

    >>> lacks_value(pa.array([[1.0], None, [], [2.0, None], [None, float("nan")]]))
    array([False,  True, False, False,  True])
    """
    column = undictionary(column)
    if not is_list(column.type):
        return is_missing(column)
    values, lengths = unlisted(column)
    rows = np.repeat(np.arange(len(column)), lengths)
    held = np.bincount(rows, ~lacks_value(values), len(column))
    return np.asarray(is_missing(column) | ((lengths > 0) & (held == 0)))


def undictionary(column: pa.Array) -> pa.Array:
    """The column without an encoding: the values themselves, null where the dictionary holds null.

    Views, which Arrow has few functions for, are plain text or bytes.

    >>> undictionary(pa.array(["a", None], pa.string_view())).type
    DataType(string)
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        entries = column.dictionary
        if _viewless(entries.type) == entries.type:
            return column.dictionary_decode()
        return undictionary(entries).take(column.indices)
    if pa.types.is_run_end_encoded(kind):
        return undictionary(column.values).take(_runs(column))
    viewless = _viewless(kind)
    return column if viewless == kind else column.cast(viewless)


def _runs(column: pa.Array) -> pa.Array:
    """The number of the run that each row of a run-end encoded column is in: [N]."""
    numbers = pa.array(range(len(column.values)), pa.int64())
    whole = pa.RunEndEncodedArray.from_arrays(column.run_ends, numbers)
    return pc.run_end_decode(whole.slice(column.offset, len(column)))


def _viewless(kind: pa.DataType) -> pa.DataType:
    """The type with strings and bytes in the stead of their views, in lists and structs too."""
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_viewless(field.type)) for field in kind])
    if not is_list(kind):
        return kind
    field = kind.value_field.with_type(_viewless(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(field, kind.list_size)
    return pa.large_list(field) if pa.types.is_large_list(kind) else pa.list_(field)


def floats_of(values: Any, kind: pa.DataType | None = None) -> Any:
    """Numbers and truth values, an array or a scalar, as the floats nearest to them: float64 or `kind`.

    >>> floats_of(pa.array([Decimal("0.70"), None])).to_pylist()
    [0.7, None]
    """
    if pa.types.is_boolean(values.type):
        values = pc.cast(values, pa.int8())
    elif pa.types.is_decimal(values.type):
        # Text is read as the nearest float; the cast of a number multiplies by a rounded power of ten.
        values = pc.cast(values, pa.string())
    return pc.cast(values, kind or pa.float64(), safe=False)


def kind_of(kind: pa.DataType) -> str:
    """How the values of an Arrow type are compared: "string", "int", "float", "bool", or the type's name.

    >>> kind_of(pa.list_(pa.uint8())), kind_of(pa.dictionary(pa.int8(), pa.large_string()))
    ('int', 'string')
    """
    kind = innermost(kind)
    if is_text(kind) or pa.types.is_null(kind):
        return "string"
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_floating(kind):
        return "float"
    return "bool" if pa.types.is_boolean(kind) else str(kind).partition("(")[0]


def text_of(values: pa.Array) -> pa.Array:
    """The values as text: string[N]; NaN is null.

    Integers are decimal; floats are the shortest text that reads back as them, without `.0` and without
    `-0`; times end in no zeros of a fraction.

    Raises:
        pyarrow.ArrowNotImplementedError: Values of the type have no text, as those of structs.
        pyarrow.ArrowInvalid: Bytes are not UTF-8.

    >>> text_of(pa.array([5.0, -0.0, 0.1, float("nan"), 1e15])).to_pylist()
    ['5', '0', '0.1', None, '1000000000000000']
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return text_of(values.dictionary).take(values.indices)
    if pa.types.is_floating(kind):
        return _text_of_floats(values)
    if pa.types.is_decimal(kind):
        texts = [None if x is None else _text_of_decimal(x) for x in values.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_fixed_size_binary(kind):
        values = values.cast(pa.binary())
    text = values.cast(pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        text = pc.replace_substring_regex(text, r"\.(\d*?)0+([^\d.].*)?$", r".\1\2")
        return pc.replace_substring_regex(text, r"\.([^\d].*)?$", r"\1")
    return text


def _text_of_floats(values: pa.Array) -> pa.Array:
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    numbers = values.to_numpy(zero_copy_only=False)
    text = values.cast(pa.string())
    size = np.abs(numbers) if pa.types.is_float64(values.type) else np.zeros(len(numbers))
    # Arrow writes 1e15 as 1e+15.
    long = np.flatnonzero((size >= 1e15) & (size < WHOLE_FLOATS) & (size == np.floor(size)))
    undefined = np.isnan(numbers)
    if len(long):
        written: Any = np.array(text.to_pylist(), object)
        written[long] = [str(int(number)) for number in numbers[long]]
        text = pa.array(written, pa.string(), mask=undefined)
    elif undefined.any():
        text = pc.if_else(pa.array(~undefined), text, pa.nulls(len(text), pa.string()))
    return pc.replace_substring_regex(text, "^-0$", "0")


def _text_of_decimal(number: Decimal) -> str:
    """Without the zeros that only say how many digits the column keeps.

    >>> _text_of_decimal(Decimal("1.50")), _text_of_decimal(Decimal("100")), _text_of_decimal(Decimal("-0.0"))
    ('1.5', '100', '0')
    """
    text = f"{number:f}"
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short == "-0" else short
