# SPDX-License-Identifier: Apache-2.0
"""Predicts on changed examples: the same rows with some features replaced."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pyarrow as pa

from benison.config import VariantSpec
from benison.errors import DataError


@dataclasses.dataclass(frozen=True)
class Variant:
    """A change of batches: `columns` are those that it reads, `change` gives the changed batch."""

    name: str
    columns: tuple[str, ...]
    change: Callable[[pa.RecordBatch], pa.RecordBatch]

    @classmethod
    def of(cls, spec: VariantSpec) -> Variant:
        """The variant that a config asks for."""
        columns = sorted({*spec.copy_from, *spec.copy_from.values(), *spec.set_to})
        return cls(spec.name, tuple(columns), Replace(spec.copy_from, spec.set_to))


@dataclasses.dataclass(frozen=True)
class Replace:
    """Gives features the values of other columns, or one value in all rows."""

    copy_from: Mapping[str, str]
    set_to: Mapping[str, str]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        changed = {feature: columns[source] for feature, source in self.copy_from.items()}
        for feature, text in self.set_to.items():
            changed[feature] = _constant(feature, text, columns[feature].type, batch.num_rows)
        return pa.RecordBatch.from_pydict(columns | changed)


def _constant(feature: str, text: str, kind: pa.DataType, rows: int) -> pa.Array:
    """One value in every row, of the type that the feature has."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    try:
        value = pa.array([text]).cast(kind.value_type if is_list else kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"{text!r} of a variant's set_to is no value of the column {feature!r}, which holds {kind}."
        ) from error
    values = value.take(pa.array([0] * rows, pa.int64()))
    if not is_list:
        return values
    return pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), values).cast(kind)
