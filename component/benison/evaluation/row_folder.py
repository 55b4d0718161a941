# SPDX-License-Identifier: Apache-2.0
"""Where rows wait in files until they are put into an output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benison.engine.workers import Workers
from benison.errors import OutputError
from benison.output import directory
from benison.paths import locate


@contextmanager
def row_folder(workers: Workers, output: str | os.PathLike[str] | None) -> Iterator[str]:
    """A folder that all workers reach, beside the output where it is on this machine."""
    shared = workers.temp_location
    beside = locate(shared, OutputError) / "rows" if shared else None
    if beside is None and output is not None:
        path = locate(output, OutputError)
        beside = path if isinstance(path, Path) else None
    with directory.scratch(beside) as folder:
        yield str(folder)
