# SPDX-License-Identifier: Apache-2.0
"""This file is the predictors alone: what they load, what they are fed, and what they refuse."""

from __future__ import annotations

import pickle
import shutil
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benison import models
from benison.errors import DataError, ModelError
from benison.models.arrays import Input, as_examples, as_input
from benison.models.slices import Slices

N = 5
FEATURES = pa.RecordBatch.from_pydict(
    {
        "hour": pa.array([0, 6, 12, 18, 23]),
        "fare": pa.array([1.5, None, 3.0, 4.0, 5.0]),
        "company": pa.array(["Flash", "Blue", "Flash", "", "Blue"]),
        "pair": pa.array([[1.0, 2.0], [3.0, 4.0], None, [], [5.0, 6.0]]),
        "listed": pa.array([[1], None, [], [4], [5]]),
        "ragged": pa.array([[1], [2, 3], [], [4], [5]]),
        "flag": pa.array([True, False, True, False, True]),
        "when": pa.array([0, 1, 2, 3, 4], pa.timestamp("s")),
        "month": pa.array([1.0, 2.0, 3.0, 4.0, 5.0]),
    }
)


def fed(name: str, dtype: str, shape: tuple[int | None, ...] | None = ()) -> list[Any]:
    return as_input(FEATURES, Input(name, dtype, shape)).tolist()


# What an input is fed.


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "expected"),
    [
        ("hour", "int64", (), [0, 6, 12, 18, 23]),
        ("hour", "int32", (1,), [[0], [6], [12], [18], [23]]),
        ("hour", "float32", (None,), [[0.0], [6.0], [12.0], [18.0], [23.0]]),
        ("hour", "float64", None, [0.0, 6.0, 12.0, 18.0, 23.0]),
        ("month", "int64", (), [1, 2, 3, 4, 5]),
        ("flag", "float32", (), [1.0, 0.0, 1.0, 0.0, 1.0]),
        ("flag", "bool", (), [True, False, True, False, True]),
        ("fare", "float16", (), [1.5, np.nan, 3.0, 4.0, 5.0]),
        ("listed", "float32", (), [1.0, np.nan, np.nan, 4.0, 5.0]),
        ("company", "string", (), [b"Flash", b"Blue", b"Flash", b"", b"Blue"]),
        ("company", "string", (1,), [[b"Flash"], [b"Blue"], [b"Flash"], [b""], [b"Blue"]]),
    ],
)
def test_columns_become_what_inputs_take(
    name: str, dtype: str, shape: tuple[int | None, ...] | None, expected: list[Any]
) -> None:
    array = as_input(FEATURES, Input(name, dtype, shape))
    assert array.dtype == (object if dtype == "string" else dtype)
    np.testing.assert_array_equal(array, np.array(expected, array.dtype))


@pytest.mark.parametrize("shape", [(2,), (None,), (2, 1), (1, None), None])
def test_lists_become_rows_of_the_inputs_shape(shape: tuple[int | None, ...] | None) -> None:
    array = as_input(FEATURES, Input("pair", "float32", shape))
    rows = array.reshape(N, 2)
    np.testing.assert_array_equal(rows, [[1, 2], [3, 4], [np.nan] * 2, [np.nan] * 2, [5, 6]])
    assert array.shape == (N, *(2 if n is None else n for n in shape or (2,)))


def test_every_arrow_form_of_a_column_is_fed_alike() -> None:
    text = FEATURES.column("company")
    numbers = FEATURES.column("month")
    forms = {
        "large": text.cast(pa.large_string()),
        "view": text.cast(pa.string_view()),
        "encoded view": text.cast(pa.string_view()).dictionary_encode(),
        "bytes": text.cast(pa.binary()),
        "encoded": text.dictionary_encode(),
        "in lists": pa.array([[t] for t in text.to_pylist()]),
        "in encoded lists": pa.ListArray.from_arrays(
            pa.array(range(N + 1), pa.int32()), text.dictionary_encode()
        ),
    }
    for form, column in forms.items():
        batch = pa.RecordBatch.from_pydict({form: column})
        expected = as_input(FEATURES, Input("company", "string", ())).tolist()
        assert as_input(batch, Input(form, "string", ())).tolist() == expected, form
    fixed = pa.FixedSizeListArray.from_arrays(numbers, 1)
    batch = pa.RecordBatch.from_pydict({"fixed": fixed, "encoded": numbers.dictionary_encode()})
    for form in batch.schema.names:
        assert as_input(batch, Input(form, "int64", ())).tolist() == [1, 2, 3, 4, 5]
        assert as_input(batch.slice(2, 2), Input(form, "int64", ())).tolist() == [3, 4]


def test_no_rows() -> None:
    for name in ("hour", "fare", "pair", "listed"):
        assert as_input(FEATURES.slice(0, 0), Input(name, "float32", (1,))).shape == (0, 1)


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "sentence"),
    [
        ("hours", "int64", (), "The data has no column 'hours'. Did you mean 'hour'?"),
        (
            "fare",
            "int64",
            (),
            "Feature 'fare' is missing in 1 of 5 rows, and the model takes int64",
        ),
        ("listed", "int64", (), "Feature 'listed' is missing in 2 of 5 rows"),
        ("ragged", "float32", (None,), "Feature 'ragged' has from 1 to 2 values in a row"),
        (
            "company",
            "float32",
            (),
            "Feature 'company' is string in the data, and the model takes flo",
        ),
        ("hour", "string", (), "Feature 'hour' is int64 in the data, and the model takes string;"),
        ("when", "float32", (), "Feature 'when' is timestamp[s] in the data"),
        (
            "hour",
            "int8",
            (2,),
            "Feature 'hour' has 1 value in each row, and the model takes the shape",
        ),
        (
            "pair",
            "float32",
            (),
            "has 2 values in each row, and the model takes one value for a row",
        ),
        ("pair", "float32", (None, None), r"the model takes the shape [any, any] for a row"),
    ],
)
def test_what_an_input_refuses(
    name: str, dtype: str, shape: tuple[int | None, ...], sentence: str
) -> None:
    with pytest.raises(DataError) as raised:
        fed(name, dtype, shape)
    assert sentence in str(raised.value)


def test_fractions_are_not_cut_to_whole_numbers() -> None:
    batch = pa.RecordBatch.from_pydict({"x": [1.0, 1.5], "big": [1, 300]})
    with pytest.raises(DataError, match="'x' holds double that int64, which the model takes"):
        as_input(batch, Input("x", "int64", ()))
    with pytest.raises(DataError, match="'big' holds int64 that int8"):
        as_input(batch, Input("big", "int8", ()))


# A few rows at a time.


class ShortError(Exception):
    """A framework's own word for too little memory."""


def test_slices_halve_where_memory_is_short() -> None:
    called = []

    def call(part: slice) -> dict[str, Any]:
        called.append(part.stop - part.start)
        if called[-1] > 3:
            raise ShortError
        return {"y": np.arange(part.start, part.stop)}

    slices = Slices(8, ShortError)
    np.testing.assert_array_equal(slices.run(10, call)["y"], np.arange(10))
    assert called == [8, 4, 2, 2, 2, 2, 2]
    assert slices.size == 2, "what has failed once is not tried again"


def test_not_even_one_row_fits() -> None:
    def call(part: slice) -> dict[str, Any]:
        raise ShortError

    with pytest.raises(ModelError, match="does not even do for one row"):
        Slices(8, ShortError).run(10, call)


def test_outputs_that_are_not_predictions_are_left_out() -> None:
    slices = Slices(4, ShortError)

    def call(part: slice) -> dict[str, Any]:
        n = part.stop - part.start
        return {"one": np.zeros((n, 1)), "many": np.zeros((n, 3)), "image": np.zeros((n, 2, 2))}

    outputs = slices.run(10, call)
    assert {name: array.shape for name, array in outputs.items()} == {"one": (10,), "many": (10, 3)}
    assert slices.run(0, call)["many"].shape == (0, 3)
    with pytest.raises(ModelError, match=r"For 4 rows the model returns 'sum' of shape \(\);"):
        slices.run(10, lambda part: {"sum": np.zeros(())})


# Paths.


def test_paths_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"There is no model at .*nowhere. Give a path on this mach"
    ):
        models.load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="There is no model at gs://bucket/model"):
        models.load("gs://bucket/model")
    with pytest.raises(
        ModelError, match="is not a model: it is empty. Give a SavedModel directory"
    ):
        models.load(tmp_path)
    for name in "fedcba":
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=r"is not a model: it holds a, b, c, d, e, \.\.\.\. Give"):
        models.load(tmp_path)
    with pytest.raises(ModelError, match="a is not a model: it is a file of another kind"):
        models.load(tmp_path / "a")


# scikit-learn.


class Wrong:
    """Unpickles into an error, and tells when it is unpickled at all."""

    unpickled = 0

    def __setstate__(self, state: Any) -> None:
        Wrong.unpickled += 1
        raise RuntimeError("no")

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}


def test_pickles_that_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"not": "a model"}))
    with pytest.raises(
        ModelError, match="runs whatever code is in it. If you trust.*--trust-pickle"
    ):
        models.load(path)
    with pytest.raises(ModelError, match="holds a dict, which has no predict"):
        models.load(path, trust_pickle=True)
    path.write_bytes(b"\x80\x04not a pickle")
    with pytest.raises(ModelError, match=r"model.pkl cannot be unpickled"):
        models.load(path, trust_pickle=True)
    path.write_bytes(b"cno_such_module\nClass\n.")
    with pytest.raises(
        ModelError, match="needs the module 'no_such_module', which is not installed"
    ):
        models.load(path, trust_pickle=True)


def test_nothing_is_unpickled_without_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    # pytest imports a test file without putting it where pickles look for their classes.
    monkeypatch.setattr(Wrong, "__module__", "wrong")
    module = types.ModuleType("wrong")
    vars(module)["Wrong"] = Wrong
    monkeypatch.setitem(sys.modules, "wrong", module)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Wrong()))
    for place in (tmp_path, tmp_path / "model.pkl"):
        with pytest.raises(ModelError, match="--trust-pickle"):
            models.load(place)
    assert Wrong.unpickled == 0
    with pytest.raises(ModelError, match="cannot be unpickled: no"):
        models.load(tmp_path / "model.pkl", trust_pickle=True)
    assert Wrong.unpickled == 1


def dumped(estimator: Any, path: Path) -> models.Predictor:
    path.write_bytes(pickle.dumps(estimator))
    return models.load(path, trust_pickle=True)


def test_sklearn_outputs(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    linear = pytest.importorskip("sklearn.linear_model")
    frame = pd.DataFrame({"hour": [0, 6, 12, 18, 23], "month": [1.0, 2.0, 3.0, 4.0, 5.0]})
    two, three, value = [0, 1, 0, 1, 1], [0, 1, 2, 1, 0], [0.0, 1.5, 2.5, 3.5, 9.0]
    cases = {
        "binary": (
            linear.LogisticRegression().fit(frame, two),
            lambda e: e.predict_proba(frame)[:, 1],
        ),
        "classes": (
            linear.LogisticRegression().fit(frame, three),
            lambda e: e.predict_proba(frame),
        ),
        "margin": (linear.RidgeClassifier().fit(frame, two), lambda e: e.decision_function(frame)),
        "value": (linear.LinearRegression().fit(frame, value), lambda e: e.predict(frame)),
        "column": (
            linear.LinearRegression().fit(frame, [[v] for v in value]),
            lambda e: e.predict(frame)[:, 0],
        ),
    }
    for name, (estimator, expected) in cases.items():
        predictor = dumped(estimator, tmp_path / f"{name}.pkl")
        assert predictor.columns == ("hour", "month")
        found = predictor.predict(FEATURES, None)["output"]
        np.testing.assert_allclose(found, expected(estimator), rtol=1e-12, err_msg=name)


def test_sklearn_takes_text_and_single_values_in_lists(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame(
        {"company": ["Flash", "Blue", "Flash", "", "Blue"], "listed": [1, np.nan, np.nan, 4, 5]}
    )
    columns = make_column_transformer((OneHotEncoder(), ["company"]), (SimpleImputer(), ["listed"]))
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 0, 1, 1])
    predictor = dumped(estimator, tmp_path / "model.pkl")
    as_lists = FEATURES.set_column(2, "company", pa.array([[t.encode()] for t in frame.company]))
    as_views = FEATURES.set_column(2, "company", FEATURES.column(2).cast(pa.string_view()))
    encoded = FEATURES.set_column(2, "company", FEATURES.column(2).dictionary_encode())
    for features in (FEATURES, as_lists, as_views, encoded):
        found = predictor.predict(features, None)["output"]
        np.testing.assert_allclose(found, estimator.predict_proba(frame)[:, 1], rtol=1e-12)


def test_what_sklearn_refuses(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    linear = pytest.importorskip("sklearn.linear_model")
    nameless = linear.LinearRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(
        ModelError, match="does not know the names of its features. Fit it on a pandas"
    ):
        dumped(nameless, tmp_path / "nameless.pkl")
    fitted = linear.LinearRegression().fit(pd.DataFrame({"fare": [0.0, 1.0]}), [0, 1])
    predictor = dumped(fitted, tmp_path / "fare.pkl")
    with pytest.raises(DataError, match="has no column 'fare'. Did you mean 'fares'"):
        predictor.predict(pa.RecordBatch.from_pydict({"fares": [1.0]}), None)
    with pytest.raises(ModelError, match="fare.pkl fails on the data: Input X contains NaN"):
        predictor.predict(FEATURES, None)
    with pytest.raises(
        DataError, match="'fare' has 2 values in each row, and an estimator takes one"
    ):
        predictor.predict(pa.RecordBatch.from_pydict({"fare": [[1.0, 2.0]]}), None)


# TensorFlow.


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


EXPECTED = (np.array([0, 6, 12, 18, 23]) + np.arange(1, 6)) / 24


def test_named_features(saved: Path) -> None:
    predictor = models.load(saved, "named")
    assert (predictor.columns, predictor.wants_input) == (("hour", "month"), False)
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
    assert (predictor.columns, predictor.wants_input) == (("examples",), True)
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
    "place",
    ["", "Format-Serving", "Format-Serving/1690000000", "serving_model_dir", "7"],
    ids=lambda place: place or "itself",
)
def test_where_a_saved_model_may_lie(saved: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "model" / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(saved, tmp_path / "model" / place)
    if place == "7":
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


def test_tensorflow_may_be_asked_for_by_several_threads(tf: Any) -> None:
    from benison.models.savedmodel import tensorflow

    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(tensorflow())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tf] * 4


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


def test_keras_outputs(tf: Any, tmp_path: Path) -> None:
    pair = tf.keras.Input((2,), name="pair")
    one = tf.keras.layers.Dense(1, name="one")(pair)
    three = tf.keras.layers.Dense(3, name="three")(pair)
    several = keras_model(tf, tmp_path / "several.keras", pair, [one, three]).predict(
        FEATURES, None
    )
    assert {name: array.shape for name, array in several.items()} == {"one": (N,), "three": (N, 3)}
    named = keras_model(tf, tmp_path / "named.keras", pair, {"a": one, "b": three})
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
    for place in (tmp_path, tmp_path / "model.keras"):
        assert models.load(place).predict(FEATURES, None)["output"].tolist() == [1, 2, 1, 0, 2]
    with pytest.raises(DataError, match="'company' is missing in 1 of 2 rows"):
        predictor.predict(pa.RecordBatch.from_pydict({"company": ["Flash", None]}), None)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built:UserWarning")
def test_what_keras_refuses(tf: Any, tmp_path: Path) -> None:
    layers = tf.keras.layers
    matrix = tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(1)])
    matrix.save(tmp_path / "matrix.keras")
    with pytest.raises(
        DataError, match="is not a column of the data .hour, fare.*Name the inputs after"
    ):
        models.load(tmp_path / "matrix.keras").predict(FEATURES, None)
    tf.keras.Sequential([layers.Dense(1)]).save(tmp_path / "unbuilt.keras")
    with pytest.raises(ModelError, match="does not tell its inputs. Save it as a SavedModel"):
        models.load(tmp_path / "unbuilt.keras")
    (tmp_path / "broken.keras").write_bytes(b"not a zip file")
    with pytest.raises(ModelError, match="The Keras model .*broken.keras cannot be loaded: "):
        models.load(tmp_path / "broken.keras")
