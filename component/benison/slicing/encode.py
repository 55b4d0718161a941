# SPDX-License-Identifier: Apache-2.0
"""How rows get their slices: a slicing spec and a batch become codes and a table of keys.

A slice is named by its key, the (feature, value) pairs sorted by feature; `()` is Overall. Values are
text, as Arrow prints them, so that the number 5 and the text "5" name the same slice.
"""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import SlicingSpec
from benison.errors import DataError
from benison.slicing.keys import same_value

Codes: TypeAlias = npt.NDArray[np.int64]

_SEPARATOR = "\x1f"  # the unit separator of ASCII keeps the values of a crossed key apart
"""A key as Arrow has it."""

_LOOKUP_LIMIT = 2**20  # a table of this many int64 still fits a processor's cache


@dataclasses.dataclass(frozen=True)
class SpecCodes:
    """One spec applied to one batch: a code for each (row, slice), and the slices' values.

    `rows` is int64[M], ascending, or None when every row has one code, in order. `codes` is int64[M]
    in [0, len(values)). `values` is a string array: the values of `features`, in their order, joined.
    """

    features: tuple[str, ...]
    rows: Codes | None
    codes: Codes
    values: pa.Array

    @classmethod
    def of(cls, spec: SlicingSpec, columns: ColumnCodes) -> SpecCodes:
        """Apply `spec` to the batch whose columns `columns` encodes."""
        features = tuple(sorted({*spec.feature_keys, *spec.feature_values}))
        crossed = cls((), None, np.zeros(columns.num_rows, np.int64), pa.array([""]))
        for feature in features:
            column = columns[feature]
            if feature in spec.feature_values:
                column = column.only(spec.feature_values[feature])
            crossed = crossed.cross(column)
        return crossed

    def only(self, wanted: str) -> SpecCodes:
        """The rows with one value alone."""
        same = [i for i, value in enumerate(self.values.to_pylist()) if same_value(value, wanted)]
        chosen = np.flatnonzero(np.isin(self.codes, same))
        rows = chosen if self.rows is None else self.rows[chosen]
        return SpecCodes(
            self.features,
            rows,
            np.zeros(len(rows), np.int64),
            pa.array([wanted][: len(same)], pa.string()),
        )

    def cross(self, other: SpecCodes) -> SpecCodes:
        """Each row in every combination of its values here and there."""
        if not self.features:
            return other
        rows, left, right = _join(self, other)
        pairs, codes = _compact(
            left * len(other.values) + right, len(self.values) * len(other.values)
        )
        values = pc.binary_join_element_wise(
            _joinable(self).take(pa.array(pairs // len(other.values))),
            _joinable(other).take(pa.array(pairs % len(other.values))),
            _SEPARATOR,
        )
        return SpecCodes(self.features + other.features, rows, codes, values)


def _joinable(codes: SpecCodes) -> pa.Array:
    """The values; a single one that holds the separator shows its picture, U+241F, in its place."""
    if len(codes.features) > 1:
        return codes.values
    return pc.replace_substring(codes.values, _SEPARATOR, "\u241f")


def _join(a: SpecCodes, b: SpecCodes) -> tuple[Codes | None, Codes, Codes]:
    """Rows and both codes of every combination, for rows that have a code in both."""
    if b.rows is None:
        return a.rows, a.codes, b.codes if a.rows is None else b.codes[a.rows]
    if a.rows is None:
        return b.rows, a.codes[b.rows], b.codes
    last = 1 + max(a.rows.max(initial=-1), b.rows.max(initial=-1))
    counts = np.bincount(b.rows, minlength=last)
    starts = np.cumsum(counts) - counts
    repeats = counts[a.rows]
    within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    right = b.codes[np.repeat(starts[a.rows], repeats) + within]
    return np.repeat(a.rows, repeats), np.repeat(a.codes, repeats), right


def _compact(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The distinct codes, and for each code its place among them."""
    if size > _LOOKUP_LIMIT:
        encoded = pa.array(codes).dictionary_encode()
        return encoded.dictionary.to_numpy(), encoded.indices.to_numpy().astype(np.int64)
    distinct = np.flatnonzero(np.bincount(codes, minlength=size))
    places = np.zeros(size, np.int64)
    places[distinct] = np.arange(len(distinct))
    return distinct, places[codes]


class ColumnCodes:
    """The columns of one batch as codes, each encoded once however many specs use it."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.num_rows = batch.num_rows
        self._batch = batch
        self._encoded: dict[str, SpecCodes] = {}

    def __getitem__(self, feature: str) -> SpecCodes:
        if feature not in self._encoded:
            if feature not in self._batch.schema.names:
                raise DataError.from_missing_column(feature, self._batch.schema.names, "The data")
            self._encoded[feature] = _encode(feature, self._batch.column(feature))
        return self._encoded[feature]


def _encode(feature: str, column: pa.Array) -> SpecCodes:
    rows: Codes | None = None
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        parents = pc.list_parent_indices(column)
        rows, column = np.asarray(parents, np.int64), pc.list_flatten(column)
        if np.array_equal(rows, np.arange(len(rows))):
            rows = None
    encoded = _dictionary(feature, column)
    codes = encoded.indices
    if codes.null_count:
        present = np.flatnonzero(codes.is_valid().to_numpy(zero_copy_only=False))
        rows, codes = present if rows is None else rows[present], codes.drop_null()
    values = _text(feature, encoded.dictionary)
    return _once(SpecCodes((feature,), rows, np.asarray(codes, np.int64), values))


def _dictionary(feature: str, column: pa.Array) -> pa.DictionaryArray:
    """The column as codes of its distinct values; null and NaN have none."""
    if pa.types.is_dictionary(column.type):
        return column
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    try:
        return column.dictionary_encode()
    except pa.ArrowNotImplementedError as error:
        raise _no_text(feature, column.type) from error


def _no_text(feature: str, kind: pa.DataType) -> DataError:
    return DataError(f"Column {feature!r} holds {kind}, which has no text form to slice by.")


def _once(codes: SpecCodes) -> SpecCodes:
    """Without the repetitions of a value within a row."""
    rows = codes.rows
    if rows is None or len(rows) < 2 or np.all(np.diff(rows)):
        return codes
    width = len(codes.values)
    pairs = np.unique(rows * width + codes.codes)
    return dataclasses.replace(codes, rows=pairs // width, codes=pairs % width)


def _text(feature: str, values: pa.Array) -> pa.Array:
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid as error:
        raise DataError(
            f"Column {feature!r} cannot be sliced: {error}. Slice keys are UTF-8 text."
        ) from error
    except pa.ArrowNotImplementedError as error:
        raise _no_text(feature, values.type) from error
