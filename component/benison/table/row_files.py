# SPDX-License-Identifier: Apache-2.0
"""Rows of an evaluation that are too many for memory: Parquet files, on their way to an output or in it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benison.paths import Location, in_arrow

ANALYSIS = "analysis"
"""The folder of an output that has such rows, and the output key of those that Benison makes itself."""
FAILED_SLICES = "failed_slices"
"""The output key of the worst rows of slices that failed."""
BY_ERROR, BY_INCREASE = "error", "increase"
"""By what those of a slice are in order: how wrong the model is, or how much more wrong than its baseline."""


@dataclasses.dataclass(frozen=True)
class RowFiles:
    """Rows in Parquet files of one schema, in the order of the data; no rows make no file."""

    paths: tuple[Location, ...] = ()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows, a batch at a time."""
        for path in self.paths:
            file_system, name = in_arrow(path)
            with pq.ParquetFile(name, filesystem=file_system) as file:
                yield from file.iter_batches()

    def table(self) -> pa.Table:
        """All rows at once, a table without columns where there are none."""
        batches = list(self)
        return pa.Table.from_batches(batches) if batches else pa.table({})

    def put_into(self, folder: Path, name: str) -> None:
        """Make the files `name-00000-of-00002.parquet` in a folder; on one disk this copies nothing."""
        folder.mkdir(exist_ok=True)
        for i, path in enumerate(self.paths):
            target = folder / f"{name}-{i:05d}-of-{len(self.paths):05d}.parquet"
            if isinstance(path, Path):
                _linked(path, target)
            else:
                with path.open() as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)


def read_rows(path: Location, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a Parquet file, or some columns of them.

    Arrow's own `read_table` imports an engine for it that it does not need.
    """
    file_system, name = in_arrow(path)
    with pq.ParquetFile(name, filesystem=file_system) as file:
        names = file.schema_arrow.names if columns is None else list(columns)
        # Arrow cannot read lists of a file without row groups.
        rows = file.read(names) if file.num_row_groups else file.schema_arrow.empty_table()
        return rows.select(names)


def _linked(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, target)


def names_of(files: list[str], name: str) -> list[str]:
    """Those of an output's files that hold the rows called `name`.

    >>> names_of(["analysis/a-00000-of-00001.parquet", "analysis/a-b-00000-of-00001.parquet"], "a")
    ['analysis/a-00000-of-00001.parquet']
    """
    return [file for file in sorted(files) if _key_of(file) == name]


def keys_in(files: list[str]) -> list[str]:
    """The names of the rows that an output has."""
    return sorted({key for key in map(_key_of, files) if key})


def _key_of(file: str) -> str:
    folder, _, rest = file.partition("/")
    return rest.rsplit("-", 3)[0] if folder == ANALYSIS else ""
