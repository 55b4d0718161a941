# SPDX-License-Identifier: Apache-2.0
"""Monitoring: a change that was planted in one slice is named, and only that slice; nothing where nothing changed."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.errors import BenisonError
from benison.monitoring import MonitorReport, Watch, monitor, monitor_stream
from benison.results.result import EvalResult

CHANGE_AT, DAYS = 3, 6
CONFIG: dict[str, Any] = {
    "model_specs": [{"label_key": "label", "prediction_key": "score"}],
    "slicing_specs": [{}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]}],
    "metrics_specs": [
        {
            "metrics": [
                {
                    "class_name": "BinaryAccuracy",
                    "threshold": {"value_threshold": {"lower_bound": 0.7}},
                },
                {"class_name": "Recall"},
                {"class_name": "MeanLabel"},
            ]
        }
    ],
    "options": {"confidence": {"level": 0.95}},
}


def trips(day: int, planted: str = "", rows: int = 1500) -> pa.Table:
    """Rows of a day; from `CHANGE_AT` on the model errs more with Blue, or more labels are 1."""
    rng = np.random.default_rng(day)
    company, hour = rng.choice(["Blue", "Sun", "Star"], rows), rng.integers(0, 4, rows)
    changed = day >= CHANGE_AT
    label = (rng.random(rows) < (0.7 if planted == "prior" and changed else 0.5)).astype(int)
    wrong = np.where((company == "Blue") & (planted == "concept") & changed, 0.3, 0.1)
    score = np.where(rng.random(rows) < wrong, 1 - label, label).astype(float)
    columns = {"company": company, "hour": hour, "label": label, "score": score}
    return pa.table(columns)


def days(planted: str = "", **more: Any) -> list[EvalResult]:
    sizes = [4000, *[1500] * (DAYS - 1)]
    return [
        benison.evaluate(trips(day, planted, rows), {**CONFIG, **more})
        for day, rows in enumerate(sizes)
    ]


@pytest.fixture(scope="module")
def quiet() -> list[EvalResult]:
    return days()


@pytest.fixture(scope="module")
def concept() -> list[EvalResult]:
    return days("concept")


def watched(results: list[EvalResult], **more: Any) -> MonitorReport:
    return monitor(results, as_given=True, **more)


@pytest.mark.parametrize("detector", ["e-detector", "ddm", "adwin"])
def test_a_change_in_one_slice_is_named_and_only_that_slice(
    concept: list[EvalResult], detector: str
) -> None:
    report = watched(concept, detector=detector)
    (alert,) = report.alerts
    assert (alert.metric, alert.slice, alert.side) == ("binary_accuracy", "company=Blue", "fell")
    assert alert.since == report.buckets[CHANGE_AT - 1]  # the first day is the reference
    assert alert.before == pytest.approx(0.9, abs=0.02)
    assert alert.after == pytest.approx(0.7, abs=0.06)
    assert "Overall" in alert.explains
    assert alert.reason.startswith("binary_accuracy of company=Blue fell from 0.")


def test_nothing_that_changed_is_no_alert(quiet: list[EvalResult]) -> None:
    report = watched(quiet, metrics=["binary_accuracy", "recall", "mean_label"])
    assert not report.alerts
    assert report.streams == 8 * 4  # with both ends of the mean label
    assert report.summary.startswith("No alert")


FIRST = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


def stream(planted: str = "") -> pa.Table:
    """The days one after the other, with the time of each trip in seconds since 1970."""
    parts = []
    for day in range(DAYS):
        table = trips(day, planted, 4000 if day == 0 else 1500)
        seconds = int(FIRST.timestamp()) + day * 86_400 + np.arange(table.num_rows)
        parts.append(table.append_column("pickup", pa.array(seconds)))
    return pa.concat_tables(parts)


def test_a_stream_of_data_has_the_alerts_of_results_a_day(concept: list[EvalResult]) -> None:
    choices = {"metrics": ["binary_accuracy", "recall", "mean_label"]}
    by_day = watched(concept, **choices)
    streamed = monitor_stream(
        stream("concept"),
        CONFIG,
        time_key="pickup",
        watch=Watch(**choices),  # type: ignore[arg-type]
    )
    assert streamed.buckets == tuple(f"2026-03-{day + 1:02}" for day in range(1, DAYS))
    days_of = dict(zip(by_day.buckets, streamed.buckets, strict=True))
    assert [dataclasses.replace(each, drifted=(), drift=()) for each in streamed.alerts] == [
        dataclasses.replace(
            each,
            since=days_of[each.since],
            raised=days_of[each.raised],
            again=tuple(days_of[at] for at in each.again),
        )
        for each in by_day.alerts
    ]
    assert {each.slice for each in streamed.alerts} == {"company=Blue"}


def test_the_columns_that_drifted_in_the_slice_are_named(tmp_path: Path) -> None:
    """From a day on Blue's trips are other ones; those of the others stay, and so does another column."""
    table, rng = stream("concept"), np.random.default_rng(1)
    is_moved = (np.array(table["company"]) == "Blue") & (
        np.array(table["pickup"]) >= FIRST.timestamp() + CHANGE_AT * 86_400
    )
    fare = rng.normal(12, 3, table.num_rows) + 4 * is_moved
    table = table.append_column("fare", pa.array(fare)).append_column(
        "tip", pa.array(rng.random(table.num_rows))
    )
    data = tmp_path / "trips.parquet"
    pq.write_table(table, data)
    streamed = monitor_stream(str(data), CONFIG, time_key="pickup")
    for day in range(DAYS):
        own = table.filter(
            pc.equal(pc.divide(pc.subtract(table["pickup"], int(FIRST.timestamp())), 86_400), day)
        )
        pq.write_table(own.drop_columns("pickup"), tmp_path / f"{day}.parquet")
        benison.evaluate(str(tmp_path / f"{day}.parquet"), CONFIG, output=tmp_path / f"day-{day}")
    by_run = monitor([tmp_path / f"day-{day}" for day in range(DAYS)])
    for report in (streamed, by_run):
        (alert,) = report.alerts
        assert (alert.slice, alert.drifted) == ("company=Blue", ("fare",))
        assert "In it fare drifted: its distance is" in alert.reason


def test_a_result_with_slices_of_periods_is_watched_as_it_is() -> None:
    slices = [{"feature_keys": ["company"], "bins": {"pickup": {"every": "day"}}}]
    result = benison.evaluate(stream("concept"), {**CONFIG, "slicing_specs": slices})
    report = monitor([result], metrics=["binary_accuracy"])
    assert [(each.slice, each.since) for each in report.alerts] == [
        ("company=Blue", f"2026-03-{CHANGE_AT + 1:02}")
    ]
    with pytest.raises(BenisonError, match="no slices by periods of 'pick'"):
        monitor([result], time_key="pick")


def test_more_positive_labels_everywhere_are_one_alert_of_all_data() -> None:
    report = monitor_stream(
        stream("prior"), CONFIG, time_key="pickup", watch=Watch(metrics=["mean_label", "recall"])
    )
    (alert,) = report.alerts
    assert (alert.metric, alert.slice, alert.side) == ("mean_label", "Overall", "rose")
    assert len(alert.explains) >= 5
    assert alert.after == pytest.approx(0.7, abs=0.03)


def test_four_rates_are_watched_where_the_results_have_them(concept: list[EvalResult]) -> None:
    with pytest.raises(BenisonError, match="'specificity'"):
        watched(concept, detector="lfr")


def test_a_rate_that_rests_on_a_part_of_the_rows_has_its_own_number(
    concept: list[EvalResult],
) -> None:
    """Of recall the positives, half of the rows, which its interval says."""
    report = watched(concept, metrics=["recall"], slices=["company=Blue"])
    (alert,) = report.alerts
    blue = sum(
        r.value("mean_label", "company=Blue")
        * r.rows("mean_label")
        .filter(pa.compute.equal(r.rows("mean_label")["slice"], "company=Blue"))["examples"][0]
        .as_py()
        for r in concept[report.buckets.index(alert.since) + 1 :]
    )
    assert alert.rows <= blue * 1.05
    assert alert.rows > blue / 3


def test_a_bucket_without_its_labels_is_said_and_not_judged(concept: list[EvalResult]) -> None:
    late = trips(DAYS)
    labels = [None if i % 2 else label for i, label in enumerate(late["label"].to_pylist())]
    late = late.set_column(2, "label", pa.array(labels))
    report = watched([*concept, benison.evaluate(late, CONFIG)])
    assert report.pending == (report.buckets[-1],)
    assert "wait for labels" in report.summary
    assert not watched([*concept, benison.evaluate(late, CONFIG)], labelled=0.4).pending


def test_shares_of_all_rows_are_watched_without_intervals() -> None:
    unsure = {**CONFIG, "options": {"confidence": "off"}}
    report = monitor_stream(
        stream("concept"),
        unsure,
        time_key="pickup",
        watch=Watch(metrics=["binary_accuracy", "recall"]),
    )
    assert [alert.slice for alert in report.alerts] == ["company=Blue"]
    assert report.unwatched == ("recall",)


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"detector": "adwim"}, "'adwin'"),
        ({"metrics": ["acuracy"]}, "binary_accuracy"),
        ({"reference_buckets": DAYS}, "none is left"),
        ({"threshold": 3.0}, "horizon / false alarms"),
        ({"false_alarms": 0.0}, "false alarms"),
        ({"slices": ["company=Blu"]}, "company=Blue"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    quiet: list[EvalResult], choice: dict[str, Any], text: str
) -> None:
    with pytest.raises(BenisonError, match=text):
        watched(quiet, **choice)


def test_the_command_gates_and_replays(tmp_path: Path) -> None:
    for day in (0, *range(CHANGE_AT, CHANGE_AT + 1)):
        benison.evaluate(trips(day, "concept", 4000), CONFIG, output=tmp_path / f"day-{day:02}")
    runs, junit = sorted(map(str, tmp_path.glob("day-*"))), tmp_path / "alerts.xml"
    run = CliRunner().invoke(app, ["monitor", *runs, "--gate", "--junit", str(junit)])
    assert run.exit_code == 1
    assert "binary_accuracy of company=Blue fell" in run.stdout
    assert "at most 2 %" in run.stdout
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    as_json = CliRunner().invoke(app, ["monitor", *runs, "--json", "--detector", "ddm"])
    assert as_json.exit_code == 0
    assert json.loads(as_json.stdout)["alerts"][0]["since"] == f"day-{CHANGE_AT:02}"
    replay = CliRunner().invoke(app, ["monitor", *runs, "--replay", "--json"])
    values = json.loads(replay.stdout)
    assert [each["alarms"] for each in values] == sorted(
        (each["alarms"] for each in values), reverse=True
    )
    assert values[0]["slices"][0] == "company=Blue"


def test_the_command_reads_a_stream(tmp_path: Path) -> None:
    data, config = tmp_path / "trips.parquet", tmp_path / "eval.yaml"
    pq.write_table(stream("concept"), data)
    config.write_text(json.dumps({**CONFIG, "slicing_specs": [{"feature_keys": ["company"]}]}))
    command = ["monitor", "--examples", str(data), "--config", str(config)]
    run = CliRunner().invoke(app, [*command, "--time-key", "pickup", "--gate"])
    assert (run.exit_code, "company=Blue fell" in run.stdout) == (1, True)
    assert CliRunner().invoke(app, command).exit_code == 2
