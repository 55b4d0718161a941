# SPDX-License-Identifier: Apache-2.0
"""Bins of numbers, held against pandas.cut and NumPy's quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import benison
from benison.config import Bins, SlicingSpec
from benison.errors import DataError
from benison.slicing.bin_edges import DistinctNumbers
from benison.slicing.encode import ColumnCodes, SpecCodes
from benison.slicing.periods import periods
from benison.slicing.spec_columns import misfits


def binned(column: pa.Array, edges: Any) -> list[list[str]]:
    """The bins of each row."""
    batch = pa.RecordBatch.from_arrays([column], ["v"])
    codes = SpecCodes.of(SlicingSpec(bins={"v": Bins(edges=edges)}), ColumnCodes(batch))
    assert codes.kinds == ("bin",)
    assert set(codes.codes.tolist()) == set(range(len(codes.values)))
    rows = np.arange(len(column)) if codes.rows is None else codes.rows
    values: list[list[str]] = [[] for _ in range(len(column))]
    for row, code in zip(rows.tolist(), codes.codes.tolist(), strict=True):
        values[row].append(codes.values[code].as_py())
    return values


def by_pandas(column: pa.Array, edges: Any) -> list[list[str]]:
    ends = [-np.inf, *edges, np.inf]
    cut = pd.cut(np.array(column.to_pylist(), np.float64), ends, right=False, labels=False)
    labels = Bins(edges=tuple(edges)).labels
    return [[] if np.isnan(location) else [labels[int(location)]] for location in cut]


KINDS = [pa.int8(), pa.uint8(), pa.int64(), pa.uint64(), pa.float32(), pa.float64()]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_rows_are_in_the_bins_of_pandas(kind: pa.DataType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = 0 if "uint" in str(kind) else -20
    numbers = rng.integers(low, 40, 500)
    values: Any = numbers / 4 if pa.types.is_floating(kind) else numbers
    column = pa.array(values.tolist(), kind, mask=rng.random(500) < 0.1)
    edges = sorted(set((rng.integers(-30, 50, 6) / rng.choice([1, 2, 4])).tolist()))
    assert binned(column, edges) == by_pandas(column, edges)
    assert binned(column.dictionary_encode(), edges) == by_pandas(column, edges)
    assert binned(pa.array([[v] for v in column.to_pylist()]), edges) == by_pandas(column, edges)


@pytest.mark.parametrize(
    ("column", "edges", "expected"),
    [
        (pa.array([float("-inf"), float("inf"), float("nan"), None]), [0, 1], ["[-inf, 0)", "[1, inf]", None, None]),
        # The nearest float32 of an edge is that edge.
        (pa.array([0.7, 0.69], pa.float32()), [0.7], ["[0.7, inf]", "[-inf, 0.7)"]),
        (pa.array([2**53 + 1, 2**53]), [2**53 + 1], ["[9007199254740993, inf]", "[-inf, 9007199254740993)"]),
        (pa.array([2**64 - 1, 0], pa.uint64()), [-5, 2**70], ["[-5, 1180591620717411303424)"] * 2),
        (pa.array([-(2**63), 2**63 - 1]), [-1e30, 0.5], ["[-1e+30, 0.5)", "[0.5, inf]"]),
        (pa.array([None, None], pa.null()), [1], [None, None]),
        (pa.array([1, 3, None]).cast(pa.decimal128(22, 2)), [2.5], ["[-inf, 2.5)", "[2.5, inf]", None]),
        (pa.array([1.5, 2.5], pa.float64()).cast(pa.float16()), [2], ["[-inf, 2)", "[2, inf]"]),
        (pa.array([], pa.float64()), [2], []),
    ],
)  # fmt: skip
def test_every_number_is_in_one_bin(column: pa.Array, edges: Any, expected: list[Any]) -> None:
    assert binned(column, edges) == [[] if value is None else [value] for value in expected]


def test_a_row_of_several_numbers_is_in_each_of_their_bins_once() -> None:
    column = pa.array([[1, 2, 15], [], None, [15, 3], [20]])
    low, high = "[-inf, 10)", "[10, inf]"
    assert [sorted(row) for row in binned(column, [10])] == [
        [low, high],
        [],
        [],
        [low, high],
        [high],
    ]


@pytest.mark.parametrize(
    ("column", "name"),
    [(pa.array(["a"]), "string"), (pa.array([True]), "bool"), (pa.array([["a"]]), "string"),
     (pa.array([0], pa.date32()), "date32"), (pa.array(["1"]).dictionary_encode(), "string")],
)  # fmt: skip
def test_bins_of_what_is_no_number_are_refused(column: pa.Array, name: str) -> None:
    with pytest.raises(DataError, match=f"Column 'v' holds {name}.*, and bins are of numbers"):
        binned(column, [10])


def ranked(parts: list[pa.Array]) -> DistinctNumbers:
    return DistinctNumbers.merged("v", [DistinctNumbers.of("v", part) for part in parts])


@pytest.mark.parametrize("kind", [pa.int64(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_edges_of_quantiles_are_those_of_numpy_however_rows_are_split(
    kind: pa.DataType, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-50, 50, rng.integers(1, 400)) // (seed + 1)
    column = pa.array(values.tolist(), kind)
    missing = pa.nulls(3, kind)
    cuts = np.sort(rng.integers(0, len(column) + 1, 4)).tolist()
    parts = [column.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, len(column)], strict=True)]
    for quantiles in (2, 3, 4, 8, 10):
        places = [len(values) * i // quantiles for i in range(1, quantiles)]
        wanted = np.unique(np.sort(values)[places])
        if quantiles in (2, 4, 8):  # whose shares are exact
            shares = 1 - np.arange(1, quantiles) / quantiles
            of_numpy = -np.quantile(-values.astype(float), shares, method="inverted_cdf")
            assert wanted.tolist() == np.unique(of_numpy).tolist()
        for split in ([column], [*parts, missing], parts[::-1]):
            assert ranked(split).edges(quantiles) == tuple(wanted.tolist())


def test_distinct_numbers_fall_into_quantiles_of_equal_sizes() -> None:
    values = np.random.default_rng(0).permutation(1_000) / 7
    edges = ranked([pa.array(values)]).edges(8)
    assert np.histogram(values, [-np.inf, *edges, np.inf])[0].tolist() == [125] * 8


@pytest.mark.parametrize("column", [pa.nulls(3, pa.float64()), pa.array([float("inf")] * 3)])
def test_without_finite_numbers_there_is_one_bin(column: pa.Array) -> None:
    edges = ranked([column]).edges(4)
    assert Bins(quantiles=4, edges=edges).labels == ("[-inf, inf]",)


def test_the_edges_of_float32_are_written_as_they_are_printed() -> None:
    assert ranked([pa.array([0.1, 0.7], pa.float32())]).edges(2) == (0.7,)


def test_columns_that_bins_do_not_fit_are_named_in_their_order() -> None:
    names = [f"c{i:02}" for i in range(12)]
    spec = SlicingSpec(bins={name: Bins(edges=(1,)) for name in reversed(names)})
    faults = misfits(spec, names, dict.fromkeys(names, pa.string()))
    assert [where for where, _ in faults] == [("bins", name) for name in names]


TIMES = pd.to_datetime(
    [
        "2024-12-30 23:59:59",
        "2025-01-01 00:00:00",
        "1969-12-31 23:30:00",
        None,
        "2026-03-29 02:30:00",
    ]
)
_FREQUENCIES = {"minute": "min", "hour": "h", "day": "D", "month": "M", "year": "Y"}
_WRITTEN = {"hour": "%Y-%m-%d %Hh"}
"""How a period is written where pandas would write it as it writes another one."""


def in_each_form(times: pd.DatetimeIndex) -> dict[str, pa.Array]:
    texts = [None if pd.isna(t) else t.isoformat() for t in times]
    return {
        "timestamp": pa.array(times),
        "text": pa.array(texts),
        "dictionary": pa.array(texts).dictionary_encode(),
    }


def in_numbers(times: pd.DatetimeIndex) -> dict[str, pa.Array]:
    seconds = [None if pd.isna(t) else int(t.timestamp()) for t in times]
    return {
        "seconds": pa.array(seconds, pa.int64()),
        "milliseconds": pa.array([None if s is None else s * 1000 for s in seconds], pa.float64()),
    }


def _by_pandas(time: pd.Timestamp, every: str) -> str | None:
    return (
        None if pd.isna(time) else time.to_period(_FREQUENCIES[every]).strftime(_WRITTEN.get(every))
    )


@pytest.mark.parametrize("every", [*_FREQUENCIES, "week"])
def test_periods_are_those_of_pandas(every: str) -> None:
    forms = in_each_form(TIMES)
    if every == "week":
        expected = [
            None if pd.isna(t) else f"{t.isocalendar()[0]}-W{t.isocalendar()[1]:02}" for t in TIMES
        ]
    else:
        expected = [_by_pandas(t, every) for t in TIMES]
    assert {
        name: periods("t", of, every).to_pylist() for name, of in forms.items()
    } == dict.fromkeys(forms, expected)
    assert all(Bins(every=every).has(text) for text in expected if text)  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
def test_numbers_are_seconds_and_larger_ones_milliseconds(unit: str) -> None:
    late = TIMES[[0, 1, 4, 3]]
    expected = [str(t.date()) for t in late[:3]]
    assert periods("t", in_numbers(late)[unit], "day").to_pylist() == [*expected, None]


def test_slices_of_periods_are_crossed_and_counted() -> None:
    times = pa.array([*TIMES[:2], None, TIMES[1]], pa.timestamp("us"))
    data = pa.table({"t": times, "c": list("aabb"), "y": [1, 0, 1, 1], "p": [1.0, 1.0, 0.0, 1.0]})
    config = {
        "model_specs": [{"label_key": "y", "prediction_key": "p"}],
        "slicing_specs": [{"bins": {"t": {"every": "year"}}, "feature_keys": ["c"]}],
        "metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}]}],
    }
    result = benison.evaluate(data, config)
    rows = zip(result.slices(), result.metrics["value"].to_pylist(), strict=True)
    assert dict(rows) == {"c=a, t=2024": 1, "c=a, t=2025": 1, "c=b, t=2025": 1}
    kinds = {pair["type"] for key in result.metrics["slice_key"].to_pylist() for pair in key}
    assert kinds == {"string", "period"}


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([True]), "holds bool"),
        (pa.array(["yesterday"]), "are no times"),
        (pa.array([1], pa.duration("s")), "holds duration"),
    ],
)
def test_periods_of_what_is_no_time_are_refused(column: pa.Array, text: str) -> None:
    with pytest.raises(DataError, match=text):
        periods("t", column, "day")
