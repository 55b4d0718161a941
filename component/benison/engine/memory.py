# SPDX-License-Identifier: Apache-2.0
"""Counts the memory that states take, and ends a run with a sentence before the machine has none left.

Most states are a few numbers for each slice. Ranks take up to 32 bytes for each score of each slice, and
functions of one's own the rows themselves; intervals have states of twenty groups of rows.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config import Options
from benison.errors import DataError

COPIES = 2
"""While states are merged the new ones, and what sorts them, are there beside the old ones."""

_SHARE = 0.8  # of the machine's memory; the rest is for data that are read ahead, and for models
_MOST = 48  # bytes that a row may add to a state, in each of its slices
_CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def bytes_of(state: Any, counted: set[int] | None = None) -> int:
    """The bytes of the arrays in a state, each counted once, however deep in tuples and dataclasses it is.

    >>> column = np.zeros(4)
    >>> bytes_of((column, {"again": column[:2]}))
    32
    """
    counted = set() if counted is None else counted
    if isinstance(state, np.ndarray) and isinstance(state.base, np.ndarray):
        state = state.base  # which stays as long as what looks at it
    if id(state) in counted:
        return 0
    counted.add(id(state))
    if isinstance(state, np.ndarray | pa.Array | pa.ChunkedArray | pa.RecordBatch | pa.Table):
        return int(state.nbytes)
    return sum(bytes_of(part, counted) for part in _parts(state))


def _parts(state: Any) -> Iterable[Any]:
    if isinstance(state, dict):
        return state.values()
    if isinstance(state, tuple | list | set | frozenset):
        return state
    return vars(state).values() if dataclasses.is_dataclass(state) else ()


@functools.cache
def of_machine() -> float:
    """The bytes of memory of this machine, or of the container around this process; infinite if unknown."""
    known = [float("inf")]
    for path in _CGROUP:
        text = Path(path).read_text().strip() if Path(path).is_file() else ""
        known += [float(text)] if text.isdigit() else []
    names = getattr(os, "sysconf_names", {})
    if {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names):
        known.append(float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))
    return min(known)


def limit_of(options: Options) -> float:
    """The bytes that states may take while they are merged: `memory_limit`, or most of what there is."""
    return float(options.memory_limit) or _SHARE * of_machine()


@dataclasses.dataclass(frozen=True)
class Used:
    """The bytes that states take.

    Attributes:
        of: Those of states by the names of the metrics that they are of.
        spare: What is needed beside them while they are merged, and while values are made.
    """

    of: dict[str, int]
    spare: int = 0

    @classmethod
    def joined(cls, parts: Iterable[Used], spare: int) -> Used:
        """That of several groups of rows."""
        total: collections.Counter[str] = collections.Counter()
        for part in parts:
            total.update(part.of)
        return cls(dict(total), spare)

    @property
    def total(self) -> int:
        """All bytes that are held."""
        return sum(self.of.values())

    @property
    def needed(self) -> int:
        """All bytes."""
        return self.total + self.spare

    @property
    def largest(self) -> str:
        """The metrics that take most."""
        return max(self.of, key=lambda names: self.of[names])


class MemoryLimitError(DataError):
    """States need more memory than they may take."""


class Budget:
    """What states may take, and how much may have come since they were last counted."""

    def __init__(self, options: Options) -> None:
        self._whole = self.limit = limit_of(options)
        self._uncounted = 0.0

    def share(self, parts: int) -> None:
        """Leave as much to each of the other parts."""
        self.limit = self._whole / parts

    def is_due(self, memberships: int) -> bool:
        """Whether to count again, after more rows in slices, each counted for each state that takes it in."""
        self._uncounted += _MOST * memberships
        due = self._uncounted * 8 > self.limit
        if due:
            self._uncounted = 0.0
        return due

    def allows(self, used: Used) -> bool:
        """Whether states are within the limit."""
        return used.needed <= self.limit

    def check(self, used: Used, rows: int, slices: int) -> None:
        """Refuse states beyond the limit, of so many rows and slices.

        Raises:
            MemoryLimitError: With the bytes, and the metrics that take most of them.
        """
        if self.allows(used):
            return
        raise MemoryLimitError(
            f"After {rows:,} rows the metrics of {slices:,} slices need {_text(used.needed)} of memory, most "
            f"of it for {used.largest}, and may take {_text(self.limit)}. A metric of ranks takes 32 bytes "
            f"for each distinct score of each slice. Ask for fewer slices or metrics, round the scores, "
            f"leave out intervals, or say how much there is with options: {{memory_limit: BYTES}}."
        )


def _text(size: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} bytes"
