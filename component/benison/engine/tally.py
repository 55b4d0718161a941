# SPDX-License-Identifier: Apache-2.0
"""Counts which parts of the data have reached the states, and holds it against what there is to read.

What a cluster loses or delivers twice would be wrong numbers without an error.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from benison.data.shards import Scan, Shard
from benison.errors import DataError


@dataclasses.dataclass(frozen=True)
class Tally:
    """What has come in.

    Attributes:
        pieces: For each piece of states the number of its part of the data, the rows that were read of that
            part, and in how many pieces the states of that part travel.
    """

    pieces: tuple[tuple[int, int, int], ...] = ()

    def merge(self, other: Tally) -> Tally:
        """Of the pieces of both."""
        return Tally(self.pieces + other.pieces)

    def check(self, shards: Sequence[Shard], rows: Mapping[str, int | None]) -> None:
        """Hold that every part has come in once, with all of its rows.

        Args:
            shards: The parts.
            rows: Of each file, as it says itself; None where only reading it tells.

        Raises:
            DataError: A part is missing or came twice, or has not the rows that its file says.
        """
        self.check_parts(shards)
        self._check_rows(shards, rows)

    def check_parts(self, parts: Sequence[Shard | Scan]) -> None:
        """Hold that every part has come in once.

        Args:
            parts: What there was to read, by number.

        Raises:
            DataError: A part is missing or came twice.
        """
        seen = collections.Counter(part for part, _, _ in self.pieces)
        expected = {part: pieces for part, _, pieces in self.pieces}
        for number, part in enumerate(parts):
            if seen[number] != expected.get(number, 1):
                raise DataError(
                    f"{part.path}: of part {number} of the data {seen[number]} of "
                    f"{expected.get(number, 1)} pieces reached the result. The runner has lost or doubled "
                    f"elements; evaluate again, on another runner if it stays so."
                )

    def rows(self, source: str) -> int:
        """The rows of all parts, of which nobody says how many there are.

        Args:
            source: What the parts are of, for what is said.

        Raises:
            DataError: A part came twice, or one before the last is missing.
        """
        seen = collections.Counter(part for part, _, _ in self.pieces)
        expected = {part: pieces for part, _, pieces in self.pieces}
        for part in range(max(seen, default=-1) + 1):
            if seen[part] != expected.get(part, 1):
                raise DataError(
                    f"{source}: of partition {part} {seen[part]} of {expected.get(part, 1)} pieces reached "
                    "the result. Evaluate again; an engine that loses or doubles rows cannot be used."
                )
        return sum({part: rows for part, rows, _ in self.pieces}.values())

    def _check_rows(self, shards: Sequence[Shard], rows: Mapping[str, int | None]) -> None:
        of_part = {part: count for part, count, _ in self.pieces}
        read: dict[str, int] = {}
        for number, shard in enumerate(shards):
            read[shard.path] = read.get(shard.path, 0) + of_part[number]
        for path, count in read.items():
            check_rows_read(path, count, rows.get(path))


def check_rows_read(source: str, read: int, known: int | None) -> None:
    """Hold that as many rows were read as there are; `known` is None where only reading tells.

    >>> check_rows_read("a.parquet", 5, 7)
    Traceback (most recent call last):
    benison.errors.DataError: a.parquet holds 7 rows, of which 5 were read. Evaluate again; a runner that \
loses rows cannot be used.
    """
    if known is not None and read != known:
        raise DataError(
            f"{source} holds {known:,} rows, of which {read:,} were read. Evaluate again; a runner that "
            f"loses rows cannot be used."
        )
