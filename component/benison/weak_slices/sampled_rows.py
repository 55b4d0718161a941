# SPDX-License-Identifier: Apache-2.0
"""Reads the rows with the smallest hashes before the pass, from which the values of features are numbered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from benison.data.mixing import Numbers, mixed
from benison.data.reading import TEXT
from benison.data.shards import ROW_NUMBER, Shard, read_shard
from benison.data.values import undictionary
from benison.weak_slices.cell_sums import SAMPLED

_BATCHES = 8  # parts that are held before they are merged


@dataclasses.dataclass(frozen=True)
class SampledRows:
    """Rows in the order of their hashes, and how many rows they were taken from."""

    hashes: Numbers
    table: pa.Table
    total: int

    @property
    def share(self) -> float:
        """The share of all rows that they are."""
        return len(self.hashes) / max(self.total, 1)

    @property
    def texts(self) -> dict[str, pa.Array]:
        """Columns as they are written, where slices see that."""
        names = [name for name in self.table.column_names if name.startswith(TEXT)]
        return {n.removeprefix(TEXT): self.table.column(n).combine_chunks() for n in names}


@dataclasses.dataclass(frozen=True)
class RowScan:
    """The `SAMPLED` rows of some columns with the smallest hashes, as a state that merges."""

    columns: tuple[str, ...]

    def of_batches(self, batches: Iterable[pa.RecordBatch]) -> SampledRows | None:
        """Of the rows of numbered batches; None of no rows."""
        merged: SampledRows | None = None
        parts: list[SampledRows] = []
        for batch in batches:
            parts.append(_smallest(batch, merged))
            if len(parts) > _BATCHES:
                merged, parts = _merged([*([merged] if merged else []), *parts]), []
        parts = [*([merged] if merged else []), *parts]
        return _merged(parts) if parts else None

    def of_shard(self, shard: Shard) -> SampledRows | None:
        """Of the rows of one shard."""
        return self.of_batches(read_shard(shard, self.columns, number=True))

    def zero(self) -> SampledRows | None:
        """Of no rows."""
        return None

    def merge(self, state: SampledRows | None, other: SampledRows | None) -> SampledRows | None:
        """Of the rows of both."""
        return _merged([state, other]) if state and other else state or other


def _smallest(batch: pa.RecordBatch, known: SampledRows | None) -> SampledRows:
    """The rows of a batch that may be among the smallest."""
    hashes = mixed(batch.column(ROW_NUMBER).to_numpy())
    full = known is not None and len(known.hashes) == SAMPLED
    kept = np.flatnonzero(hashes < known.hashes[-1]) if known and full else np.arange(len(hashes))
    if len(kept) > SAMPLED:
        kept = kept[np.argpartition(hashes[kept], SAMPLED)[:SAMPLED]]
    rows = batch.drop_columns([ROW_NUMBER]).take(pa.array(kept))
    columns = [undictionary(column) for column in rows.columns]
    return SampledRows(hashes[kept], pa.table(columns, names=rows.schema.names), len(hashes))


def _merged(parts: Sequence[SampledRows]) -> SampledRows:
    hashes = np.concatenate([part.hashes for part in parts])
    table = pa.concat_tables([part.table for part in parts], promote_options="permissive")
    order = np.argsort(hashes, kind="stable")[:SAMPLED]
    return SampledRows(
        hashes[order], table.take(pa.array(order)), sum(part.total for part in parts)
    )
