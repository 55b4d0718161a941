# SPDX-License-Identifier: Apache-2.0
"""A short form of `tests.statistics.change_detectors`: few false alarms, and no later than river's ADWIN."""

from __future__ import annotations

import pytest

from benison.monitoring import DETECTORS
from tests.statistics.change_detectors import (
    ROWS,
    Seen,
    drawn,
    false_alarms,
    ours,
    rivers,
    small_references,
)

RUNS = 400
FEW = 40
"""Runs of river, whose detector sees row after row."""


@pytest.mark.parametrize("name", DETECTORS)
def test_two_in_a_hundred_streams_alarm_by_chance_at_most(name: str) -> None:
    assert false_alarms(name, RUNS) <= 0.02


def test_small_references_alarm_no_more_often() -> None:
    """The limit of a rate of few rows is far from what many rows show then."""
    assert {name: share for name, share in small_references(RUNS).items() if share > 0.02} == {}


@pytest.mark.parametrize(("rate", "more"), [(0.15, 0), (0.20, ROWS)])
def test_changes_are_seen_as_soon_as_river_sees_them(rate: float, more: int) -> None:
    """At most a bucket later, where a bucket is as many rows as show the change."""
    counts = drawn(FEW, rate, seed=1)
    mine, theirs = Seen.of(ours("e-detector", counts)), Seen.of(rivers(counts))
    assert mine.seen == 1.0
    assert mine.delay <= theirs.delay + more
