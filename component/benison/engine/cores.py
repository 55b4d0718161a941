# SPDX-License-Identifier: Apache-2.0
"""Says on how many threads the local engine adds up: as many as asked for, else on one."""

from __future__ import annotations

import math
import os
from pathlib import Path

from benison.errors import ConfigError

VARIABLE = "BENISON_THREADS"
"""The environment variable that is asked where nobody says how many."""

_MOST = 8  # of 0: each has states and a batch of its own, and all wait for one reader
_CGROUP = Path("/sys/fs/cgroup")


def threads_of(asked: int | None = None) -> int:
    """How many threads to add up on.

    Args:
        asked: What the user says; 0 is one for each core. None is what `VARIABLE` says, else 1: two threads
            take more processor time and, where one reader feeds both, no less time.

    Raises:
        ConfigError: It is no whole number from 0 up.
    """
    if asked is not None:
        return _checked("threads", asked)
    text = os.environ.get(VARIABLE, "").strip()
    if text:
        return _checked(VARIABLE, int(text) if text.isdecimal() else text)
    return 1


def _checked(path: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError([(path, f"is a whole number from 0 up, not {value!r}.")])
    return value or min(cores(), _MOST)


def cores(cgroup: Path = _CGROUP) -> int:
    """The cores that this process may use: those it is bound to, and no more than its container's quota.

    Args:
        cgroup: Where Linux says what the container around this process may use.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    bound = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(bound, math.ceil(_quota(cgroup))))


def _quota(cgroup: Path) -> float:
    """The cores of a container's quota; as many as there may be where it has none."""
    share, period = _words(cgroup / "cpu.max"), 0.0  # version 2: "150000 100000", or "max 100000"
    if len(share) != 2:  # version 1
        share = _words(cgroup / "cpu/cpu.cfs_quota_us") + _words(cgroup / "cpu/cpu.cfs_period_us")
    if len(share) == 2 and all(word.isdigit() for word in share):
        period = float(share[1])
    return float(share[0]) / period if period else 2.0**31


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except (OSError, ValueError):
        return []
