# SPDX-License-Identifier: Apache-2.0
"""Columns that go on with time whatever happens: they are named, and no drift."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from benison.monitoring import Watch, monitor_columns, monitor_stream
from tests.component.test_monitoring import CONFIG

DAYS, ROWS = 12, 300
FIRST = datetime.date(2026, 2, 24)


def stream(days: int = DAYS) -> pa.Table:
    """Trips of some days with columns that count up, beside some that do not; `tariff` changes on a day."""
    rng, parts = np.random.default_rng(7), []
    for day in range(days):
        date, rows = FIRST + datetime.timedelta(days=day), np.arange(ROWS)
        batch = 40 * day + rows // 8  # of several trips each, and one that comes late
        batch[:1] -= min(day, 1) * 90
        columns = {
            "pickup": [str(date)] * ROWS,
            "date": pa.array([date] * ROWS),
            "day": pa.array([day + 1] * ROWS),
            "batch": pa.array(batch),
            "hour": rng.integers(0, 24, ROWS),
            "tariff": rng.integers(0, 3, ROWS) + (2 if day > 8 else 0),
            "version": pa.array([1 + day // 4] * ROWS),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def test_what_counts_up_with_time_is_named_and_no_drift() -> None:
    report = monitor_columns(stream(), time_key="pickup", reference_buckets=3)
    assert report.unwatched == ("date", "day", "batch")
    assert "count up with time: date, day, batch. Name a column (-c)" in report.summary
    assert {alert.metric for alert in report.alerts} == {"tariff", "version"}
    assert report.metrics == ("hour", "tariff", "version")


@pytest.mark.parametrize("column", ["day", "date"])
def test_a_column_that_is_named_is_watched_all_the_same(column: str) -> None:
    report = monitor_columns(stream(), time_key="pickup", reference_buckets=3, columns=[column])
    assert [alert.metric for alert in report.alerts] == [column]
    assert report.unwatched == ()


def test_two_buckets_do_not_tell_a_counter_from_a_change() -> None:
    report = monitor_columns(stream(2), time_key="pickup")
    assert report.unwatched == ("date",)
    assert "day" in {alert.metric for alert in report.alerts}


def test_a_counter_explains_no_alert() -> None:
    """Beside a slice that became worse its `day` says nothing, and a column that changed does."""
    rng, trips = np.random.default_rng(1), stream()
    day = trips["day"].to_numpy()
    company = np.where(rng.random(len(day)) < 0.5, "Blue", "Sun")
    label = rng.integers(0, 2, len(day))
    is_wrong = rng.random(len(day)) < np.where((day > 9) & (company == "Blue"), 0.5, 0.1)
    more = {"company": company, "label": label, "score": np.where(is_wrong, 1 - label, label)}
    for name, values in more.items():
        trips = trips.append_column(name, pa.array(values))
    config = {**CONFIG, "slicing_specs": [{}, {"feature_keys": ["company"]}]}
    watch = Watch(known=3, metrics=["binary_accuracy"])
    (alert,) = monitor_stream(trips, config, time_key="pickup", watch=watch).alerts
    assert alert.slice == "company=Blue"
    assert "tariff" in alert.drifted
    assert not {"day", "batch", "date"} & {*alert.drifted}
