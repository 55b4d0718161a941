# SPDX-License-Identifier: Apache-2.0
"""States of a pass by key, of which one that grows too large is given up: it is None, and stays so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self, TypeVar


class Limited(Protocol):
    """A state that says when it holds too many values."""

    @property
    def are_too_many(self) -> bool:
        """Whether it is given up."""

    def merge(self, other: Self) -> Self:
        """Of the rows of both."""


K = TypeVar("K")
S = TypeVar("S", bound=Limited)


def merged(state: Mapping[K, S | None], other: Mapping[K, S | None]) -> dict[K, S | None]:
    """Of the rows of both."""
    both = {**state, **other}
    for key in state.keys() & other.keys():
        a, b = state[key], other[key]
        joined = None if a is None or b is None else a.merge(b)
        both[key] = None if joined is None or joined.are_too_many else joined
    return both


def kept(state: Mapping[K, S | None]) -> dict[K, S]:
    """Those that were not given up."""
    return {key: of for key, of in state.items() if of is not None}
