# SPDX-License-Identifier: Apache-2.0
"""A sample of the rows of each class in each slice, with the scores of two models.

How two areas under curves vary together is seen on pairs of scores, of which large data have as many as
rows; a sample shows it to a hundredth. Rows draw numbers from their own and those of the least draws are the
sample, so that it is the same however rows are split and in whatever order they come.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benison.data.batch import Array, Index, Inputs
from benison.data.mixing import Numbers, mixed
from benison.errors import DataError
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import check_binary, heavy
from benison.metrics.statistics.cells import starts
from benison.slicing.codes import SliceCodes

ROWS = 4096
"""The most rows of a class in a slice; up to here the sample is all of them."""
_WAITING = 2**20
_KEY_BITS = 24
_ALL = np.uint64(2**64 - 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Rows in slices: `2 * slice + class` of each, int64[M], its draw, uint64[M], and its numbers.

    The numbers are the score of the candidate, that of the baseline, and the weight: float64[M, 3].
    """

    keys: Index
    draws: Numbers
    numbers: Array

    @classmethod
    def joined(cls, parts: Sequence[Drawn]) -> Drawn:
        """Those of all parts, one after the other."""
        none = cls(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros((0, 3)))
        columns = zip(*((p.keys, p.draws, p.numbers) for p in (none, *parts)), strict=True)
        return cls(*map(np.concatenate, columns))

    def at(self, index: Index) -> Drawn:
        """Those at `index`."""
        return Drawn(self.keys[index], self.draws[index], self.numbers[index])

    def ordered(self) -> Drawn:
        """Ascending by key and draw."""
        bits = int(self.keys.max(initial=0)).bit_length()
        if bits > _KEY_BITS:
            return self.at(np.lexsort((self.draws, self.keys)))
        # One number sorts in a fraction of the time of two, and 40 bits of draws hardly ever agree.
        keys = self.keys.astype(np.uint64) << np.uint64(64 - bits) if bits else np.uint64(0)
        return self.at(np.argsort(keys | self.draws >> np.uint64(bits)))

    def ranks(self) -> Index:
        """The place of each among those of its key, from 0, where they are ordered."""
        begin = starts(self.keys)
        lengths = np.diff(np.append(begin, len(self.keys)))
        return np.arange(len(self.keys)) - np.repeat(begin, lengths)


@dataclasses.dataclass(frozen=True, eq=False)
class ScoreSample:
    """The sample of S slices.

    Attributes:
        rows: How many rows of each key there are, int64[2 S].
        least: The rows of the least draws, up to `ROWS` of a key, ordered.
        limits: The draw that a row of each key must not exceed to be sampled: uint64[2 S].
        waiting: Rows that came and are not sorted in.
    """

    rows: Index
    least: Drawn
    limits: Numbers
    waiting: tuple[Drawn, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        compact = self.compact
        return ScoreSample, (compact.rows, compact.least, compact.limits)

    @classmethod
    def of(cls, rows: Index, drawn: Drawn) -> ScoreSample:
        """The least draws of some rows, which are all rows or all that may be among the least."""
        ordered = drawn.ordered()
        ranks = ordered.ranks()
        least = ordered.at(np.flatnonzero(ranks < ROWS))
        limits = np.full(len(rows), _ALL)
        full = np.flatnonzero(ranks == ROWS - 1)
        limits[ordered.keys[full]] = ordered.draws[full]
        return cls(rows, least, limits)

    @functools.cached_property
    def compact(self) -> ScoreSample:
        """The same with no rows waiting."""
        if not self.waiting:
            return self
        waiting = Drawn.joined([_below(each, self.limits) for each in self.waiting])
        likely = _below(waiting, _likely(waiting, len(self.rows)))
        return ScoreSample.of(self.rows, Drawn.joined([self.least, likely]))

    def merge(self, other: ScoreSample) -> ScoreSample:
        """Of the rows of both, which must have one size."""
        large, small = sorted((self, other), key=lambda x: len(x.least.keys), reverse=True)
        more = (*small.waiting, *((small.least,) if len(small.least.keys) else ()))
        # What waits in the larger one was held against its limits already.
        waiting = (*large.waiting, *(_below(each, large.limits) for each in more))
        merged = ScoreSample(self.rows + other.rows, large.least, large.limits, waiting)
        held = sum(len(each.keys) for each in waiting)
        return merged.compact if held > max(_WAITING, len(large.least.keys) // 2) else merged


def _below(rows: Drawn, limits: Numbers) -> Drawn:
    """The rows whose draws do not exceed the limits of their keys."""
    kept = rows.draws <= limits[rows.keys]
    return rows if kept.all() else rows.at(np.flatnonzero(kept))


def _likely(rows: Drawn, size: int) -> Numbers:
    """Limits that the least draws of each key do not exceed: uint64[size].

    Of n draws `ROWS` lie below about ROWS / n of the range; a key in which fewer do has no limit.
    """
    counts = np.bincount(rows.keys, minlength=size)
    share = np.minimum(1.2 * ROWS / np.maximum(counts, 1), 1.0)
    limits = np.where(share < 1, share * 2.0**64 * (1 - 1e-9), 0).astype(np.uint64)
    limits[share >= 1] = _ALL
    enough = np.bincount(rows.keys[rows.draws <= limits[rows.keys]], minlength=size) >= ROWS
    return np.where(enough, limits, _ALL)


@dataclasses.dataclass(frozen=True)
class PairedScores(Statistic[ScoreSample]):
    """A sample of labels and scores of one model or of two.

    Attributes:
        paired: Whether there are two models.
    """

    paired: bool

    def zero(self, size: int) -> ScoreSample:
        return ScoreSample(np.zeros(2 * size, np.int64), Drawn.joined([]), np.full(2 * size, _ALL))

    def add(self, inputs: Inputs, codes: SliceCodes) -> ScoreSample:
        inputs, codes = heavy(inputs, codes)
        check_binary(inputs)
        if inputs.numbers is None:
            raise DataError(
                "The confidence interval of an AUC rests on a sample of rows, and these rows have no numbers "
                "by which they could be drawn. Name a column as options.confidence.cluster_key."
            )
        parts = tuple(self._parts(inputs, codes))
        rows = np.zeros(2 * codes.size, np.int64)
        for part in parts:
            rows += np.bincount(part.keys, minlength=2 * codes.size)
        return ScoreSample(rows, Drawn.joined([]), np.full(len(rows), _ALL), parts)

    def _parts(self, inputs: Inputs, codes: SliceCodes) -> Iterator[Drawn]:
        """The rows of each slicing spec; one with a fractional label is in both classes with a share."""
        assert inputs.numbers is not None
        draws = mixed(inputs.numbers)
        other = inputs.baseline if self.paired else inputs.predictions
        labels = np.clip(inputs.labels, 0.0, 1.0)
        for side, share in ((1, labels), (0, 1 - labels)):
            of_side = np.flatnonzero(share)
            numbers = np.stack([inputs.predictions, other, inputs.weighted(share)], axis=1)
            for rows, slices in codes.take(of_side).parts:
                at = of_side if rows is None else of_side[rows]
                yield Drawn(2 * slices + side, draws[at], numbers[at])

    def merge(self, a: ScoreSample, b: ScoreSample) -> ScoreSample:
        return a.merge(b)

    def scatter(self, state: ScoreSample, index: Index, size: int) -> ScoreSample:
        keys = _both_classes(index)
        rows = np.zeros(2 * size, np.int64)
        limits = np.full(2 * size, _ALL)
        rows[keys], limits[keys] = state.rows, state.limits
        least, *waiting = (
            dataclasses.replace(each, keys=keys[each.keys])
            for each in (state.least, *state.waiting)
        )
        ascending = not len(index) or bool(np.all(index[1:] > index[:-1]))
        return ScoreSample(rows, least if ascending else least.ordered(), limits, tuple(waiting))

    def gather(self, state: ScoreSample, index: Index) -> ScoreSample:
        compact, keys = state.compact, _both_classes(index)
        least = compact.least
        first, last = (np.searchsorted(least.keys, keys, side) for side in ("left", "right"))
        lengths = last - first
        own = np.repeat(np.arange(len(keys)), lengths)
        within = np.arange(len(own)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        taken = least.at(np.repeat(first, lengths) + within)
        numbered = dataclasses.replace(taken, keys=own)
        return ScoreSample(compact.rows[keys], numbered, compact.limits[keys])


def _both_classes(index: Index) -> Index:
    return (2 * index[:, None] + np.arange(2)).ravel()
