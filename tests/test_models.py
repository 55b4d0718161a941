# SPDX-License-Identifier: Apache-2.0
"""Evaluations with real models: TensorFlow, Keras and scikit-learn, against their own predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison import models
from tests.conftest import config
from tests.test_cli import write_tfrecord

METRICS = ("ExampleCount", "AUC", "MeanPrediction")


def made(**model: Any) -> dict[str, Any]:
    named = config(*METRICS, slices=({}, {"feature_keys": ["hour"]}))
    return {**named, "model_specs": [{"label_key": "label", **model}]}


@pytest.fixture(scope="module")
def tf() -> Any:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    return tensorflow()


@pytest.fixture(scope="module")
def saved_model(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores hour / 24: by name, by serialized tf.Example, and with two outputs."""
    module = tf.Module()
    number = tf.TensorSpec([None], tf.int64, name="hour")
    text = tf.TensorSpec([None], tf.string, name="examples")
    spec = {"hour": tf.io.FixedLenFeature([], tf.int64)}

    def score(hour: Any) -> Any:
        return tf.cast(hour, tf.float32)[:, None] / 24

    by_name = tf.function(lambda hour: {"probabilities": score(hour)}, input_signature=[number])
    serialized = tf.function(
        lambda examples: {"probabilities": score(tf.io.parse_example(examples, spec)["hour"])},
        input_signature=[text],
    )
    two = tf.function(
        lambda hour: {"a": score(hour), "b": 1 - score(hour)}, input_signature=[number]
    )
    path = tmp_path_factory.mktemp("models") / "saved"
    signatures = {"serving_default": by_name, "serialized": serialized, "two": two}
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


def test_named_features(saved_model: Path, trips: pa.Table) -> None:
    result = benison.evaluate(trips, made(), model=saved_model)
    hours = trips["hour"].to_numpy()
    assert result.value("mean_prediction") == pytest.approx(hours.mean() / 24, rel=1e-6)
    assert result.value("mean_prediction", slice={"hour": 6}) == pytest.approx(0.25, rel=1e-6)
    assert result.manifest["models"][0]["digest"]


def test_serialized_examples(saved_model: Path, trips: pa.Table, tmp_path: Path) -> None:
    write_tfrecord(str(tmp_path / "eval.tfrecord.gz"), trips)
    result = benison.evaluate(str(tmp_path), made(signature_name="serialized"), model=saved_model)
    expected = benison.evaluate(trips, made(), model=saved_model)
    assert result.value("auc") == expected.value("auc")
    encoded = benison.evaluate(trips, made(signature_name="serialized"), model=saved_model)
    assert encoded.value("auc") == expected.value("auc")


def test_candidate_and_baseline_in_one_pass_on_both_engines(
    saved_model: Path, trips: pa.Table, tmp_path: Path
) -> None:
    pq.write_table(trips, tmp_path / "eval.parquet")
    both = {"model": saved_model, "baseline": saved_model}
    local = benison.evaluate(tmp_path / "eval.parquet", made(), **both)
    beam = benison.evaluate(
        tmp_path / "eval.parquet",
        made(),
        **both,
        engine="beam",
        engine_options=["--runner=FnApiRunner"],
    )
    assert local.value("auc_diff") == beam.value("auc_diff") == 0
    assert beam.value("auc") == pytest.approx(local.value("auc"), rel=1e-12)


def test_which_output_is_the_prediction(saved_model: Path, trips: pa.Table) -> None:
    with pytest.raises(
        benison.ModelError, match="The model has the outputs a, b; say which one is the prediction"
    ):
        benison.evaluate(trips, made(signature_name="two"), model=saved_model)
    chosen = benison.evaluate(
        trips, made(signature_name="two", prediction_key="b"), model=saved_model
    )
    assert chosen.value("mean_prediction", slice={"hour": 6}) == pytest.approx(0.75, rel=1e-6)
    with pytest.raises(benison.ModelError, match="no output 'c'"):
        benison.evaluate(trips, made(signature_name="two", prediction_key="c"), model=saved_model)


def test_unknown_signature(saved_model: Path, trips: pa.Table) -> None:
    with pytest.raises(
        benison.ModelError, match="no signature 'serving'. Did you mean 'serving_default'"
    ):
        benison.evaluate(trips, made(signature_name="serving"), model=saved_model)


def test_missing_feature(saved_model: Path, trips: pa.Table) -> None:
    without = trips.rename_columns(["hours" if n == "hour" else n for n in trips.column_names])
    with pytest.raises(benison.DataError, match="has no column 'hour'. Did you mean 'hours'"):
        benison.evaluate(without, {**made(), "slicing_specs": [{}]}, model=saved_model)


def test_places_where_a_saved_model_may_lie(saved_model: Path, tmp_path: Path) -> None:
    from benison.models.locate import find

    (tmp_path / "tfx").mkdir()
    (tmp_path / "tfx" / "Format-Serving").symlink_to(saved_model)
    assert find(tmp_path / "tfx")[1].name == "Format-Serving"
    (tmp_path / "versions").mkdir()
    for version in ("2", "10"):
        (tmp_path / "versions" / version).symlink_to(saved_model)
    assert find(tmp_path / "versions")[1].name == "10"


def test_damaged_saved_model(saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"not a graph")
    with pytest.raises(benison.ModelError, match="cannot be loaded"):
        models.load(tmp_path)
    with pytest.raises(benison.ModelError, match="There is no model at"):
        models.load(tmp_path / "nothing")


def test_verify_notices_another_model(saved_model: Path, trips: pa.Table, tmp_path: Path) -> None:
    import shutil

    from benison.output.blessing import verify

    served = shutil.copytree(saved_model, tmp_path / "served")
    benison.evaluate(trips, made(), model=saved_model, output=tmp_path / "out")
    assert verify(tmp_path / "out", served)["verdict"] == "not_evaluated"
    (served / "saved_model.pb").write_bytes(b"another")
    (served / "extra").touch()
    with pytest.raises(benison.OutputError) as raised:
        verify(tmp_path / "out", served)
    assert "saved_model.pb was changed since the model was judged" in str(raised.value)
    assert "extra was added since the model was judged" in str(raised.value)


def test_a_model_that_changes_while_it_is_judged_is_not_blessed(
    saved_model: Path, trips: pa.Table, tmp_path: Path
) -> None:
    import shutil

    served = shutil.copytree(saved_model, tmp_path / "served")

    def swap(stage: str, rows: int, total: int | None) -> None:
        if stage == "results":
            (served / "saved_model.pb").write_bytes(b"another")

    with pytest.raises(benison.ModelError, match="served was changed while it was evaluated"):
        benison.evaluate(trips, made(), model=served, output=tmp_path / "out", progress=swap)
    assert not (tmp_path / "out").exists()


def test_keras_file(tf: Any, trips: pa.Table, tmp_path: Path) -> None:
    hour = tf.keras.Input((1,), name="hour")
    weight = tf.keras.Input((1,), name="weight")
    model = tf.keras.Model([hour, weight], tf.keras.layers.Add()([hour, weight]))
    model.save(tmp_path / "model.keras")
    expected = (trips["hour"].to_numpy() + trips["weight"].to_numpy()).mean()
    result = benison.evaluate(trips, made(), model=tmp_path / "model.keras")
    assert result.value("mean_prediction") == pytest.approx(expected, rel=1e-6)


def test_sklearn_only_when_trusted(trips: pa.Table, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    from sklearn.linear_model import LogisticRegression

    frame = trips.to_pandas()
    estimator = LogisticRegression().fit(frame[["hour", "old_prediction"]], frame.label)
    joblib.dump(estimator, tmp_path / "model.joblib")
    with pytest.raises(benison.ModelError, match="--trust-pickle"):
        benison.evaluate(trips, made(), model=tmp_path / "model.joblib")
    result = benison.evaluate(trips, made(), model=tmp_path / "model.joblib", trust_pickle=True)
    expected = estimator.predict_proba(frame[["hour", "old_prediction"]])[:, 1].mean()
    assert result.value("mean_prediction") == pytest.approx(expected, rel=1e-9)


def test_classes_by_binarization(trips: pa.Table) -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((len(trips), 3))
    labels = rng.integers(0, 3, len(trips)).astype(float)
    table = pa.table({"label": labels, "prediction": scores.tolist()})
    named = config("MeanPrediction", "AUC", spec={"binarize": {"class_ids": [0, 2]}})
    result = benison.evaluate(table, named)
    assert result.value("mean_prediction", sub_key="classId:2") == pytest.approx(
        scores[:, 2].mean()
    )
    with pytest.raises(benison.ConfigError, match="choose them with binarize.class_ids"):
        benison.evaluate(table, config("AUC"))


@pytest.mark.parametrize("rows", [1, 64])
def test_a_signature_with_a_fixed_number_of_rows(
    tf: Any, trips: pa.Table, tmp_path: Path, rows: int
) -> None:
    spec = [tf.TensorSpec([rows], tf.int64, name="hour")]
    scaled = tf.function(
        lambda hour: {"p": tf.cast(hour, tf.float32) / 24}, input_signature=spec, autograph=False
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=scaled)
    result = benison.evaluate(trips, made(), model=tmp_path)
    hours = trips["hour"].to_numpy()
    assert result.value("mean_prediction") == pytest.approx(hours.mean() / 24, rel=1e-6)


def test_a_type_chooses_among_the_models_of_a_directory(
    tf: Any, saved_model: Path, trips: pa.Table, tmp_path: Path
) -> None:
    import shutil

    both = shutil.copytree(saved_model, tmp_path / "both")
    (both / "tflite").write_bytes(b"junk")
    result = benison.evaluate(trips, made(model_type="tf_generic"), model=both)
    assert result.value("mean_prediction") == pytest.approx(
        trips["hour"].to_numpy().mean() / 24, rel=1e-6
    )
    with pytest.raises(benison.ModelError, match="The TFLite model .*tflite cannot be loaded"):
        benison.evaluate(trips, made(model_type="tf_lite"), model=both)
    with pytest.raises(
        benison.ConfigError, match="model_type: 'tf_js' is not loaded .* There are: tf_keras"
    ):
        benison.evaluate(trips, made(model_type="tf_js"), model=both)
