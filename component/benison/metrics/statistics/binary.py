# SPDX-License-Identifier: Apache-2.0
"""The rows behind binary metrics: each a positive or a negative one, with a score and a weight.

Labels are in [0, 1]; a fractional label y counts as y of a positive and 1 - y of a negative row, as in TFMA,
so that soft labels and labels that were averaged over raters can be evaluated.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index, Inputs, Mask
from benison.errors import DataError
from benison.metrics.statistics.cells import Cells, CellsStatistic
from benison.slicing.codes import SliceCodes

EPSILON = 1e-7  # Keras' and TFMA's: how far the ends of thresholds are from 0 and 1
_FEW = 16  # thresholds that are compared one by one, which takes less than to search among them
_TOLERANCE = 1e-7  # how far outside [0, 1] a label may lie by rounding, as in TFMA


class Weights(NamedTuple):
    """Weights of negatives and positives, float64[n], by slice and bin or step, int64[n], ascending.

    Attributes:
        slices: The slice of each.
        bins: Its bin of the scale, or its step of a curve.
        negatives: The weight of the rows that are negative there.
        positives: The weight of the rows that are positive there.
    """

    slices: Index
    bins: Index
    negatives: Array
    positives: Array


@dataclasses.dataclass(frozen=True)
class BinaryRows:
    """N rows of a batch, and the slices that they are in.

    `scores` are float64[N] without NaN, `positive` is bool[N], `weights` are float64[N], above 0, or
    None when every row weighs 1. A row whose prediction is missing weighs NaN, so that in the end all
    values of its slices are NaN.
    """

    codes: SliceCodes
    scores: Array
    positive: Mask
    weights: Array | None

    @classmethod
    def of(cls, inputs: Inputs, codes: SliceCodes) -> BinaryRows:
        """The rows that weigh anything.

        Raises:
            DataError: Rows have several labels or predictions, or a label lies outside [0, 1].
        """
        inputs, codes = heavy(inputs, codes)
        whole = check_binary(inputs)
        labels, weights = inputs.labels, inputs.weights
        scores, undefined = inputs.predictions, np.isnan(inputs.predictions)
        if undefined.any():
            scores = np.where(undefined, 0.0, scores)
            weights = np.where(undefined, np.nan, 1.0 if weights is None else weights)
        rows = cls(codes, scores, labels == 1, weights)
        return rows if whole else rows._split(np.clip(labels, 0.0, 1.0))

    def _split(self, labels: Array) -> BinaryRows:
        weights = np.ones(len(labels)) if self.weights is None else self.weights
        shares = np.concatenate([weights * (1 - labels), weights * labels])
        rows = np.flatnonzero(shares)
        both = self.take(np.concatenate([np.arange(len(labels))] * 2)[rows])
        return dataclasses.replace(both, positive=rows >= len(labels), weights=shares[rows])

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: Index) -> BinaryRows:
        """The rows `rows`, of which some may be there more than once."""
        weights = None if self.weights is None else self.weights[rows]
        codes, scores = self.codes.take(rows), self.scores[rows]
        return BinaryRows(codes, scores, self.positive[rows], weights)

    def in_slices(self, chosen: Mask) -> BinaryRows:
        """The same rows, in those slices alone that are `chosen`, bool[S]."""
        return dataclasses.replace(self, codes=self.codes.in_slices(chosen))

    def relabelled(self, index: Index, size: int) -> BinaryRows:
        """Slice i becomes slice `index[i]` of `size`."""
        return dataclasses.replace(self, codes=self.codes.relabelled(index, size))


def heavy(inputs: Inputs, codes: SliceCodes) -> tuple[Inputs, SliceCodes]:
    """The rows that weigh anything, with their slices; the others may hold anything.

    They are left out, not multiplied by 0, because 0 times NaN or infinity is NaN.
    """
    if inputs.weights is None or inputs.weights.all():
        return inputs, codes
    rows = np.flatnonzero(inputs.weights)
    return inputs.take(rows), codes.take(rows)


def check_binary(inputs: Inputs) -> bool:
    """Whether every label is 0 or 1, and none a fraction between.

    Raises:
        DataError: Rows have several labels or predictions, or a label lies outside [0, 1].
    """
    labels = inputs.labels
    if labels.ndim != 1 or inputs.predictions.ndim != 1:
        raise DataError(
            "Binary metrics need one label and one prediction in each row, and there are several. For "
            "several classes, choose them with binarize.class_ids in metrics_specs."
        )
    if inputs.are_labels_whole:
        return True
    wrong = np.flatnonzero(~((labels >= -_TOLERANCE) & (labels <= 1 + _TOLERANCE)))
    if len(wrong):
        raise DataError(
            f"Binary metrics need labels in [0, 1]; a label is {labels[wrong[0]]:g}. For a regression "
            f"use metrics such as MeanSquaredError."
        )
    return False


class BinaryCells(CellsStatistic):
    """Exact counts between thresholds: cells are `2 * bin + positive`.

    Bin i holds predictions above i of the thresholds; one that is equal to a threshold is not above it.
    The state takes 16 bytes for each bin of each slice, or less where few are occupied.
    """

    def ascending(self) -> Array:
        """The thresholds."""
        raise NotImplementedError

    @property
    def width(self) -> int:  # type: ignore[override]
        """Cells per slice."""
        return 2 * (len(self.ascending()) + 1)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        rows, thresholds = BinaryRows.of(inputs, codes), self.ascending()
        cells = 2 * count_below(thresholds, rows.scores)
        cells += rows.positive
        return Cells.grouped(cells, rows.weights, rows.codes, self.width)


def count_below(thresholds: Array, scores: Array) -> npt.NDArray[Any]:
    """Above how many of the thresholds, ascending, each score is: integers[N]."""
    if len(thresholds) > _FEW:
        return np.searchsorted(thresholds, scores, side="left")
    counts = np.zeros(len(scores), np.int8)
    for threshold in thresholds:
        counts += scores > threshold
    return counts


@dataclasses.dataclass(frozen=True)
class ThresholdCells(BinaryCells):
    """Counts between thresholds of one's own.

    Attributes:
        thresholds: Ascending and distinct, so that equal sets of thresholds are one statistic.

    >>> cells = ThresholdCells((0.5,)).add(Inputs.of([1, 0, 1], [0.9, 0.8, 0.1]), SliceCodes.of([0, 0, 0], 1))
    >>> cells.dense()
    array([[0., 1., 1., 1.]])
    """

    thresholds: tuple[float, ...]

    def ascending(self) -> Array:
        return np.array(self.thresholds)


@dataclasses.dataclass(frozen=True)
class LabelCells(ThresholdCells):
    """Counts of labels alone, whose predictions may be missing: all of them count as 0.

    The share of positives is known where a score is not, and no threshold changes it.
    """

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        nothing = np.zeros(len(inputs))
        return super().add(dataclasses.replace(inputs, predictions=nothing), codes)


@dataclasses.dataclass(frozen=True)
class InterpolatedCells(BinaryCells):
    """Counts between a number of thresholds, evenly spaced.

    Attributes:
        count: The number of thresholds, above 10,000; up to that TFMA's buckets tell them apart.
    """

    count: int

    def ascending(self) -> Array:
        return interpolated_thresholds(self.count)


@lru_cache(maxsize=32)
def interpolated_thresholds(count: int) -> Array:
    """`count` thresholds, ascending: just below 0, evenly spaced, just above 1, as in Keras and TFMA.

    >>> interpolated_thresholds(3)
    array([-1.0000000e-07,  5.0000000e-01,  1.0000001e+00])
    """
    inner = np.arange(1, count - 1) / (count - 1)
    return np.concatenate([[-EPSILON], inner, [1 + EPSILON]])
