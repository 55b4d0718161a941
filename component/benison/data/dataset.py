# SPDX-License-Identifier: Apache-2.0
"""The reader: files or tables in, a stream of Arrow batches out, of any length."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data import formats
from benison.data.formats import FORMATS, Format, Part
from benison.data.tf_examples import RAW_RECORD
from benison.errors import DataError
from benison.paths import Location, absolute, files_below, locate, matching

__all__ = ["BATCH_ROWS", "RAW_RECORD", "ROW_NUMBER", "Dataset", "FileInfo", "Shard", "read_shard"]

ROW_NUMBER = "__row_number__"

# Grouped sums over many slices want large batches: each touches the whole table of cells once.
BATCH_ROWS = 2**19


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """A file of the dataset; `rows` is None when only reading it would tell."""

    path: str
    size: int
    rows: int | None


@dataclasses.dataclass(frozen=True)
class Shard:
    """A part of the dataset that one worker reads: a file, or some of its row groups."""

    path: str
    format: str
    schema: pa.Schema
    part: Part = Part()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Evaluation data: files of one format, or a table in memory."""

    files: tuple[FileInfo, ...]
    format: str
    schema: pa.Schema
    table: pa.Table | None = None
    sources: tuple[str, ...] = ()
    """What was asked for: absolute paths, globs or directories; nothing for a table."""

    @classmethod
    def open(cls, source: Any, format: str | None = None) -> Dataset:  # noqa: A002 - the field's word
        """Find the data and read their schema.

        Args:
            source: A path, a glob, a directory or a list of them; or an Arrow Table or
                RecordBatch, or a DataFrame of pandas, Polars or another library of Arrow's.
            format: One of parquet, csv, jsonl, arrow, tfrecord; None to tell by the files' endings.

        Raises:
            DataError: A file is missing, empty, damaged or of an unknown format, or two files do
                not have the same columns.
        """
        table = _as_table(source)
        if table is not None:
            _check_names(table.schema, "The table")
            return cls((), "memory", table.schema, table)
        paths = _find(source)
        name = format or _one_format(paths)
        if name not in FORMATS:
            raise DataError(
                f"There is no format {name!r}. There are: {', '.join(sorted(FORMATS))}."
            )
        opened = [(path, *_inspect(path, FORMATS[name])) for path in paths]
        for path, schema, _ in opened:
            _check_names(schema, path)
        schema = _one_schema([(path, schema) for path, schema, _ in opened])
        if not schema.names:
            several = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
            raise DataError(
                f"{paths[0]}{several}: there are no records, or records without features."
            )
        files = tuple(FileInfo(path, _size(path), rows) for path, _, rows in opened)
        return cls(files, name, schema, sources=_sources(source))

    @property
    def num_rows(self) -> int | None:
        """Rows in all, or None when only reading would tell."""
        if self.table is not None:
            return int(self.table.num_rows)
        rows = [file.rows for file in self.files]
        return None if None in rows else sum(rows)  # type: ignore[arg-type]

    @property
    def has_serialized(self) -> bool:
        """Whether the data are tf.Examples, which a batch can hold as they are."""
        return self.format == "tfrecord"

    def shards(self) -> tuple[Shard, ...]:
        """What can be read apart, in the order of files and rows."""
        split = FORMATS[self.format].parts
        return tuple(
            Shard(file.path, self.format, self.schema, part)
            for file in self.files
            for part in split(file.path)
        )

    def batches(
        self,
        columns: Sequence[str] | None = None,
        batch_size: int = BATCH_ROWS,
        keep_input: bool = False,
        number: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """All rows in order, as batches of at most `batch_size` rows.

        Args:
            columns: What to read; None is everything.
            batch_size: In rows.
            keep_input: Also deliver the serialized tf.Examples, as the column `RAW_RECORD`.
            number: Also number the rows, in the column `ROW_NUMBER`: uint64.

        Raises:
            DataError: A column is missing, or a file turns out to be damaged.
        """
        check_columns(columns, self.schema, self.describe())
        if self.table is not None:
            chosen = self.table if columns is None else self.table.select(list(columns))
            batches = chosen.combine_chunks().to_batches(batch_size)
            yield from _numbered(batches, "", 0) if number else batches
            return
        for file in self.files:
            shard = Shard(file.path, self.format, self.schema)
            yield from read_shard(shard, columns, batch_size, keep_input, number)

    def describe(self) -> str:
        """How messages call the data."""
        if self.table is not None:
            return "The table"
        return self.files[0].path if len(self.files) == 1 else f"The data ({len(self.files)} files)"

    def identity(self) -> dict[str, Any]:
        """What was evaluated: names, sizes and rows of the files, the schema, and a SHA-256 of these.

        A table in memory is identified by its rows and its schema, not by its values.
        """
        files = [{"name": Path(f.path).name, "bytes": f.size, "rows": f.rows} for f in self.files]
        schema = {field.name: str(field.type) for field in self.schema}
        found = {"format": self.format, "files": files, "rows": self.num_rows, "schema": schema}
        digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
        return {**found, "digest": digest}


def _sources(source: Any) -> tuple[str, ...]:
    given = [source] if isinstance(source, str | os.PathLike) else source
    return tuple(dict.fromkeys(absolute(path) for path in given))


def check_columns(columns: Sequence[str] | None, schema: pa.Schema, source: str) -> None:
    """Refuse columns that the data do not have."""
    for column in columns or ():
        if column not in schema.names:
            raise DataError.from_missing_column(column, schema.names, source)


def read_shard(
    shard: Shard,
    columns: Sequence[str] | None,
    batch_size: int = BATCH_ROWS,
    keep_input: bool = False,
    number: bool = False,
) -> Iterator[pa.RecordBatch]:
    """The rows of one shard, with the types of the whole dataset."""
    batches = _read(shard, columns, batch_size, keep_input)
    return _numbered(batches, Path(shard.path).name, shard.part.first_row) if number else batches


def _numbered(batches: Iterable[pa.RecordBatch], name: str, first: int) -> Iterator[pa.RecordBatch]:
    """The batches with the numbers of their rows, counted from one that the file's name gives."""
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    for batch in batches:
        numbers = np.arange(first, first + batch.num_rows, dtype=np.uint64) + np.uint64(start)
        first += batch.num_rows
        yield pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array(numbers)], [*batch.schema.names, ROW_NUMBER]
        )


def _read(
    shard: Shard, columns: Sequence[str] | None, batch_size: int, keep_input: bool
) -> Iterator[pa.RecordBatch]:
    wanted = [*(shard.schema.names if columns is None else columns)]
    reader = FORMATS[shard.format]
    target = pa.schema([shard.schema.field(name) for name in wanted])
    options = formats.ReadOptions(target, batch_size, shard.part.row_groups, keep_input)
    try:
        for batch in reader.read(shard.path, options):
            if batch.num_rows:
                yield _conform(batch, target, shard.path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{shard.path} cannot be read to its end: {_first_line(error)}") from error


def _conform(batch: pa.RecordBatch, target: pa.Schema, path: str) -> pa.RecordBatch:
    """The batch with the columns of the dataset in their order; a column that it lacks is null."""
    columns = []
    for field in target:
        place = batch.schema.get_field_index(field.name)
        column = batch.column(place) if place >= 0 else pa.nulls(batch.num_rows, field.type)
        columns.append(_cast(column, field, path))
    names = list(target.names)
    if (place := batch.schema.get_field_index(RAW_RECORD)) >= 0 and RAW_RECORD not in names:
        columns.append(batch.column(place))
        names.append(RAW_RECORD)
    return pa.RecordBatch.from_arrays(columns, names)


def _cast(column: pa.Array, field: pa.Field, path: str) -> pa.Array:
    encoded = pa.types.is_dictionary(column.type) and column.type.value_type == field.type
    if encoded or column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise DataError(
            f"{path}: column {field.name!r} is {column.type} here and {field.type} elsewhere: "
            f"{_first_line(error)}"
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _as_table(source: Any) -> pa.Table | None:
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if type(source).__module__.startswith("pandas.") and hasattr(source, "columns"):
        return pa.Table.from_pandas(source, preserve_index=False).replace_schema_metadata(None)
    if hasattr(source, "__arrow_c_stream__"):
        return pa.table(source)
    return None


def _find(source: Any) -> list[str]:
    """The files meant by paths, globs and directories, in the order of their names."""
    given = [source] if isinstance(source, (str, Path)) else source
    if not isinstance(given, (list, tuple)) or not given:
        raise DataError(f"Examples are paths or a table, not {type(source).__name__}.")
    found = [path for one in given for path in _expand(str(one))]
    return list(dict.fromkeys(found))


def _expand(text: str) -> list[str]:
    path = locate(text, DataError)
    try:
        if path.is_dir():
            files = [file for file in files_below(path) if not _hidden(file, path)]
            if not files:
                raise DataError(f"The directory {text} holds no data files.")
            return list(map(str, files))
        if path.exists():
            return [str(path)]
        if matched := matching(path):
            return list(map(str, matched))
    except OSError as error:
        raise DataError(f"{text} cannot be read: {_first_line(error)}.") from error
    what = "matches no file" if glob.has_magic(text) else "does not exist"
    raise DataError(f"{text} {what}. Check the path of the evaluation data.")


def _check_names(schema: pa.Schema, source: str) -> None:
    for name in schema.names:
        if len(schema.get_all_field_indices(name)) > 1:
            raise DataError(f"{source} has several columns named {name!r}. Rename all but one.")


def _hidden(file: Location, root: Location) -> bool:
    below = file.parts[len(root.parts) :]
    return any(part.startswith((".", "_")) for part in below)


def _one_format(paths: Sequence[str]) -> str:
    found = {path: formats.format_of(locate(path).name) for path in paths}
    names = set(found.values())
    if None in names:
        unknown = next(path for path, name in found.items() if name is None)
        raise DataError(
            f"The format of {unknown} cannot be told by its ending. Say it (--format): "
            f"{', '.join(sorted(FORMATS))}."
        )
    if len(names) > 1:
        raise DataError(
            f"The files are of several formats ({', '.join(sorted(map(str, names)))}); give one."
        )
    return str(names.pop())


def _inspect(path: str, reader: Format) -> tuple[pa.Schema, int | None]:
    try:
        if not _size(path):
            raise DataError(f"{path} is empty (0 bytes).")
        return reader.inspect(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as {reader.name}: {_first_line(error)}") from error


def _size(path: str) -> int:
    return int(locate(path).stat().st_size)


def _one_schema(schemas: Sequence[tuple[str, pa.Schema]]) -> pa.Schema:
    """The columns of all files; whole numbers and fractions unify, text and numbers do not."""
    first_path, merged = schemas[0]
    for path, schema in schemas[1:]:
        if schema.equals(merged):
            continue
        for field in schema:
            place = merged.get_field_index(field.name)
            if place >= 0 and not _compatible(merged.field(place).type, field.type):
                raise DataError(
                    f"Column {field.name!r} is {merged.field(place).type} in {first_path} and "
                    f"{field.type} in {path}. Evaluate files of one schema."
                )
        merged = pa.unify_schemas([merged, schema], promote_options="permissive")
    return merged.remove_metadata()


def _compatible(a: pa.DataType, b: pa.DataType) -> bool:
    def kind(t: pa.DataType) -> str:
        if pa.types.is_integer(t) or pa.types.is_floating(t):
            return "number"
        return str(t)

    return a == b or kind(a) == kind(b) or pa.types.is_null(a) or pa.types.is_null(b)
