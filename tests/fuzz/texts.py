# SPDX-License-Identifier: Apache-2.0
"""Texts: a tree as YAML, and damage to texts, token by token, and to bytes."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

_TOKEN = re.compile(r"""\s+|\w+|"[^"\n]{0,40}"|.""", re.DOTALL)
_TOKENS = (
    "{", "}", "[", "]", ":", ",", '"', "'", "\\", "\n", "\t", " ", "\r\n", "\x00", "\x1b[2J", "\ufeff", "\u2028",
    "null", "true", "NaN", "Infinity", "-", "1e999", "-1", "0", "9" * 5_000, "1" * 400, '"\\ud800"', "\ud800",
    "&a ", "*a", "<<: *a", "!!python/object:os.system", "!!str ", "!!int ", "? ", "|\n", ">-\n", "---\n", "...\n",
    "%YAML 1.1\n", "#", "//", "/*", "[" * 120, "{" * 3_000, '{"a":' * 150, "é", "0x", "1_000", ".inf", "=", "$schema",
    "\\u0000", "<", ">", "@", "`", ";", "metrics_specs", "value", "[a]", "- - - -", ": : :",
)  # fmt: skip


def damaged(random: Random, text: str) -> str:
    """The text with some tokens taken out, doubled, moved, or replaced by others."""
    tokens = _TOKEN.findall(text)
    for _ in range(random.choice((1, 1, 2, 4))):
        _damage(random, tokens)
    return "".join(tokens)


def _damage(random: Random, tokens: list[str]) -> None:
    location = random.randrange(len(tokens) + 1)
    other = random.randrange(len(tokens) + 1)
    match random.randrange(6):
        case 0:
            tokens.insert(location, random.choice(_TOKENS))
        case 1:
            tokens[location : location + 1] = [random.choice(_TOKENS)]
        case 2:
            del tokens[location : location + random.choice((1, 1, 2, 10, 1_000))]
        case 3:
            tokens[other:other] = tokens[location : location + random.choice((1, 5, 50))]
        case 4:
            tokens[location : location + 1] = tokens[other : other + 1]
        case 5:
            tokens[location:location] = [random.choice(_TOKENS)] * random.choice((2, 10))


def damaged_bytes(random: Random, data: bytes) -> bytes:
    """The bytes with some changed, taken out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        location = random.randrange(len(changed) + 1)
        size = random.choice((1, 1, 1, 2, 4, 8, 64))
        match random.randrange(6):
            case 0 | 1:
                changed[location : location + 1] = bytes([random.randrange(256)])
            case 2:
                changed[location : location + size] = (
                    random.choice((b"\xff", b"\x00", b"\x80", b"\x7f")) * size
                )
            case 3:
                del changed[location : location + size]
            case 4:
                changed[location:location] = random.randbytes(size)
            case 5:
                other = random.randrange(len(changed) + 1)
                changed[location : location + size] = changed[other : other + size]
    return bytes(changed)


def as_yaml(tree: Any, depth: int = 0) -> str:
    """A tree in the block style of YAML; scalars as JSON writes them, which is YAML."""
    if isinstance(tree, dict) and tree:
        lines = (f"{_key(key)}:{_below(value, depth + 1)}" for key, value in tree.items())
    elif isinstance(tree, list) and tree:
        lines = (f"-{_below(value, depth + 1)}" for value in tree)
    else:
        return _scalar(tree)
    return "\n".join("  " * depth + line for line in lines)


def _below(value: Any, depth: int) -> str:
    text = as_yaml(value, depth)
    return f"\n{text}" if isinstance(value, (dict, list)) and value else f" {text}"


def _key(key: Any) -> str:
    text = str(key)
    return (
        text
        if re.fullmatch("[a-z_A-Z]+", text) and text not in ("null", "true")
        else json.dumps(text)
    )


def _scalar(value: Any) -> str:
    words = {"Infinity": ".inf", "-Infinity": "-.inf", "NaN": ".nan"}
    text = json.dumps(value)
    return words.get(text, text)
