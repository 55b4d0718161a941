# SPDX-License-Identifier: Apache-2.0
"""Models in their frameworks' own files, trained here, against those frameworks' own answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison import models
from tests.conftest import config, taxi_like

TRIPS = taxi_like(500)
HOURS = TRIPS["hour"].to_numpy()
OLD = TRIPS["old_prediction"].to_numpy()
NAMES = ["hour", "old_prediction"]


def evaluated(path: Path, table: pa.Table = TRIPS, **more: Any) -> benison.EvalResult:
    asked = config("ExampleCount", "MeanPrediction", slices=({}, {"feature_keys": ["hour"]}))
    trusted = more.pop("trust_pickle", False)
    spec = {"label_key": "label", **more}
    return benison.evaluate(
        table, {**asked, "model_specs": [spec]}, model=path, trust_pickle=trusted
    )


def check(path: Path, expected: Any, table: pa.Table = TRIPS, **more: Any) -> None:
    """The mean of the predictions, over all rows and over those of an hour, is the library's own."""
    result = evaluated(path, table, **more)
    assert result.value("mean_prediction") == pytest.approx(np.mean(expected), rel=1e-6)
    of_hour = np.mean(np.asarray(expected)[table["hour"].to_numpy() == 6])
    assert result.value("mean_prediction", slice={"hour": 6}) == pytest.approx(of_hour, rel=1e-6)


# ONNX.


def onnx_model(
    path: Path, nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], **metadata: str
) -> Path:
    """A graph of nodes; inputs and outputs are (ONNX's number of a type, shape) by name."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    made = onnx.helper
    values = [
        [made.make_tensor_value_info(name, *kind) for name, kind in side.items()]
        for side in (inputs, outputs)
    ]
    graph = made.make_graph(nodes, "graph", *values)
    opsets = [made.make_opsetid("", 18), made.make_opsetid("ai.onnx.ml", 3)]
    model = made.make_model(graph, opset_imports=opsets, ir_version=9)
    if metadata:
        made.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def node(kind: str, inputs: list[str], outputs: list[str], **more: Any) -> Any:
    return pytest.importorskip("onnx").helper.make_node(kind, inputs, outputs, **more)


FLOAT, INT64, STRING = 1, 7, 8


def own_answer(path: Path, fed: dict[str, Any], output: str) -> Any:
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run([output], fed)[0]


def test_onnx_inputs_by_name_and_type(tmp_path: Path) -> None:
    nodes = [
        node("Cast", ["hour"], ["h"], to=FLOAT),
        node("Mul", ["h", "old_prediction"], ["score"]),
        node("LabelEncoder", ["company"], ["place"], domain="ai.onnx.ml",
             keys_strings=["company 0", "company 1"], values_floats=[10.0, 20.0], default_float=0.5),
    ]  # fmt: skip
    inputs = {
        "hour": (INT64, ["n"]),
        "old_prediction": (FLOAT, ["n"]),
        "company": (STRING, ["n", 1]),
    }
    path = onnx_model(
        tmp_path / "m.onnx", nodes, inputs, {"score": (FLOAT, ["n"]), "place": (FLOAT, ["n", 1])}
    )
    full = TRIPS.set_column(
        TRIPS.schema.get_field_index("company"), "company", TRIPS["company"].fill_null("none")
    )
    companies = np.array(full["company"].to_pylist(), dtype=object)[:, None]
    fed = {"hour": HOURS, "old_prediction": OLD.astype(np.float32), "company": companies}
    check(path, own_answer(path, fed, "score"), full, prediction_key="score")
    check(tmp_path, own_answer(path, fed, "place"), full, prediction_key="place", model_type="onnx")
    with pytest.raises(
        benison.DataError, match="'company' is missing in .* rows, and the model takes str"
    ):
        evaluated(path, TRIPS, prediction_key="score")


def test_onnx_one_table_of_features(tmp_path: Path) -> None:
    nodes = [node("Softmax", ["x"], ["y"], axis=1)]
    shapes = {"x": (FLOAT, ["n", 2])}, {"y": (FLOAT, ["n", 2])}
    listed = onnx_model(tmp_path / "listed.onnx", nodes, *shapes, feature_names=json.dumps(NAMES))
    commas = onnx_model(
        tmp_path / "commas.onnx", nodes, *shapes, feature_names="hour, old_prediction"
    )
    nameless = onnx_model(tmp_path / "nameless.onnx", nodes, *shapes)
    x = np.stack([HOURS, OLD], axis=1).astype(np.float32)
    expected = own_answer(nameless, {"x": x}, "y")
    batch = TRIPS.combine_chunks().to_batches()[0]
    for path in (listed, commas):
        np.testing.assert_array_equal(models.load(path).predict(batch, None)["y"], expected)
    column = pa.RecordBatch.from_pydict({"x": x.tolist()})
    np.testing.assert_array_equal(models.load(nameless).predict(column, None)["y"], expected)
    with pytest.raises(
        benison.DataError, match="'x' of the ONNX model .* takes 2 numbers, .* feature_names"
    ):
        models.load(nameless).predict(batch, None)
    wrong = onnx_model(tmp_path / "wrong.onnx", nodes, *shapes, feature_names="hour")
    with pytest.raises(
        benison.ModelError, match="takes 2 numbers in its input 'x', and 1 features are named"
    ):
        models.load(wrong).predict(batch, None)


def test_onnx_maps_of_scikit_learns_converter(tmp_path: Path) -> None:
    nodes = [
        node("Softmax", ["x"], ["p"], axis=1),
        node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]),
    ]
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    kind = onnx.helper.make_sequence_type_proto(
        onnx.helper.make_map_type_proto(INT64, onnx.helper.make_tensor_type_proto(FLOAT, None))
    )
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("x", FLOAT, ["n", 2])],
        [onnx.helper.make_value_info("probabilities", kind)],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    x = np.stack([HOURS, OLD], axis=1).astype(np.float32)
    rows = own_answer(path, {"x": x}, "probabilities")
    actual = models.load(path).predict(pa.RecordBatch.from_pydict({"x": x.tolist()}), None)
    np.testing.assert_array_equal(actual["probabilities"], [[row[0], row[1]] for row in rows])


@pytest.mark.parametrize("rows", [1, 64])
def test_onnx_with_a_fixed_number_of_rows(tmp_path: Path, rows: int) -> None:
    nodes = [node("Mul", ["hour", "old_prediction"], ["y"])]
    shape = (FLOAT, [rows])
    path = onnx_model(
        tmp_path / "m.onnx", nodes, {"hour": shape, "old_prediction": shape}, {"y": shape}
    )
    check(path, HOURS * OLD.astype(np.float32))


def test_what_onnx_refuses(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["hour", "two"], ["y"])]
    path = onnx_model(
        tmp_path / "m.onnx",
        nodes,
        {"hour": (FLOAT, ["n"]), "two": (INT64, [1])},
        {"y": (FLOAT, ["m"])},
    )
    with pytest.raises(benison.DataError, match="no column 'two'"):
        evaluated(path)
    batch = pa.RecordBatch.from_pydict({"hour": [1.0, 2.0], "two": [3, 3]})
    with pytest.raises(
        benison.ModelError, match="The ONNX model .* fails on the data: .*ONNXRuntimeError"
    ):
        models.load(path).predict(batch, None)
    (tmp_path / "bad.onnx").write_bytes(b"junk")
    with pytest.raises(benison.ModelError, match=r"The ONNX model .*bad.onnx cannot be loaded: \S"):
        models.load(tmp_path / "bad.onnx")
    with pytest.raises(
        benison.ModelError, match="holds several models: bad.onnx, m.onnx. Give the path"
    ):
        models.load(tmp_path)


# Paths, and what is not installed.


@pytest.mark.parametrize(
    ("name", "hidden", "extra"),
    [
        ("m.onnx", ["onnxruntime"], "onnx"),
        ("m.ubj", ["xgboost"], "xgboost"),
        ("m.json", ["xgboost"], "xgboost"),
        ("m.txt", ["lightgbm"], "lightgbm"),
        (
            "m.tflite",
            ["ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter"],
            "tflite",
        ),
    ],
)
def test_missing_framework(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hidden: list[str], extra: str
) -> None:
    for module in hidden:
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(benison.MissingExtraError, match=rf"pip install 'benison\[{extra}\]'"):
        models.load(tmp_path / name)


def test_mlflow_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    flavor = "flavors: {python_function: {loader_module: mlflow.statsmodels}}"
    (tmp_path / "MLmodel").write_text(flavor)
    with pytest.raises(benison.MissingExtraError, match=r"pip install 'benison\[mlflow\]'"):
        models.load(tmp_path, trust_pickle=True)


@pytest.mark.parametrize("location", ["", "Format-Serving", "serving_model_dir/12", "3"])
def test_where_a_file_may_lie(tmp_path: Path, location: str) -> None:
    folder = tmp_path / location
    folder.mkdir(parents=True, exist_ok=True)
    shape = (FLOAT, ["n"])
    onnx_model(folder / "m.onnx", [node("Neg", ["hour"], ["y"])], {"hour": shape}, {"y": shape})
    (folder / "notes.txt").write_text("Trained by hand.")
    check(tmp_path, -HOURS)


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": 1}')
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(benison.ModelError) as raised:
        models.load(tmp_path)
    assert "is not a model: it holds config.json, notes.txt. Give a SavedModel" in str(raised.value)
    assert ".keras, .onnx, .tflite, .ubj, .json, .model, .txt, .pkl" in str(raised.value)
    with pytest.raises(
        benison.ModelError, match="is not a model of the type tf_lite: .* ends in .tflite"
    ):
        models.load(tmp_path, model_type="tf_lite")


# How many rows in a call.


def test_memory_that_runs_out_is_said_once_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A graph that needs, for n rows, n to the tenth / 16 numbers: 256 GB for 16, 256 MB for 8."""
    onnx = pytest.importorskip("onnx")
    powers = [("n", "n", "n2"), ("n2", "n2", "n4"), ("n4", "n4", "n8"), ("n8", "n2", "n10")]
    nodes = [
        node("Shape", ["hour"], ["n"]),
        *(node("Mul", [a, b], [product]) for a, b, product in powers),
        node("Div", ["n10", "sixteen"], ["size"]),
        node("ConstantOfShape", ["size"], ["zeros"]),
        node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        node("Add", ["hour", "zero"], ["y"]),
    ]
    shape = (FLOAT, ["n"])
    path = onnx_model(tmp_path / "m.onnx", nodes, {"hour": shape}, {"y": shape})
    model = onnx.load(path)
    model.graph.initializer.append(onnx.helper.make_tensor("sixteen", INT64, [1], [16]))
    onnx.save(model, path)
    result = evaluated(path, TRIPS.slice(0, 40), inference_batch_size=32)
    assert result.value("mean_prediction") == pytest.approx(HOURS[:40].mean(), rel=1e-6)
    message = [record.getMessage() for record in caplog.records if "Memory ran out" in record.msg]
    assert message == [
        "Memory ran out when the model was called on 32 rows at once; from now on it is called on half as "
        "many, and on fewer if that is still too much."
    ]


def test_wide_rows_are_fed_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of rows in a call is an output of this graph."""
    from benison.models import calls as slices

    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "first"], ["rows"], axis=0),
        node("Cast", ["rows"], ["number"], to=FLOAT),
        node("ReduceSum", ["x", "last"], ["sum"], keepdims=0),
        node("Mul", ["sum", "zero"], ["zeros"]),
        node("Add", ["zeros", "number"], ["y"]),
    ]
    onnx = pytest.importorskip("onnx")
    path = onnx_model(tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["n", 4])}, {"y": (FLOAT, ["n"])})
    model = onnx.load(path)
    made = onnx.helper.make_tensor
    model.graph.initializer.extend(
        [
            made("first", INT64, [], [0]),
            made("last", INT64, [1], [1]),
            made("zero", FLOAT, [], [0.0]),
        ]
    )
    onnx.save(model, path)
    batch = pa.RecordBatch.from_pydict({"x": [[1.0, 2.0, 3.0, 4.0]] * 20})
    predictor = models.load(path)
    assert set(predictor.predict(batch, None)["y"]) == {20}
    monkeypatch.setattr(slices, "CALL_BYTES", 7 * 16)  # of seven rows
    assert predictor.predict(batch, None)["y"].tolist() == [4] * 20
    assert models.load(path, rows=3).predict(batch, None)["y"].tolist() == [3] * 18 + [2] * 2
