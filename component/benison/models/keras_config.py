# SPDX-License-Identifier: Apache-2.0
"""Reads from a file of Keras 3 which metrics its model was compiled with; the model is not loaded."""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any

from benison.errors import ModelError
from benison.models.fetch import local_copy
from benison.models.locate import find


def compiled_with(path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    """What a model was compiled with, by output, "" where that is all: metrics and, last, the loss.

    An entry is a name such as "accuracy", or a mapping with `class_name` and `config`; the loss is
    `{"loss": entry}`. Nothing for a model that is not compiled, or not in a file of Keras 3.

    Raises:
        ModelError: There is no model, or it cannot be read.
    """
    with local_copy(path) as local:
        kind, file = find(local)
        if kind != "keras":
            return {}
        try:
            with zipfile.ZipFile(file) as archive:
                config = json.loads(archive.read("config.json")).get("compile_config") or {}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ModelError(f"The Keras model {path} cannot be read: {error}.") from error
    entries: dict[str, list[Any]] = {}
    for field in ("metrics", "weighted_metrics"):
        for output, of_output in _by_output(config.get(field)).items():
            entries.setdefault(output, []).extend(of_output)
    for output, losses in _by_output(config.get("loss")).items():
        entries.setdefault(output, []).extend({"loss": loss} for loss in losses)
    return entries


def _by_output(field: Any) -> dict[str, list[Any]]:
    """Keras takes one entry, a list, or either for each output; null is none."""
    if isinstance(field, dict) and "class_name" not in field:
        return {str(output): _by_output(of).get("", []) for output, of in field.items()}
    entries = field if isinstance(field, list) else [field]
    return {"": [entry for entry in entries if entry is not None]}
