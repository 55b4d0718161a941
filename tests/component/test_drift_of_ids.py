# SPDX-License-Identifier: Apache-2.0
"""Columns of ids and of times, which drift by what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from benison.drift import compare, profile
from benison.errors import BenisonError

IDS = {
    "id": [f"trip-{i}" for i in range(4800)],
    "number": range(5, 24005, 5),
    "at": [f"2026-03-01T{i % 24:02}:00:00" for i in range(4800)],
}


LATER = {
    "id": [f"ride-{i}" for i in range(4800)],
    "number": range(24005, 48005, 5),
    "at": [f"2026-03-02T{i % 24:02}:00:00" for i in range(4800)],
}


PLAIN = {"company": ["Blue", "Sun", "Star"] * 1600, "paid": [True, False] * 2400}


@pytest.mark.parametrize("is_stored", [False, True])
def test_ids_and_times_are_compared_only_where_they_are_named(
    is_stored: bool, tmp_path: Path
) -> None:
    reference: Any = pa.table({**IDS, **PLAIN})
    now = pa.table({**LATER, **PLAIN})
    if is_stored:
        profile(reference, tmp_path / "profile.parquet")
        reference = tmp_path / "profile.parquet"
    report = compare(reference, now)
    assert (report.drifted, report.left_out) == ([], ("id", "number", "at"))
    assert [each.feature for each in compare(reference, now, columns=["id"]).checks] == ["id"]
    assert compare(reference, now, threshold={"at": 0.2}).drifted == ["at"]
    with pytest.raises(BenisonError, match=r"No column can be compared.*id, number, at.*-c"):
        compare(*(pa.table(of) for of in (IDS, LATER)))


def test_timestamps_are_left_out_by_default() -> None:
    for unit in ("s", "ns"):
        seconds = [pa.array([day] * 50).cast(pa.timestamp("s")) for day in (0, 86_400)]
        times = [of.cast(pa.timestamp(unit)) for of in seconds]
        before, now = (pa.table({"t": of, "x": [1.0] * 50}) for of in times)
        assert compare(before, now).left_out == ("t",)


def _ids(kind: str, rows: int, start: int) -> list[int]:
    """Those of rows after each other, `start` days after the first."""
    rng = np.random.default_rng(start)
    if kind == "counter":
        numbers = np.arange(rows) + start * 10_000
    elif kind == "gaps":
        numbers = np.cumsum(rng.integers(1, 10, rows)) + start * 100_000
    else:
        at = np.sort(rng.integers(0, 86_400_000, rows)) + start * 86_400_000
        numbers = at + 1_760_000_000_000
        if kind == "snowflake":
            numbers = ((at + 200 * 86_400_000) << 22) | rng.integers(0, 2**22, rows)
        if kind == "of months":
            numbers = (50 * at << 22) | rng.integers(0, 2**22, rows)
    numbers[5] = numbers[4]  # one of them twice, as where a row was sent again
    return [*map(int, numbers)]


@pytest.mark.parametrize("rows", [60, 200, 1_000, 20_000])
@pytest.mark.parametrize("kind", ["counter", "gaps", "snowflake", "of months", "milliseconds"])
def test_ids_that_grow_with_time_raise_no_alarm(kind: str, rows: int, tmp_path: Path) -> None:
    if kind == "gaps":
        rows = max(rows, 200)
    days = [pa.table({"id": _ids(kind, rows, day), "x": [1.0] * rows}) for day in (0, 2)]
    profile(days[0], tmp_path / "profile.parquet")
    for before in (days[0], tmp_path / "profile.parquet"):
        report = compare(before, days[1])
        assert (report.left_out, report.drifted) == (("id",), [])
    assert compare(*days, columns=["id"]).drifted == ["id"]
    broken = days[1].set_column(0, "id", pa.array([7] * rows))
    assert compare(days[0], broken).drifted == ["id"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, rows, shift: rng.lognormal(8 + shift, 1, rows),  # cents
        lambda rng, rows, shift: rng.lognormal(28 + shift, 1, rows),  # bytes of disks
        lambda rng, rows, shift: np.arange(rows) % 20 + 40 * shift,  # a balanced design
        lambda rng, rows, shift: rng.integers(0, 24, rows) + 12 * shift,  # hours
        lambda rng, rows, shift: rng.normal(101_325 + 3_000 * shift, 500, rows),  # a pressure
    ],
    ids=["cents", "bytes", "design", "hours", "pressure"],
)
@pytest.mark.parametrize("rows", [40, 200, 1_000, 20_000])
def test_whole_numbers_that_measure_are_compared(draw: Any, rows: int) -> None:
    rng = np.random.default_rng(rows)
    before, now = (
        pa.table({"of": np.asarray(draw(rng, rows, shift), np.int64)}) for shift in (0, 1)
    )
    report = compare(before, now)
    assert report.left_out == ()
    assert report.drifted == ["of"] or rows == 40


def test_few_rows_with_numbers_of_their_own_are_no_ids() -> None:
    before, now = (pa.table({"hour": range(low, low + 7)}) for low in (0, 50))
    assert compare(before, now).left_out == ()
