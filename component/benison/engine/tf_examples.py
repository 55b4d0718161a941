# SPDX-License-Identifier: Apache-2.0
"""This file is TFRecord files of tf.Examples: checked records in, Arrow lists out."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from benison.errors import DataError, MissingExtraError

RAW_RECORD = "__raw_record__"

_GZIP_MAGIC = b"\x1f\x8b"
_MASK_DELTA = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h
_SCHEMA_ROWS = 10_000


def records(path: str) -> Iterator[bytes]:
    """The records of a TFRecord file, plain or gzip, each with its checksums verified.

    A record is its length (uint64), the masked CRC-32C of that, the bytes, and their masked CRC-32C.

    Raises:
        DataError: A checksum is wrong, or the file ends within a record.
    """
    crc = _crc32c()
    with _open(path) as file:
        number = 0
        try:
            while header := file.read(12):
                yield _record(file, header, crc)
                number += 1
        except (ValueError, EOFError, OSError, zlib.error) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{path}: record {number:,} is damaged ({error}). The file is truncated or corrupt; "
                f"write it again."
            ) from error


def _record(file: BinaryIO, header: bytes, crc: Any) -> bytes:
    if len(header) < 12:
        raise EOFError("the file ends within a record's length")
    length, check = struct.unpack("<QI", header)
    if _masked(crc(header[:8])) != check:
        raise ValueError("the checksum of its length is wrong")
    body = file.read(length + 4)
    if len(body) < length + 4:
        raise EOFError("the file ends within the record")
    record = body[:length]
    if _masked(crc(record)) != struct.unpack("<I", body[length:])[0]:
        raise ValueError("the checksum of its bytes is wrong")
    return record


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _open(path: str) -> BinaryIO:
    with open(path, "rb") as file:
        magic = file.read(2)
    opened: Any = gzip.open(path, "rb") if magic == _GZIP_MAGIC else open(path, "rb")  # noqa: SIM115
    return opened  # type: ignore[no-any-return]


def _crc32c() -> Any:
    try:
        import google_crc32c
    except ImportError as error:
        raise MissingExtraError("The reader of TFRecord files", "tfrecord") from error
    return google_crc32c.value


def _decoder() -> Any:
    try:
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder
    except ImportError as error:
        raise MissingExtraError("The reader of TFRecord files", "tfrecord") from error
    return ExamplesToRecordBatchDecoder()


def inspect(path: str) -> tuple[pa.Schema, None]:
    """The features of the first 10,000 tf.Examples of a file."""
    first = list(islice(records(path), _SCHEMA_ROWS))
    if not first:
        raise DataError(f"{path} holds no records.")
    return _decode(_decoder(), first, path).schema, None


def read(path: str, batch_size: int, keep_input: bool) -> Iterator[pa.RecordBatch]:
    """The tf.Examples of a file as batches: each feature a list, null where it is missing."""
    decoder = _decoder()
    stream = records(path)
    while chunk := list(islice(stream, batch_size)):
        batch = _decode(decoder, chunk, path)
        if keep_input:
            raw = pa.array(chunk, pa.binary())
            batch = pa.RecordBatch.from_arrays(
                [*batch.columns, raw], [*batch.schema.names, RAW_RECORD]
            )
        yield batch


def _decode(decoder: Any, serialized: list[bytes], path: str) -> pa.RecordBatch:
    try:
        batch = decoder.DecodeBatch(np.array(serialized, dtype=object))
    except RuntimeError as error:
        raise DataError(f"{path}: a record is not a tf.Example ({error}).") from error
    # Features without a value in any row have no type to be read as.
    kept = [f.name for f in batch.schema if not pa.types.is_null(f.type)]
    return batch.select(kept)
