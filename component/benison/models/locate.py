# SPDX-License-Identifier: Apache-2.0
"""Recognizes which kind of model a path holds, and where in a directory the model is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benison.errors import ModelError

# The file that marks a directory as a model, in the order in which they are looked for.
DESCRIPTION = "benison-model.json"
FOLDERS = {"mlflow": "MLmodel", "savedmodel": "saved_model.pb", "described": DESCRIPTION}

# The endings of model files; a kind is the name of the module that loads it.
FILES = {
    "keras": (".keras",),
    "onnx": (".onnx",),
    "tflite": (".tflite",),
    "xgboost": (".ubj", ".json", ".model"),
    "lightgbm": (".txt", ".model"),
    "sklearn": (".pkl", ".pickle", ".joblib"),
    "catboost": (".cbm",),
    "pytorch": (".pt2", ".pt"),
    "jax": (".jax",),
}

# Endings that other files have too, which are told apart by their first bytes.
_SHARED = (".json", ".model", ".txt")
_HEADS = {
    "xgboost": re.compile(rb"\s*\{.{0,40}(learner|version)", re.DOTALL),
    "lightgbm": re.compile(rb"tree\r?\n"),
}

_TENSORFLOW = ("savedmodel", "keras")

TYPES: dict[str, tuple[str, ...]] = {
    "": (*FOLDERS, *FILES),
    "tf_keras": _TENSORFLOW,
    "tf_generic": _TENSORFLOW,
    "tf_estimator": _TENSORFLOW,
    "tf_lite": ("tflite",),
    "materialized_prediction": (*FOLDERS, *FILES),
    **{kind: (kind,) for kind in (*FILES, "mlflow") if kind not in ("keras", "tflite")},
}
"""The kinds of model by the `model_type` of a config: TFMA's names, and one for each framework."""

# Where TFX's Trainer puts what is served: since 0.29, and before.
TFX_FOLDERS = ("Format-Serving", "serving_model_dir")


def find(path: Path, model_type: str = "") -> tuple[str, Path]:
    """The kind of a model, and where it is: the path itself, what TFX serves, or the newest version.

    Raises:
        ModelError: There is no model of that type, or there are several.
    """
    kinds = TYPES[model_type]
    if path.name in FOLDERS.values():
        path = path.parent
    if path.is_file():
        if kind := _kind_of(path, kinds):
            return kind, path
    else:
        for folder in (path, *(path / name for name in TFX_FOLDERS)):
            for directory in (folder, *_versions(folder)):
                if candidates := _in_folder(directory, kinds):
                    return _only(candidates, directory)
    raise ModelError(
        f"{path} is not a model{f' of the type {model_type}' if model_type else ''}: {_holds(path)}. "
        f"{_way_round(path)}Give {_supported(kinds)}."
    )


_OTHERS = {
    (
        ".pth",
        ".ckpt",
    ): "PyTorch writes programs with torch.export.save(..., 'model.pt2')",
    (".h5", ".hdf5"): "Keras writes its own format with model.save('model.keras')",
    (".rds", ".pmml", ".gguf", ".safetensors", ".mlmodel", ".jar", ".zip"): "",
}


def _way_round(path: Path) -> str:
    """What to do with a file of a kind that is known and not loaded, as sentences; "" for others."""
    for endings, way in _OTHERS.items():
        if path.suffix.lower() in endings:
            export = f"{way}. " if way else ""
            return (
                f"{export}A folder with a {DESCRIPTION} is a model too, by a command that scores, such as "
                f'{{"command": ["python", "score.py"]}}; and so is a function in Python. '
            )
    return ""


def _in_folder(folder: Path, kinds: Sequence[str]) -> list[tuple[str, Path]]:
    """The directory itself, if it is a model, else the files in it that are."""
    for kind, marker in FOLDERS.items():
        if kind in kinds and (folder / marker).is_file():
            return [(kind, folder)]
    files = sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []
    kinds_of = ((_kind_of(file, kinds, sure=True), file) for file in files)
    return [(kind, file) for kind, file in kinds_of if kind]


def _kind_of(file: Path, kinds: Sequence[str], sure: bool = False) -> str | None:
    """The kind of model that a file is: by its ending, and by its first bytes where that is not enough."""
    suffix = file.suffix.lower()
    if file.name == "tflite":  # TFMA's name for it
        suffix = ".tflite"
    fitting = [kind for kind in kinds if suffix in FILES.get(kind, ())]
    if suffix in _SHARED and (sure or len(fitting) > 1):
        with file.open("rb") as opened:
            head = opened.read(64)
        fitting = [kind for kind in fitting if _HEADS[kind].match(head)]
    return fitting[0] if fitting else None


def _only(candidates: list[tuple[str, Path]], folder: Path) -> tuple[str, Path]:
    if len(candidates) > 1:
        names = ", ".join(file.name for _, file in candidates)
        raise ModelError(f"{folder} holds several models: {names}. Give the path of one of them.")
    return candidates[0]


def _versions(path: Path) -> Iterator[Path]:
    """Its numbered folders, the newest first."""
    folders = [p for p in path.iterdir() if p.name.isdecimal()] if path.is_dir() else []
    yield from sorted(folders, key=lambda p: int(p.name), reverse=True)


def _holds(path: Path) -> str:
    if not path.is_dir():
        return "it is a file of another kind"
    names = sorted(p.name for p in path.iterdir())
    more = ", ..." if len(names) > 5 else ""
    return f"it holds {', '.join(names[:5])}{more}" if names else "it is empty"


def _supported(kinds: Sequence[str]) -> str:
    folders = {
        "savedmodel": "a SavedModel directory, which has a saved_model.pb",
        "mlflow": "an MLflow directory, which has an MLmodel",
        "described": f"a folder with a {DESCRIPTION}, for a command or a server that scores",
    }
    endings = [suffix for kind in kinds for suffix in FILES.get(kind, ())]
    known = [text for kind, text in folders.items() if kind in kinds]
    if endings:
        known.append(f"a file that ends in {', '.join(dict.fromkeys(endings))}")
    return "; or ".join(known)
