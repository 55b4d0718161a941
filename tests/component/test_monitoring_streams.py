# SPDX-License-Identifier: Apache-2.0
"""Streams of data that are watched as results a day would be."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.errors import BenisonError
from benison.monitoring import (
    Watch,
    monitor,
    monitor_columns,
    monitor_stream,
)
from benison.monitoring.history_pages import history_page
from benison.monitoring.streams import evaluated_in_periods
from benison.monitoring.timeline import Timeline
from tests.component.test_history import carried
from tests.component.test_monitoring import CHANGE_AT, CONFIG, DAYS, FIRST, stream


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


@pytest.mark.parametrize(
    ("column", "where", "undefined"),
    [("score", "", True), ("score", "Blue", True), ("label", "", False)],
)
def test_a_bucket_without_predictions_does_not_wait_for_labels(
    column: str, where: str, undefined: bool
) -> None:
    """All predictions of a day are missing, or all of a slice of it; or all labels."""
    table, (*_, last) = stream(), (FIRST + datetime.timedelta(days=day) for day in range(DAYS))
    is_lost = np.array(table["pickup"]) >= last.timestamp()
    if where:
        is_lost &= np.array(table["company"]) == where
    values = pa.array(np.array(table[column], float), mask=is_lost)
    table = table.set_column(table.schema.get_field_index(column), column, values)
    config = {**CONFIG, "slicing_specs": [{"feature_keys": ["company"]}]}
    report = monitor_stream(table, config, time_key="pickup")
    days_of = (report.undefined, report.pending)
    assert days_of == ((str(last.date()),), ()) if undefined else ((), (str(last.date()),))
    assert report.passes == (not undefined)


@pytest.mark.parametrize(
    ("column", "is_lost", "known"),
    [
        ("score", lambda table: np.full(table.num_rows, True), 3),
        ("score", lambda table: np.arange(table.num_rows) % 7 == 0, 3),
        ("score", lambda table: np.array(table["company"]) == "Blue", 3),
        ("label", lambda table: np.full(table.num_rows, True), 3),
        ("score", lambda table: np.full(table.num_rows, True), 1),
    ],
    ids=["all", "some", "slice", "labels", "only"],
)
def test_a_day_of_the_reference_without_predictions_is_named(
    column: str, is_lost: Any, known: int
) -> None:
    """The reference is then the other days, which nobody would see; of a sound one nothing is said."""
    table = stream()
    day = FIRST + datetime.timedelta(days=1 if known > 1 else 0)
    seconds = np.array(table["pickup"]) - day.timestamp()
    gone = is_lost(table) & (seconds >= 0) & (seconds < 86_400)
    values = pa.array(np.array(table[column], float), mask=gone)
    lost = table.set_column(table.schema.get_field_index(column), column, values)
    watch = Watch(known=known, metrics=["binary_accuracy", "mean_label"])
    reports = [monitor_stream(of, CONFIG, time_key="pickup", watch=watch) for of in (table, lost)]
    assert "Left out of the reference" not in reports[0].summary
    (left_out,) = reports[1].left_out
    assert left_out.startswith(str(day.date()))
    assert left_out == reports[1].to_dict()["left_out"][0]
    assert f"as where predictions or labels are missing: {left_out}." in reports[1].summary


def test_rows_without_a_time_and_slices_that_vanish_are_mentioned() -> None:
    table, rng = stream(), np.random.default_rng(0)
    seconds = np.array(table["pickup"])
    is_later = seconds >= FIRST.timestamp() + (DAYS - 2) * 86_400
    table = table.filter(pa.array(~(is_later & (np.array(table["company"]) == "Blue"))))
    times = pa.array(np.array(table["pickup"]), mask=rng.random(table.num_rows) < 0.1)
    table = table.set_column(table.schema.get_field_index("pickup"), "pickup", times)
    report = monitor_stream(table, CONFIG, time_key="pickup")
    assert report.untimed == times.null_count
    assert report.vanished == (f"company=Blue since {report.buckets[DAYS - 3]}",)
    assert f"as they have no time: {times.null_count:,} rows" in report.summary
    assert "Without rows now, where some were to be expected: company=Blue" in report.summary


def test_falls_in_two_slices_are_each_told_with_their_own_numbers() -> None:
    """From a day on positives of Blue and negatives of Sun are missed, which all data show too."""
    table, rng = stream(), np.random.default_rng(0)
    company, label = np.array(table["company"]), np.array(table["label"])
    later = np.array(table["pickup"]) >= FIRST.timestamp() + CHANGE_AT * 86_400
    missed = ((company == "Blue") & (label == 1)) | ((company == "Sun") & (label == 0))
    score = np.where(
        later & missed & (rng.random(len(label)) < 0.5), 1 - label, np.array(table["score"])
    )
    table = table.set_column(3, "score", pa.array(score))
    metrics = ["BinaryAccuracy", "Recall", "Specificity"]
    config = {**CONFIG, "metrics_specs": [{"metrics": metrics}]}
    alerts = monitor_stream(table, config, time_key="pickup").alerts
    for alert in alerts:
        own = (company == alert.slice.split("=")[-1]) | (alert.slice == "Overall")
        rows = {"recall": label == 1, "specificity": label == 0, "binary_accuracy": label >= 0}
        for each in (alert, *alert.also):
            after = (score == label)[own & later & rows[each.metric]].mean()
            assert each.after == pytest.approx(after, abs=0.02)
        assert alert.slice == "Overall" or not {*alert.explains} & {"company=Blue", "company=Sun"}
    assert {("recall", "company=Blue"), ("specificity", "company=Sun")} <= {
        (metric, alert.slice) for alert in alerts for metric in alert.metrics
    }


def test_what_is_hidden_has_not_vanished() -> None:
    """Of 50 rows and more alone a slice is shown, and so is a day."""
    table = stream()
    seconds, company = np.array(table["pickup"]), np.array(table["company"])
    is_last = seconds >= FIRST.timestamp() + (DAYS - 1) * 86_400
    blue, sun = (np.cumsum(is_last & (company == name)) for name in ("Blue", "Sun"))
    few = (is_last & (company == "Blue") & (blue > 45)) | (
        is_last & (company == "Sun") & (sun > 60)
    )
    first = (seconds < FIRST.timestamp() + 86_400) & (seconds >= FIRST.timestamp())
    star = first & (company == "Star")
    table = table.filter(pa.array(~few & ~(star & (np.cumsum(star) > 60))))
    late = table.slice(0, 20).set_column(
        table.schema.get_field_index("pickup"), "pickup", pa.array([2_000_000_000] * 20)
    )
    given = {**CONFIG, "options": {"min_slice_size": 50}}
    report = monitor_stream(table, given, time_key="pickup")
    assert report.vanished == (f"company=Blue since {report.buckets[-1]}",)
    assert "With fewer than 50 rows now, where more were to be expected: company" in report.summary
    report = monitor_stream(pa.concat_tables([late, table]), given, time_key="pickup")
    assert report.untimed == 20
    assert "as they have no time or are in one of fewer than 50 rows: 20 rows" in report.summary


def test_more_positive_labels_everywhere_are_one_alert_of_all_data() -> None:
    report = monitor_stream(
        stream("prior"), CONFIG, time_key="pickup", watch=Watch(metrics=["mean_label", "recall"])
    )
    (alert,) = report.alerts
    assert (alert.metric, alert.slice, alert.side) == ("mean_label", "Overall", "rose")
    assert len(alert.explains) >= 5
    assert alert.after == pytest.approx(0.7, abs=0.03)


def test_scores_near_the_threshold_are_watched_without_labels() -> None:
    """From a day on the model is sure of fewer of Blue's trips; nobody has labelled any."""
    table, rng = stream(), np.random.default_rng(2)
    later = np.array(table["pickup"]) >= FIRST.timestamp() + CHANGE_AT * 86_400
    blue = np.array(table["company"]) == "Blue"
    is_near = rng.random(table.num_rows) < np.where(blue & later, 0.25, 0.1)
    table = table.drop_columns(["label", "score"]).append_column(
        "score", pa.array(np.where(is_near, 0.6, 0.9))
    )
    given = {"model_specs": [{"prediction_key": "score"}], "slicing_specs": CONFIG["slicing_specs"]}
    metric = {"class_name": "MarginDensity"}
    config = {**given, "metrics_specs": [{"metrics": [metric]}]}
    report = monitor_stream(table, config, time_key="pickup", watch=Watch("md3"))
    (alert,) = report.alerts
    assert (alert.metric, alert.slice, alert.side) == ("margin_density", "company=Blue", "rose")
    assert alert.since == f"2026-03-{CHANGE_AT + 1:02}"
    assert alert.after == pytest.approx(0.25, abs=0.03)
    without = {**given, "metrics_specs": [{"metrics": [{"class_name": "MeanPrediction"}]}]}
    with pytest.raises(BenisonError, match="md3 watches MarginDensity"):
        monitor_stream(table, without, time_key="pickup", watch=Watch("md3"))


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


def test_the_command_reads_a_stream(tmp_path: Path) -> None:
    data, config = tmp_path / "trips.parquet", tmp_path / "eval.yaml"
    pq.write_table(stream("concept"), data)
    config.write_text(json.dumps({**CONFIG, "slicing_specs": [{"feature_keys": ["company"]}]}))
    command = ["monitor", "--examples", str(data), "--config", str(config)]
    run = CliRunner().invoke(app, [*command, "--time-key", "pickup", "--gate"])
    assert (run.exit_code, "company=Blue fell" in run.stdout) == (1, True)
    assert CliRunner().invoke(app, command).exit_code == 2
    typo = CliRunner().invoke(app, [*command, "--time-key", "pickups"])
    assert typo.stderr == "error: --time-key: no column 'pickups'. Did you mean 'pickup'?\n"
    (tmp_path / "model.pkl").write_bytes(b"no pickle")
    command += ["--time-key", "pickup", "--model", str(tmp_path / "model.pkl")]
    assert "--trust-pickle" in CliRunner().invoke(app, command).stderr
    trusted = CliRunner().invoke(app, [*command, "--trust-pickle", "--trust-ops"])
    assert trusted.exit_code == 2
    assert "model.pkl" in trusted.stderr
    assert "trust" not in trusted.stderr


def test_long_names_are_cut_for_the_terminal_and_stay_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON has them whole."""
    monkeypatch.setenv("COLUMNS", "2000")
    table, rng = stream(), np.random.default_rng(3)
    old = np.array(table["company"])
    names = {name: f"{'x' * 400}{name}{'y' * 400}" if name != "Star" else name for name in {*old}}
    later = np.array(table["pickup"]) >= FIRST.timestamp() + CHANGE_AT * 86_400
    share = np.where(later, np.select([old == "Blue", old == "Sun"], [0.4, 0.2], 0.0), 0.0)
    label, score = (np.array(table[name]) for name in ("label", "score"))
    score = np.where(rng.random(len(old)) < share, 1 - label, score)
    table = table.drop_columns(["company", "score"])
    table = table.append_column("company", pa.array([names[name] for name in old]))
    pq.write_table(table.append_column("score", pa.array(score)), tmp_path / "long.parquet")
    spec = {**CONFIG, "slicing_specs": [{}, {"feature_keys": ["company"]}]}
    (tmp_path / "eval.json").write_text(json.dumps(spec), encoding="utf-8")
    given = ("monitor", "--examples", tmp_path / "long.parquet", "--config", tmp_path / "eval.json")
    for more in ((), ("--replay", "--detector", "adwin")):
        asked = [*map(str, (*given, "--time-key", "pickup", *more))]
        shown = set(re.findall(r"company=x+…y+(?: \(\d\))?", CliRunner().invoke(app, asked).output))
        assert len(shown) == 2
        assert max(map(len, shown)) < 300
        assert "x" * 400 in CliRunner().invoke(app, [*asked, "--json"]).output


def test_a_reference_that_is_sliced_by_time_too_adds_no_series() -> None:
    data, watch = stream(), Watch(metrics=["binary_accuracy"])
    config = {**CONFIG, "slicing_specs": [{}]}
    reference = evaluated_in_periods(data, config, "pickup")
    report = monitor_stream(data, config, time_key="pickup", reference=reference, watch=watch)
    assert report.streams == 1


def test_a_page_of_periods_has_those_slices_and_checks_alone() -> None:
    """The reference is sliced by periods of its own, and its thresholds are on all data alone."""
    whole = {"slicing_specs": [{}], "threshold": {"value_threshold": {"lower_bound": 0.7}}}
    metric = {"class_name": "BinaryAccuracy", "per_slice_thresholds": [whole]}
    given = {**CONFIG, "slicing_specs": [{}], "metrics_specs": [{"metrics": [metric]}]}
    result = evaluated_in_periods(stream(), given, "pickup")
    timeline = Timeline.of_periods(result, "pickup", result)
    data = carried(history_page(Watch().report(timeline), timeline))
    assert (data["slices"], data["watched"]["alerts"]) == (["Overall"], [])
    verdicts = [point["verdict"] for point in data["points"]]
    assert verdicts == ["blessed", *["not_evaluated"] * DAYS]


def test_periods_without_a_check_that_was_judged_are_not_blessed() -> None:
    """Areas over three thresholds may be on either side of the bound."""
    specs = [{}, {"bins": {"pickup": {"every": "day"}}}]
    bound = {"value_threshold": {"lower_bound": 0.9}}
    metric = {
        "class_name": "AUC",
        "config": {"num_thresholds": 3},
        "per_slice_thresholds": [{"slicing_specs": specs, "threshold": bound}],
    }
    table = stream()
    scores = 0.4 * np.array(table["score"]) + 0.6 * np.random.default_rng(0).random(len(table))
    table = table.set_column(table.schema.get_field_index("score"), "score", pa.array(scores))
    given = {**CONFIG, "slicing_specs": specs, "metrics_specs": [{"metrics": [metric]}]}
    result = evaluated_in_periods(table, given, "pickup")
    timeline = Timeline.of_periods(result, "pickup")
    data = carried(history_page(Watch().report(timeline), timeline))
    assert result.verdict.status == "not_evaluated"
    assert {point["verdict"] for point in data["points"]} == {"not_evaluated"}


def test_columns_of_a_stream_are_watched_without_labels(tmp_path: Path) -> None:
    """From a day on other companies have trips; hours stay, and so do labels."""
    table = stream()
    changed = np.array(table["pickup"]) >= FIRST.timestamp() + CHANGE_AT * 86_400
    company = np.where(
        changed & (np.array(table["company"]) == "Sun"), "Blue", np.array(table["company"])
    )
    data = tmp_path / "trips.parquet"
    name = "company" + "_of_the_trip" * 25
    pq.write_table(table.set_column(0, name, pa.array(company)), data)
    report = monitor_columns(str(data), time_key="pickup")
    (alert,) = report.alerts
    assert (alert.metric, alert.raised) == (name, f"2026-03-{CHANGE_AT + 1:02}")
    assert alert.reason.startswith(f"At {alert.raised} {name} drifted: its distance is")
    command = ["monitor", "--detector", "hdddm", "--examples", str(data), "--time-key", "pickup"]
    run = CliRunner().invoke(app, [*command, "--gate"])
    assert run.exit_code == 1
    assert "".join(alert.reason.split()) in "".join(run.stdout.split())
    assert CliRunner().invoke(app, [*command, "--metric", "auc"]).exit_code == 2


@pytest.mark.parametrize(
    ("more", "code"),
    [(["-c", "hour"], 0), (["--labelled", "0.5"], 2), (["--detector", "ddm", "-c", "hour"], 2)],
)
def test_options_that_a_detector_has_no_use_for_are_refused(
    more: list[str], code: int, tmp_path: Path
) -> None:
    data = tmp_path / "trips.parquet"
    pq.write_table(stream(), data)
    command = ["monitor", "--detector", "hdddm", "--examples", str(data), "--time-key", "pickup"]
    assert CliRunner().invoke(app, [*command, *more]).exit_code == code
