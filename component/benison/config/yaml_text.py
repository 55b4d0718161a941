# SPDX-License-Identifier: Apache-2.0
"""Reads YAML 1.2 (core schema) as plain data, with text as keys and no key twice.

ruamel.yaml parses the text into events, and this module builds the data from them. So a text cannot
construct an object or nest deeper than a config does, and the rules of YAML 1.1, by which the country NO
is false, do not apply.
"""

from __future__ import annotations

import dataclasses
import re
from contextlib import suppress
from typing import Any, NoReturn

from benison.config import plain
from benison.errors import ConfigError

_NUMBERS = (
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"), float),
    (
        re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
        lambda text: float(text.replace(".", "")),
    ),
)
"""Which unquoted scalars are numbers. 0123 is text, because a postcode must keep its zero."""

_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_TAG = "tag:yaml.org,2002:"


def parse(text: str) -> Any:
    """The plain data of a YAML text: dicts with text for keys, lists, text, numbers, booleans, None.

    >>> parse("{country: NO, bins: [0, 1e-3, .inf], zip: 0123, 5: on}")
    {'country': 'NO', 'bins': [0, 0.001, inf], 'zip': '0123', '5': 'on'}

    Raises:
        ConfigError: The text is not YAML, or is not plain data; the message has line and column.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    if text.lstrip()[:1] in ("{", "["):
        with suppress(ConfigError):  # JSON is YAML, and Python reads it a thousand times faster
            return plain.parse_json(text)
    reader = _Reader()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            getattr(reader, type(event).__name__, reader.passed)(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{error.problem}{_at(mark) if mark else ''}.") from error
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        code = f"the character U+{ord(text[error.position]):04X} is not allowed"
        raise ConfigError(f"{code} at line {line}, column {column}.") from error
    plain.check(reader.root)
    return reader.root


def _at(mark: Any) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}"


@dataclasses.dataclass
class _Open:
    """A list or mapping whose end has not been read; `key` waits for its value."""

    value: Any
    key: str | None = None
    merged: tuple[Any, Any] | None = None
    """The event and the value of the key <<, which may not be complete yet."""


class _Reader:
    """Makes plain data of events; its methods have the names of the events that they take."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Any] = {}
        self._documents = 0

    def passed(self, event: Any) -> None:
        """Take an event that says nothing of the data."""

    def DocumentStartEvent(self, event: Any) -> None:  # noqa: N802
        self._documents += 1
        if self._documents > 1:
            _refuse(event, "there is a second document", "a file holds one")

    def ScalarEvent(self, event: Any) -> None:  # noqa: N802
        top = self._open[-1] if self._open else None
        if top and isinstance(top.value, dict) and top.key is None:
            self._take_key(top, event)
        else:
            self._keep(event, _scalar(event))

    def SequenceStartEvent(self, event: Any) -> None:  # noqa: N802
        self._begin(event, [], "seq")

    def MappingStartEvent(self, event: Any) -> None:  # noqa: N802
        self._begin(event, {}, "map")

    def SequenceEndEvent(self, event: Any) -> None:  # noqa: N802
        self._open.pop()

    def MappingEndEvent(self, event: Any) -> None:  # noqa: N802
        closed = self._open.pop()
        for more in _merged(closed):
            for key, value in more.items():
                closed.value.setdefault(key, value)

    def AliasEvent(self, event: Any) -> None:  # noqa: N802
        if event.anchor not in self._anchors:
            _refuse(
                event,
                f"*{event.anchor} has no anchor",
                f"write &{event.anchor} before what it stands for",
            )
        value = self._anchors[event.anchor]
        if any(value is waiting.value for waiting in self._open):
            _refuse(
                event, f"*{event.anchor} is inside of what it stands for", "write out what is meant"
            )
        self._keep(event, value)

    def _begin(self, event: Any, value: Any, kind: str) -> None:
        if event.tag not in (None, f"{_TAG}{kind}"):
            _refuse(event, f"the tag {event.tag} is not one of plain data", "leave it out")
        if len(self._open) >= plain.DEPTH:
            _refuse(event, f"a value {plain.TOO_DEEP}", "a config needs a dozen levels")
        self._keep(event, value)
        self._open.append(_Open(value))

    def _take_key(self, top: _Open, event: Any) -> None:
        if event.value in top.value:
            _refuse(event, f"the key {event.value!r} is given twice", "leave out one of them")
        if event.anchor:
            self._anchors[event.anchor] = event.value
        top.key = event.value
        top.value[top.key] = None  # its place in the order; a merge key leaves it again

    def _keep(self, event: Any, value: Any) -> None:
        if event.anchor and type(event).__name__ != "AliasEvent":
            self._anchors[event.anchor] = value
        if not self._open:
            self.root = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None:
            _refuse(event, f"a key is {_kind(value)}", "keys are text")
        else:
            self._keep_value(top, event, value)

    def _keep_value(self, top: _Open, event: Any, value: Any) -> None:
        key, top.key = top.key, None
        if key == "<<":
            del top.value[key]
            top.merged = (event, value)
        else:
            top.value[key] = value


def _merged(closed: _Open) -> list[dict[str, Any]]:
    """The mappings whose keys a mapping has where it has none of its own."""
    if closed.merged is None:
        return []
    event, value = closed.merged
    several = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in several):
        _refuse(event, f"<< has {_kind(value)}", "it merges mappings, such as *anchor")
    return several


def _scalar(event: Any) -> Any:
    """What a scalar means: by its tag, else text if it is quoted, else by the core schema."""
    tag = (event.tag or "").removeprefix(_TAG)
    if tag == "str" or (not tag and not event.implicit[0]) or event.tag == "!":
        return event.value
    value = _resolved(event)
    kinds = {"": object, "int": int, "float": (int, float), "bool": bool, "null": type(None)}
    if tag not in kinds:
        _refuse(event, f"the tag {event.tag} is not one of plain data", "leave it out")
    if not isinstance(value, kinds[tag]):  # type: ignore[arg-type]
        _refuse(
            event,
            f"{event.value!r} is not of the type {tag}, which its tag says",
            "leave the tag out",
        )
    return value


def _resolved(event: Any) -> Any:
    text = event.value
    if text in _WORDS:
        return _WORDS[text]
    for pattern, convert in _NUMBERS:
        if pattern.fullmatch(text):
            try:
                return convert(text)
            except ValueError:  # of thousands of digits
                _refuse(event, f"a number has {len(text):,} digits", "round it")
    return text


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)


def _refuse(event: Any, why: str, cure: str) -> NoReturn:
    raise ConfigError(f"{why}{_at(event.start_mark)}; {cure}.")
