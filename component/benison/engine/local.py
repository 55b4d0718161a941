# SPDX-License-Identifier: Apache-2.0
"""The local engine: a plan run in this process, on several threads."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa

from benison.data.ahead import read_ahead
from benison.data.batch import Extracts
from benison.data.reading import TEXT
from benison.data.shards import ROW_NUMBER
from benison.data.tf_examples import RAW_RECORD
from benison.engine.memory import MemoryLimitError
from benison.engine.stages import Evaluator, Extractor, is_concurrent

_LOGGER = logging.getLogger("benison")
_RESERVED = {RAW_RECORD: "input", ROW_NUMBER: "row_numbers"}


def run_within_memory(
    batches: Callable[[], Iterable[pa.RecordBatch]],
    extractors: Sequence[Extractor],
    evaluators: Sequence[Evaluator],
    progress: Callable[[int], None],
    threads: int,
) -> list[Any]:
    """As `run`, and once more on one thread where the states of several need too much memory."""
    try:
        return run(batches(), extractors, evaluators, progress, threads)
    except MemoryLimitError:
        if threads == 1:
            raise
        _LOGGER.warning(
            "The states of %d threads need more memory than there is; all rows are read again on one.",
            threads,
        )
        return run(batches(), extractors, evaluators, progress)


def run(
    batches: Iterable[pa.RecordBatch],
    extractors: Sequence[Extractor],
    evaluators: Sequence[Evaluator],
    progress: Callable[[int], None] = lambda rows: None,
    threads: int = 1,
) -> list[Any]:
    """Run all batches through the stages; returns the state of each evaluator.

    Reading has a thread of its own, as Arrow leaves Python's lock while it works, and so have extractors that
    call a model or are a user's. Each of `threads` has states of its own: batch i is added to those of thread
    i modulo `threads`, and in the end they are merged in their order. So a rerun on as many threads is equal
    bit for bit, and one on others but for the rounding of sums. Evaluators that are not `concurrent`
    get all batches in order.
    """
    setup(extractors)
    shared = [e for e in evaluators if threads > 1 and is_concurrent(e)]
    alone = [e for e in evaluators if e not in shared]
    beside = extractors if not alone and all(map(is_concurrent, extractors)) else ()
    before = () if beside else extractors
    rows = 0
    with (
        begun(alone) as states,
        _Lanes(threads, beside, shared) as lanes,
        closing(read_ahead(iter(batches))) as read,
        closing(extract(batch, before) for batch in read) as extracted,
        closing(read_ahead(extracted) if before else extracted) as ready,
    ):
        for extracts in ready:
            rows += extracts["features"].num_rows
            lanes.add(extracts)
            add(alone, states, extracts)
            progress(rows)
        ordered, merged = iter(finished(alone, states)), iter(lanes.finish())
    return [next(merged if e in shared else ordered) for e in evaluators]


class _Lanes:
    """Threads with states of their own, to which batches go in turn."""

    def __init__(
        self, threads: int, extractors: Sequence[Extractor], evaluators: Sequence[Evaluator]
    ) -> None:
        self._extractors, self._evaluators = extractors, evaluators
        used = range(threads if evaluators else 0)
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix="benison-add") for _ in used]
        self._states = [[evaluator.zero() for evaluator in evaluators] for _ in used]
        for state in (state for states in self._states for state in states):
            _share(state, threads)
        self._waiting: deque[Future[None]] = deque()
        self._turn = 0

    def __enter__(self) -> _Lanes:
        return self

    def add(self, extracts: Extracts) -> None:
        """Let the next thread add a batch.

        It waits while each thread has one and one more is waiting. Errors come in the order of the batches:
        the first is that of the run, whichever thread was faster.
        """
        if not self._threads:
            return
        self._waiting.append(self._threads[self._turn].submit(self._add, self._turn, extracts))
        self._turn = (self._turn + 1) % len(self._threads)
        if len(self._waiting) > len(self._threads) + 1:
            self._await_first()

    def _await_first(self) -> None:
        try:
            self._waiting.popleft().result()
        except BaseException:
            self._waiting.clear()
            raise

    def _add(self, turn: int, extracts: Extracts) -> None:
        for extractor in self._extractors:
            extracts = extractor.extract(extracts)
        add(self._evaluators, self._states[turn], extracts)

    def finish(self) -> list[Any]:
        """The states of all rows, merged in the order of the threads, of which each finishes its own."""
        while self._waiting:
            self._await_first()
        lanes = zip(self._threads, self._states, strict=True)
        ends = [thread.submit(finished, self._evaluators, states) for thread, states in lanes]
        merged, *others = [end.result() for end in ends] or [[]]
        for states in others:
            for i, evaluator in enumerate(self._evaluators):
                _share(merged[i], 1)
                merged[i] = evaluator.merge(merged[i], states[i])
        return merged

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            # Of the batches before one that cannot be read some may have an error too.
            while self._waiting and kind is not None and issubclass(kind, Exception):
                self._await_first()
        finally:
            for thread in self._threads:
                thread.shutdown(cancel_futures=True)


def _share(state: Any, accumulators: int) -> None:
    """Let a state that counts its memory know how many there are of it."""
    share = getattr(state, "share", None)
    if share is not None:
        share(accumulators)


@contextmanager
def begun(evaluators: Sequence[Evaluator]) -> Iterator[list[Any]]:
    """The states of no rows; if the block fails, evaluators let go of what their states hold open."""
    states = [evaluator.zero() for evaluator in evaluators]
    try:
        yield states
    except BaseException:
        for evaluator, state in zip(evaluators, states, strict=True):
            abort = getattr(evaluator, "abort", None)
            if abort is not None:
                abort(state)
        raise


def add(evaluators: Sequence[Evaluator], states: list[Any], extracts: Extracts) -> None:
    """Add a batch to each of the states."""
    for i, evaluator in enumerate(evaluators):
        states[i] = evaluator.add(states[i], extracts)


def finished(evaluators: Sequence[Evaluator], states: Sequence[Any]) -> list[Any]:
    """The states as they can travel, after the last batch."""
    hooks = [getattr(evaluator, "finish", None) for evaluator in evaluators]
    return [s if hook is None else hook(s) for hook, s in zip(hooks, states, strict=True)]


def setup(extractors: Sequence[Extractor]) -> None:
    """Let each extractor that loads something load it now."""
    for extractor in extractors:
        prepare = getattr(extractor, "setup", None)
        if prepare is not None:
            prepare()


def extract(batch: pa.RecordBatch, extractors: Sequence[Extractor]) -> Extracts:
    """Run one batch through the extractors."""
    extracts = as_extracts(batch)
    for extractor in extractors:
        extracts = extractor.extract(extracts)
    return extracts


def as_extracts(batch: pa.RecordBatch) -> Extracts:
    """A batch with the keys that the reader writes."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    reserved: dict[str, Any] = {
        key: columns.pop(name) for name, key in _RESERVED.items() if name in columns
    }
    written = [name for name in columns if name.startswith(TEXT)]
    if written:
        reserved["slice_texts"] = {name.removeprefix(TEXT): columns.pop(name) for name in written}
    features = batch.select(list(columns)) if reserved else batch
    return {"features": features, **reserved}  # type: ignore[typeddict-item]
