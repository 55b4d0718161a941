# SPDX-License-Identifier: Apache-2.0
"""Decimals: as numbers the floats that Python reads from their text, in conditions what DuckDB makes of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.batch import Ragged
from benison.data.nested import as_ragged
from benison.data.values import floats_of
from benison.data.widening import convert, unify
from benison.engine.read_columns import as_column
from benison.models.arrays import Input, as_frame, as_input
from benison.probes.changes import numbers
from benison.slicing.bin_edges import DistinctNumbers
from benison.slicing.expressions import Condition
from tests.conftest import config

TEXTS = [f"{k / 100:.2f}" for k in range(-101, 102)]
KINDS = [pa.decimal128(3, 2), pa.decimal128(38, 20), pa.decimal256(60, 2)]
KINDS += [getattr(pa, name)(5, 2) for name in ("decimal32", "decimal64") if hasattr(pa, name)]
WANTED = [float(text) for text in TEXTS]


def decimals(texts: list[str], kind: pa.DataType) -> pa.Array:
    return pa.array([Decimal(text) for text in texts], pa.decimal128(38, 20)).cast(kind)


def of_lists(column: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(range(len(column) + 1), pa.int32()), column)


def column_of(column: pa.Array) -> Any:
    return as_column(pa.record_batch({"x": column}), "x")


def uneven(column: pa.Array) -> Any:
    offsets = pa.array([0, 1, len(column)], pa.int32())
    values = column_of(pa.ListArray.from_arrays(offsets, column))
    assert isinstance(values, Ragged)
    return values.values


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(
    "read",
    [
        lambda column: floats_of(column).to_pylist(),
        lambda column: column_of(column).tolist(),
        lambda column: column_of(column.dictionary_encode()).tolist(),
        lambda column: column_of(of_lists(column)).tolist(),
        lambda column: uneven(column).tolist(),
        lambda column: as_ragged(of_lists(of_lists(column)), "x").values[:, 0].tolist(),
        lambda column: convert(column, unify(column.type, pa.float64())).to_pylist(),
        lambda column: convert(of_lists(column), pa.large_list(pa.float64())).flatten().to_pylist(),
        lambda column: DistinctNumbers.of("x", column).numbers.tolist(),
        lambda column: as_frame(pa.record_batch({"x": column}), ["x"])["x"].tolist(),
        lambda column: as_input(pa.record_batch({"x": column}), Input("x", "float64", ())).tolist(),
        lambda column: numbers(column).tolist(),
    ],
)  # fmt: skip
def test_a_decimal_as_a_number_is_the_float_that_its_text_is(read: Any, kind: pa.DataType) -> None:
    assert read(decimals(TEXTS, kind)) == WANTED


def test_decimals_of_many_digits_and_of_negative_scales_are_rounded_once() -> None:
    rng = np.random.default_rng(7)
    texts = [f"{rng.integers(10**17)}.{rng.integers(10**17):017d}" for _ in range(2_000)]
    long = floats_of(decimals(texts, pa.decimal128(38, 18)))
    assert long.to_pylist() == [float(text) for text in texts]
    hundreds = pa.array([Decimal(12300), None], pa.decimal128(5, -2))
    assert floats_of(hundreds).to_pylist() == [12300.0, None]
    narrow = floats_of(decimals(TEXTS, KINDS[0]), pa.float32())
    assert narrow.to_pylist() == [float(np.float32(text)) for text in TEXTS]


def accuracy(data: Any) -> benison.EvaluationResult:
    threshold = {"value_threshold": {"lower_bound": 0.9}}
    metric = {"class_name": "BinaryAccuracy", "config": {"threshold": 0.7}, "threshold": threshold}
    return benison.evaluate(
        data,
        {
            "model_specs": [{"label_key": "y", "prediction_key": "p", "example_weight_key": "w"}],
            "slicing_specs": [{}, {"bins": {"p": {"quantiles": 2}}}],
            "metrics_specs": [{"metrics": [metric, "MeanPrediction", "MeanLabel"]}],
        },
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS[:3], ids=str)
def test_the_verdict_on_decimals_is_that_on_floats(kind: pa.DataType, tmp_path: Path) -> None:
    texts = {"y": ["1"] * 50 + ["0"] * 50, "p": ["0.70"] * 50 + ["0.20"] * 50, "w": ["0.35"] * 100}
    results = []
    for of in (kind, pa.float64()):
        table = pa.table(
            {name: decimals(each, kind).cast(pa.string()).cast(of) for name, each in texts.items()}
        )
        pq.write_table(table, tmp_path / f"{results and 'floats' or 'decimals'}.parquet")
        results.append(accuracy(tmp_path / f"{results and 'floats' or 'decimals'}.parquet"))
    assert results[0].verdict.status == results[1].verdict.status == "not_blessed"
    values = [result.metrics["value"].to_pylist() for result in results]
    assert values[0] == values[1]


def test_decimals_of_one_file_and_floats_of_another_are_one_slice(tmp_path: Path) -> None:
    for name, kind in (("a", pa.decimal128(5, 2)), ("b", pa.float64())):
        table = pa.table({"y": [1, 0], "p": [0.9, 0.1], "s": pa.array(["0.70", "0.70"]).cast(kind)})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    specs = {
        "model_specs": [{"label_key": "y", "prediction_key": "p"}],
        "slicing_specs": [{"feature_keys": ["s"]}],
    }
    result = benison.evaluate(tmp_path, {**specs, "metrics_specs": [{"metrics": ["ExampleCount"]}]})
    assert result.value("example_count", slice={"s": "0.7"}) == 4.0


CONDITIONS = [
    *("d <= 0.7", "d < 0.7", "d = 0.7", "d <> 0.7", "d > 0.7", "d >= 0.70", "0.7 >= d", "d IN (0.7, 19.99)"),
    *("d = 19.99", "d = 7e-1", "d BETWEEN 0.5 AND 0.7", "NOT d <= 0.7", "-d <= -0.7", "d = -0.5", "d = .5"),
    *("d = f", "d <= f", "f >= d", "d < i", "i > d", "d = e", "d <= e", "d = 1.", "d = 1", "i = 1.0"),
    *("d = 0.7000000000000000000000000001", "d < 12345678901234567890", "f = 0.7", "f <= 0.7", "d = NULL"),
    *("w = 12345678901234567890", "w > 0.5", "w = 12345678901234567890.0", "e = 0.123456789012345678", "w > i"),
]  # fmt: skip


def test_conditions_on_decimals_choose_the_rows_that_duckdb_chooses() -> None:
    duckdb = pytest.importorskip("duckdb")
    texts = ["0.50", "0.50", "0.90", "0.90", "0.70", "0.70", "19.99", "1.00", "-0.50", None]
    wide = ["12345678901234567890", "12345678901234567891", *["1"] * 8]
    fine = ["0.123456789012345678", "0.123456789012345679", *["0.7"] * 8]
    data = pa.table(
        {
            "number": range(10),
            "d": pa.array([text and Decimal(text) for text in texts], pa.decimal128(10, 2)),
            "e": pa.array(map(Decimal, fine), pa.decimal128(20, 18)),
            "w": pa.array(map(Decimal, wide), pa.decimal128(20, 0)),
            "f": [0.5, 0.25, 0.9, 0.7, 0.7, 0.1, 19.99, 1.0, -0.5, 0.7],
            "i": pa.array(range(10), pa.int64()),
        }
    )
    batch = data.to_batches()[0]
    for text in CONDITIONS:
        wanted = duckdb.sql(f"SELECT number, {text} FROM data ORDER BY number").fetchall()
        assert Condition(text).of(batch).to_pylist() == [is_true for _, is_true in wanted], text


def test_decimals_that_duckdb_has_not_are_compared_exactly_too() -> None:
    columns = {
        "hundreds": pa.array([Decimal(12300)], pa.decimal128(5, -2)),
        "wide": pa.array([Decimal("0.70")], pa.decimal256(70, 60)),
        "whole": pa.array([Decimal(10**50)], pa.decimal256(60, 0)),
        "large": [1e50],
    }
    batch = pa.record_batch(columns)
    for text in ("hundreds = 12300", "hundreds > 12299.9", "wide = 0.7", "wide < 12345678901234567890", "whole < large"):  # fmt: skip
        assert Condition(text).of(batch).to_pylist() == [True], text  # 1e50 is 7.6e33 above 10^50


def test_a_slice_of_a_condition_and_a_bin_have_the_boundary() -> None:
    texts = ["0.50", "0.50", "0.90", "0.90", "0.70", "0.70"]
    data = {"label": [1, 0] * 3, "prediction": [0.9, 0.1] * 3, "d": decimals(texts, KINDS[0])}
    slices = ({"where": {"cheap": "d <= 0.7"}}, {"bins": {"d": [0.7]}})
    result = benison.evaluate(pa.table(data), config("ExampleCount", slices=slices))
    assert result.value("example_count", slice={"cheap": "true"}) == 4.0
    assert result.value("example_count", slice={"d": "[0.7, inf]"}) == 4.0


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()], ids=str)
def test_decimals_beside_floats_are_the_nearest_ones_of_their_type(kind: pa.DataType) -> None:
    floats = pa.array(WANTED, kind)
    batch = pa.RecordBatch.from_pydict({"d": decimals(TEXTS, KINDS[0]), "f": floats})
    for text in ("f = d", "d = f", "d <= f", "f >= d"):
        assert all(Condition(text).of(batch).to_pylist()), text
    assert not any(Condition("f < d").of(batch).to_pylist())
