# SPDX-License-Identifier: Apache-2.0
"""The predictors alone: what they load, what they are fed, and what they refuse."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benison import models
from benison.errors import DataError, ModelError
from benison.models.arrays import Input, as_input
from benison.models.calls import BatchedCalls

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

    slices = BatchedCalls(8, ShortError)
    np.testing.assert_array_equal(slices.run(10, call)["y"], np.arange(10))
    assert called == [8, 4, 2, 2, 2, 2, 2]
    assert slices.size == 2, "what has failed once is not tried again"


def test_not_even_one_row_fits() -> None:
    def call(part: slice) -> dict[str, Any]:
        raise ShortError

    with pytest.raises(ModelError, match="One row does not fit into memory"):
        BatchedCalls(8, ShortError).run(10, call)


def test_outputs_that_are_not_predictions_are_left_out() -> None:
    slices = BatchedCalls(4, ShortError)

    def call(part: slice) -> dict[str, Any]:
        n = part.stop - part.start
        shapes = {"one": (n, 1), "many": (n, 3), "boxes": (n, 2, 4), "video": (n, 2, 2, 3)}
        return {name: np.zeros(shape) for name, shape in shapes.items()}

    shapes = {name: array.shape for name, array in slices.run(10, call).items()}
    assert shapes == {"one": (10,), "many": (10, 3), "boxes": (10, 2, 4)}
    assert slices.run(0, call)["many"].shape == (0, 3)
    with pytest.raises(ModelError, match=r"For 4 rows the model returns 'sum' of shape \(\);"):
        slices.run(10, lambda part: {"sum": np.zeros(())})


# Paths.


def test_paths_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no model at .*nowhere"):
        models.load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="nothing here opens foo:// addresses"):
        models.load("foo://bucket/model")
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
    with pytest.raises(ModelError, match="is a dict, which has no predict"):
        models.load(path, trust_pickle=True)
    path.write_bytes(b"\x80\x04not a pickle")
    with pytest.raises(ModelError, match=r"model.pkl cannot be unpickled"):
        models.load(path, trust_pickle=True)
    path.write_bytes(b"cno_such_module\nClass\n.")
    with pytest.raises(
        ModelError, match="needs the module 'no_such_module', .*name the folder .*--module-path"
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
    for location in (tmp_path, tmp_path / "model.pkl"):
        with pytest.raises(ModelError, match="--trust-pickle"):
            models.load(location)
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
        actual = predictor.predict(FEATURES, None)["output"]
        np.testing.assert_allclose(actual, expected(estimator), rtol=1e-12, err_msg=name)


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
        actual = predictor.predict(features, None)["output"]
        np.testing.assert_allclose(actual, estimator.predict_proba(frame)[:, 1], rtol=1e-12)


def test_what_sklearn_refuses(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    linear = pytest.importorskip("sklearn.linear_model")
    nameless = linear.LinearRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(
        ModelError,
        match="does not know the names of its features. Name them in .* or fit it on a pandas",
    ):
        dumped(nameless, tmp_path / "nameless.pkl")
    fitted = linear.LinearRegression().fit(pd.DataFrame({"fare": [0.0, 1.0]}), [0, 1])
    predictor = dumped(fitted, tmp_path / "fare.pkl")
    with pytest.raises(DataError, match="has no column 'fare'. Did you mean 'fares'"):
        predictor.predict(pa.RecordBatch.from_pydict({"fares": [1.0]}), None)
    with pytest.raises(ModelError, match="fare.pkl fails on the data: Input X contains NaN"):
        predictor.predict(FEATURES, None)
    with pytest.raises(DataError, match="'fare' has 2 values in each row, and the model takes one"):
        predictor.predict(pa.RecordBatch.from_pydict({"fare": [[1.0, 2.0]]}), None)
