# SPDX-License-Identifier: Apache-2.0
"""Rows that are alike, and the codes of slices, of tables in any number of chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benison.slicing.keys import SLICE_KEY
from benison.table.alike import alike, few_of, rows_by, rows_by_key
from benison.table.key import KEY_COLUMNS, Key
from benison.table.slices import slice_codes, slice_ids

CHUNKS = ((), (7,), (0, 1, 40, 41), (20, 40))


def chunked(table: pa.Table, bounds: tuple[int, ...]) -> pa.Table:
    """The same rows, cut at `bounds`; parts that are equal have memory of their own."""
    ends = (*bounds, table.num_rows)
    parts = [table.slice(a, b - a) for a, b in zip((0, *bounds), ends, strict=True)]
    return pa.concat_tables(parts)


def rows(order: str) -> list[dict[str, Any]]:
    """Sixty rows, each of one of some keys: those of one key together, in turn, or anyhow."""
    numbers = {"together": np.arange(60) // 20, "in turn": np.arange(60) % 3}
    codes = numbers.get(order, np.random.default_rng(0).integers(0, 9, 60))
    return [
        {**dict.fromkeys(KEY_COLUMNS, ""), "weighted": bool(c % 2), "metric": f"m{c // 2}", "at": i}
        for i, c in enumerate(codes.tolist())
    ]


@pytest.mark.parametrize("bounds", CHUNKS)
@pytest.mark.parametrize("order", ["together", "in turn", "anyhow"])
def test_rows_are_alike_that_have_one_key(order: str, bounds: tuple[int, ...]) -> None:
    expected = rows(order)
    table = chunked(pa.Table.from_pylist(expected), bounds)
    firsts, codes = alike(table, ("metric", "weighted"))
    pairs = [(row["metric"], row["weighted"]) for row in expected]
    known = list(dict.fromkeys(pairs))
    assert [tuple(row.values()) for row in firsts.to_pylist()] == known
    assert codes.tolist() == [known.index(pair) for pair in pairs]
    places = {key: of.tolist() for key, of in rows_by(table, ("metric", "weighted")).items()}
    assert places == {key: [i for i, pair in enumerate(pairs) if pair == key] for key in known}
    found = {key: of.tolist() for key, of in rows_by_key(table).items()}
    by_key: dict[Key, list[int]] = {}
    for row in expected:
        by_key.setdefault(Key.of(row), []).append(row["at"])
    assert found == by_key


@pytest.mark.parametrize("bounds", CHUNKS)
def test_few_rows_of_a_table_come_in_the_order_asked_for(bounds: tuple[int, ...]) -> None:
    table = pa.table({"at": np.arange(60), "key": pa.array([[{"a": i}] for i in range(60)])})
    wanted = np.array([59, 0, 7, 41, 40, 0, 6])
    assert few_of(chunked(table, bounds), wanted).to_pylist() == table.take(wanted).to_pylist()
    assert few_of(chunked(table, bounds), wanted[:0]).num_rows == 0


def test_no_rows_have_no_keys() -> None:
    table = pa.Table.from_pylist(rows("anyhow")).slice(0, 0)
    for empty in (table, pa.Table.from_batches([], table.schema)):
        assert alike(empty, KEY_COLUMNS)[0].num_rows == 0
        assert rows_by_key(empty) == {}


@pytest.mark.parametrize("bounds", CHUNKS)
@pytest.mark.parametrize("shared", [True, False])
def test_the_codes_of_slices_are_of_their_identities(shared: bool, bounds: tuple[int, ...]) -> None:
    keys = [[("a", str(i % 20), "int")] if i % 3 else [] for i in range(60)]
    others = [[("a", "1, b=2", None)] if i % 20 == 5 else None for i in range(60)]
    columns = {
        "slice_key": pa.array(keys, SLICE_KEY),
        "other_slice_key": pa.array(others, SLICE_KEY),
    }
    table = chunked(pa.table(columns), bounds)
    if shared:
        table = pa.concat_tables([table, table, table.slice(3)])
    texts, codes = slice_codes(table)
    assert texts.take(pa.array(codes)).to_pylist() == slice_ids(table).to_pylist()
    assert texts.to_pylist() == list(dict.fromkeys(slice_ids(table).to_pylist()))


def test_a_table_without_rows_has_no_slices() -> None:
    schema = pa.schema([("slice_key", SLICE_KEY), ("other_slice_key", SLICE_KEY)])
    texts, codes = slice_codes(schema.empty_table())
    assert (len(texts), len(codes)) == (0, 0)
