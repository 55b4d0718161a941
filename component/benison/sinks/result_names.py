# SPDX-License-Identifier: Apache-2.0
"""What a result is called in the tools that it goes on to: for people, and to tell it from others."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable

from benison.errors import visible
from benison.paths import absolute, locate
from benison.results.result import EvalResult

_ADDRESS = re.compile("(?!file:)[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def model_of(result: EvalResult) -> str:
    """The candidates, as people call them, on one line."""
    return _named(result, str)


def shared_model_of(result: EvalResult) -> str:
    """The candidates, as they are called where the folders of this machine say nothing."""
    return _named(result, shared_path)


def _named(result: EvalResult, shown: Callable[[str], str]) -> str:
    models = [each for each in result.manifest["models"] if not each["is_baseline"]]
    names = (each["name"] or (shown(each["path"]) if each["path"] else "") for each in models)
    return visible(", ".join(names)) or "model"


def evaluation_of(result: EvalResult) -> str:
    """What tells an evaluation from others: its pipeline, else the name of its output's folder.

    A result in memory that is of no pipeline has the name of its candidates.
    """
    recorded = result.manifest.get("lineage") or {}
    folder = "" if result.path is None else locate(absolute(result.path)).name
    return visible(recorded.get("pipeline") or folder) or model_of(result)


def identity_of(result: EvalResult) -> str:
    """What tells the output of a result from that of others: where it is, or of one in memory a digest."""
    if result.path is not None:
        return str(result.path)
    content = json.dumps(result.manifest, sort_keys=True, default=str).encode()
    return f"in memory {hashlib.sha256(content).hexdigest()}"


def shared_path(path: str) -> str:
    """A path as others may see it: an address as it is, of a file of this machine its name alone.

    >>> shared_path("/home/me/models/7"), shared_path("s3://models/7"), shared_path("models:/taxi/3")
    ('7', 's3://models/7', 'models:/taxi/3')
    """
    return path if _ADDRESS.match(path) else os.path.basename(os.path.abspath(path))
