# SPDX-License-Identifier: Apache-2.0
"""Tables in memory, whose columns are converted to Arrow when they are needed and not before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from benison.errors import DataError, without_addresses


class Frame(Protocol):
    """A table in memory. Its names are unique; one that stands for several columns cannot be read."""

    num_rows: int

    @property
    def schema(self) -> pa.Schema:
        """The columns; null is the type of one of which only the conversion would tell."""

    def column(self, name: str) -> pa.ChunkedArray:
        """A column.

        Raises:
            DataError: Its values cannot be converted.
        """


def frame_of(source: Any) -> Frame | None:
    """The frame of an Arrow table or batch, of pandas, Polars, or another library of Arrow's; else None."""
    library = type(source).__module__.partition(".")[0]
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return _ArrowFrame(source)
    if library == "pandas" and hasattr(source, "columns"):
        return _pandas_frame(source)
    if library == "polars" and hasattr(source, "get_column"):
        names = list(source.columns)
        return _LazyFrame(names, [pa.null()] * len(names), source.height, _of_polars(source))
    return _asked_frame(source, library)


def _asked_frame(source: Any, library: str) -> Frame | None:
    """The frame of what gives its rows when it is asked for them; None for what is no table."""
    if library == "polars" and hasattr(source, "collect"):
        # Of a query that runs again for each column the rows could come in another order.
        return frame_of(_converted(source.collect, "The query"))
    if library == "datasets" and hasattr(source, "with_format"):
        return _ArrowFrame(_converted(lambda: source.with_format("arrow")[:], "The dataset"))
    if library == "pyarrow" and hasattr(source, "count_rows"):  # a dataset of files
        schema = source.schema
        return _LazyFrame(schema.names, schema.types, source.count_rows(), _of_dataset(source))
    if hasattr(source, "__arrow_c_stream__"):
        return _ArrowFrame(_converted(lambda: pa.table(source), "The table"))
    return None


class _ArrowFrame:
    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.num_rows: int = table.num_rows
        self.schema: pa.Schema = table.schema.remove_metadata()

    def column(self, name: str) -> pa.ChunkedArray:
        return self._table.column(name)


class _LazyFrame:
    """Columns by position, each converted once."""

    def __init__(
        self,
        names: Sequence[str],
        types: Sequence[pa.DataType],
        num_rows: int,
        convert: Callable[[int], Any],
    ) -> None:
        named = [pair for pair in zip(names, types, strict=True) if _is_utf8(pair[0])]
        self._names, self._convert = list(names), convert
        self.num_rows = num_rows
        self.schema = pa.schema(named)
        self._columns: dict[str, pa.ChunkedArray] = {}

    def column(self, name: str) -> pa.ChunkedArray:
        if name not in self._columns:
            index = self._names.index(name)
            array = _converted(lambda: self._convert(index), f"Column {name!r}")
            if isinstance(array.type, pa.BaseExtensionType):
                raise DataError(f"Column {name!r} holds {array.type}. {_CURE}")
            chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
            self._columns[name] = chunked
        return self._columns[name]


_CURE = "Make it numbers, texts, times or lists, for example with astype(str)."


def _converted(convert: Callable[[], Any], what: str) -> Any:
    try:
        return convert()
    except Exception as error:  # of Arrow, of the library, or of the objects in the column
        reason = without_addresses(" ".join(str(error).split()))[:200] or type(error).__name__
        raise DataError(f"{what} cannot be converted to Arrow: {reason}. {_CURE}") from error


def _pandas_frame(frame: Any) -> _LazyFrame:
    types = [_declared(kind) for kind in frame.dtypes]
    return _LazyFrame(list(map(str, frame.columns)), types, len(frame), _of_pandas(frame))


def _declared(kind: Any) -> pa.DataType:
    # Arrow has no floats of more than eight bytes.
    plain = isinstance(kind, np.dtype) and kind.kind in "biuf" and kind.itemsize <= 8  # noqa: PLR2004
    return pa.from_numpy_dtype(kind) if plain else pa.null()


def _of_pandas(frame: Any) -> Callable[[int], Any]:
    return lambda index: pa.Array.from_pandas(frame.iloc[:, index])


def _of_polars(frame: Any) -> Callable[[int], Any]:
    def convert(index: int) -> Any:
        column = frame.get_columns()[index]
        # Polars hands over where objects lie in memory, which Arrow takes for eight bytes of text.
        if str(column.dtype) == "Object":
            raise TypeError("Python objects have no type of Arrow")
        return column.to_arrow()

    return convert


def _of_dataset(source: Any) -> Callable[[int], Any]:
    names = source.schema.names
    return lambda index: source.to_table(columns=[names[index]]).column(0)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
