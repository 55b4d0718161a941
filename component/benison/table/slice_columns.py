# SPDX-License-Identifier: Apache-2.0
"""The rows of a metric or a plot over slices, as batches of metrics.parquet and plots.parquet."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benison.data.batch import Array
from benison.metrics.base import Index, Value
from benison.slicing.keys import SLICE_KEY
from benison.table.key import VIEW_COLUMNS, Key
from benison.table.schema import METRICS_SCHEMA, PLOTS_SCHEMA
from benison.table.slices import Sides, key_array
from benison.table.words import slice_text

# scipy.stats.t.ppf(0.975, 19): two-sided 95 % with one degree of freedom less than replicates.
QUANTILE = 2.093024054408263


Ends: TypeAlias = "tuple[Value, Value]"
"""The lower and the upper ends of the intervals of the points of a list or a table, in its form."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """How sure S values are: float64[S] each, NaN where it is not known, and the name of the method.

    There is one name for all, or one for each value.
    """

    lower: Array
    upper: Array
    std_error: Array
    df: Array
    method: str | Sequence[str] = ""

    @classmethod
    def none(cls, size: int) -> Interval:
        """Of values without an interval."""
        nothing = np.full(size, np.nan)
        return cls(nothing, nothing, nothing, nothing)


@dataclasses.dataclass(frozen=True)
class SliceColumns:
    """The columns that say of which slice a row is, shared by the rows of every metric."""

    names: pa.Array
    keys: pa.ListArray
    others: pa.ListArray
    examples: pa.Array
    _constants: dict[str | bool, pa.Array] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls, pairs: Sequence[Sides], examples: Index, types: Mapping[str, str] | None = None
    ) -> SliceColumns:
        """Of slices and comparisons of slices, by their keys."""
        names = pa.array([slice_text(*pair) for pair in pairs], pa.string())
        keys, others = (key_array([pair[i] for pair in pairs], types) for i in (0, 1))
        return cls(names, keys, others, pa.array(examples, pa.int64()))

    @classmethod
    def of_slices(cls, names: pa.Array, keys: pa.ListArray, examples: Index) -> SliceColumns:
        """Of plain slices, of which there may be many."""
        none = pa.nulls(len(names), SLICE_KEY)
        return cls(names, keys, none, pa.array(examples, pa.int64()))

    def block(self, start: int, size: int) -> SliceColumns:
        """Some of the slices, consecutive ones."""
        columns = (self.names, self.keys, self.others, self.examples)
        return SliceColumns(*(column.slice(start, size) for column in columns))

    def __len__(self) -> int:
        return len(self.names)

    def metric_rows(
        self,
        key: Key,
        value: Value,
        interval: Interval | None = None,
        resolution: Array | None = None,
        evaluated: Index | None = None,
        ends: Ends | None = None,
    ) -> pa.RecordBatch:
        """The rows of one key in metrics.parquet; `ends` are the intervals of points."""
        numbers, structured = _numbers_and_json(value, len(self))
        nothing = pa.nulls(len(self), pa.string())
        limits = [_numbers_and_json(end, len(self))[1] for end in ends or ()] or [nothing] * 2
        sure = interval or Interval.none(len(self))
        exact = np.zeros(len(self)) if resolution is None else resolution
        floats = (numbers, sure.lower, sure.upper, sure.std_error, sure.df, exact)
        columns = [
            *self._key_columns(key),
            *map(self._repeated, (key.metric, key.kind)),
            *map(pa.array, floats),
            self._repeated(sure.method)
            if isinstance(sure.method, str)
            else pa.array(sure.method, pa.string()),
            structured,
            *limits,
            self.examples,
            self.examples if evaluated is None else pa.array(evaluated, pa.int64()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=METRICS_SCHEMA)

    def plot_rows(self, key: Key, value: dict[str, Array]) -> pa.RecordBatch:
        """The rows of one plot in plots.parquet."""
        points = [[(name, column[i]) for name, column in value.items()] for i in range(len(self))]
        columns = [
            *self._key_columns(key),
            self._repeated(key.metric),
            pa.array(points, PLOTS_SCHEMA.field("columns").type),
            self.examples,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PLOTS_SCHEMA)

    def _key_columns(self, key: Key) -> list[pa.Array]:
        constants = (getattr(key, name) for name in VIEW_COLUMNS)
        return [*map(self._repeated, constants), self.names, self.keys, self.others]

    def _repeated(self, constant: str | bool) -> pa.Array:
        """A constant for each slice; metrics have most of them in common, and share the memory."""
        if constant not in self._constants:
            self._constants[constant] = pa.repeat(pa.scalar(constant), len(self))
        return self._constants[constant]


def _numbers_and_json(value: Value, size: int) -> tuple[Array, pa.Array]:
    if isinstance(value, dict):
        rows = [{key: column[i] for key, column in value.items()} for i in range(size)]
    elif value.ndim == 1:
        return value, pa.nulls(size, pa.string())
    else:
        rows = list(value)
    # JSON has no NaN, so what is undefined is null.
    texts = [json.dumps(_strict(row)) for row in rows]
    return np.full(size, np.nan), pa.array(texts, pa.string())


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    values = value.compressed() if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    return [None if x != x else x for x in values.tolist()]  # noqa: PLR0124 - NaN, of texts too
