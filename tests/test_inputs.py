# SPDX-License-Identifier: Apache-2.0
"""Inputs in memory that are unusual, and those that are refused with one sentence."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

import benison
from tests.conftest import config


def table(**columns: Any) -> pa.Table:
    return pa.table({"label": [1.0, 0, 1, 0], "prediction": [0.9, 0.2, 0.7, 0.4], **columns})


def slices_of(values: Any, *features: str) -> dict[str, float]:
    specs = [{"feature_keys": ["f", *features]}]
    metrics = benison.evaluate(table(f=values), config("ExampleCount", slices=specs)).metrics
    return dict(zip(metrics["slice"].to_pylist(), metrics["value"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.5, math.nan, None, 2.0], {"f=1.5": 1, "f=2": 1}),
        ([True, False, None, True], {"f=false": 1, "f=true": 2}),
        ([["a", "a"], ["b"], [], None], {"f=a": 1, "f=b": 1}),
        (pa.array(["x", "y", "x", None]).dictionary_encode(), {"f=x": 2, "f=y": 1}),
        (pa.array([b"x", b"y", b"x", None]), {"f=x": 2, "f=y": 1}),
        (
            ["</script>", "a=1, b=2", "\x1f", "😀"],
            {"f=</script>": 1, "f=a=1, b=2": 1, "f=\x1f": 1, "f=😀": 1},
        ),
        (pa.nulls(4), {}),
    ],
)
def test_slice_values(values: Any, expected: dict[str, float]) -> None:
    assert slices_of(values) == expected


def test_the_separator_of_crossed_keys_may_be_in_a_value() -> None:
    assert slices_of(["\x1f", "a", "a", "a"], "label") == {
        "f=a, label=0": 2,
        "f=a, label=1": 1,
        "f=\u241f, label=1": 1,
    }


def test_numbers_sort_as_numbers() -> None:
    assert list(slices_of([10, 9, 100, 9])) == ["f=9", "f=10", "f=100"]


def test_any_frame_that_speaks_arrow() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.from_arrow(table())
    assert benison.evaluate(frame, config("AUC")).value("auc") == 1.0


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"weight": [1, -1, 1, 1]},
            "Weight column 'weight' must hold one finite number from 0 up in each row; it holds -1",
        ),
        ({"weight": [1, None, 1, 1]}, "it holds nan. Fill missing weights"),
        ({"weight": ["a"] * 4}, "Column 'weight' holds string, not numbers"),
        (
            {"weight": [[1.0], [1.0, 2.0], [1.0], [1.0]]},
            "Column 'weight' holds lists of 1 to 2 values",
        ),
        ({"weight": [1.0] * 4, "f": pa.array([b"\xff"] * 4)}, "Column 'f' cannot be sliced"),
        (
            {"weight": [1.0] * 4, "f": [{"a": 1}] * 4},
            "Column 'f' holds struct<a: int64>, which has no text form",
        ),
    ],
)
def test_refused_columns(columns: dict[str, Any], sentence: str) -> None:
    slices = ({"feature_keys": ["f"]},) if "f" in columns else ({},)
    made = config("AUC", slices=slices, model={"example_weight_key": "weight"})
    with pytest.raises(benison.DataError) as raised:
        benison.evaluate(table(**columns), made)
    assert sentence in str(raised.value)


@pytest.mark.parametrize("examples", [5, [], None])
def test_refused_examples(examples: Any) -> None:
    with pytest.raises(benison.DataError, match="Examples are paths or a table"):
        benison.evaluate(examples, config("AUC"))


def test_two_columns_of_one_name() -> None:
    twice = pa.table([[1.0], [0.9], [0.8]], names=["label", "prediction", "prediction"])
    with pytest.raises(benison.DataError, match="several columns named 'prediction'"):
        benison.evaluate(twice, config("AUC"))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"spec": {"aggregate": {"micro_average": True}}}, "metrics_specs[0].aggregate"),
        ({"spec": {"query_key": "f"}}, "metrics_specs[0].query_key"),
        ({"options": {"disabled_outputs": ["plots"]}}, "options.disabled_outputs"),
        ({"model": {"preprocessing_function_names": ["f@g"]}}, "preprocessing_function_names"),
        ({"model": {"padding_options": {"label_int_padding": 1}}}, "padding_options"),
        ({"model": {"model_type": "tf_js"}}, "model_type"),
    ],
)
def test_what_is_not_computed_is_refused_not_ignored(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(benison.ConfigError) as raised:
        benison.evaluate(table(), config("AUC", **more))
    assert sentence in str(raised.value)
    assert "by this version of Benison" in str(raised.value)


def test_engine_with_a_typo() -> None:
    with pytest.raises(benison.ConfigError, match="no engine 'beem'"):
        benison.evaluate(table(), config("AUC"), engine="beem")


def test_wrong_parameters() -> None:
    for parameters, sentence in (
        ({"num_threshold": 5}, "Did you mean 'num_thresholds'"),
        ({"curve": "XX"}, "ROC, PR"),
    ):
        with pytest.raises(benison.ConfigError, match=sentence):
            benison.evaluate(table(), config({"class_name": "AUC", "config": parameters}))
