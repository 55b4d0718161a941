# SPDX-License-Identifier: Apache-2.0
"""The state behind metrics of object detection: scores of right and wrong detections, and missed boxes.

Each class at each threshold of the intersection over union is a slice of its own to the statistic of
scores, so that whatever ranks or counts rows does the same for detections.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Inputs, Ragged, missing_rows
from benison.data.values import without
from benison.metrics.base import Statistic
from benison.metrics.parameters import LARGEST
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.box_columns import (
    DETECTION,
    LABEL,
    boxes_of,
    stacked,
    truncated,
)
from benison.metrics.statistics.box_matching import GroupedBoxes, matched, ranked
from benison.slicing.codes import SliceCodes

# Detections, each at each threshold, that are looked at together: each takes about 200 bytes meanwhile.
_DETECTIONS = 2**18


@dataclasses.dataclass(frozen=True)
class BoxRule:
    """When a detection is right, and which boxes count.

    Attributes:
        class_ids: The classes, each by itself.
        iou_thresholds: Detection and labelled box match from such an intersection over union up.
        class_weights: The weight of the boxes of each class.
        area_range: The least and the largest area of a box, both included.
        max_num_detections: How many detections of a class count in an image, from the highest score down.
        labels_to_stack: Columns that hold the numbers of labelled boxes; none where the label does.
        predictions_to_stack: Columns that hold those of detections.
        num_detections_key: The column that says how many detections an image has.
        allow_missing_key: Whether there are no boxes where such columns are missing.
    """

    class_ids: tuple[int, ...]
    iou_thresholds: tuple[float, ...]
    class_weights: tuple[float, ...] = ()
    area_range: tuple[float, ...] = (0.0, np.inf)
    max_num_detections: int | None = None
    labels_to_stack: tuple[str, ...] = ()
    predictions_to_stack: tuple[str, ...] = ()
    num_detections_key: str = ""
    allow_missing_key: bool = False

    def __post_init__(self) -> None:
        _check("class_id", self.class_ids, LARGEST)
        _check("iou_threshold", self.iou_thresholds, 1)
        if len(set(self.class_ids)) < len(self.class_ids):
            raise ValueError(f"class_ids must differ, not {list(self.class_ids)}")
        if self.class_weights:
            _check("class_weight", self.class_weights, LARGEST)
        if len(self.class_weights) not in (0, len(self.class_ids)):
            raise ValueError("class_weights must be as many as class_ids")
        area = tuple(self.area_range)
        if len(area) != 2 or not 0 <= area[0] <= area[1]:
            raise ValueError(f"area_range must be the least and the largest area, not {list(area)}")
        if self.max_num_detections is not None and self.max_num_detections < 1:
            raise ValueError(f"max_num_detections must be from 1 up, not {self.max_num_detections}")

    @property
    def cells(self) -> int:
        """Classes times thresholds."""
        return len(self.class_ids) * len(self.iou_thresholds)

    @property
    def prediction_columns(self) -> tuple[str, ...]:
        """What it reads of detections by name."""
        names = (*self.predictions_to_stack, self.num_detections_key)
        return tuple(dict.fromkeys(filter(None, names)))

    def truth(self, inputs: Inputs) -> Ragged:
        """The labelled boxes of each row; raises DataError for columns that hold something else."""
        if self.labels_to_stack:
            none = self._none(inputs, LABEL)
            return stacked(inputs.label_column, self.labels_to_stack, LABEL, none)
        return boxes_of(inputs.labels, LABEL)

    def detections(self, inputs: Inputs) -> Ragged:
        """The detected boxes of each row, none where they are missing by name.

        Raises:
            DataError: Columns hold something else.
        """
        lacking = inputs.lacks_predictions(self.prediction_columns)

        def column_of(name: str) -> pa.Array:
            return without(inputs.prediction_column(name), lacking)

        if self.predictions_to_stack:
            none = self._none(inputs, DETECTION)
            boxes = stacked(column_of, self.predictions_to_stack, DETECTION, none)
        else:
            boxes = boxes_of(inputs.predictions, DETECTION)
        if not self.num_detections_key:
            return boxes
        counts = stacked(column_of, [self.num_detections_key], 1, self._none(inputs, 1))
        limits = np.full(len(inputs), np.nan)
        limits[counts.lengths > 0] = counts.values[counts.offsets[:-1][counts.lengths > 0], 0]
        return truncated(boxes, limits)

    def _none(self, inputs: Inputs, width: int) -> Ragged | None:
        """No boxes, where columns may be missing."""
        nothing = Ragged(np.zeros((0, width)), np.zeros(len(inputs) + 1, np.int64))
        return nothing if self.allow_missing_key else None


def _check(parameter: str, values: tuple[float, ...], most: float) -> None:
    if not values or not all(0 <= value <= most for value in values):
        ends = "from 0 up" if most == LARGEST else f"from 0 to {most:g}"
        raise ValueError(f"{parameter} must be {ends}, not {list(values)}")


@dataclasses.dataclass(frozen=True, eq=False)
class DetectionScores:
    """The state of `BoxScores` for S slices and K cells of classes x thresholds.

    Attributes:
        scores: The state of the statistic of scores, for S * K slices.
        missed: Weight of the labelled boxes without a detection, float64[S * K]; NaN where the detections
            of an image are missing.
    """

    scores: Any
    missed: Array

    @property
    def size(self) -> int:
        """S * K."""
        return len(self.missed)


class _Group(NamedTuple):
    """Boxes of some images, of classes that are looked at."""

    boxes: GroupedBoxes
    images: Index
    classes: Index
    scores: Array


@dataclasses.dataclass(frozen=True)
class BoxScores(Statistic[DetectionScores]):
    """Scores of the right and wrong detections of each class at each threshold, and missed boxes.

    Attributes:
        rule: When a detection is right.
        of_scores: The statistic that the detections are given to: label 1 for right ones, and the score.

    Of two labelled boxes one is detected with a score above 0.5, and the other is missed.

    >>> from benison.metrics.statistics.binary import ThresholdCells
    >>> truth = Ragged(np.array([[0, 0, 2, 2, 1], [6, 6, 8, 8, 1.0]]), np.array([0, 2]))
    >>> found = Ragged(np.array([[0, 0, 2, 2, 1, 0.9], [4, 4, 5, 5, 1, 0.8]]), np.array([0, 2]))
    >>> statistic = BoxScores(BoxRule((1,), (0.5,)), ThresholdCells((0.5,)))
    >>> state = statistic.add(Inputs(truth, found), SliceCodes.of([0], 1))
    >>> state.scores.dense().tolist(), state.missed.tolist()
    ([[0.0, 0.0, 1.0, 1.0]], [1.0])
    """

    rule: BoxRule
    of_scores: Statistic[Any]

    def optional_columns(self) -> tuple[str, ...]:
        named = (*self.rule.labels_to_stack, *self.rule.prediction_columns)
        return named if self.rule.allow_missing_key else ()

    def label_columns(self) -> tuple[str, ...]:
        return self.rule.labels_to_stack

    def prediction_columns(self) -> tuple[str, ...]:
        return self.rule.prediction_columns

    def zero(self, size: int) -> DetectionScores:
        cells = size * self.rule.cells
        return DetectionScores(self.of_scores.zero(cells), np.zeros(cells))

    def add(self, inputs: Inputs, codes: SliceCodes) -> DetectionScores:
        inputs, codes = heavy(inputs, codes)
        truth, detected = self.rule.truth(inputs), self.rule.detections(inputs)
        weights = np.ones(len(inputs)) if inputs.weights is None else inputs.weights
        missing = missing_rows(detected) | inputs.lacks_predictions(self.prediction_columns())
        total = self._of_missing(np.flatnonzero(missing), codes)
        for start, end in _portions(detected, len(self.rule.iou_thresholds)):
            of_truth, of_model = (self._group(boxes, start, end) for boxes in (truth, detected))
            total = self.merge(total, self._matched(of_truth, of_model, weights, codes))
        return total

    def _of_missing(self, images: Index, codes: SliceCodes) -> DetectionScores:
        cells = np.tile(np.arange(self.rule.cells), len(images))
        rows = np.repeat(images, self.rule.cells)
        undefined = self._expanded(codes, rows, cells).sum(np.full(len(rows), np.nan))
        return dataclasses.replace(self.zero(codes.size), missed=undefined)

    def _group(self, column: Ragged, start: int, end: int) -> _Group:
        """The boxes of the images from `start` to `end` that are of the classes."""
        values = column.values[column.offsets[start] : column.offsets[end]]
        images = np.repeat(np.arange(start, end), column.lengths[start:end])
        classes, known = np.sort(self.rule.class_ids), np.argsort(self.rule.class_ids)
        at = np.minimum(np.searchsorted(classes, values[:, 4]), len(classes) - 1)
        kept = np.flatnonzero(classes[at] == values[:, 4])
        numbers, images = known[at[kept]], images[kept]
        boxes = GroupedBoxes(values[kept, :4], images * len(classes) + numbers)
        return _Group(boxes, images, numbers, values[kept, -1])

    def _matched(
        self, truth: _Group, detected: _Group, weights: Array, codes: SliceCodes
    ) -> DetectionScores:
        rule, thresholds = self.rule, len(self.rule.iou_thresholds)
        order = ranked(detected.boxes.groups, detected.scores, rule.max_num_detections)
        area = (float(rule.area_range[0]), float(rule.area_range[1]))
        ious = np.array(rule.iou_thresholds, np.float64)
        matches = matched(truth.boxes, detected.boxes.at(order), ious, area)
        at, detection = np.nonzero(matches.counted)
        rows, classes = detected.images[order[detection]], detected.classes[order[detection]]
        flat = Inputs(
            matches.right[at, detection].astype(np.float64),
            detected.scores[order[detection]],
            self._weights(weights[rows], classes),
        )
        scores = self.of_scores.add(flat, self._expanded(codes, rows, classes * thresholds + at))
        at, box = np.nonzero(matches.missed)
        rows, classes = truth.images[box], truth.classes[box]
        missed = self._expanded(codes, rows, classes * thresholds + at)
        return DetectionScores(scores, missed.sum(self._weights(weights[rows], classes)))

    def _weights(self, weights: Array, classes: Index) -> Array:
        if not self.rule.class_weights:
            return weights
        return weights * np.array(self.rule.class_weights, np.float64)[classes]

    def _expanded(self, codes: SliceCodes, rows: Index, cells: Index) -> SliceCodes:
        """The codes of the rows `rows`, each in its cell of its slices."""
        taken, width = codes.take(rows), self.rule.cells
        keys = ((at, keys) for keys, at in taken.keys(cells, width))
        return SliceCodes(codes.size * width, tuple(keys))

    def merge(self, a: DetectionScores, b: DetectionScores) -> DetectionScores:
        return DetectionScores(self.of_scores.merge(a.scores, b.scores), a.missed + b.missed)

    def scatter(self, state: DetectionScores, index: Index, size: int) -> DetectionScores:
        cells, width = self._cells(index), size * self.rule.cells
        missed = np.zeros(width)
        missed[cells] = state.missed
        return DetectionScores(self.of_scores.scatter(state.scores, cells, width), missed)

    def gather(self, state: DetectionScores, index: Index) -> DetectionScores:
        cells = self._cells(index)
        return DetectionScores(self.of_scores.gather(state.scores, cells), state.missed[cells])

    def _cells(self, index: Index) -> Index:
        width = self.rule.cells
        return (np.asarray(index, np.int64)[:, None] * width + np.arange(width)).ravel()


def _portions(detected: Ragged, thresholds: int) -> Iterator[tuple[int, int]]:
    """Images of about `_DETECTIONS` detections together, as (first, end)."""
    # An image without detections is one too, so that its missed boxes count.
    sizes = np.cumsum((detected.lengths + 1) * thresholds) // _DETECTIONS
    ends = np.flatnonzero(np.diff(sizes, append=-1)) + 1
    return pairwise([0, *ends.tolist()])
