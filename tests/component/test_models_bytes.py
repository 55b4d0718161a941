# SPDX-License-Identifier: Apache-2.0
"""A blessing covers every byte of a model that was loaded, and only bytes that were loaded."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benison
from benison import models
from benison.errors import ModelError, OutputError
from benison.models import onnx as leaf
from benison.models.digest import digest_model
from benison.output import blessing
from benison.paths import locate
from tests.conftest import config, taxi_like
from tests.object_store import Bucket

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

TRIPS = taxi_like(200)
CONFIG = {
    **config("MeanPrediction"),
    "model_specs": [{"label_key": "label", "prediction_key": "y"}],
}
FLOAT = onnx.TensorProto.FLOAT


def weights(location: str, name: str = "w") -> Any:
    """A tensor of one number, which is in another file."""
    tensor = onnx.TensorProto(name=name, data_type=FLOAT, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def save(path: Path, location: str = "w.data", weight: float = 2.0) -> Path:
    """A model that multiplies by a weight, which is in the file beside it."""
    make = onnx.helper
    graph = make.make_graph(
        [make.make_node("Mul", ["prediction", "w"], ["y"])],
        "graph",
        [make.make_tensor_value_info("prediction", FLOAT, ["n"])],
        [make.make_tensor_value_info("y", FLOAT, ["n"])],
        [weights(location)],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    file = path.parent / location
    file.parent.mkdir(parents=True, exist_ok=True)
    np.array([weight], np.float32).tofile(file)
    return path


def evaluated(model: Any, output: Any = None, **more: Any) -> benison.EvalResult:
    return benison.evaluate(TRIPS, CONFIG, model=model, output=output, **more)


# What the digest covers.


def test_weights_beside_a_file_are_part_of_it(tmp_path: Path) -> None:
    path = save(tmp_path / "m" / "model.onnx", "parts/w.data")
    result = evaluated(path, tmp_path / "out")
    (record,) = result.manifest["models"]
    assert sorted(record["files"]) == ["", "parts/w.data"]
    blessing.verify(tmp_path / "out")
    shutil.copytree(tmp_path / "m", tmp_path / "served")
    blessing.verify(tmp_path / "out", tmp_path / "served" / "model.onnx")
    np.array([3.0], np.float32).tofile(tmp_path / "served" / "parts" / "w.data")
    with pytest.raises(OutputError, match=r"served/parts/w\.data was changed since"):
        blessing.verify(tmp_path / "out", tmp_path / "served" / "model.onnx")
    (tmp_path / "m" / "parts" / "w.data").unlink()
    with pytest.raises(OutputError, match=r"model\.onnx cannot be read: .*w\.data"):
        blessing.verify(tmp_path / "out")


def test_the_file_by_which_a_folder_is_known_stands_for_the_folder(tmp_path: Path) -> None:
    for marker in ("saved_model.pb", "MLmodel"):
        folder = tmp_path / f"of-{marker}"
        (folder / "variables").mkdir(parents=True)
        (folder / marker).write_bytes(b"graph")
        (folder / "variables" / "data").write_bytes(b"weights")
        assert digest_model(folder / marker) == digest_model(folder)
        assert sorted(digest_model(folder)) == sorted([marker, "variables/data"])


def test_arrays_that_old_joblib_wrote_beside_a_pickle_are_part_of_it(tmp_path: Path) -> None:
    for name in ("m.pkl", "m.pkl_01.npy", "m.pkl_02.npy.z", "m.pkl_notes.npy", "other.pkl_01.npy"):
        (tmp_path / name).write_bytes(name.encode())
    assert sorted(digest_model(tmp_path / "m.pkl")) == ["", "m.pkl_01.npy", "m.pkl_02.npy.z"]


def constant(tensor: Any) -> Any:
    return onnx.helper.make_node("Constant", [], ["c"], value=tensor)


def nested(tensor: Any) -> Any:
    inner = onnx.helper.make_graph([constant(tensor)], "inner", [], [])
    return onnx.helper.make_node("If", ["a"], ["b"], then_branch=inner, else_branch=inner)


def of_function(model: Any, tensor: Any) -> None:
    node = constant(tensor)
    made = onnx.helper.make_function("d", "f", [], ["c"], [node], [])
    model.functions.append(made)


def sparse(model: Any, tensor: Any) -> None:
    indices = onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [1], [0])
    kept = onnx.helper.make_sparse_tensor(tensor, indices, [9])
    model.graph.sparse_initializer.append(kept)


PLACES: dict[str, Callable[[Any, Any], object]] = {
    "initializer": lambda model, tensor: model.graph.initializer.append(tensor),
    "constant": lambda model, tensor: model.graph.node.append(constant(tensor)),
    "subgraph": lambda model, tensor: model.graph.node.append(nested(tensor)),
    "function": of_function,
    "sparse": sparse,
    "training": lambda model, tensor: model.training_info.add().initialization.initializer.append(
        tensor
    ),
}


@pytest.mark.parametrize("location", PLACES)
def test_weights_are_seen_wherever_onnx_holds_tensors(location: str, tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(b"1234")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "graph", [], []))
    PLACES[location](model, weights("./w.data"))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert sorted(digest_model(tmp_path / "m.onnx")) == ["", "w.data"]


def test_a_name_that_a_tensor_only_mentions_is_none(tmp_path: Path) -> None:
    model = onnx.helper.make_model(onnx.helper.make_graph([], "location", [], []))
    tensor = weights("../w.data")
    tensor.data_location = onnx.TensorProto.DEFAULT
    model.graph.initializer.append(tensor)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert list(digest_model(tmp_path / "m.onnx")) == [""]
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString()[:-1])
    with pytest.raises(ModelError, match=r"m\.onnx cannot be read: it is damaged\."):
        digest_model(tmp_path / "m.onnx")


# Paths that leave the model.


@pytest.mark.parametrize("location", ["../w.data", "a/../../w.data", "{root}/w.data"])
def test_weights_outside_of_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    path = save(tmp_path / "m" / "model.onnx", location.format(root=tmp_path))
    sentence = r"names the file '.*w\.data', which is outside of its folder"
    for model in (path, path.parent):
        with pytest.raises(ModelError, match=sentence):
            evaluated(model, tmp_path / "out")
    with pytest.raises(ModelError, match=sentence):
        models.load(path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flavor",
    [
        "onnx: {data: ../m/model.onnx}",
        "onnx: {data: '{root}/m/model.onnx'}",
        "sklearn: {pickled_model: ../model.pkl}",
        "python_function: {loader_module: mlflow.sklearn, model_path: ../model.pkl}",
        "python_function: {loader_module: mlflow.pyfunc.model, artifacts: {a: {path: ../x}}}",
    ],
)
def test_an_mlflow_folder_whose_data_lie_outside_is_refused(flavor: str, tmp_path: Path) -> None:
    save(tmp_path / "m" / "model.onnx")
    (tmp_path / "mlflow").mkdir()
    text = f"flavors: {{{flavor}}}".replace("{root}", str(tmp_path))
    (tmp_path / "mlflow" / "MLmodel").write_text(text)
    with pytest.raises(ModelError, match="which is outside of its folder"):
        models.load(tmp_path / "mlflow", trust_pickle=True)


def test_where_an_mlflow_artifact_was_copied_from_does_not_matter(tmp_path: Path) -> None:
    save(tmp_path / "mlflow" / "model.onnx")
    text = "flavors: {onnx: {data: model.onnx}, python_function: {artifacts: {a: {uri: /x/y}}}}"
    (tmp_path / "mlflow" / "MLmodel").write_text(text)
    result = evaluated(tmp_path / "mlflow" / "MLmodel", tmp_path / "out")
    (record,) = result.manifest["models"]
    assert record["path"] == str(tmp_path / "mlflow")
    assert sorted(record["files"]) == ["MLmodel", "model.onnx", "w.data"]


# A model that is changed meanwhile.


def swap_file(folder: Path, other: Path) -> Callable[[], None]:
    (folder / "w.data").rename(folder / "kept")
    shutil.copy(other / "w.data", folder / "w.data")
    return lambda: (folder / "kept").replace(folder / "w.data") and None


def rewrite_file(folder: Path, other: Path) -> Callable[[], None]:
    file, stat = folder / "w.data", (folder / "w.data").stat()
    content = file.read_bytes()
    file.write_bytes((other / "w.data").read_bytes())

    def restore() -> None:
        file.write_bytes(content)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return restore


def swap_folder(folder: Path, other: Path) -> Callable[[], None]:
    kept = folder.with_name("kept")
    folder.rename(kept)
    other.rename(folder)

    def restore() -> None:
        folder.rename(other)
        kept.rename(folder)

    return restore


def swap_parent(folder: Path, other: Path) -> Callable[[], None]:
    parent = folder.parent
    kept = parent.with_name("kept")
    parent.rename(kept)
    shutil.copytree(kept / other.name, folder)

    def restore() -> None:
        shutil.rmtree(parent)
        kept.rename(parent)

    return restore


SWAPS = (swap_file, rewrite_file, swap_folder, swap_parent)


@pytest.mark.parametrize("target", ["folder", "file"])
@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.__name__)
def test_a_model_that_is_swapped_for_the_load_and_swapped_back_is_noticed(
    swap: Any, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "m"
    path = save(folder / "model.onnx")
    save(tmp_path / "models" / "other" / "model.onnx", weight=5.0)
    load = leaf.load

    def swapped(*arguments: Any) -> Any:
        restore = swap(folder, folder.with_name("other"))
        try:
            return load(*arguments)
        finally:
            restore()

    monkeypatch.setattr(leaf, "load", swapped)
    with pytest.raises(ModelError, match=r"was changed while it was loaded"):
        evaluated(folder if target == "folder" else path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(leaf, "load", load)
    assert evaluated(path).value("mean_prediction") == pytest.approx(
        2 * np.mean(TRIPS["prediction"]), rel=1e-6
    )


def test_a_model_that_is_changed_between_digest_and_load_is_not_loaded(tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx")
    digests = digest_model(path)
    models.load(path, expected=digests)
    np.array([3.0], np.float32).tofile(tmp_path / "w.data")
    with pytest.raises(ModelError, match="was changed since it was digested"):
        models.load(path, expected=digests)


def test_other_files_beside_a_model_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "m" / "model.onnx")
    (tmp_path / "m" / "gone").symlink_to(tmp_path / "nowhere")
    load = leaf.load

    def busy(*arguments: Any) -> Any:
        (tmp_path / "m" / "notes.txt").write_text("new")
        (tmp_path / "new").mkdir()
        return load(*arguments)

    monkeypatch.setattr(leaf, "load", busy)
    evaluated(path)


# Models on an object store.


def test_a_model_on_an_object_store_is_copied_digested_and_loaded(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    path = save(tmp_path / "m" / "model.onnx")
    address = bucket.upload(path.parent, "models/m")
    expected = evaluated(path)
    for model in (address, f"{address}/model.onnx", f"{address}/model.onnx{bucket.query}"):
        output = f"{bucket.address}/out-{len(model)}"
        result = evaluated(model, output)
        assert result.value("mean_prediction") == expected.value("mean_prediction")
        (record,) = result.manifest["models"]
        assert record["path"] == model
        assert record["files"] == digest_model(path if ".onnx" in model else path.parent)
        blessing.verify(locate(output))
        blessing.verify(locate(output), path if ".onnx" in model else path.parent)
    bucket.write("models/m/w.data", b"abcd")
    with pytest.raises(OutputError, match=r"s3://.*/models/m/w\.data\S* was changed since"):
        blessing.verify(locate(output))
    assert not list((tmp_path / "temp").iterdir())


def test_a_worker_keeps_a_copy_as_long_as_its_model(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    path = save(tmp_path / "m" / "model.onnx")
    address = bucket.upload(path.parent, "models/m")
    predictor = models.load(f"{address}/model.onnx", expected=digest_model(path))
    assert list((tmp_path / "temp").iterdir())
    del predictor
    assert not list((tmp_path / "temp").iterdir())
    with pytest.raises(ModelError, match="was changed since it was digested"):
        models.load(f"{address}/model.onnx", expected={"": "0"})
    for missing in (f"{address}/none.onnx", f"{bucket.address}/nowhere"):
        with pytest.raises(ModelError, match=r"There is no model at s3://"):
            models.load(missing)
    bucket.write("models/bad.onnx", b"bad")
    with pytest.raises(ModelError, match=r"s3://.*/bad\.onnx"):
        models.load(f"{bucket.address}/models/bad.onnx")
    assert not list((tmp_path / "temp").iterdir())


def test_a_baseline_and_a_candidate_may_be_in_different_places(
    bucket: Bucket, tmp_path: Path
) -> None:
    path = save(tmp_path / "m" / "model.onnx")
    address = bucket.upload(path.parent, "models/m")
    spec = CONFIG["model_specs"][0]
    both = [{**spec, "name": "new"}, {**spec, "name": "old", "is_baseline": True}]
    result = benison.evaluate(
        TRIPS, {**CONFIG, "model_specs": both}, model=path, baseline=f"{address}/model.onnx"
    )
    assert [m["path"] for m in result.manifest["models"]] == [str(path), f"{address}/model.onnx"]
    assert json.dumps(result.manifest["models"][0]["files"]) == json.dumps(
        result.manifest["models"][1]["files"]
    )
