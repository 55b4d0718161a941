# SPDX-License-Identifier: Apache-2.0
"""This file is the counts behind binary metrics: positives and negatives by where the prediction lies.

Labels are in [0, 1]; a fractional label y counts as y of a positive and 1 - y of a negative row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benison.errors import DataError
from benison.extracts import Array, Inputs, SliceCodes
from benison.metrics.base import Index
from benison.metrics.states import Cells, CellsStatistic

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
        _check_binary(inputs)
        undefined = np.isnan(inputs.predictions)
        if undefined.any():
            return self._add_undefined(inputs, undefined, codes)
        cells, labels, weights = (
            2 * self.place_of(inputs.predictions),
            inputs.labels,
            inputs.weights,
        )
        if np.all((labels == 0) | (labels == 1)):
            return self._cells(codes, cells + labels.astype(np.int64), weights)
        weights = np.ones(len(labels)) if weights is None else weights
        negatives = self._cells(codes, cells, weights * (1 - labels))
        return negatives.merge(self._cells(codes, cells + 1, weights * labels))

    def _add_undefined(
        self, inputs: Inputs, undefined: npt.NDArray[np.bool_], codes: SliceCodes
    ) -> Cells:
        """A row without a prediction weighs NaN at both ends, which makes every sum over its label NaN."""
        weights = np.ones(len(inputs)) if inputs.weights is None else inputs.weights
        low, high = np.where(undefined, -np.inf, inputs.predictions), np.full(len(inputs), np.inf)
        at_low = dataclasses.replace(
            inputs, predictions=low, weights=np.where(undefined, np.nan, weights)
        )
        at_high = dataclasses.replace(
            inputs, predictions=high, weights=np.where(undefined, np.nan, 0.0)
        )
        return self.add(at_low, codes).merge(self.add(at_high, codes))

    def _cells(self, codes: SliceCodes, cells: Index, weights: Array | None) -> Cells:
        sums = None if weights is None else codes.repeat(weights)
        return Cells.of(codes.keys(cells, self.width), sums, codes.size, self.width)


def _check_binary(inputs: Inputs) -> None:
    if inputs.labels.ndim != 1 or inputs.predictions.ndim != 1:
        raise DataError(
            f"Binary metrics need one label and one prediction in each row; labels have the shape "
            f"{inputs.labels.shape} and predictions {inputs.predictions.shape}. For several classes, "
            f"choose them with binarize.class_ids in metrics_specs."
        )
    labels = inputs.labels
    wrong = np.flatnonzero((labels < -_TOLERANCE) | (labels > 1 + _TOLERANCE))
    if len(wrong):
        raise DataError(
            f"Binary metrics need labels in [0, 1]; a label is {labels[wrong[0]]:g}. For a regression "
            f"use metrics such as MeanSquaredError."
        )


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
    scaled = np.clip(values, -1.0, 1.0) * buckets
    places = np.floor(scaled).astype(np.int64) + 1
    return np.maximum(places, 0)


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points of the confusion matrix as the threshold rises, for a block of n slices.

    `tp` and `fp` are float64[n, L + 1], falling along the axis from all rows to 0; `interval` is
    int64[n, L], the interval in which the rows between two points lie. Slices with fewer points
    repeat their last one.
    """

    slices: Index
    tp: Array
    fp: Array
    interval: Index

    @property
    def positives(self) -> Array:
        """Weight of all positives: float64[n, 1]."""
        return self.tp[:, :1]

    @property
    def negatives(self) -> Array:
        """Weight of all negatives: float64[n, 1]."""
        return self.fp[:, :1]


def curves(cells: Cells, interval_of: Index) -> Iterator[Curve]:
    """The curves of all slices that have rows, in blocks of slices with about as many points.

    Only occupied cells are visited, and each slice is summed up by itself, so that neither the
    number of buckets nor the other slices matter.

    Args:
        cells: Of a `BinaryCells`.
        interval_of: The interval of each place, ascending; places of one interval are one point.
    """
    keys, sums = cells.occupied()
    slices, cell = np.divmod(keys, cells.width)
    interval, label = interval_of[cell // 2], cell % 2
    first = np.flatnonzero(np.diff(slices * cells.width + interval, prepend=-1))
    if not len(first):
        return
    pair = np.stack([np.where(label == 0, sums, 0.0), np.where(label == 1, sums, 0.0)])
    negative, positive = np.add.reduceat(pair, first, axis=1)
    slices, interval = slices[first], interval[first]
    starts = np.flatnonzero(np.diff(slices, prepend=-1))
    lengths = np.diff(starts, append=len(slices))
    classes = np.ceil(np.log2(lengths)).astype(np.int64)
    for size in np.unique(classes):  # at most 14, for 10,000 buckets
        chosen = np.flatnonzero(classes == size)
        # Blocks of about a million points keep the working set small.
        for block in np.array_split(chosen, max(1, len(chosen) * 2**size // 2**20)):
            yield _block(slices, interval, positive, negative, starts[block], lengths[block])


def _block(
    slices: Index, interval: Index, positive: Array, negative: Array, starts: Index, lengths: Index
) -> Curve:
    steps = np.arange(lengths.max())
    held = steps < lengths[:, None]
    at = np.where(held, starts[:, None] + steps, starts[:, None] + lengths[:, None] - 1)
    rows: list[Any] = []
    for counts in (positive, negative):
        each = np.where(held, counts[at], 0.0)
        above = np.cumsum(each[:, ::-1], axis=1)[:, ::-1]
        rows.append(np.pad(above, ((0, 0), (0, 1))))
    return Curve(slices[starts], rows[0], rows[1], interval[at])
