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
    DETECTORS,
    Alert,
    MonitorReport,
    Watch,
    monitor,
    monitor_columns,
    monitor_stream,
)
from benison.monitoring.handing_on import publish_alerts, targets_of, write_junit
from benison.monitoring.history_pages import history_page
from benison.monitoring.replaying import compared
from benison.monitoring.timeline import Timeline
from benison.monitoring.watching import timeline_of
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


def test_what_moves_with_the_number_of_rows_alone_is_not_watched() -> None:
    metrics = [{"class_name": name} for name in ("BinaryAccuracy", "ExpectedCalibrationError")]
    given = {**CONFIG, "metrics_specs": [{"metrics": metrics}]}
    report = watched([benison.evaluate(trips(day), given) for day in range(2)])
    assert report.metrics == ("binary_accuracy",)
    assert "Not watched: expected_calibration_error" in report.summary


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


def test_that_no_change_could_be_seen_in_few_rows_is_said() -> None:
    rare = pa.table({**trips(1).slice(0, 3).to_pydict(), "company": ["Rare"] * 3})
    results = [
        benison.evaluate(pa.concat_tables([trips(day), rare.cast(trips(day).schema)]), CONFIG)
        for day in range(3)
    ]
    report = watched(results, metrics=["binary_accuracy"])
    first, *others = report.smallest
    assert (first.slice, first.is_possible, first.to_dict()["size"]) == (
        "company=Rare",
        False,
        None,
    )
    assert all(0 < each.size < 1 for each in others)
    assert report.sight.endswith(
        "In so few rows no change could have been seen of binary_accuracy in company=Rare."
    )
    json.loads(json.dumps(report.to_dict(), allow_nan=False))


@pytest.mark.parametrize(
    ("detector", "rows", "sentence"),
    [
        ("e-detector", 10_000, "with references of 100 rows 0.1 % of"),
        ("eddm", 200, "with references of 100 rows 70 % of"),
        ("eddm", 20_000, "with references of 10,000 rows 0 % of"),
        ("ddm", 30, "with references of 100 rows (some here are smaller) 8.1 % of"),
    ],
)
def test_false_alarms_are_those_after_references_of_the_same_size(
    detector: str, rows: int, sentence: str
) -> None:
    data = [trips(0, rows=rows), trips(1, rows=200)]
    config = {**CONFIG, "slicing_specs": []}
    report = watched([benison.evaluate(each, config) for each in data], detector=detector)
    assert sentence in report.error_rate


def test_a_reference_that_is_not_blessed_is_named() -> None:
    failing = {**CONFIG, "metrics_specs": [{"metrics": [{**ACCURATE, "threshold": UNMET}]}]}
    results = [benison.evaluate(trips(day), failing) for day in range(2)]
    report = watched(results)
    assert report.unblessed == report.reference
    assert "The reference is not blessed: " in report.summary


def test_a_result_with_slices_of_periods_is_watched_as_it_is() -> None:
    slices = [{"feature_keys": ["company"], "bins": {"pickup": {"every": "day"}}}]
    result = benison.evaluate(stream("concept"), {**CONFIG, "slicing_specs": slices})
    report = monitor([result], metrics=["binary_accuracy"])
    assert [(each.slice, each.since) for each in report.alerts] == [
        ("company=Blue", f"2026-03-{CHANGE_AT + 1:02}")
    ]
    page = history_page(report, timeline_of([result]))
    assert on_page(page) == [("binary_accuracy", "company=Blue", f"2026-03-{CHANGE_AT + 1:02}")]
    data = carried(page)
    assert len(data["points"]) == DAYS
    blue = data["slices"].index("company=Blue")
    for i, value in enumerate(data["metrics"][0]["value"][blue]):
        own = f"company=Blue, pickup=2026-03-{i + 1:02}"
        assert value == pytest.approx(result.value("binary_accuracy", own), rel=1e-4)
    with pytest.raises(BenisonError, match="no slices by periods of 'pick'"):
        monitor([result], time_key="pick")


def test_four_rates_are_watched_where_the_results_have_them(concept: list[EvalResult]) -> None:
    with pytest.raises(BenisonError, match="'Specificity'"):
        watched(concept, detector="lfr")


@pytest.mark.parametrize(
    "classes",
    [
        ("Recall", "Specificity", "Precision", "NegativePredictiveValue"),
        ("TPR", "TNR", "PPV", "NPV"),
        ("Recall", "TNR", "FairnessIndicators", "Precision", "NPV"),
        ({"class_name": "Recall", "config": {"name": "found"}}, "Specificity", "PPV", "NPV"),
    ],
    ids=["names", "short", "fairness", "named"],
)
def test_the_four_rates_go_by_any_of_their_names(classes: tuple[Any, ...]) -> None:
    """From a day on the model calls more of the negatives positive: two of the four rates fall."""
    results = []
    for day in range(4):
        table, rng = trips(day, rows=3_000), np.random.default_rng(day)
        is_more = (rng.random(table.num_rows) < 0.3) & (day > 1)
        score = np.where(is_more, 1.0, table["score"].to_numpy())
        table = table.set_column(3, "score", pa.array(score))
        config = {**CONFIG, "slicing_specs": [{}], "metrics_specs": [{"metrics": [*classes]}]}
        results.append(benison.evaluate(table, config))
    report = watched(results, detector="lfr")
    assert len(report.metrics) == report.streams == 4
    falls = {key for each in report.alerts for key in each.metrics}
    falling = [i for i, name in enumerate(report.metrics) if name in falls]
    assert falling == [1, 2]
    replays = compared(Watch(), Timeline.of(results, as_given=True))
    assert {"lfr"} <= {each.detector for each in replays}


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


def test_the_command_gates_and_replays(tmp_path: Path) -> None:
    for day in (0, *range(CHANGE_AT, CHANGE_AT + 1)):
        benison.evaluate(trips(day, "concept", 4000), CONFIG, output=tmp_path / f"day-{day:02}")
    runs, junit = sorted(map(str, tmp_path.glob("day-*"))), tmp_path / "alerts.xml"
    command = ["monitor", *runs, "--gate", "--junit", str(junit), "--page", str(tmp_path / "p")]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 1
    assert "binary_accuracy of company=Blue fell" in run.stdout
    assert "at most 2 %" in run.stdout
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert on_page((tmp_path / "p").read_text(encoding="utf-8")) == [
        ("binary_accuracy", "company=Blue", f"day-{CHANGE_AT:02}")
    ]
    as_json = CliRunner().invoke(app, ["monitor", *runs, "--json", "--detector", "ddm"])
    assert as_json.exit_code == 0
    assert json.loads(as_json.stdout)["alerts"][0]["since"] == f"day-{CHANGE_AT:02}"
    replay = CliRunner().invoke(app, ["monitor", *runs, "--replay", "--json"])
    values = json.loads(replay.stdout)
    assert values[0]["slices"][0] == "company=Blue"
    alarms: dict[str, list[int]] = {}
    for each in values:
        alarms.setdefault(each["detector"], []).append(each["alarms"])
    # The results have no specificity and no margin density.
    assert [*alarms] == [name for name in DETECTORS if name not in {"lfr", "md3"}]
    assert all(counts == sorted(counts, reverse=True) for counts in alarms.values())
    two = ["--detector", "adwin", "--detector", "ddm"]
    table = CliRunner().invoke(app, ["monitor", *runs, "--replay", *two], env={"COLUMNS": "120"})
    assert [line.split()[0] for line in table.stdout.splitlines()] == [
        "detector",
        *["adwin"] * len(alarms["adwin"]),
        *["ddm"] * len(alarms["ddm"]),
        "Where",
    ]
    refused = CliRunner().invoke(app, ["monitor", *runs, *two])
    assert (refused.exit_code, "compared by --replay" in refused.stderr) == (2, True)


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


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two evaluations, of which only the last is blessed."""
    folder = tmp_path_factory.mktemp("runs")
    failing = {**CONFIG, "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy"}]}]}
    benison.evaluate(trips(0), failing, output=folder / "1")
    benison.evaluate(trips(1), CONFIG, output=folder / "2")
    return folder


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["1"], "no slices by periods of time"),
        (["1", "2"], "Only the last result"),
        (["2", "--reference", "2"], "takes a reference and a later result"),
        (["1", "2", "--as-given", "--reference", "1", "--reference-buckets", "2"], "none is left"),
        (["nowhere/*"], "Nothing matches nowhere/*"),
    ],
)
def test_that_there_is_nothing_yet_to_watch_is_said_to_machines(
    runs: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
) -> None:
    monkeypatch.chdir(runs)
    done = CliRunner().invoke(app, ["monitor", "--json", *words])
    document = json.loads(done.output)
    assert why in document.pop("error")
    assert (done.exit_code, document) == (2, {"ok": False, "nothing_yet": True})


@pytest.mark.parametrize("words", [["1", "--time-key", "pick"], ["3"], ["1", "3"]])
def test_what_is_wrong_is_not_that_there_is_nothing_yet(
    runs: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(runs)
    done = CliRunner().invoke(app, ["monitor", "--json", *words])
    assert [*json.loads(done.output)] == ["ok", "error"]


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_a_pattern_is_of_whole_results(
    runs: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """On an object store too, where no shell expands it; what is still being written is left out."""
    pattern = f"{runs}/*"
    if scheme:
        fsspec = pytest.importorskip("fsspec")
        fsspec.filesystem("memory").put(f"{runs}/", "/evaluations/", recursive=True)
        pattern = "memory://evaluations/*"
    else:
        (runs / "3").mkdir()
    words = ["--as-given", "--metric", "binary_accuracy", "--reference", str(runs / "1")]
    done = CliRunner().invoke(app, ["monitor", "--json", pattern, *words])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.output)["buckets"]) == (2 if scheme else 1)


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


def test_sentences_tell_the_classes_of_a_metric_apart() -> None:
    key = Key("precision", sub_key="classId:1")
    alert = Alert("precision", "Overall", (), key, "b", "b", (), "fell", 0.9, 0.8, 1, 9.0, 7.0)
    assert alert.reason == (
        "precision (classId:1) of Overall fell from 0.9 to 0.8 since b (0 rows before, the reference "
        "included; 1 since then, up to the alarm at b)."
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
