# SPDX-License-Identifier: Apache-2.0
"""The error of any metric, from values that leave out one block of rows in turn.

Blocks are fewer than rows, so intervals are wider than those of closed forms, by Student's t with a degree of
freedom less than there are blocks with rows in a slice. They hold where rows depend on each other within
blocks, as those of a user do.

Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982, section 3.1, with groups.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.evidence.blocks import BLOCKS, Blocked, leave_out_each, merged
from benison.evidence.estimators import Estimator
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import Spread, Student
from benison.metrics.base import Metric, Statistic
from benison.metrics.counts import ones
from benison.metrics.statistics.extremes import Largest
from benison.metrics.statistics.sums import Total

_FEWEST = 5
"""Fewer blocks with rows say nothing of the error."""
_NOISE = 1e-12
"""The share of a value that rounding leaves as its error."""


@dataclasses.dataclass(frozen=True)
class BlockStates:
    """The states of a metric over S slices, of some blocks of rows."""

    metric: Metric
    states: tuple[Any, ...]

    def merge(self, other: Self) -> Self:
        """Of the rows of both."""
        pairs = zip(self.metric.statistics(), self.states, other.states, strict=True)
        return dataclasses.replace(self, states=tuple(s.merge(a, b) for s, a, b in pairs))

    @property
    def value(self) -> Array:
        """The metric of these rows, float64[S]."""
        with np.errstate(all="ignore"):
            return np.asarray(self.metric.result(*self.states), np.float64)


@dataclasses.dataclass(frozen=True)
class Replicates:
    """Values of S slices, and by how much each block of rows moves them.

    Attributes:
        value: Of all rows, float64[S].
        moves: Whose products add up to the variance, 0 of blocks without rows and NaN of too few blocks;
            float64[50, S].
        degrees: One less than there are blocks with rows, float64[S].
        scale: The size of what the value is made of, of which its rounding is a share; float64[S].
    """

    value: Array
    moves: Array
    degrees: Array
    scale: Array

    @classmethod
    def of(cls, value: Array, without: Array, occupied: Mask) -> Replicates:
        """Of values without the rows of each block, and the blocks that have rows: [50, S]."""
        blocks = occupied.sum(axis=0).astype(np.float64)
        known = np.where(occupied, without, 0.0)
        with np.errstate(all="ignore"):
            distances = np.where(occupied, known - known.sum(axis=0) / blocks, 0.0)
            moves = np.sqrt((blocks - 1) / blocks) * distances
        moves = np.where(blocks >= _FEWEST, moves, np.nan)
        return cls(value, moves, blocks - 1, np.abs(value))

    def take(self, index: Index) -> Replicates:
        """The slices `index`."""
        own = (self.value, self.moves.T, self.degrees, self.scale)
        value, moves, degrees, scale = (of[index] for of in own)
        return Replicates(value, moves.T, degrees, scale)

    def minus(self, other: Replicates) -> Replicates:
        """The differences to other values: of another model, or of slices that may share rows or clusters.

        Where the one has rows in fewer blocks, its error may be all that counts.
        """
        return Replicates(
            self.value - other.value,
            self.moves - other.moves,
            np.minimum(self.degrees, other.degrees),
            self.scale + other.scale,
        )

    def over(self, other: Replicates) -> Replicates:
        """The ratios to other values, which blocks move as they do at these values."""
        with np.errstate(all="ignore"):
            value = self.value / other.value
            moves = (self.moves - value * other.moves) / other.value
        degrees = np.minimum(self.degrees, other.degrees)
        return Replicates(value, moves, degrees, np.abs(value))

    def covariance(self, other: Replicates) -> Array:
        """Of two values, float64[S]."""
        return np.asarray((self.moves * other.moves).sum(axis=0))

    @property
    def spread(self) -> Resampled:
        """The value with its error."""
        error = np.sqrt(self.covariance(self))
        error = np.where(error <= _NOISE * self.scale, 0.0, error)
        # Of few blocks, or where there is no value without one of them, it takes more blocks.
        degrees = np.where(np.isnan(error), 0.0, self.degrees)
        return Resampled(self.value, error, degrees, "blocks", self)


@dataclasses.dataclass(frozen=True)
class Resampled(Student):
    """Values with errors from blocks of rows.

    Attributes:
        replicates: By which slices are compared; None of some slices, as they are large.
    """

    replicates: Replicates | None = None

    def take(self, index: Index) -> Self:
        return dataclasses.replace(super().take(index), replicates=None)


def paired(own: Replicates, other: Replicates) -> Paired:
    """Two models beside each other."""
    return Paired(own.spread, other.spread, own.minus(other).spread, own.covariance(other))


@dataclasses.dataclass(frozen=True)
class BlocksEstimator(Estimator):
    """Any metric that is a number.

    Attributes:
        metric: The metric.
        cluster_key: The column whose equal values mark rows that depend on each other; "" for none.
    """

    metric: Metric
    paired: bool
    cluster_key: str = ""

    name = "blocks"
    compares_slices = True

    def alone(self) -> tuple[Blocked, ...]:
        return tuple(self._blocked(statistic) for statistic in (*self._parts, Total(ones)))

    @property
    def needs_row_numbers(self) -> bool:
        """Whether rows fall into blocks by their numbers."""
        return not (self.cluster_key or self.metric.needs_groups)

    @property
    def _parts(self) -> list[Statistic[Any]]:
        """What all rows have, such as a largest value, needs no blocks: no value depends on it."""
        return [s for s in self.metric.statistics() if not isinstance(s, Largest)]

    def _blocked(self, statistic: Statistic[Any]) -> Blocked:
        return Blocked(statistic, self.cluster_key, self.metric.needs_groups)

    def spread(self, *states: Any) -> Spread:
        return self._replicates(states[: len(self._parts) + 1]).spread

    def compared(self, *states: Any) -> Paired:
        half = len(self._parts) + 1
        return paired(self._replicates(states[:half]), self._replicates(states[half:]))

    def _replicates(self, states: tuple[Any, ...]) -> Replicates:
        rows = states[-1][0].reshape(-1, BLOCKS).T
        size = rows.shape[1]
        groups = [self._block(states[:-1], block, size) for block in range(BLOCKS)]
        half = BLOCKS // 2
        left, right = merged(groups[:half]), merged(groups[half:])
        replicates = (*leave_out_each(groups[:half], right), *leave_out_each(groups[half:], left))
        without = np.stack([replicate.value for replicate in (*replicates,)])
        value = left.merge(right).value
        return Replicates.of(value, without, rows > 0)

    def _block(self, states: tuple[Any, ...], block: int, size: int) -> BlockStates:
        """The states of one block, those of all of the metric's statistics."""
        waiting = iter(states)
        return BlockStates(
            self.metric,
            tuple(
                statistic.zero(size)
                if isinstance(statistic, Largest)
                else self._blocked(statistic).of_block(next(waiting), block, size)
                for statistic in self.metric.statistics()
            ),
        )
