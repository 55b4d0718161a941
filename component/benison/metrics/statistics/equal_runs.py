# SPDX-License-Identifier: Apache-2.0
"""Runs of equal values, one after the other: where they start, and sums over them."""

from __future__ import annotations

import numpy as np

from benison.data.batch import Array, Index, Mask


def starts(*columns: Index | Array) -> Index:
    """Where a run of equal values, of one column or of several, starts.

    >>> starts(np.array([4, 4, 7, 9, 9])), starts(np.array([4, 4, 7]), np.array([0, 1, 1]))
    (array([0, 2, 3]), array([0, 1, 2]))
    """
    return np.flatnonzero(changes(*columns))


def changes(*columns: Index | Array) -> Mask:
    """Whether an entry differs from the one before it in any of the columns: bool[n]; the first one does."""
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[:1] = True
    for values in columns:
        changed[1:] |= values[1:] != values[:-1]
    return changed


def number_of_run(first: Index, count: int) -> Index:
    """The number of the run that each of `count` entries is in, by where runs start: int64[count].

    >>> number_of_run(np.array([0, 2]), 3)
    array([0, 0, 1])
    """
    marks = np.zeros(count, np.bool_)
    marks[first[1:]] = True
    return np.cumsum(marks)


def sums_of_runs(values: Array, first: Index) -> Array:
    """The sum of each run of values, of which `first` says where they begin: float64[R]."""
    return np.add.reduceat(values, first) if len(first) else values[:0]


def sums_by_run(values: Array, runs: Index) -> Array:
    """The same by the number of the run of each value, int64[n]: faster where runs are short."""
    return np.asarray(np.bincount(runs, values), np.float64)


def sums_of_slices(slices: Index, values: Array, size: int, first: Index | None = None) -> Array:
    """The sum of the values of each of `size` slices, which are ascending: float64[S].

    Where each of them begins is found out, unless `first` says it.
    """
    # Twenty times as fast as bincount, where each sum waits for the one before it.
    first = starts(slices) if first is None else first
    sums = np.zeros(size)
    sums[slices[first]] = sums_of_runs(values, first)
    return sums


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
    return np.asarray(sums - drift[number_of_run(begin, len(values))])
