# SPDX-License-Identifier: Apache-2.0
"""Arrow's own files and streams, which are mapped into memory and checked before they are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from benison.data.reading import Inspected, ReadOptions, Rules
from benison.paths import RemotePath, locate


def _open(path: str, fields: Sequence[int] | None = None) -> Any:
    """Arrow files end in a footer; Arrow streams do not."""
    location = locate(path)
    source = location.open() if isinstance(location, RemotePath) else pa.memory_map(str(location))
    options = pa.ipc.IpcReadOptions(included_fields=fields)
    try:
        return pa.ipc.open_file(source, options=options)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source, options=options)


def inspect(path: str, rules: Rules) -> Inspected:
    """The schema, and whether there is no row."""
    reader = _open(path)
    has_rows = any(batch.num_rows for batch in _all(reader))
    return Inspected(reader.schema.remove_metadata(), None if has_rows else 0)


def _all(reader: Any) -> Iterable[pa.RecordBatch]:
    """The batches of a file, one at a time, or of a stream."""
    if hasattr(reader, "num_record_batches"):
        return map(reader.get_batch, range(reader.num_record_batches))
    return reader  # type: ignore[no-any-return]


def contents(path: str) -> tuple[pa.Schema, int | None]:
    """The schema, and the number of batches, which a stream does not tell."""
    reader = _open(path)
    return reader.schema, getattr(reader, "num_record_batches", None)


def batches(path: str, names: Sequence[str], part: range | None = None) -> Iterator[pa.RecordBatch]:
    """Some columns of some batches, or of all, as the file has them; nothing is checked."""
    schema, _ = contents(path)
    reader = _open(path, [schema.get_field_index(name) for name in names])
    yield from _all(reader) if part is None else map(reader.get_batch, part)


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows. A damaged file would end the process where its offsets point elsewhere."""
    for batch in _all(_open(path)):
        chosen = batch.select(options.present(batch.schema.names))
        chosen.validate(full=True)
        for start in range(0, chosen.num_rows, options.batch_size):
            yield chosen.slice(start, options.batch_size)
