# SPDX-License-Identifier: Apache-2.0
"""Inputs in memory that are unusual, and those that are refused with one sentence."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.config import EvalConfig
from benison.data.batch import Extracts
from tests.conftest import config


def table(**columns: Any) -> pa.Table:
    return pa.table({"label": [1.0, 0, 1, 0], "prediction": [0.9, 0.2, 0.7, 0.4], **columns})


def slices_of(values: Any, *features: str) -> dict[str, float]:
    specs = [{"feature_keys": ["f", *features]}]
    metrics = benison.evaluate(table(f=values), config("ExampleCount", slices=specs)).metrics
    return dict(zip(metrics["slice"].to_pylist(), metrics["value"].to_pylist(), strict=True))


NAN = math.nan
FLOATS16 = pa.array(np.array([1.5, 0.1, 1.5, 2.0], np.float16))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.5, math.nan, None, 2.0], {"f=1.5": 1, "f=2": 1}),
        ([-0.0, 0.0, 1e15, 1e16], {"f=0": 2, "f=1000000000000000": 1, "f=1e+16": 1}),
        (FLOATS16, {"f=0.099975586": 1, "f=1.5": 2, "f=2": 1}),
        ([True, False, None, True], {"f=false": 1, "f=true": 2}),
        ([["a", "a"], ["b"], [], None], {"f=a": 1, "f=b": 1}),
        ([["a"], ["b"], ["a"], None], {"f=a": 2, "f=b": 1}),
        ([["a"], ["b"], ["a"], []], {"f=a": 2, "f=b": 1}),
        ([None, ["a"], ["a"], ["b"]], {"f=a": 2, "f=b": 1}),
        ([["a", None], [None], ["b"], ["a"]], {"f=a": 2, "f=b": 1}),
        ([[NAN, 1.0], [NAN], None, [1.0]], {"f=1": 2}),
        (
            pa.array([["a", "b"], None, ["b", "b"], None], pa.list_(pa.string(), 2)),
            {"f=a": 1, "f=b": 2},
        ),
        (pa.array(["x", "y", "x", None]).dictionary_encode(), {"f=x": 2, "f=y": 1}),
        (pa.DictionaryArray.from_arrays([0, 1, 2, 1], ["x", None, "y"]), {"f=x": 1, "f=y": 1}),
        (pa.DictionaryArray.from_arrays([0, 1, 2, None], [1.5, NAN, 2.0]), {"f=1.5": 1, "f=2": 1}),
        (pa.DictionaryArray.from_arrays([0, 1, 2, 1], ["x", "y", "x"]), {"f=x": 2, "f=y": 2}),
        (pa.DictionaryArray.from_arrays([0, 1, 0, 1], [0.0, -0.0]), {"f=0": 4}),
        (pa.array([b"x", b"y", b"x", None]), {"f=x": 2, "f=y": 1}),
        (pa.array(["x", "y", "x", None], pa.string_view()), {"f=x": 2, "f=y": 1}),
        (
            ["</script>", "a=1, b=2", "\x1f", "😀"],
            {"f=</script>": 1, "f=a=1, b=2": 1, "f=\x1f": 1, "f=😀": 1},
        ),
        (pa.nulls(4), {}),
    ],
)
def test_slice_values(values: Any, expected: dict[str, float]) -> None:
    assert slices_of(values) == expected


def test_crossed_keys_are_told_apart_whatever_their_values_hold() -> None:
    values = ["a\x1fb", "a\u241fb", "a\x1e1b", "a\x1e"]
    assert slices_of(values, "label") == {
        f"f={value}, label={label}": 1 for value, label in zip(values, [1, 0, 1, 0], strict=True)
    }
    crossed = table(f=values, g=["\x1f", "", "\x1e0", "\x1f"])
    metrics = benison.evaluate(
        crossed, config("ExampleCount", slices=[{"feature_keys": ["f", "g"]}])
    ).metrics
    keys = [[pair["value"] for pair in key] for key in metrics["slice_key"].to_pylist()]
    assert sorted(keys) == sorted(
        [f, g] for f, g in zip(*crossed.select(["f", "g"]).to_pydict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        (["3.1"] * 2 + ["3.10"] * 2, "3.10", {"f=3.10": 2}),
        (["5", "5.0", "05", "5"], "5", {"f=5": 2}),
        (
            [1234567890123456789, 1234567890123456788, 5, 5],
            "1234567890123456789",
            {"f=1234567890123456789": 1},
        ),
        ([5, 5, 6, 7], "5.0", {"f=5": 2}),
        ([0.5, 0.25, 0.5, 2.0], "5e-1", {"f=0.5": 2}),
        ([2.0, 2.0, 0.5, 1.0], 2, {"f=2": 2}),
        ([True, False, True, None], True, {"f=true": 2}),
        (["true", "True", "1", "x"], "1", {"f=1": 1}),
        (pa.array([1.5, 2, 1.5, 1]).cast(pa.decimal128(5, 2)), "1.50", {"f=1.5": 2}),
        (["nan", "inf", "x", "y"], "Infinity", {}),
        ([math.inf, 1.0, 1.0, 1.0], "Infinity", {"f=inf": 1}),
        ([5, 6, 7, 8], "1e999999999", {}),
    ],
)
def test_fixed_values_are_compared_as_what_the_column_holds(
    values: Any, wanted: Any, expected: dict[str, float]
) -> None:
    made = config("ExampleCount", slices=[{}, {"feature_values": {"f": wanted}}])
    metrics = benison.evaluate(table(f=values), made).metrics
    counts = dict(zip(metrics["slice"].to_pylist(), metrics["value"].to_pylist(), strict=True))
    assert counts == {"Overall": 4, **expected}


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
        ({"weight": [{"a": 1}] * 4}, "Column 'weight' holds struct<a: int64>, not numbers"),
        ({"weight": [[1.0, 2.0]] * 4}, "A row has 2 weights, which are of its classes one by one"),
        ({"weight": [[1.0, -2.0]] * 4}, "it holds -2. Fill missing weights"),
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
        ({"options": {"disabled_outputs": ["plot"]}}, "Did you mean 'plots'"),
        ({"model": {"preprocessing_function_names": ["f@g"]}}, "is no function of a column"),
        ({"model": {"padding_options": {"label_int_padding": 1}}}, "Pad labels and predictions"),
        ({"model": {"model_type": "tf_js"}}, "'tf_js' is not loaded by this version of Benison"),
    ],
)
def test_what_is_not_computed_is_refused_not_ignored(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(benison.ConfigError, match=sentence):
        benison.evaluate(table(), config("AUC", **more))


def test_engine_with_a_typo() -> None:
    with pytest.raises(benison.ConfigError, match="no engine 'beem'"):
        benison.evaluate(table(), config("AUC"), engine="beem")


class Loaded:
    """A stage that notes that it was made ready, as a model is loaded."""

    stage_name = "Loaded"
    setups = 0

    def setup(self) -> None:
        self.setups += 1

    def extract(self, extracts: Extracts) -> Extracts:
        return extracts


@pytest.mark.parametrize(
    ("engine", "package"), [("beam", "apache_beam"), ("spark", "pyspark.sql"), ("flink", "pyflink")]
)
def test_an_engine_that_is_not_installed_is_refused_before_models_are_loaded(
    engine: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    pq.write_table(table(), tmp_path / "data.parquet")
    stage = Loaded()
    extractors = [*benison.default_extractors(EvalConfig.load(config("AUC"))), stage]
    with pytest.raises(benison.MissingExtraError, match="not installed"):
        benison.evaluate(
            tmp_path / "data.parquet", config("AUC"), engine=engine, extractors=extractors
        )
    assert stage.setups == 0


def test_wrong_parameters() -> None:
    for parameters, sentence in (
        ({"num_threshold": 5}, "Did you mean 'num_thresholds'"),
        ({"curve": "XX"}, "ROC, PR"),
    ):
        with pytest.raises(benison.ConfigError, match=sentence):
            benison.evaluate(table(), config({"class_name": "AUC", "config": parameters}))
