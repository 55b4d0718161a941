# SPDX-License-Identifier: Apache-2.0
"""What drift looks at in a column: how often each value is there, as a state that merges."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.data.batch import Array, Index
from benison.data.dataset import Dataset
from benison.data.values import is_list, is_number, undictionary
from benison.data.widening import MisfitError
from benison.errors import DataError
from benison.slicing.bin_edges import DistinctNumbers, places

CELLS = 10
"""Into how many cells of equally many rows of the reference numbers go."""
TOP = 1_000
"""So many of the reference's most frequent texts have a cell each."""

_MISSING, _OTHER = "missing", "other"
_MOST_TEXTS = 2_000_000


@dataclasses.dataclass(frozen=True)
class Numbers:
    """A column of numbers: its distinct ones, and the rows where it is missing or NaN."""

    distinct: DistinctNumbers
    missing: int

    @classmethod
    def of(cls, name: str, column: pa.Array) -> Numbers:
        """Of one batch."""
        distinct = DistinctNumbers.of(name, column)
        return cls(distinct, len(column) - int(distinct.counts.sum()))

    def merge(self, name: str, other: Numbers) -> Numbers:
        """Of the rows of both."""
        distinct = DistinctNumbers.merged(name, [self.distinct, other.distinct])
        return Numbers(distinct, self.missing + other.missing)


@dataclasses.dataclass(frozen=True)
class Texts:
    """A column of text, booleans or other values: how often each is there, and the rows without one."""

    counts: Mapping[str, int]
    missing: int

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
        return Texts(counts, self.missing + other.missing)


Column: TypeAlias = "Numbers | Texts"
Profile: TypeAlias = "dict[str, Column]"


def profile_of(dataset: Dataset, columns: Sequence[str]) -> Profile:
    """The profile of columns over all rows; a second time if a later value does not fit the first ones.

    Raises:
        DataError: There is no row, or a column cannot be read.
    """
    known = dataset.prepared(columns)
    try:
        return _of_batches(known.batches(columns), columns, dataset)
    except MisfitError as misfit:
        refitted = known.refitted(misfit.column, columns)
        return _of_batches(refitted.batches(columns), columns, dataset)


def _of_batches(
    batches: Iterable[pa.RecordBatch], columns: Sequence[str], dataset: Dataset
) -> Profile:
    parts = ({name: _of_column(name, batch.column(name)) for name in columns} for batch in batches)
    first = next(parts, None)
    if first is None:
        raise DataError(f"{dataset.describe()} holds no rows, so there is nothing to compare.")
    return reduce(_merged, parts, first)


def _of_column(name: str, column: pa.Array) -> Column:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_list(kind) or pa.types.is_struct(kind):
        raise DataError(f"Column {name!r} holds {kind}, which has no distribution; leave it out.")
    if is_number(kind) and not pa.types.is_boolean(kind):
        return Numbers.of(name, column)
    return Texts.of(column)


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
        starts, held = [0], 0.0
        for cell, rows in enumerate(expected.tolist()):
            if held >= least:
                starts.append(cell)
                held = 0.0
            held += rows
        if held < least and len(starts) > 1:
            starts.pop()
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
    kinds = ["numbers" if isinstance(of, Numbers) else "text" for of in (reference, current)]
    raise DataError(
        f"Column {name!r} is of {kinds[0]} in the reference and of {kinds[1]} in the current data. Give both "
        "one type, in CSV with options.column_types."
    )


def _as(column: Column, other: Column) -> Column:
    """A column without any value as one of the kind of the other."""
    if isinstance(column, Texts) and isinstance(other, Numbers) and not column.counts:
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
    frequent = sorted(reference.counts, key=lambda text: (-reference.counts[text], text))[:TOP]
    rows: list[npt.NDArray[np.int64]] = []
    for of in (reference, current):
        own = [of.counts.get(text, 0) for text in frequent]
        rows.append(np.array([*own, sum(of.counts.values()) - sum(own), of.missing], np.int64))
    names = [text or "empty text" for text in frequent]
    return CellRows([*names, _OTHER, _MISSING], *rows)


def distribution_gap(reference: Numbers, current: Numbers) -> Array:
    """The difference of both distribution functions at each of M numbers, as Kolmogorov's: float64[M]."""
    numbers = np.union1d(reference.distinct.numbers, current.distinct.numbers)
    below = [_share_up_to(of.distinct, numbers) for of in (reference, current)]
    return np.asarray(below[1] - below[0])


def _share_up_to(held: DistinctNumbers, numbers: npt.NDArray[np.float64]) -> Array:
    ends = np.concatenate([[0], np.cumsum(held.counts)])
    shares = ends[np.searchsorted(held.numbers, numbers, side="right")] / max(int(ends[-1]), 1)
    return np.asarray(shares, np.float64)
