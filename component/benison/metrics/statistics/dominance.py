# SPDX-License-Identifier: Apache-2.0
"""Sums over what lies below in two orders at once, for the points of many slices together.

For each point it is the weight of the points with smaller x and smaller y. Points are parted by the bits of y
from the highest down, as in a wavelet tree: two points part where their first different bit is, and the one
with the bit 0 lies below the other one. So there are as many passes over all points as y has bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.metrics.statistics.equal_runs import (
    changes,
    running,
    starts,
    sums_by_run,
    sums_of_slices,
)


def dominated(slices: Index, x: Index, y: Index, weights: Array) -> Array:
    """The weight of the points of a slice with smaller x and smaller y, of each of its points: float64[n].

    Args:
        slices: The slice of each point, int64[n], ascending.
        x: Whole numbers from 0 up, ascending within a slice.
        y: Whole numbers from 0 up, in any order; few bits of them are few passes.
        weights: The weight of each point.

    >>> dominated(np.zeros(4, int), np.array([0, 1, 1, 2]), np.array([0, 0, 2, 1]), np.ones(4))
    array([0., 0., 1., 2.])
    """
    below = np.zeros(len(x))
    for level in _levels(slices, x, y, weights):
        below[level.point] += level.before[level.runs] * level.high
    return below


def concordance(slices: Index, x: Index, y: Index, weights: Array, size: int) -> Array:
    """The weights of the points of each slice times what is `dominated` by them, summed up: float64[size].

    >>> concordance(np.zeros(4, int), np.array([0, 1, 1, 2]), np.array([0, 0, 2, 1]), np.ones(4), 1)
    array([3.])
    """
    total = np.zeros(size)
    for level in _levels(slices, x, y, weights):
        products = level.before * sums_by_run(level.weights * level.high, level.runs)
        total += sums_of_slices(level.slices, products, size)
    return total


@dataclasses.dataclass(frozen=True)
class Level:
    """The n points, in groups that have the higher bits of y in common, ascending by group and x.

    The points of a group that are not `high` lie below those that are, where their x is smaller.

    Attributes:
        point: The number of each point, int64[n].
        high: Whether the next bit of its y is 1, bool[n].
        weights: The weight of each, float64[n].
        runs: The number of its run, of points of one group and one x, int64[n].
        slices: The slice of each run, int64[R].
        before: The weight of the points of the group that are not high and have a smaller x, float64[R].
    """

    point: Index
    high: Mask
    weights: Array
    runs: Index
    slices: Index
    before: Array


def _levels(slices: Index, x: Index, y: Index, weights: Array) -> Iterator[Level]:
    point, group = np.arange(len(x)), slices
    for bit in reversed(range(int(y.max(initial=0)).bit_length())):
        high = (y >> bit & 1).astype(np.bool_)
        fresh = changes(group, x)
        runs = np.cumsum(fresh) - 1
        low = sums_by_run(weights * ~high, runs)
        before = running(low, starts(group[fresh])) - low
        yield Level(point, high, weights, runs, slices[fresh], before)
        if not bit:
            break
        order = _parted(high, starts(group))
        group, point = (2 * group + high)[order], point[order]
        x, y, weights = x[order], y[order], weights[order]


def _parted(high: Mask, begin: Index) -> Index:
    """The order in which each group has its points that are not `high` first: int64[n]."""
    lengths = np.diff(begin, append=len(high))
    first = np.repeat(begin, lengths)
    lows = np.concatenate([[0], np.cumsum(~high)])
    low_before = lows[:-1] - lows[first]
    of_group = np.repeat(lows[begin + lengths] - lows[begin], lengths)
    high_before = np.arange(len(high)) - first - low_before
    order = np.empty(len(high), np.int64)
    order[first + np.where(high, of_group + high_before, low_before)] = np.arange(len(high))
    return order
