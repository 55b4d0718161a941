# SPDX-License-Identifier: Apache-2.0
"""Writes a config of TFMA, in whatever form it has, as commented YAML of ours."""

from __future__ import annotations

import io
import os
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from benison.config import EvalConfig, python_text, text_forms, yaml_text
from benison.config.faults import ConfigPart
from benison.config.meanings import meanings
from benison.errors import ConfigError
from benison.paths import locate
from benison.tfma.differences import OF_METRICS

_PROGRAMS = (".py", ".ipynb")
_WIDTH = 100
_NO_DEFAULT_METRICS = (
    "Metrics compiled into a Keras model, which TFMA adds: set options.include_default_metrics."
)

# The comment of a list item's first field, which ruamel.yaml writes on lines after a lone dash.
_BELOW_DASH = re.compile(r"^( *)-\n((?: *# .*\n)+) *", re.MULTILINE)


def load(
    source: object, line: int | None = None, given: Mapping[str, Any] | None = None
) -> EvalConfig:
    """The config from what `EvalConfig.load` takes, or from a Python file or notebook that makes it.

    Args:
        source: A path, a mapping, or a message of TFMA; a program is read and not run.
        line: A line of the EvalConfig in a program that makes several.
        given: Values of names that a program takes from elsewhere.

    Raises:
        ConfigError: It cannot be read, or is wrong; `faults` has every fault.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
    if name.endswith(_PROGRAMS):
        path = locate(name, ConfigError)
        text = text_forms.as_text(text_forms.read_file(path), path)
        return EvalConfig.load(python_text.read(text, name, line, given))
    return EvalConfig.load(source)


def as_yaml(config: EvalConfig, origin: str = "an EvalConfig of TFMA") -> str:
    """The YAML file of a config, with what each field means, and where values are not those of TFMA.

    Args:
        config: The config.
        origin: What it was made from, for the first line.

    >>> print(as_yaml(EvalConfig(), "eval.pbtxt").splitlines()[0])
    # Made from eval.pbtxt by benison convert. It evaluates to the same.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    writer = YAML()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 4096  # a text that is folded is hard to read
    data: CommentedMap = _commented(config, config.to_dict(), 0, set())
    stream = io.StringIO()
    writer.dump(data, stream)
    text = _heading(config, origin) + _BELOW_DASH.sub(_above_dash, stream.getvalue())
    if EvalConfig(**yaml_text.parse(text)) != config:
        raise AssertionError(f"{origin} is another config in YAML")
    return text


def _above_dash(match: re.Match[str]) -> str:
    comments = (f"{match[1]}{line.strip()}\n" for line in match[2].splitlines())
    return f"{''.join(comments)}{match[1]}- "


def _heading(config: EvalConfig, origin: str) -> str:
    first = f"Made from {origin} by benison convert. It evaluates to the same."
    commands = [
        "  benison check-config eval.yaml --examples DATA",
        "  benison evaluate --examples DATA --config eval.yaml --output out --gate",
    ]
    names = [metric.class_name for spec in config.metrics_specs for metric in spec.metrics]
    notes = [f"{name}: {OF_METRICS[name]}" for name in dict.fromkeys(names) if name in OF_METRICS]
    is_keras = any(spec.model_type in ("", "tf_keras") for spec in config.model_specs)
    if is_keras and not config.options.include_default_metrics:
        notes.append(_NO_DEFAULT_METRICS)
    lines = [first, *commands]
    if notes:
        lines += ["", "Where values are not those of TFMA:", *(f"- {note}" for note in notes)]
    return "".join(_comment(line) + "\n" for line in lines) + "\n"


def _comment(text: str) -> str:
    broken = textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_long_words=False)
    return "\n".join(f"# {line}" for line in broken) or "#"


def _commented(part: ConfigPart, data: Mapping[str, Any], depth: int, seen: set[Any]) -> Any:
    """The data of a part, with the meaning of each field above it where the file has it first."""
    from ruamel.yaml.comments import CommentedMap

    made = CommentedMap()
    for name, value in data.items():
        made[name] = _value(getattr(part, name), value, depth, seen)
        meaning = meanings(type(part)).get(name)
        if meaning and (type(part), name) not in seen:
            text = "\n".join(textwrap.wrap(meaning, _WIDTH - depth))
            made.yaml_set_comment_before_after_key(name, before=text, indent=depth)
        seen.add((type(part), name))
    return made


def _value(value: Any, data: Any, depth: int, seen: set[Any]) -> Any:
    if isinstance(value, ConfigPart):
        return _commented(value, data, depth + 2, seen)
    if isinstance(value, tuple) and value and isinstance(value[0], ConfigPart):
        pairs = zip(value, data, strict=True)
        return [_commented(part, each, depth + 4, seen) for part, each in pairs]
    if isinstance(value, Mapping):
        return {
            name: _value(item, data[str(name)], depth + 2, seen) for name, item in value.items()
        }
    return data
