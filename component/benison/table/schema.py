# SPDX-License-Identifier: Apache-2.0
"""The shape of the results: the columns of metrics.parquet and plots.parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.batch import Array
from benison.engine.views import View
from benison.metrics.base import Index, Value
from benison.slicing.keys import SLICE_KEY, SliceKey, slice_name
from benison.slicing.table import SliceTable

SCHEMA_VERSION = 1

_KEY_FIELDS = [
    pa.field("model", pa.string(), nullable=False),
    pa.field("output", pa.string(), nullable=False),
    pa.field("sub_key", pa.string(), nullable=False),
    pa.field("aggregation", pa.string(), nullable=False),
    pa.field("weighted", pa.bool_(), nullable=False),
    pa.field("slice", pa.string(), nullable=False),
    pa.field("slice_key", SLICE_KEY, nullable=False),
]

METRICS_SCHEMA = pa.schema(
    [
        *_KEY_FIELDS,
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("lower", pa.float64(), nullable=False),
        pa.field("upper", pa.float64(), nullable=False),
        pa.field("structured", pa.string()),
        pa.field("examples", pa.int64(), nullable=False),
    ]
)
"""One row per model, output, sub_key, aggregation, weighted, slice and metric.

`value` is NaN where undefined and for structured values, whose JSON is `structured`; `lower` and
`upper` are NaN when no confidence interval was asked for; `examples` is unweighted.
"""

PLOTS_SCHEMA = pa.schema(
    [
        *_KEY_FIELDS,
        pa.field("plot", pa.string(), nullable=False),
        pa.field("columns", pa.map_(pa.string(), pa.list_(pa.float64())), nullable=False),
        pa.field("examples", pa.int64(), nullable=False),
    ]
)
"""One row per plot of a slice; `columns` are its points, each a list of one length."""


class SliceColumns:
    """The columns that say of which slice a row is, shared by the rows of every metric."""

    def __init__(self, pairs: Sequence[tuple[SliceKey, ...]], examples: Index) -> None:
        """Of slices, or comparisons of slices, by their keys."""
        names = [" vs ".join(slice_name(key) for key in keys) for keys in pairs]
        flat = [[pair for key in keys for pair in key] for keys in pairs]
        self.names = pa.array(names, pa.string())
        self.keys = pa.array(flat, SLICE_KEY)
        self.examples = pa.array(examples, pa.int64())

    @classmethod
    def of_table(cls, table: SliceTable, index: Index, examples: Index) -> SliceColumns:
        """Of the slices `index` of a table, of which there may be many."""
        columns = cls((), examples)
        columns.names, columns.keys = table.texts(index)
        return columns

    def block(self, start: int, size: int) -> SliceColumns:
        """Some of the slices, one after the other."""
        columns = SliceColumns((), self.examples.slice(start, size))
        columns.names, columns.keys = (c.slice(start, size) for c in (self.names, self.keys))
        return columns

    def __len__(self) -> int:
        return len(self.names)

    def key_columns(self, view: View) -> list[pa.Array]:
        """The columns of `_KEY_FIELDS`."""
        constants = (view.model, view.output, view.sub_key, "", view.weighted)
        return [
            *(pa.repeat(pa.scalar(constant), len(self)) for constant in constants),
            self.names,
            self.keys,
        ]

    def metric_rows(
        self, view: View, name: str, value: Value, bounds: tuple[Array, Array] | None = None
    ) -> pa.RecordBatch:
        """The rows of one metric in metrics.parquet, with both ends of its interval if there is one."""
        numbers, structured = _numbers_and_json(value, len(self))
        lower, upper = bounds or (np.full(len(self), np.nan),) * 2
        named = pa.repeat(pa.scalar(name), len(self))
        columns = [*map(pa.array, (numbers, lower, upper)), structured, self.examples]
        return pa.RecordBatch.from_arrays(
            [*self.key_columns(view), named, *columns], schema=METRICS_SCHEMA
        )

    def plot_rows(self, view: View, name: str, value: dict[str, Array]) -> pa.RecordBatch:
        """The rows of one plot in plots.parquet."""
        named = pa.repeat(pa.scalar(name), len(self))
        points = [[(key, column[i]) for key, column in value.items()] for i in range(len(self))]
        columns = [named, pa.array(points, PLOTS_SCHEMA.field("columns").type), self.examples]
        return pa.RecordBatch.from_arrays([*self.key_columns(view), *columns], schema=PLOTS_SCHEMA)


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
    return [None if np.isnan(x) else x for x in np.asarray(value).tolist()]


RATIO = "_ratio"
