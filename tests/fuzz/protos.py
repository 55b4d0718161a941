# SPDX-License-Identifier: Apache-2.0
"""Messages of protobuf, filled and damaged by what their descriptors say."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from random import Random
from typing import Any

_TEXTS = ("", "a", "label", "g", "AUC", "ExampleCount", '{"name": "x"}', '"num_thresholds": 3', "5")
_WHOLES = (0, 1, 2, 5)
_REALS = (0.0, 1.0, 0.5, -1.0, float("nan"), float("inf"), 1e308)


def eval_config() -> Any:
    """TFMA's EvalConfig, without what the import of TFMA brings along."""
    name = "tensorflow_model_analysis"
    if name not in sys.modules:
        spec = importlib.util.find_spec(name)
        package = types.ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations or ()) if spec else []
        sys.modules[name] = package
    importlib.import_module("google.protobuf.wrappers_pb2")
    return importlib.import_module(f"{name}.proto.config_pb2").EvalConfig()


def filled(random: Random, message: Any, depth: int = 0) -> Any:
    """The message with some of its fields set, at random."""
    fields = message.DESCRIPTOR.fields
    for field in random.sample(list(fields), min(len(fields), random.choice((1, 1, 2, 3)))):
        if field.GetOptions().deprecated and random.random() < 0.9:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _fill_map(random, getattr(message, field.name), field.message_type, depth)
        elif field.is_repeated:
            _fill_list(random, getattr(message, field.name), field, depth)
        elif field.message_type is not None:
            if depth < 7:
                getattr(message, field.name).SetInParent()
                filled(random, getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, _value(random, field))
    return message


def _fill_list(random: Random, values: Any, field: Any, depth: int) -> None:
    for _ in range(random.choice((1, 1, 2))):
        if field.message_type is None:
            values.append(_value(random, field))
        elif depth < 7:
            filled(random, values.add(), depth + 1)


def _fill_map(random: Random, values: Any, entry: Any, depth: int) -> None:
    key, value = (entry.fields_by_name[name] for name in ("key", "value"))
    if value.message_type is None:
        values[_value(random, key)] = _value(random, value)
    elif depth < 7:
        filled(random, values[_value(random, key)], depth + 1)


def _value(random: Random, field: Any) -> Any:
    if field.enum_type is not None:
        return random.choice(field.enum_type.values).number
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        text = random.choice(_TEXTS)
        return text.encode() if field.type == field.TYPE_BYTES else text
    if kind == field.CPPTYPE_BOOL:
        return random.random() < 0.7
    return random.choice(_REALS if kind in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT) else _WHOLES)
