# SPDX-License-Identifier: Apache-2.0
"""Numbers the slices found so far, and names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.mixing import Numbers, mixed, text_numbers
from benison.slicing.codes import SliceCodes, is_repeated, repeated
from benison.slicing.encode import Codes, SpecCodes, split_values
from benison.slicing.keys import PERIOD, SLICE_KEY, ZONED_PERIOD, SliceKey, as_numbers
from benison.slicing.periods import Group, check_zones

_MANY = 10_000
_NEAR = 8
_OVERALL: Group = ((), ())


class SliceTable:
    """The slices found so far, numbered in the order in which they were found."""

    def __init__(self) -> None:
        self._size = 0
        self._known: dict[Group, pa.Array] = {}
        self._ids: dict[Group, Codes] = {}
        self._owners: dict[Group, Codes] = {}

    def __len__(self) -> int:
        return self._size

    def keys(self, index: Codes | None = None) -> list[SliceKey]:
        """The keys of the slices `index`, or of all; for few, as `texts` has those of many."""
        _, keys = self.texts(np.arange(len(self)) if index is None else index)
        return [tuple((p["feature"], p["value"]) for p in key) for key in keys.to_pylist()]

    def texts(self, index: Codes) -> tuple[pa.Array, pa.ListArray]:
        """The names of the slices `index`, string[n], and their keys, `SLICE_KEY`[n]."""
        known = self._known or {_OVERALL: pa.array([], pa.string())}
        owners, places = np.zeros(len(self), np.int64), np.zeros(len(self), np.int64)
        for i, ids in enumerate(self._ids.values()):
            owners[ids], places[ids] = i, np.arange(len(ids))
        # Texts are made group by group, of what is wanted alone: to move them afterwards takes as long.
        by_group = np.argsort(owners[index], kind="stable")
        moved, ends = index[by_group], np.bincount(owners[index], minlength=len(known)).cumsum()
        parts = np.split(places[moved], ends[:-1])
        made = zip(known.items(), parts, strict=True)
        texts = [_texts(*group, values.take(pa.array(part))) for (group, values), part in made]
        names, keys = (pa.concat_arrays(of) for of in zip(*texts, strict=True))
        if np.array_equal(by_group, np.arange(len(index))):
            return names, keys
        back = np.empty_like(by_group)
        back[by_group] = np.arange(len(index))
        return names.take(pa.array(back)), keys.take(pa.array(back))

    def order(self) -> Codes:
        """All slices: fewer features first, then by feature, then by value, numbers as numbers."""
        groups = sorted(self._known.items(), key=lambda group: (len(group[0][0]), group[0]))
        sorted_ids = [self._ids[group][_order(group[0], values)] for group, values in groups]
        return np.concatenate([*sorted_ids, np.zeros(0, np.int64)])

    def overall(self) -> Codes:
        """The number of Overall, if it was found."""
        return self._ids.get(_OVERALL, np.zeros(0, np.int64))

    def kinds(self) -> list[Mapping[str, str]]:
        """How the values of each slice are compared, by feature: "string", "int", "bin", ... or a type."""
        kinds: list[Mapping[str, str]] = [{}] * len(self)
        for group, ids in self._ids.items():
            of_group = dict(zip(group[0], _lasting(group[1]), strict=True))
            for i in ids.tolist():
                kinds[i] = of_group
        return kinds

    def number(self, specs: Sequence[SpecCodes]) -> SliceCodes:
        """Replace the codes of one batch by the numbers of this table, which grows by what is new.

        A slice that several specs name belongs to the first of them, so no row is in it twice.
        """
        each = [self._part(i, spec) for i, spec in enumerate(specs)]
        counts = np.zeros(len(self), np.int64)
        for spec, (ids, _) in zip(specs, each, strict=True):
            own = ids >= 0
            counts[ids[own]] += spec.counts()[own]
        return SliceCodes(len(self), tuple(part for _, part in each), counts)

    def _part(self, owner: int, spec: SpecCodes) -> tuple[Codes, tuple[Codes | None, Codes]]:
        """The number of each value of a spec, -1 where another spec has it; and its part of the codes."""
        group = spec.features, spec.kinds
        positions = self._positions(owner, group, spec.values)
        ids = np.where(self._owners[group][positions] == owner, self._ids[group][positions], -1)
        if len(ids) and ids[0] >= 0 and np.all(np.diff(ids) == 1):
            # The slices of a spec have numbers one after the other, as in most batches; to add the first
            # costs less than to look each up.
            return ids, (spec.rows, _shifted(spec.codes, int(ids[0])))
        codes = ids[spec.codes]
        if len(ids) and ids.min() >= 0:
            return ids, (spec.rows, codes)
        kept = np.flatnonzero(codes >= 0)
        return ids, (kept if spec.rows is None else spec.rows[kept], codes[kept])

    def _positions(self, owner: int, group: Group, values: pa.Array) -> Codes:
        """Where among the known slices of a group each of some distinct values is; new ones are added."""
        known = self._known.setdefault(group, pa.array([], pa.string()))
        positions = _positions_among(group, values, known)
        if positions.null_count or group not in self._ids:
            is_new = pc.is_null(positions).to_numpy(zero_copy_only=False)
            fresh = values.filter(pa.array(is_new))
            if len(fresh) and not len(known):
                check_zones(group, (each for each, texts in self._known.items() if len(texts)))
            ends = np.cumsum(is_new) - 1 + len(known)
            positions = np.where(is_new, ends, pc.fill_null(positions, 0))
            self._known[group] = pa.concat_arrays([known, fresh])
            numbers = np.arange(len(self), len(self) + len(fresh))
            self._ids[group] = np.append(self._ids.get(group, numbers[:0]), numbers)
            owners = self._owners.get(group, numbers[:0])
            self._owners[group] = np.append(owners, np.full(len(fresh), owner))
            self._size += len(fresh)
        return np.asarray(positions, np.int64)

    def take(self, index: Codes) -> SliceTable:
        """A table of the slices `index` alone, numbered in that order."""
        table, numbers = SliceTable(), np.full(len(self), -1)
        table._size = len(index)
        numbers[index] = np.arange(len(index))
        for group, values in self._known.items():
            of_group = numbers[self._ids[group]]
            kept = of_group >= 0
            table._known[group] = values.filter(pa.array(kept))
            table._ids[group] = of_group[kept]
            table._owners[group] = self._owners[group][kept]
        return table

    def hashes(self) -> Numbers:
        """A number of the key of each slice, the same in every table: uint64[S]."""
        hashes = np.zeros(len(self), np.uint64)
        for group, values in self._known.items():
            name = text_numbers(pa.array([repr(group)]))
            hashes[self._ids[group]] = mixed(text_numbers(values) ^ name)
        return hashes

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
        for group, values in other._known.items():
            positions = table._positions(0, group, values)
            owners = table._owners[group].copy()
            owners[positions] = other._owners[group]
            table._owners[group] = owners
            index[other._ids[group]] = table._ids[group][positions]
        return table, index


def _positions_among(group: Group, values: pa.Array, known: pa.Array) -> pa.Array:
    """Where among known values each value is, null where it is not: int64[n]."""
    if group[1] == ("int",) and len(known) > _MANY:
        with suppress(pa.ArrowInvalid):  # one may be beyond 2^63
            return _number_positions(values.cast(pa.int64()), known.cast(pa.int64()))
    return pc.index_in(values, value_set=known)


def _number_positions(values: pa.Array, known: pa.Array) -> pa.Array:
    """The same of numbers, by a table of all between the least and the largest where these are near."""
    wanted, there = values.to_numpy(), known.to_numpy()
    least, largest = int(there.min()), int(there.max())
    if largest - least >= _NEAR * len(there):
        return pc.index_in(values, value_set=known)
    # To hash so many numbers would take twenty times as long.
    places = np.full(largest - least + 2, -1)
    places[there - least] = np.arange(len(there))
    outside = (wanted < least) | (wanted > largest)
    positions = places[np.where(outside, largest + 1, wanted) - least]
    return pa.array(positions, mask=positions < 0)


def _lasting(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """How values are compared beyond the pass, to which alone it matters whether times had zones."""
    return tuple(PERIOD if kind == ZONED_PERIOD else kind for kind in kinds)


def _shifted(codes: Codes, by: int) -> Codes:
    if is_repeated(codes):
        return repeated(int(codes[0]) + by, len(codes))
    return np.add(codes, by, dtype=np.int64) if by else codes.astype(np.int64, copy=False)


def _texts(
    features: tuple[str, ...], kinds: tuple[str, ...], values: pa.Array
) -> tuple[pa.Array, pa.ListArray]:
    """The names and the keys of all slices of some features."""
    if not features:
        return pa.repeat("Overall", len(values)), pa.array([[]] * len(values), SLICE_KEY)
    flat = split_values(values, len(features))
    repeated = pa.array(np.tile(np.arange(len(features)), len(values)))
    named = pa.array(features).take(repeated)
    typed = pa.array(_lasting(kinds), pa.string()).take(repeated)
    offsets = pa.array(np.arange(len(values) + 1) * len(features), pa.int32())
    pairs = pc.binary_join_element_wise(named, flat, "=")
    names = pc.binary_join(pa.ListArray.from_arrays(offsets, pairs), ", ")
    structs = pa.StructArray.from_arrays([named, flat, typed], fields=list(SLICE_KEY.value_type))
    return names, pa.ListArray.from_arrays(offsets, structs).cast(SLICE_KEY)


def _order(features: tuple[str, ...], values: pa.Array) -> Codes:
    """The positions of the slices of some features, sorted by the values of the first, the second, ..."""
    width = len(features)
    flat = split_values(values, width)
    columns = (flat.take(pa.array(np.arange(i, len(flat), width))) for i in range(width))
    ranks = [_ranks(column) for column in columns]
    return np.lexsort(ranks[::-1]) if ranks else np.arange(len(values))


def _ranks(values: pa.Array) -> Codes:
    """The place of each value among the distinct ones, numbers first."""
    encoded = values.dictionary_encode()
    numbers = as_numbers(encoded.dictionary)
    order = np.argsort(numbers, kind="stable")
    # Most numbers differ, and of them alone the text says nothing more.
    ascending = numbers[order]
    same = ascending[1:] == ascending[:-1]
    tied = np.zeros(len(order), np.bool_)
    tied[:-1] |= same
    tied[1:] |= same
    if tied.any():
        at = order[tied]
        texts = np.empty(len(at), np.int64)
        texts[pc.sort_indices(encoded.dictionary.take(pa.array(at)))] = np.arange(len(at))
        order[tied] = at[np.lexsort((texts, numbers[at]))]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    codes: Codes = ranks[encoded.indices.to_numpy()]
    return codes
