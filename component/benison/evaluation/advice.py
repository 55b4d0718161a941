# SPDX-License-Identifier: Apache-2.0
"""Advises on results that are right but say little, such as many slices of one example."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

# Slices of one example are an id's if they are many, and nearly all there are.
_MANY = 1_000
_SHARE = 0.9


def advice(metrics: pa.Table) -> list[str]:
    """Sentences on slices of one example each, which an id among the slice features makes.

    Args:
        metrics: As in metrics.parquet.
    """
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
