# SPDX-License-Identifier: Apache-2.0
"""The local engine: a plan run in this process, reading ahead while it adds up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa

from benison.data.ahead import read_ahead
from benison.data.batch import Extracts
from benison.data.reading import TEXT
from benison.data.shards import ROW_NUMBER
from benison.data.tf_examples import RAW_RECORD
from benison.engine.stages import Evaluator, Extractor

_RESERVED = {RAW_RECORD: "input", ROW_NUMBER: "row_numbers"}


def run(
    batches: Iterable[pa.RecordBatch],
    extractors: Sequence[Extractor],
    evaluators: Sequence[Evaluator],
    progress: Callable[[int], None] = lambda rows: None,
) -> list[Any]:
    """Run all batches through the stages; returns the state of each evaluator.

    Reading and extracting each run in a thread of their own: Arrow and the models leave Python's
    lock while they work, and the grouped sums have it meanwhile. Batches are added in their order, so a
    rerun is equal bit for bit.
    """
    setup(extractors)
    rows = 0
    with begun(evaluators) as states, closing(read_ahead(iter(batches))) as read:
        extracted = (extract(batch, extractors) for batch in read)
        with closing(read_ahead(extracted)) as ready:
            for extracts in ready:
                add(evaluators, states, extracts)
                rows += extracts["features"].num_rows
                progress(rows)
        return finished(evaluators, states)


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
