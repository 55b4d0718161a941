# SPDX-License-Identifier: Apache-2.0
"""Advises on results that are right but say little, as of slices of one example or of few labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benison.data.dataset import Dataset
from benison.engine.row_key_sample import SHARED_KEYS
from benison.table.words import counted

# Slices of one example are an id's if they are many, and nearly all there are.
_MANY = 1_000
_SHARE = 0.9
_MUCH_MISSING = 0.1


def advice(
    metrics: pa.Table, rows: int, missing: Mapping[str, int], small: int = 0, least: int = 1
) -> list[str]:
    """Sentences on what the results rest on, where that is less than it looks.

    Args:
        metrics: As in metrics.parquet.
        rows: The rows of the data.
        missing: How many labels and predictions are missing, by `labels/model/output`.
        small: How many slices are in no output, as they have fewer rows than `least`.
        least: options.min_slice_size.
    """
    return [*_ids_among_slices(metrics), *_much_missing(rows, missing), *_hidden(small, least)]


def shared_keys(row_key: Sequence[str], outputs: Mapping[str, Any]) -> list[str]:
    """A sentence on rows that options.row_key does not tell apart, from what the evaluators gave."""
    shared, rows = outputs.get(SHARED_KEYS, (0, 0))
    if not shared:
        return []
    return [
        f"{shared:,} of {rows:,} rows that were looked at share their options.row_key "
        f"({', '.join(row_key)}) with another. What rests on blocks, halves or samples of rows takes these "
        "together, and says little or nothing where they are many: name columns that tell rows apart."
    ]


def only_missing(dataset: Dataset, columns: Sequence[str] | None) -> list[str]:
    """A sentence on columns of a CSV file that hold no value, but perhaps words for none."""
    read = dataset.schema.names if columns is None else columns
    empty = [
        n
        for n in read
        if n in dataset.schema.names and pa.types.is_null(dataset.schema.field(n).type)
    ]
    if dataset.format != "csv" or not empty:
        return []
    return [
        f"Every cell of {', '.join(map(repr, empty))} is empty, or a word such as NA, null or nan, and so "
        f"missing. If these are values, say so: options: {{column_types: {{{empty[0]}: string}}}}."
    ]


def _hidden(small: int, least: int) -> list[str]:
    """A sentence on slices that are in no output."""
    if not small:
        return []
    have = "has fewer" if small == 1 else "have fewer"
    are = "is" if small == 1 else "are"
    return [
        f"{counted(small, 'slice')} {have} than {least:,} examples and {are} in no output, as "
        "options.min_slice_size says."
    ]


def _much_missing(rows: int, missing: Mapping[str, int]) -> list[str]:
    """Sentences on any missing predictions, and on labels from a tenth on; one for equal models."""
    counts: dict[tuple[str, int], list[str]] = {}
    for what, count in missing.items():
        role, _, of = what.partition("/")
        if count >= (_MUCH_MISSING * rows if role == "labels" else 1):
            counts.setdefault((role, count), []).append(of)
    return [
        f"{count:,} of {rows:,} {role}{_of(names)} are missing. What looks at {role} "
        f"{'rests on the other rows alone' if role == 'labels' else 'is undefined where one is missing'}."
        for (role, count), names in counts.items()
    ]


def _of(names: list[str]) -> str:
    named = [name for name in names if name]
    return f" of {', '.join(named)}" if named else ""


def _ids_among_slices(metrics: pa.Table) -> list[str]:
    """A sentence on slices of one example each, which an id among the slice features makes."""
    if not metrics.num_rows:
        return []
    same = pc.and_(pc.equal(metrics["kind"], "value"), pc.is_null(metrics["other_slice_key"]))
    for column in ("metric", "model", "output"):
        same = pc.and_(same, pc.equal(metrics[column], metrics[column][0]))
    slices = metrics.filter(same)
    alone = slices.filter(pc.equal(slices["examples"], 1))
    if alone.num_rows < _MANY or alone.num_rows < _SHARE * slices.num_rows:
        return []
    keys = alone["slice_key"].slice(0, _MANY).to_pylist()
    features = Counter(", ".join(str(part["feature"]) for part in key) for key in keys)
    ((usual, _),) = features.most_common(1)
    return [
        f"{alone.num_rows:,} of {slices.num_rows:,} slices have one example each, most of them of {usual}. "
        f"Nothing can be told from one example: take {usual} out of slicing_specs, or leave small slices out "
        "with options: {min_slice_size: 30}."
    ]
