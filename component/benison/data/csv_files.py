# SPDX-License-Identifier: Apache-2.0
"""CSV files, whose cells are text: numbers where all cells of a column are, and missing where empty.

In columns of text only an empty cell is missing, quoted or not; in columns of numbers NA, null, nan and
their like are missing too.
"""

from __future__ import annotations

import atexit
import csv as python_csv
import dataclasses
import io
import re
import sys
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from operator import or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from benison.data.csv_faults import check_encoding, check_separator, delimiter_of
from benison.data.reading import (
    BLOCK_BYTES,
    NO_ROWS,
    TEXT,
    Inspected,
    ReadOptions,
    Rules,
    open_stream,
)
from benison.data.text_cells import NO_CELLS, NULL_WORDS, CellType, as_numbers, prints_back, type_of
from benison.data.values import is_number, is_text
from benison.data.widening import MisfitError
from benison.errors import DataError

_READ_BYTES = 2**22  # where types are known: so much stays in the processor's cache
_UNWANTED = 2**16  # what is read of a piece that nobody wants
_COLUMN = re.compile(r"In CSV column #(\d+): (.*)", re.DOTALL)


def inspect(path: str, rules: Rules) -> Inspected:
    """The types of the first rows; times stay text, which no two programs write alike."""
    convert = csv.ConvertOptions(null_values=[*NULL_WORDS, *rules.null_values])
    with _opened(path, convert, rules, only_first=True) as opened:
        if opened is None:
            return NO_ROWS
        if len(opened.schema) == 1:
            check_separator(path, delimiter_of(path, rules))
        first = next(iter(opened.reader), None)
        fields = [pa.field(f.name, _inferred(f.type)) for f in opened.schema]
    mixed = {} if first is None else dict(_truth_among_numbers(first, rules))
    fields = [f.with_type(mixed[f.name].type) if f.name in mixed else f for f in fields]
    return Inspected(pa.schema(fields), texts=_texts(mixed))


def _inferred(kind: pa.DataType) -> pa.DataType:
    return kind if is_number(kind) else pa.string()


def _truth_among_numbers(first: pa.RecordBatch, rules: Rules) -> Iterator[tuple[str, CellType]]:
    """The columns that hold truth values beside numbers, of which Arrow makes text."""
    for name, column in zip(first.schema.names, first.columns, strict=True):
        if pa.types.is_string(column.type):
            cells = column.unique()
            has_truth = pc.any(pc.match_substring_regex(cells, "(?i)^(true|false)$")).as_py()
            of = type_of(cells, rules.null_values) if has_truth else NO_CELLS
            if is_number(of.type) and of is not NO_CELLS:
                yield name, of


def first_texts(path: str, columns: Sequence[str], rules: Rules) -> frozenset[str]:
    """Those of some columns of numbers whose first cells are not written as numbers are printed."""
    first = next(_cells(path, columns, rules, only_first=True), None)
    return frozenset() if first is None else _texts(_types(first, rules))


def scan(path: str, columns: Sequence[str], rules: Rules) -> Inspected:
    """The types of some columns over all rows."""
    blocks = (_types(cells, rules) for cells in _cells(path, columns, rules))
    types: dict[str, CellType] = reduce(_merged, blocks, {})
    return Inspected(pa.schema([(n, t.type) for n, t in types.items()]), None, _texts(types))


def _types(cells: pa.RecordBatch, rules: Rules) -> dict[str, CellType]:
    columns = zip(cells.schema.names, cells.columns, strict=True)
    return {name: type_of(column, rules.null_values) for name, column in columns}


def _merged(a: dict[str, CellType], b: dict[str, CellType]) -> dict[str, CellType]:
    return {name: or_(a.get(name, NO_CELLS), kind) for name, kind in b.items()}


def _texts(types: dict[str, CellType]) -> frozenset[str]:
    return frozenset(n for n, t in types.items() if is_number(t.type) and not t.exact)


def _cells(
    path: str, columns: Sequence[str], rules: Rules, only_first: bool = False
) -> Iterator[pa.RecordBatch]:
    """Some columns as they are written: strings."""
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        include_columns=list(columns),
        include_missing_columns=True,
    )
    with _opened(path, options, rules, only_first) as reader:
        yield from reader or ()


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows, a block at a time; raises MisfitError for a cell that is not of its column's type."""
    batches = _read(path, options)
    _BEGUN.add(batches)
    return batches


def _read(path: str, options: ReadOptions) -> Generator[pa.RecordBatch, None, None]:
    rules = options.rules
    numbers = [f.name for f in options.schema if is_number(f.type) and not pa.types.is_null(f.type)]
    # Those of texts too, among which may be the truth values that Arrow takes for no numbers.
    read_by_cell = (rules.sliced | rules.texts) - rules.types.keys()
    cells = [name for name in numbers if name in read_by_cell]
    types = {f.name: pa.string() if f.name in cells else _readable(f.type) for f in options.schema}
    convert = csv.ConvertOptions(
        column_types=types,
        include_columns=options.columns,
        include_missing_columns=True,
        null_values=[*NULL_WORDS, *rules.null_values],
    )
    try:
        with _opened(path, convert, rules) as reader:
            for batch in reader or ():
                yield _typed(batch, options, cells, path)
    except pa.ArrowInvalid as error:
        explained = _explained(error, path, options)
        if explained is None:
            raise
        raise explained from error


def _readable(kind: pa.DataType) -> pa.DataType:
    """The type that the CSV reader is asked for; what is left is converted with the whole dataset."""
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return kind
    return pa.null() if pa.types.is_null(kind) else pa.string()


def _typed(
    batch: pa.RecordBatch, options: ReadOptions, cells: list[str], path: str
) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in cells:
            columns |= _numbers_and_texts(name, column, options, path)
        elif is_text(column.type):
            columns[name] = _without_empty(column, options.rules.null_values)
        else:
            columns[name] = column
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _without_empty(column: pa.Array, null_values: Sequence[str]) -> pa.Array:
    """Text in which an empty cell is null, and so are the words that the config says."""
    missing = pa.nulls(len(column), column.type)
    column = pc.if_else(pc.binary_length(column).cast(pa.bool_()), column, missing)
    if null_values:
        words = pc.is_in(column, value_set=pa.array(null_values, pa.string()))
        column = pc.if_else(words, missing, column)
    return column


def _numbers_and_texts(
    name: str, column: pa.Array, options: ReadOptions, path: str
) -> dict[str, pa.Array]:
    """A column of numbers, and the column of its cells where these are slices."""
    rules, kind = options.rules, options.schema.field(name).type
    encoded = column.dictionary_encode()
    distinct = encoded.dictionary
    try:
        numbers = as_numbers(distinct, kind, rules.null_values)
    except pa.ArrowInvalid as error:
        raise _misfit(path, name, kind, str(error)) from error
    written = pc.if_else(pc.is_valid(numbers), distinct, pa.nulls(len(distinct), pa.string()))
    columns = {name: pa.DictionaryArray.from_arrays(encoded.indices, numbers)}
    if name not in rules.sliced:
        return columns
    if name in rules.texts:
        columns[TEXT + name] = pa.DictionaryArray.from_arrays(encoded.indices, written)
    elif not prints_back(written.drop_null(), numbers.drop_null()):
        raise MisfitError(
            f"{path}: column {name!r} holds numbers that are not written as numbers are printed, such as "
            f"3.10 or 05, after rows in which they are.",
            name,
        )
    return columns


def _explained(error: ValueError, path: str, options: ReadOptions) -> ValueError | None:
    """An error with the name of the column, a misfit if a cell is not of its type; None without a column."""
    text = str(error).strip().split("\n")[0]
    column = _COLUMN.match(text)
    if column is None:
        return None
    name = inspect(path, options.rules).schema.names[int(column[1])]
    if "UTF8" in text:
        return DataError(f"{path}: column {name!r} is not UTF-8 text. Save the file as UTF-8.")
    return _misfit(path, name, options.schema.field(name).type, column[2])


def _misfit(path: str, name: str, kind: pa.DataType, why: str) -> MisfitError:
    return MisfitError(
        f"{path}: column {name!r} is {kind} in the rows before, and then not: {why}", name
    )


_BEGUN: weakref.WeakSet[Generator[pa.RecordBatch, None, None]] = weakref.WeakSet()
_HELD: weakref.WeakSet[_Pieces] = weakref.WeakSet()
_LONGEST_WAIT = 1.0  # seconds


@atexit.register
def _leave_files() -> None:
    """Close what nobody has read to its end, and wait until Arrow's threads have let go of its file.

    One that does so while Python ends aborts it.
    """
    for batches in list(_BEGUN):
        with suppress(ValueError):  # a thread that outlives the program is in it
            batches.close()
    until = time.monotonic() + _LONGEST_WAIT
    while len(_HELD) and time.monotonic() < until:
        time.sleep(0.001)


class _Pieces:
    """The bytes of a stream in pieces that never end between the two bytes of a line end.

    Arrow drops the second one where a piece begins with it, even if both stand in a quoted cell. After the
    last line comes one with a cell too many: where Arrow does not see it, a quote before it was never closed
    and the rest of the file is one cell.

    With `only_first` all but the first piece is cut short, for who wants no more than its rows: Arrow reads
    pieces ahead, whose rows would be made for nobody.
    """

    closed = False

    def __init__(self, path: str, stream: Any, delimiter: str, only_first: bool) -> None:
        self._path, self._delimiter = path, delimiter
        self._stream = stream
        self._only_first = only_first
        self._held = b""
        self._end: bytes | None = None
        self.saw_end = False
        self.is_left = False
        _HELD.add(self)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end, and none when nobody wants more."""
        if self.is_left:
            return b""
        if self._only_first and self._end is not None:
            size, self.is_left = min(size, _UNWANTED), True
        piece: bytes = self._held + self._stream.read(size - len(self._held))
        if self._end is None:
            check_encoding(self._path, piece)
            self._end = _end_of(piece, self._delimiter)
        self._held = b"\r" if piece.endswith(b"\r") and len(piece) > 1 else b""
        if not piece:
            piece, self._end = self._end, b""
        return piece[: len(piece) - len(self._held)]

    def refuse(self, row: csv.InvalidRow) -> str:
        """What Arrow does about a row with too many or too few cells."""
        self.saw_end = self.saw_end or row.text.startswith(_LAST)
        return "skip" if row.text.startswith(_LAST) else "error"

    def leave(self, reader: csv.CSVStreamingReader) -> None:
        """Wait until no thread of Arrow reads on: one that is still at it when Python ends aborts it."""
        self.is_left = True
        with suppress(pa.ArrowException, StopIteration):
            while True:
                reader.read_next_batch()

    def close(self) -> None:
        """Nothing is left to do: who opened the stream closes it."""
        self.closed = True


class _Unraisable:
    """Hears of exceptions that Python ignores, but for that of a row that is not UTF-8.

    Arrow cannot hand such a row to `refuse`. It prints a traceback of that, and does as asked: the row is
    an error.
    """

    def __init__(self, hook: Callable[[Any], None]) -> None:
        self._hook = hook

    def __call__(self, ignored: Any) -> None:
        of = getattr(ignored.object, "__func__", None)
        if not (of is _Pieces.refuse and ignored.exc_type is UnicodeDecodeError):
            self._hook(ignored)

    @classmethod
    def install(cls) -> None:
        """Hear of what comes, once."""
        if not isinstance(sys.unraisablehook, cls):
            sys.unraisablehook = cls(sys.unraisablehook)


_LAST = "\x1fthe last line\x1f"


def _end_of(first: bytes, delimiter: str) -> bytes:
    """The line after the last one of a file, by its first piece; none for an empty file."""
    text = io.TextIOWrapper(io.BytesIO(first), "utf-8", errors="replace", newline="")
    rows = python_csv.reader(text, delimiter=delimiter)
    try:
        header: list[str] = next((row for row in rows if row), [])
    except python_csv.Error:  # a cell without an end, as of a quote that is never closed
        return b""
    return b"\n" + _LAST.encode() + delimiter.encode() * len(header) + b"\n" if header else b""


@dataclasses.dataclass(frozen=True)
class _Opened:
    """The batches of a CSV file, and their schema."""

    path: str
    reader: csv.CSVStreamingReader
    pieces: _Pieces

    @property
    def schema(self) -> pa.Schema:
        return self.reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        yield from self.reader
        if not self.pieces.saw_end:
            raise DataError(
                f"{self.path}: a quote is never closed, so that the rest of the file would be one cell. A "
                f"quote within a quoted cell is doubled."
            )


@contextmanager
def _in_blocks(path: str, size: int, delimiter: str) -> Iterator[None]:
    """Say that a row is too long where it takes more than a block, or that a sign is not the one."""
    try:
        yield
    except pa.ArrowInvalid as error:
        if "Expected 1 columns" in str(error):
            check_separator(path, delimiter)
        if "straddling" not in str(error):
            raise
        raise DataError(
            f"{path}: a row has more than {size:,} bytes, and CSV is read in blocks of that size. Save the "
            "data as Parquet."
        ) from error


@contextmanager
def _opened(
    path: str, convert: csv.ConvertOptions, rules: Rules, only_first: bool = False
) -> Iterator[_Opened | None]:
    """The batches of a CSV file, with `only_first` one of them; None for a file without a line."""
    most = _READ_BYTES if convert.column_types else BLOCK_BYTES
    options = csv.ReadOptions(block_size=min(most, BLOCK_BYTES))
    delimiter = delimiter_of(path, rules)
    _Unraisable.install()
    with open_stream(path) as stream, _in_blocks(path, options.block_size, delimiter):
        pieces = _Pieces(path, stream, delimiter, only_first)
        # A block may end within a quoted cell, and the line end there would be taken for that of a row.
        parse = csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=pieces.refuse
        )
        try:
            reader = csv.open_csv(pa.PythonFile(pieces, mode="r"), options, parse, convert)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" not in str(error):
                raise
            yield None
            return
        try:
            yield _Opened(path, reader, pieces)
        finally:
            pieces.leave(reader)
