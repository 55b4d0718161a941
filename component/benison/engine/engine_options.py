# SPDX-License-Identifier: Apache-2.0
"""Reads the options that the engines Spark and Flink take after `--`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from benison.errors import ConfigError

_EVERYWHERE = {
    "--conf": "a setting of the engine's, KEY=VALUE; repeatable",
    "--temp_location": "a folder that all workers reach, for rows that are written",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}.\n{self.format_help()}")


def parsed(engine: str, options: Sequence[str], **own: str) -> argparse.Namespace:
    """The values of an engine's options; those that are not given are None.

    Args:
        engine: Its name, for what is said.
        options: As they stand after `--`.
        own: What each of its own options says, by name without dashes.

    Returns:
        With `conf` a dict of the settings.

    Raises:
        ConfigError: An option is none of these, or lacks its value.
    """
    parser = _Parser(prog=f"The engine {engine}", usage="", add_help=False, allow_abbrev=False)
    for name, text in ({f"--{name}": text for name, text in own.items()} | _EVERYWHERE).items():
        action = "append" if name == "--conf" else "store"
        parser.add_argument(name, action=action, help=text)
    values = parser.parse_args([*options])
    values.conf = dict(_setting(engine, text) for text in values.conf or [])
    return values


def _setting(engine: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise ConfigError(f"The engine {engine}: --conf is KEY=VALUE, and not {text!r}.")
    return key, value
