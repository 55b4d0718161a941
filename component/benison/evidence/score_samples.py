# SPDX-License-Identifier: Apache-2.0
"""A sample of the rows of each class in each slice, with the scores of two models.

How two areas under curves vary together is seen on pairs of scores, of which large data have as many as
rows; a sample shows it to two hundredths. Each row draws a number from its own, and is in the sample where
that is below a limit, which the number of rows alone sets: so the sample is the same however rows are split
and in whatever order they come.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from benison.data.batch import Array, Index, Inputs, Mask
from benison.data.mixing import Numbers, mixed
from benison.errors import DataError
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import check_binary, heavy
from benison.slicing.codes import SliceCodes

EXACT_ROWS = 4096
"""Up to so many rows of a class in a slice the sample is all of them."""
ROWS = 2048
"""About so many of more rows are in the sample."""
_WAITING = 2**22
_HELD = 2**20
_KEY_BITS = 24


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Rows in slices: `2 * slice + class` of each, int64[M], its draw, uint64[M], and its numbers.

    The numbers are the score of the candidate, that of the baseline, the weight, and where it is no class the
    label: float64[M, 3 or 4].
    """

    keys: Index
    draws: Numbers
    numbers: Array

    @classmethod
    def joined(cls, parts: Sequence[Drawn]) -> Drawn:
        """Those of all parts, one after the other."""
        parts = [part for part in parts if len(part.keys)]
        if not parts:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros((0, 4)))
        columns = zip(*((p.keys, p.draws, p.numbers) for p in parts), strict=True)
        return cls(*map(np.concatenate, columns))

    def at(self, index: Index) -> Drawn:
        """Those at `index`."""
        # To take whole rows is many times as fast as to index them.
        return Drawn(self.keys[index], self.draws[index], self.numbers.take(index, axis=0))

    def below(self, limits: Numbers) -> Drawn:
        """Those whose draws do not exceed the limits of their keys."""
        kept = self.draws <= limits[self.keys]
        return self if kept.all() else self.at(np.flatnonzero(kept))

    def ordered(self) -> Drawn:
        """Ascending by key and draw."""
        bits = int(self.keys.max(initial=0)).bit_length()
        if bits > _KEY_BITS:
            return self.at(np.lexsort((self.draws, self.keys)))
        # One number sorts in a fraction of the time of two, and 40 bits of draws hardly ever agree.
        keys = self.keys.astype(np.uint64) << np.uint64(64 - bits) if bits else np.uint64(0)
        return self.at(np.argsort(keys | self.draws >> np.uint64(bits)))


@dataclasses.dataclass(frozen=True, eq=False)
class DrawnRows:
    """N rows of a batch, each of class 0 or 1, [N], in slices, which are not looked at yet."""

    codes: SliceCodes
    sides: Index | Mask
    draws: Numbers
    numbers: tuple[Array, ...]
    """The columns of the numbers of the rows, which few rows are drawn from: float64[N] each."""

    def relabelled(self, index: Index, size: int) -> DrawnRows:
        """Slice i becomes slice `index[i]` of `size`."""
        return dataclasses.replace(self, codes=self.codes.relabelled(index, size))

    def below(self, limits: Numbers) -> Iterator[Drawn]:
        """The rows in slices whose draws do not exceed the limits of their keys, by slicing spec."""
        possible = np.flatnonzero(self.draws <= limits.max(initial=0))
        few = self._take(possible) if 2 * len(possible) < len(self.draws) else self
        for rows, codes in few.codes.parts:
            if len(codes):
                yield few._part(rows, codes, limits)

    def _take(self, rows: Index) -> DrawnRows:
        numbers = tuple(column[rows] for column in self.numbers)
        return DrawnRows(self.codes.take(rows), self.sides[rows], self.draws[rows], numbers)

    def _part(self, rows: Index | None, codes: Index, limits: Numbers) -> Drawn:
        draws = self.draws if rows is None else self.draws[rows]
        # Most rows are above the limits of all slices of a spec, which takes no look at which they are in.
        likely = np.flatnonzero(draws <= limits[2 * codes.min() : 2 * codes.max() + 2].max())
        at = likely if rows is None else rows[likely]
        keys = 2 * codes[likely] + self.sides[at]
        kept = np.flatnonzero(draws[likely] <= limits[keys])
        at = at[kept]
        numbers = np.stack([column[at] for column in self.numbers], axis=1)
        return Drawn(keys[kept], self.draws[at], numbers)


@dataclasses.dataclass(frozen=True, eq=False)
class ScoreSample:
    """The sample of S slices.

    Attributes:
        rows: How many rows of each key there are, int64[2 S].
        held: The sample, ordered, and where it is not compact rows that may be in it.
        waiting: Rows that came and are not drawn from.
        is_compact: Whether `held` is the sample, and nothing waits.
    """

    rows: Index
    held: tuple[Drawn, ...] = ()
    waiting: tuple[DrawnRows, ...] = ()
    is_compact: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        compact = self.compact
        return ScoreSample, (compact.rows, compact.held, (), True)

    @property
    def sample(self) -> Drawn:
        """The rows of the sample, ascending by key and draw."""
        return self.compact.held[0]

    @functools.cached_property
    def compact(self) -> ScoreSample:
        """The same with no rows waiting."""
        if self.is_compact:
            return self
        limits = _limits(self.rows)
        held = Drawn.joined([each.below(limits) for each in self._drawn().held])
        return ScoreSample(self.rows, (held.ordered(),), (), is_compact=True)

    def _drawn(self) -> ScoreSample:
        """With those of the waiting rows alone that may be in the sample."""
        limits = _limits(self.rows)
        drawn = (part for rows in self.waiting for part in rows.below(limits))
        return ScoreSample(self.rows, (*self.held, *drawn))

    def merge(self, other: ScoreSample) -> ScoreSample:
        """Of the rows of both, which must have one size."""
        merged = ScoreSample(
            self.rows + other.rows, self.held + other.held, self.waiting + other.waiting
        )
        if sum(rows.codes.memberships for rows in merged.waiting) > _WAITING:
            merged = merged._drawn()
            most = max(_HELD, 2 * int(np.minimum(merged.rows, EXACT_ROWS).sum()))
            if sum(len(each.keys) for each in merged.held) > most:
                return merged.compact
        return merged

    def relabelled(self, index: Index, size: int) -> ScoreSample:
        """Slice i becomes slice `index[i]` of `size`; no two slices become one."""
        rows, keys = np.zeros(2 * size, np.int64), _both_classes(index)
        rows[keys] = self.rows
        held = tuple(dataclasses.replace(each, keys=keys[each.keys]) for each in self.held)
        waiting = tuple(each.relabelled(index, size) for each in self.waiting)
        in_order = self.is_compact and bool(np.all(index[1:] > index[:-1]))
        return ScoreSample(rows, held, waiting, in_order)

    def take(self, index: Index) -> ScoreSample:
        """Slice i of the result is slice `index[i]`, which may stand there more than once."""
        if np.array_equal(index, np.arange(len(self.rows) // 2)):
            return self.compact
        sample, keys = self.sample, _both_classes(index)
        first, last = (np.searchsorted(sample.keys, keys, side) for side in ("left", "right"))
        lengths = last - first
        own = np.repeat(np.arange(len(keys)), lengths)
        within = np.arange(len(own)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        taken = sample.at(np.repeat(first, lengths) + within)
        held = (dataclasses.replace(taken, keys=own),)
        return ScoreSample(self.rows[keys], held, (), is_compact=True)


def _limits(rows: Index) -> Numbers:
    """The draw that a row of each key must not exceed, of which there are so many: uint64[n]."""
    share = np.where(rows > EXACT_ROWS, ROWS / np.maximum(rows, 1), 0.0)
    limits = (share * 2.0**64).astype(np.uint64)
    limits[rows <= EXACT_ROWS] = np.uint64(2**64 - 1)
    return limits


@dataclasses.dataclass(frozen=True)
class SampledPairs(Statistic[ScoreSample]):
    """A sample of the rows of each slice, with the predictions of one model or of two.

    Attributes:
        paired: Whether there are two models.
    """

    interval_of: ClassVar[str]
    """What has an interval by it, for a sentence."""
    paired: bool

    def zero(self, size: int) -> ScoreSample:
        return ScoreSample(np.zeros(2 * size, np.int64), (Drawn.joined([]),), (), is_compact=True)

    def drawn_by(self, inputs: Inputs) -> Numbers:
        """The numbers by which rows are drawn: uint64[N]; raises DataError where there are none."""
        if inputs.numbers is None:
            raise DataError(
                f"The confidence interval of {self.interval_of} rests on a sample of rows, and these rows "
                "have no numbers by which they could be drawn. Name a column as "
                "options.confidence.cluster_key."
            )
        return mixed(inputs.numbers)

    def numbers_of(self, inputs: Inputs) -> list[Array]:
        """The predictions of both models, the one model's twice, and the weights: float64[N] each."""
        other = inputs.baseline if self.paired else inputs.predictions
        weights = inputs.weights
        if weights is None:
            weights = np.broadcast_to(1.0, len(inputs))  # one number that all rows read
        return [inputs.predictions, other, weights]

    def merge(self, a: ScoreSample, b: ScoreSample) -> ScoreSample:
        return a.merge(b)

    def scatter(self, state: ScoreSample, index: Index, size: int) -> ScoreSample:
        return state.relabelled(index, size)

    def gather(self, state: ScoreSample, index: Index) -> ScoreSample:
        return state.take(index)


@dataclasses.dataclass(frozen=True)
class PairedScores(SampledPairs):
    """A sample of labels and scores of one model or of two."""

    interval_of = "an AUC"

    def add(self, inputs: Inputs, codes: SliceCodes) -> ScoreSample:
        inputs, codes = heavy(inputs, codes)
        whole = check_binary(inputs)
        rows = self._rows(inputs, codes) if whole else self._shares(inputs, codes)
        ones = inputs.labels if whole else rows.sides.astype(np.float64)
        positives = np.rint(rows.codes.sum(ones)).astype(np.int64)
        counts = np.stack([rows.codes.count() - positives, positives], axis=1)
        return ScoreSample(counts.ravel(), (), (rows,))

    def _rows(self, inputs: Inputs, codes: SliceCodes) -> DrawnRows:
        numbers = tuple(self.numbers_of(inputs))
        return DrawnRows(codes, inputs.labels == 1, self.drawn_by(inputs), numbers)

    def _shares(self, inputs: Inputs, codes: SliceCodes) -> DrawnRows:
        """A row with a fractional label is in both classes with a share."""
        labels = np.clip(inputs.labels, 0.0, 1.0)
        shares = np.concatenate([labels, 1 - labels])
        kept = np.flatnonzero(shares)
        origin = kept % len(labels)
        ones = (kept < len(labels)).astype(np.float64)
        weights = inputs.take(origin).weighted(shares[kept])
        split = dataclasses.replace(inputs.take(origin), labels=ones, weights=weights)
        return self._rows(split, codes.take(origin))


def _both_classes(index: Index) -> Index:
    return (2 * index[:, None] + np.arange(2)).ravel()
