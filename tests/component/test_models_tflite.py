# SPDX-License-Identifier: Apache-2.0
"""TFLite models, converted here, against what the interpreter itself answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison import models
from tests.conftest import config, taxi_like

TRIPS = taxi_like(300)
HOURS = TRIPS["hour"].to_numpy()
OLD = TRIPS["old_prediction"].to_numpy()


@pytest.fixture(scope="module")
def tf() -> Any:
    pytest.importorskip("tensorflow")
    pytest.importorskip("ai_edge_litert")
    from benison.models.savedmodel import tensorflow

    return tensorflow()


def convert(tf: Any, path: Path, rows: int | None = None, samples: Any = None) -> Path:
    """A model of two inputs and two outputs; quantized where there are samples to see their range."""
    hour = tf.TensorSpec([rows], tf.int64, name="hour")
    old = tf.TensorSpec([rows, 1], tf.float32, name="old_prediction")
    module = tf.Module()

    @tf.function(input_signature=[hour, old], autograph=False)
    def score(hour: Any, old_prediction: Any) -> dict[str, Any]:
        hours = tf.cast(hour, tf.float32)[:, None]
        return {"sum": hours + old_prediction, "double": old_prediction * 2}

    @tf.function(input_signature=[old], autograph=False)
    def double(old_prediction: Any) -> dict[str, Any]:
        return {"double": tf.matmul(old_prediction, tf.constant([[2.0]]))}

    chosen = double if samples is not None else score
    tf.saved_model.save(module, str(path.parent / "saved"), signatures=chosen)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(path.parent / "saved"))
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: [{"old_prediction": s} for s in samples]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    return path


def mean(path: Path, table: pa.Table = TRIPS, **model: Any) -> float:
    asked = {**config("MeanPrediction"), "model_specs": [{"label_key": "label", **model}]}
    value = benison.evaluate(table, asked, model=path).value("mean_prediction")
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize("rows", [None, 1, 7])
def test_signature(tf: Any, tmp_path: Path, rows: int | None) -> None:
    path = convert(tf, tmp_path / "model.tflite", rows)
    old = OLD.astype(np.float32).astype(float)
    assert mean(path, prediction_key="sum") == pytest.approx(np.mean(HOURS + old), rel=1e-6)
    assert mean(path, prediction_key="double") == pytest.approx(2 * old.mean(), rel=1e-6)
    assert models.load(path).columns == ("hour", "old_prediction")


def test_tfmas_place_for_it(tf: Any, tmp_path: Path) -> None:
    convert(tf, tmp_path / "a.tflite").rename(tmp_path / "tflite")
    actual = mean(tmp_path, model_type="tf_lite", prediction_key="double")
    assert actual == pytest.approx(2 * OLD.mean(), rel=1e-6)


@pytest.mark.filterwarnings(r"ignore:\s+Warning. tf.lite.Interpreter is deprecated:UserWarning")
def test_quantized(tf: Any, tmp_path: Path) -> None:
    samples = [np.array([[v]], np.float32) for v in np.linspace(0, 1, 50)]
    path = convert(tf, tmp_path / "model.tflite", samples=samples)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    runner = interpreter.get_signature_runner()
    taken = runner.get_input_details()["old_prediction"]
    given = runner.get_output_details()["double"]
    assert taken["dtype"] == np.int8
    scale, zero = taken["quantization"]
    steps = np.clip(np.rint(OLD / scale) + zero, -128, 127).astype(np.int8)
    answer = runner(old_prediction=steps[:, None])["double"].astype(float)
    expected = (answer - given["quantization"][1]) * given["quantization"][0]
    assert mean(path) == pytest.approx(expected.mean(), rel=1e-5)
    assert mean(path) == pytest.approx(2 * OLD.mean(), rel=0.02)


def test_without_signatures_and_with_tensorflows_own_interpreter(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = convert(tf, tmp_path / "model.tflite")
    expected = mean(path, prediction_key="sum")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert mean(path, prediction_key="sum") == expected
    from benison.models import tflite

    made = tflite._interpreters()

    class Older(made):  # type: ignore[misc, valid-type]
        def get_signature_list(self) -> dict[str, Any]:
            return {}

    monkeypatch.setattr(tflite, "_interpreters", lambda: Older)
    outputs = models.load(path).predict(TRIPS.combine_chunks().to_batches()[0], None)
    sums = [values for values in outputs.values() if values.mean() == pytest.approx(expected)]
    assert len(outputs) == 2
    assert len(sums) == 1


def test_what_tflite_refuses(tf: Any, tmp_path: Path) -> None:
    path = convert(tf, tmp_path / "model.tflite")
    with pytest.raises(
        benison.ModelError, match=r"has the signatures serving_default, but no .*'other'"
    ):
        models.load(path, "other")
    text = TRIPS.drop_columns(["hour"]).append_column("hour", pa.array(["a"] * 300))
    with pytest.raises(
        benison.DataError, match="'hour' is string in the data, and the model takes int64"
    ):
        mean(path, text, prediction_key="sum")
    (tmp_path / "bad.tflite").write_bytes(b"junk")
    with pytest.raises(
        benison.ModelError, match=r"The TFLite model .*bad.tflite cannot be loaded: \S"
    ):
        models.load(tmp_path / "bad.tflite")
