# SPDX-License-Identifier: Apache-2.0
"""Monitoring: a change that was planted in one slice is named, and only that slice; nothing where nothing changed."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.errors import BenisonError, NothingYetError, PublishError
from benison.monitoring import (
    Alert,
    MonitorReport,
    Watch,
    monitor,
    monitor_stream,
)
from benison.monitoring.handing_on import publish_alerts, targets_of, write_junit
from benison.results.result import EvalResult
from benison.table.key import Key
from tests.component.test_history import carried

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


def test_missing_predictions_hide_nothing(tmp_path: Path) -> None:
    """A value that is undefined, though rows are there, is no bucket without rows and no late label."""
    results = []
    for day in range(3):
        table = trips(day)
        score = table["score"].to_numpy().copy()
        score[: 400 * (day == 2) + (day == 1)] = np.nan
        table = table.set_column(3, "score", pa.array(score))
        output = tmp_path / str(day)
        results.append(benison.evaluate(table, CONFIG, output=output))
    report = watched(results)
    assert (report.alerts, report.passes, report.pending) == ((), False, ())
    assert report.undefined == ("1", "2")
    assert "as where predictions are missing: 1; 2" in report.summary
    folders = [str(tmp_path / str(day)) for day in range(3)]
    command = ["monitor", *folders, "--as-given", "--gate", "--junit", str(tmp_path / "j.xml")]
    assert CliRunner().invoke(app, command).exit_code == 1
    assert len(list(ElementTree.parse(tmp_path / "j.xml").iter("failure"))) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_file_of_cases_stays_as_it_was_on_a_full_disk(
    quiet: list[EvalResult], tmp_path: Path
) -> None:
    file, link = tmp_path / "alerts.xml", tmp_path / "link.xml"
    link.symlink_to(file)
    report = watched(quiet[:2])
    write_junit(report, link)
    before = file.read_bytes()
    partial = f".{hashlib.sha256(b'alerts.xml').hexdigest()[:16]}.partial"
    (tmp_path / partial).symlink_to("/dev/full")
    with pytest.raises(BenisonError, match=r"alerts.xml cannot be written: No space"):
        write_junit(report, file)
    assert (file.read_bytes() == before, link.is_symlink()) == (True, True)
    write_junit(report, "/dev/null")


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
            also=tuple(
                dataclasses.replace(rate, since=days_of[rate.since], until=days_of[rate.until])
                for rate in each.also
            ),
        )
        for each in by_day.alerts
    ]
    assert {each.slice for each in streamed.alerts} == {"company=Blue"}


def test_two_metrics_of_one_cause_are_one_alert(concept: list[EvalResult]) -> None:
    report = watched(concept, metrics=["binary_accuracy", "recall"])
    (alert,) = report.alerts
    assert (alert.slice, {*alert.metrics}) == ("company=Blue", {"binary_accuracy", "recall"})
    (other,) = alert.also
    assert f"With it {other.metric} fell from {other.before:.4g} to" in alert.reason
    later = dataclasses.replace(alert, also=(dataclasses.replace(other, since="4"),))
    rows = f"{other.rows_before:,} .*rows before, {other.rows:,} since then"
    assert re.search(f"{other.after:.4g} since 4 \\({rows}", later.reason)
    assert json.loads(json.dumps(alert.to_dict()))["also"][0]["metric"] == other.metric


def test_how_small_a_change_could_have_been_seen_is_said(quiet: list[EvalResult]) -> None:
    report = watched(quiet, metrics=["binary_accuracy"])
    worst, best = report.smallest[0], report.smallest[-1]
    assert (best.slice, len(report.smallest)) == ("Overall", report.streams)
    assert 0 < best.size < worst.size < 0.2
    assert f"by {worst.size:.2g} in {worst.slice}" in report.sight
    assert not watched(quiet, metrics=["binary_accuracy"], detector="ddm").sight
    assert report.smallest[0].name == "binary_accuracy"


def test_a_reference_that_is_not_blessed_is_named() -> None:
    failing = {**CONFIG, "metrics_specs": [{"metrics": [{**ACCURATE, "threshold": UNMET}]}]}
    results = [benison.evaluate(trips(day), failing) for day in range(2)]
    report = watched(results)
    assert report.unblessed == report.reference
    assert "The reference is not blessed: " in report.summary


def test_four_rates_are_watched_where_the_results_have_them(concept: list[EvalResult]) -> None:
    with pytest.raises(BenisonError, match="'Specificity'"):
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
    assert "few rows have a label and a prediction" in report.summary
    assert not watched([*concept, benison.evaluate(late, CONFIG)], labelled=0.4).pending
    with pytest.raises(NothingYetError, match="few rows have a label and a prediction"):
        watched([concept[0], benison.evaluate(late, CONFIG)])


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"detector": "adwim"}, "'adwin'"),
        ({"metrics": ["acuracy"]}, "binary_accuracy"),
        ({"reference_buckets": DAYS}, "none is left"),
        ({"threshold": 3.0}, "horizon / false alarms"),
        ({"false_alarms": 0.0}, "false alarms"),
        ({"false_alarms": 1e-300}, "false alarms is above 1e-100"),
        ({"horizon": 10**400}, "from 1 bucket to 1,000,000,000"),
        ({"slices": ["company=Blu"]}, "company=Blue"),
        ({"labelled": 2.0}, "share of labels"),
        ({"detector": "adwin", "threshold": -1.0}, "delta of adwin"),
        ({"detector": "ddm", "threshold": float("nan")}, "deviations of ddm"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    quiet: list[EvalResult], choice: dict[str, Any], text: str
) -> None:
    with pytest.raises(BenisonError, match=text):
        watched(quiet, **choice)


def on_page(page: str) -> list[tuple[str, str, str]]:
    """The metric, slice and beginning of each alert of a page over time."""
    data = carried(page)
    return [
        (
            data["metrics"][each["metric"]]["label"],
            data["slices"][each["slice"]],
            data["points"][each["since"]]["run"],
        )
        for each in data["watched"]["alerts"]
    ]


ACCURATE = {"class_name": "BinaryAccuracy"}
UNMET = {"value_threshold": {"lower_bound": 0.99}}


def test_slices_that_only_one_side_has_are_not_watched(concept: list[EvalResult]) -> None:
    of_company = {**CONFIG, "slicing_specs": [{"feature_keys": ["company"]}]}
    reference = benison.evaluate(trips(0, rows=4000), of_company)
    with pytest.raises(BenisonError, match="Nothing can be watched: of binary_acc.*no slice in co"):
        monitor_stream(
            stream(), {**CONFIG, "slicing_specs": []}, time_key="pickup", reference=reference
        )
    report = watched(concept[1:], reference=reference)
    assert report.streams == 3
    assert report.summary.startswith("1 alert: 3 rates in 5 buckets after")
    assert "the reference has no value of them: " in report.summary
    assert set(report.unknown) == {"Overall", *(f"hour={hour}" for hour in range(4))}


def test_a_slice_that_is_asked_for_is_explained_by_others(concept: list[EvalResult]) -> None:
    report = watched(concept, slices=["Overall"], metrics=["BinaryAccuracy"])
    (alert,) = report.alerts
    assert (alert.slice, alert.explained_by) == ("Overall", ("company=Blue",))
    assert alert.reason.startswith(f"binary_accuracy of Overall fell from {alert.before:.4g} to ")
    assert alert.reason.endswith("It is explained by the change in company=Blue.")
    assert alert.after == pytest.approx(
        np.mean([each.value("binary_accuracy") for each in concept[CHANGE_AT:]])
    )
    assert report.streams == 1
    (alert,) = watched(concept, slices=["company=Blue"], metrics=["BinaryAccuracy"]).alerts
    assert (alert.slice, alert.explains) == ("company=Blue", ())
    assert not watched(concept, slices=["company=Sun"]).alerts


def test_only_what_comes_after_the_reference_is_watched(quiet: list[EvalResult]) -> None:
    report = monitor(quiet, reference=quiet[3])
    assert len(report.buckets) == DAYS - 4
    failing = {**CONFIG, "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy"}]}]}
    with pytest.raises(BenisonError, match="--reference"):
        watched([benison.evaluate(trips(1), failing), quiet[0]])


def test_sentences_tell_the_classes_of_a_metric_apart() -> None:
    key = Key("precision", sub_key="classId:1")
    alert = Alert("precision", "Overall", (), key, "b", "b", (), "fell", 0.9, 0.8, 1, 9.0, 7.0)
    assert alert.reason == (
        "precision (classId:1) of Overall fell from 0.9 to 0.8 since b (0 rows before, the reference "
        "included; 1 since then, up to the alarm at b)."
    )


def test_a_sink_that_fails_keeps_alerts_from_no_other(
    concept: list[EvalResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def send(address: str, document: Any) -> None:
        if "broken" in address:
            raise PublishError("broken")
        sent.append(json.dumps(document))

    monkeypatch.setattr("benison.monitoring.handing_on.send", send)
    sinks = targets_of(["webhook=https://broken.example", "slack=https://chat.example/x"])
    with pytest.raises(PublishError, match="broken"):
        publish_alerts(watched(concept, metrics=["recall"]), sinks)
    assert "recall of company=Blue" in sent[0]
    with pytest.raises(BenisonError, match="webhook and slack"):
        targets_of(["dvc=metrics.json"])
