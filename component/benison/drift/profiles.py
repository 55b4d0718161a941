# SPDX-License-Identifier: Apache-2.0
"""What drift looks at in a column: how often each value is there, as a state that merges."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from benison.config import SlicingSpec
from benison.data.batch import Index
from benison.data.dataset import Dataset
from benison.data.reading import TEXT
from benison.data.values import is_list, is_number, undictionary
from benison.data.widening import MisfitError
from benison.errors import DataError
from benison.slicing.bin_edges import DistinctNumbers, joined_neighbours, places
from benison.slicing.encode import ColumnCodes, SpecCodes, split_values
from benison.slicing.keys import OVERALL, SliceKey
from benison.slicing.periods import Group, check_zones
from benison.slicing.spec_columns import columns_of, written_columns

CELLS = 10
"""Into how many cells of equally many rows of the reference numbers go."""
TOP = 1_000
"""So many of the most frequent texts a profile has."""
_FREQUENT = 20
"""So many rows of the reference a text needs for a cell, where the most frequent ones are chosen by them."""

_MISSING, _OTHER, _RARER = "missing", "other", "texts not among the most frequent now"
_MOST_TEXTS = 2_000_000


@dataclasses.dataclass(frozen=True)
class Numbers:
    """A column of numbers: its distinct ones, and the rows where it is missing or NaN.

    A coarse one has few numbers, each of which stands for those from it up to the next; how many distinct
    ones these are, where that is known, is `held`.
    """

    distinct: DistinctNumbers
    missing: int
    is_coarse: bool = False
    held: int | None = None

    @property
    def distinct_numbers(self) -> int | None:
        """How many distinct numbers there are; None where that is not known."""
        return self.held if self.is_coarse else len(self.distinct.numbers)

    @classmethod
    def of(cls, name: str, column: pa.Array) -> Numbers:
        """Of one batch."""
        distinct = DistinctNumbers.of(name, column)
        return cls(distinct, len(column) - int(distinct.counts.sum()))

    def merge(self, name: str, other: Numbers) -> Numbers:
        """Of the rows of both."""
        distinct = DistinctNumbers.merged(name, [self.distinct, other.distinct])
        return Numbers(distinct, self.missing + other.missing, self.is_coarse or other.is_coarse)


@dataclasses.dataclass(frozen=True)
class Texts:
    """A column of text, booleans or other values: how often each is there, and the rows without one."""

    counts: Mapping[str, int]
    missing: int
    other: int = 0
    """Rows with texts that are not counted one by one."""

    def rows_of(self, texts: Sequence[str]) -> Index:
        """How many rows have each of some texts, int64[len(texts)]; -1 where that is not known."""
        unknown = -1 if self.other else 0
        return np.array([self.counts.get(text, unknown) for text in texts], np.int64)

    @property
    def rows(self) -> int:
        """Those with a text."""
        return sum(self.counts.values()) + self.other

    @classmethod
    def of(cls, column: pa.Array) -> Texts:
        """Of one batch."""
        encoded = undictionary(column).cast(pa.string()).dictionary_encode()
        known = encoded.indices.drop_null()
        sizes = np.bincount(known.to_numpy(zero_copy_only=False), minlength=len(encoded.dictionary))
        names = encoded.dictionary.to_pylist()
        return cls(dict(zip(names, sizes.tolist(), strict=True)), encoded.null_count)

    def merge(self, name: str, other: Texts) -> Texts:
        """Of the rows of both.

        Raises:
            DataError: There are too many different texts, as of an id.
        """
        counts = dict(self.counts)
        for text, count in other.counts.items():
            counts[text] = counts.get(text, 0) + count
        if len(counts) > _MOST_TEXTS:
            raise DataError(
                f"Column {name!r} has more than {_MOST_TEXTS:,} different texts, as an id has; leave it out."
            )
        return Texts(counts, self.missing + other.missing, self.other + other.other)


Column: TypeAlias = "Numbers | Texts"
Profile: TypeAlias = "dict[str, Column]"
"""The columns of some rows, by their names."""
Profiles: TypeAlias = "dict[SliceKey, Profile]"
"""Those of all rows and of slices, by their keys."""


def profiles_of(
    dataset: Dataset, columns: Sequence[str], slices: Sequence[SlicingSpec] = ()
) -> Profiles:
    """The profiles of columns over all rows, and over those of each slice.

    They are made a second time if a later value does not fit the first ones.

    Raises:
        DataError: There is no row, or a column cannot be read.
    """
    wanted = [*dict.fromkeys([*columns, *sorted(columns_of(slices))])]
    known = dataset.prepared(wanted, written_columns(slices))
    try:
        batches = known.batches(wanted)
        return _of_batches(batches, columns, slices, dataset)
    except MisfitError as misfit:
        batches = known.refitted(misfit.column, wanted).batches(wanted)
        return _of_batches(batches, columns, slices, dataset)


def _of_batches(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[str],
    slices: Sequence[SlicingSpec],
    dataset: Dataset,
) -> Profiles:
    total: Profiles = {}
    groups: dict[Group, None] = {}
    for batch in batches:
        codes = _slices_of(batch, slices)
        for each in codes:
            if len(each.values):
                check_zones((each.features, each.kinds), groups)
                groups[each.features, each.kinds] = None
        values = {name: batch.column(name) for name in columns}
        total = merged(total, profiles_of_rows(values, codes))
    if not total:
        raise DataError(f"{dataset.describe()} holds no rows, so there is nothing to compare.")
    return total


def batch_profiles(
    batch: pa.RecordBatch, columns: Sequence[str], slices: Sequence[SlicingSpec] = ()
) -> Profiles:
    """Those of one batch of at least one row."""
    values = {name: batch.column(name) for name in columns}
    return profiles_of_rows(values, _slices_of(batch, slices))


def _slices_of(batch: pa.RecordBatch, slices: Sequence[SlicingSpec]) -> list[SpecCodes]:
    names = batch.schema.names
    texts = {n.removeprefix(TEXT): batch.column(n) for n in names if n.startswith(TEXT)}
    encoded = ColumnCodes(batch, texts)
    return [SpecCodes.of(spec, encoded) for spec in slices]


def profiles_of_rows(columns: Mapping[str, pa.Array], slices: Sequence[SpecCodes]) -> Profiles:
    """Those of all rows, and of each slice of some specs."""
    made = {OVERALL: _profile(columns)}
    for codes in slices:
        for key, rows in _rows_of_slices(codes):
            taken = {name: column.take(pa.array(rows)) for name, column in columns.items()}
            made[key] = _profile(taken)
    return made


def _profile(columns: Mapping[str, pa.Array]) -> Profile:
    return {name: column_profile(name, column) for name, column in columns.items()}


def _rows_of_slices(codes: SpecCodes) -> Iterator[tuple[SliceKey, Index]]:
    """The key and the rows of each slice of a spec; there is none where no row has a value."""
    if not len(codes.values):
        return
    order = np.argsort(codes.codes, kind="stable")
    ends = np.cumsum(codes.counts())
    width = len(codes.features)
    values = split_values(codes.values, width).to_pylist()
    for i, rows in enumerate(np.split(order, ends[:-1])):
        key = zip(codes.features, values[i * width : (i + 1) * width], strict=True)
        yield tuple(sorted(key)), rows if codes.rows is None else codes.rows[rows]


def column_profile(name: str, column: pa.Array) -> Column:
    """That of one column of a batch.

    Raises:
        DataError: It holds lists or structs.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_list(kind) or pa.types.is_struct(kind):
        raise DataError(f"Column {name!r} holds {kind}, which has no distribution; leave it out.")
    if is_number(kind) and not pa.types.is_boolean(kind):
        return Numbers.of(name, column)
    return Texts.of(column)


def merged(a: Profiles, b: Profiles) -> Profiles:
    """Those of the rows of both, which have the same columns."""
    joined = {key: _merged(a[key], b[key]) for key in a if key in b}
    return {**a, **b, **joined}


def _merged(a: Profile, b: Profile) -> Profile:
    return {name: a[name].merge(name, b[name]) for name in a}  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class CellRows:
    """The rows of a reference and of current data in cells of one column: int64[K] each."""

    names: list[str]
    reference: Index
    current: Index

    def pooled(self, least: float) -> CellRows:
        """With neighbours put together until either side expects at least so many rows in each.

        The distributions of distances are those of cells that are not nearly empty.
        """
        held_by_any = np.flatnonzero(self.reference + self.current)
        names = [self.names[cell] for cell in held_by_any]
        return CellRows(names, self.reference[held_by_any], self.current[held_by_any])._joined(
            least
        )

    def _joined(self, least: float) -> CellRows:
        total = self.reference + self.current
        expected = total * (min(self.reference.sum(), self.current.sum()) / max(total.sum(), 1))
        starts = joined_neighbours(expected, least)
        names = [self._name(a, b) for a, b in zip(starts, [*starts[1:], len(total)], strict=True)]
        sums = (np.add.reduceat(of, starts) for of in (self.reference, self.current))
        return CellRows(names, *sums)

    def _name(self, start: int, end: int) -> str:
        return (
            self.names[start]
            if end == start + 1
            else f"{self.names[start]} to {self.names[end - 1]}"
        )


def cells_of(name: str, reference: Column, current: Column) -> CellRows:
    """The rows of both in the cells of the reference.

    Raises:
        DataError: One is of numbers and the other is not.
    """
    reference, current = _as(reference, current), _as(current, reference)
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        return _cells_of_numbers(reference, current)
    if isinstance(reference, Texts) and isinstance(current, Texts):
        return _cells_of_texts(reference, current)
    raise DataError(
        f"Column {name!r} is of {_kind(reference)} in the reference and of {_kind(current)} in the current "
        "data. Write both with one type, or name all but it with -c (columns=)."
    )


def _kind(column: Column) -> str:
    if isinstance(column, Numbers):
        return "numbers"
    return "booleans" if {*column.counts} <= {"true", "false"} else "text"


def _as(column: Column, other: Column) -> Column:
    """A column without any value as one of the kind of the other."""
    is_empty = isinstance(column, Texts) and not column.counts and not column.other
    if isinstance(column, Texts) and isinstance(other, Numbers) and is_empty:
        nothing = DistinctNumbers(other.distinct.numbers[:0], other.distinct.counts[:0])
        return Numbers(nothing, column.missing)
    if (
        isinstance(column, Numbers)
        and isinstance(other, Texts)
        and not len(column.distinct.numbers)
    ):
        return Texts({}, column.missing)
    return column


def _cells_of_numbers(reference: Numbers, current: Numbers) -> CellRows:
    edges = [*reference.distinct.edges(CELLS), *_above(reference.distinct)]
    ends = [f"{edge:.6g}" for edge in edges]
    names = [f"[{low}, {high})" for low, high in zip(["-inf", *ends], [*ends, "inf"], strict=True)]
    names[-1] = f"more than {ends[-1]}" if ends else names[-1]
    rows = [_rows_between(of, edges) for of in (reference, current)]
    return CellRows([*names, "inf", _MISSING], *rows)


def _above(held: DistinctNumbers) -> list[float]:
    """The least number above those of the reference, whose own cell is for what is larger now."""
    finite = held.numbers[np.isfinite(held.numbers)]
    return [float(np.nextafter(float(finite[-1]), np.inf))] if len(finite) else []


def _rows_between(numbers: Numbers, edges: Sequence[float]) -> Index:
    held = numbers.distinct
    cells = np.zeros(len(edges) + 3, np.int64)
    of_number = np.where(held.numbers == np.inf, len(edges) + 1, places(held.numbers, edges))
    np.add.at(cells, of_number, held.counts)
    cells[-1] = numbers.missing
    return cells


def _cells_of_texts(reference: Texts, current: Texts) -> CellRows:
    frequent = _with_cells(reference, current)
    before, now = reference.rows_of(frequent), current.rows_of(frequent)
    known = now >= 0
    rarer, others = int(before[~known].sum()), reference.rows - int(before.sum())
    rest = current.rows - int(now[known].sum())
    rarer_now = min(rest * rarer // max(rarer + others, 1), _most(current, int((~known).sum())))
    names = [frequent[i] or "empty text" for i in np.flatnonzero(known)]
    return CellRows(
        [*names, _RARER, _OTHER, _MISSING],
        np.array([*before[known], rarer, others, reference.missing], np.int64),
        np.array([*now[known], rarer_now, rest - rarer_now, current.missing], np.int64),
    )


def _with_cells(reference: Texts, current: Texts) -> list[str]:
    """The texts with a cell each, in an order that does not depend on how many rows have them.

    The most frequent of one side are less so on the other by chance alone. So they are all texts, or where a
    side does not know all of its own those of the reference that chance makes little of.
    """
    if not reference.other and not current.other:
        return sorted(reference.counts.keys() | current.counts.keys())
    frequent = frequent_texts(reference)
    if not reference.other and len(frequent) == len(reference.counts):
        return sorted(frequent)
    return sorted(text for text in frequent if reference.counts[text] >= _FREQUENT)


def frequent_texts(texts: Texts) -> list[str]:
    """Those that most rows have, the most frequent first."""
    return sorted(texts.counts, key=lambda text: (-texts.counts[text], text))[:TOP]


def _most(of: Texts, texts: int) -> int:
    """How many rows so many texts can have that are not counted one by one.

    None is more frequent than those that are. The distance is the least that may be then.
    """
    return min(of.other, texts * min(of.counts.values(), default=of.other))


def cells_of_each_number(reference: Numbers, current: Numbers) -> tuple[Index, Index]:
    """The rows of both at each of M distinct numbers, or above it up to the next: int64[M] each.

    The numbers are those of the reference where it was stored with few of them, else those of both.
    """
    both = [of.distinct for of in (reference, current)]
    coarse = [of.distinct.numbers for of in (reference, current) if of.is_coarse]
    numbers = coarse[0] if coarse else np.union1d(both[0].numbers, both[1].numbers)
    rows = [np.zeros(len(numbers) + 1, np.int64) for _ in both]
    for cells, of in zip(rows, both, strict=True):
        np.add.at(cells, np.searchsorted(numbers, of.numbers, side="right"), of.counts)
    return rows[0], rows[1]
