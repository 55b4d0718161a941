# SPDX-License-Identifier: Apache-2.0
"""This file is the data contract: what one batch of examples holds on its way through the stages.

Letters in shapes: N rows of the batch, C classes, S slices, T thresholds, K slicing specs, Q queries.

============================  ======================================================  ==============
key                           value                                                   written by
============================  ======================================================  ==============
``input``                     Arrow binary[N], the serialized tf.Examples; absent     reader
                              when the data are not tf.Examples
``features``                  Arrow RecordBatch, N rows; multivalent features are     reader
                              Arrow lists; missing is null (or an empty list)
``row_numbers``               Arrow uint64[N], the same however rows are read; absent  reader
                              unless confidence intervals are asked for
``transformed_features``      {model: Arrow RecordBatch}, as `features`               extractor
``labels``                    {(model, output): float64[N] or float64[N, C]};         extractor
                              missing is NaN
``predictions``               {(model, output): float64[N] or float64[N, C]};         extractor
                              missing is NaN
``example_weights``           {(model, output): float64[N]}, finite and >= 0; a       extractor
                              model without a weight column has no entry
``slice_codes``               `benison.slicing.SliceCodes`                            extractor
``attributions``              {model: {feature: float64[N]}}                          extractor
============================  ======================================================  ==============

The model's name is "" when the config has one model; the output's name is "" when the model has one.
Strings stay Arrow strings: a label or prediction that is text is an Arrow array in place of float64.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array: TypeAlias = npt.NDArray[np.float64]
Target: TypeAlias = tuple[str, str]  # (model name, output name)

_SUM_BLOCK = 2**13


class Extracts(TypedDict, total=False):
    """The columns of one batch; the module's table says what each key holds."""

    input: pa.Array
    row_numbers: pa.Array
    features: pa.RecordBatch
    transformed_features: dict[str, pa.RecordBatch]
    labels: dict[Target, Any]
    predictions: dict[Target, Any]
    example_weights: dict[Target, Array]
    slice_codes: Any
    attributions: dict[str, dict[str, Array]]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a statistic sees of a batch: one model and output, binarized, with or without weights.

    `labels` and `predictions` are float64[N] (or [N, C] for metrics over classes), `weights` is
    float64[N] or None, which means that every row weighs 1.
    """

    labels: Array
    predictions: Array
    weights: Array | None = None
    batch: pa.RecordBatch | None = None
    rows: npt.NDArray[np.int64] | None = None
    """Which rows of `batch` these are, or None for all."""

    @classmethod
    def of(cls, labels: Any, predictions: Any, weights: Any = None) -> Inputs:
        """Build from plain sequences; the form that doctests and tests use."""
        as_floats = [
            None if x is None else np.asarray(x, np.float64) for x in (labels, predictions, weights)
        ]
        return cls(*as_floats)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.predictions)

    def take(self, rows: npt.NDArray[np.int64]) -> Inputs:
        """The rows `rows`, of which some may be there more than once."""
        weights = None if self.weights is None else self.weights[rows]
        within = rows if self.rows is None else self.rows[rows]
        return Inputs(self.labels[rows], self.predictions[rows], weights, self.batch, within)

    @functools.cached_property
    def features(self) -> pa.RecordBatch | None:
        """All columns that were read, N rows; they are only picked for a metric that looks at them."""
        if self.batch is None or self.rows is None:
            return self.batch
        return self.batch.take(pa.array(self.rows))

    def weighted(self, values: Array) -> Array:
        """`values` times the weights: float64[N]."""
        return values if self.weights is None else values * self.weights


@dataclasses.dataclass(frozen=True)
class SliceCodes:
    """Which rows are in which slices: S slices, K parts, and the grouped sums over them.

    A part holds `codes`, int64[M] in [0, S), and `rows`, int64[M], the row of each code; `rows` is
    None when the part has a code for every row, in order. A row is at most once in a slice.
    """

    size: int
    parts: tuple[tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.int64]], ...]

    @classmethod
    def of(cls, codes: Any, size: int) -> SliceCodes:
        """One part with a code for every row."""
        return cls(size, ((None, np.asarray(codes, np.int64)),))

    def take(self, rows: npt.NDArray[np.int64]) -> SliceCodes:
        """The codes of the rows `rows`, of which some may be there more than once.

        >>> codes = SliceCodes(2, ((np.array([0, 2]), np.array([0, 1])),))
        >>> codes.take(np.array([2, 1, 2])).parts
        ((array([0, 2]), array([1, 1])),)
        """
        return SliceCodes(self.size, tuple(_take(*part, rows) for part in self.parts))

    def count(self) -> npt.NDArray[np.int64]:
        """Rows in each slice: int64[S]."""
        return self._counts

    @functools.cached_property
    def _counts(self) -> npt.NDArray[np.int64]:
        counts = [np.bincount(codes, minlength=self.size) for _, codes in self.parts]
        return np.sum(counts, axis=0, dtype=np.int64) if counts else np.zeros(self.size, np.int64)

    def sum(self, values: Array) -> Array:
        """Sum of float64[N] over the rows of each slice: float64[S].

        >>> SliceCodes.of([0, 1, 0], size=3).sum(np.array([1.0, 2.0, 4.0]))
        array([5., 2., 0.])
        """
        total = np.zeros(self.size)
        for rows, codes in self.parts:
            total += grouped_sum(codes, _at(values, rows), self.size)
        return total

    def centred(self, values: Array, means: Array) -> Array:
        """Each row's value less the mean of its slice, in the order of `repeat`: float64[M]."""
        parts = [_at(values, rows) - means[codes] for rows, codes in self.parts]
        return np.concatenate(parts) if parts else values[:0]

    def sum_repeated(self, values: Array) -> Array:
        """Sum of float64[M], in the order of `repeat`, over the rows of each slice: float64[S]."""
        total, start = np.zeros(self.size), 0
        for _, codes in self.parts:
            total += grouped_sum(codes, values[start : start + len(codes)], self.size)
            start += len(codes)
        return total

    def keys(
        self, cells: npt.NDArray[np.int64], width: int
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]]:
        """For each part `code * width + cell` of its codes, for cells in [0, width), and its rows."""
        for rows, codes in self.parts:
            keys = codes * width
            keys += _at(cells, rows)
            yield keys, rows

    def repeat(self, values: Array) -> Array:
        """float64[N] repeated as the rows stand in the parts: float64[M]."""
        return (
            np.concatenate([_at(values, rows) for rows, _ in self.parts])
            if self.parts
            else values[:0]
        )


def _take(
    known: npt.NDArray[np.int64] | None,
    codes: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.int64]]:
    """One part's codes of some rows; `known`, its rows, are ascending."""
    if known is None:
        return None, codes[rows]
    first, last = (np.searchsorted(known, rows, side=side) for side in ("left", "right"))
    lengths = last - first
    repeated = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(len(repeated)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return repeated, codes[first[repeated] + within]


def _at(values: npt.NDArray[Any], rows: npt.NDArray[np.int64] | None) -> npt.NDArray[Any]:
    return values if rows is None else values[rows]


def grouped_sum(keys: npt.NDArray[np.int64], values: Array, size: int) -> Array:
    """Sum of float64[N] by key, for keys in [0, size): float64[size].

    Adding up block by block keeps the rounding of millions of rows near that of one block, so that
    sums agree to 1e-12 however the rows are split.
    """
    block = max(_SUM_BLOCK, 4 * size)
    total = np.zeros(size)
    for start in range(0, len(keys), block):  # each block is one vectorised sum
        end = start + block
        total += np.bincount(keys[start:end], values[start:end], minlength=size)
    return total
