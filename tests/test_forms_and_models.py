# SPDX-License-Identifier: Apache-2.0
"""Every form of the same rows, here and on an object store, gives the same values with every kind of model."""

from __future__ import annotations

import functools
import json
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn.metrics as sk

import benison
from benison.data.dataset import Dataset
from benison.data.formats import FORMATS
from benison.models.locate import FILES, FOLDERS
from tests.component.test_formats import (
    FORMS,
    Rows,
    as_arrow,
    as_csv,
    as_examples,
    as_json,
    as_packed_json,
    as_parquet,
    as_table,
)
from tests.component.test_models_files import FLOAT, node, onnx_model
from tests.conftest import config
from tests.object_store import Bucket
from tests.test_more_formats import FORMS as MORE_FORMS

METRICS = ("AUC", "MeanPrediction", "BinaryCrossEntropy", "MeanSquaredError", "ExampleCount")


@functools.cache
def rows() -> Rows:
    """Numbers that 32 bits hold exactly, as tf.Examples have no more, and texts of which some are missing."""
    rng = np.random.default_rng(8)
    return [
        {
            "label": int(rng.integers(0, 2)),
            "prediction": float(rng.integers(1, 64)) / 64,
            "fare": float(rng.integers(-40, 80)) / 8,
            "hour": int(rng.integers(0, 5)),
            "shop": [None, "a", "NA", "b, c\nd"][rng.integers(0, 4)],
            "weight": float(rng.integers(0, 5)) / 2,
        }
        for _ in range(120)
    ]


def as_delta(rows: Rows, folder: Path) -> str:
    pytest.importorskip("deltalake").write_deltalake(
        str(folder / "table"), pa.Table.from_pylist(rows)
    )
    return str(folder / "table")


def as_iceberg(rows: Rows, folder: Path) -> str:
    memory = pytest.importorskip("pyiceberg.catalog.memory")
    catalog = memory.InMemoryCatalog("forms", warehouse=f"file://{folder}")
    catalog.create_namespace("eval")
    table = pa.Table.from_pylist(rows)
    catalog.create_table("eval.rows", schema=table.schema).append(table)
    return str(folder / "eval" / "rows")


def frame() -> pd.DataFrame:
    return pd.DataFrame(rows())[["fare", "hour"]]


def labels() -> np.ndarray:
    return np.array([row["label"] for row in rows()])


def in_column(folder: Path) -> tuple[None, np.ndarray]:
    """No model: the predictions are in the data."""
    return None, np.array([row["prediction"] for row in rows()])


def in_sklearn(folder: Path) -> tuple[Path, np.ndarray]:
    model = pytest.importorskip("sklearn.linear_model").LogisticRegression()
    model.fit(frame(), labels())
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    return folder / "model.pkl", model.predict_proba(frame())[:, 1]


def in_xgboost(folder: Path) -> tuple[Path, np.ndarray]:
    xgb = pytest.importorskip("xgboost")
    model = xgb.XGBClassifier(n_estimators=4, max_depth=3).fit(frame(), labels())
    model.save_model(folder / "model.ubj")
    return folder / "model.ubj", model.predict_proba(frame())[:, 1]


def in_lightgbm(folder: Path) -> tuple[Path, np.ndarray]:
    lgb = pytest.importorskip("lightgbm")
    data = lgb.Dataset(frame(), labels())
    model = lgb.train({"objective": "binary", "verbosity": -1}, data, 4)
    model.save_model(folder / "model.txt")
    return folder / "model.txt", np.asarray(model.predict(frame()))


def in_onnx(folder: Path) -> tuple[Path, np.ndarray]:
    nodes = [node("Sigmoid", ["fare"], ["score"])]
    sides = {"fare": (FLOAT, ["n", 1])}, {"score": (FLOAT, ["n", 1])}
    path = onnx_model(folder / "m.onnx", nodes, *sides)
    return path, 1 / (1 + np.exp(-frame().fare.to_numpy()))


def in_mlflow(folder: Path) -> tuple[Path, np.ndarray]:
    pytest.importorskip("mlflow")
    import mlflow.sklearn

    model = pytest.importorskip("sklearn.linear_model").LogisticRegression().fit(frame(), labels())
    with warnings.catch_warnings(action="ignore"):
        mlflow.sklearn.save_model(
            model, str(folder / "m"), serialization_format="cloudpickle", pip_requirements=[]
        )
    return folder / "m", model.predict_proba(frame())[:, 1]


def sigmoid_of_fare() -> np.ndarray:
    """In 32 bits, as models of TensorFlow compute it."""
    return (1 / (1 + np.exp(-frame().fare.to_numpy(np.float32) / 8))).astype(np.float64)


def in_savedmodel(folder: Path) -> tuple[Path, np.ndarray]:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    tf = tensorflow()
    fare = tf.TensorSpec([None, 1], tf.float32, name="fare")
    scored = tf.function(
        lambda fare: {"p": tf.sigmoid(fare / 8)}, input_signature=[fare], autograph=False
    )
    tf.saved_model.save(tf.Module(), str(folder / "saved"), signatures=scored)
    return folder / "saved", sigmoid_of_fare()


def in_tflite(folder: Path) -> tuple[Path, np.ndarray]:
    saved, predictions = in_savedmodel(folder)
    pytest.importorskip("ai_edge_litert")
    from benison.models.savedmodel import tensorflow

    converter = tensorflow().lite.TFLiteConverter.from_saved_model(str(saved))
    (folder / "model.tflite").write_bytes(converter.convert())
    return folder / "model.tflite", predictions


def in_keras(folder: Path) -> tuple[Path, np.ndarray]:
    pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    fare = keras.Input((1,), name="fare")
    model = keras.Model(
        fare, keras.layers.Activation("sigmoid")(keras.layers.Rescaling(1 / 8)(fare))
    )
    model.save(folder / "model.keras")
    return folder / "model.keras", sigmoid_of_fare()


def in_catboost(folder: Path) -> tuple[Path, np.ndarray]:
    catboost = pytest.importorskip("catboost")
    model = catboost.CatBoostClassifier(iterations=4, verbose=False, allow_writing_files=False)
    model.fit(frame(), labels()).save_model(str(folder / "model.cbm"))
    return folder / "model.cbm", model.predict_proba(frame())[:, 1]


SCORE = """
import sys, numpy as np, pyarrow as pa
fare = pa.ipc.open_stream(sys.stdin.buffer).read_all()["fare"].to_numpy().astype(np.float32)
scores = pa.table({"score": 1 / (1 + np.exp(-fare / 8))})
with pa.ipc.new_stream(sys.stdout.buffer, scores.schema) as stream:
    stream.write_table(scores)
"""


def in_described(folder: Path) -> tuple[Path, np.ndarray]:
    """A command that scores."""
    (folder / "score.py").write_text(SCORE)
    command = {"command": [sys.executable, "score.py"], "columns": ["fare"]}
    (folder / "benison-model.json").write_text(json.dumps(command))
    return folder, sigmoid_of_fare()


def in_memory(folder: Path) -> tuple[Any, np.ndarray]:
    """A function of a frame."""
    return lambda frame: 1 / (1 + np.exp(-frame["fare"].astype(float) / 8)), sigmoid_of_fare()


MODELS: tuple[Callable[[Path], Any], ...] = (
    in_column, in_sklearn, in_xgboost, in_lightgbm, in_onnx,
)  # fmt: skip
SLOW_MODELS = (in_savedmodel, in_tflite, in_keras, in_mlflow, in_catboost, in_described, in_memory)
"""TensorFlow and MLflow take their time, so that these meet one form of each kind of reader."""
APART = {
    "pytorch",
    "jax",
}  # in an environment of their own, against their formula: test_models_exported


def evaluated(examples: Any, model: Any) -> benison.EvalResult:
    spec = {"example_weight_key": "weight", "prediction_key": "" if model else "prediction"}
    bound = {"value_threshold": {"lower_bound": 0.3}}
    slices = [{}, {"feature_keys": ["shop"]}, {"feature_keys": ["hour"]}]
    made = config(
        *METRICS, {"class_name": "BinaryAccuracy", "threshold": bound}, slices=slices, model=spec
    )
    return benison.evaluate(examples, made, model=model, trust_pickle=True)


def values_of(result: benison.EvalResult) -> dict[tuple[str, str], tuple[float, int, int]]:
    return {
        (row["slice"], row["metric"]): (row["value"], row["examples"], row["evaluated"])
        for row in result.metrics.to_pylist()
    }


def same(result: benison.EvalResult, expected: benison.EvalResult, rel: float = 1e-12) -> None:
    assert result.verdict.status == expected.verdict.status != "not_evaluated"
    assert result.verdict.counts == expected.verdict.counts
    ours, theirs = values_of(result), values_of(expected)
    assert ours.keys() == theirs.keys()
    for key, (value, *counts) in ours.items():
        assert value == pytest.approx(theirs[key][0], rel=rel, nan_ok=True), key
        assert counts == [*theirs[key][1:]], key


def test_each_kind_of_model_is_here() -> None:
    kinds = {model.__name__.removeprefix("in_") for model in (*MODELS, *SLOW_MODELS)}
    assert kinds | APART == {*FOLDERS, *FILES, "column", "memory"}


def test_each_form_of_data_is_here(tmp_path: Path) -> None:
    made = [form(rows(), tmp_path) for form in (*FORMS, as_delta, as_iceberg)]
    made += [form(pa.Table.from_pylist(rows()), tmp_path) for form in MORE_FORMS]
    assert {Dataset.open(data).format for data in made} == {*FORMATS, "memory"}


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.__name__)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model's path, its own predictions, and the values of the rows as a table."""
    path, predictions = request.param(tmp_path_factory.mktemp("model"))
    return path, predictions, evaluated(as_table(rows(), Path()), path)


def test_a_table_has_the_values_of_the_library(model: Any) -> None:
    _, predictions, result = model
    weights = np.array([row["weight"] for row in rows()])
    args = {"sample_weight": weights}
    expected = {
        "auc": sk.roc_auc_score(labels(), predictions, **args),
        "mean_prediction": np.average(predictions, weights=weights),
        "binary_crossentropy": sk.log_loss(labels(), predictions, **args),
        "mean_squared_error": sk.mean_squared_error(labels(), predictions, **args),
        "example_count": weights.sum(),
    }
    for metric, value in expected.items():
        assert result.value(metric) == pytest.approx(value, rel=1e-6), metric
    shops = {key for key, _ in values_of(result) if key.startswith("shop=")}
    assert shops == {"shop=a", "shop=NA", "shop=b, c\nd"}


@pytest.mark.parametrize("model", SLOW_MODELS, ids=lambda model: model.__name__)
def test_models_of_large_libraries_have_their_values_in_every_form(
    model: Callable[[Path], Any], tmp_path: Path
) -> None:
    path, predictions = model(tmp_path)
    expected = evaluated(as_table(rows(), tmp_path), path)
    scored = [{**row, "prediction": float(p)} for row, p in zip(rows(), predictions, strict=True)]
    same(evaluated(pa.Table.from_pylist(scored), None), expected, 1e-5)
    others = () if model is in_described else (as_packed_json, as_iceberg)  # a process a call
    for form in (as_csv, as_examples, *others):
        same(evaluated(form(rows(), tmp_path), path), expected)


@pytest.mark.parametrize("form", [*FORMS, as_delta, as_iceberg], ids=lambda form: form.__name__)
def test_every_form_has_the_values_of_a_table(
    form: Callable[[Rows, Path], Any], model: Any, tmp_path: Path
) -> None:
    path, _, expected = model
    same(evaluated(form(rows(), tmp_path), path), expected)


@pytest.mark.parametrize("form", MORE_FORMS, ids=lambda form: form.__name__)
def test_forms_of_other_libraries_have_the_values_of_a_table(
    form: Callable[[pa.Table, Path], Any], tmp_path: Path
) -> None:
    path, _ = in_sklearn(tmp_path)
    table = as_table(rows(), tmp_path)
    same(evaluated(form(table, tmp_path), path), evaluated(table, path))


@pytest.mark.parametrize(
    "form",
    [as_parquet, as_csv, as_json, as_packed_json, as_arrow, as_examples],
    ids=lambda form: form.__name__,
)
def test_every_form_on_an_object_store_has_the_values_of_a_table(
    form: Callable[[Rows, Path], Any], bucket: Bucket, tmp_path: Path
) -> None:
    file = Path(form(rows(), tmp_path))
    path, _ = in_sklearn(tmp_path)
    address = bucket.upload(file, f"eval/{file.name}")
    same(evaluated(address, path), evaluated(as_table(rows(), tmp_path), path))
    there = bucket.upload(path, f"models/{path.name}")
    result = benison.evaluate(address, config("AUC", model={"prediction_key": ""}), model=there, trust_pickle=True)  # fmt: skip
    here = benison.evaluate(str(file), config("AUC", model={"prediction_key": ""}), model=path, trust_pickle=True)  # fmt: skip
    assert result.value("auc") == here.value("auc")
