# SPDX-License-Identifier: Apache-2.0
"""Finds the files that a model file names: ONNX keeps large weights in files beside the model's own.

Only the fields of ONNX's messages that lead to a tensor are walked, and none is unpacked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TypeAlias

from benison.errors import ModelError
from benison.paths import Location

Message: TypeAlias = "dict[int, Message]"

# onnx.proto: the numbers of the fields by which a message leads to a TensorProto.
_TENSOR: Message = {}
_SPARSE: Message = {1: _TENSOR, 2: _TENSOR}
_GRAPH: Message = {5: _TENSOR, 15: _SPARSE}
_ATTRIBUTE: Message = {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE}
_NODE: Message = {5: _ATTRIBUTE}
_GRAPH[1] = _NODE
_FUNCTION: Message = {7: _NODE, 11: _ATTRIBUTE}
_MODEL: Message = {7: _GRAPH, 20: {1: _GRAPH, 2: _GRAPH}, 25: _FUNCTION}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types

_PICKLES = (".pkl", ".pickle", ".joblib")
# Before version 0.10 joblib wrote each array of a pickle into a file of its own.
_OF_JOBLIB = r"_\d+\.npy(\.z)?"


def external_files(model: Location, folder: Location | None = None) -> list[str]:
    """The names of the files beside a model file from which it takes its weights, sorted.

    Args:
        model: The file.
        folder: Where the others are, if `model` is a copy.

    Raises:
        ModelError: It names a file outside of its folder, or cannot be read as ONNX.
        OSError: It cannot be read.
    """
    if model.suffix.lower() == ".onnx":
        return _of_onnx(model)
    if model.suffix.lower() not in _PICKLES:
        return []
    pattern = re.compile(re.escape(model.name) + _OF_JOBLIB)
    beside = (path.name for path in (folder or model.parent).iterdir())
    return sorted(name for name in beside if pattern.fullmatch(name))


def _of_onnx(model: Location) -> list[str]:
    content = model.read_bytes()
    if b"location" not in content:  # the key by which a tensor names a file
        return []
    try:
        locations = {_location(tensor) for tensor in _tensors(memoryview(content), _MODEL)}
    except (ValueError, IndexError) as error:
        raise ModelError(f"The ONNX model {model} cannot be read: it is damaged.") from error
    names = [name for name in locations if name is not None]
    for name in names:
        check_inside(name, f"The ONNX model {model}")
    return sorted({str(PurePosixPath(name)) for name in names})


def check_inside(name: str, title: str) -> None:
    """Refuse a file that a model names outside of its own folder, which no digest of the model covers.

    Raises:
        ModelError: `name` is absolute, or leads upwards.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ModelError(
            f"{title} names the file {name!r}, which is outside of its folder, so that a blessing would not "
            "cover its bytes. Save the model again with all its files in one folder."
        )


def _tensors(message: memoryview, kind: Message) -> Iterator[memoryview]:
    """The serialized tensors of a message, of its graphs, and of the graphs in these."""
    if kind is _TENSOR:
        yield message
        return
    for number, value in protobuf_fields(message):
        if number in kind and isinstance(value, memoryview):
            yield from _tensors(value, kind[number])


def _location(tensor: memoryview) -> str | None:
    """The file in which a tensor's values are; None if they are in the tensor."""
    fields = list(protobuf_fields(tensor))
    if (_DATA_LOCATION, 1) not in fields:
        return None
    entries = [dict(protobuf_fields(value)) for number, value in fields if number == _EXTERNAL_DATA]  # type: ignore[arg-type]
    texts = {bytes(entry[1]).decode(): bytes(entry[2]).decode() for entry in entries}
    return texts.get("location")


def protobuf_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The number and value of each field of a protobuf message.

    Raises:
        ValueError: It is not one.
        IndexError: It ends within a number.
    """
    position, end = 0, len(message)
    while position < end:
        tag, position = _number(message, position)
        value, after = _value(message, position, tag & 7)
        if after > end:
            raise ValueError("a field reaches beyond its message")
        yield tag >> 3, value
        position = after


def protobuf_numbers(value: int | memoryview) -> list[int]:
    """The signed integers of a field: one, or several that are packed."""
    numbers, position = [value] if isinstance(value, int) else [], 0
    while isinstance(value, memoryview) and position < len(value):
        number, position = _number(value, position)
        numbers.append(number)
    return [n - 2**64 if n >= 2**63 else n for n in numbers]


def _value(message: memoryview, position: int, wire_type: int) -> tuple[int | memoryview, int]:
    if wire_type == _VARINT:
        return _number(message, position)
    if wire_type == _BYTES:
        length, position = _number(message, position)
        return message[position : position + length], position + length
    if wire_type in (_FIXED64, _FIXED32):
        return 0, position + (8 if wire_type == _FIXED64 else 4)
    raise ValueError(f"there is no wire type {wire_type}")


def _number(message: memoryview, position: int) -> tuple[int, int]:
    """A varint, and the position after it."""
    number = shift = 0
    while True:
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
