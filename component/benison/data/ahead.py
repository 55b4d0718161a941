# SPDX-License-Identifier: Apache-2.0
"""Makes the next item in another thread while one is in use."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from typing import TypeVar

T = TypeVar("T")
_END = object()


def read_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The items, of which the next is made by another thread while one is in use.

    An exception of the other thread is raised here. Close it, if it may not be read to its end: the
    thread of one that is left to the garbage collector is joined in the midst of whatever allocates
    next, which deadlocks if that is the start of another thread. The items are closed with it.
    """
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="benison-read") as pool:
            ahead = pool.submit(next, items, _END)
            while (item := ahead.result()) is not _END:
                ahead = pool.submit(next, items, _END)
                yield item  # type: ignore[misc]
    finally:
        getattr(items, "close", lambda: None)()


def begun_ahead(parts: Iterator[Iterator[T]]) -> Generator[T, None, None]:
    """The items of all parts, of which the next part is begun while one is in use: its first item is made.

    >>> list(begun_ahead(iter([iter("ab"), iter(""), iter("c")])))
    ['a', 'b', 'c']
    """
    with closing(read_ahead(_begun(part) for part in parts)) as begun:
        for items in begun:
            yield from items


def _begun(items: Iterator[T]) -> Iterator[T]:
    first = next(items, _END)
    return items if first is _END else chain([first], items)  # type: ignore[list-item]
