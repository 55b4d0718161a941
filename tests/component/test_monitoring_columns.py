# SPDX-License-Identifier: Apache-2.0
"""Columns of a stream that are watched without labels, and what cannot be."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from benison.errors import BenisonError
from benison.monitoring import (
    monitor_columns,
)

TWO_DAYS = pa.table(
    {
        "t": ["2026-03-01"] * 1200 + ["2026-03-02"] * 1500,
        "id": [f"trip-{i}" for i in range(2700)],
        "started": [f"2026-03-01 {i % 24:02}:00:00" for i in range(1200)] + ["2026-03-02"] * 1500,
        "company": ["Blue", "Sun"] * 600 + ["Blue"] * 1500,
    }
)


def test_columns_of_ids_and_of_times_are_named_and_not_watched() -> None:
    report = monitor_columns(TWO_DAYS, time_key="t")
    (alert,) = report.alerts
    assert (alert.metric, alert.rows, report.metrics) == ("company", 1500, ("company",))
    assert report.unwatched == ("id", "started")
    assert "1 column in 1 bucket" in report.summary
    assert "id, started" in report.summary
    chosen = monitor_columns(TWO_DAYS, time_key="t", columns=["id"])
    assert [each.metric for each in chosen.alerts] == ["id"]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"false_alarms": 0.6, "horizon": 1}, "false alarms over the horizon.*not 0.6 / 1"),
        ({"false_alarms": 1e-20}, "above 1e-16"),
        ({"columns": []}, "No column is left to be watched: name"),
        ({"columns": ["t"]}, "No column is left to be watched: name"),
        ({"reference_buckets": 0}, "1 bucket or more, not 0"),
        ({"reference_buckets": 2}, "have 2 days and the reference is the first 2 days.*later data"),
        ({"bucket": "month"}, "have 1 month and the reference is the first 1 month"),
    ],
)
def test_what_cannot_be_watched_in_columns_is_refused_with_the_cure(
    asked: dict[str, Any], text: str
) -> None:
    with pytest.raises(BenisonError, match=text):
        monitor_columns(TWO_DAYS, **{"time_key": "t", "columns": ["company"], **asked})
