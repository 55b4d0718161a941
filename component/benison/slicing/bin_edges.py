# SPDX-License-Identifier: Apache-2.0
"""Bins of numbers: in which bin a number is, and the edges of the quantiles of a column."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import SlicingSpec
from benison.config.slicing_specs import Edges
from benison.data.values import (
    WHOLE_FLOATS,
    floats_of,
    innermost,
    is_list,
    is_measured,
    undictionary,
    unlisted,
)
from benison.errors import DataError

# Distinct numbers of a column, each of 16 bytes with its count.
_MOST_DISTINCT = 2**26


def places(numbers: npt.NDArray[Any], edges: Sequence[float]) -> npt.NDArray[np.int64]:
    """The bin of each number: int64[N] in [0, number of edges]; an edge is in the bin above it.

    >>> places(np.array([9, 10, 11]), (10, 10.5)).tolist()
    [0, 1, 2]
    """
    return np.searchsorted(_edges(edges, numbers.dtype), numbers, side="right").astype(np.int64)


def _edges(edges: Sequence[float], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Edges as numbers of a column have them: of integers, the least that is not below each."""
    if kind.kind == "f":
        return np.array([float(edge) for edge in edges], np.float64).astype(kind)
    held = np.iinfo(kind)
    whole = (math.ceil(edge) for edge in edges)
    return np.array([max(edge, held.min) for edge in whole if edge <= held.max], kind)


def check_numbers(feature: str, kind: pa.DataType) -> None:
    """Refuse bins of what is no number; raises DataError."""
    if not is_measured(kind):
        raise DataError(
            f"Column {feature!r} holds {innermost(kind)}, and bins are of numbers. Slice by its values with "
            "feature_keys, or say that it is float64 in options.column_types."
        )


def numbers_of(feature: str, column: pa.Array) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Numbers as int64, uint64, float32 or float64[M], and which are missing: bool[M].

    Raises:
        DataError: The column holds something else.
    """
    check_numbers(feature, column.type)
    column = undictionary(column)
    kind = column.type
    if pa.types.is_null(kind) or pa.types.is_decimal(kind):
        column = floats_of(column)
    elif pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    elif pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        column = column.cast(pa.int64())
    missing = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    return pc.fill_null(column, 0).to_numpy(zero_copy_only=False), missing


@dataclasses.dataclass(frozen=True)
class DistinctNumbers:
    """The distinct numbers of a column, ascending, and how often each is there: int64."""

    numbers: npt.NDArray[Any]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, feature: str, column: pa.Array) -> DistinctNumbers:
        """Those of a column of one batch; missing numbers are none.

        Raises:
            DataError: The column holds something else.
        """
        numbers, missing = numbers_of(
            feature, unlisted(column)[0] if is_list(column.type) else column
        )
        return cls(*np.unique(numbers[~missing], return_counts=True))

    @classmethod
    def merged(cls, feature: str, parts: Sequence[DistinctNumbers]) -> DistinctNumbers:
        """Those of all parts of a column.

        Raises:
            DataError: There are too many to be held.
        """
        numbers, places = np.unique(np.concatenate([p.numbers for p in parts]), return_inverse=True)
        if len(numbers) > _MOST_DISTINCT:
            raise DataError(
                f"Column {feature!r} has more than {_MOST_DISTINCT:,} distinct numbers, too many to rank "
                "exactly. Give edges in place of quantiles."
            )
        counts = np.zeros(len(numbers), np.int64)
        np.add.at(counts, places, np.concatenate([p.counts for p in parts]))
        return cls(numbers, counts)

    def edges(self, quantiles: int) -> tuple[float, ...]:
        """The numbers that part the rows into so many bins, without repetitions and infinities.

        Of n numbers in their order, counted from 0, edge i is the one at n * i // quantiles: where numbers
        are distinct, as many are below it.

        >>> DistinctNumbers(np.array([1.0, 2.0, 3.5, 9.0]), np.array([1, 1, 1, 1])).edges(2)
        (3.5,)
        """
        ends = np.cumsum(self.counts)
        total = int(ends[-1]) if len(ends) else 0
        ranks = [total * i // quantiles for i in range(1, quantiles)] if total else []
        chosen = self.numbers[np.unique(np.searchsorted(ends, ranks, side="right"))]
        return tuple(map(_plain, chosen[np.isfinite(chosen)]))


def _plain(number: Any) -> float:
    """A number of Python; of a float32 the shortest one that rounds to it."""
    if isinstance(number, np.integer):
        return int(number)
    value = float(str(number)) if isinstance(number, np.float32) else float(number)
    return int(value) if value.is_integer() and abs(value) < WHOLE_FLOATS else value


def open_quantiles(specs: Iterable[SlicingSpec]) -> dict[str, set[int]]:
    """The columns of whose quantiles the edges are to be found, and into how many bins they go."""
    wanted: dict[str, set[int]] = {}
    for spec in specs:
        for feature, bins in spec.bins.items():
            if bins.edges is None and bins.quantiles:
                wanted.setdefault(feature, set()).add(bins.quantiles)
    return wanted


def edges_of(ranked: Mapping[str, DistinctNumbers], wanted: Mapping[str, set[int]]) -> Edges:
    """The edges of the quantiles of columns, by column and number of bins."""
    return {(name, n): ranked[name].edges(n) for name, of in wanted.items() for n in sorted(of)}


def joined_neighbours(rows: npt.NDArray[Any], least: float) -> list[int]:
    """Where groups of neighbouring cells start, so that each holds enough; the last cells join those before.

    >>> joined_neighbours(np.array([1, 9, 2, 3, 8, 1]), 10)
    [0, 2]
    >>> joined_neighbours(np.array([3, 0, 2]), 0)
    [0, 1, 2]
    """
    starts, held = [0], 0.0
    for cell, count in enumerate(rows.tolist()):
        if cell and held >= least:
            starts.append(cell)
            held = 0.0
        held += count
    if held < least and len(starts) > 1:
        starts.pop()
    return starts
