# SPDX-License-Identifier: Apache-2.0
"""Profiles as small tables, which are kept beside results so that the data need not be read again."""

from __future__ import annotations

import itertools
import os
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benison.drift.profiles import Column, Numbers, Profiles, Texts, frequent_texts
from benison.errors import BenisonError, DataError, OutputError
from benison.paths import Location, RemotePath, in_arrow, locate, write_whole
from benison.slicing.bin_edges import DistinctNumbers
from benison.slicing.keys import SLICE_KEY, SliceKey, slice_name
from benison.table.row_files import read_rows
from benison.table.schema import PROFILE_SCHEMA
from benison.table.slices import as_key

FILE = "profile.parquet"
RANKS = 4_000
"""So many parts of equally many rows numbers have; a multiple of `CELLS`, whose ends are among theirs."""

_VALUE, _MISSING, _OTHER, _HELD = "value", "missing", "other", "distinct"
_NUMBERS, _RANKS, _TEXTS = "numbers", "ranks", "texts"


def coarse(numbers: Numbers) -> Numbers:
    """With few numbers, each of which stands for those from it up to the next.

    Shares of rows below each of them are exact, so cells that end there are those of all numbers.
    """
    held = numbers.distinct
    if len(held.numbers) <= RANKS:
        return numbers
    ends = np.cumsum(held.counts)
    ranks = int(ends[-1]) * np.arange(RANKS) // RANKS
    finite = np.flatnonzero(np.isfinite(held.numbers.astype(np.float64)))
    ends_of = np.array([0, len(ends) - 1, finite[0], finite[-1]])
    starts = np.union1d(np.searchsorted(ends, ranks, side="right"), ends_of)
    counts = np.add.reduceat(held.counts, starts)
    few = DistinctNumbers(held.numbers[starts], counts)
    return Numbers(few, numbers.missing, True, numbers.distinct_numbers)


def frequent(texts: Texts) -> Texts:
    """With the most frequent texts alone; all others are counted as one."""
    counts = {text: texts.counts[text] for text in frequent_texts(texts)}
    return Texts(counts, texts.missing, texts.rows - sum(counts.values()))


def stored(profiles: Profiles) -> pa.Table:
    """Profiles as `PROFILE_SCHEMA` has them, of at most some thousand rows for each column of a slice."""
    parts = [_stored(key, name, of) for key, each in profiles.items() for name, of in each.items()]
    return pa.concat_tables([PROFILE_SCHEMA.empty_table(), *parts])


def _stored(key: SliceKey, name: str, column: Column) -> pa.Table:
    if isinstance(column, Numbers):
        few = coarse(column)
        numbers = pa.array(few.distinct.numbers.astype(np.float64))
        counts, kind = few.distinct.counts.tolist(), _RANKS if few.is_coarse else _NUMBERS
        behind = {_MISSING: column.missing}
        if few.held is not None:
            behind = {_HELD: few.held, **behind}
        rows = [*counts, *behind.values()]
        return _table((key, name, kind), numbers, None, rows, [*behind])
    texts = frequent(column)
    rows = [*texts.counts.values(), texts.other, texts.missing]
    names = pa.array([*texts.counts], pa.string())
    return _table((key, name, _TEXTS), None, names, rows, [_OTHER, _MISSING])


def _table(
    of: tuple[SliceKey, str, str],
    numbers: pa.Array | None,
    texts: pa.Array | None,
    rows: list[int],
    kinds: list[str],
) -> pa.Table:
    """The rows of one column: values, and behind them the kinds that have none."""
    size, behind = len(rows), len(kinds)
    number = pa.nulls(size, pa.float64())
    text = pa.nulls(size, pa.string())
    if numbers is not None:
        number = pa.concat_arrays([numbers, pa.nulls(behind, pa.float64())])
    if texts is not None:
        text = pa.concat_arrays([texts, pa.nulls(behind, pa.string())])
    kind = [*[_VALUE] * (size - behind), *kinds]
    key, name, type_ = of
    pairs = pa.array([[{"feature": f, "value": v} for f, v in key]], SLICE_KEY)
    keys = pa.DictionaryArray.from_arrays(np.zeros(size, np.int32), pairs).dictionary_decode()
    words = ([word] * size for word in (slice_name(key), name, type_))
    columns = [*words, kind, number, text, rows, keys]
    return pa.table(columns, schema=PROFILE_SCHEMA)


def restored(table: pa.Table) -> Profiles:
    """The profiles that `stored` made a table of.

    Raises:
        DataError: It is none.
    """
    try:
        rows = table.cast(PROFILE_SCHEMA)
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"The profile has not the columns of one: {error}.") from error
    profiles: Profiles = {}
    ends = np.flatnonzero(pc.equal(rows["kind"], _MISSING).to_numpy()) + 1  # each column's last row
    for start, end in itertools.pairwise([0, *ends.tolist()]):
        key, name = as_key(rows["slice_key"][start].as_py()), rows["column"][start].as_py()
        profiles.setdefault(key, {})[name] = _restored(rows.slice(start, end - start))
    return profiles


def _restored(rows: pa.Table) -> Column:
    kinds = np.array(rows["kind"].to_pylist())
    counts, is_value = rows["rows"].to_numpy(), kinds == _VALUE
    missing, other = (int(counts[kinds == kind].sum()) for kind in (_MISSING, _OTHER))
    type_ = rows["type"][0].as_py()
    if type_ == _TEXTS:
        texts = rows["text"].filter(pa.array(is_value)).to_pylist()
        return Texts(dict(zip(texts, counts[is_value].tolist(), strict=True)), missing, other)
    numbers = rows["number"].to_numpy()[is_value]
    held = counts[kinds == _HELD].tolist()
    return Numbers(
        DistinctNumbers(numbers, counts[is_value]),
        missing,
        type_ == _RANKS,
        held[0] if held else None,
    )


def profile_file(source: Any) -> Location | None:
    """The file of a profile, where a source is one, or the output of an evaluation that has one.

    Raises:
        DataError: A store cannot be asked.
    """
    if not isinstance(source, (str, os.PathLike, RemotePath)):
        return None
    try:
        path = locate(source)
    except BenisonError:  # such as the address of a query, which is no path
        return None
    if PurePath(str(source)).name.endswith(FILE):
        return path
    try:
        is_output = (path / FILE).is_file() and (path / "verdict.json").is_file()
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error}.") from error
    return path / FILE if is_output else None


def read_profile(file: Location) -> Profiles:
    """Stored profiles.

    Raises:
        DataError: It is not there, or none.
    """
    if not file.is_file():
        raise DataError(f"There is no profile {file}.")
    try:
        return restored(read_rows(file))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read as a profile: {error}.") from error


def write_profile(profiles: Profiles, file: Location) -> None:
    """Store profiles, in place of an earlier profile.

    Raises:
        OutputError: There is another file, or it cannot be written; what was there stays.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(stored(profiles), sink)
    try:
        if file.is_file() and not _is_profile(file):
            raise OutputError(
                f"{file} is there and is no profile. Choose another name, or remove it."
            )
        write_whole(file, sink.getvalue().to_pybytes())
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror or error}.") from error


def _is_profile(file: Location) -> bool:
    system, name = in_arrow(file)
    try:
        return {"slice", "column", "type", "kind"} <= {
            *pq.read_schema(name, filesystem=system).names
        }
    except (pa.ArrowException, OSError):
        return False
