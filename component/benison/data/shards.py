# SPDX-License-Identifier: Apache-2.0
"""Reads parts of a dataset, each with the types of all of it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from benison.data import schemas
from benison.data.formats import FORMATS
from benison.data.frames import Frame
from benison.data.reading import TEXT, Inspected, Part, ReadOptions, Rules
from benison.data.row_keys import keyed
from benison.data.tf_examples import RAW_RECORD
from benison.data.values import is_number, text_of, undictionary
from benison.data.widening import MisfitError, convert
from benison.errors import DataError

T = TypeVar("T")

ROW_NUMBER = "__row_number__"

# Grouped sums over many slices want large batches: each touches the whole table of cells once.
BATCH_ROWS = 2**19


@dataclasses.dataclass(frozen=True)
class Shard:
    """A part of the dataset that one worker reads: a file, or some of its row groups.

    `values` are those that all rows have because of the folders in which the file is.
    """

    path: str
    format: str
    schema: pa.Schema
    part: Part = Part()
    rules: Rules = Rules()
    values: schemas.Values = ()


@dataclasses.dataclass(frozen=True)
class Scan:
    """Finds the types of some columns over all rows of a file that does not say them."""

    path: str
    format: str
    columns: tuple[str, ...]
    rules: Rules

    def run(self) -> tuple[str, Inspected]:
        """The path, and the types.

        Raises:
            DataError: The file is damaged.
        """
        scan = FORMATS[self.format].scan
        assert scan is not None
        return self.path, reading(self.path, self.format, scan, self.columns, self.rules)


def reading(path: str, format_: str, read: Callable[..., T], *arguments: Any) -> T:
    """What reading a file gives, or the sentence that says why it cannot be read."""
    try:
        return read(path, *arguments)
    except UnicodeDecodeError as error:
        raise _misnamed(path) from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as {format_}: {first_line(error)}") from error


def _misnamed(path: str) -> DataError:
    return DataError(f"{path} holds a name that is not UTF-8 text. Save the file as UTF-8.")


def read_shard(
    shard: Shard,
    columns: Sequence[str] | None,
    batch_size: int = BATCH_ROWS,
    keep_input: bool = False,
    number: bool = False,
) -> Iterator[pa.RecordBatch]:
    """The rows of one shard, with the types of the whole dataset."""
    read = functools.partial(_read, shard, batch_size=batch_size, keep_input=keep_input)
    if not number:
        return read(columns)
    names = shard.schema.names if columns is None else columns
    name, first = Path(shard.path).name, shard.part.first_row
    return with_numbers(read, names, shard.schema.names, shard.rules, (name, first))


def with_numbers(
    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]],
    names: Sequence[str],
    known: Sequence[str],
    rules: Rules,
    at: tuple[str, int],
) -> Iterator[pa.RecordBatch]:
    """Some columns with the numbers of rows: by the row_key where the data have it, else as `numbered`.

    Args:
        read: What reads columns.
        names: The columns.
        known: Those of the data.
        rules: How they are read.
        at: The name of the file, and the number of the first row in it.
    """
    if not rules.row_key or not {*known}.issuperset(rules.row_key):
        yield from numbered(read(names), *at)
        return
    more = [name for name in rules.row_key if name not in names]
    for batch in keyed(read([*names, *more]), rules.row_key, ROW_NUMBER, at[0] or "The table"):
        yield batch.drop_columns(more) if more else batch


def numbered(batches: Iterable[pa.RecordBatch], name: str, first: int) -> Iterator[pa.RecordBatch]:
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
    target = pa.schema([shard.schema.field(name) for name in wanted])
    of_folders = {name for name, _ in shard.values}
    of_file = pa.schema([field for field in target if field.name not in of_folders])
    options = ReadOptions(of_file, batch_size, shard.part.row_groups, keep_input, shard.rules)
    try:
        for batch in FORMATS[shard.format].read(shard.path, options):
            if batch.num_rows:
                whole = schemas.with_values(batch, target, shard.values, shard.rules)
                yield conformed(whole, target, shard.rules, shard.path)
    except UnicodeDecodeError as error:
        raise _misnamed(shard.path) from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{shard.path} cannot be read to its end: {first_line(error)}") from error


def read_frame(
    frame: Frame, names: Sequence[str], rules: Rules, batch_size: int
) -> Iterator[pa.RecordBatch]:
    """Some columns of a table in memory."""
    columns = [frame.column(name) for name in names]
    fields = [(name, column.type) for name, column in zip(names, columns, strict=True)]
    schema, _ = schemas.unified([("The table", Inspected(pa.schema(fields)))])
    target = schemas.with_types(schema, rules.types)
    table = pa.Table.from_arrays(columns, list(names)).combine_chunks()
    for batch in table.to_batches(batch_size):
        yield conformed(batch, target, rules, "The table")


def conformed(
    batch: pa.RecordBatch, target: pa.Schema, rules: Rules, source: str
) -> pa.RecordBatch:
    """The batch with the columns of the dataset in their order; a column that it lacks is null."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    conformed: dict[str, pa.Array] = {}
    for field in target:
        column = columns.get(field.name)
        if column is None:
            column = pa.nulls(batch.num_rows, field.type)
        conformed[field.name] = _cast(column, field, rules, source)
        text = TEXT + field.name
        if text in columns:
            conformed[text] = columns[text]
        elif field.name in rules.sliced & rules.texts:
            conformed[text] = text_of(column)
    if RAW_RECORD in columns:
        conformed.setdefault(RAW_RECORD, columns[RAW_RECORD])
    return pa.RecordBatch.from_arrays(list(conformed.values()), list(conformed))


def _cast(column: pa.Array, field: pa.Field, rules: Rules, source: str) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_run_end_encoded(column.type):
        column = undictionary(column)
    is_encoded = pa.types.is_dictionary(column.type) and column.type.value_type == field.type
    if is_encoded or column.type == field.type:
        return column
    # Only slices look at the last digits of an integer among floats.
    exact = field.name in rules.sliced - rules.texts
    if not exact and pa.types.is_floating(field.type) and is_number(column.type):
        return convert(column, field.type, safe=False)
    try:
        return convert(column, field.type)
    except pa.ArrowException as error:
        raise MisfitError(
            f"{source}: column {field.name!r} is {column.type} here and {field.type} elsewhere: "
            f"{first_line(error)}",
            field.name,
        ) from error


def first_line(error: BaseException) -> str:
    """What an error of another library says, in a line."""
    if isinstance(error, MemoryError):
        asked = " ".join(str(error).split())
        return f"it asks for more memory than there is ({asked}), as a damaged file may."
    return str(error).strip().split("\n")[0] or type(error).__name__
