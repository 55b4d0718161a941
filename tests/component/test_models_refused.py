# SPDX-License-Identifier: Apache-2.0
"""Models that would be guessed at, or that reach out of their framework: refused before they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison import models
from benison.errors import DataError, ModelError
from benison.models.arrays import as_examples

TEXTS = pa.table({"text": ["a b", "c"], "label": [1.0, 0.0]})
BATCH = TEXTS.to_batches()[0]


@pytest.fixture(scope="module")
def tf() -> Any:
    pytest.importorskip("tensorflow")
    from benison.models.savedmodel import tensorflow

    return tensorflow()


@pytest.fixture
def save(tf: Any, tmp_path: Path) -> Callable[..., Path]:
    """Save a function of one input as the signature of a SavedModel."""

    def saved(
        body: Any, name: str = "text_in", shape: Any = (None,), kind: Any = tf.string
    ) -> Path:
        spec = tf.TensorSpec(list(shape), kind, name)
        call = tf.function(body, input_signature=[spec], autograph=False)
        tf.saved_model.save(tf.Module(), str(tmp_path / "model"), signatures=call)
        return tmp_path / "model"

    return saved


def config(**model: Any) -> dict[str, Any]:
    return {
        "model_specs": [{"label_key": "label", **model}],
        "metrics_specs": [{"metrics": [{"class_name": "MeanPrediction"}]}],
    }


# An input that is not in the data.


@pytest.mark.parametrize("shape", [(None,), (None, 1)], ids=str)
def test_text_that_a_graph_does_not_parse_is_a_column(
    tf: Any, save: Callable[..., Path], shape: Any
) -> None:
    path = save(
        lambda text_in: {"n": tf.reshape(tf.cast(tf.strings.length(text_in), tf.float32), [-1])},
        shape=shape,
    )
    with pytest.raises(DataError, match="has no column 'text_in'. Did you mean 'text'?"):
        benison.evaluate(TEXTS, config(), model=path)
    predictor = models.load(path)
    assert not predictor.takes_examples
    with pytest.raises(DataError, match="have no column 'text_in'|has no column 'text_in'"):
        predictor.predict(BATCH, pa.array([b"x", b"y"]))
    renamed = TEXTS.rename_columns(["text_in", "label"])
    assert benison.evaluate(renamed, config(), model=path).value("mean_prediction") == 2.0


@pytest.mark.parametrize("nested", [False, True])
def test_examples_are_serialized_for_a_graph_that_parses_them(
    tf: Any, save: Callable[..., Path], nested: bool
) -> None:
    pytest.importorskip("tfx_bsl")
    spec = {"label": tf.io.FixedLenFeature([], tf.float32)}

    def parse(serialized: Any) -> Any:
        return {"y": tf.io.parse_example(serialized, spec)["label"]}

    inner = tf.function(parse, autograph=False) if nested else parse
    predictor = models.load(save(lambda serialized: inner(serialized), "serialized"))
    assert predictor.takes_examples
    for given in (None, pa.array(as_examples(BATCH), pa.binary())):
        np.testing.assert_array_equal(predictor.predict(BATCH, given)["y"], [1, 0])


def test_a_keras_text_model_names_what_is_near(tf: Any, tmp_path: Path) -> None:
    keras = tf.keras
    text = keras.Input((1,), name="text_in", dtype="string")
    lookup = keras.layers.StringLookup(vocabulary=["a b", "c"])(text)
    model = keras.Model(text, lookup)
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    for path in (tmp_path / "model.keras", tmp_path / "exported"):
        with pytest.raises(DataError, match="no column 'text_in'.* Did you mean 'text'?"):
            benison.evaluate(TEXTS, config(), model=path)
        with pytest.raises(DataError, match="no column 'text_in'.* Did you mean 'text'?"):
            models.load(path).predict(BATCH, None)


def test_a_preprocessing_function_of_text_is_not_given_examples(tf: Any, tmp_path: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.string, "text_in")

    @tf.function(input_signature=[spec], autograph=False)
    def shout(text_in: Any) -> Any:
        return {"loud": tf.strings.upper(text_in)}

    module.unnamed = shout
    scores = tf.function(
        lambda label: {"y": label}, input_signature=[tf.TensorSpec([None], tf.float32, "label")]
    )
    tf.saved_model.save(
        module, str(tmp_path), signatures={"serving_default": scores, "shout": shout}
    )
    with pytest.raises(DataError, match="has no column 'text_in'. Did you mean 'text'?"):
        benison.evaluate(TEXTS, config(preprocessing_function_names=["shout"]), model=tmp_path)
    with pytest.raises(ModelError, match="takes text without a name and does not parse it"):
        benison.evaluate(TEXTS, config(preprocessing_function_names=["unnamed"]), model=tmp_path)


# Graphs that reach out.


def test_a_graph_that_writes_files_is_refused_before_it_is_loaded(
    tf: Any, save: Callable[..., Path], tmp_path: Path
) -> None:
    target = str(tmp_path / "written")

    def scores(x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(target, "by the model")]):
            return {"y": tf.identity(x)}

    path = save(scores, "x", kind=tf.float32)
    features = pa.RecordBatch.from_pydict({"x": pa.array([1.0], pa.float32())})
    with pytest.raises(ModelError) as raised:
        models.load(path).predict(features, None)
    assert f"The SavedModel {path} has the ops WriteFile, which read or write files" in str(
        raised.value
    )
    assert "--trust-ops (trust_ops=True)" in str(raised.value)
    assert not (tmp_path / "written").exists()
    assert models.load(path, trust_ops=True).predict(features, None)["y"].tolist() == [1]
    assert (tmp_path / "written").read_text() == "by the model"


def bodies(tf: Any, location: str) -> dict[str, Any]:
    def through(op: Any) -> Any:
        def body(x: Any) -> Any:
            with tf.control_dependencies([op(x)]):
                return {"y": tf.identity(x)}

        return body

    return {
        "ReadFile": through(lambda x: tf.io.read_file(location)),
        "MatchingFiles": through(lambda x: tf.io.matching_files(f"{location}/*")),
        "EagerPyFunc": through(lambda x: tf.py_function(lambda v: v, [x], tf.float32)),
        "PyFunc": through(lambda x: tf.numpy_function(lambda v: v, [x], tf.float32)),
        "PrintV2 to a file": through(lambda x: tf.print(x, output_stream=f"file://{location}")),
        "SaveV2": through(lambda x: tf.raw_ops.SaveV2(
            prefix=location, tensor_names=["x"], shape_and_slices=[""], tensors=[x])),
        "RestoreV2": through(lambda x: tf.raw_ops.RestoreV2(
            prefix=location, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])[0]),
        "TextLineDataset": through(lambda x: tf.data.TextLineDataset(location).reduce(0.0, lambda a, b: a)),
        "WriteFile": lambda x: {"y": tf.map_fn(
            lambda v: tf.cond(v > 0, lambda: through(lambda x: tf.io.write_file(location, "x"))(v)["y"],
                              lambda: v), x)},
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "op",
    ["ReadFile", "MatchingFiles", "EagerPyFunc", "PyFunc", "PrintV2 to a file", "SaveV2", "RestoreV2",
     "TextLineDataset", "WriteFile"],
)  # fmt: skip
def test_whatever_reaches_out_is_refused_however_deep(
    tf: Any, save: Callable[..., Path], tmp_path: Path, op: str
) -> None:
    path = save(bodies(tf, str(tmp_path / "x"))[op], "x", kind=tf.float32)
    with pytest.raises(ModelError, match=rf"has the ops .*{op}"):
        models.load(path)


def test_what_runs_when_a_model_is_loaded_is_refused(tf: Any, tmp_path: Path) -> None:
    class Initializer(tf.lookup.KeyValueTensorInitializer):  # type: ignore[misc, name-defined]
        def initialize(self, table: Any) -> Any:
            with tf.control_dependencies([tf.io.write_file(str(tmp_path / "written"), "on load")]):
                return super().initialize(table)

    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(Initializer(["a"], [1.0]), 0.0)
    (tmp_path / "written").unlink()
    spec = tf.TensorSpec([None], tf.string, "x")
    call = tf.function(lambda x: {"y": module.table.lookup(x)}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=call)
    with pytest.raises(ModelError, match="has the ops WriteFile"):
        models.load(tmp_path / "model")
    assert not (tmp_path / "written").exists()


def test_a_vocabulary_among_the_assets_is_no_reaching_out(tf: Any, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a b\nc\n")
    module = tf.Module()
    module.table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(tmp_path / "words.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        ), 1,
    )  # fmt: skip
    module.weight = tf.Variable(2.0)
    spec = tf.TensorSpec([None], tf.string, "text")
    call = tf.function(
        lambda text: {"y": tf.cast(module.table.lookup(text), tf.float32) * module.weight},
        input_signature=[spec],
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=call)
    assert models.load(tmp_path / "model").predict(BATCH, None)["y"].tolist() == [0, 2]


def test_tflite_with_ops_of_tensorflow_is_looked_at(tf: Any, save: Callable[..., Path]) -> None:
    def scores(x: Any) -> Any:
        return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}

    path = save(scores, "x", kind=tf.float32)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(path))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    file = path.parent / "model.tflite"
    file.write_bytes(converter.convert())
    assert b"FlexReadFile" in file.read_bytes()
    with pytest.raises(ModelError, match="has the ops ReadFile"):
        models.load(file)
