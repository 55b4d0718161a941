# SPDX-License-Identifier: Apache-2.0
"""Series of values that are made by hand: what of them is watched, and what is one cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benison.errors import BenisonError
from benison.monitoring import (
    DETECTORS,
    monitor_stream,
)
from benison.monitoring.detectors import BucketCounts
from benison.monitoring.e_detector import EDetector
from benison.monitoring.explanations import explained
from benison.monitoring.series import Series
from benison.monitoring.streams import evaluated_in_periods
from benison.slicing.keys import SliceKey, slice_name
from benison.table.key import Key
from tests.component.test_monitoring import CONFIG


@pytest.mark.parametrize("name", ["ddm", "eddm", "adwin"])
def test_an_alarm_of_a_rate_that_became_no_worse_is_no_alert(name: str) -> None:
    """Failures were fewer for a while, and are as many as before now."""
    failures = [1.0] * 50 + [20.0] * 30
    series = series_of([()], [failures], [[200] * len(failures)])
    detector = DETECTORS[name].standard
    assert detector.watch(series.counts).raised.any()
    assert all(each.after > each.before for each in explained(series, detector))


def test_a_reference_without_an_error_is_watched() -> None:
    """Of an area of 1 no error is known."""
    config = {**CONFIG, "slicing_specs": [], "metrics_specs": [{"metrics": ["AUC"]}]}
    data = errors_by_day([0.0, 0.0, 0.1, 0.1, 0.1])
    label = np.arange(data.num_rows) % 2
    data = data.set_column(1, "label", pa.array(label))
    wrong = np.random.default_rng(0).random(data.num_rows) < np.array(data["score"])
    data = data.set_column(2, "score", pa.array(np.where(wrong, 1.0 - label, label)))
    (alert,) = monitor_stream(data, config, time_key="t").alerts
    assert (alert.metric, alert.before, alert.since) == ("auc", 1.0, HOURS[2])


def test_boxes_of_structs_are_watched() -> None:
    """They are no labels that can be counted."""
    box = {
        name: [float(name in ("right", "bottom"))] for name in ("left", "top", "right", "bottom")
    }
    box["class"] = [1.0]
    scored = {**box, "score": [0.9]}
    parts = {"labels_to_stack": [*box], "predictions_to_stack": [*scored], "class_id": 1}
    metric = {"class_name": "ObjectDetectionPrecision", "config": parts}
    config = {
        "model_specs": [{"label_key": "boxes", "prediction_key": "found"}],
        "metrics_specs": [{"metrics": [metric]}],
    }
    times = [HOURS[i % 2] for i in range(40)]
    data = pa.table({"boxes": [box] * 40, "found": [scored] * 40, "t": times})
    assert evaluated_in_periods(data, config, "t").value("object_detection_precision") == 1


def series_of(keys: list[SliceKey], failures: Any, rows: Any) -> Series:
    """Of a rate of failures of .1 in 10,000 rows before."""
    k, n = np.array(failures, float), np.array(rows, float)
    known = np.full(len(keys), 1_000.0), np.full(len(keys), 10_000.0)
    counts = BucketCounts(k, n, *known)
    names, pending = [slice_name(key) for key in keys], np.zeros(k.shape[1], np.bool_)
    numbers = (k / n, known[0] / known[1], counts, pending, pending, pending[:1])
    return Series(Key("fall_out"), "rose", names, keys, *numbers)


def test_causes_of_their_own_are_each_an_alert_and_have_the_numbers_that_were_measured() -> None:
    """Slices of two features without the slice of all rows, which would say how many they have in common."""
    keys: list[SliceKey] = [(("c", "A"),), (("d", "Y"),)]
    both = series_of(keys, [[50, 200, 210]] * 2, [[500, 500, 500]] * 2)
    changes = explained(both, EDetector())
    assert [(each.slice, each.after) for each in changes] == [(0, 0.41), (1, 0.41)]
    # A part of the rows of d=Y is in c=A: what is left is a cause, but its numbers are those of all its rows.
    whole = series_of(
        [(), *keys],
        [[200, 600, 600], [50, 250, 250], [50, 300, 300]],
        [[2000] * 3, [500] * 3, [500] * 3],
    )
    found = {each.slice: each.after for each in explained(whole, EDetector())}
    assert found == {2: 0.6, 1: 0.5}


def test_values_of_which_rows_have_several_are_one_cause() -> None:
    """The same rows have tag a and tag b, and the change."""
    tags: list[SliceKey] = [(), (("tag", "a"),), (("tag", "b"),)]
    rows = [[1000] * 3, [900] * 3, [900] * 3]
    series = series_of(tags, [[100, 400, 400], [90, 390, 390], [90, 388, 388]], rows)
    (change,) = explained(series, EDetector())
    assert {change.name, *change.explains} == {"Overall", "tag=a", "tag=b"}


HOURS = [f"2026-03-{day:02}" for day in range(1, 6)]


def errors_by_day(values: list[float], **more: Any) -> pa.Table:
    rows = [(day, 0.0, value) for day, value in zip(HOURS, values, strict=True) for _ in range(200)]
    columns = dict(zip(("t", "label", "score"), map(list, zip(*rows, strict=True)), strict=True))
    return pa.table({**columns, **more})


def test_what_is_no_rate_by_its_definition_is_listed_and_not_watched() -> None:
    """A mean error that leaves [0, 1] where it is worst would otherwise vanish there."""
    metrics = [{"class_name": name} for name in ("MeanAbsoluteError", "BinaryAccuracy")]
    config = {**CONFIG, "slicing_specs": [], "metrics_specs": [{"metrics": metrics}]}
    data = errors_by_day([0.3, 0.3, 0.4, 1.5, 1.6])
    report = monitor_stream(data, config, time_key="t")
    assert report.unwatched == ("mean_absolute_error",)
    assert "mean_absolute_error" in report.summary
    assert [each.metric for each in report.alerts] == ["binary_accuracy"]


def test_weighted_shares_without_intervals_are_not_watched() -> None:
    weights = np.random.default_rng(0).lognormal(0, 2, 1000)
    config = {
        **CONFIG,
        "model_specs": [{**CONFIG["model_specs"][0], "example_weight_key": "w"}],
        "slicing_specs": [],
        "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy"}]}],
        "options": {"confidence": "off"},
    }
    data = errors_by_day([0.3] * 5, w=weights)
    with pytest.raises(BenisonError, match="watched: binary_accuracy has no interval in the ref"):
        monitor_stream(data, config, time_key="t")
    others = {**config, "metrics_specs": [{"metrics": ["MeanSquaredError"]}]}
    with pytest.raises(BenisonError, match="watched: mean_squared_error is no rate from 0 to 1"):
        monitor_stream(data, others, time_key="t")
