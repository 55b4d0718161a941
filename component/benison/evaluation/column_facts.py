# SPDX-License-Identifier: Apache-2.0
"""What the first rows of data say of each column: its kind, how many values it has, and between what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.data.dataset import Dataset
from benison.data.nested import is_nested
from benison.data.values import floats_of, is_list, is_number, is_text, undictionary
from benison.errors import DataError
from benison.slicing.bin_edges import DistinctNumbers
from benison.slicing.periods import are_times

FIRST_ROWS = 50_000
"""How many rows are looked at."""


NUMBER, TEXT, LIST, TEXT_LIST, OTHER = "number", "text", "list", "text list", "other"


@dataclasses.dataclass(frozen=True)
class ColumnFacts:
    """A column by its first rows."""

    name: str
    kind: str
    """`NUMBER`, `TEXT`, `LIST` (of numbers), `TEXT_LIST` or `OTHER`."""
    rows: int
    """The rows with a value."""
    distinct: int
    """How many values it has; of lists, how many numbers the longest has."""
    low: float | None = None
    """The least number, of lists too."""
    high: float | None = None
    """The greatest number, of lists too."""
    whole: bool = False
    """Whether all numbers are whole."""
    share: float = 0.0
    """The share of the rows that have the most frequent value."""
    total: float | None = None
    """The mean over the rows of the sum of a list."""
    quartiles: tuple[float, ...] = ()
    """The numbers that part the rows into four, without repetitions, to three digits."""
    read: int = 0
    """The rows that were looked at."""
    is_time: bool = False
    """Whether its values are timestamps, dates or texts of these."""

    @property
    def is_yes_or_no(self) -> bool:
        """Whether its values are 0 and 1, or false and true."""
        return self.kind == NUMBER and self.whole and (self.low, self.high) == (0, 1)

    @property
    def is_probability(self) -> bool:
        """Whether all numbers are between 0 and 1."""
        return self.low is not None and self.high is not None and self.low >= 0 and self.high <= 1


def facts_of_columns(
    dataset: Dataset, names: Sequence[str] | None = None
) -> dict[str, ColumnFacts]:
    """The facts of these columns, or of each that can be read, by its name.

    Raises:
        DataError: The data are damaged, or have no rows.
    """
    names = dataset.schema.names if names is None else names
    batches = list(_first(dataset.prepared(names).batches(names, FIRST_ROWS)))
    if not batches:
        raise DataError(
            f"{dataset.describe()} has no rows, which would tell what its columns hold."
        )
    table = pa.Table.from_batches(batches).combine_chunks()
    facts = {name: _facts(name, table.column(name).combine_chunks()) for name in names}
    return {n: dataclasses.replace(of, read=table.num_rows) for n, of in facts.items()}


def _first(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    left = FIRST_ROWS
    for batch in batches:
        yield batch.slice(0, left)
        left -= batch.num_rows
        if left <= 0:
            return


def _facts(name: str, column: Any) -> ColumnFacts:
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values = undictionary(values).drop_null()
    kind = values.type
    if is_list(kind) and not is_nested(kind) and is_number(kind.value_type):
        return _of_lists(name, values)
    if is_number(kind) and not pa.types.is_null(kind):
        return _of_numbers(name, floats_of(values))
    if is_text(kind):
        distinct, share = _counted(values)
        is_time = are_times(values.cast(pa.string()))
        return ColumnFacts(name, TEXT, len(values), distinct, share=share, is_time=is_time)
    is_of_texts = is_list(kind) and is_text(kind.value_type)
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    return ColumnFacts(name, TEXT_LIST if is_of_texts else OTHER, len(values), 0, is_time=is_time)


def _of_numbers(name: str, values: Any) -> ColumnFacts:
    values = values.filter(pc.is_finite(values))
    ends, (distinct, share) = pc.min_max(values).as_py(), _counted(values)
    whole = bool(pc.all(pc.equal(values, pc.floor(values))).as_py())
    return ColumnFacts(
        name, NUMBER, len(values), distinct, ends["min"], ends["max"], whole, share,
        quartiles=_quartiles(name, values),
    )  # fmt: skip


def _quartiles(name: str, values: Any) -> tuple[float, ...]:
    rounded = {float(f"{edge:.3g}") for edge in DistinctNumbers.of(name, values).edges(4)}
    return tuple(sorted(rounded))


def _of_lists(name: str, values: Any) -> ColumnFacts:
    numbers = floats_of(pc.list_flatten(values)).drop_null()
    flat = _of_numbers(name, numbers)
    lengths = pc.list_value_length(values)
    most = pc.max(lengths).as_py() or 0
    total = (pc.sum(numbers).as_py() or 0.0) / max(len(values), 1)
    return dataclasses.replace(flat, kind=LIST, rows=len(values), distinct=most, total=total)


def _counted(values: Any) -> tuple[int, float]:
    """How many values there are, and the share of the most frequent of them."""
    counts = pc.value_counts(values).field("counts")
    most = pc.max(counts).as_py() or 0
    return len(counts), most / max(len(values), 1)
