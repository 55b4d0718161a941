# SPDX-License-Identifier: Apache-2.0
"""This file is the local engine: a plan run in this process, reading ahead while it adds up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from benison.engine.evaluate import Evaluator
from benison.engine.extract import Extractor
from benison.engine.read import RAW_RECORD
from benison.extracts import Extracts

T = TypeVar("T")
_END = object()


def run(
    batches: Iterable[pa.RecordBatch],
    extractors: Sequence[Extractor],
    evaluators: Sequence[Evaluator],
    progress: Callable[[int], None] = lambda rows: None,
) -> list[Any]:
    """Run all batches through the stages; returns the state of each evaluator.

    Reading and extracting run in a thread of their own: Arrow and the models leave Python's lock
    while they work, and the grouped sums have it meanwhile. Batches are added in their order, so a
    rerun is equal bit for bit.
    """
    setup(extractors)
    states = [evaluator.zero() for evaluator in evaluators]
    rows = 0
    for extracts in read_ahead(extract(batch, extractors) for batch in batches):
        states = [e.add(state, extracts) for e, state in zip(evaluators, states, strict=True)]
        rows += extracts["features"].num_rows
        progress(rows)
    return states


def setup(extractors: Sequence[Extractor]) -> None:
    """Let each extractor that loads something load it now."""
    for extractor in extractors:
        prepare = getattr(extractor, "setup", None)
        if prepare is not None:
            prepare()


def extract(batch: pa.RecordBatch, extractors: Sequence[Extractor]) -> Extracts:
    """Run one batch through the extractors."""
    extracts: Extracts = {"features": batch}
    if RAW_RECORD in batch.schema.names:
        place = batch.schema.get_field_index(RAW_RECORD)
        kept = [name for name in batch.schema.names if name != RAW_RECORD]
        extracts = {"features": batch.select(kept), "input": batch.column(place)}
    for extractor in extractors:
        extracts = extractor.extract(extracts)
    return extracts


def read_ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The items, made by another thread, at most `depth` ahead.

    An exception of the other thread is raised here; a consumer that stops early stops the thread.
    """
    ready: queue.Queue[Any] = queue.Queue(depth)
    stopped = threading.Event()

    def offer(item: Any) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            if all(offer((item, None)) for item in items):
                offer((_END, None))
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer, whatever it is
            offer((_END, error))

    thread = threading.Thread(target=work, name="benison-read", daemon=True)
    thread.start()
    try:
        while (taken := ready.get())[0] is not _END:
            yield taken[0]
        if taken[1] is not None:
            raise taken[1]
    finally:
        stopped.set()
        thread.join()
