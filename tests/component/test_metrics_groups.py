# SPDX-License-Identifier: Apache-2.0
"""Metrics of two models, of queries, and class names that stand for several metrics, evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.errors import ConfigError
from benison.metrics import groups
from benison.results.result import metric_info
from benison.testing import example_config
from tests.conftest import config, taxi_like

TRIPS = taxi_like(500).append_column(
    "query", pa.array([f"q{i % 7 if i % 3 else 0}" for i in range(500)])
)
NEW, OLD, WEIGHT = (TRIPS[name].to_numpy() for name in ("prediction", "old_prediction", "weight"))
BASELINE = {
    "model_specs": [
        {"name": "new", "label_key": "label", "prediction_key": "prediction"},
        {
            "name": "old",
            "label_key": "label",
            "prediction_key": "old_prediction",
            "is_baseline": True,
        },
    ]
}


def evaluated(*metrics: Any, **more: Any) -> benison.EvalResult:
    return benison.evaluate(TRIPS, config(*metrics, **more) | BASELINE)


def test_decisions_that_changed_from_the_baseline() -> None:
    result = evaluated("BooleanFlipRates", slices=({}, {"feature_keys": ["hour"]}))
    p, q = NEW > 0.5, OLD > 0.5
    expected = {
        "flip_rate": (p != q).mean(),
        "neg_to_neg_flip_rate": (~p & ~q).mean(),
        "neg_to_pos_flip_rate": (p & ~q).mean(),
        "pos_to_neg_flip_rate": (~p & q).mean(),
        "pos_to_pos_flip_rate": (p & q).mean(),
    }
    assert {name: result.value(name) for name in expected} == pytest.approx(expected)
    five = TRIPS["hour"].to_numpy() == 5
    assert result.value("flip_rate", {"hour": 5}) == pytest.approx((p != q)[five].mean())
    assert set(result.metrics["model"].to_pylist()) == {"new"}


def test_a_threshold_holds_for_a_comparison_of_models() -> None:
    bound = {"value_threshold": {"upper_bound": 0.01}}
    result = evaluated({"class_name": "SymmetricFlipRate", "threshold": bound})
    assert result.verdict.status == "not_blessed"


def test_without_a_baseline_nothing_is_compared_and_nothing_blessed() -> None:
    bound = {"value_threshold": {"upper_bound": 1.0}}
    metric = {"class_name": "SymmetricFlipRate", "threshold": bound}
    result = benison.evaluate(TRIPS, config(metric, "ExampleCount"))
    assert result.metric_names() == ["example_count"]
    assert result.verdict.status == "not_evaluated"
    checks = [check.reason for check in result.verdict.checks]
    assert any("There is no baseline for symmetric_flip_rate" in r for r in checks)


def test_a_change_threshold_of_tfma_on_a_comparison_of_models_is_on_its_value() -> None:
    """What is a change by itself has no other: TFMA takes the bound for it, and drops it without a baseline."""
    limit = {"direction": "LOWER_IS_BETTER", "absolute": 0.01}
    metric = {"class_name": "SymmetricFlipRate", "threshold": {"change_threshold": limit}}
    assert evaluated(metric).verdict.status == "not_blessed"
    passing = {**metric, "threshold": {"change_threshold": {**limit, "absolute": 1.0}}}
    assert evaluated(passing).verdict.blessed
    first = benison.evaluate(TRIPS, config(metric, "ExampleCount")).verdict
    assert first.blessed
    assert first.rubber_stamped
    relative = {"direction": "LOWER_IS_BETTER", "relative": 0.01}
    with pytest.raises(ConfigError, match="no relative change; give absolute in its place"):
        evaluated({**metric, "threshold": {"change_threshold": relative}})


def test_classes_are_compared_one_by_one() -> None:
    scores = np.random.default_rng(1).dirichlet(np.ones(3), (2, 100))
    table = pa.table(
        {
            "label": np.arange(100) % 3,
            "prediction": scores[0].tolist(),
            "old_prediction": scores[1].tolist(),
        }
    )
    spec = {"binarize": {"class_ids": [2]}}
    result = benison.evaluate(table, config("SymmetricFlipRate", spec=spec) | BASELINE)
    expected = ((scores[0, :, 2] > 0.5) != (scores[1, :, 2] > 0.5)).mean()
    assert result.metrics["value"].to_pylist() == pytest.approx([expected])


def test_the_rates_of_fairness_indicators() -> None:
    metric = {"class_name": "FairnessIndicators", "config": {"thresholds": [0.3, 0.5]}}
    result = benison.evaluate(TRIPS, config(metric))
    assert len(result.metric_names()) == 2 * len(groups.RATES)
    name = "fairness_indicators_metrics/positive_rate@0.3"
    assert result.value(name) == pytest.approx((NEW > 0.3).mean())
    assert metric_info([result])[name].sentence == "Share of what is predicted positive."


def test_the_number_of_queries_and_of_their_rows() -> None:
    result = benison.evaluate(TRIPS, config("QueryStatistics", spec={"query_key": "query"}))
    _, counts = np.unique(TRIPS["query"].to_numpy(), return_counts=True)
    expected = [len(counts), counts.sum(), counts.min(), counts.max()]
    names = ["total_queries", "total_documents", "min_documents", "max_documents"]
    assert [result.value(name) for name in names] == expected


@pytest.mark.parametrize("name", groups.GROUPS)
def test_parameters_of_a_group_are_checked(name: str) -> None:
    given = {**example_config(name), "treshold": 1}
    with pytest.raises(benison.ConfigError, match=f"{name} has no parameter 'treshold'"):
        benison.evaluate(TRIPS, config({"class_name": name, "config": given}))
