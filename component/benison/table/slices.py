# SPDX-License-Identifier: Apache-2.0
"""The slices, and comparisons of slices, that the rows of a table are about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import CrossSlicingSpec, SlicingSpec
from benison.slicing.keys import (
    SLICE_KEY,
    SliceKey,
    are_bins,
    as_number,
    matches,
    same_value,
    slice_name,
)
from benison.table.words import slice_text

Index: TypeAlias = npt.NDArray[np.int64]
Sides: TypeAlias = "tuple[SliceKey, SliceKey | None]"
"""A slice, or the two slices of a comparison."""

_MOST_REORDERED = 6  # features of a slice, of which there are 720 orders
_SEPARATOR = "\x1f"
# What could be taken for a separator in a name or a value is escaped, so that no two keys have one text.
_ESCAPES = (("\\", "\\\\"), (_SEPARATOR, "\\u"), ("\x1e", "\\r"))


def as_key(pairs: Sequence[Mapping[str, str]]) -> SliceKey:
    """A key as Arrow has it, in Python's form."""
    return tuple((pair["feature"], pair["value"]) for pair in pairs)


def key_array(keys: Sequence[SliceKey | None], types: Mapping[str, str] | None = None) -> pa.Array:
    """Keys in Arrow's form, `SLICE_KEY`[n]; `types` are the kinds of the features, where known."""
    known = types or {}
    rows = [
        None if key is None else [(name, value, known.get(name)) for name, value in key]
        for key in keys
    ]
    return pa.array(rows, SLICE_KEY)


def name_in_any_order(table: pa.Table, asked: str) -> str | None:
    """The name of the slice of a table that a text names, whose features may stand in another order.

    None where the table has no such slice.
    """
    if pc.any(pc.equal(table["slice"], pa.scalar(asked))).as_py():
        return asked
    names = table["slice"].filter(pc.equal(pc.binary_length(table["slice"]), len(asked.encode())))
    if ", " not in asked or not len(names):
        return None
    parts = sorted(asked.split(", "))
    alike = [name for name in pc.unique(names).to_pylist() if sorted(name.split(", ")) == parts]
    rows = table.filter(pc.is_in(table["slice"], pa.array(alike, pa.string())))
    for name, key in zip(rows["slice"].to_pylist(), rows["slice_key"].to_pylist(), strict=True):
        if asked in map(slice_name, itertools.permutations(as_key(key[:_MOST_REORDERED]))):
            return str(name)
    return None


def sides(name: str, key: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any] | None]:
    """Where in the key of a comparison of schema 1 the second slice begins: its name says so."""
    pairs = as_key(key)
    if name != slice_name(pairs):
        for i in range(len(pairs) + 1):
            if slice_text(pairs[:i], pairs[i:]) == name:
                return key[:i], key[i:]
    return key, None


def slice_ids(table: pa.Table | pa.RecordBatch) -> pa.Array:
    """A text for each row, equal for rows of one slice or comparison and for no others: string[n].

    Names are for people: the values "1, b=2" of a and "1" and "2" of a and b have one name.
    """
    keys, others = (_whole(table[name]) for name in ("slice_key", "other_slice_key"))
    if others.null_count == len(others):
        second = pa.scalar("\x1e")
    else:
        second = pc.if_else(pc.is_valid(others), _ids(others), "\x1e")
    return pc.binary_join_element_wise(_ids(keys), second, "\x1e")


def slice_codes(table: pa.Table) -> tuple[pa.Array, Index]:
    """The distinct of the `slice_ids` of a table, in the order in which they come, and which each row has.

    Metrics have the same slices in the same order, of which a text is made once.
    """
    keys = table.select(["slice_key", "other_slice_key"])
    distinct: list[pa.RecordBatch] = []
    numbers = [_number_among(block, distinct) for block in keys.to_batches()]
    encoded = slice_ids(pa.Table.from_batches(distinct, keys.schema)).dictionary_encode()
    codes = np.asarray(encoded.indices.to_numpy(), np.int64)
    parts = np.split(codes, np.cumsum([block.num_rows for block in distinct])[:-1])
    return encoded.dictionary, np.concatenate([codes[:0], *(parts[number] for number in numbers)])


def _number_among(block: pa.RecordBatch, blocks: list[pa.RecordBatch]) -> int:
    """Which of some blocks of rows one is equal to; it joins them where it is equal to none."""
    for i, known in enumerate(blocks):
        if known.num_rows == block.num_rows and known.equals(block):
            return i
    blocks.append(block)
    return len(blocks) - 1


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _ids(keys: pa.ListArray) -> pa.Array:
    flat = keys.flatten()
    parts = [_escaped(flat.field(name)) for name in ("feature", "value")]
    pairs = pc.binary_join_element_wise(*parts, _SEPARATOR)
    lengths = pc.fill_null(pc.list_value_length(keys), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pairs)
    return pc.binary_join(lists, _SEPARATOR)


def _escaped(texts: pa.Array) -> pa.Array:
    for text, escape in _ESCAPES:
        if pc.any(pc.match_substring(texts, text)).as_py():  # seldom, and a copy costs more
            texts = pc.replace_substring(texts, text, escape)
    return texts


def slice_id(key: SliceKey, other: SliceKey | None = None) -> str:
    """The text of `slice_ids` for one slice or comparison."""
    columns = {"slice_key": key_array([key]), "other_slice_key": key_array([other])}
    text: str = slice_ids(pa.table(columns))[0].as_py()
    return text


class Slices:
    """Slices and comparisons of slices, and which of them a spec is for.

    Slices are told apart by their features first, all at once: a threshold on one hour of 100,000
    slices looks at the keys of that feature alone.
    """

    def __init__(self, names: pa.Array, keys: pa.ListArray, others: pa.ListArray) -> None:
        self.name_array, self.key_array, self.other_array = names, keys, others
        lengths = pc.list_value_length(keys).to_numpy(zero_copy_only=False)
        flat = keys.flatten()
        self._offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        features = flat.field("feature")
        self._values, self._types = flat.field("value"), flat.field("type")
        offsets = pa.array(self._offsets, pa.int32())
        kinds = pc.binary_join(pa.ListArray.from_arrays(offsets, features), _SEPARATOR)
        encoded = kinds.dictionary_encode()
        self._kinds = encoded.indices.to_numpy()
        self._known: list[str] = encoded.dictionary.to_pylist()
        self.plain: npt.NDArray[np.bool_] = pc.is_null(others).to_numpy(zero_copy_only=False)
        """Which are slices and not comparisons: bool[n]."""

    @classmethod
    def of_table(cls, table: pa.Table) -> Slices:
        """The slices of the rows of a table of metrics or plots."""
        return cls(*(_whole(table[name]) for name in ("slice", "slice_key", "other_slice_key")))

    @classmethod
    def of_keys(cls, keys: Sequence[SliceKey]) -> Slices:
        """Slices by their keys."""
        names = pa.array([slice_text(key) for key in keys], pa.string())
        return cls(names, key_array(keys), pa.nulls(len(keys), SLICE_KEY))

    def __len__(self) -> int:
        return len(self._kinds)

    @cached_property
    def names(self) -> list[str]:
        """The name of each, for people."""
        names: list[str] = self.name_array.to_pylist()
        return names

    @cached_property
    def sides(self) -> list[Sides]:
        """The key of each, and for a comparison that of its other slice."""
        pairs = zip(self.key_array.to_pylist(), self.other_array.to_pylist(), strict=True)
        return [(as_key(key), None if other is None else as_key(other)) for key, other in pairs]

    def of_spec(self, spec: SlicingSpec | CrossSlicingSpec | None) -> Index:
        """The positions of the slices that a spec is for; None is every slice, but no comparison."""
        if spec is None:
            return np.flatnonzero(self.plain)
        if isinstance(spec, SlicingSpec):
            return self._plain_of(spec)
        return np.fromiter(self._comparisons_of(spec), np.int64)

    def _plain_of(self, spec: SlicingSpec) -> Index:
        wanted = _SEPARATOR.join(spec.features)
        if wanted not in self._known:
            return np.array([], np.int64)
        same = self._kinds == self._known.index(wanted)
        if wanted == "":  # of a column without a name, or of none
            lengths = pc.list_value_length(self.key_array).to_numpy(zero_copy_only=False)
            same = same & (lengths == len(spec.features))
        positions = np.flatnonzero(same & self.plain)
        for i, feature in enumerate(spec.features):
            column = pa.array(self._offsets[positions] + i)
            values, kinds = (of.take(column) for of in (self._values, self._types))
            positions = positions[_having(spec, feature, values, kinds)]
        return positions

    def _comparisons_of(self, spec: CrossSlicingSpec) -> Iterator[int]:
        compared = np.flatnonzero(~self.plain)
        pairs = (
            keys.take(pa.array(compared)).to_pylist() for keys in (self.key_array, self.other_array)
        )
        for position, base, other in zip(compared.tolist(), *pairs, strict=True):
            is_base = matches(spec.baseline_spec, as_key(base), _kinds_of(base))
            if other is not None and is_base and is_compared(spec, as_key(other), _kinds_of(other)):
                yield position

    def take(self, positions: Index) -> Slices:
        """Some of the slices."""
        arrays = (self.name_array, self.key_array, self.other_array)
        return Slices(*(array.take(pa.array(positions, pa.int64())) for array in arrays))

    def count(self, spec: SlicingSpec | CrossSlicingSpec | None) -> int:
        """How many slices belong to a spec, on either side of a comparison."""
        if not isinstance(spec, CrossSlicingSpec):
            return len(self.of_spec(spec))
        if not spec.slicing_specs:
            return len(self)
        parts = [self.of_spec(side) for side in (spec.baseline_spec, *spec.slicing_specs)]
        return len(np.unique(np.concatenate(parts)))


def _kinds_of(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """How the values of a key are compared, where it is known."""
    return {pair["feature"]: pair["type"] for pair in pairs if pair["type"] is not None}


def _having(
    spec: SlicingSpec, feature: str, values: pa.Array, kinds: pa.Array
) -> npt.NDArray[np.bool_]:
    """Which values, each of its kind, a feature has in slices of a spec: bool[n]."""
    if feature in spec.fixed:
        return _having_value(spec.fixed[feature], values, kinds)
    chosen = are_bins(values, kinds)
    if feature in spec.feature_keys:
        chosen = pc.invert(chosen)
    elif spec.bins[feature].every is not None:
        texts = values.dictionary_encode()
        fitting = [spec.bins[feature].has(text) for text in texts.dictionary.to_pylist()]
        chosen = pa.array(fitting, pa.bool_()).take(texts.indices)
    elif spec.bins[feature].edges is not None:
        chosen = pc.and_(chosen, pc.is_in(values, pa.array(spec.bins[feature].labels)))
    mask: npt.NDArray[np.bool_] = chosen.to_numpy(zero_copy_only=False)
    return mask


def _having_value(wanted: str, values: pa.Array, kinds: pa.Array) -> npt.NDArray[np.bool_]:
    encoded, of_kind = values.dictionary_encode(), kinds.dictionary_encode("encode")
    texts = encoded.dictionary.to_pylist()
    same = [[same_value(t, wanted, kind) for t in texts] for kind in of_kind.dictionary.to_pylist()]
    table = np.array(same, bool).reshape(len(of_kind.dictionary), len(texts))
    chosen: npt.NDArray[np.bool_] = table[of_kind.indices.to_numpy(), encoded.indices.to_numpy()]
    return chosen


def is_compared(spec: CrossSlicingSpec, key: SliceKey, kinds: Mapping[str, str]) -> bool:
    """Whether a comparison may have this slice on its second side; `kinds` as `matches` has them."""
    return not spec.slicing_specs or any(matches(s, key, kinds) for s in spec.slicing_specs)


def sort_key(key: SliceKey) -> tuple[int, tuple[str, ...], Sequence[tuple[float, str]]]:
    """Fewer features first, then by feature, then by value, numbers as numbers."""
    values = [(as_number(value), value) for _, value in key]
    return len(key), tuple(feature for feature, _ in key), values
