# SPDX-License-Identifier: Apache-2.0
"""Detectors of change: alarms at the rows at which river has them, and nothing from a bucket without rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import drift
from scipy import stats

from benison.data.batch import Array
from benison.monitoring.adaptive_window import AdaptiveWindow
from benison.monitoring.detectors import BucketCounts, Detector
from benison.monitoring.e_detector import ODDS, EDetector, upper_limit
from benison.monitoring.error_rates import DriftDetectionMethod, EarlyDriftDetection
from benison.monitoring.explanations import beginning


def wrong_rows(seed: int) -> Array:
    """600 rows of which a tenth is wrong, from row 300 on three tenths in every other stream."""
    rng = np.random.default_rng(seed)
    return np.r_[rng.random(300) < 0.1, rng.random(300) < (0.3 if seed % 2 else 0.1)].astype(float)


def first_of_river(detector: Any, rows: Array) -> int | None:
    for i, wrong in enumerate(rows):
        detector.update(int(wrong))
        if detector.drift_detected:
            return i
    return None


def firsts(detector: Detector, counts: BucketCounts) -> list[int | None]:
    """The bucket of the first alarm of each slice."""
    raised = detector.watch(counts).raised
    return [int(each.argmax()) if each.any() else None for each in raised]


@pytest.mark.parametrize(
    ("ours", "rivers"),
    [
        (DriftDetectionMethod(), drift.binary.DDM),
        (EarlyDriftDetection(), drift.binary.EDDM),
        (AdaptiveWindow(), lambda: drift.ADWIN(clock=1)),
        # With so many buckets of one size every split is tried.
        (AdaptiveWindow(kept=1000), lambda: drift.ADWIN(clock=1, max_buckets=1000)),
    ],
    ids=["ddm", "eddm", "adwin", "adwin of every split"],
)
def test_alarms_are_at_the_rows_at_which_river_has_them(ours: Detector, rivers: Any) -> None:
    streams = np.stack([wrong_rows(seed) for seed in range(6)])
    expected = [first_of_river(rivers(), rows) for rows in streams]
    assert firsts(ours, BucketCounts.of(streams, np.ones_like(streams))) == expected
    assert {*expected} != {None}


def planted(rows: float = 250) -> BucketCounts:
    """Two slices in 12 buckets: the first has .1 wrong, the second .2 from bucket 6 on."""
    rates = np.full((2, 12), 0.1)
    rates[1, 6:] = 0.2
    return BucketCounts(
        rates * rows, np.full((2, 12), rows), np.full(2, 1000.0), np.full(2, 10_000.0)
    )


ALL = [EDetector(), DriftDetectionMethod(), EarlyDriftDetection(), AdaptiveWindow()]


@pytest.mark.parametrize("detector", ALL, ids=lambda each: type(each).__name__)
def test_a_bucket_without_rows_changes_nothing(detector: Detector) -> None:
    counts = planted()
    empty = [np.insert(of, 3, 0.0, axis=1) for of in (counts.failures, counts.rows)]
    sparse = BucketCounts(*empty, counts.known_failures, counts.known_rows)
    before, after = (detector.watch(each).raised for each in (counts, sparse))
    assert np.array_equal(np.delete(after, 3, axis=1), before)
    assert not after[:, 3].any()


@pytest.mark.parametrize("detector", ALL, ids=lambda each: type(each).__name__)
def test_each_slice_is_watched_by_itself(detector: Detector) -> None:
    counts = planted()
    both = detector.watch(counts).raised
    alone = [detector.watch(counts.take(np.array([i]))).raised[0] for i in range(2)]
    assert np.array_equal(both, alone)


@pytest.mark.parametrize("detector", [EDetector(), AdaptiveWindow()])
def test_a_change_is_seen_and_its_beginning(detector: Detector) -> None:
    first = firsts(detector, planted())
    assert first[0] is None
    assert first[1] in (6, 7)
    assert beginning(planted().take(np.array([1])), 8)[0] == 6


def test_the_e_detector_is_the_recurrence_of_shiryaev_and_roberts() -> None:
    """In plain numbers, for one slice whose failures go up and down."""
    k, n, known = [30.0, 20, 45, 28], 200.0, (1000.0, 10_000.0)
    counts = BucketCounts(
        np.array([k]), np.full((1, 4), n), np.array([known[0]]), np.array([known[1]])
    )
    p0 = float(upper_limit(*(np.array([each]) for each in known), 0.01)[0])
    thetas = [odds * p0 / (1 - p0 + odds * p0) for odds in ODDS]
    r = [0.0] * len(thetas)
    expected = []
    for failures in k:
        for i, theta in enumerate(thetas):
            ratio = (theta / p0) ** failures * ((1 - theta) / (1 - p0)) ** (n - failures)
            r[i] = (1 + r[i]) * ratio
        expected.append(np.log(np.mean(r)))
    measured = EDetector(horizon=10**9, false_alarms=0.02).watch(counts).statistic[0]
    assert measured == pytest.approx(expected)


def test_the_limit_of_a_rate_is_that_of_clopper_and_pearson() -> None:
    rows = np.array([20.0, 50, 500, 1e4, 1e6, 7.5])
    failures = np.array([2.0, 0, 499, 1000, 1e5, 1.5])
    for share in (0.01, 1e-5):
        expected = stats.beta.ppf(1 - share, failures + 1, rows - failures)
        assert upper_limit(failures, rows, share) == pytest.approx(expected, rel=1e-6)
    assert upper_limit(np.array([5.0, 0.0]), np.array([5.0, 0.0])).tolist() == [1.0, 1.0]
