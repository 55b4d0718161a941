# SPDX-License-Identifier: Apache-2.0
"""The tests of results over time: what the page holds, and what a browser makes of it."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison import DataError, EvalConfig, EvalResult, Verdict
from benison.report import history
from benison.report.history import build
from benison.table.key import Key
from benison.table.slice_columns import SliceColumns
from tests.component.judging import table
from tests.component.pages import Tags
from tests.conftest import config, taxi_like

RUNS = 5
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202eright to left \U0001f695",
    "x" * 10_000,
    "x" * 9_000 + "y" * 1_000,
]
MODELS = [
    {"name": "new", "label_key": "label", "prediction_key": "prediction"},
    {"name": "old", "label_key": "label", "prediction_key": "old_prediction", "is_baseline": True},
]


def run(i: int, folder: Path, **more: Any) -> EvalResult:
    """The evaluation of day i; those of odd days are not blessed."""
    auc = {
        "class_name": "AUC",
        "threshold": {"value_threshold": {"lower_bound": 0.5 + i % 2 * 0.4}},
    }
    slices = ({}, {"feature_keys": ["hour"]})
    made = {**config(auc, "ExampleCount", slices=slices), "model_specs": MODELS, **more}
    return benison.evaluate(taxi_like(800 + i, i), made, output=folder / f"run-{i}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[EvalResult]:
    return [run(i, folder) for i in range(RUNS)]


def carried(page: str) -> dict[str, Any]:
    """What the page's script reads."""
    start = page.index('id="data">') + len('id="data">')
    actual: dict[str, Any] = json.loads(
        zlib.decompress(base64.b64decode(page[start : page.index("</script>", start)]))
    )
    return actual


def test_every_value_of_every_run_is_in_the_page(runs: list[EvalResult]) -> None:
    data = carried(history.render(runs, as_given=True))
    assert [point["run"] for point in data["points"]] == [f"run-{i}" for i in range(RUNS)]
    assert {metric["label"] for metric in data["metrics"]} == {"auc", "example_count"}
    assert len(data["slices"]) == data["sliceCount"] == 25
    for metric in data["metrics"]:
        for row, slice_ in enumerate(data["slices"]):
            for i, result in enumerate(runs):
                value = result.value(metric["label"], slice_)
                assert metric["value"][row][i] == pytest.approx(value, rel=1e-5)
                base = result.value(metric["label"], slice_, model="old")
                assert metric["baseline"][row][i] == pytest.approx(base, rel=1e-5)
                assert data["examples"][row][i] == result.value("example_count", slice_)
    assert "lower" not in data["metrics"][0]


def test_verdicts_and_failed_checks_are_in_the_page(runs: list[EvalResult]) -> None:
    data = carried(history.render(runs, as_given=True))
    verdicts = [point["verdict"] for point in data["points"]]
    assert verdicts == [result.verdict.status for result in runs]
    assert {"blessed", "not_blessed"} == set(verdicts)
    failed = {
        (data["metrics"][m]["label"], data["slices"][s], i)
        for m, s, i in map(tuple, data["failed"])
    }
    assert failed == {
        (check.metric, check.slice, i)
        for i, result in enumerate(runs)
        for check in result.verdict.failures
    }
    bounds = {
        (data["metrics"][m]["label"], data["slices"][s], i): bound
        for m, s, i, bound in map(tuple, data["bounds"])
    }
    assert bounds == {
        (check.metric, check.slice, i): check.bound
        for i, result in enumerate(runs)
        for check in result.verdict.checks
    }


def test_runs_are_in_the_order_of_their_evaluation_unless_told(runs: list[EvalResult]) -> None:
    given = [runs[2], runs[0], runs[1]]
    for result, hour in zip(given, (3, 1, 2), strict=True):
        result.manifest["created"] = f"2026-01-01T0{hour}:00:00+00:00"
    names = [point["run"] for point in carried(history.render(given))["points"]]
    assert names == ["run-0", "run-1", "run-2"]
    names = [point["run"] for point in carried(history.render(given, as_given=True))["points"]]
    assert names == ["run-2", "run-0", "run-1"]


def test_runs_of_one_name_are_told_apart(folder: Path) -> None:
    pair = [run(0, folder / day) for day in ("monday", "tuesday")]
    points = carried(history.render(pair))["points"]
    assert {point["run"] for point in points} == {"monday/run-0", "tuesday/run-0"}


def made_up(i: int, columns: SliceColumns, metrics: int) -> EvalResult:
    """A result of many slices, without an evaluation."""
    rng = np.random.default_rng(i)
    rows = [
        columns.metric_rows(Key(f"m{k}", model), rng.random(len(columns)))
        for model in ("new", "old")
        for k in range(metrics)
    ]
    made = {"model_specs": MODELS, "metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]}
    full = EvalConfig.load(made).with_defaults(True)
    manifest = {"created": f"2026-01-01T00:{i // 60:02d}:{i % 60:02d}+00:00", "rows": 1}
    return EvalResult(table(*rows), Verdict("blessed"), full, manifest, Path(f"run-{i}"))


def test_a_hundred_runs_of_a_thousand_slices_fit() -> None:
    sizes = np.r_[9_999, np.arange(999)]
    columns = SliceColumns.of([((), None), *(((("f", str(i)),), None) for i in range(999))], sizes)
    page = history.render([made_up(i, columns, 2) for i in range(100)])
    assert len(page) < 4_000_000
    assert len(carried(page)["slices"]) == 1_000


def test_what_does_not_fit_is_left_out_from_the_small_end(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = SliceColumns.of(
        [((), None), *(((("f", str(i)),), None) for i in range(999))], np.arange(1_000)
    )
    results = [made_up(i, columns, 2) for i in range(4)]
    whole = len(history.render(results))
    monkeypatch.setattr(build, "MAX_BYTES", whole // 2)
    page = history.render(results)
    data = carried(page)
    assert len(page) <= whole // 2
    assert data["sliceCount"] == 1_000
    assert 100 < len(data["slices"]) < 900
    assert data["slices"][:3] == ["Overall", "f=998", "f=997"]


def test_numbers_keep_five_digits() -> None:
    columns = SliceColumns.of([((), None)], np.array([7]))
    numbers = [123_456_789.0, 0.123456789, 1e-300, np.nan, -np.inf, 0.0, -98765.4321]
    rows = [columns.metric_rows(Key(f"m{i}", "new"), np.array([x])) for i, x in enumerate(numbers)]
    result = made_up(0, columns, 1)
    other = EvalResult(table(*rows), result.verdict, result.config, result.manifest)
    data = carried(history.render([other]))
    values = [metric.get("value", [[None]])[0][0] for metric in data["metrics"]]
    assert values == [123_456_789, 0.12346, 1e-300, None, None, 0, -98765]


def test_intervals_travel_with_their_values() -> None:
    result = made_up(0, SliceColumns.of([((), None)], np.array([7])), 1)
    bounds = {"lower": pa.array([0.25, 0.5]), "upper": pa.array([0.75, 1.0])}
    metrics = result.metrics
    for name, column in bounds.items():
        location = metrics.schema.get_field_index(name)
        metrics = metrics.set_column(location, metrics.schema.field(name), column)
    data = carried(history.render([dataclasses.replace(result, metrics=metrics)]))
    (metric,) = data["metrics"]
    assert (metric["lower"], metric["upper"]) == ([[0.25]], [[0.75]])


def test_models_and_data_are_told_apart_by_digest_or_by_place() -> None:
    columns = SliceColumns.of([((), None)], np.array([7]))
    results = []
    for i, (digest, version) in enumerate(
        (("a" * 64, 1), ("a" * 64, 2), (None, 3), ("not recorded", 4))
    ):
        result = made_up(i, columns, 1)
        model = {"name": "new", "path": f"/serving/taxi/{version}", "digest": digest}
        data = {"files": [{"name": "a.gz"}, {"name": "b.gz"}], "digest": digest}
        results.append(
            dataclasses.replace(
                result, manifest={**result.manifest, "models": [model], "data": data}
            )
        )
    points = carried(history.render(results))["points"]
    assert [point["model"][1] for point in points] == [
        *("taxi/1 (aaaaaaaa)", "taxi/2 (aaaaaaaa)", "taxi/3", "taxi/4")
    ]
    assert len({point["model"][0] for point in points}) == 3
    assert [point["data"][1] for point in points[1:3]] == [
        "a.gz and 1 more (aaaaaaaa)",
        "a.gz and 1 more",
    ]


def test_nothing_to_draw() -> None:
    result = made_up(0, SliceColumns.of([((), None)], np.array([7])), 0)
    with pytest.raises(DataError, match="no metric that is one number"):
        history.render([result])


def hostile_runs() -> list[EvalResult]:
    label = [1.0, 0, 1, 0, 1]
    trips = pa.table({"label": label, "prediction": [0.9, 0.2, 0.7, 0.4, 0.5], "f": HOSTILE})
    made = config("ExampleCount", "BinaryAccuracy", slices=({}, {"feature_keys": ["f"]}))
    return [benison.evaluate(trips, made) for _ in range(3)]


def test_hostile_names_are_data_and_nothing_else() -> None:
    page = history.render(hostile_runs())
    tags = Tags(page).found
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "default-src 'none'" in page
    names = carried(page)["slices"]
    assert len(set(names)) == len(HOSTILE) + 1
    assert max(map(len, names)) < 300


def test_the_first_metric_is_one_that_is_judged(folder: Path) -> None:
    bound = {"class_name": "Recall", "threshold": {"value_threshold": {"lower_bound": 1}}}
    for metrics, first in (
        (("ExampleCount", "AUC", bound), "recall"),
        (("ExampleCount", "AUC"), "auc"),
    ):
        result = benison.evaluate(taxi_like(100), config(*metrics), output=folder / first)
        data = carried(history.render([result]))
        assert data["metrics"][data["first"]]["label"] == first
