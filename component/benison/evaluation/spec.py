# SPDX-License-Identifier: Apache-2.0
"""The arguments of `benison.evaluate` as a JSON document, by which every host asks for an evaluation.

What ran here runs elsewhere, because the same document runs. Values are plain: strings, numbers, lists and
objects; `config` is a path or the config itself.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from benison.config.plain import parse_json
from benison.errors import ConfigError, suggestion
from benison.evaluation.api import evaluate
from benison.lineage.connection import has_password
from benison.paths import holds_secret, locate

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
# Options that are credentials, such as --s3_secret_access_key, whose value may stand after it.
_SECRET_OPTION = re.compile(
    r"--(conf[= ])?[\w.]*(secret|password|token|connection_string)[\w.]*([= ].|$)", re.IGNORECASE
)
_NOT_PLAIN = ("extractors", "evaluators", "writers", "revocations")
# Field -> what JSON has for it, and what that is called.
_FORMS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(_TEXTS, (str, "a text")),
    **dict.fromkeys(_FLAGS, (bool, "true or false")),
    "map_index": (int, "a whole number"),
    "threads": (int, "a whole number"),
    "examples_per_slice": (int, "a whole number"),
    "mounts": (dict, "an object of addresses and folders"),
    "model": ((str, dict), "a path, or paths by the names of model_specs"),
    "engine_options": (list, "a list of texts such as '--master=spark://host:7077'"),
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


def secrets_in(fields: Mapping[str, Any]) -> list[str]:
    """Where a spec holds a password or a key, which a host would show on its pages and in its logs.

    >>> secrets_in({"examples": ["x", "s3://key:secret@b/x"], "metadata": "mysql://a:secret@db/m"})
    ['examples[1]', 'metadata']
    """
    return [path for path, text in _texts(fields) if _is_secret(path, text)]


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a plain value, each with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _texts(each, f"{path}[{number}]")


def _is_secret(path: str, text: str) -> bool:
    if path == "metadata":  # whose options may be the names of files with keys
        return has_password(text.removeprefix("sql+"))
    if path.startswith("engine_options") and _SECRET_OPTION.match(text):
        return True
    return holds_secret(text)


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
