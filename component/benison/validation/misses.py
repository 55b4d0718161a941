# SPDX-License-Identifier: Apache-2.0
"""Orders checks by how far each is beyond its bound, so that every surface shows the worst first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.batch import Array, Index
from benison.table.alike import alike, few_of
from benison.validation.terms import LOWER

_FEW = 16  # subjects among which it is faster to look for each one's farthest than to sort all
_JUDGED = ["metric", "kind", "check", "change", "value", "side", "bound"]


def misses(table: pa.Table) -> Array:
    """How far each check is beyond its bound: float64[N], below 0 within it, infinite if undefined.

    Args:
        table: Rows of checks.parquet.
    """
    kinds = pc.ends_with(table["check"], "_relative"), pc.ends_with(table["check"], "_absolute")
    judged = pc.if_else(pc.or_(*kinds), table["change"], table["value"])
    sign = pc.if_else(pc.equal(table["side"], LOWER), 1.0, -1.0)
    beyond: Array = pc.multiply(sign, pc.subtract(table["bound"], judged)).to_numpy()
    return np.where(np.isnan(beyond), np.inf, beyond)


def farthest_off(table: pa.Table, outcomes: Sequence[str], most: int | None = None) -> pa.Table:
    """The checks with one of the outcomes, in the order of these, then by metric, the farthest off first.

    Args:
        table: Rows of checks.parquet.
        outcomes: Those wanted.
        most: How many are taken, of one metric as many as of another; None takes all.
    """
    kind = pc.index_in(table["outcome"], value_set=pa.array(outcomes, pa.string()))
    rows = np.flatnonzero(pc.is_valid(kind).to_numpy())
    kind = pc.drop_null(kind).to_numpy()
    judged = table.select(_JUDGED)  # to move keys of slices takes far longer
    judged = judged if len(rows) == len(judged) else judged.take(pa.array(rows))
    subjects, codes = alike(judged, ("metric", "kind", "check"))
    subject = codes + subjects.num_rows * kind
    off = misses(judged)
    near = np.arange(len(off)) if most is None else _nearest(off, subject, most)
    order = near[np.lexsort((-off[near], subject[near]))]
    first = np.searchsorted(subject[order], subject[order])  # of the same subject
    rank = np.arange(len(order)) - first
    chosen = np.sort(np.lexsort((rank, kind[order]))[:most])
    return few_of(table, rows[order[chosen]])


def _nearest(off: Array, subject: Index, most: int) -> Index:
    """The rows among which are the `most` farthest off of each subject; all where there are many subjects."""
    subjects = np.unique(subject)
    if len(subjects) > _FEW:
        return np.arange(len(off))
    is_near = np.zeros(len(off), np.bool_)
    for each in subjects:
        own = subject == each
        if np.count_nonzero(own) > most:
            own &= off >= np.partition(off[own], -most)[-most]
        is_near |= own
    return np.flatnonzero(is_near)
