# SPDX-License-Identifier: Apache-2.0
"""Confusion matrices of the groups that a column makes inside of each slice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import SlicingSpec
from benison.data.batch import Array, Index, Inputs
from benison.errors import DataError
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import ThresholdCells, heavy
from benison.metrics.statistics.cells import Cells
from benison.metrics.statistics.equal_runs import starts
from benison.slicing.codes import SliceCodes
from benison.slicing.encode import ColumnCodes, SpecCodes

MOST_GROUPS = 1000
"""A column of more values is no feature of which people are groups, such as an id."""
_WIDTH = 4  # true and false negatives, false and true positives


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
    """Four sums for each of S slices and G groups.

    Attributes:
        size: The number of slices, S.
        names: The groups, string[G].
        cells: A table of S * G rows, those of a slice one after the other.
    """

    size: int
    names: pa.Array
    cells: Cells

    def occupied(self) -> tuple[Index, Array]:
        """The slice of each group that has rows, int64[M], ascending, and its sums, float64[M, 4].

        They are those of true negatives, false negatives, false positives and true positives.
        """
        keys, sums = self.cells.occupied()
        first = starts(keys // _WIDTH)
        table = np.zeros((len(first), _WIDTH))
        of = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(keys))))
        table[of, keys % _WIDTH] = sums
        return keys[first] // (_WIDTH * max(len(self.names), 1)), table

    def named(self, names: pa.Array) -> Groups:
        """The same sums among the groups `names`, which have all of these and perhaps others."""
        if names.equals(self.names):
            return self
        at = pc.index_in(self.names, names).to_numpy(zero_copy_only=False).astype(np.int64)
        return self._moved(np.arange(self.size), self.size, at, names)

    def scatter(self, index: Index, size: int) -> Groups:
        """Slice i becomes slice `index[i]` of `size`."""
        return self._moved(index, size, np.arange(len(self.names)), self.names)

    def gather(self, index: Index) -> Groups:
        """Slice i of the result is slice `index[i]`."""
        width = len(self.names)
        rows = (index[:, None] * width + np.arange(width)).ravel()
        return Groups(len(index), self.names, self.cells.take(rows))

    def _moved(self, slices: Index, size: int, groups: Index, names: pa.Array) -> Groups:
        index = (slices[:, None] * len(names) + groups).ravel()
        return Groups(size, names, self.cells.relabel(index, size * len(names)))


@dataclasses.dataclass(frozen=True)
class GroupCells(Statistic[Groups]):
    """Weights of the rows by slice, group, label, and whether the prediction is above a threshold.

    A row without a value is in no group, one with several in each of them. Fractional labels count partly as
    positives and partly as negatives.

    Attributes:
        features: The columns whose values, or combinations of them, are groups; () is one group of all rows.
        threshold: A prediction above it is positive.
        labelled: Whether labels matter; otherwise all rows count as negatives.
    """

    features: tuple[str, ...]
    threshold: float
    labelled: bool

    def columns(self) -> tuple[str, ...]:
        return self.features

    def zero(self, size: int) -> Groups:
        return Groups(size, pa.array([], pa.string()), Cells.empty(0, _WIDTH))

    def add(self, inputs: Inputs, codes: SliceCodes) -> Groups:
        inputs, codes = heavy(inputs, codes)
        if not self.labelled:
            inputs = dataclasses.replace(inputs, labels=np.zeros(len(inputs)))
        names, rows, groups = self._groups(inputs)
        if rows is not None:
            inputs, codes = inputs.take(rows), codes.take(rows)
        width = _checked(names, self.features)
        parts = tuple(
            (of, slices * width + (groups if of is None else groups[of]))
            for of, slices in codes.parts
        )
        inside = SliceCodes(codes.size * width, parts)
        return Groups(codes.size, names, ThresholdCells((self.threshold,)).add(inputs, inside))

    def _groups(self, inputs: Inputs) -> tuple[pa.Array, Index | None, Index]:
        """The names of the groups, the row of each membership (None: all rows once), and its group."""
        if not self.features:
            return pa.array([""], pa.string()), None, np.zeros(len(inputs), np.int64)
        assert inputs.features is not None
        spec = SlicingSpec(feature_keys=self.features)
        groups = SpecCodes.of(spec, ColumnCodes(inputs.features))
        return groups.values.cast(pa.string()), groups.rows, groups.codes

    def merge(self, a: Groups, b: Groups) -> Groups:
        names = pc.unique(pa.concat_arrays([a.names, b.names])) if len(b.names) else a.names
        _checked(names, self.features)
        both = a.named(names), b.named(names)
        return Groups(a.size, names, both[0].cells.merge(both[1].cells))

    def scatter(self, state: Groups, index: Index, size: int) -> Groups:
        return state.scatter(index, size)

    def gather(self, state: Groups, index: Index) -> Groups:
        return state.gather(index)


def _checked(names: pa.Array, features: tuple[str, ...]) -> int:
    """How many groups there are; raises DataError if no group can be meant."""
    if len(names) > MOST_GROUPS:
        what = " x ".join(map(repr, features))
        raise DataError(
            f"The sensitive feature {what} has more than {MOST_GROUPS:,} values. Name one whose values are "
            f"groups, such as a column of age bands in place of birthdays."
        )
    return len(names)
