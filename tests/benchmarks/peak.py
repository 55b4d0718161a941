# SPDX-License-Identifier: Apache-2.0
"""The most memory that this process has had."""

from __future__ import annotations

import re
import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """What Linux says of a process in `ru_maxrss` counts the process too that has started it."""
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (kilobytes,) = re.findall(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())
    return int(kilobytes) * 1024


def peak_mb() -> float:
    """The same in MB."""
    return peak_bytes() / 2**20
