# SPDX-License-Identifier: Apache-2.0
"""ADWIN over buckets: the window is cut where its older and its newer part have other rates."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array
from benison.monitoring.detectors import Alarms, BucketCounts, Mask

Index = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class AdaptiveWindow:
    """Alarm where a split of the window has two parts whose rates differ by more than epsilon.

    Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", 2007: with the harmonic
    mean of the rows of both parts m, the variance v and d = ln(2 ln(n) / delta),
    epsilon = sqrt(2 v d / m) + 2 d / (3 m). As there, the splits are the borders of an exponential histogram:
    `kept` buckets of each size, merged in twos as they become older, so that their number grows with the
    logarithm of time; the borders are those of all slices. An alarm is one of a rate that has grown; the
    oldest buckets are dropped on any.

    Attributes:
        delta: The share of false alarms of one test.
        kept: How many buckets of one size, before the two oldest become one of the next.
        least: In rows, of each part.
        grace: In rows, of a window that is not yet judged.
    """

    delta: float = 0.002
    kept: int = 5
    least: int = 5
    grace: int = 10

    def watch(self, counts: BucketCounts) -> Alarms:
        """The difference of the rates over epsilon, at the split where it is largest, against 1."""
        failures, rows = counts.continued()
        order = np.argsort(rows <= 0, axis=1, kind="stable")  # buckets without rows, last
        sums = _Sums.of(*(np.take_along_axis(of, order, 1) for of in (failures, rows)))
        statistic, raised = np.zeros(rows.shape), np.zeros(rows.shape, np.bool_)
        starts, borders = np.zeros(len(rows), np.int64), _Borders(self.kept)
        borders.add(1)
        for t in range(1, rows.shape[1]):
            borders.add(t + 1)
            with_rows = np.flatnonzero(sums.n[t + 1] > sums.n[t])
            rise, cut = self._shrunk(sums, starts, borders.ends, with_rows)
            statistic[with_rows, order[with_rows, t]] = rise
            raised[with_rows, order[with_rows, t]] = cut
        return Alarms(statistic[:, 1:], 1.0, raised[:, 1:])

    def _shrunk(self, sums: _Sums, starts: Index, ends: Index, of: Index) -> tuple[Array, Mask]:
        """The largest rise of some slices, and whether one was a reason to drop the oldest, which is done."""
        rise, cut = self._splits(sums, starts, ends, of)
        largest, is_raised, still = rise, cut & (rise > 1), np.flatnonzero(cut)
        while len(still):
            own = of[still]
            starts[own] = ends[np.searchsorted(ends, starts[own], "right")]
            rise, cut = self._splits(sums, starts, ends, own)
            is_raised[still] |= cut & (rise > 1)
            still = still[cut]
        return largest, is_raised

    def _splits(self, sums: _Sums, starts: Index, ends: Index, of: Index) -> tuple[Array, Mask]:
        """The largest rise in units of epsilon, and whether the parts of any split differ: of some slices."""
        if not len(of):
            return np.zeros(0), np.zeros(0, np.bool_)
        cuts = ends[np.searchsorted(ends, starts[of].min(), "right") : -1]
        first, last = sums.at(starts[of], of), sums.at(ends[-1], of)
        total = last.n - first.n
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = self._steps(first, sums.rows(cuts, of), last)
            rise, fall = (
                np.where(total > self.grace, of_slice, 0.0)
                for of_slice in (steps.max(0, initial=0.0), steps.min(0, initial=0.0))
            )
        return rise, (rise > 1) | (fall < -1)

    def _steps(self, first: _Sums, cut: _Sums, last: _Sums) -> Array:
        """The rise in units of epsilon at each split: float64[splits, slices]; 0 where a part is too small.

        It is what takes the time, and so goes over as few arrays, and makes as few, as it can: the rates of
        the parts differ by what the older has too few, over both parts' share of the rows.
        """
        before, after, total = cut.n - first.n, last.n - cut.n, last.n - first.n
        rate = (last.k - first.k) / total
        d = np.log(2 * np.log(total) / self.delta)
        gap = rate * before
        gap += first.k
        gap -= cut.k
        gap *= total
        m = before * after
        gap /= m
        np.subtract(before, self.least - 1, out=before)
        np.subtract(after, self.least - 1, out=after)
        np.divide(total - 2 * (self.least - 1), np.multiply(before, after, out=m), out=m)
        is_small = np.minimum(before, after, out=before) < 1
        epsilon = np.sqrt(m * np.maximum(2 * rate * (1 - rate) * d, 0.0), out=after)
        m *= 2 / 3 * d
        epsilon += m
        gap /= epsilon
        np.copyto(gap, 0.0, where=is_small)
        return gap


@dataclasses.dataclass(frozen=True)
class _Sums:
    """Failures and rows of S slices before each of T buckets, and after the last: float64[T + 1, S]."""

    k: Array
    n: Array

    @classmethod
    def of(cls, failures: Array, rows: Array) -> _Sums:
        """Of the counts in buckets: float64[S, T]."""
        made = [np.zeros((rows.shape[1] + 1, len(rows))) for _ in range(2)]
        for sums, counts in zip(made, (failures, rows), strict=True):
            np.cumsum(counts.T, 0, out=sums[1:])
        return cls(*made)

    def at(self, end: Index | int, of: Index) -> _Sums:
        """Before one bucket of each of some slices: float64[slices]."""
        return _Sums(self.k[end, of], self.n[end, of])

    def rows(self, ends: Index, of: Index) -> _Sums:
        """Before several buckets, of all or of some slices: float64[buckets, slices]."""
        if len(of) == self.n.shape[1]:
            return _Sums(self.k[ends], self.n[ends])
        return _Sums(self.k[np.ix_(ends, of)], self.n[np.ix_(ends, of)])


class _Borders:
    """Where the buckets of an exponential histogram end, the oldest first."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.sizes: list[list[int]] = [[]]

    def add(self, end: int) -> None:
        """Add a bucket of size 1; where there are more of a size than are kept, the two oldest become one."""
        self.sizes[0].append(end)
        for i, of_size in enumerate(self.sizes):
            if len(of_size) <= self.kept:
                return
            if i + 1 == len(self.sizes):
                self.sizes.append([])
            self.sizes[i + 1].append(of_size[1])
            del of_size[:2]

    @property
    def ends(self) -> Index:
        return np.array([end for of_size in reversed(self.sizes) for end in of_size], np.int64)
