# SPDX-License-Identifier: Apache-2.0
"""Metrics of a column of the data: which columns they take, and which weights they refuse."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs
from benison.errors import DataError
from benison.metrics import from_config
from benison.metrics.columns import ColumnMean
from tests.conftest import config

WEIGHTED = {"feature_key_path": ["age"], "example_weights_key_path": ["weight"]}


def mean(parameters: dict[str, Any], **columns: Any) -> Any:
    batch = pa.record_batch(columns)
    rows = dataclasses.replace(Inputs.of([0, 0, 0], [0, 0, 0]), batch=batch)
    return from_config("Mean", parameters).of(rows)


def test_a_column_can_weigh_the_rows() -> None:
    assert mean(WEIGHTED, age=[20, 40, 50], weight=[3, 1, 0]) == np.average(
        [20, 40], weights=[3, 1]
    )


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [
        ([1.0, None, 1.0], "'weight' must hold one finite number from 0 up.*holds nan. Fill"),
        ([1.0, -1.0, 1.0], "'weight' must hold one finite number from 0 up.*holds -1"),
        ([1.0, np.inf, 1.0], "'weight' must hold one finite number from 0 up.*holds inf"),
        ([1.0, 1e-310, 1.0], "'weight' holds 1e-310; weights are from 1e-300"),
    ],
)
def test_what_cannot_weigh_is_refused(weight: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        mean(WEIGHTED, age=[20, 40, 50], weight=weight)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([20, 40, None]),
        pa.array([True, False, None]),
        pa.array([20, 40, None]).dictionary_encode(),
        pa.ListArray.from_arrays([0, 1, 2, 2], pa.array([20, 40]).dictionary_encode()),
    ],
)
def test_numbers_of_any_encoding_have_a_mean(column: pa.Array) -> None:
    flat = [x[0] if isinstance(x, list) and x else x for x in column.to_pylist()]
    expected = np.mean([x for x in flat if x is not None and x != []])
    assert mean({"feature_key_path": ["age"]}, age=column) == expected


SHAP = {"age": [0.5, -1.5, 2.0, None], "fare": [[1.0, -2.0], [3.0, 4.0], [], [-5.0, 6.0]]}
SHAP_WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0])


@pytest.mark.parametrize("absolute", ["", "Absolute"])
def test_attributions_are_summed_up_by_feature(absolute: str) -> None:
    table = pa.table({"label": [0.0, 1, 0, 1], "prediction": [0.1, 0.8, 0.3, 0.9], **SHAP,
                      "weight": SHAP_WEIGHTS})  # fmt: skip
    age = {"columns": {"the age": "age"}}
    fare = {"columns": ["fare"], "class_id": 1}
    metrics = [
        {"class_name": f"{what}{absolute}Attributions", "config": config}
        for what in ("Total", "Mean") for config in (age, fare)
    ]  # fmt: skip
    weights = {"example_weight_key": "weight"}
    result = benison.evaluate(table, config(*metrics, model=weights))
    middle = "_absolute" if absolute else ""
    for feature, values, w in (
        ("the age", np.array([0.5, -1.5, 2.0]), SHAP_WEIGHTS[:3]),
        ("fare", np.array([-2.0, 4.0, 6.0]), SHAP_WEIGHTS[[0, 1, 3]]),
    ):
        x = np.abs(values) if absolute else values
        total = result.value(f"total{middle}_attributions/{feature}")
        assert total == pytest.approx(np.dot(w, x))
        mean = result.value(f"mean{middle}_attributions/{feature}")
        assert mean == pytest.approx(np.average(x, weights=w))


def test_which_class_of_attributions_is_meant_must_be_said() -> None:
    table = pa.table({"label": [0.0, 1, 0, 1], "prediction": [0.1, 0.8, 0.3, 0.9], **SHAP})
    for options, words in (
        ({"columns": ["fare"]}, "several values in a row"),
        ({"columns": ["age"], "class_id": 0}, "one value in a row"),
    ):
        metric = {"class_name": "TotalAttributions", "config": options}
        with pytest.raises(benison.DataError, match=words):
            benison.evaluate(table, config(metric))


@pytest.mark.parametrize(
    ("options", "spec", "words"),
    [
        ({"class_id": 0, "k": 1}, {}, "class_id and k are two answers"),
        ({"class_id": 0, "top_k": 1}, {}, "class_id and top_k are two answers"),
        ({"class_id": 1}, {"class_ids": [0]}, "has class_id, and its spec binarize"),
        ({"k": 1}, {"class_ids": [0]}, "has k, and its spec binarize"),
        ({"top_k": 1}, {"k_list": [2]}, "has top_k, and its spec binarize"),
        ({"class_id": -1}, {}, "class_id must be a whole number from 0 up"),
    ],
    ids=str,
)
def test_values_of_attributions_are_chosen_in_a_single_way(
    options: dict[str, int], spec: dict[str, list[int]], words: str
) -> None:
    metric = {"class_name": "MeanAttributions", "config": {"columns": ["fare"], **options}}
    table = pa.table({"label": [0.0], "prediction": [[0.1, 0.9]], "fare": [[1.0, 2.0]]})
    with pytest.raises(benison.ConfigError, match=words):
        benison.evaluate(table, config(metric, spec={"binarize": spec} if spec else {}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"element": 0, "k": 1}, "element and k are two answers"),
        ({"element": -1}, "element must be a whole number from 0 up"),
    ],
    ids=str,
)
def test_values_of_lists_are_chosen_in_a_single_way(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ColumnMean(["fare"], **options)
