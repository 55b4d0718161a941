# SPDX-License-Identifier: Apache-2.0
"""Benchmarks and residuals of predictions that are in the data, and the baseline as a benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

import benison
from benison.errors import ConfigError
from tests.test_probes import sound, trips

BESIDE = (
    *("better_than_prior", "better_than_majority", "better_than_linear"),
    {"name": "better_than_slice_mean", "features": ["company"]},
    {"name": "residuals_by_feature", "features": ["fare", "company"]},
    *("residuals_by_prediction", "residual_normality"),
    {"name": "residual_autocorrelation", "features": ["fare"]},
)


def asked(*probes: Any, **spec: Any) -> dict[str, Any]:
    return {
        "model_specs": [{"label_key": "tip", **spec}],
        "metrics_specs": [{"metrics": ["AUC", "MeanSquaredError"]}],
        "debugging": {"probes": [*probes]},
    }


def test_predictions_in_the_data_are_held_against_benchmarks_as_those_of_the_model() -> None:
    table = trips(6)
    scored = table.append_column("score", pa.array(sound(table.to_pandas())))
    of_model = benison.evaluate(table, asked(*BESIDE), model=sound).probes.to_pylist()
    in_data = benison.evaluate(scored, asked(*BESIDE, prediction_key="score")).probes.to_pylist()
    assert [row["sentence"] for row in in_data] == [row["sentence"] for row in of_model]
    assert not any(np.isnan(row["value"]) for row in in_data)
    with pytest.raises(ConfigError, match="better_than_prior"):
        benison.evaluate(scored, asked(*BESIDE, "noise_flips", prediction_key="score"))


@pytest.mark.parametrize(("bound", "status"), [(0.1, "blessed"), (0.4, "not_blessed")])
def test_the_baseline_is_a_benchmark_on_all_rows(bound: float, status: str) -> None:
    table = trips(6)
    probe = {"name": "better_than_baseline", "metric": "auc", "at_least": bound}
    config = asked(probe)
    config["model_specs"] = [
        {"name": "new", "label_key": "tip"},
        {"name": "old", "label_key": "tip", "is_baseline": True},
    ]
    config["debugging"]["rows"] = 20
    config["options"] = {"confidence": {"level": 0.95}}
    result = benison.evaluate(table, config, model=sound, baseline=lambda frame: frame["fare"])
    (row,) = result.probes.to_pylist()
    labels = table["tip"].to_numpy()
    own = roc_auc_score(labels, sound(table.to_pandas()))
    gain = own - roc_auc_score(labels, table["fare"].to_numpy())
    assert row["value"] == pytest.approx(gain)
    assert row["lower"] < gain < row["upper"]
    assert (row["rows"], result.verdict.status) == (table.num_rows, status)


def test_what_is_undefined_of_a_model_is_said_to_be_that() -> None:
    table = trips(6).append_column("p", pa.array([np.nan, *np.ones(trips(6).num_rows - 1)]))
    config = asked({"name": "better_than_baseline", "metric": "auc", "at_least": 0})
    config["model_specs"] = [
        {"name": "new", "label_key": "tip", "prediction_key": "p"},
        {"name": "old", "label_key": "tip", "prediction_key": "fare", "is_baseline": True},
    ]
    result = benison.evaluate(table, config)
    (row,) = result.probes.to_pylist()
    assert (row["outcome"], result.verdict.status) == ("not_evaluated", "not_evaluated")
    assert "auc is undefined of the model or of the baseline" in row["sentence"]


@pytest.mark.parametrize("bound", [{"at_least": 2}, {"at_most": -1.5}])
def test_bounds_that_no_gain_reaches_are_refused(bound: dict[str, float]) -> None:
    probe = {"name": "better_than_prior", "metric": "auc", **bound}
    with pytest.raises(ConfigError, match="two values are never more than 1 apart"):
        benison.evaluate(trips(6), asked(probe), model=sound)


def test_a_first_model_passes_without_a_baseline() -> None:
    probe = {"name": "better_than_baseline", "at_least": 0}
    result = benison.evaluate(trips(6), asked(probe), model=sound)
    (check,) = result.verdict.checks
    assert (check.outcome, result.verdict.status) == ("rubber_stamped", "blessed")
    assert result.verdict.rubber_stamped
