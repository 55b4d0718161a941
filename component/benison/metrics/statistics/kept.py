# SPDX-License-Identifier: Apache-2.0
"""What is read from a state more than once, such as the curves that many metrics share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from weakref import WeakKeyDictionary

StateT = TypeVar("StateT")
ReadT = TypeVar("ReadT")


def kept(read: Callable[[StateT], ReadT]) -> Callable[[StateT], ReadT]:
    """Like `read`, whose answer is kept while the state lives; it must not refer to the state itself."""
    known: WeakKeyDictionary[StateT, ReadT] = WeakKeyDictionary()

    @functools.wraps(read)
    def reading(state: StateT) -> ReadT:
        if state not in known:
            known[state] = read(state)
        return known[state]

    return reading


def kept_if_small(
    read: Callable[[StateT], Iterable[ReadT]], size: Callable[[ReadT], int], most: int
) -> Callable[[StateT], Iterator[ReadT]]:
    """Like `read`, whose parts are kept while the state lives, from the second time on that it is read.

    Args:
        read: Makes the parts, which must not refer to the state itself.
        size: The size of a part.
        most: If the parts are larger than this together, they are made anew each time.
    """
    known: WeakKeyDictionary[StateT, list[ReadT] | None] = WeakKeyDictionary()

    @functools.wraps(read)
    def reading(state: StateT) -> Iterator[ReadT]:
        parts = known.get(state)
        if parts is not None:
            yield from parts
            return
        keeping, total = state in known, 0
        parts = []
        for part in read(state):
            total += size(part)
            if total <= most and keeping:
                parts.append(part)
            else:
                keeping, parts = False, []
            yield part
        known[state] = parts if keeping else None

    return reading
