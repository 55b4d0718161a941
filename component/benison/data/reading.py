# SPDX-License-Identifier: Apache-2.0
"""The contract of the functions that inspect and read the files of a format."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from benison.paths import in_arrow

# What a file's types are inferred from, and what is read at a time where rows are lines of text.
BLOCK_BYTES = 2**24

TEXT = "__text__:"
"""Before the name of a column: the column as slices see it, where that is not the column of this name."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """How the values of a dataset are read, the same in all of its files.

    `null_values` are words that are missing in every column of a CSV file, also in those of text. `types`
    are those of columns whose types are not to be inferred. `sliced` are the columns that slices look
    at; of these `texts` are the ones that hold numbers and are sliced as they were written. `row_key` are
    the columns that tell rows apart. `delimiter` is the sign between the cells of a CSV file; "" is that of
    its ending.
    """

    null_values: tuple[str, ...] = ()
    types: Mapping[str, pa.DataType] = dataclasses.field(default_factory=dict)
    sliced: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    row_key: tuple[str, ...] = ()
    delimiter: str = ""


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """What to read of a file; `schema` has the columns with their types in the whole dataset."""

    schema: pa.Schema
    batch_size: int
    row_groups: tuple[int, ...] | None = None
    keep_input: bool = False
    rules: Rules = Rules()

    @property
    def columns(self) -> list[str]:
        """Their names."""
        names: list[str] = self.schema.names
        return names

    def present(self, names: Sequence[str]) -> list[str]:
        """Those of the columns that are among `names`, as a file lacks some that others have."""
        return [name for name in self.columns if name in names]


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a file that can be read apart: some of its row groups, or all of it."""

    row_groups: tuple[int, ...] | None = None
    first_row: int = 0


@dataclasses.dataclass(frozen=True)
class Inspected:
    """What a file says of itself, or its first rows say of it.

    `rows` is None when only reading it would tell; `texts` are columns of numbers that are not written
    as numbers are printed.
    """

    schema: pa.Schema
    rows: int | None = None
    texts: frozenset[str] = frozenset()


NO_ROWS = Inspected(pa.schema([]), 0)


def whole(path: str) -> list[Part]:
    """The one part of a file that is read from its beginning to its end."""
    return [Part()]


@dataclasses.dataclass(frozen=True)
class Log:
    """What the log of a table says: which files count, and their size in bytes.

    `text` is equal for equal states of the table, and no others.
    """

    text: str
    files: tuple[str, ...]
    size: int


@dataclasses.dataclass(frozen=True)
class Format:
    """A file format.

    `inspect` gives the schema, of the first rows where the format keeps none. There `scan` gives that
    of all rows, for some columns. `infers_types` says that values are text, whose types are inferred;
    `open_fields` that a row may bring a column that no row before it had. `log` gives what a log says
    of the files of a table.
    """

    name: str
    ending: str  # a regular expression; "" for what a log in the folder shows
    inspect: Callable[[str, Rules], Inspected]
    read: Callable[[str, ReadOptions], Iterator[pa.RecordBatch]]
    parts: Callable[[str], list[Part]] = whole
    scan: Callable[[str, Sequence[str], Rules], Inspected] | None = None
    infers_types: bool = False
    open_fields: bool = False
    log: Callable[[str], Log] | None = None


def open_stream(path: str) -> Any:
    """The bytes of a file from its beginning on, unpacked where its ending says that they are packed."""
    file_system, name = in_arrow(path)
    return file_system.open_input_stream(name, compression="detect")
