# SPDX-License-Identifier: Apache-2.0
"""Preprocessing functions: labels, weights and slices that a model or a graph makes."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison import models
from tests.conftest import taxi_like
from tests.test_cli import write_tfrecord

ROOT = Path(__file__).resolve().parents[2]
TRIPS = taxi_like(300)
HOURS = TRIPS["hour"].to_numpy()
LABELS = TRIPS["label"].to_numpy()
TAGS = [sorted(set(tags)) for tags in TRIPS["tags"].to_pylist()]


@pytest.fixture(scope="module")
def tf() -> Any:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    return tensorflow()


@pytest.fixture(scope="module")
def saved(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with functions as signatures (of examples, of columns) and as attributes."""
    hour = tf.TensorSpec([None], tf.int64, name="hour")
    label = tf.TensorSpec([None], tf.float32, name="label")
    examples = tf.TensorSpec([None], tf.string, name="examples")
    tags = tf.SparseTensorSpec([None, None], tf.string)
    parsing = {
        "hour": tf.io.FixedLenFeature([], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.float32),
    }

    def function(signature: list[Any]) -> Any:
        return lambda body: tf.function(body, input_signature=signature, autograph=False)

    def xf(hour: Any, label: Any) -> dict[str, Any]:
        half = tf.where(hour < 12, "am", "pm")
        return {
            "label_xf": label * 10,
            "half": half,
            "weight_xf": tf.cast(hour, tf.float32)[:, None],
        }

    @function([{"tags": tags, "hour": hour}])
    def tft_layer(features: Any) -> dict[str, Any]:
        loud = tf.strings.upper(features["tags"].values)
        return {
            "tags": tf.SparseTensor(features["tags"].indices, loud, features["tags"].dense_shape),
            "day": features["hour"] // 24,
        }

    @function([examples])
    def transform_features(examples: Any) -> dict[str, Any]:
        return xf(**tf.io.parse_example(examples, parsing))

    module = tf.Module()
    module.tft_layer = tft_layer
    module.inner = tf.Module()
    module.inner.__call__ = tft_layer
    signatures = {
        "serving_default": function([hour])(lambda hour: {"p": tf.cast(hour, tf.float32) / 24}),
        "transform_features": transform_features,
        "of_columns": function([hour, label])(xf),
        "transformed_labels": function([label])(lambda label: {"label": 1 - label}),
    }
    path = tmp_path_factory.mktemp("models") / "saved"
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


def asked(*names: str, slices: Any = ({},), **model: Any) -> dict[str, Any]:
    spec = {"label_key": "label_xf", "preprocessing_function_names": list(names), **model}
    metrics = [{"class_name": name} for name in ("ExampleCount", "MeanLabel", "MeanPrediction")]
    return {
        "model_specs": [spec],
        "slicing_specs": list(slices),
        "metrics_specs": [{"metrics": metrics}],
    }


HALVES = ({}, {"feature_keys": ["half"]})


def check(result: benison.EvalResult) -> None:
    weights = HOURS.astype(float)
    mean = np.average(LABELS * 10, weights=weights)
    assert result.value("mean_label") == pytest.approx(mean, rel=1e-6)
    assert result.value("example_count", slice={"half": "am"}) == HOURS[HOURS < 12].sum()
    late = HOURS >= 12
    mean = np.average(HOURS[late] / 24, weights=weights[late])
    assert result.value("mean_prediction", slice={"half": "pm"}) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("name", ["transform_features", "of_columns"])
@pytest.mark.parametrize("form", ["table", "tfrecord"])
def test_labels_weights_and_slices_of_a_signature(
    saved: Path, tmp_path: Path, name: str, form: str
) -> None:
    pytest.importorskip("tfx_bsl")
    made = asked(name, slices=HALVES, example_weight_key="weight_xf")
    examples: Any = TRIPS.select(["hour", "label"])
    if form == "tfrecord":
        write_tfrecord(str(tmp_path / "eval.tfrecord.gz"), TRIPS)
        examples = str(tmp_path)
    check(benison.evaluate(examples, made, model=saved))


def test_on_beam(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("apache_beam")
    pq.write_table(TRIPS.select(["hour", "label"]), tmp_path / "eval.parquet")
    made = asked("of_columns", slices=HALVES, example_weight_key="weight_xf")
    options = {"engine": "beam", "engine_options": ["--runner=FnApiRunner"]}
    check(benison.evaluate(str(tmp_path / "eval.parquet"), made, model=saved, **options))


@pytest.mark.parametrize("name", ["tft_layer", "inner"])
def test_an_attribute_of_dense_and_sparse_features(saved: Path, name: str) -> None:
    """What it makes comes before what is in the data; what is sparse is not padded."""
    made = asked(
        name, slices=({"feature_keys": ["tags"]}, {"feature_keys": ["day"]}), label_key="label"
    )
    result = benison.evaluate(TRIPS, made, model=saved)
    for tag in ("t0", "t1", "t2"):
        rows = sum(tag in tags for tags in TAGS)
        assert result.value("example_count", slice={"tags": tag.upper()}) == rows
    assert result.value("example_count", slice={"day": 0}) == 300
    slices = {text for text in result.metrics["slice"].to_pylist() if "tags" in text}
    assert len(slices) == 3


def test_functions_of_usual_names_run_unasked(saved: Path) -> None:
    result = benison.evaluate(TRIPS, asked(label_key="label"), model=saved)
    assert result.value("mean_label") == pytest.approx(1 - LABELS.mean(), rel=1e-6)


def test_results_do_not_depend_on_the_calls(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benison.models import preprocessing as functions

    batch = TRIPS.combine_chunks().to_batches()[0]
    predictor = models.load(saved)

    def made(rows: int) -> dict[str, pa.Array]:
        monkeypatch.setattr(functions, "CALL_ROWS", rows)
        (function,) = models.functions_of(predictor, ["tft_layer"])
        return function.transform(batch, None)

    assert made(7) == made(1000)


def write_graph(folder: str) -> None:
    """Write a transform graph, with what it made of the trips beside it."""
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

    spec = {
        "hour": tf.io.FixedLenFeature([], tf.int64),
        "tags": tf.io.VarLenFeature(tf.string),
        "label": tf.io.FixedLenFeature([], tf.float32),
    }

    def preprocessing(raw: Any) -> dict[str, Any]:
        return {
            "label_xf": raw["label"] * 10 + tft.min(tf.cast(raw["hour"], tf.float32)),
            "tag": tft.compute_and_apply_vocabulary(raw["tags"]),
        }

    rows = TRIPS.select(["hour", "tags", "label"]).to_pylist()
    rows = [{**row, "tags": [tag.encode() for tag in row["tags"]]} for row in rows]
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with tft_beam.Context(f"{folder}/work"):
        (made, _), graph = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(preprocessing)
        _ = graph | tft_beam.WriteTransformFn(f"{folder}/graph")
    tags = [row["tag"].tolist() for row in made]
    Path(f"{folder}/made.json").write_text(json.dumps(tags), encoding="utf-8")


def test_transform_graph(tf: Any, tmp_path: Path, saved: Path) -> None:
    """The directory that TensorFlow Transform writes is read without TensorFlow Transform."""
    if find_spec("tensorflow_transform") is None:
        pytest.skip("needs tensorflow-transform")
    # In a process of its own: TFX leaves behind in Beam what cannot be pickled.
    program = f"from {__name__} import write_graph; write_graph({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    before = set(sys.modules)
    graph = str(tmp_path / "graph")
    result = benison.evaluate(
        TRIPS, asked(graph, slices=({}, {"feature_keys": ["tag"]})), model=saved
    )
    assert result.value("mean_label") == pytest.approx(LABELS.mean() * 10, rel=1e-6)
    made = json.loads((tmp_path / "made.json").read_text())
    for location in (0, 1, 2):
        rows = sum(location in tags for tags in made)
        assert result.value("example_count", slice={"tag": location}) == rows
    imported = set(sys.modules) - before
    assert not [name for name in imported if name.startswith("tensorflow_transform")]
    given = asked(f"{graph}/transform_fn", prediction_key="old_prediction")
    alone = benison.evaluate(TRIPS, given)
    assert alone.value("mean_label") == pytest.approx(LABELS.mean() * 10, rel=1e-6)


def test_what_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(benison.ModelError, match="'of_column' .* Did you mean 'of_columns'"):
        benison.evaluate(TRIPS, asked("of_column"), model=saved)
    with pytest.raises(
        benison.ModelError,
        match="There is no model at .*none",
    ):
        benison.evaluate(TRIPS, asked(f"{tmp_path}/none"), model=saved)
    with pytest.raises(
        benison.DataError, match="the data has no column 'label_fx'. Did you mean 'label_xf'"
    ):
        benison.evaluate(TRIPS, asked("of_columns", label_key="label_fx"), model=saved)
    with pytest.raises(benison.DataError, match="no column 'halv'. Did you mean 'half'"):
        benison.evaluate(
            TRIPS, asked("of_columns", slices=({"feature_keys": ["halv"]},)), model=saved
        )
    with pytest.raises(benison.DataError, match="no column 'label'"):
        benison.evaluate(TRIPS.drop_columns(["label"]), asked("of_columns"), model=saved)
    with pytest.raises(
        benison.ConfigError, match="'of_columns' is a function of a model, and there is none"
    ):
        benison.evaluate(TRIPS, asked("of_columns", prediction_key="prediction"))


WORDS = ["Test foo, Bar; test!", "", " app\tdog  app", "one", "É ne-e"]


def test_a_function_of_a_column_makes_the_words_that_tensorflow_does(tf: Any) -> None:
    import re
    import string

    # As TFMA writes it.
    plain = tf.strings.regex_replace(
        tf.strings.lower(WORDS), f"[{re.escape(string.punctuation)}]", ""
    )
    tokens = tf.map_fn(lambda words: tf.unique(words)[0], tf.strings.split(plain))
    expected = [[word.decode() for word in row] for row in tokens.to_list()]
    (function,) = models.functions_of(None, ["whitespace_tokenization@text"])
    made = function.transform(pa.record_batch({"text": WORDS}), None)
    assert made["whitespace_tokenization"].to_pylist() == expected


def test_slices_are_made_of_the_words_of_a_column() -> None:
    rows = {"text": ["Late, late!", "On time", None], "label": [1.0, 0, 1], "prediction": [0.9] * 3}
    slices = [{"feature_keys": ["whitespace_tokenization"]}]
    made = asked("whitespace_tokenization@text", slices=slices, prediction_key="prediction")
    made["model_specs"][0]["label_key"] = "label"
    result = benison.evaluate(pa.table(rows), made)
    counted = result.metrics.filter(pa.compute.equal(result.metrics["metric"], "example_count"))
    names = [name.rpartition("=")[2] for name in counted["slice"].to_pylist()]
    assert dict(zip(names, counted["value"].to_pylist(), strict=True)) == {
        "late": 1,
        "on": 1,
        "time": 1,
    }
