# SPDX-License-Identifier: Apache-2.0
"""Tables in memory with columns of every type, of Arrow, pandas and Polars.

The oracle: labels and predictions are what they were, count and means are those of a sum by hand.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from tests.fuzz import tables
from tests.fuzz.cases import Case

_EVALUATED = 0.2

_MIXED = (
    None, 1, 2.5, "a", b"\xff", float("nan"), [1, 2], {"x": 1}, (1, 2), uuid.UUID(int=5), 2**70, 1j, True,
    decimal.Decimal("1.5"), datetime.date(2024, 1, 1), object(), "\ud800", np.float32(1), np.array([1.0]), pd.NA, pd.NaT,
    datetime.timedelta(1), {"a", "b"}, frozenset(), range(2), np.datetime64("2024-01-01"), -(2**63), 2**64 - 1, "x" * 300,
)  # fmt: skip
_NAMES = (*tables.NAMES, "\ud800", 5, None, ("a", "b"), 1.5, True, datetime.date(2024, 1, 1))
_DTYPES = (
    "int8", "uint64", "float16", "float32", "float64", "bool", "string", "object", "Int64", "UInt8", "Float32", "boolean",
    "category", "complex128", "datetime64[ns]", "timedelta64[ns]", "datetime64[ns, UTC]", "period[D]", "Sparse[float]",
    "Sparse[int]", "string[pyarrow]", "int64[pyarrow]", "double[pyarrow]", "interval",
)  # fmt: skip


def attempt(library: str, case: Case) -> None:
    """Read a table of one library, and evaluate some of them."""
    frame, columns = _MAKERS[library](case.random)
    case.kept["frame"] = frame
    expected = {name: list(values) for name, values in columns.items()}
    if case.chance(_EVALUATED):
        names = [name for name in frame_names(frame) if isinstance(name, str)]
        tables.check_evaluation(case, frame, expected, names=names)
    else:
        tables.check_batches(frame, expected)


def frame_names(frame: Any) -> list[Any]:
    """The names of its columns."""
    return list(frame.column_names if isinstance(frame, pa.Table) else frame.columns)


def _roles(random: Random) -> dict[str, list[float]]:
    rows = random.choice((0, 1, 2, 9, 30))
    labels = [random.choice((0.0, 1.0)) for _ in range(rows)]
    return {"label": labels, "prediction": [random.choice((0.0, 0.25, 1.0)) for _ in range(rows)]}


# pandas.


def _pandas(random: Random) -> tuple[Any, dict[str, list[float]]]:
    roles = _roles(random)
    rows = len(roles["label"])
    columns: list[Any] = [
        pd.Series(values, name=name, dtype="float64") for name, values in roles.items()
    ]
    for _ in range(random.randrange(4)):
        columns.append(_series(random, rows).rename(random.choice(_NAMES)))
    random.shuffle(columns)
    frame = pd.concat([column.reset_index(drop=True) for column in columns], axis=1)
    frame.columns = pd.Index([column.name for column in columns], dtype=object)
    if random.random() < 0.2 and rows:
        frame.index = pd.Index(random.choices(_MIXED[1:4], k=rows))
    return frame, roles


def _series(random: Random, rows: int) -> Any:
    """A column of a random type, or of objects of any kind."""
    if random.random() < 0.3:
        pool = random.sample(_MIXED, random.randrange(1, 5))
        values = np.empty(rows, object)
        for row in range(rows):
            values[row] = random.choice(pool)
        return pd.Series(values, dtype=object)
    dtype = random.choice(_DTYPES)
    if dtype == "interval":
        return (
            pd.Series(pd.interval_range(0, rows))
            if rows
            else pd.Series([], dtype="interval[int64]")
        )
    numbers = [random.choice((0, 1, 2, 5)) for _ in range(rows)]
    if dtype in ("object", "category", "string", "string[pyarrow]"):
        return pd.Series([random.choice(tables.WORDS) for _ in numbers], dtype=dtype)
    if dtype == "period[D]":
        return pd.Series(pd.PeriodIndex.from_ordinals(numbers, freq="D"))
    if dtype == "boolean":
        numbers = [number % 2 for number in numbers]
    series = pd.Series(numbers, dtype="int64").astype(dtype)
    if random.random() < 0.4 and rows and series.hasnans is False and str(dtype)[0] in "IUFbdts":
        missing = [random.random() < 0.3 for _ in numbers]
        series = series.mask(pd.Series(missing)) if dtype not in ("bool",) else series
    return series


# Arrow.


def _arrow(random: Random) -> tuple[Any, dict[str, list[float]]]:
    roles = _roles(random)
    rows = len(roles["label"])
    names: list[str] = list(roles)
    arrays: list[Any] = [pa.array(values, pa.float64()) for values in roles.values()]
    for _ in range(random.randrange(5)):
        names.append(random.choice(tables.NAMES))
        arrays.append(_array(random, rows))
    table = pa.Table.from_arrays(arrays, names)
    if random.random() < 0.3 and rows:
        cut = random.randrange(rows)
        table = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    return table, roles


def _array(random: Random, rows: int) -> Any:
    kind, value = random.choice(list(tables.ALL.values()))
    share = random.choice((0.0, 0.3, 1.0))
    if random.random() < 0.15:
        return _odd_array(random, rows)
    whole = tables.column(random, kind, value, rows + 3, share)
    array = whole.slice(random.randrange(4), rows)
    can_encode = pa.types.is_primitive(kind) or pa.types.is_string(kind)
    if random.random() < 0.15 and can_encode and not pa.types.is_float16(kind):
        return array.dictionary_encode()
    return array


def _odd_array(random: Random, rows: int) -> Any:
    """Types that few programs write."""
    numbers = pa.array([random.randrange(3) for _ in range(rows)], pa.int32())
    match random.randrange(5):
        case 0:
            return pa.RunEndEncodedArray.from_arrays(
                pa.array(range(1, rows + 1), pa.int32()), numbers
            )
        case 1:
            return pa.UnionArray.from_sparse(pa.array([0] * rows, pa.int8()), [numbers])
        case 2:
            storage = pa.array([b"0123456789abcdef"] * rows, pa.binary(16))
            return pa.ExtensionArray.from_storage(_Tagged(), storage)
        case 3:
            codes = pa.array([0 if i % 2 else None for i in range(rows)], pa.int8())
            return pa.DictionaryArray.from_arrays(
                codes, pa.array([random.choice((None, "a", "a"))], pa.string())
            )
        case _:
            lists = [
                random.choice(([1.0], [], None, [None], [float("nan"), 2.0])) for _ in range(rows)
            ]
            return pa.array(lists, pa.large_list(pa.float64()))


class _Tagged(pa.ExtensionType):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(pa.binary(16), "benison.fuzz")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> _Tagged:
        return cls()


# Polars.


def _polars(random: Random) -> tuple[Any, dict[str, list[float]]]:
    roles = _roles(random)
    rows = len(roles["label"])
    columns = {name: pl.Series(name, values, pl.Float64) for name, values in roles.items()}
    for _ in range(random.randrange(5)):
        name = random.choice(tables.NAMES)
        columns[name] = _polars_series(random, name, rows)
    return pl.DataFrame(list(columns.values())), roles


def _polars_series(random: Random, name: str, rows: int) -> Any:
    numbers = [random.choice((0, 1, 2, None)) for _ in range(rows)]
    words = [random.choice((*tables.WORDS, None)) for _ in range(rows)]
    makes: tuple[Callable[[], Any], ...] = (
        lambda: pl.Series(
            name,
            numbers,
            random.choice((pl.Int8, pl.UInt64, pl.Float32, pl.Int64, pl.Date, pl.Time)),
        ),
        lambda: pl.Series(name, numbers, pl.Int64).cast(
            random.choice((pl.Datetime, pl.Duration, pl.Boolean))
        ),
        lambda: pl.Series(name, numbers, pl.Int64).cast(pl.Decimal(10, 2)),
        lambda: pl.Series(name, words, random.choice((pl.String, pl.Categorical))),
        lambda: pl.Series(name, [w for w in words], pl.String).cast(pl.Binary),
        lambda: pl.Series(name, [[n] for n in numbers], pl.List(pl.Int64)),
        lambda: pl.Series(name, [[n, 1] for n in numbers], pl.Array(pl.Int64, 2)),
        lambda: pl.Series(name, [{"x": n} for n in numbers]),
        lambda: pl.Series(name, [random.choice(_MIXED[:8]) for _ in numbers], pl.Object),
        lambda: pl.Series(name, [None] * rows, pl.Null),
        lambda: pl.Series(name, words, pl.String).cast(pl.Enum([*dict.fromkeys(tables.WORDS)])),
    )
    return random.choice(makes)()


_MAKERS = {"pandas": _pandas, "table": _arrow, "polars": _polars}
