# SPDX-License-Identifier: Apache-2.0
"""What is read from a state more than once, such as the curves that many metrics share.

A metric knows nothing of the others that read the same state, so what they share is kept beside the state and
goes when the state goes. Only states that are never changed may be read like this, which all states are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

_READ_OFTEN: WeakSet[Any] = WeakSet()

StateT = TypeVar("StateT")
ReadT = TypeVar("ReadT")


def kept(read: Callable[[StateT], ReadT]) -> Callable[[StateT], ReadT]:
    """Like `read`, whose answer is kept while the state lives.

    Args:
        read: The answer must not refer to the state itself, which then would live as long as the program.

    >>> class Numbers(list): __hash__ = object.__hash__
    >>> numbers, total = Numbers([1, 2]), kept(sum)
    >>> total(numbers), numbers.append(3), total(numbers)
    (3, None, 3)
    """
    known: WeakKeyDictionary[StateT, ReadT] = WeakKeyDictionary()

    @functools.wraps(read)
    def reading(state: StateT) -> ReadT:
        if state not in known:
            known[state] = read(state)
        return known[state]

    return reading


def expect_readers(state: Any) -> None:
    """Say that several metrics will read a state, of which the first one then makes what the others need."""
    _READ_OFTEN.add(state)


def kept_if_small(
    read: Callable[[StateT], Iterable[ReadT]], size: Callable[[ReadT], int], most: int
) -> Callable[[StateT], Iterator[ReadT]]:
    """Like `read`, whose parts are kept while the state lives, from the second time on that it is read.

    What one metric alone reads is then never kept: the first reading streams, the second one keeps, and the
    third one and all later ones have what was kept. Where several are expected the first reading keeps.

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
        keeping, total = state in known or state in _READ_OFTEN, 0
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
