# SPDX-License-Identifier: Apache-2.0
"""ORC files, which are read stripe by stripe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from benison.data.reading import Inspected, ReadOptions, Rules
from benison.paths import in_arrow


def _open(path: str) -> Any:
    from pyarrow import orc

    file_system, name = in_arrow(path)
    return orc.ORCFile(file_system.open_input_file(name))


def inspect(path: str, rules: Rules) -> Inspected:
    """The schema and the rows of the footer."""
    file = _open(path)
    return Inspected(file.schema.remove_metadata(), file.nrows)


def read(path: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """The rows."""
    file = _open(path)
    present = options.present(file.schema.names)
    for number in range(file.nstripes):
        stripe = file.read_stripe(number, columns=present).select(present)
        for start in range(0, stripe.num_rows, options.batch_size):
            yield stripe.slice(start, options.batch_size)
