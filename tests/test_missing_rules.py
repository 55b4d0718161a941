# SPDX-License-Identifier: Apache-2.0
"""What a missing label, a missing prediction and a weight of 0 mean, for every registered metric."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import math
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs
from benison.metrics import registered
from benison.testing import example_config, example_images, example_inputs, flat, value_of
from tests.conftest import config
from tests.test_laws import build, inputs_for

EQUALITY = ("Accuracy", "ExactMatch")  # of classes or texts, which a probability is not
SLICES = ("Overall", "g=a", "g=b")
Rows: TypeAlias = "dict[str, dict[str, dict[str, Any]]]"  # by metric and slice


def kind_of(name: str) -> str:
    accepts = build(name).accepts
    if "text" in accepts and "real" not in accepts:
        return "text"
    if accepts == {"boxes"}:
        return "boxes"
    if name in EQUALITY or "class_numbers" in accepts:
        return "equal"
    return "binary" if "binary" in accepts else "classes"


def boxes() -> list[list[Any]]:
    """The boxes and the detections of 80 images, as lists."""
    inputs = example_inputs(build("COCOMeanAveragePrecision"), 80, 3)
    return [
        [part.tolist() for part in np.split(column.values, column.offsets[1:-1])]
        for column in (inputs.labels, inputs.predictions)
    ]


@functools.cache
def rows_like(kind: str) -> list[dict[str, Any]]:
    """Rows that have all of it."""
    rng = np.random.default_rng(3)
    predictions = {
        "binary": np.round(rng.random(80), 1),
        "equal": rng.integers(0, 2, 80) * 1.0,
        "classes": np.round(rng.dirichlet([1, 1, 1], 80), 2) + 0.01,
        "text": np.array(["a cat sat on the mat", "no cat sat there"])[rng.integers(0, 2, 80)],
        "boxes": np.zeros(80),
    }[kind].tolist()
    predictions = boxes()[1] if kind == "boxes" else predictions
    labels, weights, hours = (rng.integers(0, n, 80).tolist() for n in (2, 3, 24))
    kinds = ["the cat sat on the mat", "the dog"] if kind == "text" else [0.0, 1.0]
    truth = boxes()[0] if kind == "boxes" else [kinds[label] for label in labels]
    images = example_images(rng, 80).to_pylist()
    return [
        {
            "label": truth[i],
            "prediction": predictions[i],
            "weight": (weights[i] + 1) / 2,
            "g": "a" if i % 2 else "b",
            "hour": hours[i],
            **images[i],
            "query": f"q{i % 16}",
            "classes": predictions[i],
            "scores": 0.9,
        }
        for i in range(80)
    ]


def with_rows(kind: str, **columns: Any) -> list[dict[str, Any]]:
    """Ten more rows, of slice a, in which some columns are others."""
    rows = rows_like(kind)
    return [*rows[:40], *({**row, **columns} for row in rows[1:20:2]), *rows[40:]]


def whole(name: str) -> dict[str, Any]:
    """The parameters of a metric; a sample is of all rows, as other rows would make another one."""
    sizes = {"size": 500, "sample_size": 500}
    return {key: sizes.get(key, value) for key, value in example_config(name).items()}


@functools.cache
def evaluated(kind: str, scenario: str, weighted: bool) -> Rows:
    """Values and plots of every metric of a kind, from one evaluation."""
    infinite: Any = {"classes": [math.inf, 0.0, 9.0], "text": ""}.get(kind, -math.inf)
    wrong: Any = "?" if kind == "text" else -7.0
    if kind == "boxes":
        wrong, infinite = [[9.0, 9.0, 1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0, 1.0, 0.0, math.inf]]
    rows = {
        "whole": {},
        "no label": {"label": None},
        "no prediction": {"prediction": None},
        "no weight": {"weight": 0.0, "label": wrong, "prediction": infinite},
        "nothing": {"weight": 0.0, "label": None, "prediction": None},
    }
    table = pa.Table.from_pylist(
        rows_like(kind) if scenario == "whole" else with_rows(kind, **rows.get(scenario, {}))
    )
    names = [name for name in registered() if kind_of(name) == kind]
    specs = [
        {
            "metrics": [{"class_name": n, "config": {**whole(n), "name": n.lower()}}],
            **({"query_key": "query"} if build(n).needs_groups else {}),
        }
        for n in names
    ]
    weights = {"example_weight_key": "weight"} if weighted else {}
    model = {"label_key": "label", "prediction_key": "prediction", **weights}
    slices = [{}, {"feature_keys": ["g"]}]
    made = {"model_specs": [model], "slicing_specs": slices, "metrics_specs": specs}
    result = benison.evaluate(table, made)
    rows: Rows = collections.defaultdict(dict)
    for row in (*result.metrics.to_pylist(), *result.plots.to_pylist()):
        rows[row.get("metric", row.get("plot"))][row["slice"]] = row
    return rows


def rows_of(result: Rows, name: str) -> dict[str, Any]:
    """The value, or the plot, in each slice, and the rows that it rests on."""
    rows = result[name.lower()]
    assert rows.keys() == set(SLICES)
    return rows


def comparable(name: str, row: dict[str, Any], column: str) -> Any:
    """A column of a row; the drawn rows of a sample are in no order."""
    drawn = column == "structured" and build(name).needs_row_numbers
    return sorted(json.loads(row[column]), key=str) if drawn else row.get(column)


def same(name: str, result: Rows, expected: Rows, *more: str) -> None:
    ours, theirs = rows_of(result, name), rows_of(expected, name)
    for where in SLICES:
        for column in ("value", "structured", *more, *(c for c in ours[where] if c in ("points",))):
            a, b = (comparable(name, rows[where], column) for rows in (ours, theirs))
            if isinstance(a, float):
                assert a == pytest.approx(b, rel=1e-12, nan_ok=True), (where, column)
            else:
                assert a == b, (where, column)


ONE_MODEL = [name for name in registered() if not build(name).needs_baseline]
every_metric = pytest.mark.parametrize("name", ONE_MODEL)


@every_metric
@pytest.mark.parametrize("weighted", [False, True])
def test_a_missing_label_takes_its_row_out_of_what_looks_at_labels(
    name: str, weighted: bool
) -> None:
    kind = kind_of(name)
    without = "whole" if build(name).needs_label else "filled"
    same(name, evaluated(kind, "no label", weighted), evaluated(kind, without, weighted))
    if not build(name).is_plot:
        rows = rows_of(evaluated(kind, "no label", weighted), name)
        assert [rows[w]["examples"] for w in SLICES] == [90, 50, 40]
        counted = [80, 40, 40] if build(name).needs_label else [90, 50, 40]
        assert [rows[w]["evaluated"] for w in SLICES] == counted


@every_metric
@pytest.mark.parametrize("weighted", [False, True])
def test_a_missing_prediction_makes_what_looks_at_predictions_undefined(
    name: str, weighted: bool
) -> None:
    kind = kind_of(name)
    result = evaluated(kind, "no prediction", weighted)
    if not build(name).needs_prediction:
        same(name, result, evaluated(kind, "filled", weighted), "evaluated")
        return
    rows, whole = rows_of(result, name), rows_of(evaluated(kind, "whole", weighted), name)
    if build(name).is_plot:
        return
    for where in ("Overall", "g=a"):
        assert math.isnan(rows[where]["value"])
        numbers = rows[where]["structured"] or "null"
        assert "true_positives" not in numbers or '"true_positives": [null' in numbers.replace(
            "NaN", "null"
        )
    assert rows["g=b"]["value"] == pytest.approx(whole["g=b"]["value"], rel=1e-12, nan_ok=True)
    assert [rows[w]["evaluated"] for w in SLICES] == [80, 40, 40]


@every_metric
@pytest.mark.parametrize("scenario", ["no weight", "nothing"])
def test_a_row_that_weighs_nothing_is_in_no_weighted_value(name: str, scenario: str) -> None:
    kind = kind_of(name)
    result = evaluated(kind, scenario, True)
    same(name, result, evaluated(kind, "whole", True))
    if not build(name).is_plot:
        rows = rows_of(result, name)
        assert [rows[w]["examples"] for w in SLICES] == [90, 50, 40]
        assert [rows[w]["evaluated"] for w in SLICES] == [80, 40, 40]


@every_metric
@pytest.mark.parametrize("prediction", [math.inf, math.nan])
def test_no_statistic_looks_at_what_weighs_nothing(name: str, prediction: float) -> None:
    metric = build(name)
    inputs = inputs_for(name, np.random.default_rng(6), 60, True)
    if inputs.weights is None or not isinstance(inputs.predictions, np.ndarray):
        pytest.skip("it takes no weights, or no numbers")
    nothing = inputs.weights == 0
    assert nothing.any()
    labels, predictions = inputs.labels.copy(), inputs.predictions.copy()
    labels[nothing], predictions[nothing] = -5.0, prediction
    rows = dataclasses.replace(inputs, labels=labels, predictions=predictions)
    codes = np.arange(60) % 3
    value, expected = (flat(value_of(metric, x, codes, 3)) for x in (rows, inputs))
    np.testing.assert_array_equal(value, expected)


def test_the_weighted_form_of_any_values_is_0_where_nothing_weighs() -> None:
    rows = Inputs.of([0, 1, 1], [0.1, 0.2, 0.3], [0.0, 2.0, 0.5])
    values = np.array([math.inf, 1.5, 4.0])
    np.testing.assert_array_equal(rows.weighted(values), [0, 3, 2])


def test_one_label_in_ten_rows_is_too_little_to_bless() -> None:
    rows = {"label": [1.0] + [None] * 9, "prediction": [0.9] * 10, "c": ["a"] * 6 + ["b"] * 4}
    metric = {
        "class_name": "BinaryAccuracy",
        "threshold": {"value_threshold": {"lower_bound": 0.5}},
    }
    slices, options = ({}, {"feature_keys": ["c"]}), {"min_slice_size": 5}
    result = benison.evaluate(pa.table(rows), config(metric, slices=slices, options=options))
    assert result.verdict.status == "not_evaluated"
    assert set(result.metrics["evaluated"].to_pylist()) == {1}
