# SPDX-License-Identifier: Apache-2.0
"""What is summed up over the parts of the data before the pass, and held against what there is to read."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from benison.data.reading import Inspected
from benison.data.shards import Scan, Shard
from benison.engine.stages import Merging
from benison.engine.tally import Tally
from benison.paths import absolute

Part = TypeVar("Part", Scan, Shard)


class Summary(Merging, Protocol):
    """What is made of the rows of a shard, and how two of it become one; it can be pickled."""

    def of_shard(self, shard: Shard) -> Any:
        """Of the rows of one shard."""


@dataclasses.dataclass(frozen=True)
class Tallied:
    """A summary beside the parts of the data that are in it."""

    summary: Summary

    def of_part(self, part: tuple[int, Shard]) -> tuple[Tally, Any]:
        """Of a numbered shard."""
        return tally_of(part[0]), self.summary.of_shard(part[1])

    def zero(self) -> tuple[Tally, Any]:
        """Of no rows."""
        return Tally(), self.summary.zero()

    def merge(self, states: tuple[Tally, Any], others: tuple[Tally, Any], /) -> tuple[Tally, Any]:
        """Of the parts of both."""
        return states[0].merge(others[0]), self.summary.merge(states[1], others[1])


def tally_of(number: int) -> Tally:
    """Of a part that is summed up as a whole, whose rows nobody counts."""
    return Tally(((number, 0, 1),))


def sent(parts: Iterable[Part]) -> list[tuple[int, Part]]:
    """The numbered parts, as workers get them, which may be in other folders than this process."""
    return list(enumerate(dataclasses.replace(part, path=absolute(part.path)) for part in parts))


def types_of(
    scans: Sequence[Scan], made: Iterable[tuple[Tally, tuple[str, Inspected]]]
) -> list[tuple[str, Inspected]]:
    """What the scans that were sent have found, by the paths of those that were not.

    Raises:
        DataError: A scan is missing or came twice.
    """
    names, tallied = {absolute(scan.path): scan.path for scan in scans}, list(made)
    functools.reduce(Tally.merge, (tally for tally, _ in tallied), Tally()).check_parts(scans)
    types = [(names[path], inspected) for _, (path, inspected) in tallied]
    return sorted(types, key=lambda pair: pair[0])
