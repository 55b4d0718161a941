# SPDX-License-Identifier: Apache-2.0
"""Writes the rows that were evaluated: columns of the data, labels, predictions, and their slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.batch import Extracts, Ragged, joined_name
from benison.errors import ConfigError, DataError
from benison.slicing.table import SliceTable
from benison.table.row_files import ANALYSIS

_ROLES = ("labels", "predictions", "example_weights")
_SLICES = ("slices", "slice_keys")
HIDES_SLICES = (
    "rows say in which slices they are, also in those that options.min_slice_size hides; leave out one of "
    "the two."
)


@dataclasses.dataclass(frozen=True)
class AnalysisEvaluator:
    """Writes a row for each example, to look at what a metric is made of, in Parquet under `analysis/`.

    It has the columns `columns` of the data, None for all, or with `exclude` all but those; `labels`,
    `predictions` and `example_weights`, with the names of model and output where there are several
    (`predictions/new/ctr`); `slices`, the names of the slices of the example, and `slice_keys`, their keys as
    in metrics.parquet.

    Raises:
        ConfigError: A column has the name of one that is written anyway.
    """

    columns: Sequence[str] | None = ()
    outputs: tuple[str, ...] = (ANALYSIS,)
    stage_name: str = "EvaluateAnalysis"
    run_after: str = "ExtractSliceKeys"
    exclude: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.columns and self.exclude is not None:
            raise ConfigError(
                "Name the columns of the analysis, or with exclude those that are not in it."
            )
        is_open = self.columns is None or self.exclude is not None
        known = None if is_open else tuple(self.columns or ())
        object.__setattr__(self, "columns", known)  # None is all, for the reader too
        _check_free(known or ())

    def rows(self, extracts: Extracts) -> pa.RecordBatch:
        """The rows of a batch.

        Raises:
            DataError: The data lack one of the columns.
        """
        features, table = extracts["features"], SliceTable()
        names = features.schema.names
        for column in self.columns or self.exclude or ():
            if column not in names:
                raise DataError.from_missing_column(column, names, "The data")
        chosen = self.columns
        if chosen is None:
            chosen = [name for name in names if name not in (self.exclude or ())]
            _check_free(chosen)
        columns = {column: features.column(column) for column in chosen}
        columns |= score_columns(extracts)
        columns |= zip(_SLICES, _slices(extracts, table), strict=True)
        return pa.RecordBatch.from_pydict(columns)


def _check_free(columns: Sequence[str]) -> None:
    for column in columns:
        role = column.partition("/")[0]
        if role in (*_ROLES, *_SLICES):
            raise ConfigError(
                f"The column {column!r} cannot be among those of the analysis, whose own are named "
                f"{role!r}{'' if role in _SLICES else f' or {role}/...'}; rename it in the data."
            )


def score_columns(extracts: Extracts) -> Iterator[tuple[str, pa.Array]]:
    """Labels, predictions and weights of a batch by role, model and output, as `predictions/new/ctr`."""
    for role in _ROLES:
        for target, values in extracts.get(role, {}).items():  # type: ignore[attr-defined]
            yield joined_name(role, *target), _as_arrow(values)


def _as_arrow(values: Any) -> pa.Array:
    """A column of labels, predictions or weights as the batch's table has them, in Arrow."""
    if isinstance(values, Ragged):
        return pa.LargeListArray.from_arrays(pa.array(values.offsets), _as_arrow(values.values))
    if isinstance(values, pa.Array) or values.ndim == 1:
        return values if isinstance(values, pa.Array) else pa.array(values)
    offsets = pa.array(np.arange(len(values) + 1) * values.shape[1])
    return pa.LargeListArray.from_arrays(offsets, pa.array(values.ravel()))


def _slices(extracts: Extracts, table: SliceTable) -> tuple[pa.Array, pa.Array]:
    """For each row the names and the keys of its slices, in the order of the slicing specs."""
    parts = table.number(extracts["slice_codes"]).parts
    size = extracts["features"].num_rows
    rows = [np.arange(size) if rows is None else rows for rows, _ in parts]
    owners = np.concatenate([*rows, np.zeros(0, np.int64)])
    order = np.argsort(owners, kind="stable")
    codes = np.concatenate([*(codes for _, codes in parts), np.zeros(0, np.int64)])[order]
    ends = np.cumsum(np.bincount(owners, minlength=size))
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int64))
    names, keys = table.texts(np.arange(len(table)))
    taken = pa.array(codes)
    return (
        pa.LargeListArray.from_arrays(offsets, names.take(taken)),
        pa.LargeListArray.from_arrays(offsets, keys.take(taken)),
    )
