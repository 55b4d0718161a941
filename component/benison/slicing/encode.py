# SPDX-License-Identifier: Apache-2.0
"""Encodes the slices of a batch: a slicing spec becomes integer codes and a table of keys.

A slice is named by its key, the (feature, value) pairs sorted by feature; `()` is Overall. Values are
text, as `benison.data.values.text_of` writes them, a bin as `[10, 20)`, and a condition as `true`; their
kind says how they are compared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import Bins, SlicingSpec
from benison.data.values import is_list, is_text, kind_of, text_of, unlisted
from benison.errors import ConfigError, DataError
from benison.slicing.bin_edges import numbers_of, places
from benison.slicing.codes import grouped_count, repeated
from benison.slicing.expressions import Condition
from benison.slicing.keys import BIN, same_value
from benison.slicing.periods import with_kind
from benison.slicing.spans import spans

Codes: TypeAlias = npt.NDArray[np.int64]

# ASCII's unit separator keeps the values of a crossed key apart; in values it is escaped, as is the escape.
_SEPARATOR = "\x1f"
_ESCAPED = (("\x1e", "\x1e0"), (_SEPARATOR, "\x1e1"))

# Integers of a smaller range are codes already, and so are those of few more than rows.
_NARROW = 2**12
_LOOKUP_LIMIT = 2**20  # a table of this many int64 still fits a processor's cache


def join_values(left: pa.Array, right: pa.Array) -> pa.Array:
    """The values of two parts of crossed keys as one text each; `split_values` takes them apart."""
    return pc.binary_join_element_wise(left, right, _SEPARATOR)


def split_values(values: pa.Array, width: int) -> pa.Array:
    """The values of n crossed keys of `width` features one by one: string[n * width]."""
    if width == 1:
        return values
    parts = pc.split_pattern(values, _SEPARATOR).flatten()
    for text, escape in reversed(_ESCAPED):
        parts = pc.replace_substring(parts, escape, text)
    return parts


def _escape(values: pa.Array) -> pa.Array:
    for text, escape in _ESCAPED:
        values = pc.replace_substring(values, text, escape)
    return values


@dataclasses.dataclass(frozen=True)
class SpecCodes:
    """One spec applied to one batch: a code for each (row, slice), and the slices' values.

    `rows` is int64[M], ascending, or None when every row has one code, in order. `codes` is int64[M], or
    int32[M] as Arrow has it, in [0, len(values)). `values` is a string array: the values of `features`,
    in their order; those of several features are joined by `join_values`. Each has a row: a slice without
    one is no slice. `kinds` says how the values of each are compared. `known_counts` is how many codes
    there are of each value, int64[len(values)], where somebody has counted them. `multivalent` are the
    features of which a row has several values, be they slices of this spec or not.
    """

    features: tuple[str, ...]
    rows: Codes | None
    codes: Codes
    values: pa.Array
    kinds: tuple[str, ...] = ()
    known_counts: Codes | None = None
    multivalent: frozenset[str] = frozenset()

    @classmethod
    def of(cls, spec: SlicingSpec, columns: ColumnCodes) -> SpecCodes:
        """Apply `spec` to the batch whose columns `columns` encodes."""
        crossed = cls((), None, repeated(0, columns.num_rows), pa.array([""]))
        for feature in spec.features:
            crossed = crossed.cross(columns.of_spec(spec, feature))
        return crossed

    def counts(self) -> Codes:
        """The rows with each value: int64[len(values)]."""
        if self.known_counts is not None:
            return self.known_counts
        return grouped_count(self.codes, len(self.values))

    def only(self, wanted: str) -> SpecCodes:
        """The rows with one value of the one feature alone."""
        (kind,) = self.kinds
        texts = self.values.to_pylist()
        same = [i for i, value in enumerate(texts) if same_value(value, wanted, kind)]
        chosen = np.flatnonzero(np.isin(self.codes, same))
        rows = chosen if self.rows is None else self.rows[chosen]
        value = pa.array([texts[i] for i in same], pa.string())
        codes = repeated(0, len(rows))
        return dataclasses.replace(self, rows=rows, codes=codes, values=value, known_counts=None)

    def cross(self, other: SpecCodes) -> SpecCodes:
        """Each row in every combination of its values here and there."""
        if not self.features:
            return other
        rows, left, right = _join(self, other)
        pairs, codes = _compact(
            left * np.int64(len(other.values)) + right, len(self.values) * len(other.values)
        )
        values = join_values(
            _joinable(self).take(pa.array(pairs // len(other.values))),
            _joinable(other).take(pa.array(pairs % len(other.values))),
        )
        return SpecCodes(
            self.features + other.features,
            rows,
            codes,
            values,
            self.kinds + other.kinds,
            multivalent=self.multivalent | other.multivalent,
        )


def _joinable(codes: SpecCodes) -> pa.Array:
    return codes.values if len(codes.features) > 1 else _escape(codes.values)


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
    first = starts[a.rows]
    right = b.codes[spans(first, first + repeats)]
    return np.repeat(a.rows, repeats), np.repeat(a.codes, repeats), right


def _compact(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The distinct codes, and for each code its place among them."""
    if size > _LOOKUP_LIMIT:
        encoded = pa.array(codes).dictionary_encode()
        return encoded.dictionary.to_numpy(), encoded.indices.to_numpy().astype(np.int64)
    distinct = np.flatnonzero(np.bincount(codes, minlength=size))
    positions = np.zeros(size, np.int64)
    positions[distinct] = np.arange(len(distinct))
    return distinct, positions[codes]


class ColumnCodes:
    """The columns of one batch as codes, each encoded once however many specs use it.

    `texts` holds what slices read in place of a column of that name, as the cells of a CSV file, in
    which "01234" is no number.
    """

    def __init__(self, batch: pa.RecordBatch, texts: Mapping[str, pa.Array] | None = None) -> None:
        self.num_rows = batch.num_rows
        self._batch = batch
        self._texts = texts or {}
        self._encoded: dict[tuple[str, object], SpecCodes] = {}

    def of_spec(self, spec: SlicingSpec, feature: str) -> SpecCodes:
        """The slices that one feature of a spec makes by itself."""
        if feature in spec.where:
            return self._once(feature, spec.where[feature], self._fulfilling)
        if feature in spec.bins:
            return self._once(feature, spec.bins[feature], self._binned)
        codes = self._once(feature, None, self._of_column)
        return codes.only(spec.feature_values[feature]) if feature in spec.feature_values else codes

    def _once(self, feature: str, of: object, make: Callable[[str, Any], SpecCodes]) -> SpecCodes:
        if (feature, of) not in self._encoded:
            self._encoded[feature, of] = make(feature, of)
        return self._encoded[feature, of]

    def _of_column(self, feature: str, _: None) -> SpecCodes:
        texts = self._texts.get(feature)
        return _encode(feature, self._column(feature) if texts is None else texts)

    def _binned(self, feature: str, bins: Bins) -> SpecCodes:
        return binned(feature, self._column(feature), bins)

    def _fulfilling(self, name: str, text: str) -> SpecCodes:
        """The rows in which a condition is true."""
        try:
            is_true = Condition(text).of(self._batch)
        except ConfigError as error:
            raise ConfigError([(f"where.{name}", str(error))]) from error
        rows = np.flatnonzero(pc.fill_null(is_true, False).to_numpy(zero_copy_only=False))
        values = pa.array(["true"] if len(rows) else [], pa.string())
        return SpecCodes((name,), rows, np.zeros_like(rows), values, ("bool",))

    def _column(self, feature: str) -> pa.Array:
        if feature not in self._batch.schema.names:
            raise DataError.from_missing_column(feature, self._batch.schema.names, "The data")
        return self._batch.column(feature)


def _encode(feature: str, column: pa.Array) -> SpecCodes:
    kind = kind_of(column.type)
    column, rows = _unlisted(column)
    return _present(rows, _distinct(feature, column, kind))


def _unlisted(column: pa.Array) -> tuple[pa.Array, Codes | None]:
    """The values of a column, and the row of each where they are not one a row."""
    if not is_list(column.type):
        return column, None
    size = len(column)
    column, lengths = unlisted(column)
    is_plain = len(column) == size and np.all(lengths == 1)
    return column, None if is_plain else np.repeat(np.arange(size), lengths)


def _present(rows: Codes | None, each: SpecCodes) -> SpecCodes:
    """Of the rows `rows`, without missing values, whose code is -1, and without repetitions in a row."""
    codes, counts = each.codes, each.known_counts
    if codes.min(initial=0) < 0:
        present = np.flatnonzero(codes >= 0)
        rows, codes, counts = present if rows is None else rows[present], codes[present], None
    return _drop_repeats(dataclasses.replace(each, rows=rows, codes=codes, known_counts=counts))


def binned(feature: str, column: pa.Array, bins: Bins) -> SpecCodes:
    """The bins of numbers, or periods of times, that the rows are in.

    Raises:
        DataError: The column holds something else.
        ConfigError: The edges of quantiles are not known yet.
    """
    if bins.every is not None:
        times, rows = _unlisted(column)
        return _present(rows, _distinct(feature, *with_kind(feature, times, bins.every)))
    if bins.edges is None:
        raise ConfigError(
            f"The edges of the quantiles of {feature!r} are not known here; write the edges in place of "
            "quantiles, or run benison.evaluate, which computes them first."
        )
    column, rows = _unlisted(column)
    numbers, missing = numbers_of(feature, column)
    of_present = places(numbers[~missing], bins.edges)
    codes = np.full(len(numbers), -1)
    used, codes[~missing] = _compact(of_present, len(bins.labels))
    labels = pa.array(bins.labels).take(pa.array(used))
    return _present(rows, SpecCodes((feature,), None, codes, labels, (BIN,)))


def _distinct(feature: str, column: pa.Array, kind: str) -> SpecCodes:
    """The code of each value, -1 for a missing one, and the distinct texts.

    Values may share a text, as 0.0 and -0.0 do, and a dictionary may hold a value twice, or null, or NaN.
    """
    try:
        codes, distinct, counts = _coded(_encodable(column))
        text = text_of(distinct)
        text.validate(full=True)  # Parquet's text is what bytes a writer put there
    except pa.ArrowInvalid as error:
        raise DataError(
            f"Column {feature!r} cannot be sliced: {error}. Slice keys are UTF-8 text."
        ) from error
    except pa.ArrowNotImplementedError as error:
        raise DataError(
            f"Column {feature!r} holds {column.type}, which has no text form to slice by."
        ) from error
    if pa.types.is_integer(column.type) or is_text(column.type):
        # Distinct values have distinct texts then; to look them up takes most of the time of many slices.
        return SpecCodes((feature,), None, codes, text, (kind,), counts)
    merged = text.dictionary_encode()
    known = np.append(_signed(merged.indices), -1)  # what has the code -1 is missing here too
    if not np.array_equal(known[:-1], np.arange(len(text))):
        codes, counts = known[codes], None
    return SpecCodes((feature,), None, codes, merged.dictionary, (kind,), counts)


def _encodable(column: pa.Array) -> pa.Array:
    """The column in a type of which Arrow can find the distinct values."""
    kind = column.type
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    return column.cast(pa.string()) if pa.types.is_string_view(kind) else column


def _coded(column: pa.Array) -> tuple[Codes, pa.Array, Codes | None]:
    """Codes of a column, -1 for null; the values in use; how many rows have each, where it is known."""
    if pa.types.is_dictionary(column.type):
        return _in_use(_signed(column.indices), column.dictionary)
    if _is_narrow(column):
        # Less the least they are codes, in a fraction of the time in which they could be looked up.
        numbers, least = column.to_numpy(), column.to_numpy().min()
        codes = numbers - least
        return _in_use(codes, pa.array(np.arange(codes.max() + 1) + least))
    encoded = column.dictionary_encode()
    return _signed(encoded.indices), encoded.dictionary, None


def _is_narrow(column: pa.Array) -> bool:
    """Whether a column is numbers of 64 bits that are near each other, and none is missing."""
    if not pa.types.is_int64(column.type) or column.null_count or not len(column):
        return False
    numbers = column.to_numpy()
    return int(numbers.max()) - int(numbers.min()) < max(_NARROW, 2 * len(numbers))


def _in_use(codes: Codes, values: pa.Array) -> tuple[Codes, pa.Array, Codes]:
    """Without the values that no row has, such as a category that is not used; and how many have each."""
    present = codes if codes.min(initial=0) >= 0 else codes[codes >= 0]
    counts = np.bincount(present, minlength=len(values))
    if counts.all():
        return codes, values, counts
    used = np.flatnonzero(counts)
    positions = np.append(np.where(counts > 0, np.cumsum(counts > 0) - 1, -1), -1)
    return positions[codes], values.take(pa.array(used)), counts[used]


def _signed(indices: pa.Array) -> Codes:
    """Indices as int32[M], or int64[M] where they have more bits; -1 for null."""
    if indices.null_count or not pa.types.is_int32(indices.type):
        indices = pc.fill_null(indices.cast(pa.int64()), -1)
    return np.asarray(indices.to_numpy(zero_copy_only=False))


def _drop_repeats(codes: SpecCodes) -> SpecCodes:
    """Without the repetitions of a value within a row, and with whether rows have other values too."""
    rows = codes.rows
    if rows is None or len(rows) < 2 or np.all(np.diff(rows)):
        return codes
    width = len(codes.values)
    rows, own = np.divmod(np.unique(rows * width + codes.codes), width)
    several = frozenset(codes.features if np.any(rows[1:] == rows[:-1]) else ())
    return dataclasses.replace(codes, rows=rows, codes=own, known_counts=None, multivalent=several)
