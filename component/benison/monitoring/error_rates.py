# SPDX-License-Identifier: Apache-2.0
"""DDM and EDDM, as they are in the literature, without a bound on false alarms."""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array
from benison.monitoring.detectors import Alarms, BucketCounts, Mask


@dataclasses.dataclass(frozen=True)
class DriftDetectionMethod:
    """DDM: the failure rate since the start, plus its standard error, is far above its least.

    Gama, Medas, Castillo, Rodrigues, "Learning with Drift Detection", 2004: alarm where
    p + s > p_min + 3 s_min. Row by row, without a reference, nearly every second of
    streams of 20,000 rows has a false alarm.

    Attributes:
        deviations: How many s_min are far.
        warm_start: In rows, from which on it judges.
    """

    deviations: float = 3.0
    warm_start: int = 30

    def watch(self, counts: BucketCounts) -> Alarms:
        """(p + s - p_min) / s_min against `deviations`; what is known before counts as a first bucket."""
        failures, rows = counts.continued()
        size, buckets = rows.shape
        k, n, p_min, s_min = np.zeros(size), np.zeros(size), np.full(size, np.inf), np.zeros(size)
        statistic, raised = np.full((size, buckets), np.nan), np.zeros((size, buckets), np.bool_)
        for t in range(buckets):
            k, n = k + failures[:, t], n + rows[:, t]
            p, s = _rate(k, n)
            is_judged = (n > self.warm_start) & (rows[:, t] > 0)
            is_least = is_judged & (p + s <= p_min + s_min)
            p_min, s_min = np.where(is_least, p, p_min), np.where(is_least, s, s_min)
            raised[:, t] = is_judged & (p + s > p_min + self.deviations * s_min)
            with np.errstate(divide="ignore", invalid="ignore"):
                statistic[:, t] = np.where(is_judged, (p + s - p_min) / s_min, np.nan)
            anew = raised[:, t]
            k, n = np.where(anew, 0.0, k), np.where(anew, 0.0, n)
            p_min, s_min = np.where(anew, np.inf, p_min), np.where(anew, 0.0, s_min)
        return Alarms(statistic[:, 1:], self.deviations, raised[:, 1:])


def _rate(failures: Array, rows: Array) -> tuple[Array, Array]:
    """The rate and its standard error."""
    n = np.maximum(rows, 1.0)
    p = failures / n
    return p, np.sqrt(np.maximum(p * (1 - p), 0.0) / n)


@dataclasses.dataclass(frozen=True)
class EarlyDriftDetection:
    """EDDM: the rows from one failure to the next have become fewer than they were.

    Baena-García and others, "Early Drift Detection Method", 2006: with the mean distance p and its standard
    deviation s, alarm where (p + 2 s) / (its largest) < beta, after 30 failures. Within a bucket failures
    count as spread at random. Row by row it alarms nearly always within some thousand rows; after a large
    reference it is slow to see a change.

    Attributes:
        beta: The share of the largest.
        warm_start: In failures, and in rows.
    """

    beta: float = 0.9
    warm_start: int = 30

    def watch(self, counts: BucketCounts) -> Alarms:
        """1 - (p + 2 s) / largest against 1 - beta; what is known before counts as a first bucket."""
        failures, rows = counts.continued()
        size, buckets = rows.shape
        gaps, largest = _Gaps.none(size), np.full(size, -1.0)
        statistic, raised = np.full((size, buckets), np.nan), np.zeros((size, buckets), np.bool_)
        for t in range(buckets):
            gaps = gaps.grown(failures[:, t], rows[:, t])
            reach = gaps.mean + 2 * gaps.deviation
            is_judged = (failures[:, t] > 0) & (gaps.rows > self.warm_start)
            is_largest = is_judged & (reach > largest)
            largest = np.where(is_largest, reach, largest)
            is_later = is_judged & ~is_largest & (gaps.count > self.warm_start)
            share = np.where(is_later, reach / np.maximum(largest, 1e-300), 1.0)
            raised[:, t], statistic[:, t] = share < self.beta, 1 - share
            gaps = gaps.without(raised[:, t])
            largest = np.where(raised[:, t], -1.0, largest)
        return Alarms(statistic[:, 1:], 1 - self.beta, raised[:, 1:])


@dataclasses.dataclass(frozen=True)
class _Gaps:
    """Distances between failures of S slices, in rows: their number, mean and squares; and the open one."""

    count: Array
    mean: Array
    squares: Array
    open: Array
    rows: Array

    @classmethod
    def none(cls, size: int) -> _Gaps:
        return cls(*(np.zeros(size) for _ in range(5)))

    @property
    def deviation(self) -> Array:
        return np.sqrt(self.squares / np.maximum(self.count - 1, 1.0))

    def grown(self, failures: Array, rows: Array) -> _Gaps:
        """With a bucket, whose last failure has as many rows after it as are to be expected."""
        has_any, k = failures > 0, np.maximum(failures, 1e-9)
        after = np.where(has_any, np.maximum(rows - failures, 0) / (failures + 1), 0.0)
        each = (self.open + rows - after) / k
        within = np.maximum(each * (each - 1), 0.0) * np.maximum(failures - 1, 0.0)
        count = self.count + failures
        step = each - self.mean
        mean = self.mean + step * failures / np.maximum(count, 1e-9)
        squares = self.squares + within + step * (each - mean) * failures
        return _Gaps(
            np.where(has_any, count, self.count),
            np.where(has_any, mean, self.mean),
            np.where(has_any, squares, self.squares),
            np.where(has_any, after, self.open + rows),
            self.rows + rows,
        )

    def without(self, slices: Mask) -> _Gaps:
        """None for some slices."""
        fields = (getattr(self, field.name) for field in dataclasses.fields(self))
        return _Gaps(*(np.where(slices, 0.0, of) for of in fields))
