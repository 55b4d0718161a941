# SPDX-License-Identifier: Apache-2.0
"""This file is reading ahead: the next item is made by another thread while one is in use."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, of which the next is made by another thread while one is in use.

    An exception of the other thread is raised here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="benison-read") as pool:
        ahead = pool.submit(next, items, _END)
        while (item := ahead.result()) is not _END:
            ahead = pool.submit(next, items, _END)
            yield item  # type: ignore[misc]
