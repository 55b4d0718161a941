# SPDX-License-Identifier: Apache-2.0
"""Metrics that users have written for Keras, with the numbers of TFMA's tf_metric_wrapper_test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison

pytest.importorskip("tf_keras")

MODULE = """
import numpy as np
import {package} as keras

class CustomMean(keras.metrics.Mean):
    '''Mean of the predictions.'''
    def __init__(self, name="custom", dtype=None, update_y_pred=True):
        super().__init__(name=name, dtype=dtype)
        self.update_y_pred = update_y_pred
    def update_state(self, y_true, y_pred, sample_weight):
        seen = y_pred if self.update_y_pred else y_true
        return super().update_state(seen, sample_weight=sample_weight)

class CustomPrecision(keras.metrics.Precision):
    def __init__(self, name="custom", dtype=None):
        super().__init__(name=name, dtype=dtype)
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred, sample_weight=sample_weight)

class CustomError(keras.metrics.MeanSquaredError):
    def result(self):
        mse = super().result()
        return {{"mse": mse, "one_minus_mse": 1 - mse}}

class Largest(keras.metrics.Metric):
    def __init__(self, name="largest", **more):
        super().__init__(name=name, **more)
        self.most = self.add_weight(name="most", initializer="zeros")
    def update_state(self, y_true, y_pred):
        self.most.assign(max(float(self.most), float(np.max(y_pred))))
    def result(self):
        return self.most

class CustomLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return (y_true - y_pred) ** 2
"""
ROWS = {"label": [0.0, 0.0, 1.0, 1.0], "prediction": [0.0, 0.5, 0.3, 0.9]}


@pytest.fixture(scope="module", params=["tf_keras", "keras"])
def module(request: pytest.FixtureRequest, tmp_path_factory: Any) -> tuple[str, Path]:
    name, folder = f"own_{request.param}", tmp_path_factory.mktemp("metrics")
    (folder / f"{name}.py").write_text(MODULE.format(package=request.param))
    return name, folder


def values(
    module: tuple[str, Path], class_name: str, columns: Any = ROWS, **config: Any
) -> dict[str, float]:
    name, folder = module
    model = {"label_key": "label", "prediction_key": "prediction"}
    if "weight" in columns:
        model["example_weight_key"] = "weight"
    metric = {"class_name": class_name, "module": name, "config": config}
    made = {"model_specs": [model], "metrics_specs": [{"metrics": [metric]}]}
    result = benison.evaluate(pa.table(columns), made, module_path=folder).metrics
    return dict(zip(result["metric"].to_pylist(), result["value"].to_pylist(), strict=True))


def test_values_of_tfmas_tests(module: Any) -> None:
    three = {"label": [0.0] * 3, "prediction": [0.2, 0.8, 0.5], "weight": [1.0, 1.0, 2.0]}
    assert values(module, "CustomMean", three) == pytest.approx({"custom": 2 / 4})
    of_labels = values(module, "CustomMean", ROWS | {"weight": [1.0, 1, 1, 0]}, update_y_pred=False)
    assert of_labels == pytest.approx({"custom": 1 / 3})
    two = {"label": [0.0, 1.0], "prediction": [0.7, 0.8]}
    assert values(module, "CustomPrecision", two) == pytest.approx({"custom": 1 / 2})
    error = values(module, "CustomError", name="mse")
    assert error == pytest.approx({"mse/mse": 0.1875, "mse/one_minus_mse": 0.8125})
    assert values(module, "CustomLoss", name="loss") == pytest.approx({"loss": 0.1875})


def test_what_does_not_add_up_sees_the_rows_of_each_slice(module: Any) -> None:
    """Sums of the variables of two row groups would be 0.9 and 0.5 together."""
    assert values(module, "Largest") == pytest.approx({"largest": 0.9})
    assert np.isnan(values(module, "Largest", limit=3)["largest"])
