# SPDX-License-Identifier: Apache-2.0
"""The error of any metric, from values that leave out one block of rows in turn.

Blocks are fewer than rows, so intervals are wider than those of closed forms, by Student's t with a degree of
freedom less than there are blocks with rows in a slice. They hold where rows depend on each other within
blocks, as those of a user do.

Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982, section 3.1, with groups.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Self

import numpy as np

from benison.data.batch import Array, Mask
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
    """Values of S slices with and without each block of their rows.

    Attributes:
        value: Of all rows, float64[S].
        without: Without the rows of each block, float64[50, S].
        occupied: Which blocks have rows, bool[50, S].
        scale: The size of what the value is made of, of which its rounding is a share; float64[S].
    """

    value: Array
    without: Array
    occupied: Mask
    scale: Array

    @functools.cached_property
    def blocks(self) -> Array:
        """How many blocks have rows: float64[S]."""
        return np.asarray(self.occupied.sum(axis=0), np.float64)

    def minus(self, other: Replicates) -> Replicates:
        """The difference of two values on the same rows."""
        both = self.occupied | other.occupied
        scale = self.scale + other.scale
        return Replicates(self.value - other.value, self.without - other.without, both, scale)

    @functools.cached_property
    def distances(self) -> Array:
        """From the mean over the blocks with rows, 0 for the others: float64[50, S]."""
        known = np.where(self.occupied, self.without, 0.0)
        return np.where(self.occupied, known - known.sum(axis=0) / self.blocks, 0.0)

    def covariance(self, other: Replicates) -> Array:
        """Of two values on the same rows, float64[S]."""
        products = (self.distances * other.distances).sum(axis=0)
        scaled = (self.blocks - 1) / self.blocks * products
        return np.where(self.blocks >= _FEWEST, scaled, np.nan)

    @property
    def spread(self) -> Spread:
        """The value with its error."""
        error = np.sqrt(self.covariance(self))
        error = np.where(error <= _NOISE * self.scale, 0.0, error)
        # Of few blocks, or where there is no value without one of them, it takes more blocks.
        degrees = np.where(np.isnan(error), 0.0, self.blocks - 1)
        return Student(self.value, error, degrees, "blocks")


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
        own, other = self._replicates(states[:half]), self._replicates(states[half:])
        change = own.minus(other)
        return Paired(own.spread, other.spread, change.spread, own.covariance(other))

    def _replicates(self, states: tuple[Any, ...]) -> Replicates:
        rows = states[-1][0].reshape(-1, BLOCKS).T
        size = rows.shape[1]
        groups = [self._block(states[:-1], block, size) for block in range(BLOCKS)]
        half = BLOCKS // 2
        left, right = merged(groups[:half]), merged(groups[half:])
        replicates = (*leave_out_each(groups[:half], right), *leave_out_each(groups[half:], left))
        without = np.stack([replicate.value for replicate in (*replicates,)])
        value = left.merge(right).value
        return Replicates(value, without, rows > 0, np.abs(value))

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
