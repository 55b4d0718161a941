# SPDX-License-Identifier: Apache-2.0
"""The reader: files or tables in, a stream of Arrow batches out, of any length."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from benison.data import discovery, schemas, shards
from benison.data.ahead import begun_ahead
from benison.data.discovery import DataFile
from benison.data.formats import FORMATS
from benison.data.frames import Frame, frame_of
from benison.data.queries import address_of, queried
from benison.data.reading import Format, Inspected, Part, Rules
from benison.data.shards import BATCH_ROWS, Scan, Shard
from benison.errors import DataError
from benison.paths import Facts, RemotePath, facts, locate


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """A file of the dataset; `rows` is None when only reading it would tell.

    `values` are those that all of its rows have because of the folders in which it is.
    """

    path: str
    facts: Facts
    rows: int | None
    values: schemas.Values = ()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Evaluation data: files of one format, or a table in memory."""

    files: tuple[FileInfo, ...]
    format: str
    schema: pa.Schema
    table: Frame | None = None
    sources: tuple[str, ...] = ()
    """What was asked for: absolute paths, globs or directories, or a query; nothing for a table."""
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The columns that cannot be read, and why; they do not matter unless they are asked for."""
    rules: Rules = Rules()

    @classmethod
    def open(
        cls,
        source: Any,
        format: str | None = None,  # noqa: A002 - the field's word
        rules: Rules = Rules(),  # noqa: B008 - it is frozen
    ) -> Dataset:
        """Find the data and read their schema.

        Args:
            source: A path, a glob, a directory or a list of them; or an Arrow Table or
                RecordBatch, a DataFrame of pandas, Polars or another library of Arrow's, a dataset of
                Arrow's; or an address with a query, as `duckdb://eval.duckdb#SELECT * FROM trips`.
            format: One of parquet, csv, jsonl, arrow, orc, avro, scores, tfrecord; None to tell by the
                endings.
            rules: How values are read.

        Raises:
            DataError: A file is missing, empty, damaged or of an unknown format.
        """
        rows = queried(source)
        frame = frame_of(source if rows is None else rows)
        if frame is not None:
            schema, refused = schemas.unified([("The table", Inspected(frame.schema))])
            asked = () if rows is None else (address_of(source),)
            return cls((), "memory", schema, frame, asked, refused, rules)
        files = discovery.find(source)
        name = format or discovery.common_format(files)
        if name not in FORMATS:
            raise DataError(
                f"There is no format {name!r}. There are: {', '.join(sorted(FORMATS))}."
            )
        opened = discovery.of_each(lambda file: _opened(file, FORMATS[name], rules), files)
        return cls._of_files(opened, name, discovery.sources(source), rules)

    @classmethod
    def _of_files(
        cls,
        opened: Sequence[tuple[DataFile, Facts, Inspected]],
        name: str,
        sources: tuple[str, ...],
        rules: Rules,
    ) -> Dataset:
        schema, refused = schemas.unified((file.path, of) for file, _, of in opened)
        if not schema.names and not refused:
            several = f" and {len(opened) - 1:,} more" if len(opened) > 1 else ""
            nothing = "records, or records without features" if name == "tfrecord" else "rows"
            raise DataError(f"{opened[0][0].path}{several}: there are no {nothing}.")
        known = {*schema.names, *refused}
        of_folders = [tuple(v for v in f.values if v[0] not in known) for f, _, _ in opened]
        fields, texts = schemas.of_folders(of_folders)
        files = tuple(
            FileInfo(file.path, facts, of.rows, values)
            for (file, facts, of), values in zip(opened, of_folders, strict=True)
        )
        schema = pa.schema([*schema, *fields])
        schema = schemas.with_types(schema, rules.types, add=FORMATS[name].open_fields)
        texts = texts.union(*(of.texts for _, _, of in opened)) - rules.types.keys()
        rules = dataclasses.replace(rules, texts=texts)
        return cls(files, name, schema, None, sources, refused, rules)

    @property
    def names(self) -> list[str]:
        """The columns, also those that cannot be read."""
        return [*self.schema.names, *self.refused]

    def kind_of(self, name: str) -> pa.DataType:
        """The type of the values of a column; where a table in memory does not say it, they are converted.

        Raises:
            DataError: They cannot be converted.
        """
        kind = self.schema.field(name).type
        if self.table is not None and pa.types.is_null(kind):
            kind = self.table.column(name).type
        return kind.value_type if pa.types.is_dictionary(kind) else kind

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

    def knowing(self, columns: Iterable[str]) -> Dataset:
        """The dataset with fields that no first row has, if some of the columns are such fields.

        Args:
            columns: What is asked for; a field that no row has is not in the schema then either.
        """
        unknown = sorted({*columns} - {*self.names})
        is_open = self.format in FORMATS and FORMATS[self.format].open_fields
        return self.scanned(unknown) if unknown and is_open else self

    def prepared(self, columns: Sequence[str] | None, sliced: Iterable[str] = ()) -> Dataset:
        """The dataset as it is read for some columns; None is all.

        Args:
            columns: What is read.
            sliced: Those that slices look at, which see numbers as they are written where these are
                not written as numbers are printed.

        Raises:
            DataError: A column is missing, or cannot be read.
        """
        known = self if columns is None else self.knowing(columns)
        known.check(known.names if columns is None else columns)
        rules = dataclasses.replace(known.rules, sliced=frozenset(sliced))
        if known.format == "csv":
            rules = schemas.first_texts([file.path for file in known.files], known.schema, rules)
        return dataclasses.replace(known, rules=rules)

    def check(self, columns: Sequence[str]) -> None:
        """Refuse columns that the data do not have, or that cannot be read."""
        for column in columns:
            if column not in self.names:
                raise DataError.from_missing_column(column, self.names, self.describe())
            if column in self.refused:
                raise DataError(self.refused[column])

    @property
    def infers_types(self) -> bool:
        """Whether values are text, and types those that the first rows seem to have."""
        return self.format in FORMATS and FORMATS[self.format].infers_types

    def scanned(self, columns: Iterable[str]) -> Dataset:
        """The dataset with the types of some columns over all rows, where its files do not say them.

        Raises:
            DataError: A file is damaged.
        """
        return self.widened([scan.run() for scan in self.scans(columns)])

    def scans(self, columns: Iterable[str]) -> list[Scan]:
        """What finds the types of some columns over all rows, one for each file."""
        of_folders = {name for file in self.files for name, _ in file.values}
        wanted = tuple(sorted({*columns} - of_folders - self.rules.types.keys()))
        is_scanned = self.format in FORMATS and FORMATS[self.format].scan is not None
        files = self.files if is_scanned and wanted else ()
        return [Scan(file.path, self.format, wanted, self.rules) for file in files]

    def widened(self, files: Sequence[tuple[str, Inspected]]) -> Dataset:
        """The dataset with the types that scans of all files gave, each with its path."""
        if not files:
            return self
        schema, refused = schemas.unified(files)
        kept = [field for field in self.schema if field.name not in schema.names]
        texts = self.rules.texts.union(*(of.texts for _, of in files))
        return dataclasses.replace(
            self,
            schema=pa.schema([*kept, *schema]),
            refused={**self.refused, **refused},
            rules=dataclasses.replace(self.rules, texts=texts),
        )

    def refitted(self, column: str, columns: Sequence[str] | None) -> Dataset:
        """The dataset for another pass, after a value of `column` did not fit.

        Types are those over all rows. What does not fit even then are integers that are not floats,
        which slices see as text.
        """
        fitted = self.scanned(self.names if columns is None else columns)
        if fitted.schema.field(column).type != self.schema.field(column).type:
            return fitted
        rules = dataclasses.replace(fitted.rules, texts=fitted.rules.texts | {column})
        return dataclasses.replace(fitted, rules=rules)

    def shards(self) -> tuple[Shard, ...]:
        """What can be read apart, in the order of files and rows."""
        split = FORMATS[self.format].parts
        return tuple(
            self._shard(file, part)
            for file in self.files
            for part in shards.reading(file.path, self.format, split)
        )

    def _shard(self, file: FileInfo, part: Part = Part()) -> Shard:  # noqa: B008 - it is frozen
        return Shard(file.path, self.format, self.schema, part, self.rules, file.values)

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
            MisfitError: A value is not of the type of the rows before it; read again what `refitted` gives.
        """
        names = self.names if columns is None else list(columns)
        self.check(names)
        if self.table is not None:
            read = functools.partial(
                shards.read_frame, self.table, rules=self.rules, batch_size=batch_size
            )
            yield from (
                shards.with_numbers(read, names, self.names, self.rules, ("", 0))
                if number
                else read(names)
            )
            return
        parts = (
            shards.read_shard(self._shard(file), names, batch_size, keep_input, number)
            for file in self.files
        )
        # What is fetched takes a while, which a file of this machine does not.
        if any(isinstance(locate(file.path), RemotePath) for file in self.files[1:]):
            yield from begun_ahead(parts)
        else:
            yield from chain.from_iterable(parts)

    def describe(self) -> str:
        """How messages call the data."""
        if self.table is not None:
            return "The table"
        return self.files[0].path if len(self.files) == 1 else f"The data ({len(self.files)} files)"


def _opened(file: DataFile, reader: Format, rules: Rules) -> tuple[DataFile, Facts, Inspected]:
    known = facts_of(file.path, reader.name)
    if reader.ending and reader.scan is None and not known.st_size:
        raise DataError(f"{file.path} is empty (0 bytes).")
    return file, known, shards.reading(file.path, reader.name, _named, reader, rules)


def facts_of(path: str, format_: str) -> Facts:
    """What tells at little cost whether a file, or a table whose log names its files, is as before.

    Raises:
        DataError: It is not there, or cannot be read.
    """
    read_log = FORMATS[format_].log
    if read_log is None:
        return shards.reading(path, format_, lambda name: facts(locate(name)))
    log = shards.reading(path, format_, read_log)
    return Facts(log.size, 0, version=hashlib.sha256(log.text.encode()).hexdigest())


def _named(path: str, reader: Format, rules: Rules) -> Inspected:
    inspected = reader.inspect(path, rules)
    inspected.schema.names  # noqa: B018 - decodes them
    return inspected
