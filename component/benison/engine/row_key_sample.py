# SPDX-License-Identifier: Apache-2.0
"""Looks at the keys of some rows, of which each should be one row's alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benison.data.batch import Extracts
from benison.data.mixing import Numbers

SHARED_KEYS = "shared_row_keys"
"""The output key: how many of the rows that were looked at share their key, and how many these are."""
_MOST = 1024


@dataclasses.dataclass(frozen=True)
class RowKeyEvaluator:
    """Keeps the smallest numbers of rows, which their keys give them: the same however rows are split."""

    columns: tuple[str, ...] = ()
    outputs: tuple[str, ...] = (SHARED_KEYS,)
    stage_name: str = "KeepRowKeys"
    run_after: str = "ExtractSliceKeys"
    concurrent: bool = True

    def zero(self) -> Numbers:
        """No rows."""
        return np.zeros(0, np.uint64)

    def add(self, state: Numbers, extracts: Extracts) -> Numbers:
        """The state with the rows of one more batch; without numbers, which nothing needs then, the same."""
        if "row_numbers" not in extracts:
            return state
        numbers = extracts["row_numbers"].to_numpy(zero_copy_only=False)
        return self.merge(state, np.asarray(numbers, np.uint64))

    def merge(self, state: Numbers, other: Numbers) -> Numbers:
        """The state of both."""
        numbers = np.concatenate([state, other])
        return np.partition(numbers, _MOST - 1)[:_MOST] if len(numbers) > _MOST else numbers

    def result(self, state: Numbers) -> dict[str, Any]:
        """How many of the rows share their key."""
        _, counts = np.unique(state, return_counts=True)
        return {SHARED_KEYS: (int(counts[counts > 1].sum()), len(state))}
