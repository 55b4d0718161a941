# SPDX-License-Identifier: Apache-2.0
"""Adds to the data in a YAML or JSON text where they stand; every other line stays as it is."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from benison.config.yaml_text import parse
from benison.errors import ConfigError

_Edit = tuple[int, int, str]
"""Where what is replaced begins and ends, and what stands there then."""


def edited(text: str, wanted: Any, is_json: bool) -> str:
    r"""The text with what makes it say `wanted`, which has more entries than it says now, or other scalars.

    >>> print(edited("a: [1,2]  # few\nb: {c: x}\n", {"a": [1, 2, 3], "b": {"c": "x", "d": "y"}}, False))
    a: [1,2, 3]  # few
    b: {c: x, d: y}
    <BLANKLINE>

    Raises:
        ConfigError: It is written in a way that nothing can be added to.
    """
    from ruamel.yaml import YAML

    # A tab in JSON is a blank, of which YAML takes no other between two values.
    root = YAML(typ="safe", pure=True).compose(text.replace("\t", " ") if is_json else text)
    edits = dict.fromkeys(_Editor(text, is_json).edits(root, parse(text), wanted, in_flow=False))
    written = text
    # From the end, so that places before it stay; what is within another value comes before what is after it.
    for start, end, new in reversed(sorted(edits, key=lambda edit: edit[0])):
        written = written[:start] + new + written[end:]
    with suppress(ConfigError):
        if parse(written) == wanted:
            return written
    raise ConfigError(
        "The config is written in a way that nothing can be added to. `benison convert` writes it anew."
    )


@dataclasses.dataclass(frozen=True)
class _Editor:
    text: str
    is_json: bool

    def edits(self, node: Any, old: Any, new: Any, in_flow: bool) -> Iterator[_Edit]:
        """What makes the value of a node another one."""
        if old == new:
            return
        in_flow = in_flow or bool(getattr(node, "flow_style", False))
        if isinstance(old, dict) and isinstance(new, dict):
            yield from self._in_mapping(node, old, new, in_flow)
        elif isinstance(old, list) and isinstance(new, list):
            for child, before, after in zip(node.value, old, new, strict=False):
                yield from self.edits(child, before, after, in_flow)
            if len(new) > len(old):
                yield self._added(node, new[len(old) :], in_flow)
        else:
            yield from self._replaced(node, new, in_flow)

    def _in_mapping(
        self, node: Any, old: dict[str, Any], new: dict[str, Any], in_flow: bool
    ) -> Iterator[_Edit]:
        entries = {key.value: (key, value) for key, value in node.value}
        for name, value in new.items():
            if name not in entries:
                if name not in old or old[name] != value:  # else it is of a merged mapping
                    yield self._added(node, {name: value}, in_flow)
                continue
            key, child = entries[name]
            if old[name] != value and child.start_mark.index == child.end_mark.index:
                after_colon = self.text.index(":", key.end_mark.index) + 1
                yield after_colon, after_colon, f" {self._flow(value)}"
            else:
                yield from self.edits(child, old[name], value, in_flow)

    def _replaced(self, node: Any, new: Any, in_flow: bool) -> Iterator[_Edit]:
        start, end = node.start_mark.index, node.end_mark.index
        if in_flow or not isinstance(new, dict):
            yield start, end, self._flow(new)
            return
        first, *rest = self._block(new, node.start_mark.column)
        yield start, end, first.lstrip()
        yield self._below(end, rest)  # below the comment that the line may have

    def _added(self, node: Any, more: Any, in_flow: bool) -> _Edit:
        """Entries at the end of a list or a mapping."""
        if not in_flow:
            return self._below(self._end(node), self._block(more, node.start_mark.column))
        within = self._flow(more)[1:-1]
        bracket = node.end_mark.index - 1
        if not node.value:
            return bracket, bracket, within
        last = node.value[-1]
        first, final = last if isinstance(last, tuple) else (last, last)
        at = final.end_mark.index
        if self.text[at:bracket].lstrip(" ,\r\n")[:1] not in ("", "#"):  # the last is an alias
            at = len(self.text[:bracket].rstrip())
        has_lines = node.start_mark.line != first.start_mark.line
        gap = self._line_end + " " * first.start_mark.column if has_lines else " "
        return at, at, f",{gap}{within}"

    def _end(self, node: Any) -> int:
        """Where a list or a mapping without brackets ends, before blank lines and comments."""
        lines = self.text[: node.end_mark.index].splitlines(keepends=True)
        while lines and lines[-1].strip()[:1] in ("", "#"):
            lines.pop()
        return len("".join(lines).rstrip())

    def _below(self, at: int, lines: list[str]) -> _Edit:
        """Lines below the one of a place."""
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end - self.text[:end].endswith("\r")
        return end, end, "".join(self._line_end + line for line in lines)

    @property
    def _line_end(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _flow(self, value: Any) -> str:
        if self.is_json:
            return json.dumps(value, ensure_ascii=False)
        return self._dumped([value], in_flow=True).rstrip()[1:-1]

    def _block(self, value: Any, column: int) -> list[str]:
        blank = " " * column
        if isinstance(value, list):
            items = [self._dumped(item, in_flow=False).splitlines() for item in value]
            marks = (("  " if i else "- ", line) for item in items for i, line in enumerate(item))
            return [blank + mark + line for mark, line in marks]
        return [blank + line for line in self._dumped(value, in_flow=False).splitlines()]

    def _dumped(self, value: Any, in_flow: bool) -> str:
        from ruamel.yaml import YAML

        yaml, stream = YAML(), io.StringIO()
        yaml.default_flow_style = in_flow
        yaml.brace_single_entry_mapping_in_flow_sequence = True
        yaml.width = 2**16
        lists = [line for line in self.text.splitlines() if line.lstrip().startswith("- ")]
        if any(line.startswith(" ") for line in lists):
            yaml.indent(mapping=2, sequence=4, offset=2)
        yaml.dump(value, stream)
        return stream.getvalue().removesuffix("...\n")  # which ends a scalar alone
