# SPDX-License-Identifier: Apache-2.0
"""Configs that cannot mean what they say are refused, and those that hardly do are spoken of."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

import benison

DATA = pa.table({"y": [1, 0, 1, 0], "p": [0.9, 0.2, 0.4, 0.6], "q": [0.9, 0.1, 0.8, 0.2]})


def config(*models: dict[str, Any], threshold: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metrics = [{"class_name": "AUC", "threshold": threshold}]
    specs = [{"label_key": "y", "prediction_key": "p", **model} for model in models or ({},)]
    return {"model_specs": specs, "metrics_specs": [{"metrics": metrics, **spec}]}


def said(document: dict[str, Any], caplog: pytest.LogCaptureFixture) -> str:
    benison.evaluate(DATA, document)
    return caplog.text


@pytest.mark.parametrize(
    "threshold",
    [
        {"value_threshold": {"lower_bound": -math.inf}},
        {"value_threshold": {"upper_bound": math.inf}},
        {"value_threshold": {"lower_bound": "-1e400"}},
        {"change_threshold": {"absolute": -math.inf, "direction": "HIGHER_IS_BETTER"}},
        {"change_threshold": {"relative": math.inf, "direction": "LOWER_IS_BETTER"}},
    ],
)
def test_an_infinite_bound_is_refused(threshold: dict[str, Any]) -> None:
    with pytest.raises(benison.ConfigError, match="infinite"):
        benison.EvalConfig.load(config(threshold=threshold))


def test_a_bound_on_one_side_may_be_written_with_an_infinite_other() -> None:
    bounds = {"lower_bound": 0.5, "upper_bound": math.inf}
    assert benison.evaluate(DATA, config(threshold={"value_threshold": bounds})).verdict.blessed


@pytest.mark.parametrize("weights", [{"0": -1, "1": 1.2}, {"0": 0, "1": 0}])
def test_weights_of_classes_that_make_no_mean_are_refused(weights: dict[str, float]) -> None:
    aggregate = {"macro_average": True, "class_weights": weights}
    bounds = {"value_threshold": {"lower_bound": 0.5}}
    with pytest.raises(benison.ConfigError, match="class_weights"):
        benison.EvalConfig.load(config(threshold=bounds, aggregate=aggregate))


def test_a_direction_against_the_metrics_own_is_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    models = {"name": "new"}, {"name": "old", "prediction_key": "q", "is_baseline": True}
    for direction, bound in (("LOWER_IS_BETTER", 1), ("HIGHER_IS_BETTER", -1)):
        caplog.clear()
        bounds = {"change_threshold": {"absolute": bound, "direction": direction}}
        words = said(config(*models, threshold=bounds), caplog)
        assert ("a model that became worse passes it" in words) == (bound == 1)


def test_labels_as_predictions_are_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    bounds = {"value_threshold": {"lower_bound": 0.5}}
    document = config({"prediction_key": "y"}, threshold=bounds)
    assert "'y' is read as label and as prediction" in said(document, caplog)


def test_two_models_of_one_column_are_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    bounds = {"change_threshold": {"absolute": -0.1, "direction": "HIGHER_IS_BETTER"}}
    models = {"name": "new"}, {"name": "old", "is_baseline": True}
    assert "are read from one column, 'p'" in said(config(*models, threshold=bounds), caplog)


@pytest.mark.parametrize("of", [["a"], ["a", "b"], []])
def test_a_candidate_without_thresholds_is_spoken_of(
    of: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    made = config({"name": "a"}, {"name": "b"}, threshold={"value_threshold": {"lower_bound": 0}})
    made["metrics_specs"][0]["model_names"] = of
    made["metrics_specs"].append({"metrics": [{"class_name": "MeanPrediction"}]})
    sentence = "No threshold is on the model b, so the verdict says nothing of it."
    assert (sentence in said(made, caplog)) == (of == ["a"])
