# SPDX-License-Identifier: Apache-2.0
"""The counts behind binary metrics: positives and negatives by where the prediction lies.

Labels are in [0, 1]; a fractional label y counts as y of a positive and 1 - y of a negative row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Index
from benison.metrics.statistics.cells import Cells, CellsStatistic, starts
from benison.slicing.codes import SliceCodes

BUCKETS = 10_000
_TOLERANCE = 1e-7  # how far outside [0, 1] a label may lie by rounding, as in TFMA


class BinaryCells(CellsStatistic):
    """Weight of negatives and positives by place of the prediction: cells are `2 * place + label`."""

    places: int

    def place_of(self, predictions: Array) -> Index:
        """int64[N] in [0, places), ascending with the prediction."""
        raise NotImplementedError

    @property
    def width(self) -> int:  # type: ignore[override]
        """Cells per slice."""
        return 2 * self.places

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        whole = check_binary(inputs)
        labels, weights, predictions = inputs.labels, inputs.weights, inputs.predictions
        undefined = np.isnan(predictions)
        if undefined.any():
            # A NaN weight marks the row's slices, whose values are all NaN in the end.
            weights = np.where(undefined, np.nan, 1.0 if weights is None else weights)
            predictions = np.where(undefined, 0.0, predictions)
        cells = 2 * self.place_of(predictions)
        if whole:
            return Cells.grouped(cells + labels.astype(np.int64), weights, codes, self.width)
        labels = np.clip(labels, 0.0, 1.0)
        weights = np.ones(len(labels)) if weights is None else weights
        negatives = Cells.grouped(cells, weights * (1 - labels), codes, self.width)
        return negatives.merge(Cells.grouped(cells + 1, weights * labels, codes, self.width))


def check_binary(inputs: Inputs) -> bool:
    """Whether every label is 0 or 1, and none a fraction between.

    Raises:
        DataError: Rows have several labels or predictions, or a label lies outside [0, 1].
    """
    labels = inputs.labels
    if labels.ndim != 1 or inputs.predictions.ndim != 1:
        raise DataError(
            f"Binary metrics need one label and one prediction in each row; labels have the shape "
            f"{labels.shape} and predictions {inputs.predictions.shape}. For several classes, "
            f"choose them with binarize.class_ids in metrics_specs."
        )
    if np.all((labels == 0) | (labels == 1)):
        return True
    wrong = np.flatnonzero(~((labels >= -_TOLERANCE) & (labels <= 1 + _TOLERANCE)))
    if len(wrong):
        raise DataError(
            f"Binary metrics need labels in [0, 1]; a label is {labels[wrong[0]]:g}. For a regression "
            f"use metrics such as MeanSquaredError."
        )
    return False


@dataclasses.dataclass(frozen=True)
class ThresholdCells(BinaryCells):
    """Exact counts at given thresholds: place i holds predictions above i of the thresholds."""

    thresholds: tuple[float, ...]  # ascending

    @property
    def places(self) -> int:  # type: ignore[override]
        """One more than there are thresholds."""
        return len(self.thresholds) + 1

    def place_of(self, predictions: Array) -> Index:
        """A prediction equal to a threshold is not above it."""
        if len(self.thresholds) == 1:
            return (predictions > self.thresholds[0]).astype(np.int64)
        return np.searchsorted(self.thresholds, predictions, side="left").astype(np.int64)


@dataclasses.dataclass(frozen=True)
class PredictionHistogram(BinaryCells):
    """Counts in 10,000 equal buckets of [0, 1), with one below and one from 1 up."""

    places = BUCKETS + 2

    def place_of(self, predictions: Array) -> Index:
        """Bucket k holds [(k - 1) / 10000, k / 10000)."""
        return bucket_of(predictions, BUCKETS)


def bucket_of(values: Array, buckets: int) -> Index:
    """1 + floor(value * buckets), 0 below 0 and `buckets + 1` from 1 up."""
    # Clipped just so far below 0 that truncation gives 0, and added to before it, as TFMA does it.
    scaled = np.clip(values, -1 / buckets, 1.0)
    scaled *= buckets
    scaled += 1
    return scaled.astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points of the confusion matrix as the threshold rises, for a block of n slices.

    `tp` and `fp` are float64[n, P], the weights above the threshold, falling along the axis.
    `positives` and `negatives` are the weights in all, float64[n, 1]. `last` is int64[n, P], the
    number of the highest threshold at which the point is reached.
    """

    slices: Index
    tp: Array
    fp: Array
    positives: Array
    negatives: Array
    last: Index


def curves(cells: Cells, interval_of: Index) -> Iterator[Curve]:
    """The curves of all slices that have rows, in blocks of slices with about as many points.

    Only occupied cells are visited, and each slice is summed up by itself, so that neither the
    number of buckets nor the other slices matter.

    Args:
        cells: Of a `BinaryCells`.
        interval_of: The interval of each place, ascending; places of one interval are one point.
            Interval i lies between the thresholds i and i + 1.
    """
    for keys, sums in cells.blocks():
        if len(keys):
            yield from _curves(keys, sums, cells.width, interval_of)


def _curves(keys: Index, sums: Array, width: int, interval_of: Index) -> Iterator[Curve]:
    slices = keys // width
    cell = keys - slices * width
    interval = interval_of[cell // 2]
    first = starts(slices * width + interval)
    positive = cell % 2 == 1
    counts = [np.add.reduceat(np.where(x, sums, 0.0), first) for x in (positive, ~positive)]
    slices, interval = slices[first], interval[first]
    begin = starts(slices)
    lengths = np.diff(begin, append=len(slices))
    sizes = np.ceil(np.log2(lengths)).astype(np.int64)
    top = int(interval_of[-1]) + 1
    for size in np.unique(sizes):  # at most 15, for 10,000 buckets
        block = np.flatnonzero(sizes == size)
        steps = np.arange(lengths[block].max() + 1)
        held = steps < lengths[block, None]
        at = np.where(held, begin[block, None] + steps, 0)
        tp, fp = (_above(np.where(held, x[at], 0.0)) for x in counts)
        last = np.where(held, interval[at], top)
        yield Curve(slices[begin[block]], tp, fp, tp[:, :1], fp[:, :1], last)


def _above(counts: Array) -> Array:
    """Each row's sums from there to its end: float64[n, P]."""
    above: Array = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return above
