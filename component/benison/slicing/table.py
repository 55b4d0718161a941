# SPDX-License-Identifier: Apache-2.0
"""Numbers the slices found so far, and names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.slicing.codes import SliceCodes
from benison.slicing.encode import Codes, SpecCodes, split_values
from benison.slicing.keys import SLICE_KEY, SliceKey, as_number


class SliceTable:
    """The slices found so far, numbered in the order in which they were found."""

    def __init__(self) -> None:
        self._size = 0
        self._known: dict[tuple[str, ...], pa.Array] = {}
        self._ids: dict[tuple[str, ...], Codes] = {}
        self._owners: dict[tuple[str, ...], Codes] = {}
        self.kinds: dict[str, str] = {}
        """How the values of each feature are compared: "string", "int", "float", "bool", or a type."""

    def __len__(self) -> int:
        return self._size

    def keys(self, index: Codes | None = None) -> list[SliceKey]:
        """The keys of the slices `index`, or of all; for few, as `texts` has those of many."""
        _, keys = self.texts(np.arange(len(self)) if index is None else index)
        return [tuple((p["feature"], p["value"]) for p in key) for key in keys.to_pylist()]

    def texts(self, index: Codes) -> tuple[pa.Array, pa.ListArray]:
        """The names of the slices `index`, string[n], and their keys, `SLICE_KEY`[n]."""
        known = self._known or {(): pa.array([], pa.string())}
        names, keys = zip(*(_texts(*group, self.kinds) for group in known.items()), strict=True)
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
        self.kinds |= dict(zip(spec.features, spec.kinds, strict=True))
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
        table.kinds = self.kinds | other.kinds
        index = np.zeros(len(other), np.int64)
        for features, values in other._known.items():
            places = table._places(0, features, values)
            owners = table._owners[features].copy()
            owners[places] = other._owners[features]
            table._owners[features] = owners
            index[other._ids[features]] = table._ids[features][places]
        return table, index


def _texts(
    features: tuple[str, ...], values: pa.Array, kinds: Mapping[str, str]
) -> tuple[pa.Array, pa.ListArray]:
    """The names and the keys of all slices of some features."""
    if not features:
        return pa.repeat("Overall", len(values)), pa.array([[]] * len(values), SLICE_KEY)
    flat = split_values(values, len(features))
    repeated = pa.array(np.tile(np.arange(len(features)), len(values)))
    named = pa.array(features).take(repeated)
    typed = pa.array([kinds.get(feature) for feature in features], pa.string()).take(repeated)
    offsets = pa.array(np.arange(len(values) + 1) * len(features), pa.int32())
    pairs = pc.binary_join_element_wise(named, flat, "=")
    names = pc.binary_join(pa.ListArray.from_arrays(offsets, pairs), ", ")
    structs = pa.StructArray.from_arrays([named, flat, typed], fields=list(SLICE_KEY.value_type))
    return names, pa.ListArray.from_arrays(offsets, structs).cast(SLICE_KEY)


def _order(features: tuple[str, ...], values: pa.Array) -> Codes:
    """The places of the slices of some features, sorted by the values of the first, the second, ..."""
    width = len(features)
    flat = split_values(values, width)
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
