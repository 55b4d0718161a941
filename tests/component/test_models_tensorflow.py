# SPDX-License-Identifier: Apache-2.0
"""The predictors of TensorFlow's models: SavedModels and Keras files."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison import models
from benison.data.batch import Ragged
from benison.engine.prediction_outputs import scores_of
from benison.errors import DataError, ModelError
from benison.models.arrays import as_examples
from tests.component.test_models import FEATURES, N


@pytest.fixture(scope="module")
def tf() -> Any:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    return tensorflow()


@pytest.fixture(scope="module")
def saved(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores (hour + month) / 24, of parsed examples or named features; and the length of a text."""
    module = tf.Module()
    spec = {
        "hour": tf.io.FixedLenFeature([], tf.int64),
        "month": tf.io.FixedLenFeature([], tf.float32),
        "fare": tf.io.FixedLenFeature([], tf.float32, default_value=-1.0),
        "company": tf.io.FixedLenFeature([], tf.string),
    }

    def score(hour: Any, month: Any) -> dict[str, Any]:
        return {"scores": ((tf.cast(hour, tf.float32) + month) / 24)[:, None]}

    def parsed(examples: Any) -> dict[str, Any]:
        row = tf.io.parse_example(examples, spec)
        lengths = tf.strings.length(row["company"])
        return {**score(row["hour"], row["month"]), "fare": row["fare"], "length": lengths}

    def refusing(hour: Any) -> dict[str, Any]:
        with tf.control_dependencies([tf.debugging.assert_less(hour, tf.constant(20, tf.int64))]):
            return {"hour": tf.identity(hour)}

    hour = tf.TensorSpec([None], tf.int64, "hour")
    month = tf.TensorSpec([None], tf.float32, "month")
    examples = tf.TensorSpec([None], tf.string, "examples")
    company = tf.TensorSpec([None], tf.string, "company")
    signatures = {
        "serving_default": tf.function(parsed, input_signature=[examples]),
        "named": tf.function(score, input_signature=[hour, month]),
        "text": tf.function(
            lambda company: {"length": tf.strings.length(company)}, input_signature=[company]
        ),
        "refusing": tf.function(refusing, input_signature=[hour]),
    }
    path = tmp_path_factory.mktemp("models") / "saved"
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([1, 0, 2, 2], ([0, 1, 2, 3, 4], [0, 1, 1, 3, 5])),
        ([2, 2, 2, 2], [[0, 1], [2, 3], [4, 5], [6, 7]]),
    ],
    ids=["ragged", "even"],
)
def test_outputs_that_are_ragged_or_sparse(
    tf: Any, tmp_path: Path, lengths: list[int], expected: Any
) -> None:
    def made(n: Any) -> dict[str, Any]:
        values = tf.range(tf.reduce_sum(n))
        lists = tf.RaggedTensor.from_row_lengths(values, n)
        sparse = tf.sparse.from_dense(tf.stack([n, 0 * n], axis=1))
        words = tf.strings.join(["w", tf.strings.as_string(values)])
        return {"lists": lists, "sparse": sparse, "names": lists.with_values(words)}

    signature = tf.function(made, input_signature=[tf.TensorSpec([None], tf.int64, "n")])
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=signature)
    outputs = models.load(tmp_path).predict(pa.record_batch({"n": lengths}), None)
    assert outputs["sparse"].tolist() == [[n, 0] for n in lengths]
    scores = scores_of(outputs["lists"], "lists", 4)
    parts = (scores.values, scores.offsets) if isinstance(scores, Ragged) else scores
    assert [x.tolist() for x in parts] == [*expected]
    with pytest.raises(ModelError, match="'names' of the model is not numbers"):
        scores_of(outputs["names"], "names", 4)


EXPECTED = (np.array([0, 6, 12, 18, 23]) + np.arange(1, 6)) / 24


def test_named_features(saved: Path) -> None:
    predictor = models.load(saved, "named")
    assert (predictor.columns, predictor.takes_examples) == (("hour", "month"), False)
    np.testing.assert_allclose(predictor.predict(FEATURES, None)["scores"], EXPECTED, rtol=1e-6)
    assert predictor.predict(FEATURES.slice(0, 0), None)["scores"].shape == (0,)
    with pytest.raises(DataError, match="has no column 'month'"):
        predictor.predict(FEATURES.select(["hour"]), None)


def test_results_do_not_depend_on_the_slices(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benison.models import savedmodel

    whole = models.load(saved).predict(FEATURES, None)
    monkeypatch.setattr(savedmodel, "CALL_ROWS", 2)
    parts = models.load(saved).predict(FEATURES, None)
    for name in ("scores", "fare", "length"):
        np.testing.assert_array_equal(parts[name], whole[name])


def test_serialized_examples_or_the_same_rows_as_columns(tf: Any, saved: Path) -> None:
    pytest.importorskip("tfx_bsl")
    predictor = models.load(saved)
    assert (predictor.columns, predictor.takes_examples) == (("examples",), True)
    serialized = pa.array(as_examples(FEATURES), pa.binary())
    for features, given in ((FEATURES.select(["flag"]), serialized), (FEATURES, None)):
        outputs = predictor.predict(features, given)
        np.testing.assert_allclose(outputs["scores"], EXPECTED, rtol=1e-6)
        np.testing.assert_array_equal(outputs["fare"], [1.5, -1, 3, 4, 5])
        np.testing.assert_array_equal(outputs["length"], [5, 4, 5, 0, 4])


def test_rows_as_examples(tf: Any) -> None:
    pytest.importorskip("tfx_bsl")
    kinds = {
        **{name: FEATURES.column(name) for name in FEATURES.schema.names},
        "encoded": FEATURES.column("company").dictionary_encode(),
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(range(2 * N)), 2),
        "nothing": pa.nulls(N),
        "view": FEATURES.column("company").cast(pa.string_view()),
    }
    batch = pa.RecordBatch.from_pydict(kinds).slice(1, 3)
    examples = [tf.train.Example.FromString(e).features.feature for e in as_examples(batch)]
    first = {
        name: list(getattr(f, f.WhichOneof("kind")).value)
        for name, f in examples[0].items()
        if f.WhichOneof("kind")
    }
    kinds_of = [(f, f.WhichOneof("kind")) for each in examples for f in each.values()]
    assert all(getattr(f, kind).value for f, kind in kinds_of if kind)  # a parser refuses none
    assert {name: values for name, values in first.items() if values} == {
        "hour": [6],
        "company": [b"Blue"],
        "pair": [3.0, 4.0],
        "ragged": [2, 3],
        "flag": [0],
        "month": [2.0],
        "encoded": [b"Blue"],
        "view": [b"Blue"],
        "fixed": [2, 3],
    }


def test_a_text_that_the_data_hold_is_no_tf_example(saved: Path) -> None:
    predictor = models.load(saved, "text")
    assert predictor.predict(FEATURES, None)["length"].tolist() == [5, 4, 5, 0, 4]
    lists = FEATURES.set_column(2, "company", pa.array([["Flash"]] * N))
    assert predictor.predict(lists, pa.array([b"x"] * N))["length"].tolist() == [5] * N


def test_what_a_saved_model_refuses(saved: Path) -> None:
    with pytest.raises(ModelError) as raised:
        models.load(saved, "serving")
    assert (
        "has the signatures named, refusing, serving_default, text, but no signature 'serving'. "
        "Did you mean 'serving_default'? Say which one to call with signature_name"
        in str(raised.value)
    )
    with pytest.raises(
        ModelError,
        match="saved fails on the data: Name: <unknown>, Feature: company .* not be found.$",
    ):
        models.load(saved).predict(FEATURES.drop_columns(["company"]), None)
    with pytest.raises(ModelError, match="saved fails on the data: .*assert"):
        models.load(saved, "refusing").predict(FEATURES, None)


def test_which_signature_is_usual(tf: Any, tmp_path: Path) -> None:
    hour = tf.TensorSpec([None], tf.int64, "hour")

    def save(*names: str) -> Path:
        path = tmp_path / "-".join(names or ["none"])
        made = {
            name: tf.function(lambda hour, name=name: {name: hour}, input_signature=[hour])
            for name in names
        }
        tf.saved_model.save(tf.Module(), str(path), signatures=made or None)
        return path

    for names, usual in ((("serving_default", "predict", "a"), "predict"), (("only",), "only")):
        assert list(models.load(save(*names)).predict(FEATURES, None)) == [usual]
    with pytest.raises(ModelError, match="has the signatures a, b, but no usual one. Say which"):
        models.load(save("a", "b"))
    with pytest.raises(ModelError, match=r"has the signatures \(none\), but no usual one"):
        models.load(save())


@pytest.mark.parametrize(
    "location",
    ["", "Format-Serving", "Format-Serving/1690000000", "serving_model_dir", "7"],
    ids=lambda location: location or "itself",
)
def test_where_a_saved_model_may_lie(saved: Path, tmp_path: Path, location: str) -> None:
    (tmp_path / "model" / location).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(saved, tmp_path / "model" / location)
    if location == "7":
        (tmp_path / "model" / "6").mkdir()
        (tmp_path / "model" / "6" / "saved_model.pb").write_bytes(b"old")
        (tmp_path / "model" / "10").mkdir()  # being copied: TensorFlow Serving skips it as well
    predictor = models.load(tmp_path / "model", "named")
    np.testing.assert_allclose(predictor.predict(FEATURES, None)["scores"], EXPECTED, rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"not a graph"], ids=["empty", "junk"])
def test_damaged_saved_model(tf: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ModelError, match=r"The SavedModel .* cannot be loaded: \w"):
        models.load(tmp_path)


def test_saved_model_without_its_variables(tf: Any, tmp_path: Path) -> None:
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    spec = tf.TensorSpec([None], tf.float32, "month")
    double = tf.function(lambda month: {"y": month * module.weight}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path), signatures=double)
    assert models.load(tmp_path).predict(FEATURES, None)["y"].tolist() == [2, 4, 6, 8, 10]
    shutil.rmtree(tmp_path / "variables")
    with pytest.raises(ModelError, match="cannot be loaded"):
        models.load(tmp_path)


@pytest.mark.parametrize("damage", ["root", "signatures"])
def test_saved_model_whose_objects_are_damaged(tf: Any, tmp_path: Path, damage: str) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    spec = tf.TensorSpec([None], tf.float32, "month")
    double = tf.function(lambda month: {"y": month * 2}, input_signature=[spec])
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=double)
    graph = tmp_path / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    nodes = message.meta_graphs[0].object_graph_def.nodes
    if damage == "root":
        del nodes[0].children[:]
    else:
        (child,) = [child for child in nodes[0].children if child.local_name == "signatures"]
        child.node_id = 0
    graph.write_bytes(message.SerializeToString())
    with pytest.raises(ModelError, match="has no signature that can be called"):
        models.load(tmp_path)


def test_tensorflow_may_be_asked_for_by_several_threads(tf: Any) -> None:
    from benison.models.savedmodel import tensorflow

    values: list[Any] = []
    threads = [threading.Thread(target=lambda: values.append(tensorflow())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [tf] * 4


# Keras.


def keras_model(tf: Any, path: Path, inputs: Any, output: Any) -> models.Predictor:
    tf.keras.Model(inputs, output).save(path)
    return models.load(path)


def test_keras_inputs_by_name(tf: Any, tmp_path: Path) -> None:
    keras = tf.keras
    hour = keras.Input((1,), name="hour")
    month = keras.Input((1,), name="month")
    total = keras.layers.Add()([hour, month])
    expected = EXPECTED * 24
    for form, inputs in (("list", [month, hour]), ("dict", {"hour": hour, "month": month})):
        predictor = keras_model(tf, tmp_path / f"{form}.keras", inputs, total)
        assert set(predictor.columns or ()) == {"hour", "month"}
        np.testing.assert_allclose(predictor.predict(FEATURES, None)["output"], expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict:UserWarning:keras")
def test_keras_takes_the_names_of_a_dict(tf: Any, tmp_path: Path) -> None:
    inputs = {"hour": tf.keras.Input((1,)), "month": tf.keras.Input((1,))}
    less = tf.keras.layers.Subtract()([inputs["hour"], inputs["month"]])
    predictor = keras_model(tf, tmp_path / "model.keras", inputs, less)
    assert predictor.predict(FEATURES, None)["output"].tolist() == [-1, 4, 9, 14, 18]


def test_what_a_keras_model_was_compiled_with_is_computed_and_judged(
    tf: Any, tmp_path: Path
) -> None:
    keras, hour = tf.keras, tf.keras.Input((1,), name="hour")
    squeezed = keras.layers.Rescaling(1 / 8, offset=-2.0)(hour)
    model = keras.Model(hour, keras.layers.Activation("sigmoid")(squeezed))
    named = keras.metrics.Precision(thresholds=0.4, name="hits")
    model.compile(loss="binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(), named])
    rng = np.random.default_rng(0)
    hours, labels = np.arange(60.0), rng.integers(0, 2, 60).astype(float)
    expected = model.evaluate(hours, labels, return_dict=True, verbose=0)
    model.save(tmp_path / "model.keras")
    at_most, at_least = ({"value_threshold": {f"{end}_bound": 0.5}} for end in ("upper", "lower"))
    made = {
        "model_specs": [{"label_key": "label"}],
        "metrics_specs": [{"metrics": [], "thresholds": {"loss": at_most, "auc": at_least}}],
        "options": {"include_default_metrics": True},
    }
    data = pa.table({"hour": hours, "label": labels})
    result = benison.evaluate(data, made, model=tmp_path / "model.keras")
    assert {*result.metrics["metric"].to_pylist()} == {"loss", "accuracy", "auc", "hits"}
    for name, value in expected.items():
        assert result.value(name) == pytest.approx(value, rel=0.01 if name == "auc" else 1e-5)
    assert result.verdict.total == 2


def test_keras_outputs(tf: Any, tmp_path: Path) -> None:
    pair = tf.keras.Input((2,), name="pair")
    first = tf.keras.layers.Dense(1, name="one")(pair)
    three = tf.keras.layers.Dense(3, name="three")(pair)
    several = keras_model(tf, tmp_path / "several.keras", pair, [first, three]).predict(
        FEATURES, None
    )
    assert {name: array.shape for name, array in several.items()} == {"one": (N,), "three": (N, 3)}
    named = keras_model(tf, tmp_path / "named.keras", pair, {"a": first, "b": three})
    assert set(named.predict(FEATURES, None)) == {"a", "b"}


def test_keras_with_a_fixed_number_of_rows(tf: Any, tmp_path: Path) -> None:
    pair = tf.keras.Input(batch_shape=(2, 2), name="pair")
    predictor = keras_model(tf, tmp_path / "m.keras", pair, tf.keras.layers.Rescaling(2.0)(pair))
    outputs = predictor.predict(FEATURES, None)["output"]
    np.testing.assert_array_equal(outputs[[0, 1, 4]], [[2, 4], [6, 8], [10, 12]])


def test_keras_text(tf: Any, tmp_path: Path) -> None:
    text = tf.keras.Input((1,), name="company", dtype="string")
    lookup = tf.keras.layers.StringLookup(vocabulary=["Flash", "Blue"])(text)
    predictor = keras_model(tf, tmp_path / "model.keras", text, lookup)
    for location in (tmp_path, tmp_path / "model.keras"):
        assert models.load(location).predict(FEATURES, None)["output"].tolist() == [1, 2, 1, 0, 2]
    with pytest.raises(DataError, match="'company' is missing in 1 of 2 rows"):
        predictor.predict(pa.RecordBatch.from_pydict({"company": ["Flash", None]}), None)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built:UserWarning")
def test_what_keras_refuses(tf: Any, tmp_path: Path) -> None:
    layers = tf.keras.layers
    matrix = tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(1)])
    matrix.save(tmp_path / "matrix.keras")
    with pytest.raises(DataError, match="have no column .input_layer.*Name the inputs after"):
        models.load(tmp_path / "matrix.keras").predict(FEATURES, None)
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    batch = pa.RecordBatch.from_arrays(list(map(pa.array, rows.T)), ["a", "b", "c"])
    named = models.load(tmp_path / "matrix.keras", names=["c", "a", "b"])
    (scores,) = named.predict(batch, None).values()
    assert scores.ravel() == pytest.approx(matrix(rows[:, [2, 0, 1]]).numpy().ravel(), rel=1e-6)
    tf.keras.Sequential([layers.Dense(1)]).save(tmp_path / "unbuilt.keras")
    with pytest.raises(ModelError, match="does not tell its inputs. Save it as a SavedModel"):
        models.load(tmp_path / "unbuilt.keras")
    (tmp_path / "broken.keras").write_bytes(b"not a zip file")
    with pytest.raises(ModelError, match="The Keras model .*broken.keras cannot be loaded: "):
        models.load(tmp_path / "broken.keras")
