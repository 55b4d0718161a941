# SPDX-License-Identifier: Apache-2.0
"""Models of several outputs: each has its labels, predictions, weights and thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from tests.component.test_models_files import FLOAT, node, onnx_model
from tests.conftest import taxi_like

TRIPS = taxi_like(400)
CLICKED = np.arange(400) % 2.0
BOUGHT = np.arange(400) % 3.0
WEIGHT = TRIPS["weight"].to_numpy()
TABLE = TRIPS.append_column("clicked", pa.array(CLICKED)).append_column("bought", pa.array(BOUGHT))
OLD = TRIPS["old_prediction"].to_numpy()

MODEL = {
    "label_keys": {"ctr": "clicked", "cvr": "bought"},
    "example_weight_keys": {"ctr": "weight"},
}


def asked(model: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metrics = [{"class_name": name} for name in ("MeanPrediction", "MeanLabel", "ExampleCount")]
    return {"model_specs": [model], "metrics_specs": [{"metrics": metrics, **spec}]}


def onnx_path(folder: Path) -> Path:
    nodes = [
        node("Neg", ["old_prediction"], ["ctr"]),
        node("Add", ["old_prediction", "hour"], ["cvr"]),
    ]
    shape = (FLOAT, ["n"])
    return onnx_model(
        folder / "m.onnx",
        nodes,
        {"old_prediction": shape, "hour": shape},
        {"ctr": shape, "cvr": shape},
    )


def keras_path(folder: Path) -> Path:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    keras = tensorflow().keras
    old, hour = keras.Input((1,), name="old_prediction"), keras.Input((1,), name="hour")
    minus = keras.layers.Rescaling(-1.0)(old)
    total = keras.layers.Add()([old, hour])
    keras.Model([old, hour], {"ctr": minus, "cvr": total}).save(folder / "m.keras")
    return folder / "m.keras"


def saved_model_path(folder: Path) -> Path:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    tf = tensorflow()
    spec = [tf.TensorSpec([None], tf.float32, name=n) for n in ("old_prediction", "hour")]
    both = tf.function(
        lambda old_prediction, hour: {"ctr": -old_prediction, "cvr": old_prediction + hour},
        input_signature=spec,
        autograph=False,
    )
    tf.saved_model.save(tf.Module(), str(folder / "saved"), signatures=both)
    return folder / "saved"


EXPECTED = {"ctr": -OLD, "cvr": OLD + TRIPS["hour"].to_numpy()}


@pytest.mark.parametrize(
    "make", [onnx_path, keras_path, saved_model_path], ids=lambda m: m.__name__
)
def test_each_output_of_a_model(make: Any, tmp_path: Path) -> None:
    result = benison.evaluate(TABLE, asked(MODEL), model=make(tmp_path))
    weighted = np.average(EXPECTED["ctr"], weights=WEIGHT)
    assert result.value("mean_prediction", output="ctr") == pytest.approx(weighted, rel=1e-5)
    assert result.value("mean_prediction", output="cvr") == pytest.approx(
        EXPECTED["cvr"].mean(), rel=1e-5
    )
    assert result.value("mean_label", output="cvr") == pytest.approx(BOUGHT.mean())
    assert result.value("mean_label", output="ctr") == pytest.approx(
        np.average(CLICKED, weights=WEIGHT)
    )


def test_data_with_predictions_of_each_output() -> None:
    table = TABLE.append_column("p1", pa.array(EXPECTED["ctr"])).append_column(
        "p2", pa.array(EXPECTED["cvr"])
    )
    model = {**MODEL, "prediction_keys": {"ctr": "p1", "cvr": "p2"}}
    result = benison.evaluate(table, asked(model))
    assert result.value("mean_prediction", output="cvr") == pytest.approx(EXPECTED["cvr"].mean())
    first = benison.evaluate(table, asked(model, output_names=["cvr"]))
    assert set(first.metrics["output"].to_pylist()) == {"cvr"}
    with pytest.raises(benison.ConfigError) as raised:
        benison.evaluate(table, asked({**model, "prediction_keys": {"ctr": "p1"}}))
    assert (
        "model_specs[0].prediction_keys.cvr: without a model, name the column that holds the "
        "predictions of the output 'cvr'." in str(raised.value)
    )


def test_one_label_for_all_outputs(tmp_path: Path) -> None:
    """What names outputs may be the metrics alone; a key that is one is for each of them."""
    model = {"label_key": "clicked", "example_weight_key": "weight"}
    path = onnx_path(tmp_path)
    result = benison.evaluate(TABLE, asked(model, output_names=["ctr", "cvr"]), model=path)
    for output in ("ctr", "cvr"):
        mean = np.average(CLICKED, weights=WEIGHT)
        assert result.value("mean_label", output=output) == pytest.approx(mean)
        mean = np.average(EXPECTED[output], weights=WEIGHT)
        assert result.value("mean_prediction", output=output) == pytest.approx(mean, rel=1e-5)


def test_outputs_called_otherwise_in_the_model(tmp_path: Path) -> None:
    renamed = {
        "label_keys": {"click": "clicked"},
        "prediction_keys": {"click": "ctr"},
    }
    result = benison.evaluate(TABLE, asked(renamed), model=onnx_path(tmp_path))
    assert result.value("mean_prediction", output="click") == pytest.approx(-OLD.mean(), rel=1e-5)
    wrong = {"label_keys": {"crt": "clicked"}}
    with pytest.raises(benison.ModelError, match="no output 'crt'. Did you mean"):
        benison.evaluate(TABLE, asked(wrong), model=onnx_path(tmp_path))


def test_an_output_without_labels_is_refused(tmp_path: Path) -> None:
    model = {"label_keys": {"ctr": "clicked"}, "prediction_keys": {"ctr": "ctr", "cvr": "cvr"}}
    with pytest.raises(benison.ConfigError) as raised:
        benison.evaluate(TABLE, asked(model), model=onnx_path(tmp_path))
    assert (
        "model_specs[0].label_keys.cvr: name the column that holds the labels of the output 'cvr'."
        in str(raised.value)
    )


def test_candidate_and_baseline_are_judged_by_output(tmp_path: Path) -> None:
    path = onnx_path(tmp_path)
    bound = {"value_threshold": {"lower_bound": 0.0}}
    metrics = [{"class_name": "MeanPrediction", "threshold": bound}]
    made = {"model_specs": [MODEL], "metrics_specs": [{"metrics": metrics}]}
    result = benison.evaluate(TABLE, made, model=path, baseline=path)
    assert result.value("mean_prediction_diff", output="cvr") == 0
    assert result.verdict.status == "not_blessed"
    failed = [check for check in result.verdict.checks if check.outcome == "fail"]
    assert [check.key.output for check in failed] == ["ctr"]


def test_fields_of_a_column_are_those_of_its_output() -> None:
    """Of two outputs that are structs, the one finds its box and the other none, in either order."""
    sides = ["left", "top", "right", "bottom", "class_id"]

    def boxes(*values: float) -> list[dict[str, list[float]]]:
        return [{name: [value] for name, value in zip([*sides, "score"], values, strict=False)}] * 4

    near, far = (0, 0, 10, 10, 1), (50, 50, 60, 60, 1)
    table = pa.table({"near": boxes(*near), "far": boxes(*far), "made": boxes(*near, 0.9)})
    stacks = {"labels_to_stack": sides, "predictions_to_stack": [*sides, "score"]}
    metric = {"class_name": "COCOAveragePrecision", "config": {"class_id": 1, "iou_threshold": 0.5}}
    metric["config"].update(stacks, name="ap")
    for labels in ({"a": "near", "b": "far"}, {"a": "far", "b": "near"}):
        spec = {"label_keys": labels, "prediction_keys": {"a": "made", "b": "made"}}
        metrics = [{"output_names": ["a", "b"], "metrics": [metric]}]
        result = benison.evaluate(table, {"model_specs": [spec], "metrics_specs": metrics})
        values = {labels[output]: result.value("ap", output=output) for output in "ab"}
        assert values == {"near": 1, "far": 0}
