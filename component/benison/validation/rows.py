# SPDX-License-Identifier: Apache-2.0
"""The values that thresholds look at: those of one key over slices, beside the baseline's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Index, Mask
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import Spread
from benison.table.alike import rows_by_key
from benison.table.key import CHANGE, SLICE_DIFFERENCE, SLICE_RATIO, VALUE, Key
from benison.table.slices import Slices, slice_ids

UNKNOWN = -1
"""In place of a number of rows that is not known."""


class Measured(Protocol):
    """How far the true values of a key may be from those of its first rows, and from the baseline's."""

    @property
    def value(self) -> Spread:
        """The values of the key."""

    @property
    def paired(self) -> Paired | None:
        """The same beside the baseline's, where there is one."""


Evidence: TypeAlias = Mapping[Key, Measured]
"""What is known of each key of how far its true values may be from the measured ones."""


@dataclasses.dataclass(frozen=True)
class Errors:
    """How far the true values may be from those of rows in a row, of which `start` is the first."""

    start: int
    value: Spread
    paired: Paired | None

    def take(self, positions: Index) -> Errors | None:
        """Those of some rows, if all of them are among these."""
        own = positions - self.start
        if not len(own) or own.min() < 0 or own.max() >= len(self.value.value):
            return None
        paired = None if self.paired is None else self.paired.take(own)
        return Errors(0, self.value.take(own), paired)


@dataclasses.dataclass(frozen=True)
class Values:
    """A metric's values on N slices; numbers that do not apply are NaN."""

    key: Key
    slices: Slices
    value: Array
    lower: Array
    upper: Array
    resolution: Array
    baseline: Array
    change_lower: Array
    change_upper: Array
    relative_error: Array
    """The standard error of the change divided by |baseline|."""
    change_df: Array
    """Student's degrees of freedom of the change."""
    change_resolution: Array
    examples: Index
    evaluated: Index
    change_evaluated: Index
    is_number: Mask
    has_baseline: bool
    errors: tuple[Errors, ...] = ()
    """How far the true values may be from these, as far as it is known."""
    low: float = -math.inf
    """No value of the metric in a slice is below it."""
    high: float = math.inf
    """No value of the metric in a slice is above it."""
    lacks_predictions: bool = False
    """Whether the model has left rows of the data without a prediction."""

    @property
    def spread(self) -> Spread | None:
        """How far the true values may be, where that is known of all."""
        return self.errors[0].value if self.errors else None

    @property
    def paired(self) -> Paired | None:
        """The values beside the baseline's, where that is known of all."""
        return self.errors[0].paired if self.errors else None

    def __len__(self) -> int:
        return len(self.value)

    def rests_on(self, is_change: bool) -> Index:
        """The rows behind each value or change, `UNKNOWN` where that is not known: int64[N]."""
        return self.change_evaluated if is_change and self.has_baseline else self.evaluated

    def take(self, positions: Index) -> Values:
        """Some of the slices."""
        if np.array_equal(positions, np.arange(len(self))):
            return self
        return dataclasses.replace(
            self,
            slices=self.slices.take(positions),
            errors=tuple(filter(None, (each.take(positions) for each in self.errors))),
            **{name: getattr(self, name)[positions] for name in _COLUMNS},
        )


_COLUMNS = (
    "value",
    "lower",
    "upper",
    "resolution",
    "baseline",
    "change_lower",
    "change_upper",
    "relative_error",
    "change_df",
    "change_resolution",
    "examples",
    "evaluated",
    "change_evaluated",
    "is_number",
)


class MetricRows:
    """The rows of metrics.parquet by key, each found without a search through all."""

    def __init__(self, metrics: pa.Table, evidence: Evidence | None = None) -> None:
        self._metrics, self._evidence = metrics, evidence or {}
        self._by_key = rows_by_key(metrics)

    def of(self, key: Key) -> pa.Table:
        """The rows of one key, none where it was not computed."""
        rows = self._by_key.get(key, np.zeros(0, np.int64))
        if not len(rows):
            return self._metrics.slice(0, 0)
        if rows[-1] - rows[0] == len(rows) - 1:  # as they are written
            return self._metrics.slice(rows[0], len(rows))
        return self._metrics.take(pa.array(rows))

    def values(self, key: Key, kinds: tuple[str, ...], baseline: str | None) -> Values:
        """The values of a key, of each of the kinds in turn, beside those of the model `baseline`."""
        parts = [self.of(key.as_kind(kind)) for kind in kinds]
        table = pa.concat_tables(parts)
        others = None if baseline is None else key.of_model(baseline)
        base = None if others is None else [self.of(others.as_kind(kind)) for kind in kinds]
        changes = self.of(key.as_kind(CHANGE))
        if kinds == RATIO_KINDS:  # the changes of comparisons are those of differences
            changes = changes.slice(0, 0)
        values = values_of(key, table, None if base is None else pa.concat_tables(base), changes)
        return dataclasses.replace(values, errors=tuple(self._errors(key, kinds, parts)))

    def _errors(
        self, key: Key, kinds: Sequence[str], parts: Sequence[pa.Table]
    ) -> Iterator[Errors]:
        start = 0
        for kind, part in zip(kinds, parts, strict=True):
            known = self._evidence.get(key.as_kind(kind))
            if known is not None:
                yield Errors(start, known.value, known.paired)
            start += part.num_rows


PLAIN_KINDS = (VALUE, SLICE_DIFFERENCE)
RATIO_KINDS = (SLICE_RATIO,)


def values_of(key: Key, table: pa.Table, base: pa.Table | None, changes: pa.Table) -> Values:
    """The values of the rows of a table, with the baseline's and the changes on the same slices."""
    nothing = table.slice(0, 0)
    before = Aligned(nothing if base is None else base, table)
    change = Aligned(changes, table)
    evaluated = _counts(table["evaluated"])
    own, theirs = table["resolution"].to_numpy(), before.numbers("resolution")
    errors = (table["std_error"].to_numpy(), *(x.numbers("std_error") for x in (before, change)))
    return Values(
        key,
        Slices.of_table(table),
        table["value"].to_numpy(),
        table["lower"].to_numpy(),
        table["upper"].to_numpy(),
        own,
        before.numbers("value"),
        change.numbers("lower"),
        change.numbers("upper"),
        _relative_error(table["value"].to_numpy(), before.numbers("value"), *errors),
        change.numbers("df"),
        own + np.nan_to_num(theirs),
        table["examples"].to_numpy(),
        evaluated,
        np.where(change.present, change.counts("evaluated"), evaluated),
        pc.is_null(table["structured"]).to_numpy(),
        base is not None,
    )


def _relative_error(
    value: Array, baseline: Array, own: Array, theirs: Array, of_change: Array
) -> Array:
    """The standard error of value / baseline, from those of both and of their difference.

    By the delta method; the difference of the two says how they vary together. Deng, Knoblich and Lu,
    "Applying the Delta Method in Metric Analytics", 2018, section 2.
    """
    with np.errstate(all="ignore"):
        own, theirs = np.nan_to_num(own), np.nan_to_num(theirs)
        together = (own**2 + theirs**2 - of_change**2) / 2
        share = value / baseline
        variance = own**2 + (share * theirs) ** 2 - 2 * share * together
        error = np.sqrt(np.maximum(variance, 0.0)) / np.abs(baseline)
    return np.where(np.isfinite(error), error, np.nan)


class Aligned:
    """The rows of another table in the order of the slices of `table`."""

    def __init__(self, other: pa.Table, table: pa.Table) -> None:
        self._other = other
        self._index = self._positions(other, table)
        self.present: Mask = self._index >= 0

    @staticmethod
    def _positions(other: pa.Table, table: pa.Table) -> Index:
        if not other.num_rows:
            return np.full(table.num_rows, -1)
        # One pass over the data gives the same slices for both models, and in one order.
        if all(other[name].equals(table[name]) for name in ("slice_key", "other_slice_key")):
            return np.arange(table.num_rows)
        positions = pc.index_in(slice_ids(table), value_set=slice_ids(other))
        return np.asarray(pc.fill_null(positions, -1).to_numpy(), np.int64)

    def numbers(self, column: str) -> Array:
        """A column of numbers, NaN where the other table lacks the slice."""
        numbers = np.full(len(self._index), np.nan)
        numbers[self.present] = self._other[column].to_numpy()[self._index[self.present]]
        return numbers

    def counts(self, column: str) -> Index:
        """A column of counts, `UNKNOWN` where the other table lacks the slice."""
        counts = np.full(len(self._index), UNKNOWN)
        counts[self.present] = _counts(self._other[column])[self._index[self.present]]
        return counts


def _counts(column: pa.ChunkedArray) -> Index:
    return np.asarray(pc.fill_null(column, UNKNOWN).to_numpy(), np.int64)
