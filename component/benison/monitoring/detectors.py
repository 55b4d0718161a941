# SPDX-License-Identifier: Apache-2.0
"""What every detector of change takes and gives: counts of failures in buckets of time, and alarms."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array

Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class BucketCounts:
    """Failures among rows of S slices, before the buckets and in each of T.

    Attributes:
        failures: float64[S, T], from 0 to `rows`; what is bad, such as wrong decisions.
        rows: float64[S, T]; a bucket of 0 rows says nothing and changes nothing.
        known_failures: Of what was blessed: float64[S].
        known_rows: float64[S]; 0 where nothing is known.
    """

    failures: Array
    rows: Array
    known_failures: Array
    known_rows: Array

    @classmethod
    def of(cls, failures: Array, rows: Array) -> BucketCounts:
        """Of slices of which nothing is known before."""
        nothing = np.zeros(len(rows))
        return cls(np.asarray(failures, float), np.asarray(rows, float), nothing, nothing)

    def take(self, slices: npt.NDArray[np.int64]) -> BucketCounts:
        """Of some slices."""
        fields = (getattr(self, field.name)[slices] for field in dataclasses.fields(self))
        return BucketCounts(*fields)

    def continued(self) -> tuple[Array, Array]:
        """Failures and rows with what was known as the first bucket: float64[S, 1 + T] each."""
        first = (self.known_failures[:, None], self.known_rows[:, None])
        return (np.hstack([first[0], self.failures]), np.hstack([first[1], self.rows]))


@dataclasses.dataclass(frozen=True)
class Alarms:
    """What a detector says.

    Attributes:
        statistic: float64[S, T], compared with the threshold; NaN where there is none yet.
        threshold: Above which it is an alarm.
        raised: bool[S, T]. After an alarm a detector starts anew.
    """

    statistic: Array
    threshold: float
    raised: Mask


class Detector(Protocol):
    """Finds where failures have become more frequent."""

    def watch(self, counts: BucketCounts) -> Alarms:
        """Look at the buckets in their order, each slice by itself."""
