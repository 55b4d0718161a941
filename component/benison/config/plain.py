# SPDX-License-Identifier: Apache-2.0
"""Limits the depth and size of a config's data, whatever form the config has."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from benison.errors import ConfigError

Loc: TypeAlias = "tuple[str | int, ...]"
"""The path to a value: names of fields, and indices in lists."""

# A config nests a dozen levels deep; thousands of metrics with thresholds have about 100,000 values.
DEPTH = 100
VALUES = 1_000_000

TOO_DEEP = f"is nested more than {DEPTH} deep"
_TOO_MANY = (
    f"holds more than {VALUES:,} values, where each alias counts as all that it stands for. Write lists "
    "that hold no copies of lists."
)
_STEP = re.compile(r"""\[(\d+)\]|\[('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]|([^.\[\]]+)""")
_SHOWN = 8  # the most steps of a path in a message


def parse_json(text: str, located: bool = True) -> Any:
    """The data of a JSON text. A repeated key is refused, because the last value would silently win.

    Args:
        text: A JSON document.
        located: Whether messages give line and column, which are wrong for a text with added braces.

    Raises:
        ConfigError: It is not JSON, has a key twice, or is nested too deep.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        where = f" at line {error.lineno}, column {error.colno}" if located else ""
        raise ConfigError(f"{error.msg}{where}.") from error
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(f"it {TOO_DEEP}; a config needs a dozen levels.") from None
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError(f"{str(error).partition(';')[0]}.") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ConfigError(f"the key {twice!r} is given twice.")
    return mapping


def check(data: Any) -> None:
    """Refuse data that are nested too deep, are too many, or contain themselves.

    Raises:
        ConfigError: With the path of what is wrong.
    """
    _measure(data, (), frozenset(), {})


def _measure(
    value: Any, loc: Loc, around: frozenset[int], known: dict[int, tuple[int, int]]
) -> tuple[int, int]:
    """The number of values in a value and their depth; a value that is shared is visited once."""
    inner = _inner(value)
    if inner is None:
        return 1, 0
    if id(value) in around:
        raise _without_end(loc, "holds itself; write out what is meant.")
    if id(value) not in known and len(loc) <= DEPTH:
        here = around | {id(value)}
        parts = [_measure(item, (*loc, step), here, known) for step, item in inner]
        size = 1 + sum(size for size, _ in parts)
        known[id(value)] = size, 1 + max((depth for _, depth in parts), default=0)
    size, depth = known.get(id(value), (1, 1))
    if len(loc) + depth > DEPTH:
        raise _without_end(loc, f"{TOO_DEEP}; a config needs a dozen levels.")
    if size > VALUES:
        raise _without_end(loc, _TOO_MANY)
    return size, depth


def _inner(value: Any) -> Iterable[tuple[Any, Any]] | None:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else None


def _without_end(loc: Loc, sentence: str) -> ConfigError:
    return ConfigError([(path_of(loc[:_SHOWN]), sentence)])


def is_text(value: str) -> bool:
    """Whether UTF-8 can encode a text; it cannot encode half of a surrogate pair, which JSON can escape.

    >>> is_text("é"), is_text(chr(0xD800))
    (True, False)
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def shortened(text: str, most: int = 60) -> str:
    """A text cut to at most `most` characters, for a sentence."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def path_of(loc: Loc) -> str:
    """The text form of a location.

    >>> path_of(("metrics_specs", 0, "thresholds", "auc@1", "value_threshold"))
    "metrics_specs[0].thresholds['auc@1'].value_threshold"
    """
    steps = [f".{s}" if isinstance(s, str) and s.isidentifier() else f"[{s!r}]" for s in loc]
    return "".join(steps).removeprefix(".")


def loc_of(path: str) -> Loc:
    """The steps of the text form of a place.

    >>> loc_of("metrics_specs[0].thresholds['auc@1'].value_threshold")
    ('metrics_specs', 0, 'thresholds', 'auc@1', 'value_threshold')
    """
    return tuple(
        name or (ast.literal_eval(quoted) if quoted else int(number))
        for number, quoted, name in _STEP.findall(path)
    )


def part_at(whole: Any, loc: Loc) -> Any:
    """The part of a config, or of a part of it, at a location."""
    part = whole
    for step in loc:
        is_key = isinstance(step, int) or isinstance(part, Mapping)
        part = part[step] if is_key else getattr(part, str(step))
    return part
