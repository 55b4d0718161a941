# SPDX-License-Identifier: Apache-2.0
"""Reads from a Keras model, a file or a SavedModel, what it was compiled with; the model is not loaded."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

from benison.errors import ModelError
from benison.models.fetch import local_copy
from benison.models.locate import find

_METADATA = "keras_metadata.pb"  # beside saved_model.pb, where Keras 2 or tf_keras has saved it
_WRAPPER = (
    "MeanMetricWrapper"  # of a function, which Keras 2 makes of a metric that is given by name
)


def compiled_with(path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    """What a model was compiled with, by output, "" where that is all: metrics and, last, the loss.

    An entry is a name such as "accuracy", or a mapping with `class_name` and `config`; the loss is
    `{"loss": entry}`. Nothing for a model that is not compiled, or not Keras'.

    Raises:
        ModelError: There is no model, or it cannot be read.
    """
    with local_copy(path) as local:
        kind, file = find(local)
        try:
            if kind == "keras":
                config = _of_file(file)
            elif kind == "savedmodel" and (file / _METADATA).is_file():
                config = _of_metadata(file / _METADATA)
            else:
                return {}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ModelError(f"The Keras model {path} cannot be read: {error}.") from error
    entries: dict[str, list[Any]] = {}
    for field in ("metrics", "weighted_metrics"):
        for output, of_output in _by_output(config.get(field)).items():
            entries.setdefault(output, []).extend(of_output)
    for output, losses in _by_output(config.get("loss")).items():
        entries.setdefault(output, []).extend({"loss": loss} for loss in losses)
    return entries


def _of_file(file: Path) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("config.json")).get("compile_config") or {}


def _of_metadata(file: Path) -> dict[str, Any]:
    """The training config of the first object, which is the model; its JSON stands in a proto message."""
    text, at = file.read_bytes().decode(errors="replace"), -1
    while (at := text.find("{", at + 1)) >= 0:
        try:
            model, _ = json.JSONDecoder().raw_decode(text, at)
        except ValueError:  # a byte of the message around it
            continue
        return _by_name(model.get("training_config") or {})
    return {}


def _by_name(config: dict[str, Any]) -> dict[str, Any]:
    """As Keras 3 has it: the metrics of several outputs by their names, which are those of the losses."""
    for field in ("metrics", "weighted_metrics"):
        of_outputs = [_unwrapped(entries) for entries in config.get(field) or () if entries]
        several = isinstance(config.get("loss"), dict) and len(config["loss"]) == len(of_outputs)
        config[field] = (
            dict(zip(config["loss"], of_outputs, strict=True))
            if several and "class_name" not in config["loss"]
            else [entry for entries in of_outputs for entry in entries]
        )
    return config


def _unwrapped(entries: Any) -> list[Any]:
    """The entries of an output, with the function of a wrapped one as its class."""
    made = []
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict) and entry.get("class_name") == _WRAPPER:
            name = entry["config"]["name"]
            entry = {"class_name": entry["config"]["fn"], "config": {"name": name}}  # noqa: PLW2901
        made.append(entry)
    return made


def _by_output(field: Any) -> dict[str, list[Any]]:
    """Keras takes one entry, a list, or either for each output; null is none."""
    if isinstance(field, dict) and "class_name" not in field:
        return {str(output): _by_output(of).get("", []) for output, of in field.items()}
    entries = field if isinstance(field, list) else [field]
    return {"": [entry for entry in entries if entry is not None]}
