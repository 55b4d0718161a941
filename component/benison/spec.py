# SPDX-License-Identifier: Apache-2.0
"""This file is the one contract of every host: the arguments of `benison.evaluate` as a JSON document.

What ran here runs elsewhere, because the same document runs. Values are plain: strings, numbers, lists and
objects; `config` is a path or the config itself.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benison.errors import ConfigError, suggestion
from benison.evaluation import evaluate

REQUIRED = ("examples", "config", "output")


def read_spec(spec: Mapping[str, Any] | str | os.PathLike[str], **more: Any) -> dict[str, Any]:
    """The arguments that a spec gives, with `more` in place of what it says.

    Args:
        spec: The arguments of `benison.evaluate`, or a JSON file that holds them, or the JSON itself.
        more: Arguments that are not None take the place of those in the spec.

    Raises:
        ConfigError: The spec cannot be read, lacks a required field, or has one that `evaluate` does not.
    """
    found = dict(spec) if isinstance(spec, Mapping) else _object(os.fspath(spec))
    found |= {name: value for name, value in more.items() if value is not None}
    known = inspect.signature(evaluate).parameters.keys() - {"progress"}
    faults = [
        (name, f"there is no such field. {suggestion(name, known)}")
        for name in found
        if name not in known
    ]
    faults += [(name, "is missing.") for name in REQUIRED if name not in found]
    if faults:
        raise ConfigError(faults)
    return found


def _object(spec: str) -> dict[str, Any]:
    is_json = spec.lstrip().startswith("{")
    name = "that was given" if is_json else spec
    try:
        found = json.loads(spec if is_json else Path(spec).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"The spec {name} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise ConfigError(f"The spec {name} holds {type(found).__name__}, not an object.")
    return found
