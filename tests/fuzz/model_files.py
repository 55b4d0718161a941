# SPDX-License-Identifier: Apache-2.0
"""Models by the files that say what they are: MLmodel, endings, first bytes, folders; nothing is unpickled.

The oracle: a folder that is not damaged is the kind of model that it was made as.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

from benison import models
from benison.errors import ModelError
from benison.models import digest, locate
from tests.fuzz import texts
from tests.fuzz.cases import Case, WrongError

_FLAVORS = (
    {
        "python_function": {
            "loader_module": "mlflow.sklearn",
            "model_path": "model.pkl",
            "data": "data",
        }
    },
    {
        "xgboost": {"data": "model.xgb", "xgb_version": "2.0"},
        "python_function": {"loader_module": "mlflow.xgboost"},
    },
    {"lightgbm": {"data": "model.lgb"}},
    {"onnx": {"data": "model.onnx"}},
    {"sklearn": {"pickled_model": "model.pkl", "code": None}},
    {"spark": {"model_data": "/tmp/x"}, "python_function": {"loader_module": "mlflow.spark"}},
    {"keras": None},
    {"python_function": {"loader_module": "os", "data": "../../etc"}},
)
_SIGNATURES = (
    None,
    {"inputs": json.dumps([{"name": "x", "type": "double"}]), "outputs": "[]"},
    {
        "inputs": json.dumps(
            [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
        )
    },
    {"inputs": "[", "outputs": None},
)
_FILES = {
    "model.xgb": b'{"learner": {}, "version": [2, 0, 0]}',
    "model.json": b'{"learner": {}}',
    "model.ubj": b"{L\x00",
    "model.lgb": b"tree\nversion=v4\n",
    "model.txt": b"tree\r\nx",
    "model.model": b"binf",
    "model.onnx": b"\x08\x07",
    "model.pkl": b"\x80\x04.",
    "model.joblib": b"\x80\x04.",
    "notes.txt": b"read me",
    "tflite": b"\x1c\x00\x00\x00TFL3",
    "model.tflite": b"\x1c\x00\x00\x00TFL3",
}
_KINDS = {
    ".json": "xgboost", ".ubj": "xgboost", ".onnx": "onnx", ".pkl": "sklearn", ".joblib": "sklearn",
    ".tflite": "tflite",
}  # fmt: skip
_UNSAFE = ("xgboost", "lightgbm", "tflite", "keras", "savedmodel")  # native code, or TensorFlow


def attempt(form: str, case: Case) -> None:
    """Recognize, digest and load a model."""
    folder = case.folder / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (_mlflow if case.chance(0.7) else _plain)(case, folder)


def _mlflow(case: Case, folder: Path) -> None:
    described: dict[str, Any] = {
        "flavors": case.random.choice(_FLAVORS),
        "mlflow_version": "2.14.0",
    }
    signature = case.random.choice(_SIGNATURES)
    if signature is not None:
        described["signature"] = signature
    text = texts.as_yaml(described)
    is_whole = case.chance(0.15)
    if not is_whole:
        text = texts.damaged(case.random, text)
    (folder / "MLmodel").write_bytes(text.encode("utf-8", "surrogatepass"))
    _some_files(case.random, folder)
    kind, path = locate.find(folder)
    if (kind, path) != ("mlflow", folder):
        raise WrongError(f"an MLflow folder is taken for {kind} at {path}")
    digest.digest_model(folder)
    models.load(folder)


def _some_files(random: Random, folder: Path) -> None:
    for name in random.sample(list(_FILES), random.randrange(4)):
        content = b"" if random.random() < 0.3 else _FILES[name]
        content = texts.damaged_bytes(random, content) if random.random() < 0.5 else content
        if content is not None and not name.endswith(
            (".xgb", ".lgb")
        ):  # their libraries are not ours
            (folder / name).write_bytes(content)


def _plain(case: Case, folder: Path) -> None:
    """Files in folders, some of versions or of TFX's."""
    below = case.random.choice(
        ("", "1", "1700000000", "Format-Serving", "serving_model_dir/2", "x", "١")
    )
    inner = folder / below
    inner.mkdir(parents=True, exist_ok=True)
    _some_files(case.random, inner)
    if case.chance(0.1):
        (folder / "12").write_text("a file with the name of a version")
    model_type = case.random.choice((*locate.TYPES, "", "", ""))
    names = sorted(path.name for path in inner.iterdir() if path.is_file())
    given = folder if case.chance(0.8) or not names else inner / case.random.choice(names)
    kind, path = locate.find(given, model_type)
    expected = _KINDS.get(path.suffix)
    if expected is not None and kind != expected:
        raise WrongError(f"{path} is taken for {kind}")
    digest.digest_model(path)
    if kind not in _UNSAFE:
        try:
            models.load(path, model_type=model_type)
        except ModelError as error:
            if kind == "sklearn" and "trust" not in str(error):
                raise WrongError(f"a pickle is refused for {error}") from error
            raise
