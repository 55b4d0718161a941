# SPDX-License-Identifier: Apache-2.0
"""The numbers of an alert are those of the rows that it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import benison
from benison.monitoring import (
    Watch,
    monitor,
    monitor_stream,
)
from tests.component.test_monitoring import CONFIG

CONFIG_OF_DAYS: dict[str, Any] = {
    **CONFIG,
    "slicing_specs": [{}, {"feature_keys": ["company"]}],
    "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy"}, {"class_name": "AUC"}]}],
}
WORSE = range(7, 10)


def recovered() -> pa.Table:
    """Trips of 14 days, on three of which the scores of one company are chance; then they are good again."""
    rng, parts = np.random.default_rng(3), []
    for day in range(1, 15):
        rows = 400 + 20 * day
        company, label = rng.choice(["Blue", "Sun"], rows), rng.integers(0, 2, rows)
        good = np.clip(rng.normal(0.3 + 0.4 * label, 0.2), 0, 1)
        is_bad = (company == "Blue") & (day in WORSE)
        scores = np.where(is_bad, rng.random(rows), good)
        columns = {"day": [f"2026-03-{day:02}"] * rows, "company": company, "label": label}
        parts.append(pa.table({**columns, "score": scores}))
    return pa.concat_tables(parts)


def sides(alert: Any, frame: Any) -> tuple[Any, Any]:
    """The rows of the slice before the change, and from then to the last alarm, as the sentence says it."""
    said = re.search(r"since (\S+) \(.* alarm at ([\d-]+)", alert.reason)
    assert said is not None
    of = frame[frame["company"] == "Blue"]
    since, until = said.groups()
    return of[of["day"] < since], of[(of["day"] >= since) & (of["day"] <= until)]


def numbers_said(reason: str) -> list[float]:
    pattern = r"from (\S+) to (\S+) since \S+ \(([\d,]+) \D*rows before, the reference included; ([\d,]+) since"
    said = re.search(pattern, reason)
    assert said is not None, reason
    return [float(text.replace(",", "")) for text in said.groups()]


def test_the_numbers_of_an_alert_are_those_of_the_rows_that_it_names() -> None:
    trips = recovered()
    (alert,) = monitor_stream(
        trips, CONFIG_OF_DAYS, time_key="day", watch=Watch(known=4, metrics=["binary_accuracy"])
    ).alerts
    frame = trips.to_pandas()
    frame["right"] = frame["label"] == (frame["score"] > 0.5)
    before, since = sides(alert, frame)
    assert {*since["day"]} == {f"2026-03-{day:02}" for day in WORSE}  # and not all days after
    numbers = [before["right"].mean(), since["right"].mean(), len(before), len(since)]
    assert numbers_said(alert.reason) == pytest.approx(numbers, abs=5e-5)
    assert "equivalent" not in alert.reason
    assert (alert.until, alert.rows_before, alert.rows) == (max(since["day"]), *numbers[2:])


def test_equivalent_rows_are_those_of_the_errors_of_its_values(tmp_path: Path) -> None:
    """Of AUC, from metrics.parquet of each day: n = v (1 - v) / error^2, at most its rows; the means by n."""
    pandas = pytest.importorskip("pandas")
    trips, runs = recovered(), []
    for day in range(1, 15):
        own = trips.filter(pc.equal(trips["day"], f"2026-03-{day:02}")).drop_columns("day")
        runs.append(tmp_path / f"2026-03-{day:02}")
        benison.evaluate(own, CONFIG_OF_DAYS, output=runs[-1])
    report = monitor(runs, as_given=True, reference_buckets=4, metrics=["auc"])
    (alert,) = report.alerts
    parts = [pandas.read_parquet(run / "metrics.parquet").assign(day=run.name) for run in runs]
    every = pandas.concat(parts)
    is_own = (every["metric"] == "auc") & (every["slice"] == "company=Blue")
    frame = every[is_own & (every["kind"] == "value")].assign(company="Blue")
    frame["n"] = frame["value"] * (1 - frame["value"]) / frame["std_error"] ** 2
    frame["n"] = frame[["n", "evaluated"]].min(axis=1)
    before, since = sides(alert, frame)
    rates = [np.average(side["value"], weights=side["n"]) for side in (before, since)]
    numbers = [*rates, *(round(side["n"].sum()) for side in (before, since))]
    assert numbers_said(alert.reason) == pytest.approx(numbers, abs=5e-5)
    assert "equivalent rows before" in alert.reason
    assert "Equivalent rows are as many as would give a share the same error" in report.summary
