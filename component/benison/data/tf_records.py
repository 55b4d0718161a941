# SPDX-License-Identifier: Apache-2.0
"""Reads the records of TFRecord files, a block of them at a time, and checks their checksums.

A record is its length (uint64), the masked CRC-32C of that, the bytes, and their masked CRC-32C. Only
the lengths are walked one by one; the rest is done for all records of a block at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from benison.errors import DataError, MissingExtraError
from benison.paths import locate

Crc: TypeAlias = Callable[[bytes], int]
Objects: TypeAlias = npt.NDArray[np.object_]
Offsets: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint32]

# Whoever looks at the first records needs no more of them.
_FIRST_BYTES, _BLOCK_BYTES = 2**20, 2**23
_GZIP_MAGIC = b"\x1f\x8b"
_MASK_DELTA = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h
_LENGTH = struct.Struct("<Q")
_HEADER, _FRAME = 12, 16  # bytes before the record's own, and all that are not its own
_LARGEST = 2**30  # half of what protobuf allows
_WRONG_LENGTH = "the checksum of its length is wrong"


def records(path: str, most: int) -> Iterator[Objects]:
    """The records of a TFRecord file, plain or gzip, as bytes[N], 1 to `most` at a time.

    Raises:
        DataError: A checksum is wrong, or the file ends within a record.
    """
    crc = _crc32c()
    number, rest = 0, b""
    with _open(path) as file:
        try:
            for block in _blocks(file):
                rest += block
                edges = _edges(rest)
                bodies = [rest[start + _HEADER : end - 4] for start, end in pairwise(edges)]
                fault = _first_fault(rest, np.array(edges, np.int64), bodies, crc)
                good = len(bodies) if fault is None else fault[0]
                for start in range(0, good, most):
                    yield np.array(bodies[start : min(start + most, good)], object)
                number += good
                if fault is not None:
                    raise ValueError(fault[1])
                rest = rest[edges[-1] :]
                _check_unfinished(rest, crc)
            if rest:
                within = "a record's length" if len(rest) < _HEADER else "the record"
                raise ValueError(f"the file ends within {within}")
        except (ValueError, OSError) as error:
            # What can no longer be unpacked takes whole records before it along.
            which = "" if isinstance(error, ValueError) else " or a later one"
            raise DataError(
                f"{path}: record {number:,}{which} is damaged ({error}). The file is truncated or "
                f"corrupt; write it again."
            ) from error


def framed(record: bytes) -> bytes:
    """The bytes that a record takes up in a file."""
    crc, length = _crc32c(), _LENGTH.pack(len(record))
    checks: bytes = _masked([crc(length), crc(record)]).astype("<u4").tobytes()
    return length + checks[:4] + record + checks[4:]


@contextmanager
def _open(path: str) -> Iterator[Any]:
    """The bytes of a file, unpacked."""
    with locate(path).open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not packed:
            yield file
            return
        with _gzip().open(file, "rb") as unpacked:
            yield unpacked


def _gzip() -> Any:
    """Python's gzip module in assembler: a quarter of the time, which is most of a file's."""
    try:
        from isal import igzip
    except ImportError as error:
        raise MissingExtraError("The reader of TFRecord files", "tfrecord") from error
    return igzip


def _crc32c() -> Crc:
    try:
        import google_crc32c
    except ImportError as error:
        raise MissingExtraError("The reader of TFRecord files", "tfrecord") from error
    function: Crc = google_crc32c.value
    return function


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file; those before a fault come before its exception."""
    pieces, size, most = [], 0, min(_FIRST_BYTES, _BLOCK_BYTES)
    fault: Exception | None = None
    while fault is None:
        try:
            piece = file.read1(most - size)  # type: ignore[attr-defined]
        except Exception as error:  # isal has one of its own beside those of files
            fault, piece = error, b""
        pieces.append(piece)
        size += len(piece)
        if size >= most or not piece:
            yield b"".join(pieces)
            pieces, size, most = [], 0, min(2 * most, _BLOCK_BYTES)
        if not piece:
            break
    if fault is not None:
        raise OSError(str(fault)) from fault


def _edges(block: bytes) -> list[int]:
    """Where its whole records begin, and where the last of them ends."""
    read, last = _LENGTH.unpack_from, len(block) - _FRAME
    edges, edge = [0], 0
    while edge <= last:  # each length says where the next one is
        edge += _FRAME + read(block, edge)[0]
        edges.append(edge)
    if edge > len(block):
        edges.pop()
    return edges


def _first_fault(
    block: bytes, edges: Offsets, bodies: list[bytes], crc: Crc
) -> tuple[int, str] | None:
    """The first record with a wrong checksum, and which one that is."""
    starts, ends = edges[:-1], edges[1:]
    lengths = list(map(len, bodies))
    known = {length: crc(_LENGTH.pack(length)) for length in set(lengths)}
    of_lengths = _masked([known[length] for length in lengths])
    wrong_length = of_lengths != _words(block, starts + 8)
    of_bytes = _masked(list(map(crc, bodies)))
    wrong = wrong_length | (of_bytes != _words(block, ends - 4))
    if not wrong.any():
        return None
    first = int(wrong.argmax())
    return first, _WRONG_LENGTH if wrong_length[first] else "the checksum of its bytes is wrong"


def _check_unfinished(rest: bytes, crc: Crc) -> None:
    """Refuse a wrong length before anything is read that it asks for."""
    if len(rest) < _HEADER:
        return
    length, check = struct.unpack_from("<QI", rest)
    if _masked([crc(rest[:8])])[0] != check:
        raise ValueError(_WRONG_LENGTH)
    if length > _LARGEST:
        raise ValueError(f"it has {length:,} bytes, and a record may have {_LARGEST:,}")


def _words(block: bytes, offsets: Offsets) -> Words:
    """The 32-bit numbers at places of the block."""
    taken = np.frombuffer(block, np.uint8)[offsets[:, None] + np.arange(4)]
    words: Words = taken.view("<u4")[:, 0]
    return words


def _masked(crcs: list[int]) -> Words:
    crc = np.array(crcs, np.uint32)
    rotated: Words = (crc >> np.uint32(15)) | (crc << np.uint32(17))
    return rotated + np.uint32(_MASK_DELTA)
