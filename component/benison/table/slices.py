# SPDX-License-Identifier: Apache-2.0
"""Which slices, and comparisons of slices, the rows of a table are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.config import CrossSlicingSpec, SlicingSpec
from benison.engine.views import View
from benison.slicing.keys import SliceKey, as_number, matches, same_value, slice_name
from benison.table.schema import SliceColumns


def sort_key(key: SliceKey) -> tuple[int, tuple[str, ...], Sequence[tuple[float, str]]]:
    """Fewer features first, then by feature, then by value, numbers as numbers."""
    values = [(as_number(value), value) for _, value in key]
    return len(key), tuple(feature for feature, _ in key), values


Index: TypeAlias = npt.NDArray[np.int64]


Mask: TypeAlias = npt.NDArray[np.bool_]


_VERSUS = " vs "


_SEPARATOR = "\x1f"


class MetricRows:
    """The rows of metrics.parquet by metric and view, found without a search for each."""

    _KEYS = ("metric", "model", "output", "sub_key", "aggregation", "weighted")

    def __init__(self, metrics: pa.Table) -> None:
        self._metrics = metrics
        self._codes = np.zeros(metrics.num_rows, np.int64)
        self._known: list[dict[object, int]] = []
        for column in self._KEYS:
            encoded = pc.dictionary_encode(pc.cast(metrics[column], pa.string())).combine_chunks()
            known = encoded.dictionary.to_pylist()
            self._codes = self._codes * max(len(known), 1) + encoded.indices.to_numpy()
            self._known.append({value: i for i, value in enumerate(known)})

    def of(self, view: View, metric: str) -> pa.Table:
        """The rows of one metric through one view, none where it was not computed."""
        weighted = "true" if view.weighted else "false"
        wanted = (metric, view.model, view.output, view.sub_key, "", weighted)
        code = 0
        for known, value in zip(self._known, wanted, strict=True):
            if value not in known:
                return self._metrics.slice(0, 0)
            code = code * len(known) + known[value]
        return self._metrics.take(pa.array(np.flatnonzero(self._codes == code)))


class Slices:
    """Slices and comparisons of slices, and which of them a spec is for.

    Slices are told apart by their features first, all at once: a threshold on one hour of 100,000
    slices looks at the keys of that feature alone.
    """

    def __init__(self, names: pa.Array, keys: pa.ListArray) -> None:
        lengths = pc.list_value_length(keys).to_numpy(zero_copy_only=False)
        flat = keys.flatten()
        self.names: list[str] = names.to_pylist()
        self._offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._features = pc.struct_field(flat, "feature")
        self._values = pc.struct_field(flat, "value")
        offsets = pa.array(self._offsets, pa.int32())
        kinds = pc.binary_join(pa.ListArray.from_arrays(offsets, self._features), _SEPARATOR)
        encoded = kinds.dictionary_encode()
        self._kinds = encoded.indices.to_numpy()
        self._known: list[str] = encoded.dictionary.to_pylist()
        self._compared = pc.match_substring(names, _VERSUS).to_numpy(zero_copy_only=False)

    @classmethod
    def of_table(cls, table: pa.Table) -> Slices:
        """The slices of the rows of a table of metrics or plots."""
        no_keys = pa.array([], table.schema.field("slice_key").type)
        keys = pa.concat_arrays(table["slice_key"].chunks or [no_keys])
        return cls(table["slice"].combine_chunks(), keys)

    @classmethod
    def of_keys(cls, keys: Sequence[SliceKey]) -> Slices:
        """Slices by their keys."""
        columns = SliceColumns([(key,) for key in keys], np.zeros(len(keys), np.int64))
        return cls(columns.names, columns.keys)

    @cached_property
    def keys(self) -> list[SliceKey]:
        """The key of each slice; of a comparison, the keys of its two slices one after the other."""
        pairs = list(
            zip(self._features.to_pylist(), self._values.to_pylist(), strict=True),
        )
        edges = self._offsets.tolist()
        return [tuple(pairs[a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    @cached_property
    def plain(self) -> Mask:
        """Which are slices and not comparisons; the value of a feature may hold " vs " too."""
        plain: Mask = ~self._compared
        for i in np.flatnonzero(self._compared):  # comparisons are few beside slices
            plain[i] = self.names[i] == slice_name(self.keys[i])
        return plain

    def of_spec(self, spec: SlicingSpec | CrossSlicingSpec | None) -> Index:
        """The places of the slices that a spec is for; None is for every slice, not for comparisons."""
        if spec is None:
            return np.flatnonzero(self.plain)
        if isinstance(spec, SlicingSpec):
            return self._plain_of(spec)
        return np.fromiter(self._comparisons_of(spec), np.int64)

    def _plain_of(self, spec: SlicingSpec) -> Index:
        wanted = _SEPARATOR.join(spec.features)
        if wanted not in self._known:
            return np.array([], np.int64)
        found = np.flatnonzero((self._kinds == self._known.index(wanted)) & self.plain)
        for feature, value in spec.feature_values.items():
            column = self._offsets[found] + spec.features.index(feature)
            encoded = self._values.take(pa.array(column)).dictionary_encode()
            same = [same_value(text, value) for text in encoded.dictionary.to_pylist()]
            found = found[np.array(same, bool)[encoded.indices.to_numpy()]]
        return found

    def _comparisons_of(self, spec: CrossSlicingSpec) -> Iterator[int]:
        """The keys of a comparison do not say where the first ends: its name does."""
        length = len(spec.baseline_spec.features)
        for i in np.flatnonzero(~self.plain):
            base, other = self.keys[i][:length], self.keys[i][length:]
            if (
                matches(spec.baseline_spec, base)
                and is_compared(spec, other)
                and self.names[i] == f"{slice_name(base)}{_VERSUS}{slice_name(other)}"
            ):
                yield int(i)

    def count(self, spec: SlicingSpec | CrossSlicingSpec | None) -> int:
        """How many slices belong to a spec, on either side of a comparison."""
        if not isinstance(spec, CrossSlicingSpec):
            return len(self.of_spec(spec))
        if not spec.slicing_specs:
            return len(self.names)
        sides = [self.of_spec(side) for side in (spec.baseline_spec, *spec.slicing_specs)]
        return len(np.unique(np.concatenate(sides)))


def is_compared(spec: CrossSlicingSpec, key: SliceKey) -> bool:
    """Whether a comparison may have this slice on its second side."""
    return not spec.slicing_specs or any(matches(other, key) for other in spec.slicing_specs)
