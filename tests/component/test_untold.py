# SPDX-License-Identifier: Apache-2.0
"""What a gate says where a sample cannot tell, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison

RNG = np.random.default_rng(0)
LABELS = (RNG.random(400) < 0.4).astype(np.float64)
SCORES = np.clip(0.3 * LABELS + 0.7 * RNG.random(400), 0, 1)
OTHERS = np.clip(0.2 * LABELS + 0.8 * RNG.random(400), 0, 1)


def evaluated(
    name: str, data: dict[str, Any], allowed: float = 0.001, **model: str
) -> benison.EvalResult:
    """With a gate on the change of one metric, which asks for evidence."""
    change = {"absolute": -allowed, "direction": "HIGHER_IS_BETTER"}
    threshold = {"change_threshold": change, "evidence": "worse"}
    models = [
        {"name": "new", "label_key": "y", "prediction_key": "p", **model},
        {"name": "old", "is_baseline": True, "label_key": "y", "prediction_key": "q", **model},
    ]
    config = {
        "model_specs": models,
        "metrics_specs": [{"metrics": [{"class_name": name, "threshold": threshold}]}],
        "options": {"confidence": {"level": 0.95}},
    }
    return benison.evaluate(pa.table({"y": LABELS, "p": SCORES, "q": OTHERS} | data), config)


@pytest.mark.parametrize("name", ["AUC", "BinaryAccuracy", "F1Score", "MeanPrediction"])
@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_weights_without_squares_have_no_interval_and_bless_nothing(name: str, size: float) -> None:
    weights = {"w": size * (1 + RNG.random(400))}
    result = evaluated(name, weights, example_weight_key="w")
    (check,) = result.verdict.checks
    assert (check.outcome, result.verdict.status) == ("not_evaluated", "not_evaluated")
    assert "so large or small that their squares are no numbers" in check.reason
    assert set(result.metrics["interval_method"].to_pylist()) == {"overflow"}
    assert np.isnan(result.metrics["lower"].to_numpy()).all()


def test_values_without_fourth_powers_have_no_interval_and_bless_nothing() -> None:
    large = {"y": LABELS * 1e80, "p": SCORES * 1e80, "q": OTHERS * 1e80}
    result = evaluated("MeanSquaredError", large)
    (check,) = result.verdict.checks
    assert check.outcome == "not_evaluated"
    assert "so large or small that their squares are no numbers" in check.reason


def test_what_is_at_the_bound_is_not_said_to_need_a_number_of_rows() -> None:
    change = evaluated("MeanPrediction", {}).value("mean_prediction", model="new")
    old = evaluated("MeanPrediction", {}).value("mean_prediction", model="old")
    allowed = old - change + 1e-5  # a distance from the bound that is one of chance
    (check,) = evaluated("MeanPrediction", {}, allowed).verdict.checks
    assert (check.outcome, check.needed_examples) == ("undecided", None)
    assert check.reason.endswith("and it is so near the bound that more may not either.")
