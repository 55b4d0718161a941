# SPDX-License-Identifier: Apache-2.0
"""Tables as wide as the terminal: names go on in the next line, and columns leave before a name is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from benison.terminal import console

NAME_WIDTH = 24
"""Columns of a name that stay beside each other; longer names go on in the next line."""

_LEAST = 8  # columns of a name in a terminal that has no room for any table
_AROUND = 3  # columns between two cells


def fitted_table(  # noqa: PLR0913 - each by its name
    title: str,
    cells: Mapping[str, Sequence[str]],
    *,
    names: Collection[str],
    left_out_first: Sequence[str],
    words: Collection[str] = (),
    headings: Mapping[str, str] | None = None,
    least: int = NAME_WIDTH,
    elsewhere: str = "--json",
) -> Table:
    """A table of the columns for which there is room, which says what it has left out.

    Args:
        title: Printed above it, as Rich's markup.
        cells: The cells of each column from left to right, as Rich's markup.
        names: The columns whose cells may go on in the next line.
        left_out_first: The columns that a narrow terminal does without, in this order.
        words: Further columns that stand to the left.
        headings: Those of columns that are not called what they are.
        least: How wide a longer name stays; a single word stays whole up to `NAME_WIDTH` columns.
        elsewhere: What has the columns that are left out.
    """
    texts = {column: ((headings or {}).get(column, column), *cells[column]) for column in cells}
    needed = {
        column: _needed(texts[column], least) if column in names else _width(texts[column])
        for column in cells
    }
    room = console().width - 1
    kept = _kept(needed, left_out_first, room)
    spare = room - sum(needed[column] + _AROUND for column in kept)
    widths = _name_widths({c: texts[c] for c in kept if c in names}, needed, spare)
    table = Table(title=title, title_justify="left", caption_justify="left")
    for column in kept:
        side: Literal["left", "right"] = "left" if column in {*names, *words} else "right"
        wraps = column in names
        heading, width = texts[column][0], widths.get(column)
        table.add_column(heading, justify=side, overflow="fold", no_wrap=not wraps, width=width)
    for row in zip(*(cells[column] for column in kept), strict=True):
        table.add_row(*row)
    if left_out := [column for column in cells if column not in kept]:
        whole = f"A wider terminal or {elsewhere} has them."
        table.caption = f"No room for: {', '.join(left_out)}. {whole}"
    return table


def _width(texts: Sequence[str]) -> int:
    return max(cell_len(Text.from_markup(text).plain) for text in texts)


def _needed(texts: Sequence[str], least: int) -> int:
    """How wide a name must be: `least`, or as its longest word, but no wider than it is."""
    words = [word for text in texts for word in Text.from_markup(text).plain.split()]
    longest = max(map(cell_len, words), default=0)
    return min(_width(texts), max(least, min(longest, NAME_WIDTH)))


def _kept(needed: Mapping[str, int], left_out_first: Sequence[str], room: int) -> list[str]:
    """The columns that fit next to each other whole, the less important ones left out first."""
    spare = room - sum(width + _AROUND for width in needed.values())
    left_out = []
    for column in (c for c in left_out_first if c in needed):
        if spare >= 0:
            break
        spare += needed[column] + _AROUND
        left_out.append(column)
    for column in reversed(left_out):  # a narrow one has room again once a wide one is gone
        if needed[column] + _AROUND <= spare:
            spare -= needed[column] + _AROUND
            left_out.remove(column)
    return [column for column in needed if column not in left_out]


def _name_widths(
    names: Mapping[str, Sequence[str]], needed: Mapping[str, int], spare: int
) -> dict[str, int]:
    """How wide each column of names is, which share what the others leave."""
    made = {}
    for column, texts in names.items():
        whole = _width(texts)
        made[column] = min(whole, max(needed[column] + spare, min(whole, _LEAST)))
        spare -= made[column] - needed[column]
    return made
