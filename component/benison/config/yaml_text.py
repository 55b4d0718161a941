# SPDX-License-Identifier: Apache-2.0
"""YAML as a config needs it: version 1.2, and a key that is given twice is a fault."""

from __future__ import annotations

import re
from typing import Any

import yaml

from benison.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """YAML 1.2: `no` is text and not false, 010 is text and not 8, 1e-3 is a number and not text.

    PyYAML's own rules are those of YAML 1.1, by which a slice on the country NO would be lost.
    """

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                problem = f"the key {key.value!r} is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key.value, str) else id(key))
        return node


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", "[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", "-+0123456789."),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first)
    )


def parse(text: str) -> Any:
    """The plain data of a YAML text.

    >>> parse("{country: NO, bins: [0, 1e-3, .inf], zip: 0123}")
    {'country': 'NO', 'bins': [0, 0.001, inf], 'zip': '0123'}

    Raises:
        ConfigError: The text is not YAML, or a mapping has a key twice; with line and column.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{error.problem}{place}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{' '.join(str(error).split())}.") from error
