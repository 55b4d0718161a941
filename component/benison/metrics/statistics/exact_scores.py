# SPDX-License-Identifier: Apache-2.0
"""The weights of slices with few scores, by the scores themselves.

Ranks are then exact: no two different scores are taken for equal. Sorting is what costs here, so keys are
whole numbers, and scores that repeat are coded first and counted in a table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Mask
from benison.metrics.statistics.binary import BinaryRows, Weights
from benison.metrics.statistics.cells import BLOCK_CELLS, CellPairs, Cells
from benison.metrics.statistics.equal_runs import starts
from benison.metrics.statistics.orders import in_order
from benison.metrics.statistics.scale import BIN_BITS, bins_of
from benison.slicing.spans import spans

_SAMPLE = 2**13  # rows: enough to tell a half from a third


@dataclasses.dataclass(frozen=True)
class ExactScores:
    """Weights of negatives and positives at each score of each slice, n in all, ascending.

    `keys` are `slice * 2**BIN_BITS + bin` on the scale, int64[n]; `scores`, `negatives` and `positives` are
    float64[n]. Few bins have several scores, so whole numbers put nearly all in order.

    A score takes 32 bytes in each slice that has it.
    """

    keys: Index
    scores: Array
    negatives: Array
    positives: Array

    @classmethod
    def empty(cls) -> ExactScores:
        """Of no slices."""
        none = np.zeros(0)
        return cls(np.zeros(0, np.int64), none, none, none)

    @classmethod
    def of(cls, batches: Sequence[BinaryRows]) -> ExactScores:
        """The weights of the rows of some batches."""
        if not batches:
            return cls.empty()
        scores = np.concatenate([rows.scores for rows in batches])
        scores += 0.0  # which makes -0 the 0 that it equals
        if has_few_scores(batches):
            return cls._by_code(batches, *_encoded(scores))
        ends = np.cumsum([len(rows) for rows in batches])
        each = zip(batches, np.split(scores, ends[:-1]), strict=True)
        parts = [part for rows, of_rows in each for part in _parts(rows, of_rows)]
        return cls._joined(parts)._in_order("quicksort")

    @classmethod
    def _by_code(cls, batches: Sequence[BinaryRows], distinct: Array, codes: Index) -> ExactScores:
        """As `of`, where `distinct` are few scores, ascending, and `codes` say which each row has.

        Rows are counted in a table of slices x scores, without sorting them.

        Args:
            batches: The rows.
            distinct: D scores, float64[D].
            codes: The number of the score of each row of all batches, int64[N].
        """
        width, start = 2 * len(distinct), 0
        total = Cells.empty(batches[0].codes.size, width)
        for rows in batches:
            cells = 2 * codes[start : start + len(rows)] + rows.positive
            total = total.merge(Cells.grouped(cells, rows.weights, rows.codes, width))
            start += len(rows)
        held = CellPairs.joined(list(total.pairs()))
        slices = held.keys // len(distinct)
        code = held.keys - slices * len(distinct)
        keys = (slices << BIN_BITS) + bins_of(distinct)[code]
        return cls(keys, distinct[code], held.first, held.second)

    @classmethod
    def _joined(cls, parts: Sequence[ExactScores]) -> ExactScores:
        keys = np.concatenate([part.keys for part in parts])
        scores = np.concatenate([part.scores for part in parts])
        negatives = np.concatenate([part.negatives for part in parts])
        return cls(keys, scores, negatives, np.concatenate([part.positives for part in parts]))

    def merge(self, other: ExactScores) -> ExactScores:
        """The weights of both; neither is changed, and equal scores of a slice become one."""
        if not len(self) or not len(other):
            return self if len(self) else other
        return self._joined([self, other])._in_order("stable")

    def _at(self, index: Index | slice) -> ExactScores:
        columns = (self.scores[index], self.negatives[index], self.positives[index])
        return ExactScores(self.keys[index], *columns)

    def _in_order(self, kind: Literal["quicksort", "stable"]) -> ExactScores:
        """Ascending, with the weights of equal scores of a slice summed up.

        Args:
            kind: "stable" where long runs are in order already, as after a merge; a stable sort finds them.
        """
        order, keys, scores = _sorted(self.keys, self.scores, kind)
        negatives, positives = self.negatives[order], self.positives[order]
        first = starts(keys, scores)
        if len(first) == len(keys):
            return ExactScores(keys, scores, negatives, positives)
        sums = (np.add.reduceat(x, first) for x in (negatives, positives))
        return ExactScores(keys[first], scores[first], *sums)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def slices(self) -> Index:
        """The slice of each: int64[n]."""
        return self.keys >> BIN_BITS

    @property
    def bins(self) -> Index:
        """The bin of each on the scale: int64[n]."""
        return self.keys & ((1 << BIN_BITS) - 1)

    @property
    def weights(self) -> Weights:
        """The weights by slice and bin, of which some may be there more than once."""
        return Weights(self.slices, self.bins, self.negatives, self.positives)

    def scores_in(self, size: int) -> Index:
        """How many scores each of S slices has: int64[S]."""
        return np.diff(self._ends(size), prepend=0)

    def _ends(self, size: int) -> Index:
        return np.searchsorted(self.keys, np.arange(1, size + 1) << BIN_BITS)

    def in_slices(self, chosen: Mask) -> ExactScores:
        """Of those slices alone that are `chosen`, bool[S]."""
        kept = chosen[self.slices]
        return self if kept.all() else self._at(np.flatnonzero(kept))

    def relabelled(self, index: Index) -> ExactScores:
        """Slice i becomes slice `index[i]`."""
        keys = (index[self.slices] << BIN_BITS) + self.bins
        moved = dataclasses.replace(self, keys=keys)
        return moved if np.all(index[1:] > index[:-1]) else moved._in_order("stable")

    def take(self, index: Index) -> ExactScores:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        starts, ends = (np.searchsorted(self.keys, (index + i) << BIN_BITS) for i in (0, 1))
        slices = np.repeat(np.arange(len(index)), ends - starts)
        taken = self._at(spans(starts, ends))
        return dataclasses.replace(taken, keys=(slices << BIN_BITS) + taken.bins)

    def blocks(self, size: int) -> Iterator[ExactScores]:
        """Those of some slices at a time, about `BLOCK_CELLS` scores or one slice with more.

        Args:
            size: The number of slices S; those without scores are in no block.
        """
        ends = self._ends(size)
        last = np.flatnonzero(np.diff(ends // BLOCK_CELLS, append=-1))
        for first, end in pairwise([0, *ends[last].tolist()]):
            if end > first:
                yield self._at(slice(first, end))


def has_few_scores(batches: Sequence[BinaryRows]) -> bool:
    """Whether rows mostly repeat the scores of others, as a sample shows.

    Scores of a tree, or rounded ones, do. The answer decides how weights are added up and not what they are,
    so a sample that misleads costs time alone.
    """
    rows = sum(map(len, batches))
    step = rows // _SAMPLE + 1
    sample = np.concatenate([batch.scores[::step] for batch in batches])
    return rows > _SAMPLE and 2 * len(np.unique(sample)) < len(sample)


def _parts(rows: BinaryRows, scores: Array) -> Iterator[ExactScores]:
    """The rows of a batch for each slicing spec, in the order of the batch."""
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights
    sides = (np.where(rows.positive == side, weights, 0.0) for side in (False, True))
    whole = ExactScores(bins_of(scores), scores, *sides)
    for at, codes in rows.codes.parts:
        if len(codes):
            part = whole if at is None else whole._at(at)
            yield dataclasses.replace(part, keys=(codes << BIN_BITS) + part.keys)


def _sorted(
    keys: Index, scores: Array, kind: Literal["quicksort", "stable"]
) -> tuple[Index, Index, Array]:
    """Keys, and the scores of equal keys, in ascending order, after the indices of both: int64[n].

    Keys are sorted first. Only runs of a key whose scores are not in order after that are sorted by both.
    """
    order, keys = in_order(keys, kind)
    scores = scores[order]
    wrong = scores[1:] < scores[:-1]
    wrong &= keys[1:] == keys[:-1]
    mixed = np.unique(keys[:-1][wrong])
    if len(mixed):
        at = spans(*(np.searchsorted(keys, mixed, side) for side in ("left", "right")))
        again = np.lexsort((scores[at], keys[at]))
        order[at], scores[at] = order[at][again], scores[at][again]
    return order, keys, scores


def _encoded(scores: Array) -> tuple[Array, Index]:
    """The distinct scores, ascending, and which of them each is: float64[D] and int64[N].

    >>> _encoded(np.array([0.5, 0.25, 0.5]))
    (array([0.25, 0.5 ]), array([1, 0, 1]))
    """
    # Arrow's hash table takes a fraction of the time of np.unique, which sorts all rows.
    values = pa.Array.from_buffers(pa.float64(), len(scores), [None, pa.py_buffer(scores)])
    encoded = values.dictionary_encode()
    distinct = np.frombuffer(encoded.dictionary.buffers()[1], np.float64, len(encoded.dictionary))
    codes = np.frombuffer(encoded.indices.buffers()[1], np.int32, len(scores))
    order = np.argsort(distinct)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return distinct[order], rank[codes]
