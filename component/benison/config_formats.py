# SPDX-License-Identifier: Apache-2.0
"""This file is how a config is read from files and messages, and how its faults are worded."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
import yaml

from benison.errors import ConfigError, MissingExtraError, suggestion


def as_mapping(source: Any) -> tuple[dict[str, Any], str]:
    """The plain mapping of a config, and the name by which messages call its source.

    Raises:
        ConfigError: The file is missing, empty or malformed, or `source` is of no known kind.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _eval_run(_read(path), str(path)), path.name
    if isinstance(source, Mapping):
        return _eval_run(dict(source), "the config"), ""
    if hasattr(source, "DESCRIPTOR"):
        return _from_message(source), ""
    raise ConfigError(
        f"A config is a path, a mapping, a TFMA EvalConfig or an EvalConfig, not {type(source).__name__}."
    )


def _eval_run(data: Any, name: str) -> dict[str, Any]:
    """The config itself; TFMA's eval_config.json wraps it in a record of the run."""
    if not isinstance(data, dict):
        raise ConfigError(f"{name} holds {type(data).__name__}; a config is a mapping of fields.")
    inner = data.get("evalConfig", data.get("eval_config"))
    return inner if isinstance(inner, dict) else data


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no config file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The config file {path} cannot be read: {error}.") from error
    if not text.strip():
        raise ConfigError(f"The config file {path} is empty.")
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        known = ", ".join(_PARSERS)
        raise ConfigError(f"The config file {path} must end in one of {known}.")
    return parse(text, path)


def _parse_json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}, line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error


class _Loader(yaml.SafeLoader):
    """YAML without repeated keys, of which only the last would count."""


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            mark = key_node.start_mark
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is there twice", mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _parse_yaml(text: str, path: Path) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}.") from error


def _parse_text_proto(text: str, path: Path) -> Any:
    try:
        from google.protobuf import text_format
        from tensorflow_model_analysis.proto import config_pb2
    except ImportError as error:
        raise MissingExtraError(
            f"TFMA, whose protos are needed to read the text proto {path},", "tfx"
        ) from error
    try:
        return _from_message(text_format.Parse(text, config_pb2.EvalConfig()))
    except text_format.ParseError as error:
        raise ConfigError(f"{path}: {error}.") from error


_PARSERS = {
    ".json": _parse_json,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".pbtxt": _parse_text_proto,
    ".textproto": _parse_text_proto,
}


def _from_message(message: Any) -> dict[str, Any]:
    """A proto message as a mapping in snake_case."""
    from google.protobuf import json_format

    mapping: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return mapping


def faults(
    error: pydantic.ValidationError, root: type[pydantic.BaseModel], name: str
) -> list[tuple[str, str]]:
    """Every fault that pydantic found, as (path, sentence)."""
    found: list[tuple[str, str]] = []
    prefix = f"{name}: " if name else ""
    for fault in error.errors():
        inner = fault.get("ctx", {}).get("error")
        if isinstance(inner, ConfigError):
            found += [(prefix + path, text) for path, text in inner.faults]
            continue
        found.append((prefix + _path(fault["loc"]), _sentence(fault, root)))
    return found


def _path(location: tuple[int | str, ...]) -> str:
    """`metrics_specs[0].class_name` for ("metrics_specs", 0, "className")."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{_snake(step)}"
    return text.lstrip(".")


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _sentence(fault: Any, root: type[pydantic.BaseModel]) -> str:
    if fault["type"] == "extra_forbidden":
        known = _fields_at(root, fault["loc"][:-1])
        return f"there is no such field. {suggestion(_snake(str(fault['loc'][-1])), known)}"
    if fault["type"] == "missing":
        return "is missing."
    if fault["type"] == "value_error":
        return f"{fault['ctx']['error']}."
    came = fault["input"]
    return f"{fault['msg'].lower()}, not {came!r} ({type(came).__name__})."


def _fields_at(model: type[pydantic.BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the message that a path leads to."""
    for step in location:
        field = None if isinstance(step, int) else model.model_fields.get(_snake(step))
        inner = field and _message_in(field.annotation)
        if inner:
            model = inner
    return list(model.model_fields)


def _message_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    """The message type inside tuple[X, ...], dict[str, X] or X | None."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    inner = (_message_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next(filter(None, inner), None)
