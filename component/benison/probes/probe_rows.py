# SPDX-License-Identifier: Apache-2.0
"""The stage that keeps the rows with the smallest hashes, which every engine finds the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa

from benison.data.batch import Extracts
from benison.data.mixing import Numbers, mixed
from benison.data.values import undictionary
from benison.errors import ConfigError

OUTPUT_KEY = "probe_rows"


@dataclasses.dataclass(frozen=True)
class ProbeRows:
    """Rows in the order of their hashes, with all columns that were read, of `total` rows."""

    hashes: Numbers
    table: pa.Table
    total: int

    @classmethod
    def of(cls, numbers: pa.Array, batch: pa.RecordBatch, most: int) -> ProbeRows:
        """Those of a batch, of which `numbers` are the numbers of the rows."""
        hashes = mixed(numbers.to_numpy(zero_copy_only=False))
        order = np.argsort(hashes, kind="stable")[:most]
        taken = {name: _taken(batch.column(name), pa.array(order)) for name in batch.schema.names}
        table = pa.table({k: v for k, v in taken.items() if v is not None})
        return cls(hashes[order], table, batch.num_rows)

    def merge(self, other: ProbeRows, most: int) -> ProbeRows:
        """The rows of both with the smallest hashes."""
        hashes = np.concatenate([self.hashes, other.hashes])
        table = pa.concat_tables([self.table, other.table], promote_options="permissive")
        order = np.argsort(hashes, kind="stable")[:most]
        kept = table.take(pa.array(order)).combine_chunks()
        return ProbeRows(hashes[order], kept, self.total + other.total)

    @property
    def batch(self) -> pa.RecordBatch:
        """The rows as one batch."""
        batches = self.table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], self.table.schema)


def _taken(column: pa.Array, order: pa.Array) -> pa.Array | None:
    """Some rows of a column without its encoding; None of a type of which Arrow takes no rows."""
    try:
        return undictionary(column.take(order))
    except pa.ArrowNotImplementedError:
        plain = undictionary(column)
    try:
        return plain.take(order)
    except pa.ArrowNotImplementedError:
        return None


@dataclasses.dataclass(frozen=True)
class ProbeRowsEvaluator:
    """Keeps `rows` rows with all columns that were read; its result is a `ProbeRows`, or None of no rows."""

    rows: int
    columns: tuple[str, ...] | None = ()
    """The columns that are read for the sake of the probes; None is all."""
    outputs: tuple[str, ...] = (OUTPUT_KEY,)
    stage_name: str = "KeepProbeRows"
    run_after: str = "ExtractSliceKeys"
    needs_row_numbers: bool = True
    concurrent: bool = True

    def zero(self) -> ProbeRows | None:
        """No rows."""
        return None

    def add(self, state: ProbeRows | None, extracts: Extracts) -> ProbeRows | None:
        """The state with the rows of one more batch.

        Raises:
            ConfigError: The rows have no numbers.
        """
        if "row_numbers" not in extracts:
            raise ConfigError(
                "debugging needs the numbers of the rows, which a PCollection of extracts does not have; let "
                "Benison read the data, or leave debugging out of the config."
            )
        batch = extracts["features"]
        if not batch.num_rows:
            return state
        return self.merge(state, ProbeRows.of(extracts["row_numbers"], batch, self.rows))

    def merge(self, state: ProbeRows | None, other: ProbeRows | None) -> ProbeRows | None:
        """The state of both."""
        return state.merge(other, self.rows) if state and other else state or other

    def result(self, state: ProbeRows | None) -> dict[str, Any]:
        """The rows."""
        return {OUTPUT_KEY: state}
