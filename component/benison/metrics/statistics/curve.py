# SPDX-License-Identifier: Apache-2.0
"""Curves of the confusion matrix as the threshold rises, for many slices at once.

Slices have curves of different lengths. They are put into blocks of slices with about as many points,
within a factor of two, so that a block is an array and at most half of it is padding.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.metrics.base import ratio
from benison.metrics.statistics.binary import Weights
from benison.metrics.statistics.cells import Cells
from benison.metrics.statistics.equal_runs import starts
from benison.metrics.statistics.kept import kept_if_small
from benison.metrics.statistics.ranks import Ranks
from benison.metrics.statistics.scale import BINS, buckets_of, edges_of, holds_equal_scores

Thresholds: TypeAlias = Callable[[Index], Array]
MOST_KEPT = 2**21
"""Curves of so many points are kept for the next metric that reads them: up to 170 MB."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points of the confusion matrix as the threshold rises, for a block of n slices.

    Its rates are made once, because a curve that is kept is read by many metrics: by areas, distances and
    operating points alike. They are not defined where what they are a share of has no weight.

    Attributes:
        slices: The slices, int64[n].
        tp: The weight of the positives above the threshold, float64[n, P], falling along the axis to 0, where
            the last points repeat.
        fp: The weight of the negatives above the threshold, float64[n, P].
        positives: The weight of all positives, float64[n, 1].
        negatives: The weight of all negatives, float64[n, 1].
        steps: Makes the number of each point, int64[n, P]; few metrics ask for it.
        thresholds: The highest threshold at which a point is reached, by the point's number.
        is_exact: Whether all that lies between two points has one score; else its order is not known.
    """

    slices: Index
    tp: Array
    fp: Array
    positives: Array
    negatives: Array
    steps: Callable[[], Index]
    thresholds: Thresholds
    is_exact: bool

    @functools.cached_property
    def recall(self) -> Array:
        """TP / P, float64[n, P]; NaN without positives."""
        return ratio(self.tp, self.positives)

    @functools.cached_property
    def fall_out(self) -> Array:
        """FP / N, float64[n, P]; NaN without negatives."""
        return ratio(self.fp, self.negatives)

    @functools.cached_property
    def precision(self) -> Array:
        """TP / (TP + FP), float64[n, P]; NaN where nothing is predicted positive."""
        return ratio(self.tp, self.tp + self.fp)

    @functools.cached_property
    def best(self) -> Curve:
        """As if between two points all positives had higher scores than all negatives."""
        return self._through(self.best_corners)

    @functools.cached_property
    def worst(self) -> Curve:
        """As if between two points all negatives had higher scores than all positives."""
        return self._through(self.worst_corners)

    @functools.cached_property
    def best_corners(self) -> Curve:
        """The points that `best` has between those of this one, [n, P - 1]."""
        fp = np.where(self.equal, self.fp[:, :-1], self.fp[:, 1:])
        return self._corners(self.tp[:, :-1], fp)

    @functools.cached_property
    def worst_corners(self) -> Curve:
        """The points that `worst` has between those of this one, [n, P - 1]."""
        tp = np.where(self.equal, self.tp[:, :-1], self.tp[:, 1:])
        return self._corners(tp, self.fp[:, :-1])

    @functools.cached_property
    def equal(self) -> Mask:
        """Whether all scores between two points are known to be equal: bool[n, P - 1]."""
        if self.is_exact or self.thresholds is not edges_of:
            return np.full(self.tp[:, 1:].shape, self.is_exact)
        return holds_equal_scores(self.steps()[:, :-1])

    def at(self, points: Index) -> Curve:
        """With one point of each slice alone, int64[n]."""
        rows, steps = np.arange(len(points)), self.steps
        tp, fp = (of[rows, points][:, None] for of in (self.tp, self.fp))
        return dataclasses.replace(self, tp=tp, fp=fp, steps=lambda: steps()[rows, points][:, None])

    def _corners(self, tp: Array, fp: Array) -> Curve:
        steps = self.steps
        return dataclasses.replace(self, tp=tp, fp=fp, steps=lambda: steps()[:, :-1])

    def _through(self, corners: Curve) -> Curve:
        """With one more point between any two."""
        steps = self.steps
        return dataclasses.replace(
            self,
            tp=_alternating(self.tp, corners.tp),
            fp=_alternating(self.fp, corners.fp),
            steps=lambda: np.repeat(steps(), 2, axis=1)[:, :-1],
        )


def _alternating(points: Array, between: Array) -> Array:
    both = np.empty((len(points), points.shape[1] + between.shape[1]))
    both[:, ::2], both[:, 1::2] = points, between
    return both


def score_curves(ranks: Ranks) -> Iterator[Curve]:
    """The curves of all slices that have rows, with a point for each score, or bin of the scale.

    They come in blocks of slices with about as many points. The highest threshold of a point is its
    score, or the lowest one of its bin.
    """
    yield from _score_curves(ranks.compact)


def _read_score_curves(compact: Ranks) -> Iterator[Curve]:
    for block in compact.exact.blocks(compact.size):
        thresholds = _of_number(np.append(block.scores, np.inf))
        by_number = block.weights._replace(bins=np.arange(len(block)))
        yield from _curves(by_number, thresholds, len(block), is_exact=True)
    for weights in compact.pooled.blocks():
        yield from _curves(weights, edges_of, BINS)


_score_curves = kept_if_small(_read_score_curves, lambda curve: curve.tp.size, MOST_KEPT)


def bucket_curves(ranks: Ranks, intervals: Index, thresholds: Array) -> Iterator[Curve]:
    """As `score_curves`, with a point for each interval.

    Args:
        ranks: The weights.
        intervals: The interval of each of TFMA's buckets, int64[10,002], ascending.
        thresholds: Interval i lies between the thresholds i and i + 1.
    """
    top = int(intervals[-1]) + 1
    for low, high, weights in scored_weights(ranks):
        steps = weights._replace(bins=intervals[bucket_between(low, high)])
        yield from _curves(steps, _of_number(thresholds), top)


def bucket_between(low: Array, high: Array) -> Index:
    """TFMA's bucket of scores between two, which are equal or the edges of a bin: int64[N].

    It is taken in the middle between the two, because at an edge itself TFMA's rounding may decide otherwise.
    """
    # Infinities have no middle; below 0 and from 1 up there is one bucket each.
    low, high = np.clip(low, -1, 2), np.clip(high, -1, 2)
    return buckets_of(low + (high - low) / 2)


def scored_weights(ranks: Ranks) -> Iterator[tuple[Array, Array, Weights]]:
    """The lowest score, the end of the range of scores, and the weights there, of some slices at a time.

    Where scores are exact both ends are the score. In bins they are the lower edges of the bin and of the
    next.
    """
    yield from _scored_weights(ranks.compact)


def _read_scored_weights(compact: Ranks) -> Iterator[tuple[Array, Array, Weights]]:
    for block in compact.exact.blocks(compact.size):
        yield block.scores, block.scores, block.weights
    for weights in compact.pooled.blocks():
        yield edges_of(weights.bins), edges_of(weights.bins + 1), weights


_scored_weights = kept_if_small(_read_scored_weights, lambda part: len(part[0]), MOST_KEPT)


def cell_curves(cells: Cells, intervals: Index, thresholds: Array) -> Iterator[Curve]:
    """As `bucket_curves`, from the cells of `ThresholdCells`."""
    top, bins = int(intervals[-1]) + 1, cells.width // 2
    for pairs in cells.pairs():
        if len(pairs.keys):
            slices = pairs.keys // bins
            steps = intervals[pairs.keys - slices * bins]
            weights = Weights(slices, steps, pairs.first, pairs.second)
            yield from _curves(weights, _of_number(thresholds), top)


def _curves(
    weights: Weights, thresholds: Thresholds, top: int, is_exact: bool = False
) -> Iterator[Curve]:
    slices, steps, negatives, positives = weights
    first = starts(slices, steps)
    fp, tp = (np.add.reduceat(x, first) for x in (negatives, positives))
    slices, steps = slices[first], steps[first]
    begin = starts(slices)
    lengths = np.diff(begin, append=len(slices))
    sizes = np.ceil(np.log2(lengths)).astype(np.int64)
    for size in np.unique(sizes):  # a handful: as many as there are octaves of lengths
        block = np.flatnonzero(sizes == size)
        columns = np.arange(lengths[block].max() + 1)
        held = columns < lengths[block, None]
        at = np.where(held, begin[block, None] + columns, 0)
        above = _above(np.where(held, tp[at], 0.0)), _above(np.where(held, fp[at], 0.0))
        totals = above[0][:, :1], above[1][:, :1]
        numbers = functools.partial(_numbers, steps, at, held, top)
        yield Curve(slices[begin[block]], *above, *totals, numbers, thresholds, is_exact)


def _numbers(steps: Index, at: Index, held: Mask, top: int) -> Index:
    return np.where(held, steps[at], top)


def _of_number(thresholds: Array) -> Thresholds:
    """The threshold of each number, and the last one for numbers beyond."""
    return lambda numbers: thresholds[np.minimum(numbers, len(thresholds) - 1)]


def _above(counts: Array) -> Array:
    """Each row's sums from there to its end: float64[n, P]."""
    above: Array = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return above
