# SPDX-License-Identifier: Apache-2.0
"""Confusion matrices of several classes: how often each class is taken for each other one.

Classes are numbered from 0; labels are class numbers or a number for each class. A matrix has a point for
each threshold, labelled class and predicted class, in columns of equal length. Where a prediction is
missing, all points of its slices are NaN.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from benison.data.batch import Array, Index, Inputs, Mask, missing_rows
from benison.errors import DataError
from benison.metrics.base import Metric
from benison.metrics.classification import class_scores
from benison.metrics.confusion import RATE_COLUMNS, as_thresholds, ascending
from benison.metrics.pairing import one_hot
from benison.metrics.parameters import check_count
from benison.metrics.registry import register
from benison.metrics.statistics.binary import interpolated_thresholds
from benison.metrics.statistics.cells import Cells, CellsStatistic
from benison.slicing.codes import SliceCodes

MOST_POINTS = 100_000  # of one matrix; ten thresholds of a hundred classes
NO_CLASS = -1  # what is predicted where no score is above the threshold, as in TFMA


@dataclasses.dataclass(frozen=True)
class ClassTable(CellsStatistic):
    """Weights of places between thresholds, by labelled and predicted class.

    How many classes there are is known from the first row on; the width is 0 before.

    Attributes:
        thresholds: Ascending; place i holds the scores above i of them.
    """

    thresholds: tuple[float, ...]
    sides: ClassVar[int] = 1
    """How many cells each place has."""

    @property
    def width(self) -> int:  # type: ignore[override]
        """Of a state that has seen no row."""
        return 0

    @property
    def places(self) -> int:
        """Cells for each pair of classes."""
        return (len(self.thresholds) + 1) * self.sides

    def merge(self, a: Cells, b: Cells) -> Cells:
        if not a.width or not b.width:
            return b if not a.width else a
        if a.width != b.width:
            counts = " and of ".join(str(self.classes(cells)) for cells in (a, b))
            raise DataError(f"Predictions are of {counts} classes; all rows need as many.")
        return a.merge(b)

    def classes(self, cells: Cells) -> int:
        """The number of classes of a state."""
        return math.isqrt(cells.width // self.places)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        if inputs.weights is not None and not inputs.weights.all():
            heavy = np.flatnonzero(inputs.weights)
            inputs, codes = inputs.take(heavy), codes.take(heavy)
        if not len(inputs):
            return self.zero(codes.size)
        scores = class_scores(inputs)
        classes = scores.shape[1]
        points = len(self.thresholds) * classes * (classes + 1)
        if points > MOST_POINTS:
            raise DataError(
                f"A confusion matrix of {classes:,} classes at {len(self.thresholds):,} thresholds has "
                f"{points:,} points; there can be {MOST_POINTS:,}. Take fewer thresholds, or fewer classes."
            )
        return self._of(inputs, one_hot(inputs.labels, classes), scores, codes)

    def _of(self, inputs: Inputs, labels: Array, scores: Array, codes: SliceCodes) -> Cells:
        """Each row at its labelled and its likeliest class, of equal scores the first."""
        best, classes = scores.argmax(axis=1), scores.shape[1]
        top = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
        pairs = labels.argmax(axis=1) * classes + best
        weights = _undefined(inputs.weights, missing_rows(scores))
        cells = pairs * self.places + self.position(top)
        return Cells.grouped(cells, weights, codes, classes**2 * self.places)

    def position(self, scores: Array) -> Index:
        """How many of the thresholds each score is above: int64[N]; 0 for NaN."""
        known = np.where(np.isnan(scores), -np.inf, scores)
        return np.searchsorted(np.array(self.thresholds), known, side="left").astype(np.int64)

    def table(self, cells: Cells) -> Array:
        """A state as float64[S, C, C, places]."""
        classes = self.classes(cells)
        return cells.dense().reshape(cells.size, classes, classes, self.places)


def _undefined(weights: Array | None, missing: Mask) -> Array | None:
    """The weights, NaN where a prediction is missing."""
    if not missing.any():
        return weights
    return np.where(missing, np.nan, 1.0 if weights is None else weights)


@dataclasses.dataclass(frozen=True)
class LabelTable(ClassTable):
    """Weights of the scores of every class in the rows of each labelled class, by whether it is labelled."""

    sides: ClassVar[int] = 2

    def _of(self, inputs: Inputs, labels: Array, scores: Array, codes: SliceCodes) -> Cells:
        if not np.all((labels == 0) | (labels == 1)):
            raise DataError(
                "Labels of a multi-label confusion matrix must be 0 or 1 for each class."
            )
        rows, actual = np.nonzero(labels)
        classes = scores.shape[1]
        pairs = (actual[:, None] * classes + np.arange(classes)).ravel()
        flat, origin = scores[rows].ravel(), np.repeat(rows, classes)
        cells = (
            pairs * self.places + self.position(flat) * 2 + labels[rows].ravel().astype(np.int64)
        )
        weights = None if inputs.weights is None else inputs.weights[origin]
        weights = _undefined(weights, missing_rows(scores)[origin])
        return Cells.grouped(cells, weights, codes.take(origin), classes**2 * self.places)


@dataclasses.dataclass(frozen=True)
class MultiClassConfusionMatrixAtThresholds(Metric):
    """Weight of the rows of each labelled class whose likeliest class is each predicted one.

    Columns `threshold`, `actual_class_id`, `predicted_class_id` and `num_weighted_examples`. Where no score
    is above the threshold, the predicted class is -1. Weights are from 0 up.

    Attributes:
        thresholds: One threshold or a list of them; a score above it is needed to predict a class.
        name: The metric's name in the results.

    >>> rows = Inputs.of([0, 1], [[0.9, 0.1], [0.7, 0.3]])
    >>> matrix = MultiClassConfusionMatrixAtThresholds(thresholds=[0.8]).of(rows)
    >>> matrix["predicted_class_id"], matrix["num_weighted_examples"]
    ([-1.0, 0.0, 1.0, -1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    """

    thresholds: float | Sequence[float] = (0.5,)
    name: str = "multi_class_confusion_matrix_at_thresholds"
    accepts = frozenset({"classes"})
    empty_value = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", as_thresholds(self.thresholds))

    def statistics(self) -> tuple[ClassTable, ...]:
        return (ClassTable(ascending(self.thresholds)),)

    def result(self, cells: Cells) -> dict[str, Array]:
        (statistic,) = self.statistics()
        chosen = np.searchsorted(statistic.thresholds, self.thresholds)
        table = statistic.table(cells)
        above = np.cumsum(table[..., ::-1], axis=-1)[..., ::-1][..., 1:][..., chosen]
        below = np.cumsum(table, axis=-1)[..., :-1][..., chosen].sum(axis=2, keepdims=True)
        points = np.moveaxis(np.concatenate([below, above], axis=2), -1, 1)
        certain = 0 * table.sum(axis=(1, 2, 3))
        classes = np.arange(NO_CLASS, table.shape[1], dtype=np.float64)
        axes = _axes(self.thresholds, classes[1:], classes, cells.size)
        return {**axes, "num_weighted_examples": _flat(points) + certain[:, None]}


def _axes(
    thresholds: float | Sequence[float], actual: Array, predicted: Array, size: int
) -> dict[str, Array]:
    grid = np.meshgrid(np.atleast_1d(thresholds), actual, predicted, indexing="ij")
    names = ("threshold", "actual_class_id", "predicted_class_id")
    return {
        name: np.broadcast_to(axis.ravel(), (size, axis.size))
        for name, axis in zip(names, grid, strict=True)
    }


def _flat(points: Array) -> Array:
    return points.reshape(len(points), math.prod(points.shape[1:]))


@dataclasses.dataclass(frozen=True)
class MultiClassConfusionMatrixPlot(MultiClassConfusionMatrixAtThresholds):
    """Weight of the rows of each labelled class whose likeliest class is each predicted one, as a plot.

    The columns are those of MultiClassConfusionMatrixAtThresholds.

    Attributes:
        thresholds: One threshold or a list of them; 0 by default.
        num_thresholds: In place of them, how many there are from 0 to 1.
        name: The metric's name in the results.

    >>> plot = MultiClassConfusionMatrixPlot().of(Inputs.of([0, 1], [[0.9, 0.1], [0.7, 0.3]]))
    >>> plot["num_weighted_examples"]
    [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    """

    thresholds: float | Sequence[float] | None = None  # type: ignore[assignment]
    num_thresholds: int | None = None
    name: str = "multi_class_confusion_matrix_plot"
    is_plot: ClassVar[bool] = True
    usual: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "thresholds", plotted(self.thresholds, self.num_thresholds, self.usual)
        )


def plotted(
    thresholds: float | Sequence[float] | None, count: int | None, usual: float
) -> tuple[float, ...]:
    """The thresholds of a plot; raises ValueError for both a number of them and themselves."""
    if count is None:
        return as_thresholds(usual if thresholds is None else thresholds)
    if thresholds is not None:
        raise ValueError("num_thresholds and thresholds contradict each other; give one of them")
    check_count("num_thresholds", count, MOST_POINTS)
    return tuple(interpolated_thresholds(count).tolist())


@dataclasses.dataclass(frozen=True)
class MultiLabelConfusionMatrixPlot(MultiClassConfusionMatrixPlot):
    """The confusion matrix of every class among the rows that are labelled with each class.

    Columns `threshold`, `actual_class_id`, `predicted_class_id`, `true_positives`, `false_positives`,
    `true_negatives` and `false_negatives`, at the threshold 0.5 unless others are given.

    >>> rows = Inputs.of([[1, 1], [1, 0]], [[0.9, 0.8], [0.7, 0.6]])
    >>> plot = MultiLabelConfusionMatrixPlot().of(rows)
    >>> plot["true_positives"], plot["false_positives"]
    ([2.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0])
    """

    name: str = "multi_label_confusion_matrix_plot"
    usual: ClassVar[float] = 0.5

    def statistics(self) -> tuple[LabelTable, ...]:
        assert self.thresholds is not None
        return (LabelTable(ascending(self.thresholds)),)

    def result(self, cells: Cells) -> dict[str, Array]:
        (statistic,) = self.statistics()
        chosen = np.searchsorted(statistic.thresholds, self.thresholds or ())
        table = statistic.table(cells)
        by_side = table.reshape(*table.shape[:3], statistic.places // 2, 2)
        above = np.cumsum(by_side[..., ::-1, :], axis=3)[..., ::-1, :][..., 1:, :][..., chosen, :]
        below = np.cumsum(by_side, axis=3)[..., :-1, :][..., chosen, :]
        counts = (above[..., 1], above[..., 0], below[..., 0], below[..., 1])
        certain = 0 * table.sum(axis=(1, 2, 3))
        classes = np.arange(table.shape[1], dtype=np.float64)
        axes = _axes(self.thresholds or (), classes, classes, cells.size)
        columns = {
            name: _flat(np.moveaxis(count, -1, 1)) + certain[:, None]
            for name, count in zip(RATE_COLUMNS.values(), counts, strict=True)
        }
        return {**axes, **columns}


def _register_all() -> None:
    for metric in (
        MultiClassConfusionMatrixAtThresholds,
        MultiClassConfusionMatrixPlot,
        MultiLabelConfusionMatrixPlot,
    ):
        register(metric.__name__, metric)


_register_all()
