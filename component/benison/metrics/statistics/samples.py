# SPDX-License-Identifier: Apache-2.0
"""A sample of each slice's rows that does not depend on how they are split or in which order they come.

Every row draws a number from its own, and the rows of the least numbers are the sample (Chao's and others'
priority sampling, in the form of Efraimidis and Spirakis, "Weighted random sampling with a reservoir",
Information Processing Letters 97, 2006). Samples of parts merge to that of the whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Index, Inputs, Mask
from benison.data.mixing import mixed
from benison.data.values import is_list, undictionary
from benison.metrics.base import Statistic
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.equal_runs import starts
from benison.metrics.statistics.sums import RowFunction
from benison.slicing.codes import SliceCodes


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Sampled values: those of slice i are where `slices` is i, those of the least draws first.

    Attributes:
        slices: The slice of each value, int64[M], ascending.
        draws: Its draw, float64[M], ascending in each slice.
        values: The values, an Arrow array [M]; None before there was a row.
        undefined: The rows of each slice of which it is not known whether they are sampled from, int64[S].
    """

    slices: Index
    draws: Array
    values: pa.Array | None
    undefined: Index

    @property
    def size(self) -> int:
        """The number of slices, S."""
        return len(self.undefined)

    @property
    def ranks(self) -> Index:
        """The place of each value among those of its slice, from 0: int64[M]."""
        return _ranks(self.slices)


def _ranks(slices: Index) -> Index:
    begin = starts(slices)
    lengths = np.diff(np.append(begin, len(slices)))
    return np.arange(len(slices)) - np.repeat(begin, lengths)


@dataclasses.dataclass(frozen=True)
class LeastDraws(Statistic[Sample]):
    """The values of a column in at most `limit` rows of each slice.

    A row with twice the weight is drawn as if it were there twice. Rows without a value are left out. Where
    rows have no numbers (`Inputs.numbers`), equal values are drawn together.

    Attributes:
        column: The column of the data.
        limit: The most values of a slice.
        seed: Another one makes another sample.
        share: How much each row belongs to what is sampled, from 0 to 1, NaN where that is not known:
            float64[N]; None for all rows.
    """

    column: str
    limit: int
    seed: int = 0
    share: RowFunction | None = None

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def zero(self, size: int) -> Sample:
        return Sample(np.zeros(0, np.int64), np.zeros(0), None, np.zeros(size, np.int64))

    def add(self, inputs: Inputs, codes: SliceCodes) -> Sample:
        inputs, codes = heavy(inputs, codes)
        assert inputs.features is not None
        column = undictionary(inputs.features.column(self.column))
        weights = inputs.weighted(
            np.ones(len(inputs)) if self.share is None else self.share(inputs)
        )
        unknown = np.isnan(weights)
        undefined = codes.sum(unknown.astype(np.float64)).astype(np.int64)
        kept = np.flatnonzero(_present(column) & (weights > 0))
        draws = self._draws(inputs, column)[kept] - np.log(weights[kept])
        inside = codes.take(kept)
        rows = [np.arange(len(c)) if r is None else r for r, c in inside.parts]
        all_rows = np.concatenate([*rows, np.zeros(0, np.int64)])
        slices = np.concatenate([*(c for _, c in inside.parts), np.zeros(0, np.int64)])
        values = column.take(pa.array(kept[all_rows]))
        return self._least(slices, draws[all_rows], values, undefined)

    def _draws(self, inputs: Inputs, column: pa.Array) -> Array:
        """The logarithm of an exponential variate for each row: float64[N]."""
        numbers = inputs.numbers
        numbers = _digests(column) if numbers is None else numbers
        seed = mixed(np.array([self.seed], np.int64).astype(np.uint64))
        uniform = ((mixed(numbers ^ seed) >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
        return np.asarray(np.log(-np.log(uniform)))

    def _least(self, slices: Index, draws: Array, values: pa.Array, undefined: Index) -> Sample:
        order = np.lexsort((draws, slices))
        order = order[_ranks(slices[order]) < self.limit]
        return Sample(slices[order], draws[order], values.take(pa.array(order)), undefined)

    def merge(self, a: Sample, b: Sample) -> Sample:
        undefined = a.undefined + b.undefined
        if a.values is None or b.values is None:
            return dataclasses.replace(b if a.values is None else a, undefined=undefined)
        slices, draws = (
            np.concatenate([getattr(x, of) for x in (a, b)]) for of in ("slices", "draws")
        )
        return self._least(slices, draws, pa.concat_arrays([a.values, b.values]), undefined)

    def scatter(self, state: Sample, index: Index, size: int) -> Sample:
        undefined = np.zeros(size, np.int64)
        undefined[index] = state.undefined
        if state.values is None:
            return dataclasses.replace(state, undefined=undefined)
        return self._least(index[state.slices], state.draws, state.values, undefined)

    def gather(self, state: Sample, index: Index) -> Sample:
        undefined = state.undefined[index]
        if state.values is None:
            return dataclasses.replace(state, undefined=undefined)
        first, last = (np.searchsorted(state.slices, index, side) for side in ("left", "right"))
        slices = np.repeat(np.arange(len(index)), last - first)
        at = np.repeat(first, last - first) + _ranks(slices)
        return Sample(slices, state.draws[at], state.values.take(pa.array(at)), undefined)


def _present(column: pa.Array) -> Mask:
    """Where a column has a value; an empty list and NaN are none: bool[N]."""
    if is_list(column.type):
        present = pc.greater(pc.fill_null(pc.list_value_length(column), 0), 0)
    elif pa.types.is_floating(column.type):
        present = pc.invert(pc.is_null(column, nan_is_null=True))
    else:
        present = pc.is_valid(column)
    return np.asarray(present.to_numpy(zero_copy_only=False), np.bool_)


def _digests(column: pa.Array) -> npt.NDArray[np.uint64]:
    """A number for each value, the same for equal ones: uint64[N]."""
    texts = list(map(repr, column.to_pylist()))
    numbers = {text: hashlib.blake2b(text.encode(), digest_size=8).digest() for text in set(texts)}
    return np.frombuffer(b"".join(numbers[text] for text in texts), np.uint64)


def as_lists(sample: Sample, limit: int) -> np.ma.MaskedArray[Any, Any]:
    """The values of each slice as what JSON has, masked where a slice has fewer: object[S, limit].

    A slice whose sample is not known has NaN alone.
    """
    lists, hidden = (
        np.full((sample.size, limit), fill, kind) for fill, kind in ((np.nan, object), (True, bool))
    )
    if sample.values is not None:
        at = (sample.slices, sample.ranks)
        lists[at], hidden[at] = _objects(sample.values), False
    unknown = sample.undefined > 0
    lists[unknown], hidden[unknown] = np.nan, True
    hidden[unknown, 0] = False
    return np.ma.MaskedArray(lists, hidden)


def _objects(values: pa.Array) -> npt.NDArray[np.object_]:
    objects = np.empty(len(values), object)
    objects[:] = [_plain(value) for value in values.to_pylist()]
    return objects


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | int | str) or isinstance(value, float) and np.isfinite(value):
        return value
    return ", ".join(str(_plain(x)) for x in value) if isinstance(value, list) else str(value)
