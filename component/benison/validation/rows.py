# SPDX-License-Identifier: Apache-2.0
"""What thresholds look at: the rows of one metric, and which of them a spec is for."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.slicing.keys import SliceKey
from benison.table.slices import Slices
from benison.validation.verdict import ABSOLUTE, VALUE


class Row(NamedTuple):
    """A metric's value on one slice; numbers that do not apply are NaN."""

    slice: str
    key: SliceKey
    value: float
    interval_lower: float
    interval_upper: float
    examples: int
    is_number: bool
    baseline: float
    change_lower: float = math.nan
    change_upper: float = math.nan

    def interval(self, kind: str) -> tuple[float, float]:
        """The 95 % interval of what a check of that kind judges; NaN where there is none."""
        if kind == VALUE:
            return self.interval_lower, self.interval_upper
        return (self.change_lower, self.change_upper) if kind == ABSOLUTE else (math.nan, math.nan)


def rows_of(
    table: pa.Table, baseline: pa.Table | None, changes: pa.Table
) -> tuple[Slices, list[Row]]:
    """The rows of one metric, each with the baseline's value on the same slice and the change's interval."""
    slices = Slices.of_table(table)
    numbers = [_numbers(table[column]) for column in ("value", "lower", "upper")]
    others = [math.nan] * table.num_rows if baseline is None else _aligned(baseline, table, "value")
    columns = [
        slices.names,
        slices.keys,
        *numbers,
        table["examples"].to_pylist(),
        pc.is_null(table["structured"]).to_pylist(),
        others,
        *(_aligned(changes, table, column) for column in ("lower", "upper")),
    ]
    return slices, [Row(*fields) for fields in zip(*columns, strict=True)]


def _aligned(other: pa.Table, table: pa.Table, column: str) -> list[float]:
    """The numbers of another table in the order of the rows of `table`, NaN where it has none."""
    values = _numbers(other[column])
    if not values:
        return [math.nan] * table.num_rows
    # One pass over the data finds the same slices for both models, and in one order.
    if all(other[key].equals(table[key]) for key in ("slice", "slice_key")):
        return values
    own, others = Slices.of_table(table), Slices.of_table(other)
    found = dict(zip(zip(others.names, others.keys, strict=True), values, strict=True))
    return [found.get(place, math.nan) for place in zip(own.names, own.keys, strict=True)]


def _numbers(column: pa.ChunkedArray) -> list[float]:
    """Python floats; every NaN is `math.nan` itself, so that equal verdicts compare as equal."""
    array = column.to_numpy()
    numbers: list[float] = array.tolist()
    for i in np.flatnonzero(np.isnan(array)):
        numbers[i] = math.nan
    return numbers
