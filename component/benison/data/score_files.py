# SPDX-License-Identifier: Apache-2.0
"""Files that evaluation tools of language models write: a row for each sample that a tool scored.

They are logs of Inspect, results of promptfoo and samples of lm-evaluation-harness.
"""

from __future__ import annotations

import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import pyarrow as pa

from benison.data import score_rows
from benison.data.json_lines import column_of, unique_fields
from benison.data.reading import Inspected, ReadOptions, Rules
from benison.errors import DataError, visible
from benison.paths import in_arrow

_ZIP = b"PK\x03\x04"
_ZSTD = 93  # among the compressions of zip, which Python knows from 3.14 on
_LOCAL_HEADER = struct.Struct("<26xHH")
_DAMAGED = (
    zipfile.BadZipFile, RuntimeError, ValueError, KeyError, TypeError, AttributeError, struct.error,
)  # fmt: skip
_CURE = (
    "It is no finished log of Inspect, no results of promptfoo and no samples of lm-evaluation-harness "
    "(samples_*.jsonl). If each line is an example, say --format jsonl."
)


def inspect(path: str, rules: Rules) -> Inspected:
    """The columns over all samples."""
    table = _table(path)
    return Inspected(table.schema, table.num_rows)


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The samples."""
    table = _table(path)
    yield from table.select(options.present(table.column_names)).to_batches(options.batch_size)


def _table(path: str) -> pa.Table:
    try:
        return _columns(list(_rows(path)))
    except DataError as error:
        raise DataError(f"{path} cannot be read as scores: {error}") from error
    except RecursionError:
        raise DataError(
            f"{path} cannot be read as scores: its lists and objects are nested too deep. {_CURE}"
        ) from None
    except _DAMAGED as error:
        raise DataError(f"{path} cannot be read as scores: {error}. {_CURE}") from error


def _columns(rows: list[score_rows.Row]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: column_of([row.get(name) for row in rows]) for name in names})


def _rows(path: str) -> Iterator[score_rows.Row]:
    file_system, name = in_arrow(path)
    with file_system.open_input_file(name) as file:
        if file.read(len(_ZIP)) == _ZIP:
            yield from score_rows.of_inspect(*_archived(file))
            return
        file.seek(0)
        content = file.read()
    yield from _of_documents(_documents(content), path)


def _of_documents(documents: list[Any], path: str) -> Iterator[score_rows.Row]:
    first = documents[0] if documents else None
    if not isinstance(first, Mapping):
        _refuse(first)
    elif "eval" in first:
        _check_finished(first)
        yield from score_rows.of_inspect(first, first.get("samples") or ())
    elif isinstance(first.get("results"), Mapping) and "results" in first["results"]:
        yield from score_rows.numbered(score_rows.of_promptfoo, first["results"]["results"])
    elif {"testCase", "success"} <= first.keys():
        yield from score_rows.numbered(score_rows.of_promptfoo, documents)
    elif {"doc", "filtered_resps"} & first.keys():
        yield from score_rows.numbered(lambda each: score_rows.of_lm_eval(each, path), documents)
    else:
        _refuse(first)


def _refuse(document: Any) -> NoReturn:
    if isinstance(document, list):
        raise DataError(
            "It is a list, and no tool that is known writes one. Write its objects a line each "
            "(jq -c '.[]'), as .jsonl."
        )
    fields = ", ".join(sorted(document)[:8]) if isinstance(document, Mapping) else ""
    raise ValueError(f"its fields are {visible(fields)}" if fields else "it holds no objects")


def _documents(content: bytes) -> list[Any]:
    """The one document of a file, or that of each line."""
    try:
        return [_parsed(content)]
    except ValueError:
        lines = [(i, line) for i, line in enumerate(content.splitlines(), 1) if line.strip()]
        if len(lines) < 2:  # noqa: PLR2004 - then the whole is as damaged
            raise
    return [_parsed(line, f"line {number:,}: ") for number, line in lines]


def _parsed(content: bytes, where: str = "") -> Any:
    try:
        return json.loads(content, object_pairs_hook=unique_fields)
    except KeyError as error:
        raise ValueError(f"{where}an object has the field {error} twice") from error
    except ValueError as error:
        raise ValueError(f"{where}{error}") from error


def _archived(file: Any) -> tuple[Mapping[str, Any], Iterator[Any]]:
    """What a log of Inspect says of all samples, and the samples in the order of their names."""
    archive = zipfile.ZipFile(file)
    members = {info.filename: info for info in archive.infolist()}
    if "header.json" not in members:
        raise DataError(f"It has no header.json. {_UNFINISHED}")
    header = _parsed(_content(file, archive, members["header.json"]))
    _check_finished(header)
    names = sorted(name for name in members if name.startswith("samples/"))
    return header, (_parsed(_content(file, archive, members[name])) for name in names)


_UNFINISHED = (
    "Inspect has not finished this log, so that scores of some samples are missing. Let it run to its end "
    "(inspect eval-retry) and give that log."
)


def _check_finished(header: Mapping[str, Any]) -> None:
    """Refuse a log in which samples may be missing: those could be the worst."""
    if header.get("status") != "success":
        raise DataError(f"Its status is {header.get('status')!r}. {_UNFINISHED}")
    if header.get("invalidated"):
        raise DataError("It is invalidated, as somebody told Inspect. Give a log that counts.")


def _content(file: Any, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member.

    Raises:
        zipfile.BadZipFile: They are not those that were written.
    """
    try:
        return _unpacked(file, archive, info)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise zipfile.BadZipFile(f"{info.filename} is damaged: {error}") from error


def _unpacked(file: Any, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type != _ZSTD:
        return archive.read(info)
    file.seek(info.header_offset)
    file.seek(sum(_LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))), 1)
    packed = pa.BufferReader(file.read(info.compress_size))
    with pa.CompressedInputStream(packed, "zstd") as stream:
        content: bytes = stream.read()
    if zlib.crc32(content) != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename} is not what was written")
    return content
