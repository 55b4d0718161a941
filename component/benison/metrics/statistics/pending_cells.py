# SPDX-License-Identifier: Apache-2.0
"""Keys of cells that wait to be added up, and how they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index
from benison.slicing.codes import grouped_sum


class Pending(NamedTuple):
    """Keys that wait to be added up, and their sums (1 each when None).

    All of them are in the slice `into` too, which is Overall then; -1 is no slice.
    """

    keys: Index
    sums: Array | None
    into: int = -1

    def expanded(self, width: int) -> Iterator[Pending]:
        """The same without `into`."""
        yield Pending(self.keys, self.sums)
        if self.into >= 0:
            yield Pending(self.keys % width + self.into * width, self.sums)


def neighbours(pending: Sequence[Pending], width: int) -> Iterator[tuple[int, int, list[Pending]]]:
    """Runs of keys of the same slices, together, with the first key of these and one more than the last.

    The slices of a slicing spec have neighbouring numbers, so those of a spec overlap and those of two
    specs mostly do not. Added up spec by spec, each table is no larger than its slices.
    """
    slices = (
        (int(of.keys.min()) // width, int(of.keys.max()) // width + 1, i)
        for i, of in enumerate(pending)
    )
    group: list[Pending] = []
    first = last = 0
    for low, high, i in sorted(slices):
        if group and low >= last:
            yield first * width, last * width, group
            group = []
        first, last = (first, max(last, high)) if group else (low, high)
        group.append(pending[i])
    if group:
        yield first * width, last * width, group


def joined(pending: Sequence[Pending], weighted: bool) -> Pending | None:
    """All that has weights, or all that has none, as one; None where nothing has."""
    chosen = [of for of in pending if (of.sums is not None) is weighted]
    if not chosen:
        return None
    keys = np.concatenate([of.keys for of in chosen], dtype=np.int64)
    sums = [of.sums for of in chosen if of.sums is not None]
    return Pending(keys, np.concatenate(sums) if weighted else None)


def table_of(runs: Sequence[Pending], low: int, high: int, weighted: bool) -> npt.NDArray[Any]:
    """The sums of the keys from `low` up, below `high`: float64, or int64 where each counts 1."""
    # As bincount wants them: it takes twice the time for 32 bits, which it converts.
    keys = np.concatenate([of.keys for of in runs], dtype=np.int64)
    keys -= low
    if not weighted:
        # Whole numbers are added as they are, as to copy a table costs more than to sum it up.
        return np.bincount(keys, minlength=high - low)
    weights = np.concatenate([of.sums for of in runs if of.sums is not None])
    return grouped_sum(keys, weights, high - low)
