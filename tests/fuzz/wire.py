# SPDX-License-Identifier: Apache-2.0
"""TFRecord files and tf.Examples byte by byte, by their specifications and not by our own writer."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import google_crc32c


def framed(record: bytes) -> bytes:
    """A record with its length and both checksums."""
    length = struct.pack("<Q", len(record))
    return length + _masked(length) + record + _masked(record)


def unframed(data: bytes) -> list[bytes]:
    """The records of a file; raises struct.error or ValueError where a frame is wrong."""
    records, location = [], 0
    while location < len(data):
        head = data[location : location + 8]
        (size,) = struct.unpack("<Q", head)
        record = data[location + 12 : location + 12 + size]
        end = location + 12 + size
        if data[location + 8 : location + 12] != _masked(head) or data[end : end + 4] != _masked(
            record
        ):
            raise ValueError("a checksum is wrong")
        records.append(record)
        location = end + 4
    return records


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def example(row: Mapping[str, Any]) -> bytes:
    """A row as a tf.Example: a feature for each value that is not None."""
    features = b""
    for name, value in row.items():
        if value is not None:
            entry = _field(1, name.encode()) + _field(2, _feature(value))
            features += _field(1, entry)
    return _field(1, features)


def _feature(value: Any) -> bytes:
    values = value if isinstance(value, list) else [value]
    if all(isinstance(v, str) for v in values) and values:
        return _field(1, b"".join(_field(1, v.encode()) for v in values))
    if any(isinstance(v, float) for v in values):
        packed = b"".join(struct.pack("<f", min(max(v, -3e38), 3e38)) for v in values)
        return _field(2, _field(1, packed))
    return _field(3, _field(1, b"".join(map(_varint, values))))


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
