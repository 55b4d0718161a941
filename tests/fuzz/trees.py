# SPDX-License-Identifier: Apache-2.0
"""Makes configs as plain data by the fields that a config has, right ones and ones with odd values."""

from __future__ import annotations

import collections.abc
import datetime
import decimal
import enum
import functools
import types
import typing
from collections.abc import Callable
from random import Random
from typing import Any

from benison.config import EvalConfig
from benison.config.faults import ConfigPart
from benison.metrics import registered
from tests.fuzz import conditions

TEXTS = (
    "",
    "a",
    "label",
    "prediction",
    "g",
    "h",
    "candidate",
    "baseline",
    "5",
    "3.10",
    "true",
    "null",
)
ODD_TEXTS = ("\x1b[2J", "a\n::stop-commands::x", "\ud800", "é" * 30, "a\x00b", "x" * 300, "{{", "a.b[0]['c']", "\u202eabc", "'\"")  # fmt: skip
NUMBERS = (0, 1, 2, 0.5, -1, 1e-9, 100, 0.25)
ODD_NUMBERS = (
    float("nan"),
    float("inf"),
    -float("inf"),
    10**400,
    -(2**63),
    2**64,
    1e308,
    5e-324,
    1e9,
    -0.0,
)
ODD = (
    None, True, [], {}, [[]], [None], {"": 0}, {"value": 1}, {"value": {"value": 1}}, {"values": [1]}, "1", "x",
    {"lowerBound": "NaN"}, [{}, {}], {"a": {"b": {"c": [1, [2, [3]]]}}},
)  # fmt: skip
# What only Python can write.
OBJECTS = (
    b"bytes", {1, 2}, object(), datetime.date(2024, 1, 1), decimal.Decimal("1.5"), 1j, range(3), int, {1: 2},
    {None: 1}, {(1, 2): 3}, (1, 2), float, Ellipsis,
)  # fmt: skip

_CLASSES = (
    "AUC", "ExampleCount", "BinaryAccuracy", "Precision", "Recall", "MeanLabel", "Calibration", "NDCG", "f1", "Nope",
    "ConfusionMatrixPlot", "RSquared", "CategoricalAccuracy", "ThresholdAtRecall",
)  # fmt: skip
_PARAMETERS = (
    "name", "num_thresholds", "thresholds", "class_id", "top_k", "from_logits", "num_buckets", "left", "right",
    "recall", "x",
)  # fmt: skip

Make = Callable[["Chance"], Any]


class Chance:
    """A source of values, of which some are odd."""

    def __init__(self, random: Random, objects: bool = False) -> None:
        self.random = random
        self.pick = random.choice
        self.odd = random.choice((0.0, 0.0, 0.02, 0.1, 0.4))
        self.more = random.choice((0.3, 0.5, 1.0, 2.0))
        self.camel = random.random() < 0.3
        self.pool = (*ODD, *ODD_NUMBERS, *ODD_TEXTS, *(OBJECTS if objects else ()))

    def is_odd(self) -> bool:
        """Whether the next value is an odd one."""
        return self.odd > 0 and self.random.random() < self.odd

    def some(self, most: int) -> int:
        """A small number, 0 to `most`."""
        return min(most, int(self.random.expovariate(1 / self.more)))


def config(chance: Chance) -> dict[str, Any]:
    """A config, or what looks like one."""
    tree: dict[str, Any] = part(EvalConfig)(chance)
    if chance.random.random() < 0.6 and isinstance(tree, dict):
        return {"metrics_specs": _several(part(_metrics_spec()))(chance), **tree}
    return tree


def _metrics_spec() -> Any:
    return typing.get_args(EvalConfig.model_fields["metrics_specs"].annotation)[0]


@functools.cache
def part(kind: type[ConfigPart]) -> Make:
    """What makes the mapping of a part: its required fields, and some of the others."""
    fields = kind.model_fields
    required = [name for name, field in fields.items() if field.is_required()]
    optional = [name for name in fields if name not in required]
    makes = {name: _field(name, field.annotation) for name, field in fields.items()}
    camel = {name: field.alias or name for name, field in fields.items()}

    def make(chance: Chance) -> Any:
        extra = chance.random.sample(optional, chance.some(len(optional)))
        tree = {name: makes[name](chance) for name in [*required, *extra] if not chance.is_odd()}
        if chance.is_odd():
            tree[chance.pick((*TEXTS, *ODD_TEXTS, "metric_specs"))] = chance.pick(chance.pool)
        return {camel[k]: v for k, v in tree.items() if k in camel} if chance.camel else tree

    return _sometimes_odd(make)


def _field(name: str, annotation: Any) -> Make:
    if name == "class_name":
        names = (*_CLASSES, *registered())
        return _sometimes_odd(lambda chance: chance.pick(names))
    if name == "where":
        names = ("g", "h", "f", "b")
        return _sometimes_odd(
            lambda chance: {_text(chance): conditions.condition(chance.random, names)}
        )
    if name == "config":
        return _sometimes_odd(_parameters)
    return _value(annotation)


def _parameters(chance: Chance) -> Any:
    makes = (_number, _text, lambda c: c.pick((True, False)), lambda c: [_number(c), _number(c)])
    names = chance.random.sample(_PARAMETERS, chance.some(3))
    return {name: chance.pick(makes)(chance) for name in names}


def _value(annotation: Any) -> Make:
    """What makes values of a type that a field of a config has."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _value(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return _value(next(kind for kind in arguments if kind is not type(None)))
    if origin is tuple:
        return _sometimes_odd(_several(_value(arguments[0])))
    if origin is collections.abc.Mapping:
        return _sometimes_odd(_mapping(_value(arguments[0]), _value(arguments[1])))
    return _plain(annotation)


def _plain(kind: Any) -> Make:
    if isinstance(kind, type) and issubclass(kind, ConfigPart):
        return lambda chance: part(kind)(chance)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        members = (*kind.__members__, 0, 1, 2, 3)
        return _sometimes_odd(lambda chance: chance.pick(members))
    if kind is bool:
        return _sometimes_odd(lambda chance: chance.pick((True, True, False)))
    return _sometimes_odd(_number if kind in (int, float) else _text)


def _several(make: Make) -> Make:
    return lambda chance: [make(chance) for _ in range(chance.some(4))]


def _mapping(key: Make, value: Make) -> Make:
    def make(chance: Chance) -> dict[Any, Any]:
        keys = [key(chance) for _ in range(chance.some(3))]
        return {str(k): value(chance) for k in keys if isinstance(k, (str, int, float))}

    return make


def _number(chance: Chance) -> Any:
    return chance.pick(NUMBERS)


def _text(chance: Chance) -> str:
    return chance.pick(TEXTS)


def _sometimes_odd(make: Make) -> Make:
    return lambda chance: chance.pick(chance.pool) if chance.is_odd() else make(chance)
