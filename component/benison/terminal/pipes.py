# SPDX-License-Identifier: Apache-2.0
"""Output to a program that may stop reading, such as `head`, which is no fault and changes no exit code."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any


def outlive_readers() -> None:
    """Drop what this process prints after its reader has gone, or where it was started without one.

    Otherwise libraries end the process with 1 at the first line that nobody reads, which under a gate means
    "not blessed".
    """
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr)


class _LastingFile(io.FileIO):
    """A file that takes what it can no longer hand on."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return memoryview(content).nbytes


def _lasting(stream: Any) -> io.TextIOWrapper:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    stream.flush()
    file = _LastingFile(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
