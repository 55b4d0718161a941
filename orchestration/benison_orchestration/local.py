# SPDX-License-Identifier: Apache-2.0
"""This file is the local host: one JSON document in, an output directory out, in this process.

The document is the contract of every host: its fields are the arguments of `benison.evaluate`, as plain
values, so that what ran here runs elsewhere because the same document runs.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import benison
from benison.errors import suggestion


def run(spec: Mapping[str, Any] | str | os.PathLike[str]) -> benison.EvalResult:
    """Evaluate what a spec says.

    Args:
        spec: The arguments of `benison.evaluate`, or a JSON file that holds them. `examples`, `config` and
            `output` are required.

    Returns:
        The result; it is in the directory `output` too.

    Raises:
        ConfigError: The spec cannot be read, lacks a field, or has one that `evaluate` does not.
        DataError, ModelError, OutputError: As `benison.evaluate`.
    """
    arguments = dict(spec) if isinstance(spec, Mapping) else _read(Path(spec))
    known = inspect.signature(benison.evaluate).parameters
    faults = [
        (name, f"there is no such field. {suggestion(name, known)}")
        for name in arguments
        if name not in known
    ]
    required = ("examples", "config", "output")
    faults += [(name, "is missing.") for name in required if name not in arguments]
    if faults:
        raise benison.ConfigError(faults)
    return benison.evaluate(**arguments)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise benison.ConfigError(f"The spec {path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise benison.ConfigError(f"The spec {path} holds {type(found).__name__}, not an object.")
    return found
