# SPDX-License-Identifier: Apache-2.0
"""The tests of the metrics of fairness beside Fairlearn: parameters, slices, and groups without a rate."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import fairlearn.metrics as fairlearn
import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs
from benison.metrics import from_config
from benison.metrics.confusion import snake_case
from tests.conftest import config
from tests.fairness_oracles import NAMES, groups, of_fairlearn

RNG = np.random.default_rng(2)
LABELS = RNG.integers(0, 2, 400).astype(float)
SCORES = np.round(0.2 * LABELS + 0.8 * RNG.random(400), 2)
WEIGHTS = RNG.integers(1, 5, 400) / 2


def rows(**columns: Any) -> Inputs:
    return Inputs(LABELS, SCORES, WEIGHTS, pa.record_batch(columns))


@pytest.mark.parametrize("more", [{"method": "to_overall"}, {"agg": "mean"}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_fairlearns(name: str, more: dict[str, Any]) -> None:
    if "agg" in more and "Odds" not in name:
        pytest.skip("it is of one rate")
    metric = from_config(name, {"sensitive_features": "group", **more})
    expected = of_fairlearn(name, **more)(LABELS, SCORES, WEIGHTS)
    assert metric.of(rows(group=groups(SCORES))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_value_for_each_slice_in_the_same_pass(name: str) -> None:
    places = np.array(["x", "y"])[np.arange(400) % 2]
    table = pa.table({
        "label": LABELS, "prediction": SCORES, "weight": WEIGHTS, "place": places,
        "sex": groups(SCORES) // 2, "age": groups(SCORES) % 2,
    })  # fmt: skip
    metric = {"class_name": name, "config": {"sensitive_features": ["sex", "age"]}}
    slices = ({}, {"feature_keys": ["place"]})
    model = {"example_weight_key": "weight"}
    result = benison.evaluate(table, config(metric, slices=slices, model=model))
    for location, kept in (("", places != ""), ("x", places == "x"), ("y", places == "y")):
        # Two columns of which three combinations are there, as the last digits are.
        expected = of_fairlearn(name)(LABELS[kept], SCORES[kept], WEIGHTS[kept])
        value = result.value(snake_case(name), slice={"place": location} if location else {})
        assert value == pytest.approx(expected, rel=1e-12)


def test_a_row_without_a_value_is_in_no_group() -> None:
    group = groups(SCORES)
    column = pa.array([None if g == 2 else str(g) for g in group])
    kept = group != 2
    expected = fairlearn.demographic_parity_difference(
        LABELS[kept],
        SCORES[kept] > 0.5,
        sensitive_features=group[kept],
        sample_weight=WEIGHTS[kept],
    )
    metric = from_config("DemographicParityDifference", {"sensitive_features": "group"})
    assert metric.of(rows(group=column)) == pytest.approx(expected, rel=1e-12)


def test_a_rate_that_a_group_does_not_have_makes_the_value_undefined() -> None:
    negative = np.where(groups(SCORES) == 1, 0.0, LABELS)
    of = dataclasses.replace(rows(group=groups(SCORES)), labels=negative)
    for name in ("EqualOpportunityDifference", "EqualizedOddsRatio"):
        assert math.isnan(from_config(name, {"sensitive_features": "group"}).of(of))


def test_what_has_as_many_values_as_an_id_has_no_groups() -> None:
    metric = from_config("DemographicParityRatio", {"sensitive_features": "id"})
    labels = np.zeros(1200)
    many = Inputs(labels, labels, None, pa.record_batch({"id": np.arange(1200)}))
    with pytest.raises(benison.DataError, match="more than 1,000 values"):
        metric.of(many)


def test_a_misspelt_method_is_refused() -> None:
    with pytest.raises(
        benison.ConfigError, match="method must be one of between_groups, to_overall"
    ):
        from_config("DemographicParityRatio", {"sensitive_features": "g", "method": "worst"})
