# SPDX-License-Identifier: Apache-2.0
"""Counts all rows with each label, by the values of features: what benchmarks learn from and are tried on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Extracts, Index, Target
from benison.data.mixing import mixed
from benison.data.values import is_measured, single_values, undictionary
from benison.probes import changes, limited_states

OUTPUT_KEY = "counted_labels"
FOLDS = 5
MOST = 2**16
"""So many cells are kept, and none of more: rounded to fewer they would be other features and labels."""


@dataclasses.dataclass(frozen=True)
class CountedLabels:
    """Rows with a label, those of the same values, fold and label as one.

    Attributes:
        features: By name, numbers as float64: [K] each.
        folds: int64[K], of which each has the rows that one learns from, or all 0.
        labels: float64[K].
        rows: float64[K].
        weights: The sum of their weights: float64[K].
    """

    features: Mapping[str, pa.Array]
    folds: Index
    labels: Array
    rows: Array
    weights: Array

    @classmethod
    def of(
        cls, features: Mapping[str, pa.Array], folds: Index, labels: Array, weights: Array
    ) -> CountedLabels:
        """Of single values of rows; those without a label are left out, and what has no weight has 0."""
        known = np.isfinite(labels)
        kept = {name: _plain(column).filter(pa.array(known)) for name, column in features.items()}
        finite = np.where(np.isfinite(weights), weights, 0.0)
        return cls(kept, folds[known], labels[known], np.ones(known.sum()), finite[known])._summed()

    def merge(self, other: CountedLabels) -> CountedLabels:
        """Of the rows of both."""
        labels, rows, weights = (
            np.concatenate([getattr(each, name) for each in (self, other)])
            for name in ("labels", "rows", "weights")
        )
        folds = np.concatenate([self.folds, other.folds])
        features = {name: _joined(of, other.features[name]) for name, of in self.features.items()}
        return CountedLabels(features, folds, labels, rows, weights)._summed()

    def _summed(self) -> CountedLabels:
        _, firsts, codes = np.unique(self._codes, return_index=True, return_inverse=True)
        rows, weights = (
            np.bincount(codes, of, len(firsts)).astype(np.float64)
            for of in (self.rows, self.weights)
        )
        features = {name: of.take(pa.array(firsts)) for name, of in self.features.items()}
        return CountedLabels(features, self.folds[firsts], self.labels[firsts], rows, weights)

    @property
    def _codes(self) -> Index:
        """The cell of each row: int64[N]."""
        codes = self.folds
        for column in (*self.features.values(), pa.array(self.labels)):
            own = _numbered(column)
            _, codes = np.unique(codes * (own.max(initial=0) + 1) + own, return_inverse=True)
        return np.asarray(codes, np.int64)

    @property
    def are_too_many(self) -> bool:
        """Whether there are more cells than are kept, as of an id, or of two features that are measured."""
        return len(self.labels) > MOST

    @property
    def batch(self) -> pa.RecordBatch:
        """The features, with a column that is no feature, so that there are rows without any."""
        return pa.RecordBatch.from_pydict({**self.features, OUTPUT_KEY: pa.array(self.labels)})


def _plain(column: pa.Array) -> pa.Array:
    values = changes.settled(undictionary(column))
    return (
        pa.array(changes.numbers(values), from_pandas=True) if is_measured(values.type) else values
    )


def _joined(a: pa.Array, b: pa.Array) -> pa.Array:
    kind = b.type if pa.types.is_null(a.type) else a.type
    return pa.concat_arrays([a.cast(kind), b.cast(kind)])


def _numbered(column: pa.Array) -> Index:
    if is_measured(column.type):
        floats = column.to_numpy(zero_copy_only=False)
        return np.asarray(np.unique(floats, return_inverse=True)[1], np.int64)
    codes = column.dictionary_encode(null_encoding="encode").indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)


State: TypeAlias = "dict[tuple[Target, tuple[str, ...]], CountedLabels | None]"
"""None of what cannot be counted: too many values of features and labels, or several in a row."""


@dataclasses.dataclass(frozen=True)
class CountedLabelsEvaluator:
    """Counts the labels of each output, by nothing and by the features of each benchmark of slices."""

    targets: tuple[Target, ...]
    by: tuple[tuple[str, ...], ...]
    """The features, none of which are for what looks at labels alone."""
    columns: tuple[str, ...] = ()
    """Those that are read for its sake: none, as the rows of probes have all."""
    outputs: tuple[str, ...] = (OUTPUT_KEY,)
    stage_name: str = "CountLabels"
    run_after: str = "ExtractSliceKeys"
    needs_row_numbers: bool = True
    concurrent: bool = True

    def zero(self) -> State:
        """Of no rows."""
        return {}

    def add(self, state: State, extracts: Extracts) -> State:
        """The state with one more batch."""
        made: State = {}
        for target, labels, weights in self._labelled(extracts):
            for names in self.by:
                if state.get((target, names), made) is not None:
                    features = _singles(extracts["features"], names)
                    folds = _folds(extracts["row_numbers"]) * bool(names)
                    cells = features is not None and CountedLabels.of(
                        features, folds, labels, weights
                    )
                    made[target, names] = cells if cells and not cells.are_too_many else None
        return self.merge(state, made)

    def _labelled(self, extracts: Extracts) -> Iterator[tuple[Target, Array, Array]]:
        """The outputs with a number as the label of each row, and the weights of the rows."""
        for target in self.targets:
            labels = extracts["labels"].get(target)
            if isinstance(labels, np.ndarray) and labels.ndim == 1 and len(labels):
                weights = extracts.get("example_weights", {}).get(target)
                is_single = weights is not None and weights.ndim == 1
                known = weights if is_single else np.ones(len(labels))
                yield target, labels.astype(np.float64), np.asarray(known, np.float64)

    def merge(self, state: State, other: State) -> State:
        """The state of both."""
        return limited_states.merged(state, other)

    def result(self, state: State) -> dict[str, Any]:
        """What is known of each output and features."""
        return {OUTPUT_KEY: limited_states.kept(state)}


def _folds(row_numbers: pa.Array) -> Index:
    hashes = mixed(row_numbers.to_numpy(zero_copy_only=False))
    return np.asarray(hashes % np.uint64(FOLDS), np.int64)


def _singles(batch: pa.RecordBatch, names: Sequence[str]) -> dict[str, pa.Array] | None:
    """Columns as single values; None where one is not there, or a row has several."""
    if not {*names} <= {*batch.schema.names}:
        return None
    singles = {name: single_values(batch.column(name)) for name in names}
    return None if any(column is None for column in singles.values()) else singles
