# SPDX-License-Identifier: Apache-2.0
"""Periods of several sizes and times of several forms stay apart, or are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.errors import DataError
from benison.monitoring import monitor, monitor_columns, monitor_stream
from benison.slicing.keys import PERIOD, are_apart
from benison.slicing.periods import periods

DAYS = [f"2026-03-{day:02}" for day in range(1, 5)]
DATA = pa.table(
    {"day": [day for day in DAYS for _ in range(100)], "label": [1] * 400, "score": [1, 0] * 200}
)


def config(*slices: Any) -> dict[str, Any]:
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "score"}],
        "slicing_specs": [*slices],
        "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy"}]}],
        "options": {"confidence": {"level": 0.95}},
    }


def by(every: str) -> dict[str, Any]:
    return {"bins": {"day": {"every": every}}}


@pytest.mark.parametrize(
    "slices",
    [
        ({}, by("month")),
        ({}, by("day"), by("year")),
        (by("month"),),
        ({}, {"feature_keys": ["day"]}),
    ],
)
def test_the_buckets_of_a_stream_are_of_one_size(slices: Any) -> None:
    report = monitor_stream(DATA, config(*slices), time_key="day")
    assert [*report.reference, *report.buckets] == DAYS
    assert report.streams == 1


def test_a_result_by_periods_of_several_sizes_is_refused() -> None:
    result = benison.evaluate(DATA, config({}, by("month"), by("day")))
    with pytest.raises(DataError, match="of 'day' by day and by month, and buckets are of one"):
        monitor([result])


def test_hours_and_minutes_have_names_of_their_own() -> None:
    times = [f"2026-03-01 12:{minute:02}:00" for minute in (0, 0, 5)]
    data = pa.table({"day": times, "label": [1] * 3, "score": [1] * 3})
    result = benison.evaluate(data, config(by("hour"), by("minute")))
    rows = zip(result.slices(), result.metrics["examples"].to_pylist(), strict=True)
    counts = {"day=2026-03-01 12:00": 2, "day=2026-03-01 12:05": 1, "day=2026-03-01 12h": 3}
    assert dict(rows) == counts


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        ("2026-03-01 12h", "2026-03-01 12:05", False),
        ("2026-03-01 12h", "2026-03-01 13h", True),
        ("2026-03", "2026-03-01", False),
    ],
)
def test_periods_of_one_size_alone_are_known_to_share_no_row(a: str, b: str, apart: bool) -> None:
    kinds = {"t": PERIOD}
    assert are_apart((("t", a),), (("t", b),), kinds, kinds) is apart


@pytest.mark.parametrize("number", [20260131, 1e300, -1.0, float("inf"), 46_000, 20260131120000])
def test_numbers_that_are_no_seconds_are_refused(number: float) -> None:
    with pytest.raises(DataError, match=r"outside 1971 to 2200.*yyyymmdd"):
        periods("t", pa.array([1.7e9, number, None]), "day")


ZONED, LOCAL = "2026-03-01T23:30:00-05:00", "2026-03-01 23:30:00"


def files(folder: Path, *columns: list[str | None]) -> list[str]:
    """A file, and so a batch, for each column of times."""
    paths = [folder / f"{i}.parquet" for i in range(len(columns))]
    for path, times in zip(paths, columns, strict=True):
        size = len(times)
        data = pa.table(
            {"day": pa.array(times, pa.string()), "label": [1] * size, "score": [1] * size}
        )
        pq.write_table(data, path)
    return [str(path) for path in paths]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([ZONED, None], [LOCAL]),
        ([LOCAL], ["2026-03-05T12:00:00Z"]),
        ([ZONED, LOCAL], [None]),
        (["2026-03-01"], [ZONED]),
    ],
)
def test_times_with_and_without_zones_are_not_mixed_in_a_column(
    first: list[str | None], second: list[str | None], tmp_path: Path
) -> None:
    paths = files(tmp_path, first, second)
    with pytest.raises(DataError, match="'day'.*all with a zone or all without"):
        benison.evaluate(paths, config({"feature_keys": ["label"], **by("day")}))
    with pytest.raises(DataError, match="'day'.*all with a zone or all without"):
        monitor_columns(paths, time_key="day")


def test_a_batch_without_times_has_no_zone(tmp_path: Path) -> None:
    paths = files(tmp_path, [None], [ZONED], [None])
    result = benison.evaluate(paths, config(by("day")))
    assert result.slices() == ["day=2026-03-02"]
    (pair,) = result.metrics["slice_key"][0].as_py()
    assert pair["type"] == PERIOD


@pytest.mark.parametrize(
    ("zone", "every", "labels"),
    [
        # An hour that comes twice, a midnight that is skipped, and one that comes twice.
        (
            "Europe/Berlin",
            "hour",
            {
                "2026-10-24T23:30:00Z": "2026-10-25 01h",
                "2026-10-25T00:30:00Z": "2026-10-25 02h",
                "2026-10-25T01:30:00Z": "2026-10-25 02h",
                "2026-10-25T02:30:00Z": "2026-10-25 03h",
            },
        ),
        (
            "Asia/Beirut",
            "day",
            {"2026-03-28T21:30:00Z": "2026-03-28", "2026-03-28T22:30:00Z": "2026-03-29"},
        ),
        (
            "America/Havana",
            "day",
            {
                "2026-11-01T03:30:00Z": "2026-10-31",
                "2026-11-01T04:30:00Z": "2026-11-01",
                "2026-11-01T05:30:00Z": "2026-11-01",
            },
        ),
        (
            "+05:30",
            "day",
            {"2026-03-01T18:29:59Z": "2026-03-01", "2026-03-01T18:30:00Z": "2026-03-02"},
        ),
        (
            "-0330",
            "hour",
            {"2026-03-01T03:29:59Z": "2026-02-28 23h", "2026-03-01T03:30:00Z": "2026-03-01 00h"},
        ),
    ],
)
def test_times_are_labelled_by_the_clock_of_their_zone(
    zone: str, every: str, labels: dict[str, str]
) -> None:
    times = pa.array([*labels, None]).cast(pa.timestamp("s", "UTC")).cast(pa.timestamp("ns", zone))
    assert periods("t", times, every).to_pylist() == [*labels.values(), None]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "UTC+3"])
def test_a_zone_that_is_unknown_is_refused(zone: str) -> None:
    times = pa.array([0], pa.timestamp("s", zone))
    with pytest.raises(DataError, match=f"'day'.*{re.escape(repr(zone))}.*Cast the column"):
        benison.evaluate(pa.table({"day": times, "label": [1], "score": [1]}), config(by("day")))
