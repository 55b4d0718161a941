# SPDX-License-Identifier: Apache-2.0
"""This file is the local host: one JSON document in, an output directory out, in this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import benison
from benison.spec import read_spec


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
    return benison.evaluate(**read_spec(spec))
