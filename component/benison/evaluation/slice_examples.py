# SPDX-License-Identifier: Apache-2.0
"""Reads the data a second time for the rows of failed slices on which a model is worst, or became worse."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benison.data.batch import Target
from benison.data.identity import Identity
from benison.engine.extract import SliceKeyExtractor, TransformedFeaturesExtractor
from benison.engine.plan import Plan
from benison.engine.stages import Extractor
from benison.engine.workers import Workers
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
_BASELINE = "by_baseline"


def _also_across(*checks: str) -> pa.Array:
    """Checks of slices, and the same of comparisons of them."""
    return pa.array([*checks, *(f"{CROSS}{check}" for check in checks)])


_CHANGES = _also_across(CHANGE_ABSOLUTE, CHANGE_RELATIVE)
_OF_SLICES = _also_across(VALUE_LOWER, VALUE_UPPER, CHANGE_ABSOLUTE, CHANGE_RELATIVE)
"""The checks whose slices are those of slicing_specs."""


def with_slice_examples(
    job: Job, outputs: dict[str, Any], workers: Workers, folder: str
) -> dict[str, Any]:
    """The outputs with the worst rows of the slices that failed, if the config asks for some.

    Raises:
        DataError: The data are not what they were when they were judged.
    """
    most = job.config.options.examples_per_slice
    if not most:
        return outputs
    every = _failed_slices(job.plan, outputs["verdict"])
    wanted = every[: min(_MOST_SLICES, _MOST_ROWS // most)]
    slices, left = _slices(wanted), _slices(every) - _slices(wanted)
    facts = {"per_slice": most, "slices": len(slices), "left": len(left), "rows": 0}
    job.more["slice_examples"] = facts
    if not wanted:
        return outputs
    with job.timed("examples"):
        rows = _read(job, _keeper(job, wanted), workers)
    job.more["slice_examples"]["rows"] = rows.num_rows
    path = locate(folder) / "failed.parquet"
    file_system, name = in_arrow(path)
    pq.write_table(rows, name, filesystem=file_system, compression="zstd")
    return {**outputs, FAILED_SLICES: RowFiles((path,))}


def _failed_slices(plan: Plan, verdict: Verdict) -> list[WantedSlice]:
    """The slices of failed checks, the farthest off of each metric first.

    One of which values and changes from the baseline failed is there for the ones and for the others.
    """
    checks = verdict.table.filter(pc.is_in(verdict.table["check"], _OF_SLICES))
    failed = farthest_off(checks, (FAIL,))
    failed = failed.append_column(_BASELINE, _is_by_baseline(plan, failed))
    name = "" if plan.comparison is None else plan.comparison.baseline
    rows = _firsts(failed).to_pylist()
    return [*dict.fromkeys(s for row in rows for s in _sides(row, name))]


def _is_by_baseline(plan: Plan, checks: pa.Table) -> pa.Array:
    """Which checks are about what changed from the baseline, in a value or in a metric of two models."""
    paired = [c.key.metric for c in plan.computations if c.metric.needs_baseline]
    is_paired = pc.is_in(checks["metric"], pa.array(paired, pa.string()))
    # A changed input is seen beside the model's own predictions.
    is_paired = pc.and_(is_paired, pc.equal(checks["variant"], ""))
    return pc.or_(pc.is_in(checks["check"], _CHANGES), is_paired)


def _slices(wanted: Sequence[WantedSlice]) -> set[tuple[Target, str]]:
    return {(each.target, each.id) for each in wanted}


def _firsts(checks: pa.Table) -> pa.Table:
    """One check of each kind for each slice of each output of a model."""
    kind = checks[_BASELINE].cast(pa.string())
    columns = (checks["model"], checks["output"], slice_ids(checks), kind)
    names = pc.binary_join_element_wise(*columns, "\x1d")
    first = np.unique(names.to_numpy(), return_index=True)[1]
    return checks.select([*_IDENTITY, _BASELINE]).take(pa.array(np.sort(first)))


def _sides(row: Mapping[str, Any], baseline: str) -> Iterator[WantedSlice]:
    """The slice of a check, or both of a comparison."""
    for key in (row["slice_key"], row["other_slice_key"]):
        if key is not None:
            by = baseline if row[_BASELINE] else ""
            yield WantedSlice((row["model"], row["output"]), as_key(key), by)


def _keeper(job: Job, wanted: list[WantedSlice]) -> WorstRowsEvaluator:
    scored = frozenset(
        (c.key.model, c.key.output)
        for c in job.plan.computations
        if c.metric.accepts == frozenset({"binary"})
    )
    columns = tuple(name for name in job.dataset.names if name not in job.dataset.refused)
    most = job.config.options.examples_per_slice
    return WorstRowsEvaluator(tuple(wanted), most, scored, columns, FAILED_SLICES)


def _read(job: Job, keeper: WorstRowsEvaluator, workers: Workers) -> pa.Table:
    """The rows, of data that are byte for byte those that were judged."""
    text = "All rows are read a second time, for the %d of each failed slice with %s."
    _LOGGER.warning(text, keeper.rows, _words(keeper))
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
    (state,) = again.states(workers, [keeper])
    _check_same(job.data, again.data)
    table: pa.Table = keeper.result(state)[FAILED_SLICES]
    return table


def _words(keeper: WorstRowsEvaluator) -> str:
    """By what rows are looked for in how many slices."""
    slices = Counter(each.baseline for each in keeper.wanted)
    parts = (
        f"the largest {f'increase of error from {name}' if name else 'error'} ({counted(number, 'slice')})"
        for name, number in slices.items()
    )
    return " and with ".join(parts)


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
