# SPDX-License-Identifier: Apache-2.0
"""Average precision and recall of detected boxes, as COCO's evaluation defines them.

Boxes are those of `benison.metrics.object_detection`. The average precision of a class is the mean over 101
levels of recall, 0 to 1, of the highest precision at a threshold of the score that reaches the level, and 0
where none does; the mean average precision is its mean over classes and thresholds of the intersection over
union. Average recall is the mean of the recall of all detections. A class without labelled boxes is in no
mean.

Values are those of pycocotools while scores differ; detections of equal scores come together here, and there
in the order of the data. Names and parameters are TFMA's. Weights of classes weigh their boxes, so that they
change no average, except that a class of weight 0 is in no mean; this is as in TFMA.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Statistic, ratio
from benison.metrics.box_parameters import BoxMetric, OfClass, OfClasses, OverOverlaps, SingleClass
from benison.metrics.confusion import ascending, matrix_of
from benison.metrics.curve_metric import CurveMetric
from benison.metrics.object_detection import LEAST_SCORE, detection_curves, recalls_of
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.binary import ThresholdCells
from benison.metrics.statistics.box_scores import BoxScores, DetectionScores
from benison.metrics.statistics.curve import Curve

_LEVELS = 101
_DIGITS = 12  # of a recall: sums of weights in another order differ after these


@lru_cache
def _levels(recalls: tuple[float, ...], count: int) -> Array:
    """The levels of recall, ascending: those given, else so many from 0 to 1.

    They are rounded as recalls are, or one that is reached exactly would be missed; but for the 101 of COCO,
    whose values are those of pycocotools.
    """
    levels = np.sort(recalls) if recalls else np.linspace(0, 1, count)
    return levels if not recalls and count == _LEVELS else np.round(levels, _DIGITS)


def mean_of_cells(values: Array, positives: Array, cells: int) -> Array:
    """The mean over the cells of each slice that have labelled boxes: float64[S].

    Args:
        values: float64[S * K].
        positives: Weight of the labelled boxes of each, float64[S * K]; NaN where detections are missing.
        cells: K.

    >>> mean_of_cells(np.array([0.5, 1.0, 0.0, 0.25]), np.array([3.0, 1.0, 0.0, 2.0]), 2)
    array([0.75, 0.25])
    """
    present = (positives != 0).reshape(-1, cells)
    values = np.where(np.isnan(positives), np.nan, values).reshape(-1, cells)
    return ratio(np.where(present, values, 0.0).sum(axis=1), present.sum(axis=1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _AveragePrecision(BoxMetric, CurveMetric):
    """Average precision over the cells of a rule.

    Attributes:
        recalls: The levels of recall, from 0 to 1; 101 from 0 to 1 where none are given.
        num_recalls: How many levels there are from 0 to 1.
        num_thresholds: How many thresholds of the score there are, as in TFMA; one at each score by default.
    """

    recalls: Sequence[float] = ()
    num_recalls: int = _LEVELS
    num_thresholds: int | None = None

    def __post_init__(self) -> None:
        BoxMetric.__post_init__(self)
        CurveMetric.__post_init__(self)
        object.__setattr__(self, "recalls", tuple(self.recalls))
        if not all(0 <= recall <= 1 for recall in self.recalls):
            raise ValueError(f"recalls must be in [0, 1], not {list(self.recalls)}")
        if self.num_recalls < 1:
            raise ValueError(f"num_recalls must be from 1 up, not {self.num_recalls}")

    @property
    def _given(self) -> tuple[float, ...]:
        count = self.num_thresholds
        if count is None:
            return ()
        inner = np.arange(1, count - 1) / (count - 1)
        return ascending([LEAST_SCORE, *inner.tolist(), 1 - LEAST_SCORE])

    def statistics(self) -> tuple[Statistic[Any], ...]:
        if self._given:
            return (BoxScores(self.rule, ThresholdCells(self._given)),)
        return (BoxScores(self.rule, CurveMetric.statistics(self)[0]),)

    def curves(self, state: DetectionScores) -> Iterator[Curve]:
        inner = (
            self._at_thresholds(state) if self._given else CurveMetric.curves(self, state.scores)
        )
        return detection_curves(inner, state)

    def _at_thresholds(self, state: DetectionScores) -> Iterator[Curve]:
        m = matrix_of(state.scores)
        totals = ((m.tp + m.fn)[:, :1], (m.fp + m.tn)[:, :1])
        steps = np.broadcast_to(np.arange(m.tp.shape[1]), m.tp.shape)
        thresholds = np.array(self._given).__getitem__
        yield Curve(np.arange(state.size), m.tp, m.fp, *totals, lambda: steps, thresholds, True)

    def at(self, curve: Curve) -> Array:
        levels = _levels(tuple(self.recalls), self.num_recalls)
        precision = ratio(curve.tp, curve.tp + curve.fp)
        best = np.fmax.accumulate(np.where(np.isnan(precision), 0.0, precision), axis=1)
        recall = np.round(ratio(curve.tp, curve.positives), _DIGITS)
        # A point gives its precision to the levels that it reaches and the next, of a lower recall, does not.
        reached = np.searchsorted(levels, recall, side="right")
        lost = -np.diff(reached, axis=1, append=0)
        values = (best * lost).sum(axis=1) / len(levels)
        return np.where(np.isnan(recall).any(axis=1), np.nan, values)

    def result(self, state: DetectionScores) -> Array:
        return self.result_and_resolution(state)[0]

    def result_and_resolution(self, state: DetectionScores) -> tuple[Array, Array]:
        values, resolutions = np.zeros((2, state.size))
        positives = state.missed.copy()
        for curve in self.curves(state):
            values[curve.slices], resolutions[curve.slices] = self._both(curve)
            positives[curve.slices] = curve.positives[:, 0]
        means = (mean_of_cells(x, positives, self.rule.cells) for x in (values, resolutions))
        value, resolution = means
        return value, np.nan_to_num(resolution)


@dataclasses.dataclass(frozen=True, kw_only=True)
class COCOAveragePrecision(SingleClass, _AveragePrecision):
    """Mean precision over levels of recall of the detections of a class; from 0 to 1, higher is better.

        mean over r of max TP / (TP + FP) over thresholds with TP / P >= r

    NaN without labelled boxes.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.9], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> COCOAveragePrecision(class_id=1).of(Inputs(truth, found))  # 51 of 101 levels are reached
    0.504950495049505
    """

    name: str = "average_precision"


@dataclasses.dataclass(frozen=True, kw_only=True)
class COCOMeanAveragePrecision(OfClasses, OverOverlaps, _AveragePrecision):
    """Mean average precision over classes and overlaps of detections; from 0 to 1, higher is better.

        mean over classes and thresholds of the intersection over union of the average precision

    NaN without labelled boxes of any class.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.9], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> COCOMeanAveragePrecision(class_ids=[1, 2]).of(Inputs(truth, found))
    0.504950495049505
    """

    name: str = "mean_average_precision"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _AverageRecall(OverOverlaps):
    """Mean of the recall of all detections over the cells of a rule."""

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return (BoxScores(self.rule, ThresholdCells((LEAST_SCORE,))),)

    def result(self, state: DetectionScores) -> Array:
        matrix = matrix_of(state.scores)
        positives = (matrix.tp + matrix.fn)[:, 0] + state.missed
        return mean_of_cells(recalls_of(state), positives, self.rule.cells)


@dataclasses.dataclass(frozen=True, kw_only=True)
class COCOAverageRecall(OfClass, _AverageRecall):
    """Mean recall of all detections of a class over overlaps; from 0 to 1, higher is better.

        mean over thresholds of the intersection over union of TP / P

    NaN without labelled boxes.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.4], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> COCOAverageRecall(class_id=1).of(Inputs(truth, found))
    0.5
    """

    name: str = "average_recall"


@dataclasses.dataclass(frozen=True, kw_only=True)
class COCOMeanAverageRecall(OfClasses, _AverageRecall):
    """Mean recall of all detections over classes and overlaps; from 0 to 1, higher is better.

        mean over classes and thresholds of the intersection over union of TP / P

    NaN without labelled boxes of any class.

    Source: Hosang et al., "What makes for effective detection proposals?", IEEE TPAMI 38, 2016.

    >>> from benison.data.batch import Ragged
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.4], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> COCOMeanAverageRecall(class_ids=[1, 2]).of(Inputs(truth, found))
    0.5
    """

    name: str = "mean_average_recall"


for _mean in (
    COCOAveragePrecision,
    COCOAverageRecall,
    COCOMeanAveragePrecision,
    COCOMeanAverageRecall,
):
    register(_mean.__name__, _mean, About.of(_mean, HIGHER, 0, 1))
