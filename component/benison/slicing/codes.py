# SPDX-License-Identifier: Apache-2.0
"""Assigns the rows of a batch to slices by integer codes, and sums by slice.

Letters in shapes: N rows of the batch, S slices, K slicing specs, M (row, slice) pairs.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index
from benison.slicing.spans import spans

Part: TypeAlias = "tuple[Index | None, Index]"
Parts: TypeAlias = tuple[Part, ...]
Columns: TypeAlias = "Callable[[Any], Iterable[Array | None]]"

# A table of so many cells, 256 kB, stays in the processor's cache while rows are added up in it.
_CROSSED_CELLS = 2**15
# A table of so many cells, 4 MB, is counted in faster than its parts one after the other.
_TABLE_CELLS = 2**19
# Values that are added up before their sum joins the total; see `grouped_sum`.
_SUM_BLOCK = 2**13
# Rows that are counted at a time, whose keys stay in the cache.
_COUNT_BLOCK = 2**15


@dataclasses.dataclass(frozen=True)
class Crossed:
    """Parts of slice codes as the cells of one table, so that they are added up at once.

    Attributes:
        parts: Which parts.
        keys: The cell of each row, int64[N].
        first: The lowest code of each part.
        shape: How many codes of each there are.
    """

    parts: tuple[int, ...]
    keys: npt.NDArray[np.int64]
    first: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, parts: Parts) -> Crossed | None:
        """As many parts as make a table that is small beside the rows; None for fewer than two.

        A part with all rows in one slice, as Overall, is a margin of any table.
        """
        chosen: list[int] = []
        first: list[int] = []
        shape: list[int] = []
        for i, (rows, codes) in enumerate(parts):
            if rows is not None or not len(codes):
                continue
            low, span = _range_of(codes)
            most = min(_CROSSED_CELLS, len(codes) // 4)
            if math.prod(shape) * span <= most:
                chosen, first, shape = [*chosen, i], [*first, low], [*shape, span]
        columns = [parts[i][1] for i in chosen]
        if len(chosen) < 2 or all(map(is_repeated, columns)):  # noqa: PLR2004 - one is no cross
            return None
        return cls(tuple(chosen), _keys_of(columns, first, shape), tuple(first), tuple(shape))

    @property
    def size(self) -> int:
        """How many cells there are."""
        return math.prod(self.shape)

    def add_margins(self, table: npt.NDArray[Any], total: npt.NDArray[Any]) -> None:
        """Add the sums of each part's codes, of [cells, ...], to the total of slices, [S, ...]."""
        for low, span in zip(reversed(self.first), reversed(self.shape), strict=True):
            by_code = table.reshape(-1, span, *table.shape[1:])
            total[low : low + span] += by_code.sum(axis=0)
            table = by_code.sum(axis=1)


def _range_of(codes: Index) -> tuple[int, int]:
    """The lowest code and how many there are from it to the highest."""
    low = int(codes[0]) if is_repeated(codes) else int(codes.min())
    return low, 1 if is_repeated(codes) else int(codes.max()) - low + 1


def _keys_of(columns: Sequence[Index], first: Sequence[int], shape: Sequence[int]) -> Index:
    """The cell of each row in the table of these columns: int64[N]."""
    keys = np.zeros(len(columns[0]), np.int64)
    for start in range(0, len(keys), _COUNT_BLOCK):
        block = keys[start : start + _COUNT_BLOCK]
        for codes, low, span in zip(columns, first, shape, strict=True):
            if span > 1:
                block *= span
                block += codes[start : start + _COUNT_BLOCK]
                block -= low
    return keys


@dataclasses.dataclass(frozen=True)
class SliceCodes:
    """Which rows are in which of `size` slices.

    There is a part for each slicing spec: `codes`, int64[M] in [0, S), and `rows`, int64[M], the row of each
    code, ascending. `rows` is None if the part has one code for every row, in order. A row is in a slice at
    most once. `known_counts` is what `count` gives, where it was counted before.
    """

    size: int
    parts: Parts
    known_counts: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(cls, codes: Any, size: int) -> SliceCodes:
        """One part with a code for every row."""
        return cls(size, ((None, np.asarray(codes, np.int64)),))

    def take(self, rows: npt.NDArray[np.int64]) -> SliceCodes:
        """The codes of the rows `rows`, of which some may be there more than once.

        >>> codes = SliceCodes(2, ((np.array([0, 2]), np.array([0, 1])),))
        >>> codes.take(np.array([2, 1, 2])).parts
        ((array([0, 2]), array([1, 1])),)
        """
        return SliceCodes(self.size, tuple(_take(*part, rows) for part in self.parts))

    def count(self) -> npt.NDArray[np.int64]:
        """Rows in each slice: int64[S]."""
        return self._counts

    @functools.cached_property
    def _counts(self) -> npt.NDArray[np.int64]:
        if self.known_counts is not None:
            return self.known_counts
        counts = [grouped_count(codes, self.size) for _, codes in self.parts]
        return np.sum(counts, axis=0, dtype=np.int64) if counts else np.zeros(self.size, np.int64)

    def sum(self, values: Array) -> Array:
        """Sum of float64[N] over the rows of each slice: float64[S].

        >>> SliceCodes.of([0, 1, 0], size=3).sum(np.array([1.0, 2.0, 4.0]))
        array([5., 2., 0.])
        """
        total = np.zeros(self.size)
        for rows, codes in self._apart:
            total += grouped_sum(codes, _at(values, rows), self.size)
        if self._crossed is not None:
            sums = grouped_sum(self._crossed.keys, values, self._crossed.size)
            self._crossed.add_margins(sums, total)
        return total

    def sums(self, of: Columns, count: int) -> Array:
        """What `sum` gives of `count` columns that are made of some rows at a time: float64[count, S].

        Columns of all rows would each take fresh memory, which costs more than to add them up.

        Args:
            of: Makes the columns of the rows that it is given, float64[n] each; None adds nothing.
            count: How many there are.

        >>> values = np.array([1.0, 2.0, 4.0])
        >>> SliceCodes.of([0, 1, 0], size=2).sums(lambda at: (values[at], values[at] ** 2), 2)
        array([[ 5.,  2.],
               [17.,  4.]])
        """
        total = np.zeros((count, self.size))
        for rows, codes in self._apart:
            if rows is not None:
                _add_sums([(codes, total)], rows, of)
        whole = [(codes, total) for rows, codes in self._apart if rows is None]
        if self._crossed is None:
            _add_sums(whole, None, of)
            return total
        table = np.zeros((count, self._crossed.size))
        _add_sums([*whole, (self._crossed.keys, table)], None, of)
        for cells, sums in zip(table, total, strict=True):
            self._crossed.add_margins(cells, sums)
        return total

    def tabulate(self, cells: npt.NDArray[Any], width: int) -> npt.NDArray[np.int64]:
        """How many rows of each slice are in each of the cells, integers[N] in [0, width): int64[S, width].

        >>> SliceCodes.of([0, 1, 0], size=2).tabulate(np.array([2, 0, 2]), 3)
        array([[0, 0, 2],
               [1, 0, 0]])
        """
        table = np.zeros((self.size, width), np.int64)
        if self._crossed is None or self._crossed.size * width > min(_TABLE_CELLS, 2 * len(cells)):
            self._add_apart(table, cells)
            return table
        for rows, codes in self._apart:
            table += _counts_of(codes, rows, cells, table.shape)
        crossed = self._crossed.size, width
        self._crossed.add_margins(_counts_of(self._crossed.keys, None, cells, crossed), table)
        return table

    def _add_apart(self, table: npt.NDArray[np.int64], cells: npt.NDArray[Any]) -> None:
        """Add to a table, int64[S, width], part by part; Overall from the one that adds up to it."""
        whole, parted = self.nested or (None, None)
        for part in self.parts:
            if part is whole:
                continue
            counts = _counts_of(part[1], part[0], cells, table.shape)
            table += counts
            if whole is not None and part is parted:
                table[whole[1][0]] += counts.sum(axis=0)

    def count_of(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """How many of the rows that are `chosen`, bool[N], are in each slice: int64[S].

        >>> SliceCodes.of([0, 1, 0], size=3).count_of(np.array([True, False, False]))
        array([1, 0, 0])
        """
        if chosen.all():
            return self.count()
        if not chosen.any():
            return np.zeros(self.size, np.int64)
        return np.asarray(np.rint(self.sum(chosen.astype(np.float64))), np.int64)

    @property
    def _apart(self) -> Parts:
        """The parts that are not crossed."""
        crossed = () if self._crossed is None else self._crossed.parts
        return tuple(part for i, part in enumerate(self.parts) if i not in crossed)

    @functools.cached_property
    def _crossed(self) -> Crossed | None:
        """Parts with a code for every row, of few slices, as one."""
        return Crossed.of(self.parts)

    def centred(self, values: Array, means: Array) -> Array:
        """Each value less the mean of its slice, in the order of `expand`: float64[M]."""
        parts = [_at(values, rows) - means[codes] for rows, codes in self.parts]
        return np.concatenate(parts) if parts else values[:0]

    def sum_expanded(self, values: Array) -> Array:
        """Sum of float64[M], in the order of `expand`, over the rows of each slice: float64[S]."""
        total, start = np.zeros(self.size), 0
        for _, codes in self.parts:
            total += grouped_sum(codes, values[start : start + len(codes)], self.size)
            start += len(codes)
        return total

    def keys(
        self, cells: npt.NDArray[np.int64], width: int
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]]:
        """For each part `code * width + cell` of its codes, for cells in [0, width), and its rows."""
        for part in self.parts:
            yield self.keys_of(part, cells, width)

    @staticmethod
    def keys_of(part: Part, cells: npt.NDArray[Any], width: int) -> tuple[Index, Index | None]:
        """`code * width + cell` of the codes of one part, for cells in [0, width), as these are; its rows."""
        rows, codes = part
        if is_repeated(codes):
            return _at(cells, rows) + cells.dtype.type(codes[0] * width), rows
        keys = codes.astype(cells.dtype)
        keys *= width
        keys += _at(cells, rows)
        return keys, rows

    @property
    def memberships(self) -> int:
        """Rows in slices: one in three slices counts three times."""
        return sum(len(codes) for _, codes in self.parts)

    def in_slices(self, chosen: npt.NDArray[np.bool_]) -> SliceCodes:
        """The same rows, in those slices alone that are `chosen`, bool[S]."""
        if chosen.all():
            return self
        return SliceCodes(self.size, tuple(_kept(*part, chosen[part[1]]) for part in self.parts))

    def relabelled(self, index: Index, size: int) -> SliceCodes:
        """Slice i becomes slice `index[i]` of `size`; no two slices become one."""
        if len(index) == size and np.array_equal(index, np.arange(size)):
            return self
        parts = tuple(
            (
                rows,
                repeated(int(index[codes[0]]), len(codes)) if is_repeated(codes) else index[codes],
            )
            for rows, codes in self.parts
        )
        return SliceCodes(size, parts)

    @property
    def nested(self) -> tuple[Part, Part] | None:
        """The part with all rows in one slice, and one with each row in a slice, whose sums add up to it.

        None where there are not both.
        """
        whole = [part for part in self.parts if part[0] is None and is_repeated(part[1])]
        others = [part for part in self.parts if part[0] is None and not is_repeated(part[1])]
        return (whole[0], others[0]) if whole and others and len(others[0][1]) else None

    def expand(self, values: Array) -> Array:
        """float64[N] with one entry for each (row, slice) pair, part by part: float64[M]."""
        return (
            np.concatenate([_at(values, rows) for rows, _ in self.parts])
            if self.parts
            else values[:0]
        )


def _kept(rows: Index | None, codes: Index, kept: npt.NDArray[np.bool_]) -> Part:
    if kept.all():
        return rows, codes
    at = np.flatnonzero(kept)
    return at if rows is None else rows[at], codes[at]


def _take(
    known: npt.NDArray[np.int64] | None,
    codes: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.int64]]:
    """The codes of some rows in one part, whose rows `known` are ascending."""
    if known is None:
        return None, codes[rows]
    first, last = (np.searchsorted(known, rows, side=side) for side in ("left", "right"))
    return np.repeat(np.arange(len(rows)), last - first), codes[spans(first, last)]


def _at(values: npt.NDArray[Any], rows: npt.NDArray[np.int64] | slice | None) -> npt.NDArray[Any]:
    return values if rows is None else values[rows]


def repeated(code: int, count: int) -> npt.NDArray[np.int64]:
    """The same code for each of `count` rows, which all read the one number: int64[count], read-only."""
    return np.broadcast_to(np.int64(code), count)


def is_repeated(codes: npt.NDArray[Any]) -> bool:
    """Whether codes are those of `repeated`, and there is one at least."""
    return len(codes) > 0 and codes.strides == (0,)


def grouped_count(codes: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """How many codes there are of each number in [0, size): int64[size]."""
    if not is_repeated(codes):
        return np.bincount(codes, minlength=size)
    counts = np.zeros(size, np.int64)
    counts[codes[0]] = len(codes)
    return counts


def grouped_sum(keys: npt.NDArray[np.int64], values: Array, size: int) -> Array:
    """Sum of float64[N] by key, for keys in [0, size): float64[size].

    Sums are made block by block, which bounds the rounding error by that of a block and of the
    number of blocks rather than of all rows; so sums agree to 1e-12 however the rows are split into
    batches.
    """
    total = np.zeros((1, size))
    if is_repeated(keys):
        total[0, keys[0]] = values.sum()
    else:
        _add_sums([(keys, total)], None, lambda rows: (values[rows],))
    return np.asarray(total[0])


def _counts_of(
    keys: Index, rows: Index | None, cells: npt.NDArray[Any], shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """How many rows there are by key and cell: int64[keys, width].

    They are counted block by block: fresh memory for all of them would cost more than to count.
    """
    size, width = math.prod(shape), np.int64(shape[-1])
    block, table = max(_COUNT_BLOCK, size), np.zeros(0, np.int64)
    for start in range(0, len(keys), block):
        own = slice(start, start + block)
        places = keys[own] * width
        places += _at(cells, own if rows is None else rows[own])
        counts = np.bincount(places, minlength=size)
        table = table + counts if start else counts
    return table.reshape(shape) if len(table) else np.zeros(shape, np.int64)


def _add_sums(tables: Sequence[tuple[Index, Array]], rows: Index | None, of: Columns) -> None:
    """Add to tables, float64[count, S], the columns of rows by their keys; see `SliceCodes.sums`."""
    sizes = [total.shape[1] for keys, total in tables if not is_repeated(keys)]
    block = max(_SUM_BLOCK, 4 * max(sizes)) if sizes else _COUNT_BLOCK
    for start in range(0, len(tables[0][0]) if tables else 0, block):  # each is one vectorised sum
        own = slice(start, start + block)
        for i, values in enumerate(of(own if rows is None else rows[own])):
            if values is None:
                continue
            for keys, total in tables:
                if is_repeated(keys):  # to add to one number again takes twenty times as long
                    total[i, keys[0]] += values.sum()
                else:
                    total[i] += np.bincount(keys[own], values, minlength=total.shape[1])
