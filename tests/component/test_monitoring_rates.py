# SPDX-License-Identifier: Apache-2.0
"""Which rates are watched by which names, and how small a change of them can be seen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.errors import BenisonError
from benison.monitoring import (
    Watch,
    monitor,
)
from benison.monitoring.history_pages import history_page
from benison.monitoring.replaying import compared
from benison.monitoring.timeline import Timeline
from benison.monitoring.watching import timeline_of
from tests.component.test_history import carried
from tests.component.test_monitoring import CHANGE_AT, CONFIG, DAYS, on_page, stream, trips, watched


def test_what_moves_with_the_number_of_rows_alone_is_not_watched() -> None:
    metrics = [{"class_name": name} for name in ("BinaryAccuracy", "ExpectedCalibrationError")]
    given = {**CONFIG, "metrics_specs": [{"metrics": metrics}]}
    report = watched([benison.evaluate(trips(day), given) for day in range(2)])
    assert report.metrics == ("binary_accuracy",)
    assert "Not watched: expected_calibration_error" in report.summary


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
