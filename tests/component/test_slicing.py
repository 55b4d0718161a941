# SPDX-License-Identifier: Apache-2.0
"""The table of slices: their order, their names and their keys, found in any batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benison.config import SlicingSpec
from benison.evidence.score_samples import DrawnRows
from benison.metrics.statistics.joint_counts import JointRows
from benison.slicing.codes import SliceCodes, is_repeated, repeated
from benison.slicing.encode import ColumnCodes, SpecCodes
from benison.slicing.keys import as_number, as_numbers, slice_name
from benison.slicing.table import SliceTable
from benison.table.slices import as_key, sort_key


@pytest.mark.parametrize("features", [("f",), ("f", "g"), ()])
def test_slices_stand_in_the_order_of_their_keys(features: tuple[str, ...]) -> None:
    values = ["10", "9", "b", "nan", "-1e3", "inf", "a", "B", "é", "", "9.0", "\x1f", "😀"]
    rng = np.random.default_rng(0)
    columns = {name: pa.array(rng.permutation(values).tolist() * 3) for name in "gf"}
    batch = pa.RecordBatch.from_pydict(columns)
    table = SliceTable()
    for part in (batch.slice(0, 5), batch.slice(5)):
        table.number([SpecCodes.of(SlicingSpec(feature_keys=features), ColumnCodes(part))])
    keys = table.keys()
    assert [keys[i] for i in table.order()] == sorted(keys, key=sort_key)
    names, actual = table.texts(table.order())
    assert names.to_pylist() == [slice_name(keys[i]) for i in table.order()]
    assert [as_key(key) for key in actual.to_pylist()] == [keys[i] for i in table.order()]


@pytest.mark.parametrize("apart", [1, 3, 10**6, 2**40])
def test_many_numbers_are_one_slice_each_in_any_batches(apart: int) -> None:
    rng = np.random.default_rng(0)
    values = (rng.integers(0, 20_000, 60_000) - 7_000) * apart
    values[-1] = -(2**63)  # in the last batch, far from what is known
    table, found = SliceTable(), np.zeros(0, np.int64)
    spec = SlicingSpec(feature_keys=("store",))
    for part in np.split(values, [25_000, 25_000, 50_000]):
        batch = pa.RecordBatch.from_pydict({"store": part})
        numbered = table.number([SpecCodes.of(spec, ColumnCodes(batch))])
        assert (
            numbered.count().tolist()
            == np.bincount(numbered.parts[0][1], minlength=len(table)).tolist()
        )
        found = np.append(found, numbered.parts[0][1])
    distinct, codes = np.unique(values, return_inverse=True)
    names, keys = table.texts(table.order())
    assert names.to_pylist() == [f"store={value}" for value in distinct]
    assert keys[0].as_py() == [{"feature": "store", "value": str(-(2**63)), "type": "int"}]
    assert np.array_equal(table.order()[codes], found)
    some = rng.permutation(table.order())[:50]
    assert (
        table.texts(some)[0].to_pylist()
        == names.take(pa.array(np.argsort(table.order())[some])).to_pylist()
    )


def test_slices_of_several_specs_are_named_in_the_order_asked_for() -> None:
    batch = pa.RecordBatch.from_pydict({"f": ["a", "b"], "g": [1, 2]})
    specs = [SlicingSpec(feature_keys=keys) for keys in ((), ("f",), ("g",), ("f", "g"))]
    table = SliceTable()
    table.number([SpecCodes.of(spec, ColumnCodes(batch)) for spec in specs])
    expected = ["Overall", "f=a", "f=b", "g=1", "g=2", "f=a, g=1", "f=b, g=2"]
    order = np.array([6, 0, 3, 1, 5, 3])
    names, keys = table.texts(order)
    assert names.to_pylist() == [expected[i] for i in order]
    assert [slice_name(as_key(key)) for key in keys.to_pylist()] == names.to_pylist()


SPELLED = [
    "10",
    "9",
    "-3",
    "-0.5",
    "1e3",
    "1E3",
    "1e400",
    "-1e400",
    "inf",
    "-inf",
    "Infinity",
    "nan",
    "+7",
    ".5",
    "5.",
    "1_000",
    "0x10",
    "٣",
    "007",
    "12ab",
    "-x",
    "1e-7",
    "é",
] + [" 4", "", "company 12", "2030-01-31", "[2.5, 3)", "[-inf, 0)", "[10, 20]", "1,5", "-"]


def test_slices_are_in_the_order_of_the_numbers_that_their_values_spell() -> None:
    assert as_numbers(pa.array(SPELLED)).tolist() == [as_number(text) for text in SPELLED]
    rng = np.random.default_rng(5)
    texts = [str(text) for text in rng.choice([*SPELLED, *map(str, range(40))], 300)]
    codes = SpecCodes.of(
        SlicingSpec(feature_keys=("a",)), ColumnCodes(pa.record_batch({"a": texts}))
    )
    table = SliceTable()
    table.number([codes])
    keys = [key[0][1] for key in table.keys(table.order())]
    assert keys == sorted(set(texts), key=lambda text: (as_number(text), text.encode()))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([5, -2, 5, 0]),
        pa.array([2**63 - 1, 2**63 - 3]),
        pa.array([-(2**63), 2**63 - 1, -(2**63)]),
        pa.array([7, None, 7, 3]),
        pa.array([200, 3], pa.uint8()),
        pa.array(["b", None, "a", "b"]),
        pa.array([5, 6, 5, None]).dictionary_encode().slice(2),
    ],
    ids=str,
)
def test_rows_are_in_the_slices_of_their_values_and_counted(values: pa.Array) -> None:
    batch = pa.RecordBatch.from_pydict({"a": values})
    table = SliceTable()
    codes = table.number([SpecCodes.of(SlicingSpec(feature_keys=("a",)), ColumnCodes(batch))])
    ((rows, of_rows),) = codes.parts
    names = [key[0][1] for key in table.keys(np.arange(len(table)))]
    texts = [None if value is None else str(value) for value in values.to_pylist()]
    present = np.arange(len(values)) if rows is None else rows
    assert [names[code] for code in of_rows] == [texts[row] for row in present]
    assert present.tolist() == [row for row, text in enumerate(texts) if text is not None]
    assert codes.count().tolist() == [texts.count(name) for name in names]


@pytest.mark.parametrize("n", [40, 4_000, 90_000])
def test_sums_of_many_rows_are_those_of_each_slice(n: int) -> None:
    """Of two specs that have a slice for every row, of Overall, and of one that lacks some rows."""
    rng = np.random.default_rng(0)
    hour, shop, some = rng.integers(2, 7, n), rng.integers(7, 20, n), np.arange(0, n, 3)
    parts = ((None, repeated(0, n)), (None, hour), (some, hour[some] - 1), (None, shop))
    codes, values, cells = SliceCodes(22, parts), rng.normal(size=n), rng.integers(0, 2, n)
    sums, counts = np.zeros(22), np.zeros((22, 2), np.int64)
    for rows, of in parts:
        at = slice(None) if rows is None else rows
        np.add.at(sums, of, values[at])
        np.add.at(counts, (of, cells[at]), 1)
    assert codes.sum(values) == pytest.approx(sums)
    assert codes.tabulate(cells, 2).tolist() == counts.tolist()


def test_rows_that_wait_keep_the_one_code_of_all_when_slices_are_numbered_anew() -> None:
    """A code that stands for all rows takes eight bytes, and is added up in one step."""
    ones = np.ones(6)
    codes = SliceCodes(2, ((None, repeated(1, 6)), (None, np.array([0, 1] * 3))))
    drawn = DrawnRows(codes, np.ones(6, np.int64), ones.astype(np.uint64), np.ones((6, 3)))
    for rows in (drawn, JointRows(codes, ones, ones, ones)):
        (_, all_rows), (_, others) = rows.relabelled(np.array([2, 0]), 3).codes.parts
        assert is_repeated(all_rows)
        assert (all_rows.tolist(), others.tolist()) == ([0] * 6, [2, 0] * 3)
