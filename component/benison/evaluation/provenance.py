# SPDX-License-Identifier: Apache-2.0
"""Says which bytes the models of an evaluation are, as its manifest has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benison.config import ModelSpec
from benison.errors import ModelError
from benison.models.descriptions import description
from benison.models.digest import digest_model, digest_of, model_root
from benison.models.in_memory import InMemory
from benison.models.locate import DESCRIPTION, find
from benison.models.registered import is_registered
from benison.models.text_functions import is_path
from benison.paths import absolute, locate

_COVERED = (
    "SHA-256 of all bytes of each file in the model's folder, or of the model's file and of those beside it "
    "from which it takes weights; not of the libraries that load them"
)


_DESCRIBED = (
    "SHA-256 of the description of a server; not of the model that it serves, which may change"
)
_NOTHING = "nothing of the model, which was an object in memory"


def model_record(spec: ModelSpec, path: str | None, copy: str | None) -> dict[str, Any]:
    """A model of the config by its path and by the bytes of its files.

    Args:
        spec: The model.
        path: Where it is; None when its predictions are in the data.
        copy: The local copy from which it is loaded, or `path`.

    Raises:
        ModelError: It is not there or cannot be read.
    """
    if isinstance(path, InMemory):
        return _of_object(spec, path)
    files = {} if copy is None else digest_model(locate(copy, ModelError))
    graphs = [name for name in spec.preprocessing_function_names if is_path(name)]
    record = {
        "name": spec.name,
        "is_baseline": spec.is_baseline,
        "path": None if path is None else _address(path),
        "digest": None if path is None else digest_of(files),
        "files": files,
        "covers": _DESCRIBED if copy is not None and _is_served(Path(copy)) else _COVERED,
    }
    return {**record, "graphs": list(map(_graph, graphs))} if graphs else record


def _is_served(path: Path) -> bool:
    """Whether a path is the description of a model on a server."""
    kind, folder = find(path) if (path / DESCRIPTION).is_file() else ("", path)
    return kind == "described" and bool(description(folder).url)


def _of_object(spec: ModelSpec, name: str) -> dict[str, Any]:
    """A model of which there are no bytes."""
    known = {"name": spec.name, "is_baseline": spec.is_baseline, "in_memory": name}
    return {**known, "path": None, "digest": None, "files": {}, "covers": _NOTHING}


def _address(path: str) -> str:
    return path if is_registered(path) else absolute(model_root(locate(path, ModelError)))


def _graph(path: str) -> dict[str, Any]:
    """A graph of TensorFlow Transform that a model is fed by."""
    location = locate(path, ModelError)
    return {"name": path, "path": absolute(location), "files": digest_model(location)}


def same_models(records: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether records are of the same models, wherever they are."""
    keys = ("name", "is_baseline", "files", "graphs")
    return [[r.get(key) for key in keys] for r in records] == [
        [r.get(key) for key in keys] for r in others
    ]


def digests_of(records: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
    """The digests of files by model, and by the name that the config has for a graph."""
    graphs = [graph for record in records for graph in record.get("graphs", ())]
    of_models = {record["name"]: record["files"] for record in records if record["files"]}
    return {**of_models, **{graph["name"]: graph["files"] for graph in graphs}}
