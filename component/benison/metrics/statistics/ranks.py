# SPDX-License-Identifier: Apache-2.0
"""The state behind everything that ranks rows: weights by score, exact or on the scale.

Areas, operating points and the plot of the confusion matrix are all read from it, so an evaluation keeps
it once for each view. It takes at most 32 bytes for each score or bin of a slice.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from benison.data.batch import Index, Inputs, Mask
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import BinaryRows
from benison.metrics.statistics.exact_scores import ExactScores, has_few_scores
from benison.metrics.statistics.kept import expect_readers
from benison.metrics.statistics.pooled_scores import PooledScores
from benison.slicing.codes import SliceCodes

EXACT_SCORES = 4096
"""A slice with more distinct scores has them in bins of the scale; up to here it takes at most 128 kB."""

WAITING = 2**22
"""So many memberships of rows in slices may wait, or twice as many as scores are held: sorting them in at
once takes a fraction of the time, and shows which slices have too many scores to be exact. One that waits
takes about half of the memory of one that is held."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ranks:
    """Weights of negatives and positives by score, for S slices.

    A slice is in `exact` while it has up to `EXACT_SCORES` distinct scores, and in `pooled` from then on.
    Which of the two depends on its scores alone, and bins on the scores in them, so that no order and
    no grouping of the rows makes a difference. Rows of `waiting` are in neither yet.

    Attributes:
        size: The number of slices S.
        exact: The weights by score, of slices with few.
        pooled: The weights by bin, of slices with many.
        waiting: Rows that came and are not sorted in.
        source: The ranks of all slices, where these are some of them; a plot looks there for its thresholds,
            so that they are the same for every slice.
    """

    size: int
    exact: ExactScores
    pooled: PooledScores
    waiting: tuple[BinaryRows, ...] = ()
    source: Ranks | None = None

    @classmethod
    def empty(cls, size: int) -> Ranks:
        """Of no rows."""
        return cls(size, ExactScores.empty(), _none_pooled())

    @classmethod
    def of(cls, rows: BinaryRows) -> Ranks:
        """Of the rows of one batch."""
        return dataclasses.replace(cls.empty(rows.codes.size), waiting=(rows,))

    def __reduce__(self) -> tuple[Any, ...]:
        compact = self.compact
        return Ranks, (compact.size, compact.exact, compact.pooled)

    def merge(self, other: Ranks) -> Ranks:
        """Of the rows of both, which must have one size.

        Whatever was merged before, a slice is exact if and only if it has up to `EXACT_SCORES` distinct
        scores in all: one that has more in either of the two, or in both together, is pooled.
        """
        merged = dataclasses.replace(self, source=None)._with_rows(other.waiting)
        if len(other.exact) or len(other.pooled.slices):
            merged = merged._with(other.exact, other.pooled)
        waiting = sum(rows.codes.memberships for rows in merged.waiting)
        return merged.compact if waiting > max(WAITING, 2 * len(merged.exact)) else merged

    def _with_rows(self, batches: Sequence[BinaryRows]) -> Ranks:
        """Where all slices are pooled, rows need not wait."""
        if len(self.pooled.slices) < self.size:
            return dataclasses.replace(self, waiting=self.waiting + tuple(batches))
        return dataclasses.replace(self, pooled=_added(self.pooled, batches))

    def _with(self, exact: ExactScores, pooled: PooledScores) -> Ranks:
        """With weights of slices that are exact or pooled there, and may be the other here."""
        both = dataclasses.replace(
            self, exact=self.exact.merge(exact), pooled=self.pooled.merge(pooled)
        )
        many = both.exact.scores_in(self.size) > EXACT_SCORES
        many[both.pooled.slices] = True
        return both._pool(many)

    def _pool(self, many: Mask) -> Ranks:
        moved = self.exact.in_slices(many)
        if not len(moved):
            return self
        exact, pooled = (
            self.exact.in_slices(~many),
            self.pooled.merge(PooledScores.of(moved.weights)),
        )
        return dataclasses.replace(self, exact=exact, pooled=pooled)

    @functools.cached_property
    def compact(self) -> Ranks:
        """The same with no rows waiting; it is made once, however often the values are read."""
        rows = [rows for rows in self.waiting if rows.codes.memberships]
        compact = dataclasses.replace(self, waiting=())
        if not rows:
            return compact
        many, crowded = self._is_pooled, self._crowded(rows)
        if many.any():
            pooled = _added(self.pooled, [batch.in_slices(many) for batch in rows])
            compact = dataclasses.replace(compact, pooled=pooled)
        many[crowded.slices] = True
        rest = [batch.in_slices(~many) for batch in rows]
        exact = ExactScores.of([batch for batch in rest if batch.codes.memberships])
        return compact._with(exact, crowded) if len(exact) or len(crowded.slices) else compact

    @property
    def _is_pooled(self) -> Mask:
        pooled = np.zeros(self.size, np.bool_)
        pooled[self.pooled.slices] = True
        return pooled

    def _crowded(self, rows: Sequence[BinaryRows]) -> PooledScores:
        """Rows of slices that have too many scores to be exact, as the bins that they take show.

        This spares sorting. Of the other slices some may turn out to have too many scores too.
        """
        exact = ~self._is_pooled
        if not exact.any():
            return _none_pooled()
        most = self.exact.scores_in(self.size) + sum(batch.codes.count() for batch in rows)
        possible = exact & (most > EXACT_SCORES)
        if not possible.any() or has_few_scores(rows):
            return _none_pooled()
        of_possible = [batch.in_slices(possible) for batch in rows]
        pooled = PooledScores.for_rows(np.flatnonzero(possible), of_possible)
        pooled = _added(pooled, of_possible)
        return pooled.in_slices(pooled.bins_in(self.size) > EXACT_SCORES)

    def relabelled(self, index: Index, size: int) -> Ranks:
        """Slice i becomes slice `index[i]` of `size`; no two slices become one."""
        waiting = tuple(rows.relabelled(index, size) for rows in self.waiting)
        if np.array_equal(index, np.arange(len(index))):
            return Ranks(size, self.exact, self.pooled, waiting)
        return Ranks(size, self.exact.relabelled(index), self.pooled.relabelled(index), waiting)

    def take(self, index: Index) -> Ranks:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        compact = self.compact
        if np.array_equal(index, np.arange(self.size)):
            pooled = compact.pooled.compact
            return (
                compact if pooled is compact.pooled else dataclasses.replace(compact, pooled=pooled)
            )
        exact, pooled = compact.exact.take(index), compact.pooled.take(index)
        return Ranks(len(index), exact, pooled, source=self.source or compact)


def _none_pooled() -> PooledScores:
    none = np.zeros(0, np.int64)
    return PooledScores.empty(none, none)


def _added(pooled: PooledScores, batches: Sequence[BinaryRows]) -> PooledScores:
    return functools.reduce(PooledScores.add, batches, pooled)


@dataclasses.dataclass(frozen=True)
class ScoreRanks(Statistic[Ranks]):
    """Weights of negatives and positives by score: exact for slices with up to 4,096 scores.

    Labels are in [0, 1]; -0.0 and 0.0 are one score, infinities are scores too, and a row without a
    prediction makes all values of its slices NaN.
    """

    def zero(self, size: int) -> Ranks:
        return Ranks.empty(size)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Ranks:
        return Ranks.of(BinaryRows.of(inputs, codes))

    def merge(self, a: Ranks, b: Ranks) -> Ranks:
        return a.merge(b)

    def prepare(self, state: Ranks) -> None:
        expect_readers(state.compact)

    def scatter(self, state: Ranks, index: Index, size: int) -> Ranks:
        return state.relabelled(index, size)

    def gather(self, state: Ranks, index: Index) -> Ranks:
        return state.take(index)
