# SPDX-License-Identifier: Apache-2.0
"""The tests of the counts of examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benison.data.batch import Inputs
from benison.metrics import from_config

Evaluate = Callable[..., Any]


@pytest.mark.parametrize("name", ["ExampleCount", "LabelCount", "WeightedExampleCount"])
def test_a_row_counts_as_its_weight(evaluate_metric: Evaluate, name: str) -> None:
    metric = from_config(name, {})
    assert evaluate_metric(metric, Inputs.of([1, 0, 1], [0.1, 0.2, 0.3])) == 3.0
    weighted = Inputs.of([1, 0, 1], [0.1, 0.2, 0.3], [0.5, 0.0, 2.0])
    assert evaluate_metric(metric, weighted) == 2.5


def test_names() -> None:
    assert from_config("ExampleCount", {}).name == "example_count"
    assert from_config("WeightedExampleCount", {}).name == "weighted_example_count"
    assert from_config("ExampleCount", {"name": "n"}).name == "n"


def test_a_missing_prediction_is_still_an_example(evaluate_metric: Evaluate) -> None:
    assert evaluate_metric(from_config("ExampleCount", {}), Inputs.of([1, 0], [None, 0.2])) == 2.0
