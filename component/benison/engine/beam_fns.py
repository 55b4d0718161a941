# SPDX-License-Identifier: Apache-2.0
"""What Beam's workers call: DoFns and CombineFns around the stages.

States leave from `process` or a CombineFn and have one output: Beam's Dask runner drops what leaves from
`finish_bundle` without a word, and delivers tagged outputs merged.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import reduce
from typing import Any

from benison.errors import MissingExtraError

try:
    import apache_beam as beam
    from apache_beam.metrics.metric import Metrics
    from apache_beam.utils.shared import Shared
except ImportError as error:
    raise MissingExtraError("Apache Beam", "beam") from error

from benison.data.shards import Shard
from benison.engine.stages import Merging
from benison.engine.staging import Staging
from benison.engine.work import Piece, Work, numbered, of_range

NAMESPACE = "benison"
"""Of the counters and distributions that a runner shows."""


class MergeFn(beam.CombineFn):
    """Merging is associative and commutative, so Beam may do it in any tree."""

    def __init__(self, merging: Merging, staging: Staging | None = None) -> None:
        self._merging = merging
        self._staging = staging

    def create_accumulator(self) -> Any:
        return self._merging.zero()

    def add_input(self, merged: Any, states: Any) -> Any:
        return self._merged([merged, states])

    def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
        return self._merged(accumulators)

    def extract_output(self, merged: Any) -> Any:
        return merged

    def _merged(self, states: Iterable[Any]) -> Any:
        if self._staging is None:
            return reduce(self._merging.merge, states)
        with self._staging.reporting():
            return reduce(self._merging.merge, states)


class EvaluateFn(beam.DoFn):
    """The states of a numbered shard, each piece with the range of slices that it is of and its group."""

    def __init__(self, work: Work, staging: Staging, groups: int) -> None:
        self._work = work
        self._staging = staging
        self._groups = groups
        self._shared = Shared()

    def process(self, part: tuple[int, Shard]) -> Iterable[tuple[int, Piece]]:
        number, started = part[0], time.monotonic()
        with self._staging.reporting(number, part[1].path):
            # Threads of a process share the models, which may take gigabytes.
            work: Work = self._shared.acquire(self._work.loaded)
            pieces = work.evaluate(part)
        count("rows", pieces[0].tally.pieces[0][1])
        seconds = time.monotonic() - started
        Metrics.distribution(NAMESPACE, "shard_milliseconds").update(int(1000 * seconds))
        return numbered(pieces, number % self._groups)


def count(name: str, by: int) -> None:
    """Add to a counter, and to the distribution of what was added at once."""
    Metrics.counter(NAMESPACE, name).inc(by)
    Metrics.distribution(NAMESPACE, f"{name}_at_once").update(by)


class MergeTree(beam.PTransform[Any, Any]):
    """Merges pieces by range of slices in two steps, first within groups of parts of the data.

    So no worker merges all parts, nor all slices. Takes and gives pieces by number; after it the number is
    that of the range.
    """

    def __init__(self, work: Work, staging: Staging | None = None) -> None:
        super().__init__()
        self._fn = MergeFn(work, staging)

    def expand(self, pieces: Any) -> Any:
        return (
            pieces
            | "MergeGroups" >> beam.CombinePerKey(self._fn)
            | "Range" >> beam.MapTuple(of_range)
            | "MergeRanges" >> beam.CombinePerKey(self._fn)
        )
