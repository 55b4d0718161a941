# SPDX-License-Identifier: Apache-2.0
"""Makes rows of checks.parquet, many at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.config.fields import POINT
from benison.data.batch import Array
from benison.evidence.tails import student_quantile
from benison.slicing.keys import SLICE_KEY
from benison.table.key import SLICE_RATIO, VIEW_COLUMNS, Key
from benison.table.schema import CHECKS_SCHEMA
from benison.validation.gates import Gated, Settled
from benison.validation.rows import PLAIN_KINDS, UNKNOWN, Values
from benison.validation.rules import Judged, Rule
from benison.validation.terms import CHANGE_RELATIVE, CROSS

_MOST_DF = 1e9
"""Degrees of freedom from which Student's t is the normal distribution."""


def rows_of(
    values: Values,
    rule: Rule,
    judged: Judged,
    notes: Sequence[str | None],
    level: float = 0.95,
    evidence: str = POINT,
) -> pa.RecordBatch:
    """The rows of checks.parquet of a rule on values.

    Args:
        values: What is judged.
        rule: By which.
        judged: What came of it.
        notes: Sentences where the numbers do not make them.
        level: The confidence of the intervals.
        evidence: What the threshold asks for.
    """
    size, key = len(values), values.key
    ends = _interval(values, rule, judged, level)
    rests_on = values.rests_on(rule.is_change)
    shared = {of: pa.repeat(pa.scalar(of), size) for of in dataclasses.astuple(key)}
    columns: dict[str, Any] = {
        **{name: shared[getattr(key, name)] for name in VIEW_COLUMNS},
        "slice": values.slices.name_array,
        "slice_key": values.slices.key_array,
        "other_slice_key": values.slices.other_array,
        "metric": shared[key.metric],
        "kind": _kinds(key, values),
        "check": pc.if_else(pa.array(values.slices.plain), rule.check, CROSS + rule.check),
        "side": pa.repeat(pa.scalar(rule.side), size),
        "bound": pa.repeat(pa.scalar(float(rule.bound)), size),
        "value": values.value,
        "lower": ends[0],
        "upper": ends[1],
        "baseline": values.baseline,
        "change": judged.change,
        "outcome": pa.array(judged.outcome, pa.string()),
        "evidence": pa.repeat(pa.scalar(evidence), size),
        "zone": pa.array(judged.zone, pa.string()),
        "examples": values.examples,
        "evaluated": pa.array(rests_on, mask=rests_on == UNKNOWN),
        "note": pa.array(notes, pa.string()),
        "level": np.full(size, level),
    }
    return _batch(columns, size)


def gated_rows(gated: Gated, settled: Settled, level: float) -> pa.RecordBatch:
    """The rows of checks.parquet of checks that evidence has decided."""
    judged = dataclasses.replace(gated.judged, outcome=settled.outcome, zone=settled.zone)
    made = rows_of(gated.values, gated.rule, judged, gated.notes, level, gated.evidence)
    columns: dict[str, Any] = {name: made[name] for name in made.schema.names} | settled.numbers
    for name, numbers in settled.counts.items():
        whole = np.nan_to_num(numbers).astype(np.int64)
        columns[name] = pa.array(whole, mask=np.isnan(numbers))
    return _batch(columns, made.num_rows)


def _interval(values: Values, rule: Rule, judged: Judged, level: float) -> tuple[Array, Array]:
    """Both ends of the interval of what is judged."""
    if rule.check == CHANGE_RELATIVE:
        df = np.where(np.isnan(values.change_df), _MOST_DF, values.change_df)
        reach = student_quantile((1 - level) / 2, np.minimum(df, _MOST_DF)) * values.relative_error
        return judged.change - reach, judged.change + reach
    if rule.is_change:
        return values.change_lower, values.change_upper
    return values.lower, values.upper


def _kinds(key: Key, values: Values) -> pa.Array:
    if key.kind == SLICE_RATIO:
        return pa.repeat(pa.scalar(SLICE_RATIO), len(values))
    return pc.if_else(pa.array(values.slices.plain), *PLAIN_KINDS)


def _batch(columns: dict[str, Any], size: int) -> pa.RecordBatch:
    """A batch of checks.parquet; numbers that are not given are NaN or null."""
    arrays, undefined = [], pa.repeat(pa.scalar(math.nan), size)
    for field in CHECKS_SCHEMA:
        if field.name in columns:
            column = columns[field.name]
            arrays.append(column if isinstance(column, pa.Array) else pa.array(column, field.type))
        elif field.nullable:
            arrays.append(pa.nulls(size, field.type))
        else:
            arrays.append(undefined)
    return pa.RecordBatch.from_arrays(arrays, schema=CHECKS_SCHEMA)


def absent_row(key: Key, what: str, check: str, outcome: str, note: str) -> pa.RecordBatch:
    """The row of a check about slices that have no value; `what` is how they are called."""
    texts = {**dataclasses.asdict(key), "slice": what, "check": check, "outcome": outcome}
    texts |= {"side": "", "evidence": POINT, "zone": "", "note": note}
    columns: dict[str, Any] = {name: [value] for name, value in texts.items()}
    columns |= {"slice_key": pa.array([[]], SLICE_KEY), "examples": [0]}
    return _batch(columns, 1)
