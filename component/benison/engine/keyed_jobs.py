# SPDX-License-Identifier: Apache-2.0
"""The plan on engines that map each part of the data to numbered states, and merge those of one number.

Spark and Flink do. An error of a worker travels as a state does, so that it arrives as what it was and
nothing is tried again that would fail again; what the engine itself loses, it tries again.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from benison.data.reading import Inspected
from benison.data.shards import Scan, Shard
from benison.engine.stages import Merging
from benison.engine.summaries import Summary, Tallied, sent, tally_of, types_of
from benison.engine.work import Work, numbered, of_range
from benison.engine.worker_errors import portable

Numbered: TypeAlias = "tuple[int, Any]"

_LOCK = threading.Lock()
_LOADED: dict[str, Any] = {}


@dataclasses.dataclass(frozen=True)
class Failure:
    """What ended the work on a part of the data."""

    number: int
    error: Exception


@dataclasses.dataclass(frozen=True)
class KeyedMerging:
    """How two states of one number become one, either of which may be a failure; it can be pickled.

    Attributes:
        merging: How two states of rows become one.
    """

    merging: Merging

    def merge(self, state: Any, other: Any) -> Any:
        """The state of the rows of both; of failures the first."""
        failures = [each for each in (state, other) if isinstance(each, Failure)]
        if failures:
            return min(failures, key=lambda failure: failure.number)
        try:
            return self.merging.merge(state, other)
        except Exception as error:
            return Failure(0, portable(error))

    @staticmethod
    def in_ranges(item: Numbered) -> Numbered:
        """A state with the number of its range of slices, without that of its group."""
        return of_range(*item)


@dataclasses.dataclass(frozen=True)
class KeyedJob(KeyedMerging):
    """What an engine does with each part, and with two states of one number.

    How states are merged comes first: a user's modules must be there when what is of them is unpickled.

    Attributes:
        function: The numbered states of a part.
    """

    function: Callable[[Any], list[Numbered]]

    def states(self, part: Numbered) -> list[Numbered]:
        """The numbered states of a numbered part, or what ended its work."""
        try:
            return self.function(part)
        except Exception as error:  # of any kind: it is raised where the numbers are waited for
            return [(0, Failure(part[0], portable(error, part[1].path)))]


class Engine(Protocol):
    """What runs a job over the parts."""

    def merged(self, parts: Sequence[Numbered], job: KeyedJob) -> list[Numbered]:
        """One state for each range of slices; the states of each group of parts are merged first.

        Raises:
            RunnerError: The engine ended the job.
        """


@dataclasses.dataclass(frozen=True)
class KeyedRun:
    """Runs a plan on an engine; see `benison.engine.clusters.Cluster`."""

    engine: Engine

    def states(
        self, shards: Sequence[Shard], work: Work, rows: Mapping[str, int | None]
    ) -> list[Any]:
        """The state of each evaluator, of all rows."""
        evaluated = _Evaluated(work, math.isqrt(len(shards)) + 1, uuid.uuid4().hex)
        merging = dataclasses.replace(work, extractors=())
        piece = work.merge_all(self._merged(shards, KeyedJob(merging, evaluated)))
        piece.tally.check(shards, rows)
        return piece.states

    def types(self, scans: Sequence[Scan]) -> list[tuple[str, Inspected]]:
        """Each path with the types of its columns."""
        types = self._merged(scans, KeyedJob(_Lists(), _scanned))
        return types_of(scans, [each for part in types for each in part])

    def summary(self, shards: Sequence[Shard], summary: Summary) -> Any:
        """The summary of all rows."""
        tallied = Tallied(summary)
        made = self._merged(shards, KeyedJob(tallied, _Summarized(tallied)))
        tally, all_rows = made[0] if made else tallied.zero()
        tally.check_parts(shards)
        return all_rows

    def _merged(self, parts: Sequence[Any], job: KeyedJob) -> list[Any]:
        made = self.engine.merged(sent(parts), job) if parts else []
        states = [state for _, state in sorted(made, key=lambda item: item[0])]
        failures = [state for state in states if isinstance(state, Failure)]
        if failures:
            raise min(failures, key=lambda failure: failure.number).error
        return states


@dataclasses.dataclass(frozen=True)
class _Evaluated:
    """The states of a numbered shard."""

    work: Work
    groups: int
    name: str

    def __call__(self, part: tuple[int, Shard]) -> list[Numbered]:
        work: Work = loaded_once(self.name, self.work.loaded)
        return [*numbered(work.evaluate(part), part[0] % self.groups)]


@dataclasses.dataclass(frozen=True)
class _Summarized:
    """The summary of a numbered shard."""

    tallied: Tallied

    def __call__(self, part: tuple[int, Shard]) -> list[Numbered]:
        return [(0, self.tallied.of_part(part))]


def loaded_once(run: str, load: Callable[[], Any]) -> Any:
    """What a run loads once in each process, such as models, and lets go for that of another run."""
    with _LOCK:
        if run not in _LOADED:
            _LOADED.clear()
            _LOADED[run] = load()
        return _LOADED[run]


def _scanned(part: tuple[int, Scan]) -> list[Numbered]:
    return [(0, [(tally_of(part[0]), part[1].run())])]


class _Lists:
    """Lists as states."""

    def zero(self) -> list[Any]:
        return []

    def merge(self, some: list[Any], others: list[Any], /) -> list[Any]:
        return some + others
