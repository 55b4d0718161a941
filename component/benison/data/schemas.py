# SPDX-License-Identifier: Apache-2.0
"""The schema of a dataset from those of its files, its folders and its config."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_

import numpy as np
import pyarrow as pa

from benison.data import csv_files
from benison.data.reading import TEXT, Inspected, Rules
from benison.data.text_cells import as_numbers, type_of
from benison.data.values import is_list, is_number
from benison.data.widening import unify

Values = tuple[tuple[str, str | None], ...]
"""The names and values in the folders of a file, as `region=a`; None is a missing value."""


def unified(files: Iterable[tuple[str, Inspected]]) -> tuple[pa.Schema, dict[str, str]]:
    """The columns of all files with the types for all, and those that have none, with the reason.

    A file without rows has columns that others lack, and changes the type of none.
    """
    types: dict[str, tuple[pa.DataType, str]] = {}
    refused: dict[str, str] = {}
    for path, inspected in sorted(files, key=lambda file: file[1].rows == 0):
        names = inspected.schema.names
        for field in inspected.schema:
            known, other = types.get(field.name, (pa.null(), path))
            is_known = inspected.rows == 0 and field.name in types
            kind = known if is_known else unify(known, _storage(field.type))
            if names.count(field.name) > 1:
                several = f"{path} has several columns named {field.name!r}. Rename all but one."
                refused.setdefault(field.name, several)
            elif kind is None:
                refused.setdefault(
                    field.name,
                    f"Column {field.name!r} is {known} in {other} and {field.type} in {path}. Evaluate "
                    f"files of one schema.",
                )
            else:
                types[field.name] = (kind, path)
    usable = [(name, kind) for name, (kind, _) in types.items() if name not in refused]
    return pa.schema(usable), refused


def _storage(kind: pa.DataType) -> pa.DataType:
    """The type in which values are read: without an extension, and without runs."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_run_end_encoded(kind) else kind


def with_types(schema: pa.Schema, types: Mapping[str, pa.DataType], add: bool = False) -> pa.Schema:
    """The schema with the types that the config gives; a type is that of the values of lists.

    Args:
        schema: Of the data.
        types: By column.
        add: Whether columns that no row has had yet are added.
    """
    fields = [pa.field(f.name, _given(f.type, types.get(f.name, f.type))) for f in schema]
    new = [name for name in types if name not in schema.names] if add else []
    return pa.schema([*fields, *(pa.field(name, types[name]) for name in new)])


def _given(kind: pa.DataType, given: pa.DataType) -> pa.DataType:
    return pa.large_list(given) if is_list(kind) and not is_list(given) else given


def of_folders(files: Sequence[Values]) -> tuple[list[pa.Field], frozenset[str]]:
    """The columns that the names of folders give, and those of them that are sliced as text."""
    cells: dict[str, dict[str, None]] = {}
    for values in files:
        for name, text in values:
            cells.setdefault(name, {}).update({} if text is None else {text: None})
    types = {name: type_of(pa.array(list(texts), pa.string())) for name, texts in cells.items()}
    # NA alone may be Namibia, and is text as it is beside others.
    kinds = {n: pa.string() if cell.type == pa.null() else cell.type for n, cell in types.items()}
    fields = [pa.field(name, kind) for name, kind in kinds.items()]
    texts = {n for n, cell in types.items() if is_number(cell.type) and not cell.exact}
    return fields, frozenset(texts)


def with_values(
    batch: pa.RecordBatch, schema: pa.Schema, values: Values, rules: Rules
) -> pa.RecordBatch:
    """The batch with the columns that its folders give, so far as the schema has them."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, text in values:
        if name not in schema.names:
            continue
        cell = pa.array([text], pa.string())
        kind = schema.field(name).type
        columns[name] = _repeated(as_numbers(cell, kind) if is_number(kind) else cell, batch)
        if name in rules.texts & rules.sliced:
            columns[TEXT + name] = _repeated(cell, batch)
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _repeated(value: pa.Array, batch: pa.RecordBatch) -> pa.Array:
    indices = pa.array(np.zeros(batch.num_rows, np.int32))
    return pa.DictionaryArray.from_arrays(indices, value)


def first_texts(paths: Sequence[str], schema: pa.Schema, rules: Rules) -> Rules:
    """The rules with the columns of CSV files whose first cells are sliced as they are written."""
    numbers = [field.name for field in schema if is_number(field.type)]
    open_ = [n for n in numbers if n in rules.sliced - rules.texts - rules.types.keys()]
    if not open_:
        return rules
    texts = (csv_files.first_texts(path, open_, rules) for path in paths)
    return dataclasses.replace(rules, texts=reduce(or_, texts, rules.texts))
