# SPDX-License-Identifier: Apache-2.0
"""Output to a program that may stop reading, such as `head`, which is no fault, or to a disk that is full."""

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


def why_unwritten() -> str | None:
    """Why not all that this process has printed is on standard output; None where it is, or nobody reads."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _LastingFile):
        return None
    sys.stdout.flush()
    return raw.failure


class _LastingFile(io.FileIO):
    """A file that takes what it can no longer hand on."""

    failure: str | None = None
    """Why, where it is not that the reader has gone."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return memoryview(content).nbytes
        except OSError as error:
            self.failure = self.failure or error.strerror or str(error)
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
