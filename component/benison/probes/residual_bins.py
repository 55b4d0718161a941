# SPDX-License-Identifier: Apache-2.0
"""Adds up residuals by the values of columns, over all rows: counts, means and squares, which merge."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Extracts, Index, Target
from benison.data.reading import TEXT
from benison.data.values import floats_of, is_measured, single_values, undictionary
from benison.data.widening import convert
from benison.metrics.statistics.moments import joined_moments
from benison.probes import changes, limited_states
from benison.probes.residual_order import residuals_of

OUTPUT_KEY = "residual_bins"
OF_PREDICTION = "the prediction"
"""What stands for the prediction among the columns."""
MOST = 4_096
"""So many values are kept apart; of numbers with more as few last bits are left out as make them so many."""
_MANTISSA = 52  # bits: without them floats are 4,092 octaves


@dataclasses.dataclass(frozen=True)
class ResidualMoments:
    """The residuals of the rows with each of K values of a column.

    Attributes:
        values: Different ones, null where missing: [K].
        rows: float64[K].
        means: float64[K].
        squares: Of the distances from the mean, summed: float64[K].
        dropped: How many of the last bits of numbers are left out, by which they are cells; 0 where each
            stands for itself. They are as few as leave up to `MOST` cells, so that parts of the rows add up
            to the same cells in any order.
    """

    values: pa.Array
    rows: Array
    means: Array
    squares: Array
    dropped: int = 0

    @classmethod
    def of(cls, column: pa.Array, residuals: Array, most: int = MOST) -> ResidualMoments:
        """Of the rows with a finite residual, of numbers up to `most` cells; a column of single values."""
        known = np.isfinite(residuals)
        values = changes.settled(undictionary(column)).filter(pa.array(known))
        parts = (np.ones(known.sum()), residuals[known], np.zeros(known.sum()))
        return cls._summed(values, *parts, most=most)

    def merge(self, other: ResidualMoments) -> ResidualMoments:
        """Of the rows of both."""
        kinds = [each.values.type for each in (self, other)]
        is_measured_both = kinds[0] != kinds[1] and all(map(is_measured, kinds))
        kind = pa.float64() if is_measured_both else kinds[pa.types.is_null(kinds[0])]
        # Beyond 2^53 a whole number is in the cell of the float that is nearest.
        values = pa.concat_arrays(
            [convert(each.values, kind, safe=False) for each in (self, other)]
        )
        rows, means, squares = (
            np.concatenate([getattr(each, name) for each in (self, other)])
            for name in ("rows", "means", "squares")
        )
        return self._summed(values, rows, means, squares, max(self.dropped, other.dropped))

    @classmethod
    def _summed(
        cls,
        values: pa.Array,
        rows: Array,
        means: Array,
        squares: Array,
        dropped: int = 0,
        most: int = MOST,
    ) -> ResidualMoments:
        encoded = values.dictionary_encode(null_encoding="encode")
        if dropped or (len(encoded.dictionary) > most and is_measured(values.type)):
            coarse, dropped = _coarse(values, dropped)
            encoded = coarse.dictionary_encode(null_encoding="encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        sums = joined_moments(codes, len(encoded.dictionary), rows, means, squares)
        return cls(encoded.dictionary, *sums, dropped)

    @property
    def are_too_many(self) -> bool:
        """Whether there are more values than are kept apart, as of an id."""
        return len(self.values) > MOST and not is_measured(self.values.type)


def _coarse(values: pa.Array, dropped: int) -> tuple[pa.Array, int]:
    """Numbers as the lowest of their cell, float64, and how many bits that leaves out, `dropped` or more."""
    floats = np.asarray(floats_of(values).to_numpy(zero_copy_only=False))
    ranks = _ranks_of(floats)
    ordered = np.unique(ranks[np.isfinite(floats)])

    def are_few(bits: int) -> bool:
        return bool(np.count_nonzero(np.diff(ordered >> bits)) < MOST)

    dropped = bisect.bisect_left(range(_MANTISSA), True, dropped, key=are_few)
    return _lowest(floats, dropped), dropped


def _lowest(floats: Array, dropped: int) -> pa.Array:
    """The lowest number of the cell of each, without so many of its last bits; NaN is null."""
    ranks = _ranks_of(floats) >> dropped << dropped
    cells = np.where(
        np.isfinite(floats), _ranks_of(ranks.view(np.float64)).view(np.float64), floats
    )
    return pa.array(cells, mask=np.isnan(floats))


def _ranks_of(floats: Array) -> Index:
    """The bits of floats as whole numbers in the same order, its own inverse: int64[N]."""
    bits = np.ascontiguousarray(floats).view(np.int64)
    return np.asarray(bits ^ ((bits >> 63) & np.int64(2**63 - 1)))


State: TypeAlias = "dict[tuple[Target, str], ResidualMoments | None]"
"""None of a column with too many values."""


@dataclasses.dataclass(frozen=True)
class ResidualBinsEvaluator:
    """Adds up the residuals of each output by the values of columns, and by the prediction."""

    targets: tuple[Target, ...]
    names: tuple[str, ...] | None
    """The columns; None is all that are read but `others`."""
    others: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    """Those that are read for its sake: none, as the rows of probes have all."""
    outputs: tuple[str, ...] = (OUTPUT_KEY,)
    stage_name: str = "BinResiduals"
    run_after: str = "ExtractSliceKeys"
    concurrent: bool = True

    def zero(self) -> State:
        """Of no rows."""
        return {}

    def add(self, state: State, extracts: Extracts) -> State:
        """The state with one more batch."""
        made: State = {}
        for target in self.targets:
            pair = [extracts[key].get(target) for key in ("labels", "predictions")]
            residuals = residuals_of(*pair)
            if residuals is None or not len(residuals):
                continue
            made[target, OF_PREDICTION] = ResidualMoments.of(pa.array(pair[1]), residuals)
            for name, column in self._singles(extracts["features"]):
                if state.get((target, name), made) is None:
                    continue
                moments = None if column is None else ResidualMoments.of(column, residuals)
                made[target, name] = None if moments is None or moments.are_too_many else moments
        return self.merge(state, made)

    def _singles(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.Array | None]]:
        """The columns, as single values where they are lists; None where a row has several."""
        names = batch.schema.names if self.names is None else self.names
        for name in names:
            if name in self.others or name.startswith(TEXT) or name not in batch.schema.names:
                continue
            column = undictionary(batch.column(name))
            if changes.is_changeable(column.type):
                yield name, single_values(column)

    def merge(self, state: State, other: State) -> State:
        """The state of both."""
        return limited_states.merged(state, other)

    def result(self, state: State) -> dict[str, Any]:
        """What is known of each output and column."""
        return {OUTPUT_KEY: limited_states.kept(state)}
