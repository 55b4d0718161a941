# SPDX-License-Identifier: Apache-2.0
"""Turns the elements of a collection into batches: RecordBatches, tf.Examples, or dicts of a row each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from benison.data import schemas, tf_examples
from benison.data.reading import Inspected
from benison.data.tf_examples import RAW_RECORD
from benison.errors import DataError

SOURCE = "The collection"
"""How messages call the data."""


@dataclasses.dataclass(frozen=True)
class Kinds:
    """What the elements of a collection hold, over all of them.

    Attributes:
        schema: The columns with the types for all rows.
        refused: The columns that have no type for all, and why.
        serialized: Whether the elements are tf.Examples.
    """

    schema: pa.Schema
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    serialized: bool = False

    @classmethod
    def of(cls, elements: Sequence[Any]) -> Kinds:
        """Of some elements."""
        batches = list(as_batches(elements))
        columns = [batch.schema.remove_metadata() for batch in batches]
        kinds = [
            c.remove(c.get_field_index(RAW_RECORD)) if RAW_RECORD in c.names else c for c in columns
        ]
        parts = [cls(kind, {}, kind is not c) for kind, c in zip(kinds, columns, strict=True)]
        return cls(pa.schema([])).merge(*parts)

    def merge(self, *others: Kinds) -> Kinds:
        """Of the elements of all."""
        parts = (self, *others)
        schema, refused = schemas.unified((SOURCE, Inspected(part.schema)) for part in parts)
        known = {name: why for part in parts for name, why in part.refused.items()}
        return Kinds(schema, {**known, **refused}, any(part.serialized for part in parts))


def is_example(element: Any) -> bool:
    """Whether an element is a tf.Example."""
    return not isinstance(element, pa.RecordBatch | pa.Table | Mapping)


def rows_of(element: Any) -> int:
    """The rows of an element."""
    return int(element.num_rows) if isinstance(element, pa.RecordBatch | pa.Table) else 1


def as_batches(
    elements: Iterable[Any], columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of elements, in batches whose types are their own.

    Args:
        elements: Each a RecordBatch, a Table, a tf.Example as bytes or message, or a dict.
        columns: What is taken of dicts; None is all.

    Raises:
        DataError: An element is something else, or holds values that have no type together.
    """
    rows: list[Mapping[str, Any]] = []
    examples: list[bytes] = []
    for element in elements:
        if isinstance(element, pa.RecordBatch):
            yield element
        elif isinstance(element, pa.Table):
            yield from element.to_batches()
        elif isinstance(element, Mapping):
            rows.append(element)
        else:
            examples.append(_serialized(element))
    if rows:
        yield _of_dicts(rows, columns)
    if examples:
        yield tf_examples.decoded(examples, SOURCE)


def _serialized(element: Any) -> bytes:
    if isinstance(element, bytes):
        return element
    if hasattr(element, "SerializeToString") and hasattr(element, "features"):
        return bytes(element.SerializeToString())
    raise DataError(
        f"An element of the collection is a {type(element).__name__}; it can be a pyarrow.RecordBatch, a "
        f"tf.Example (its bytes or the message), or a dict with the values of a row."
    )


def _of_dicts(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None) -> pa.RecordBatch:
    known = dict.fromkeys(name for row in rows for name in row)
    names = [*known] if columns is None else [name for name in columns if name in known]
    return pa.RecordBatch.from_arrays([_column(rows, name) for name in names], names)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> pa.Array:
    values = [row.get(name) for row in rows]
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        kinds = sorted({type(value).__name__ for value in values} - {"NoneType"})
        raise DataError(
            f"{SOURCE}: column {name!r} holds {', '.join(kinds)}, which have no type together. Give every "
            f"row the same type."
        ) from error
