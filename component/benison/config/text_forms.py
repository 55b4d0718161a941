# SPDX-License-Identifier: Apache-2.0
"""Reads a config from a file, a mapping or a TFMA message into plain data."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benison.config import plain
from benison.config.plain import shortened
from benison.config.protos import eval_config_messages
from benison.errors import ConfigError, suggestion
from benison.paths import Location, RemotePath, locate

# What TFMA wraps around an EvalConfig when it writes eval_config.json.
_ENVELOPES = ("eval_config", "evalConfig")
_MESSAGES = ("EvalConfig", "EvalConfigAndVersion", "EvalRun")


def read(source: object) -> dict[str, Any]:
    """The fields of a config as plain data, not yet checked.

    Args:
        source: A path (.json, .yaml, .yml; .pbtxt, .textproto, .txtpb for text proto; .pb, .binpb
            for binary proto), a mapping, or a TFMA EvalConfig or EvalRun message. A str is always
            a path.

    Raises:
        ConfigError: The file is not there, is empty or is not what its ending says; the sentence
            names the file, and the line and column.
    """
    data: Any = source
    name = "The config"
    if isinstance(source, (str, os.PathLike, RemotePath)):
        name = str(source)
        data = _read_file(locate(source, ConfigError))
    elif hasattr(source, "DESCRIPTOR"):
        data = _from_message(source)
    if not isinstance(data, Mapping):
        expected = "a mapping of fields such as metrics_specs"
        if data is source:
            expected = f"a path, {expected}, or an EvalConfig"
        raise ConfigError(f"{name} is {_kind(data)}; expected {expected}.")
    inner = unwrapped(data)
    if not isinstance(inner, Mapping):
        raise ConfigError(f"{name}: eval_config is {_kind(inner)}, expected a mapping.")
    return {key: value for key, value in inner.items() if key != "$schema"}  # for editors


def unwrapped(data: Any) -> Any:
    """The fields of a config out of what TFMA wraps around them, not copied.

    >>> unwrapped({"eval_config": {"metrics_specs": []}})
    {'metrics_specs': []}
    """
    return next((data[key] for key in _ENVELOPES if key in data), data)


def _kind(value: object) -> str:
    kinds = {list: "a list", str: "text", type(None): "empty"}
    return kinds.get(type(value), f"of type {type(value).__name__}")


def _read_file(path: Location) -> Any:
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        raise ConfigError(_unknown_ending(path))
    content = read_file(path)
    if parse is _parse_binary:
        return _parse_binary(content, path)
    text = as_text(content, path)
    if not text.strip():
        raise ConfigError(f"{path} is empty; a config has at least metrics_specs.")
    return parse(text, path)


def read_file(path: Location) -> bytes:
    """The content of a file.

    Raises:
        ConfigError: It is not there, with the name that is nearest, or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(_not_there(path)) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error


def as_text(content: bytes, path: Location) -> str:
    """The text of a file.

    Raises:
        ConfigError: It is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text: {error.reason} at byte {error.start}."
        ) from error


def _unknown_ending(path: Location) -> str:
    if str(path).lstrip().startswith("{"):
        return "A text is taken for a path; to give JSON text, give json.loads(text)."
    ending = f"the ending {path.suffix!r}" if path.suffix else "no ending"
    return f"{path} has {ending}; a config file ends in {', '.join(_PARSERS)}."


def _not_there(path: Location) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"{path} is not there: there is no directory {str(folder)!r}."
    others = [other.name for other in folder.iterdir() if other.suffix.lower() in _PARSERS]
    return f"{path} is not there. {suggestion(path.name, others)}"


def _parse_json(text: str, path: Location) -> Any:
    try:
        return plain.parse_json(text)
    except ConfigError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error


def parse_parameters(text: str) -> Any:
    """The parameters of a metric from JSON text, whose outer braces may be left out, as in TFMA.

    >>> parse_parameters('"num_thresholds": 200')
    {'num_thresholds': 200}

    Raises:
        ConfigError: The text is not JSON, or gives a key twice.
    """
    stripped = text.strip()
    whole = stripped if stripped.startswith("{") else f"{{{stripped}}}"
    try:
        return plain.parse_json(whole, located=False)
    except ConfigError as error:
        raise ConfigError(f"{shortened(text)!r} is not JSON: {error}") from error


def _parse_yaml(text: str, path: Location) -> Any:
    from benison.config import yaml_text

    try:
        return yaml_text.parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error


def _parse_text(text: str, path: Location) -> dict[str, Any]:
    return parse_text_proto(text, str(path))


def parse_text_proto(text: str, name: str) -> dict[str, Any]:
    """The fields of an EvalConfig in protobuf's text form.

    Raises:
        ConfigError: It is none; with line and column.
        MissingExtraError: protobuf is not installed.
    """
    message = eval_config_messages().EvalConfig()
    from google.protobuf import text_format

    try:
        text_format.Parse(text, message)
        entries = text_format.Parse(text, eval_config_messages(maps=False).EvalConfig())
    except text_format.ParseError as error:
        where = f"line {error.GetLine()}, column {error.GetColumn()}"
        fault = str(error).split(" : ", 1)[-1].strip().rstrip(".")
        raise ConfigError(
            f"{name} is not an EvalConfig in text proto: {shortened(fault, 200)} at {where}."
        ) from error
    for where in _repeated_keys(entries):
        raise ConfigError(f"{name}: {where} is given twice; leave out one of them.")
    return _from_message(message)


def _repeated_keys(message: Any) -> Iterator[str]:
    """The keys that are given twice in maps, which are lists of entries here."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        parts = [value] if hasattr(value, "DESCRIPTOR") else value
        if "key" in field.message_type.fields_by_name:
            counts = Counter(entry.key for entry in parts)
            yield from (f"the key {key!r} of {field.name}" for key in counts if counts[key] > 1)
        for part in parts:
            yield from _repeated_keys(part)


def _parse_binary(content: bytes, path: Location) -> dict[str, Any]:
    message = eval_config_messages().EvalConfig()
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise ConfigError(f"{path} is not an EvalConfig in binary proto.") from error
    if message.SerializeToString() and not message.ListFields():
        raise ConfigError(f"{path} is a message of protobuf, but not an EvalConfig.")
    return _from_message(message, str(path))


def _from_message(message: Any, name: str = "The config") -> dict[str, Any]:
    from google.protobuf import json_format

    kind = message.DESCRIPTOR.name
    if kind not in _MESSAGES:
        raise ConfigError(
            f"A message {kind} is not a config; expected one of {', '.join(_MESSAGES)}."
        )
    known = copy.deepcopy(message)
    known.DiscardUnknownFields()
    if known.ByteSize() != message.ByteSize():
        raise ConfigError(
            f"{name} has fields that are not those of {kind}, which binary proto does not name. Write it as "
            f"text proto, or as JSON, with what has made it."
        )
    return dict(json_format.MessageToDict(message, preserving_proto_field_name=True))


_PARSERS: dict[str, Callable[[Any, Location], Any]] = {
    ".json": _parse_json,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".pbtxt": _parse_text,
    ".textproto": _parse_text,
    ".txtpb": _parse_text,
    ".pb": _parse_binary,
    ".binpb": _parse_binary,
}
