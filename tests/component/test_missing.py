# SPDX-License-Identifier: Apache-2.0
"""A missing value is missing wherever it came from, and stays in its row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.engine.read_columns import as_floats
from benison.models.arrays import Input, as_frame, as_input
from tests.conftest import config

NAN = math.nan


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def pairs(*rows: Any, kind: Any) -> pa.Array:
    return pa.array(rows, kind)


LISTS = [pa.list_(pa.float64()), pa.large_list(pa.float64()), pa.list_(pa.float64(), 2)]


@pytest.mark.parametrize("kind", LISTS, ids=str)
def test_a_list_that_is_missing_keeps_its_row(kind: pa.DataType) -> None:
    column = pairs([1.0, 2.0], None, [3.0, None], None, kind=kind)
    expected = [[1, 2], [NAN, NAN], [3, NAN], [NAN, NAN]]
    np.testing.assert_array_equal(as_floats(batch(f=column), "f"), expected)
    np.testing.assert_array_equal(as_floats(batch(f=column.slice(1)), "f"), expected[1:])
    fed = as_input(batch(f=column), Input("f", "float32", (2,)))
    np.testing.assert_array_equal(fed, expected)
    encoded = pa.DictionaryArray.from_arrays([1, 0, 1, None], pairs(None, [1, 2], kind=LISTS[0]))
    np.testing.assert_array_equal(
        as_floats(batch(f=encoded), "f"), [[1, 2], [NAN, NAN], [1, 2], [NAN, NAN]]
    )


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float64(), 1)], ids=str)
def test_lists_of_one_value_are_numbers(kind: pa.DataType) -> None:
    column = pairs(None, [3.0], [None], kind=kind)
    np.testing.assert_array_equal(as_floats(batch(f=column), "f"), [NAN, 3, NAN])


@pytest.mark.parametrize("kind", LISTS, ids=str)
def test_labels_beside_missing_predictions_make_a_value_undefined(kind: pa.DataType) -> None:
    labels = pairs([1, 0], [1, 0], None, None, kind=kind)
    predictions = pairs(None, None, [1, 0], [1, 0], kind=kind)
    table = pa.table({"label": labels, "prediction": predictions})
    bound = {"threshold": {"value_threshold": {"upper_bound": 1.0}}}
    result = benison.evaluate(table, config({"class_name": "MeanSquaredError", **bound}))
    assert math.isnan(result.value("mean_squared_error"))
    assert result.verdict.status == "not_blessed"


@pytest.mark.parametrize("metric", ["MeanSquaredError", "CategoricalAccuracy"])
def test_a_file_without_a_list_in_any_row_is_like_others(metric: str, tmp_path: Path) -> None:
    """How many classes there are only the other files say."""
    kind = pa.list_(pa.float64())
    there, missing = pairs([1, 0], [0, 1], kind=kind), pairs(None, [], kind=kind)
    for name, labels, predictions in (
        ("a", there, there), ("b", missing, there), ("c", missing, missing)
    ):  # fmt: skip
        table = pa.table({"label": labels, "prediction": predictions})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    perfect = {"MeanSquaredError": 0.0, "CategoricalAccuracy": 1.0}[metric]
    result = benison.evaluate(
        str(tmp_path), config({"class_name": metric, "config": {"name": "m"}})
    )
    assert result.value("m") == perfect
    pq.write_table(pa.table({"label": there, "prediction": missing}), tmp_path / "d.parquet")
    result = benison.evaluate(
        str(tmp_path), config({"class_name": metric, "config": {"name": "m"}})
    )
    assert math.isnan(result.value("m"))


def test_class_numbers_beside_a_file_without_predictions(tmp_path: Path) -> None:
    kind = pa.list_(pa.float64())
    for name, predictions in (("a", ([0.9, 0.1], [0.2, 0.8])), ("b", (None, None))):
        table = pa.table({"label": [0, 1], "prediction": pairs(*predictions, kind=kind)})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    made = config("CategoricalAccuracy")
    assert benison.evaluate(str(tmp_path / "a.parquet"), made).value("categorical_accuracy") == 1.0
    assert math.isnan(benison.evaluate(str(tmp_path), made).value("categorical_accuracy"))


FRAME = pd.DataFrame(
    {
        "text": ["a", np.nan, "b"],
        "flag": pd.Series([True, np.nan, False], dtype=object),
        "number": [1.0, np.nan, 2.0],
        "empty": [np.nan, np.nan, np.nan],
    }
)


@pytest.mark.parametrize("form", ["plain", "encoded", "lists", "encoded null"])
def test_pandas_gets_what_pandas_would_have_read(form: str) -> None:
    text = pa.array(["a", None, "b"])
    forms = {
        "plain": text,
        "encoded": text.dictionary_encode(),
        "lists": pa.array([["a"], [], ["b"]]),
        "encoded null": pa.DictionaryArray.from_arrays([0, 1, 2], ["a", None, "b"]),
    }
    data = batch(
        text=forms[form],
        flag=pa.array([True, None, False]),
        number=pa.array([1, None, 2]),
        empty=pa.nulls(3),
    )
    pd.testing.assert_frame_equal(as_frame(data, list(FRAME)), FRAME)


def test_an_encoded_null_is_missing_for_an_input_too() -> None:
    encoded = pa.DictionaryArray.from_arrays([0, 1], [b"a", None])
    with pytest.raises(benison.DataError, match="missing in 1 of 2 rows"):
        as_input(batch(f=encoded), Input("f", "string", ()))
    numbers = pa.DictionaryArray.from_arrays([0, 1], [1.0, None])
    np.testing.assert_array_equal(as_input(batch(f=numbers), Input("f", "float32", ())), [1, NAN])
