# SPDX-License-Identifier: Apache-2.0
"""This file is how rows get their slices: a slicing spec and a batch become codes and a table of keys.

A slice is named by its key, the (feature, value) pairs sorted by feature; `()` is Overall. Values are
text, as Arrow prints them, so that the number 5 and the text "5" name the same slice.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import SlicingSpec
from benison.errors import DataError
from benison.extracts import SliceCodes

SliceKey: TypeAlias = tuple[tuple[str, str], ...]
Codes: TypeAlias = npt.NDArray[np.int64]

OVERALL: SliceKey = ()
_SEPARATOR = "\x1f"  # the unit separator of ASCII keeps the values of a crossed key apart
SLICE_KEY = pa.list_(pa.struct([("feature", pa.string()), ("value", pa.string())]))
"""A key as Arrow has it."""

_LOOKUP_LIMIT = 2**20  # a table of this many int64 still fits a processor's cache


def slice_name(key: SliceKey) -> str:
    """The text form of a key.

    >>> slice_name((("company", "Flash Cab"), ("hour", "5")))
    'company=Flash Cab, hour=5'
    >>> slice_name(OVERALL)
    'Overall'
    """
    return ", ".join(f"{feature}={value}" for feature, value in key) or "Overall"


def matches(spec: SlicingSpec, key: SliceKey) -> bool:
    """Whether `key` is one of the slices of `spec`.

    >>> matches(SlicingSpec(feature_keys=("hour",)), (("hour", "5"),))
    True
    >>> matches(SlicingSpec(feature_values={"hour": "6"}), (("hour", "5"),))
    False
    """
    values = dict(key)
    fixed = spec.feature_values
    return set(values) == {*spec.feature_keys, *fixed} and all(
        same_value(values[feature], fixed[feature]) for feature in fixed
    )


def same_value(found: str, wanted: str) -> bool:
    """Whether two values are the same text, or the same number written differently.

    >>> same_value("5", "5.0"), same_value("Cash", "cash")
    (True, False)
    """
    if found == wanted:
        return True
    try:
        return float(found) == float(wanted)
    except ValueError:
        return False


def as_number(text: str) -> float:
    """The number that a value is, which is what it sorts by; infinity for text and NaN."""
    try:
        number = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(number) else number


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


class SliceTable:
    """The slices found so far, numbered in the order in which they were found."""

    def __init__(self) -> None:
        self._size = 0
        self._known: dict[tuple[str, ...], pa.Array] = {}
        self._ids: dict[tuple[str, ...], Codes] = {}
        self._owners: dict[tuple[str, ...], Codes] = {}

    def __len__(self) -> int:
        return self._size

    def keys(self, index: Codes | None = None) -> list[SliceKey]:
        """The keys of the slices `index`, or of all; for few, as `texts` has those of many."""
        _, found = self.texts(np.arange(len(self)) if index is None else index)
        return [tuple((p["feature"], p["value"]) for p in key) for key in found.to_pylist()]

    def texts(self, index: Codes) -> tuple[pa.Array, pa.ListArray]:
        """The names of the slices `index`, string[n], and their keys, `SLICE_KEY`[n]."""
        known = self._known or {(): pa.array([], pa.string())}
        names, keys = zip(*(_texts(*group) for group in known.items()), strict=True)
        places = np.empty(len(self), np.int64)
        places[np.concatenate([*self._ids.values(), index[:0]])] = np.arange(len(self))
        wanted = pa.array(places[index])
        return pa.concat_arrays(names).take(wanted), pa.concat_arrays(keys).take(wanted)

    def order(self) -> Codes:
        """All slices: fewer features first, then by feature, then by value, numbers as numbers."""
        groups = sorted(self._known.items(), key=lambda group: (len(group[0]), group[0]))
        sorted_ids = [self._ids[features][_order(features, values)] for features, values in groups]
        return np.concatenate([*sorted_ids, np.zeros(0, np.int64)])

    def overall(self) -> Codes:
        """The number of Overall, if it was found."""
        return self._ids.get((), np.zeros(0, np.int64))

    def number(self, specs: Sequence[SpecCodes]) -> SliceCodes:
        """Replace the codes of one batch by the numbers of this table, which grows by what is new.

        A slice that several specs name belongs to the first of them, so no row is in it twice.
        """
        parts = [self._part(i, spec) for i, spec in enumerate(specs)]
        return SliceCodes(len(self), tuple(parts))

    def _part(self, owner: int, spec: SpecCodes) -> tuple[Codes | None, Codes]:
        places = self._places(owner, spec.features, spec.values)
        ids = np.where(
            self._owners[spec.features][places] == owner, self._ids[spec.features][places], -1
        )
        codes = ids[spec.codes]
        if len(ids) and ids.min() >= 0:
            return spec.rows, codes
        kept = np.flatnonzero(codes >= 0)
        return kept if spec.rows is None else spec.rows[kept], codes[kept]

    def _places(self, owner: int, features: tuple[str, ...], values: pa.Array) -> Codes:
        known = self._known.setdefault(features, pa.array([], pa.string()))
        places = pc.index_in(values, value_set=known)
        if places.null_count or features not in self._ids:
            fresh = values.filter(pc.is_null(places))
            known = self._known[features] = pa.concat_arrays([known, fresh])
            numbers = np.arange(len(self), len(self) + len(fresh))
            self._ids[features] = np.append(self._ids.get(features, numbers[:0]), numbers)
            owners = self._owners.get(features, numbers[:0])
            self._owners[features] = np.append(owners, np.full(len(fresh), owner))
            self._size += len(fresh)
            places = pc.index_in(values, value_set=known)
        return np.asarray(places, np.int64)

    def union(self, other: SliceTable) -> tuple[SliceTable, Codes]:
        """A table of the slices of both, and the number in it of each slice of `other`."""
        table = SliceTable()
        table._size = self._size
        table._known, table._ids, table._owners = (
            dict(self._known),
            dict(self._ids),
            dict(self._owners),
        )
        index = np.zeros(len(other), np.int64)
        for features, values in other._known.items():
            places = table._places(0, features, values)
            owners = table._owners[features].copy()
            owners[places] = other._owners[features]
            table._owners[features] = owners
            index[other._ids[features]] = table._ids[features][places]
        return table, index


def _columns(features: tuple[str, ...], values: pa.Array) -> pa.Array:
    """The joined values of n slices one by one: string[n * len(features)]."""
    return values if len(features) == 1 else pc.split_pattern(values, _SEPARATOR).flatten()


def _texts(features: tuple[str, ...], values: pa.Array) -> tuple[pa.Array, pa.ListArray]:
    """The names and the keys of all slices of some features."""
    if not features:
        return pa.repeat("Overall", len(values)), pa.array([[]] * len(values), SLICE_KEY)
    flat = _columns(features, values)
    named = pa.array(features).take(pa.array(np.tile(np.arange(len(features)), len(values))))
    offsets = pa.array(np.arange(len(values) + 1) * len(features), pa.int32())
    pairs = pc.binary_join_element_wise(named, flat, "=")
    names = pc.binary_join(pa.ListArray.from_arrays(offsets, pairs), ", ")
    structs = pa.StructArray.from_arrays([named, flat], fields=list(SLICE_KEY.value_type))
    return names, pa.ListArray.from_arrays(offsets, structs).cast(SLICE_KEY)


def _order(features: tuple[str, ...], values: pa.Array) -> Codes:
    """The places of the slices of some features, sorted by the values of the first, the second, ..."""
    width, flat = len(features), _columns(features, values)
    columns = (flat.take(pa.array(np.arange(i, len(flat), width))) for i in range(width))
    ranks = [_ranks(column) for column in columns]
    return np.lexsort(ranks[::-1]) if ranks else np.arange(len(values))


def _ranks(values: pa.Array) -> Codes:
    """The place of each value among the distinct ones, numbers first."""
    encoded = values.dictionary_encode()
    numbers = np.array([as_number(text) for text in encoded.dictionary.to_pylist()], np.float64)
    by_text, ranks = np.empty((2, len(numbers)), np.int64)
    by_text[pc.sort_indices(encoded.dictionary)] = np.arange(len(numbers))
    ranks[np.lexsort((by_text, numbers))] = np.arange(len(numbers))
    codes: Codes = ranks[encoded.indices.to_numpy()]
    return codes
