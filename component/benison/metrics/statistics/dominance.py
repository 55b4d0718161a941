# SPDX-License-Identifier: Apache-2.0
"""Sums over what lies below in two orders at once, for the points of many slices together.

For each point it is the weight of the points with smaller x and smaller y. Points are parted by the bits of y
from the highest down, as in a wavelet tree: two points part where their first different bit is, and the one
with the bit 0 lies below the other one. So there are as many passes over all points as y has bits.
"""

from __future__ import annotations

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.metrics.statistics.cells import starts


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
    below, point, group = np.zeros(len(x)), np.arange(len(x)), slices
    for bit in reversed(range(int(y.max(initial=0)).bit_length())):
        high = (y >> bit & 1).astype(np.bool_)
        begin = starts(group)
        low_weights = np.where(high, 0.0, weights)
        before = running(low_weights, begin) - low_weights
        below += np.where(high, _at_first(before, group, x), 0.0)
        if not bit:
            break
        order = _parted(high, begin)
        group = (2 * group + high)[order]
        below, weights = below[order], weights[order]
        point, x, y = point[order], x[order], y[order]
    of_points = np.empty(len(x))
    of_points[point] = below
    return of_points


def _at_first(values: Array, group: Index, x: Index) -> Array:
    """The value of the first of the points of a group with the same x, for each point: float64[n]."""
    fresh = np.ones(len(x), np.bool_)
    fresh[1:] = (group[1:] != group[:-1]) | (x[1:] != x[:-1])
    first = np.flatnonzero(fresh)
    return np.repeat(values[first], np.diff(first, append=len(x)))


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


def running(values: Array, begin: Index) -> Array:
    """Sums up to each value, itself included, that start anew where `begin` says: float64[n].

    >>> running(np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 2]))
    array([ 1.,  3.,  4., 12.])
    """
    if not len(values):
        return values
    # What a run sums up to is taken off again where the next one begins, so that the sum stays small and
    # keeps its digits however many runs there are.
    steps = values.copy()
    steps[begin[1:]] -= np.add.reduceat(values, begin)[:-1]
    sums = np.cumsum(steps)
    drift = sums[begin] - values[begin]
    return np.asarray(sums - np.repeat(drift, np.diff(begin, append=len(values))))
