# SPDX-License-Identifier: Apache-2.0
"""TFX's artifacts on an object store: every input is read there, and every output is written there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

pytest.importorskip("tfx")

from tfx.dsl.io import filesystem, filesystem_registry
from tfx.types import artifact_utils, standard_artifacts

import benison
from benison.evaluator.component import Evaluator
from benison.evaluator.executor import Executor
from tests.conftest import taxi_like
from tests.evaluator.test_in_pipelines import model, pusher, tf, tfx
from tests.object_store import Bucket

pytestmark = pytest.mark.slow
__all__ = ["model", "tf", "tfx"]

BOUNDS = {
    "value_threshold": {"lower_bound": 0.1},
    "change_threshold": {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"},
}
CONFIG = {
    "model_specs": [{"label_key": "label"}],
    "metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": BOUNDS}]}],
}


@pytest.fixture
def stored(bucket: Bucket, tmp_path: Path, model: Path) -> Bucket:
    """A bucket with the artifacts that come before an Evaluator."""
    folder = tmp_path / "examples/Split-eval"
    folder.mkdir(parents=True)
    pq.write_table(taxi_like(300), folder / "data_parquet-00000-of-00001.parquet")
    bucket.upload(folder.parent, "examples")
    bucket.upload(model, "new")
    estimator = tmp_path / "old/serving_model_dir/export/exporter/1"
    estimator.parent.mkdir(parents=True)
    (model / "Format-Serving").rename(estimator)
    bucket.upload(tmp_path / "old", "old")
    return bucket


class Files(filesystem.Filesystem):  # type: ignore[misc]
    """What TFX asks of a file system, by Arrow's; TensorFlow's own has a plugin for each store."""

    SUPPORTED_SCHEMES = ("s3://", "gs://")
    store: Any = None

    @classmethod
    def key(cls, path: str) -> str:
        return path.partition("://")[2].removeprefix("anonymous@").rstrip("/")

    @classmethod
    def kind(cls, path: str) -> fs.FileType:
        return cls.store.get_file_info(cls.key(path)).type

    @classmethod
    def exists(cls, path: str) -> bool:
        return cls.kind(path) != fs.FileType.NotFound

    @classmethod
    def isdir(cls, path: str) -> bool:
        return cls.kind(path) == fs.FileType.Directory

    @classmethod
    def below(cls, path: str) -> list[fs.FileInfo]:
        # All, since Google's store has no folders, so that Arrow sees one by what is below it alone.
        selector = fs.FileSelector(f"{cls.key(path)}/", allow_not_found=True, recursive=True)
        return cls.store.get_file_info(selector)  # type: ignore[no-any-return]

    @classmethod
    def listdir(cls, path: str) -> list[str]:
        names = (info.path.removeprefix(f"{cls.key(path)}/") for info in cls.below(path))
        return [*dict.fromkeys(name.partition("/")[0] for name in names)]

    @classmethod
    def makedirs(cls, path: str) -> None:
        cls.store.create_dir(cls.key(path), recursive=True)

    mkdir = makedirs

    @classmethod
    def rmtree(cls, path: str) -> None:
        for info in cls.below(path):
            if info.is_file:
                cls.store.delete_file(info.path)

    @classmethod
    def copy(cls, src: str, dst: str, overwrite: bool = False) -> None:
        with cls.open(src, "rb") as source, cls.open(dst, "wb") as target:
            target.write(source.read())

    @classmethod
    def open(cls, path: str, mode: str = "r") -> Any:
        act = cls.store.open_input_file if "r" in mode else cls.store.open_output_stream
        file = act(cls.key(path))
        return file if "b" in mode else io.TextIOWrapper(file)

    @classmethod
    def walk(cls, top: str, topdown: bool = True, onerror: Any = None) -> Iterator[Any]:
        names = cls.listdir(top)
        folders = [name for name in names if cls.isdir(f"{top}/{name}")]
        yield top, folders, [name for name in names if name not in folders]
        for name in folders:
            yield from cls.walk(f"{top}/{name}")


@pytest.fixture
def in_tfx(stored: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """TFX itself opens the store, which it has to for the folders and the copies of a pipeline."""
    registry = filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY
    monkeypatch.setattr(Files, "store", stored.store)
    for scheme in Files.SUPPORTED_SCHEMES:
        monkeypatch.setitem(registry._preferred_filesystem_by_scheme, scheme, Files)


def artifact(kind: Any, uri: str, id_: int = 0, **properties: str) -> Any:
    made = kind()
    made.uri, made.id = uri, id_
    for name, value in properties.items():
        made.set_string_custom_property(name, value)
    return made


def examples(bucket: Bucket) -> Any:
    made = artifact(
        standard_artifacts.Examples,
        f"{bucket.address}/examples",
        payload_format="FORMAT_PARQUET",
    )
    made.split_names = artifact_utils.encode_split_names(["eval"])
    return made


@pytest.mark.parametrize("bucket", ["s3", "gs"], indirect=True)
def test_every_channel_is_on_the_store(stored: Bucket, in_folder: Path) -> None:
    """The baseline as estimators left it, and TensorFlow itself opens no address of this store."""
    at, kinds = stored.address, standard_artifacts
    old = artifact(kinds.Model, f"{at}/old", 2, tfx_version="0.22.0")
    old.mlmd_artifact.state = old.mlmd_artifact.LIVE  # of a version, as a store gives it
    given = {
        "examples": [examples(stored)],
        "model": [artifact(kinds.Model, f"{at}/new", 3)],
        "baseline_model": [old],
    }
    outputs = {
        "evaluation": [artifact(kinds.ModelEvaluation, f"{at}/evaluation/7")],
        "blessing": [artifact(kinds.ModelBlessing, f"{at}/blessing/7")],
    }
    Executor().Do(given, outputs, {"eval_config": json.dumps(CONFIG), "example_splits": "null"})
    (blessing,) = outputs["blessing"]
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_string_custom_property("baseline_model") == f"{at}/old"
    assert stored.names("blessing/7") == ["BLESSED"]
    assert {"BLESSED", "metrics.parquet", "report.html", "eval_config.json"} <= {
        *stored.names("evaluation/7")
    }
    result = benison.load_result(f"{at}/evaluation/7")
    paths = {m["is_baseline"]: m["path"] for m in result.manifest["models"]}
    assert paths[False] == f"{at}/new/Format-Serving"
    assert paths[True] == f"{at}/old/serving_model_dir/export/exporter/1"
    assert not [*in_folder.glob("s3*"), *in_folder.glob("gs*")]


@pytest.mark.parametrize("bucket", ["s3", "gs"], indirect=True)
def test_a_pipeline_whose_root_is_on_the_store_pushes_there(
    stored: Bucket, in_folder: Path, tfx: Any, in_tfx: None
) -> None:
    at, kinds = stored.address, tfx.types.standard_artifacts
    data = tfx.dsl.Importer(
        source_uri=f"{at}/examples",
        artifact_type=kinds.Examples,
        properties={"split_names": '["eval"]'},
        custom_properties={"payload_format": "FORMAT_PARQUET"},
    ).with_id("data")
    trained = tfx.dsl.Importer(source_uri=f"{at}/new", artifact_type=kinds.Model).with_id("trained")
    evaluator = Evaluator(data.outputs["result"], trained.outputs["result"], eval_config=CONFIG)
    blessing = evaluator.outputs["blessing"]
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="taxi",
        pipeline_root=f"{at}/root",
        components=[data, trained, evaluator, pusher(tfx, trained.outputs["result"], blessing, at)],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(in_folder / "m.db")
        ),
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)
    names = stored.names("root/Evaluator")
    assert [name for name in names if name.startswith("blessing/")] == ["blessing/3/BLESSED"]
    assert "evaluation/3/metrics.parquet" in names
    assert [name for name in stored.names("serving") if name.endswith("saved_model.pb")]
    assert [path.name for path in in_folder.iterdir() if path.name.endswith(":")] == []
