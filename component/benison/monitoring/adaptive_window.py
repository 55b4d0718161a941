# SPDX-License-Identifier: Apache-2.0
"""ADWIN over buckets: the window is cut where its older and its newer part have other rates."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array
from benison.monitoring.detectors import Alarms, BucketCounts, Mask


@dataclasses.dataclass(frozen=True)
class AdaptiveWindow:
    """Alarm where a split of the window has two parts whose rates differ by more than epsilon.

    Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", 2007: with the harmonic
    mean of the rows of both parts m, the variance v and d = ln(2 ln(n) / delta),
    epsilon = sqrt(2 v d / m) + 2 d / (3 m). Here every split between two buckets is tried, and an alarm is
    one of a rate that has grown; the oldest buckets are dropped on any.

    Attributes:
        delta: The share of false alarms of one test.
        least: In rows, of each part.
        grace: In rows, of a window that is not yet judged.
    """

    delta: float = 0.002
    least: int = 5
    grace: int = 10

    def watch(self, counts: BucketCounts) -> Alarms:
        """The difference of the rates over epsilon, at the split where it is largest, against 1."""
        failures, rows = counts.continued()
        k = np.pad(np.cumsum(failures, 1), ((0, 0), (1, 0)))
        n = np.pad(np.cumsum(rows, 1), ((0, 0), (1, 0)))
        size, buckets = rows.shape
        starts = np.zeros(size, np.int64)
        statistic, raised = np.zeros((size, buckets)), np.zeros((size, buckets), np.bool_)
        for t in range(1, buckets):
            open_slices = np.flatnonzero(rows[:, t] > 0)
            first = True
            while len(open_slices):
                rise, cut = self._splits(k, n, starts, t + 1, open_slices)
                if first:
                    statistic[open_slices, t], first = rise, False
                raised[open_slices, t] |= cut & (rise > 1)
                open_slices = open_slices[cut]
                starts[open_slices] += 1
        return Alarms(statistic[:, 1:], 1.0, raised[:, 1:])

    def _splits(
        self, k: Array, n: Array, starts: npt.NDArray[np.int64], end: int, of: npt.NDArray[np.int64]
    ) -> tuple[Array, Mask]:
        """The largest rise in units of epsilon, and whether the parts of any split differ: of some slices."""
        low = int(starts[of].min())
        base_k, base_n = k[of, starts[of]][:, None], n[of, starts[of]][:, None]
        total_k, total = k[of, end][:, None] - base_k, n[of, end][:, None] - base_n
        before_k, before = k[of, low + 1 : end] - base_k, n[of, low + 1 : end] - base_n
        after = total - before
        is_whole = (before >= self.least) & (after >= self.least) & (total > self.grace)
        rate = total_k / np.maximum(total, 1.0)
        variance = np.maximum(rate * (1 - rate), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            d = np.log(2 * np.log(total) / self.delta)
            m = 1 / (before - self.least + 1) + 1 / (after - self.least + 1)
            gap = (total_k - before_k) / after - before_k / before
            steps = gap / (np.sqrt(2 * variance * d * m) + 2 / 3 * d * m)
        steps = np.where(is_whole, steps, 0.0)
        return steps.max(1, initial=0.0), np.abs(steps).max(1, initial=0.0) > 1
