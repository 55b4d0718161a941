# SPDX-License-Identifier: Apache-2.0
"""Reads the data a second time for the rows of failed slices on which a model is worst."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benison.data.identity import Identity
from benison.engine.extract import SliceKeyExtractor, TransformedFeaturesExtractor
from benison.engine.plan import Plan
from benison.engine.stages import Extractor
from benison.engine.worst_rows import SliceFilter, WantedSlice, WorstRowsEvaluator
from benison.errors import DataError
from benison.evaluation.job import Job
from benison.paths import in_arrow, locate
from benison.table.row_files import FAILED_SLICES, RowFiles
from benison.table.slices import as_key, slice_ids
from benison.table.words import counted
from benison.validation.misses import farthest_off
from benison.validation.terms import (
    CHANGE_ABSOLUTE,
    CHANGE_RELATIVE,
    CROSS,
    FAIL,
    VALUE_LOWER,
    VALUE_UPPER,
)
from benison.validation.verdict import Verdict

_LOGGER = logging.getLogger("benison")
_MOST_ROWS, _MOST_SLICES = 100_000, 1_000
_IDENTITY = ["model", "output", "slice_key", "other_slice_key"]
_OF_SLICES = (VALUE_LOWER, VALUE_UPPER, CHANGE_ABSOLUTE, CHANGE_RELATIVE)
"""The checks whose slices are those of slicing_specs."""


def with_slice_examples(
    job: Job, outputs: dict[str, Any], engine: str, beam_options: Sequence[str], folder: str
) -> dict[str, Any]:
    """The outputs with the worst rows of the slices that failed, if the config asks for some.

    Raises:
        DataError: The data are not what they were when they were judged.
    """
    most = job.config.options.examples_per_slice
    if not most:
        return outputs
    wanted, left = _failed_slices(outputs["verdict"], min(_MOST_SLICES, _MOST_ROWS // most))
    job.more["slice_examples"] = {"per_slice": most, "slices": len(wanted), "left": left, "rows": 0}
    if not wanted:
        return outputs
    with job.timed("examples"):
        rows = _read(job, _keeper(job, wanted), engine, beam_options)
    job.more["slice_examples"]["rows"] = rows.num_rows
    path = locate(folder) / "failed.parquet"
    file_system, name = in_arrow(path)
    pq.write_table(rows, name, filesystem=file_system, compression="zstd")
    return {**outputs, FAILED_SLICES: RowFiles((path,))}


def _failed_slices(verdict: Verdict, most: int) -> tuple[list[WantedSlice], int]:
    """The slices of failed checks, the farthest off of each metric first, and how many more there are."""
    checks = [*_OF_SLICES, *(f"{CROSS}{check}" for check in _OF_SLICES)]
    is_wanted = pc.is_in(verdict.table["check"], pa.array(checks))
    failed = farthest_off(verdict.table.filter(is_wanted), (FAIL,))
    slices = {each: None for row in _firsts(failed).to_pylist() for each in _sides(row)}
    return [*slices][:most], max(0, len(slices) - most)


def _firsts(checks: pa.Table) -> pa.Table:
    """One check for each slice of each output of a model."""
    names = pc.binary_join_element_wise(
        checks["model"], checks["output"], slice_ids(checks), "\x1d"
    )
    first = np.unique(names.to_numpy(), return_index=True)[1]
    return checks.select(_IDENTITY).take(pa.array(np.sort(first)))


def _sides(row: Mapping[str, Any]) -> Iterator[WantedSlice]:
    """The slice of a check, or both of a comparison."""
    for key in (row["slice_key"], row["other_slice_key"]):
        if key is not None:
            yield WantedSlice((row["model"], row["output"]), as_key(key))


def _keeper(job: Job, wanted: list[WantedSlice]) -> WorstRowsEvaluator:
    scored = frozenset(
        (c.key.model, c.key.output)
        for c in job.plan.computations
        if c.metric.accepts == frozenset({"binary"})
    )
    columns = tuple(name for name in job.dataset.names if name not in job.dataset.refused)
    most = job.config.options.examples_per_slice
    return WorstRowsEvaluator(tuple(wanted), most, scored, columns, FAILED_SLICES)


def _read(
    job: Job, keeper: WorstRowsEvaluator, engine: str, beam_options: Sequence[str]
) -> pa.Table:
    """The rows, of data that are byte for byte those that were judged."""
    text = "All rows are read a second time, for the %d worst of each of %s that failed."
    _LOGGER.warning(text, keeper.rows, counted(len(keeper.wanted), "slice"))
    job.progress("examples", 0, job.dataset.num_rows)
    again = dataclasses.replace(
        job,
        extractors=_stages(job.plan, job.extractors, keeper),
        evaluators=[keeper],
        progress=lambda _, rows, total: job.progress("examples", rows, total) if rows else None,
        seconds={},
    )
    again.models, again.data = job.models, job.data.again()
    again.data.check_unchanged()
    if engine == "local":
        (state,) = again.run_local([keeper])
    else:
        (state,) = again.run_beam(engine, beam_options, [keeper])
    _check_same(job.data, again.data)
    table: pa.Table = keeper.result(state)[FAILED_SLICES]
    return table


def _check_same(judged: Identity, again: Identity) -> None:
    again.check_unchanged()
    if again.digest() != judged.digest():
        raise DataError(
            "The data were changed after they were judged, so the rows of failed slices are not those that "
            "failed; evaluate again."
        )


def _stages(
    plan: Plan, extractors: Sequence[Extractor], keeper: WorstRowsEvaluator
) -> list[Extractor]:
    """The extractors, with a filter before what calls models, and the slices that are wanted alone."""
    features = {tuple(sorted(name for name, _ in each.key)) for each in keeper.wanted}
    specs = tuple(spec for spec in plan.slicing_specs if spec.features in features)
    chosen = SliceFilter(specs, tuple({each.id: None for each in keeper.wanted}))
    coded = [
        SliceKeyExtractor(specs) if isinstance(e, SliceKeyExtractor) else e for e in extractors
    ]
    first = 1 if isinstance(coded[0], TransformedFeaturesExtractor) else 0
    is_own = any(isinstance(e, SliceKeyExtractor) for e in coded)
    return [*coded[:first], *([chosen] if is_own else []), *coded[first:]]
