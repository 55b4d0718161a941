# SPDX-License-Identifier: Apache-2.0
"""Evaluates one shard on a worker of another process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from benison.data.shards import Shard, read_shard
from benison.engine import local
from benison.engine.row_streams import of_part
from benison.engine.stages import Evaluator, Extractor
from benison.engine.tally import Tally
from benison.metrics.modules import UserMetrics

# More groups than any run has keep a range of slices and a group apart in one number.
_GROUPS = 2**24


@dataclasses.dataclass(frozen=True)
class Piece:
    """What travels between workers: a state for each evaluator, and what rows they are of."""

    tally: Tally
    states: list[Any]


@dataclasses.dataclass(frozen=True)
class Work:
    """What a worker does with a shard: its rows through the stages, into one state an evaluator.

    `user_metrics` come first: unpickling them imports the modules of what is unpickled after them.
    """

    user_metrics: UserMetrics
    extractors: tuple[Extractor, ...]
    evaluators: tuple[Evaluator, ...]
    columns: tuple[str, ...] | None
    keep_input: bool
    number: bool

    def loaded(self) -> Work:
        """The same, once each extractor has loaded what it calls."""
        local.setup(self.extractors)
        return self

    def evaluate(self, part: tuple[int, Shard]) -> list[Piece]:
        """The states of the rows of one shard, given with its number; a piece for each range of slices."""
        number, shard = part
        batches = read_shard(shard, self.columns, keep_input=self.keep_input, number=self.number)
        evaluators = [of_part(evaluator, number) for evaluator in self.evaluators]
        counted = Counted(batches)
        states = self.split(local.run(counted, self.extractors, evaluators))
        tally = Tally(((number, counted.rows, len(states)),))
        return [Piece(tally, each) for each in states]

    def split(self, states: list[Any]) -> list[list[Any]]:
        """The states by ranges of slices, of those evaluators that can; the others' are with the first."""
        ranges = [_ranges(e, state) for e, state in zip(self.evaluators, states, strict=True)]
        return [
            [
                of[i] if i < len(of) else e.zero()
                for e, of in zip(self.evaluators, ranges, strict=True)
            ]
            for i in range(max(map(len, ranges), default=1))
        ]

    def zero(self) -> Piece:
        """The states of no rows."""
        return Piece(Tally(), [evaluator.zero() for evaluator in self.evaluators])

    def merge(self, piece: Piece, other: Piece) -> Piece:
        """The states of both."""
        states = zip(self.evaluators, piece.states, other.states, strict=True)
        return Piece(piece.tally.merge(other.tally), [e.merge(a, b) for e, a, b in states])

    def merge_all(self, pieces: list[Piece]) -> Piece:
        """The states of all, merged two and two, so that no slice is moved more often than need be."""
        while len(pieces) > 1:
            merged = [self.merge(a, b) for a, b in zip(pieces[::2], pieces[1::2], strict=False)]
            pieces = merged + (pieces[-1:] if len(pieces) % 2 else [])
        return pieces[0] if pieces else self.zero()


def numbered(pieces: Sequence[Piece], group: int = 0) -> list[tuple[int, Piece]]:
    """The pieces of one part of the data, each with a number for its range of slices and the group."""
    return [(i * _GROUPS + group, piece) for i, piece in enumerate(pieces)]


def of_range(number: int, piece: Piece) -> tuple[int, Piece]:
    """A piece with the number of its range alone."""
    return number // _GROUPS, piece


class Counted:
    """Batches, and the rows of those that were taken."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch


def _ranges(evaluator: Evaluator, state: Any) -> list[Any]:
    split = getattr(evaluator, "split", None)
    return [state] if split is None else list(split(state))
