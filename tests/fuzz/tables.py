# SPDX-License-Identifier: Apache-2.0
"""Small tables of random types, and what must hold of an evaluation of them."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json

import benison
from benison.data.dataset import Dataset
from tests.fuzz.cases import Case, WrongError

ROLES = ("label", "prediction", "weight")
NAMES = ("g", "h", "a b", "ü", "label2", "a\nb", "x" * 200, "", "\x1b[2J", "1", "g.h")
WORDS = ("a", "b", "", "3.10", "3.1", "05", "NA", "null", "true", "é", "\x1b[2J", "a\nb", "x" * 300, "\x00", "1e5", '"', ",")  # fmt: skip

Values = Callable[[Random], Any]
_DAY = datetime.date(2024, 2, 29)
_TIME = datetime.datetime(2024, 2, 29, 12, 30, 0, 5)


def _whole(bits: int, signed: bool = True) -> Values:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return lambda random: random.choice((0, 1, 2, 5, low, high))


def _real(random: Random) -> float:
    return random.choice((0.0, -0.0, 1.0, 0.5, math.nan, math.inf, -math.inf, 3.1, 1e300, 5e-324))


def _word(random: Random) -> str:
    return random.choice(WORDS)


PLAIN: dict[str, tuple[pa.DataType, Values]] = {
    **{f"int{n}": (getattr(pa, f"int{n}")(), _whole(n)) for n in (8, 16, 32, 64)},
    **{f"uint{n}": (getattr(pa, f"uint{n}")(), _whole(n, signed=False)) for n in (8, 16, 32, 64)},
    "double": (pa.float64(), _real),
    "float": (pa.float32(), lambda random: random.choice((0.0, 1.0, 0.5, math.nan, -2.0))),
    "bool": (pa.bool_(), lambda random: random.random() < 0.5),
    "string": (pa.string(), _word),
    "strings": (
        pa.list_(pa.string()),
        lambda random: [_word(random) for _ in range(random.randrange(3))],
    ),
    "doubles": (
        pa.list_(pa.float64()),
        lambda random: [_real(random) for _ in range(random.randrange(3))],
    ),
    "wholes": (
        pa.list_(pa.int64()),
        lambda random: [random.randrange(3) for _ in range(random.randrange(3))],
    ),
}
"""Types that most formats have."""

ALL: dict[str, tuple[pa.DataType, Values]] = {
    **PLAIN,
    "null": (pa.null(), lambda random: None),
    "half": (pa.float16(), lambda random: np.float16(random.choice((0.0, 1.0, 0.5)))),
    "large_string": (pa.large_string(), _word),
    "string_view": (pa.string_view(), _word),
    "binary": (pa.binary(), lambda random: random.choice((b"", b"a", b"\xff\xfe", b"\x00"))),
    "fixed": (pa.binary(2), lambda random: random.choice((b"ab", b"\xff\x00"))),
    "date": (pa.date32(), lambda random: _DAY),
    "date64": (pa.date64(), lambda random: _DAY),
    "timestamp": (pa.timestamp("us"), lambda random: _TIME),
    "zoned": (pa.timestamp("ns", "Europe/Berlin"), lambda random: _TIME),
    "time": (pa.time64("us"), lambda random: _TIME.time()),
    "duration": (pa.duration("ms"), lambda random: datetime.timedelta(random.randrange(3))),
    "decimal": (pa.decimal128(5, 2), lambda random: decimal.Decimal(random.randrange(300)) / 100),
    "decimal256": (pa.decimal256(60, 2), lambda random: decimal.Decimal(random.randrange(300)) / 100),
    "struct": (pa.struct([("x", pa.int64()), ("y", pa.string())]), lambda random: {"x": 1, "y": _word(random)}),
    "map": (pa.map_(pa.string(), pa.int64()), lambda random: [("k", random.randrange(3))]),
    "pairs": (pa.list_(pa.float64(), 2), lambda random: [0.5, random.random()]),
    "lists": (pa.list_(pa.list_(pa.int32())), lambda random: [[1], []]),
    "coded": (pa.dictionary(pa.int8(), pa.string()), _word),
    "coded_wholes": (pa.dictionary(pa.int32(), pa.int64()), lambda random: random.randrange(3)),
    "structs": (pa.list_(pa.struct([("x", pa.float64())])), lambda random: [{"x": 0.5}]),
    "large_list": (pa.large_list(pa.int8()), lambda random: [1] * random.randrange(3)),
}  # fmt: skip


def table(random: Random, kinds: dict[str, Any], names: Iterable[str] = NAMES) -> pa.Table:
    """A label, a prediction, mostly a weight, and columns of any of these types."""
    rows = random.choice((0, 1, 2, 7, 20, 40))
    share = random.choice((0.0, 0.0, 0.1, 0.5, 1.0))
    columns: dict[str, pa.Array] = {
        "label": pa.array([random.choice((0.0, 1.0)) for _ in range(rows)], pa.float64()),
        "prediction": pa.array(
            [random.choice((0.0, 0.25, 0.5, 1.0)) for _ in range(rows)], pa.float64()
        ),
    }
    if random.random() < 0.3:
        columns["weight"] = pa.array(
            [random.choice((0.0, 1.0, 0.5)) for _ in range(rows)], pa.float64()
        )
    known = list(names)
    for name in random.sample(known, random.randrange(min(4, len(known) + 1))):
        columns[name] = column(random, *kinds[random.choice(list(kinds))], rows, share)
    return pa.table(columns)


def column(random: Random, kind: pa.DataType, value: Values, rows: int, share: float) -> pa.Array:
    """Values of a type, of which this share is missing."""
    values = [None if random.random() < share else value(random) for _ in range(rows)]
    return pa.array(values, kind)


def config(random: Random, names: Iterable[str]) -> dict[str, Any]:
    """A config that slices by some of these columns."""
    others = [name for name in names if name not in ROLES and _is_name(name)]
    by = random.sample(others, min(len(others), random.randrange(3)))
    slices: list[dict[str, Any]] = [{}, *({"feature_keys": [name]} for name in by)]
    metrics = ["ExampleCount", "MeanLabel", "MeanPrediction", "BinaryAccuracy", "AUC"]
    chosen = [*metrics[:3], *random.sample(metrics[3:], random.randrange(2))]
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": slices,
        "metrics_specs": [{"metrics": [{"class_name": name} for name in chosen]}],
    }


def _is_name(name: str) -> bool:
    return bool(name.strip())


def check_evaluation(
    case: Case, source: Any, expected: dict[str, Any] | None, **options: Any
) -> None:
    """Evaluate, and hold count and means of Overall against those of these columns."""
    names = options.pop("names")
    result = benison.evaluate(source, config(case.random, names), **options)
    if expected is None:
        return
    rows = len(expected["label"])
    if rows == 0:
        return
    values = {
        "example_count": float(rows),
        "mean_label": math.fsum(expected["label"]) / rows,
        "mean_prediction": math.fsum(expected["prediction"]) / rows,
    }
    for name, value in values.items():
        computed = result.value(name)
        if not math.isclose(computed, value, rel_tol=1e-9, abs_tol=1e-12):
            raise WrongError(f"{name} is {computed}, and not {value}")


def check_batches(source: Any, expected: dict[str, Any] | None, format_: str | None = None) -> int:
    """Read all columns, and hold labels and predictions against these; the number of rows."""
    dataset = Dataset.open(source, format_)
    columns = [name for name in dataset.names if name not in dataset.refused]
    prepared = dataset.prepared(columns)
    batches = list(prepared.batches(columns))
    rows = sum(batch.num_rows for batch in batches)
    for role in ("label", "prediction") if expected is not None else ():
        read = [value for batch in batches for value in _numbers(batch.column(role))]
        if read != expected[role]:
            raise WrongError(f"{role} is read as {read}, and not {expected[role]}")
    return rows


def _numbers(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return [value[0] if isinstance(value, list) else value for value in values]
