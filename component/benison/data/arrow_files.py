# SPDX-License-Identifier: Apache-2.0
"""Arrow's own files and streams, which are mapped into memory and checked before they are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from benison.data.reading import Inspected, ReadOptions, Rules
from benison.paths import RemotePath, locate


def _open(path: str) -> Any:
    """Arrow files end in a footer; Arrow streams do not."""
    location = locate(path)
    source = location.open() if isinstance(location, RemotePath) else pa.memory_map(str(location))
    try:
        return pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)


def inspect(path: str, rules: Rules) -> Inspected:
    """The schema."""
    return Inspected(_open(path).schema.remove_metadata())


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows. A damaged file would end the process where its offsets point elsewhere."""
    reader = _open(path)
    numbered = hasattr(reader, "num_record_batches")
    batches = (
        (reader.get_batch(i) for i in range(reader.num_record_batches)) if numbered else reader
    )
    for batch in batches:
        chosen = batch.select(options.present(batch.schema.names))
        chosen.validate(full=True)
        for start in range(0, chosen.num_rows, options.batch_size):
            yield chosen.slice(start, options.batch_size)
