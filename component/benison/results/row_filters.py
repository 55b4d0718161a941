# SPDX-License-Identifier: Apache-2.0
"""Chooses rows of tables of metrics and plots by their values and by their slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.config import SlicingSpec
from benison.errors import DataError, suggestion
from benison.slicing.keys import SliceKey
from benison.table.slices import Slices, name_in_any_order, slice_id, slice_ids
from benison.table.words import slice_text


def filter_rows(table: pa.Table, **wanted: Any) -> pa.Table:
    """The rows of a table of metrics or plots that have certain values.

    Raises:
        DataError: No row has one of the values; the message lists those that exist.
    """
    for column, value in wanted.items():
        matching = table.filter(pc.equal(table[column], pa.scalar(value)))
        if not matching.num_rows:
            hint = suggestion(str(value), map(str, pc.unique(table[column]).to_pylist()))
            raise DataError(f"The results have no {column} {value!r}. {hint}")
        table = matching
    return table


def filter_slice(table: pa.Table, wanted: str | Mapping[str, Any] | SliceKey) -> pa.Table:
    """The rows of a slice, given by its name, or by its features and values.

    Raises:
        DataError: There is no such slice; it says which there are.
    """
    if isinstance(wanted, str):
        return filter_rows(table, slice=name_in_any_order(table, wanted) or wanted)
    texts = {feature: _text(value) for feature, value in dict(wanted).items()}
    key = tuple(sorted(texts.items()))
    rows = table.filter(pc.equal(slice_ids(table), slice_id(key)))
    if not rows.num_rows and key:
        # Of numbers, 5, 5.0 and "5" are one.
        same = Slices.of_table(table).of_spec(SlicingSpec(feature_values=texts))
        rows = table.take(pa.array(same))
    return rows if rows.num_rows else filter_rows(table, slice=slice_text(key))


def shown_slice(wanted: str | Mapping[str, Any] | SliceKey) -> str:
    """What messages call a slice that is asked for."""
    return wanted if isinstance(wanted, str) else slice_text(tuple(sorted(dict(wanted).items())))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
