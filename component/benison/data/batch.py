# SPDX-License-Identifier: Apache-2.0
"""The data contract: what one batch of examples holds on its way through the stages.

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
``slice_texts``               {column: Arrow string[N]}, numbers as they are written, for   reader
                              columns of which slices see that and not the numbers
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
from typing import Any, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array: TypeAlias = npt.NDArray[np.float64]
Target: TypeAlias = tuple[str, str]  # (model name, output name)


class Extracts(TypedDict, total=False):
    """The columns of one batch; the module's table says what each key holds."""

    input: pa.Array
    row_numbers: pa.Array
    features: pa.RecordBatch
    slice_texts: dict[str, pa.Array]
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
