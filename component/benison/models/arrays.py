# SPDX-License-Identifier: Apache-2.0
"""Converts columns of the data to arrays of the type and shape that a model's input takes.

Integers are converted to floats, but floats are not rounded to integers, and text and numbers are not
converted into each other. A missing value is NaN for a float input, and an error for any other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import (
    floats_of,
    is_list,
    is_number,
    is_text,
    single_values,
    undictionary,
    unlisted,
)
from benison.data.widening import convert
from benison.errors import DataError, MissingExtraError


@dataclasses.dataclass(frozen=True)
class Input:
    """One input of a model.

    `dtype` is TensorFlow's name: "float32", "int64", "bool", "string", ... `shape` is that of one
    row, where None is any length; it is None itself if the model does not declare it.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None = None

    @property
    def is_text(self) -> bool:
        """Strings or bytes."""
        return self.dtype == "string"

    @property
    def is_float(self) -> bool:
        """Floats, which can be NaN."""
        return "float" in self.dtype


def as_input(features: pa.RecordBatch, wanted: Input) -> npt.NDArray[Any]:
    """The column of an input's name as the array that the model takes: [N, ...].

    Raises:
        DataError: There is no such column, it has missing values that the input cannot express, or
            values of another kind or number.
    """
    if wanted.name not in features.schema.names:
        raise DataError.from_missing_column(wanted.name, features.schema.names, "The data")
    values, present, width = unnest(features.column(wanted.name), wanted.name)
    _check_missing(wanted, values.null_count + int((~present).sum()), len(present))
    flat = (_text if wanted.is_text else _numbers)(values, wanted)
    table = flat.reshape(-1, width)
    if not present.all():
        filled = np.full((len(present), width), np.nan, table.dtype)
        filled[present] = table
        table = filled
    return _shaped(table, wanted)


def unnest(column: pa.Array, name: str) -> tuple[pa.Array, npt.NDArray[np.bool_], int]:
    """The values of a column one after the other, bool[N] which rows have some, and how many these have.

    Raises:
        DataError: Rows that have values do not have the same number of them.
    """
    column = _with_nulls(column)
    if not is_list(column.type):
        return column, np.ones(len(column), np.bool_), 1
    values, lengths = unlisted(column)
    present = lengths > 0
    widths = np.unique(lengths[present])
    if len(widths) > 1:
        raise DataError(
            f"Feature {name!r} has from {widths[0]} to {widths[-1]} values in a row, and the model needs "
            f"the same number in every row."
        )
    return _with_nulls(values), present, int(widths[0]) if len(widths) else 1


def _with_nulls(column: pa.Array) -> pa.Array:
    """The column, decoded where its dictionary holds lists, or null, which no count of nulls would see."""
    if not pa.types.is_dictionary(column.type):
        return undictionary(
            column
        )  # of lists of views, too, of which neither pandas nor numpy has any
    decodes = is_list(column.type.value_type) or column.dictionary.null_count
    return undictionary(column) if decodes else column


def rows_of(column: pa.Array, name: str) -> pa.Array:
    """One value a row, as tf.Examples hold in a list; null where a row has none.

    Raises:
        DataError: Rows have several values.
    """
    values, present, width = unnest(column, name)
    if width != 1:
        raise DataError(
            f"Feature {name!r} has {width} values in each row, and the model takes one."
        )
    if present.all():
        return values
    rows = np.where(present, np.cumsum(present) - 1, 0)
    return values.take(pa.array(rows, mask=~present))


def as_frame(
    features: pa.RecordBatch, names: Sequence[str], as_none: frozenset[str] = frozenset()
) -> Any:
    """Columns as a pandas DataFrame of plain values, as pandas reads them from a file.

    Numbers are numpy's, with NaN where they are missing; text is objects, and so are truth values of
    which some are missing, with NaN in place of these, or None in the columns `as_none`.

    Raises:
        DataError: A column is not there, or has several values in a row.
    """
    import pandas as pd

    for name in names:
        if name not in features.schema.names:
            raise DataError.from_missing_column(name, features.schema.names, "The data")
    columns = {
        name: _series(rows_of(features.column(name), name), name, name in as_none) for name in names
    }
    return pd.DataFrame(columns, columns=list(names))


def as_whole_frame(features: pa.RecordBatch, names: Sequence[str]) -> Any:
    """As `as_frame`, with columns of several values in a row as objects.

    Raises:
        DataError: A column is not there.
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas") from error
    lists = [n for n in names if n in features.schema.names and _is_several(features.column(n))]
    frame = as_frame(features, [name for name in names if name not in lists])
    of_lists = {
        name: pd.Series(list(_with_nulls(features.column(name)).to_numpy(zero_copy_only=False)))
        for name in lists
    }
    return frame.assign(**of_lists)[list(names)]


def _is_several(column: pa.Array) -> bool:
    """Whether it holds lists or other nests, of which a row may have more than one value."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return bool(pa.types.is_nested(kind)) and single_values_of(column) is None


def single_values_of(column: pa.Array) -> pa.Array | None:
    """The value of each list; None where a row has several, or the column holds structures."""
    return single_values(_with_nulls(column)) if is_list(column.type) else None


def _series(values: pa.Array, name: str, as_none: bool) -> Any:
    import pandas as pd

    values = undictionary(values)
    if pa.types.is_null(values.type) or pa.types.is_decimal(values.type):
        values = floats_of(values)
    elif is_text(values.type):
        values = _utf8(values, name)
    if pa.types.is_interval(
        values.type
    ):  # of which pandas has none, and to_pandas ends the process
        return pd.Series(values.to_pylist(), dtype=object)
    series = values.to_pandas()
    if series.dtype != object or not values.null_count:
        return series
    objects = series.to_numpy(copy=True)
    objects[series.isna().to_numpy()] = None if as_none else np.nan
    return pd.Series(objects, dtype=object)


def _utf8(values: pa.Array, name: str) -> pa.Array:
    try:
        text = values.cast(pa.string())
        text.validate(full=True)  # Parquet's text is what bytes a writer put there
    except pa.ArrowInvalid as error:
        raise DataError(f"Feature {name!r} holds text that is not UTF-8.") from error
    return text


def as_ragged(
    features: pa.RecordBatch, wanted: Input
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The values of a column one after the other, and how many each row has: int64[N].

    Raises:
        DataError: There is no such column, or it has values of another kind.
    """
    if wanted.name not in features.schema.names:
        raise DataError.from_missing_column(wanted.name, features.schema.names, "The data")
    column = features.column(wanted.name)
    column = _with_nulls(column)
    if is_list(column.type):
        values, lengths = unlisted(column)
    else:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        values, lengths = column.drop_null(), valid.astype(np.int64)
    alone = pa.RecordBatch.from_arrays([values], [wanted.name])
    return as_input(alone, dataclasses.replace(wanted, shape=())), lengths


def _check_missing(wanted: Input, missing: int, rows: int) -> None:
    if missing and not wanted.is_float:
        raise DataError(
            f"Feature {wanted.name!r} is missing in {missing:,} of {rows:,} rows, and the model takes "
            f"{wanted.dtype} there, which has no missing value. Fill it in the data, or let the model "
            f"parse tf.Examples with a default."
        )


def _text(values: pa.Array, wanted: Input) -> npt.NDArray[Any]:
    """Text as bytes objects; equal texts share one object, because making objects is what takes time."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not is_text(kind):
        raise _wrong_kind(values, wanted)
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    distinct = encoded.dictionary.cast(pa.large_binary()).to_numpy(zero_copy_only=False)
    taken: npt.NDArray[Any] = distinct[encoded.indices.to_numpy(zero_copy_only=False)]
    return taken


def _numbers(values: pa.Array, wanted: Input) -> npt.NDArray[Any]:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not is_number(values.type):
        raise _wrong_kind(values, wanted)
    dtype = np.dtype(wanted.dtype)
    # Arrow has no bfloat16.
    floats = values.type if pa.types.is_floating(values.type) else pa.float64()
    target = floats if wanted.is_float else pa.from_numpy_dtype(dtype)
    try:
        cast = floats_of(values, target) if wanted.is_float else values.cast(target)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"Feature {wanted.name!r} holds {values.type} that {wanted.dtype}, which the model takes, "
            f"cannot hold: {str(error).strip()}. Round it in the data."
        ) from error
    array: npt.NDArray[Any] = cast.to_numpy(zero_copy_only=False)
    return array.astype(dtype, copy=False)


def _wrong_kind(values: pa.Array, wanted: Input) -> DataError:
    return DataError(
        f"Feature {wanted.name!r} is {values.type} in the data, and the model takes {wanted.dtype}; "
        f"text and numbers are not turned into each other. Cast it in the data or in the model."
    )


def _shaped(table: npt.NDArray[Any], wanted: Input) -> npt.NDArray[Any]:
    """[N, width] as [N, ...] of the input's shape."""
    rows, width = table.shape
    if wanted.shape is None:
        return table[:, 0] if width == 1 else table
    known = math.prod(n for n in wanted.shape if n is not None)
    free = wanted.shape.count(None)
    if free > 1 or not known or width % known or (not free and width != known):
        raise DataError(
            f"Feature {wanted.name!r} has {width} value{'s' * (width != 1)} in each row, and the model "
            f"takes {_shape_text(wanted.shape)} for a row."
        )
    return table.reshape(rows, *(width // known if n is None else n for n in wanted.shape))


def _shape_text(shape: tuple[int | None, ...]) -> str:
    if not shape:
        return "one value"
    return f"the shape [{', '.join('any' if n is None else str(n) for n in shape)}]"


def as_examples(features: pa.RecordBatch) -> npt.NDArray[Any]:
    """The rows as serialized tf.Examples: bytes[N]. A missing value is a feature that is left out.

    Raises:
        MissingExtraError: tfx-bsl, which encodes them, is not installed.
    """
    try:
        from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder
    except ImportError as error:
        raise MissingExtraError("The writer of tf.Examples", "tfrecord") from error
    columns = {name: _as_feature(features.column(name)) for name in features.schema.names}
    kept = {name: column for name, column in columns.items() if column is not None}
    batch = pa.RecordBatch.from_arrays(list(kept.values()), list(kept))
    return np.array(RecordBatchToExamplesEncoder().encode(batch), dtype=object)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return pa.large_binary() if is_text(kind) else kind


def _as_feature(column: pa.Array) -> pa.Array | None:
    """A column as lists of one of a tf.Example's three types, or None where it has none."""
    if pa.types.is_dictionary(column.type):
        # Arrow 18 cannot decode the views that Polars makes of text.
        column = column.cast(pa.dictionary(pa.int64(), _plain_type(column.type.value_type)))
        column = column.dictionary_decode()
    inner = column.type.value_type if is_list(column.type) else column.type
    if pa.types.is_null(inner) or not (is_text(inner) or is_number(inner)):
        return None
    whole = pa.types.is_integer(inner) or pa.types.is_boolean(inner)
    target = pa.binary() if is_text(inner) else pa.int64() if whole else pa.float32()
    if is_list(column.type):
        lists = convert(column, pa.large_list(target), safe=False)
        # An empty list is missing too, and a parser with a default refuses a feature without a value.
        has_values = pc.greater(pc.list_value_length(lists), 0)
        return pc.if_else(has_values, lists, pa.scalar(None, lists.type))
    values = convert(column, target, safe=False).drop_null()
    ends = np.cumsum(column.is_valid().to_numpy(zero_copy_only=False))
    lists = pa.LargeListArray.from_arrays(np.concatenate([[0], ends]).astype(np.int64), values)
    return pc.if_else(column.is_valid(), lists, pa.scalar(None, lists.type))
