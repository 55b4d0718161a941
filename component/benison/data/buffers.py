# SPDX-License-Identifier: Apache-2.0
"""The bytes of Arrow arrays, without what is not content: offsets into buffers, and values behind nulls."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import is_list, is_text, undictionary


def plain_buffers(array: pa.Array) -> Iterator[Any]:
    """Buffers that are equal for arrays of equal type and values, and differ for others.

    Floats are compared by their bits, dictionaries by their codes and entries.
    """
    array = _decoded(array)
    yield struct.pack("<qq", len(array), array.null_count) + str(array.type).encode()
    if array.null_count:
        yield from _fixed_width(array.is_valid().cast(pa.uint8()))
        array = array.drop_null()
    parts = _parts(array)
    if parts is None:
        yield from _values(array)
    for part in parts or ():
        yield from plain_buffers(part)


def _decoded(array: pa.Array) -> pa.Array:
    """The array in a type with the kernels that are used here."""
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    if pa.types.is_binary_view(array.type):
        return array.cast(pa.large_binary())
    return undictionary(array) if pa.types.is_run_end_encoded(array.type) else array


def _parts(array: pa.Array) -> list[pa.Array] | None:
    """The arrays of which an array without nulls consists; None if it has values of its own."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return [array.storage]
    if pa.types.is_dictionary(kind):
        return [array.indices, array.dictionary]
    if pa.types.is_struct(kind):
        return list(array.flatten())
    if is_list(kind):
        return [pc.list_value_length(array), pc.list_flatten(array)]
    return [array.cast(pa.uint8())] if pa.types.is_boolean(kind) else None


def _values(array: pa.Array) -> Iterator[Any]:
    kind = array.type
    if pa.types.is_primitive(kind) or pa.types.is_fixed_size_binary(kind):
        yield from _fixed_width(array)
    elif is_text(kind):
        yield from _text(array)
    elif not pa.types.is_null(kind):
        yield pa.RecordBatch.from_arrays([array], [""]).serialize()


def _fixed_width(array: pa.Array) -> Iterator[Any]:
    """The values of an array without nulls, whose type has one size."""
    width = array.type.bit_width // 8
    if len(array):
        values = memoryview(array.buffers()[1]).cast("B")
        yield values[array.offset * width : (array.offset + len(array)) * width]


def _text(array: pa.Array) -> Iterator[Any]:
    """The length of each value of an array without nulls, and then all of them."""
    yield from _fixed_width(pc.binary_length(array))
    _, ends, values = array.buffers()
    if len(array) and values is not None:
        large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
        offsets = memoryview(ends).cast("B").cast("q" if large else "i")
        start, end = offsets[array.offset], offsets[array.offset + len(array)]
        yield memoryview(values).cast("B")[start:end]
