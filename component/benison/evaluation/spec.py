# SPDX-License-Identifier: Apache-2.0
"""The arguments of `benison.evaluate` as a JSON document, by which every host asks for an evaluation.

What ran here runs elsewhere, because the same document runs. Values are plain: strings, numbers, lists and
objects; `config` is a path or the config itself.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from typing import Any

from benison.config.plain import parse_json
from benison.errors import ConfigError, suggestion
from benison.evaluation.api import evaluate
from benison.paths import locate

REQUIRED = {
    "examples": "--examples eval.parquet",
    "config": "--config eval.yaml",
    "output": "--output out, or -o out, a folder to write",
}
"""The fields that must be there, and what to type."""
_TEXTS = (
    "output", "baseline", "format", "engine", "metadata", "pipeline", "run", "task", "module_path",
    "registry",
)  # fmt: skip
_FLAGS = ("overwrite", "trust_pickle", "trust_ops", "tfma")
_NOT_PLAIN = ("extractors", "evaluators", "writers")
# Field -> what JSON has for it, and what that is called.
_FORMS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(_TEXTS, (str, "a text")),
    **dict.fromkeys(_FLAGS, (bool, "true or false")),
    "map_index": (int, "a whole number"),
    "mounts": (dict, "an object of addresses and folders"),
    "model": ((str, dict), "a path, or paths by the names of model_specs"),
    "beam_options": (list, "a list of texts such as '--runner=FlinkRunner'"),
}


def read_spec(spec: Mapping[str, Any] | str | os.PathLike[str], **more: Any) -> dict[str, Any]:
    """The arguments that a spec gives, with `more` in place of what it says.

    Args:
        spec: The arguments of `benison.evaluate`, or a JSON file that holds them, or the JSON itself.
        more: Arguments that are not None take the place of those in the spec.

    Raises:
        ConfigError: The spec cannot be read, lacks a required field, has one that `evaluate` does not, or
            JSON has another type where it takes a text or a flag.
    """
    fields = dict(spec) if isinstance(spec, Mapping) else _checked(fields_of(os.fspath(spec)))
    fields |= {name: value for name, value in more.items() if value is not None}
    known = inspect.signature(evaluate).parameters.keys() - {"progress"}
    faults = [
        (name, f"there is no such field. {suggestion(name, known)}")
        for name in fields
        if name not in known
    ]
    faults += [
        (name, f"is missing. Say {cure}; in a spec it is the field {name!r}.")
        for name, cure in REQUIRED.items()
        if fields.get(name) is None
    ]
    if faults:
        raise ConfigError(faults)
    return fields


def fields_of(spec: str) -> dict[str, Any]:
    """The fields of a spec that is JSON, or the path of a file that holds it; their values are not checked.

    Raises:
        ConfigError: The spec cannot be read, or is no object.
    """
    is_json = spec.lstrip().startswith("{")
    name = "that was given" if is_json else spec
    try:
        fields = parse_json(spec if is_json else locate(spec, ConfigError).read_text("utf-8"))
    except ConfigError as error:
        raise ConfigError(f"The spec {name} cannot be read: {error}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"The spec {name} cannot be read: {error}.") from error
    if not isinstance(fields, dict):
        raise ConfigError(f"The spec {name} holds {type(fields).__name__}, not an object.")
    return fields


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    faults = [(field, fault) for field, value in fields.items() for fault in _faults(field, value)]
    if faults:
        raise ConfigError(faults)
    return fields


def _faults(field: str, value: Any) -> Iterator[str]:
    """Why a value of JSON cannot be what a field needs; what has more forms is checked where it is read."""
    if value is None:
        return
    if field in _NOT_PLAIN:
        yield "is made of Python objects; give it to benison.evaluate."
    elif field in _FORMS:
        kinds, name = _FORMS[field]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            yield f"is {name}, not {value!r}."
