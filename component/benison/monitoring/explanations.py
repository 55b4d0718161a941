# SPDX-License-Identifier: Apache-2.0
"""Which alarms have a cause of their own, and which are those of another slice seen again.

A change in one slice is a smaller change in every slice that shares rows with it: in all data, and in each
hour. The slice with the strongest evidence is taken as the cause, its excess of failures is taken out of the
others, and those that still alarm have another cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np

from benison.data.batch import Array, Index
from benison.monitoring.detectors import Alarms, BucketCounts, Detector
from benison.monitoring.e_detector import upper_limit
from benison.monitoring.series import Series
from benison.slicing.keys import OVERALL, SliceKey

_ROUNDED = 1.01


@dataclasses.dataclass(frozen=True)
class Change:
    """A change in one slice of a series.

    Attributes:
        series: The metric.
        slice: The position of the slice.
        since: The bucket in which it began, where the counts speak most for it.
        raised: The buckets with an alarm.
        gain: How much more likely the counts are with the change: a logarithm.
        before: The rate of failures in the reference and all buckets until then, and
        after: from then to the last alarm.
        rows_before: On which `before` rests, and
        rows: on which `after` rests.
        statistic: Of the detector at the first alarm, and
        threshold: what it was compared with.
        seen_again: The changes of other slices that it explains.
        cause: The one that explains it, where it is no cause itself.
    """

    series: Series
    slice: int
    since: int
    raised: tuple[int, ...]
    gain: float
    before: float
    after: float
    rows_before: float
    rows: float
    statistic: float
    threshold: float
    seen_again: tuple[Change, ...] = ()
    cause: Change | None = None

    @property
    def name(self) -> str:
        """Of the slice."""
        return self.series.slices[self.slice]

    @property
    def explains(self) -> tuple[str, ...]:
        """The names of the slices whose alarms it explains."""
        return tuple(each.name for each in self.seen_again)

    def of(self, chosen: Collection[str] | None) -> tuple[Change, ...]:
        """It, if its slice is a chosen one, else each that it explains of those. None is all."""
        if chosen is None:
            return (self,)
        own = tuple(each for each in self.seen_again if each.name in chosen)
        if self.name in chosen:
            return (dataclasses.replace(self, seen_again=own),)
        return tuple(dataclasses.replace(each, cause=self) for each in own)


def explained(series: Series, detector: Detector) -> list[Change]:
    """The changes to the worse of a series that have a cause of their own, the strongest first.

    A detector without a bound on false alarms alarms on other things too, as EDDM where failures come at
    steadier distances.
    """
    counts, slices, changes = series.counts, np.arange(len(series.slices)), []
    slices, alarms = _alarmed(detector, counts, slices)
    while len(slices):
        every = [_change(series, counts, alarms, at, int(i)) for at, i in enumerate(slices)]
        worse = [change for change in every if change.after > change.before]
        if not worse:
            break
        cause = max(worse, key=lambda change: change.gain)
        others = slices[slices != cause.slice]
        counts = without(counts, series.keys, cause)
        slices, alarms = _alarmed(detector, counts, others)
        seen_again = tuple(each for each in worse if each is not cause and each.slice not in slices)
        changes.append(dataclasses.replace(cause, seen_again=seen_again))
    return changes


def _alarmed(detector: Detector, counts: BucketCounts, slices: Index) -> tuple[Index, Alarms]:
    """Those of some slices that have alarms, and these."""
    alarms = detector.watch(counts.take(slices))
    (held,) = np.nonzero(alarms.raised.any(1))
    return slices[held], Alarms(alarms.statistic[held], alarms.threshold, alarms.raised[held])


def _change(series: Series, counts: BucketCounts, alarms: Alarms, at: int, i: int) -> Change:
    """The change of slice i, whose alarms are in row `at`."""
    raised = np.flatnonzero(alarms.raised[at])
    alone, last = counts.take(np.array([i])), int(np.flatnonzero(alarms.raised.any(0))[-1])
    since, gain = beginning(alone, int(raised[0]))[0], beginning(alone, last)[1]
    end = int(raised[-1]) + 1
    measured = series.counts  # of which the evidence is what no other change explains
    k, n = measured.failures[i], measured.rows[i]
    known_k, known_n = measured.known_failures[i], measured.known_rows[i]
    rows_before = float(known_n + n[:since].sum())
    before = (known_k + k[:since].sum()) / max(rows_before, 1)
    rows = float(n[since:end].sum())
    return Change(
        series,
        i,
        since,
        tuple(map(int, raised)),
        gain,
        float(before),
        float(k[since:end].sum() / max(rows, 1)),
        rows_before,
        rows,
        float(alarms.statistic[at, raised[0]]),
        alarms.threshold,
    )


def beginning(counts: BucketCounts, last: int) -> tuple[int, float]:
    """The bucket up to `last` in which a change of the one slice most likely began, and the evidence for it.

    It is the start for which the failures since then are most more likely at their own rate than at the
    upper limit of what was known.
    """
    k, n = (np.cumsum(of[0, last::-1])[::-1] for of in (counts.failures, counts.rows))
    limit = float(upper_limit(counts.known_failures, counts.known_rows)[0])
    gains = n * _divergence(k / np.maximum(n, 1e-9), limit)
    return int(gains.argmax()), float(gains.max())


def _divergence(rates: Array, limit: float) -> Array:
    """Kullback and Leibler's of rates above a limit, 0 below it."""
    p, q = np.clip(rates, 1e-12, 1 - 1e-12), min(max(limit, 1e-12), 1 - 1e-12)
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return np.asarray(np.where(p > q, divergence, 0.0))


def without(counts: BucketCounts, keys: list[SliceKey], cause: Change) -> BucketCounts:
    """The counts without the failures that a change has added, in every slice that shares its rows.

    Of a slice inside it they are its part of the rows, of one around it all, of one with another value of the
    same feature none, unless rows have several; of others, whose common rows nobody has counted, as many as
    of all data, or none where these are not watched.
    """
    i, several = cause.slice, several_a_row(counts.rows, keys)
    shares = np.stack([_share(counts.rows, keys, (i, j), several) for j in range(len(keys))])
    rate = counts.failures[i, : cause.since].sum() + counts.known_failures[i]
    rate /= max(counts.rows[i, : cause.since].sum() + counts.known_rows[i], 1)
    excess = counts.failures[i] - rate * counts.rows[i]
    excess[: cause.since] = 0.0
    failures = np.clip(counts.failures - shares * excess, 0.0, counts.rows)
    return dataclasses.replace(counts, failures=failures)


def several_a_row(rows: Array, keys: list[SliceKey]) -> set[str]:
    """The features of which rows have several values: their slices have more rows than all data."""
    if OVERALL not in keys:
        return {feature for key in keys for feature, _ in key}  # nobody knows
    whole, of_feature = rows[keys.index(OVERALL)], dict[str, Array]()
    for at, key in enumerate(keys):
        if len(key) == 1:
            feature = key[0][0]
            of_feature[feature] = of_feature.get(feature, 0) + rows[at]
    return {feature for feature, total in of_feature.items() if (total > whole * _ROUNDED).any()}


def _share(rows: Array, keys: list[SliceKey], pair: tuple[int, int], several: set[str]) -> Array:
    """Which share of the rows of the first slice is in the second: float64[T]."""
    i, j = pair
    inner, outer = dict(keys[i]), dict(keys[j])
    if outer.items() <= inner.items():
        return np.ones(rows.shape[1])
    if inner.items() <= outer.items():
        return _ratio(rows[j], rows[i])
    apart = {f for f, value in outer.items() if inner.get(f, value) != value} - several
    if apart or OVERALL not in keys:
        return np.zeros(rows.shape[1])
    return _ratio(rows[j], rows[keys.index(OVERALL)])


def _ratio(part: Array, whole: Array) -> Array:
    return np.asarray(np.clip(part / np.maximum(whole, 1e-9), 0.0, 1.0))
