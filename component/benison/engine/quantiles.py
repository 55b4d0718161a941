# SPDX-License-Identifier: Apache-2.0
"""The scan that comes before the pass: the edges of the quantiles of columns, exact over all rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import pyarrow as pa

from benison.data.dataset import Dataset
from benison.data.shards import Shard, read_shard
from benison.data.widening import MisfitError
from benison.engine.clusters import Cluster, widened
from benison.slicing.bin_edges import DistinctNumbers

NumbersOfColumns: TypeAlias = "dict[str, DistinctNumbers]"

# Batches whose numbers are held before they are merged; more merge more at once.
_BATCHES = 16


@dataclasses.dataclass(frozen=True)
class QuantileScan:
    """The distinct numbers of columns, as a state that merges."""

    columns: tuple[str, ...]

    def of_batches(self, batches: Iterable[pa.RecordBatch]) -> NumbersOfColumns:
        """Of all rows of some batches."""
        parts: list[NumbersOfColumns] = []
        for batch in batches:
            parts.append({c: DistinctNumbers.of(c, batch.column(c)) for c in self.columns})
            if len(parts) > _BATCHES:
                parts = [self._merged(parts)]
        return self._merged(parts)

    def of_shard(self, shard: Shard) -> NumbersOfColumns:
        """Of the rows of one shard."""
        return self.of_batches(read_shard(shard, self.columns))

    def zero(self) -> NumbersOfColumns:
        """Of no rows."""
        return {}

    def merge(self, state: NumbersOfColumns, other: NumbersOfColumns) -> NumbersOfColumns:
        """Of the rows of both."""
        return self._merged([part for part in (state, other) if part])

    def _merged(self, parts: Sequence[NumbersOfColumns]) -> NumbersOfColumns:
        if len(parts) < 2:
            return parts[0] if parts else {}
        return {c: DistinctNumbers.merged(c, [part[c] for part in parts]) for c in self.columns}


def scan_local(dataset: Dataset, columns: Sequence[str]) -> NumbersOfColumns:
    """The numbers of columns, read in this process; again if a later one is not of the type of the first."""
    scan, known = QuantileScan(tuple(columns)), dataset.prepared(columns)
    try:
        return scan.of_batches(known.batches(columns))
    except MisfitError as misfit:
        return scan.of_batches(known.refitted(misfit.column, columns).batches(columns))


def scan_cluster(dataset: Dataset, columns: Sequence[str], cluster: Cluster) -> NumbersOfColumns:
    """The numbers of columns, read by workers of other processes."""
    known = widened(dataset.prepared(columns), columns, cluster)
    ranked: NumbersOfColumns = cluster.summary(known.shards(), QuantileScan(tuple(columns)))
    return ranked
