# SPDX-License-Identifier: Apache-2.0
"""The base of metrics that are read off a curve, and how exact their values are.

The curve has a point for each score while a slice has up to 4,096 of them, and one for each bin of the
scale beyond that. The scores in a bin could be in any order; a value lies in the middle of what the
best and the worst one would make of it, and half of the distance between these is its *resolution*.

With a number of thresholds, or thresholds of one's own, the curve is the one that Keras and TFMA draw
through these. Theirs are evenly spaced in [0, 1], the first just below 0 and the last just above 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from benison.data.batch import Array, Index
from benison.metrics.base import Statistic
from benison.metrics.binarized import Binarized
from benison.metrics.confusion import as_thresholds, ascending
from benison.metrics.parameters import MOST, check_count
from benison.metrics.statistics.binary import (
    EPSILON,
    InterpolatedCells,
    ThresholdCells,
    interpolated_thresholds,
)
from benison.metrics.statistics.curve import Curve, bucket_curves, cell_curves, score_curves
from benison.metrics.statistics.kept import kept
from benison.metrics.statistics.ranks import Ranks, ScoreRanks
from benison.metrics.statistics.scale import BUCKETS

Thresholds = Sequence[float] | None


def interval_of_bucket(thresholds: Array) -> Index:
    """For each of TFMA's buckets the last of the thresholds, ascending, that its left edge is above.

    TFMA keeps scores in 10,000 buckets of [0, 1], one below and one from 1 up, and makes the curve of any
    number of thresholds from these, so the interval of a bucket is where TFMA counts its rows: int64[10,002].

    Edges are k / 10000 and thresholds are shifted by 1e-7, so that a prediction equal to a
    threshold is not above it; the threshold 0 is not shifted. What is below all counts to the first.
    """
    edges = np.concatenate([[-np.inf], np.arange(BUCKETS) / BUCKETS, [np.inf]])
    shifted = np.where(thresholds == 0, 0.0, thresholds + EPSILON)
    return np.maximum(np.searchsorted(shifted, edges, side="right") - 1, 0)


@lru_cache(maxsize=32)
def _interpolated_intervals(count: int) -> Index:
    """What is 1 or more lies in the last interval that has an upper end."""
    return np.minimum(interval_of_bucket(interpolated_thresholds(count)), count - 2)


@kept
def _known(_: Ranks) -> dict[CurveMetric, Array]:
    """The values of the metrics that were read from a state.

    The error of an area needs its value once more, and so does each change of it. They are kept beside the
    state and go with it; callers get copies, so that nobody changes what another one reads.
    """
    return {}


class CurveMetric(Binarized):
    """A number read off the curve of each slice; NaN for a slice in which it is undefined.

    Subclasses give `at`, and `extremes` where the order of scores between two points matters in another way
    than all positives first or last. NaN also where a prediction is missing.

    Attributes:
        num_thresholds: How many thresholds the curve goes through, from 2 to 1,000,000; None or 10,000, which
            is TFMA's default, for a point at each score.
        thresholds: Thresholds of your own in its place. They may lie outside [0, 1], where logits do.
    """

    num_thresholds: int | None = None
    thresholds: Thresholds = None

    def __post_init__(self) -> None:
        super().__post_init__()
        count, thresholds = self.num_thresholds, self.thresholds
        check_count("num_thresholds", count, MOST)
        if thresholds is not None:
            count, thresholds = _as_count(count, as_thresholds(thresholds))
            object.__setattr__(self, "thresholds", thresholds)
        # TFMA writes its default into configs, where it means that no number was given.
        object.__setattr__(self, "num_thresholds", None if count == BUCKETS else count)

    def statistics(self) -> tuple[Statistic[Any], ...]:
        if self.thresholds is not None:
            return (ThresholdCells(ascending(self.thresholds)),)
        if self.num_thresholds is not None and self.num_thresholds > BUCKETS:
            return (InterpolatedCells(self.num_thresholds),)
        return (ScoreRanks(),)

    def curves(self, state: Any) -> Iterator[Curve]:
        """The curves of all slices, block by block."""
        count = self.num_thresholds
        if self.thresholds is not None:
            edges = np.array([-np.inf, *ascending(self.thresholds), np.inf])
            return cell_curves(state, np.arange(len(edges) - 1), edges)
        if count is None:
            return score_curves(state)
        thresholds = interpolated_thresholds(count)
        if count <= BUCKETS:
            return bucket_curves(state, _interpolated_intervals(count), thresholds)
        intervals = np.clip(np.arange(count + 1) - 1, 0, count - 2)
        return cell_curves(state, intervals, thresholds)

    def at(self, curve: Curve) -> Array:
        """The value of each slice at the points of the curve: float64[n], or [n, k] for k bounds.

        Args:
            curve: A block of n slices, whose curves have about as many points.
        """
        raise NotImplementedError

    def extremes(self, curve: Curve) -> tuple[Array, Array]:
        """The least and the largest value that the order of scores between points allows.

        An ROC curve between two points can at best go straight up and then right, at worst right and then
        up; every value that only depends on it lies between those of these two.
        """
        return self.at(curve.worst), self.at(curve.best)

    def result(self, state: Any) -> Array:
        if isinstance(state, Ranks) and self in _known(state.compact):
            return _known(state.compact)[self].copy()
        values = np.full((state.size, *self._shape()), np.nan)
        for curve in self.curves(state):
            values[curve.slices] = self._value(curve)
        return values

    def resolution(self, state: Any) -> Array:
        return self.result_and_resolution(state)[1]

    def result_and_resolution(self, state: Any) -> tuple[Array, Array]:
        values = np.full((state.size, *self._shape()), np.nan)
        resolutions = np.zeros(values.shape)
        for curve in self.curves(state):
            values[curve.slices], resolutions[curve.slices] = self._both(curve)
        if resolutions.ndim > 1:
            resolutions = resolutions.max(axis=1)
        if isinstance(state, Ranks):
            _known(state.compact)[self] = values.copy()
        return values, resolutions

    def _shape(self) -> tuple[int, ...]:
        return ()

    def _value(self, curve: Curve) -> Array:
        return self._both(curve)[0]

    def _between(self, curve: Curve, low: Array, high: Array) -> Array:
        """The value, from the extremes: the middle, or what TFMA has where thresholds are given."""
        given = self.num_thresholds or self.thresholds is not None
        return self.at(curve) if given else (low + high) / 2

    def _both(self, curve: Curve) -> tuple[Array, Array]:
        """The value of each slice of a block, and its resolution."""
        if curve.is_exact:
            value = self.at(curve)
            return value, np.zeros(value.shape)
        low, high = self.extremes(curve)
        value = self._between(curve, low, high)
        apart = np.maximum(high - value, value - low)
        return value, np.where(np.isnan(apart), 0.0, apart)


def _as_count(
    count: int | None, thresholds: tuple[float, ...]
) -> tuple[int | None, tuple[float, ...] | None]:
    """Even spacing is a number of thresholds, so that the weights can be shared.

    Keras and TFMA write both into a config, `thresholds` then without its two ends.

    >>> _as_count(None, (-1e-7, 0.5, 1 + 1e-7)), _as_count(3, (0.5,)), _as_count(None, (0.2, 0.3))
    ((3, None), (3, None), (None, (0.2, 0.3)))

    Raises:
        ValueError: The number and the thresholds contradict each other.
    """
    size = len(thresholds) if count is None else count
    even = interpolated_thresholds(max(size, 2))
    inner = even if count is None else even[1:-1]
    if len(inner) == len(thresholds):
        return (size, None) if np.allclose(inner, thresholds, atol=1e-12) else (None, thresholds)
    if count is None:
        return None, thresholds
    raise ValueError("num_thresholds and thresholds contradict each other; give one of them")
