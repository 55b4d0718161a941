# SPDX-License-Identifier: Apache-2.0
"""Keys of rows, which make results independent of files and of order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.row_keys import key_numbers
from tests.conftest import config, taxi_like


def test_a_row_key_makes_results_independent_of_files_and_order(tmp_path: Path) -> None:
    """Blocks, samples of areas, and both halves of the search for weak slices."""
    table = taxi_like(9_000)
    table = table.append_column("trip", pa.array([f"trip {i}" for i in range(9_000)]))
    made = config("AUC", "KolmogorovSmirnov", slices=({}, {"feature_keys": ["hour"]}))
    made["options"] = {"confidence": {"level": 0.9}, "row_key": ["trip"]}
    made["weak_slices"] = {"features": ["hour", "company"]}
    shuffled = table.take(np.random.default_rng(0).permutation(9_000))
    results = []
    for name, rows, files in (("whole", table, 1), ("parts", shuffled, 3)):
        (tmp_path / name).mkdir()
        for i in range(files):
            part = rows.slice(i * 9_000 // files, 9_000 // files)
            pq.write_table(part, tmp_path / name / f"{i}.parquet", row_group_size=1_000)
        results.append(benison.evaluate(tmp_path / name, made, threads=files))
    results.append(benison.evaluate(shuffled, made))
    for other in results[1:]:
        for column in ("value", "lower", "std_error"):
            own, theirs = (sorted(r.metrics[column].to_pylist()) for r in (results[0], other))
            np.testing.assert_allclose(own, theirs, rtol=1e-9)
        assert other.weak_slices.to_pylist() == results[0].weak_slices.to_pylist()
    with pytest.raises(
        benison.ConfigError, match=r"options\.row_key\[0\]: the data have no column"
    ):
        benison.evaluate(table.drop_columns(["trip"]), made)
    holes = table.set_column(table.num_columns - 1, "trip", pa.nulls(9_000, pa.string()))
    with pytest.raises(benison.DataError, match="the row_key trip is missing in some rows"):
        benison.evaluate(holes, made)


@pytest.mark.parametrize(
    ("step", "shared"), [(1, None), (2, "1,024 of 1,024"), (3_000, "1,024 of 1,024")]
)
def test_rows_that_a_row_key_does_not_tell_apart_are_named(step: int, shared: str | None) -> None:
    table = taxi_like(3_000).append_column("trip", pa.array(np.arange(3_000) // step))
    options = {"confidence": {"level": 0.95}, "row_key": ["trip"]}
    made = {**config("KolmogorovSmirnov"), "options": options}
    advice = benison.evaluate(table, made).manifest["advice"]
    start = f"{shared} rows that were looked at share their options.row_key (trip) with another."
    assert [sentence.startswith(start) for sentence in advice] == [True] * (shared is not None)


def test_row_keys_of_lists_are_those_of_their_rows() -> None:
    def numbers(lists: Any) -> list[int]:
        batch = pa.record_batch({"id": pa.array(lists)})
        made: list[int] = key_numbers(batch, ["id"], "The data").tolist()
        return made

    assert numbers([["x"], ["y"], ["z"]]) == numbers(["x", "y", "z"])
    assert numbers([["z"], ["x"]])[1] == numbers([["x"]])[0]
    with pytest.raises(benison.DataError, match="the row_key id is missing in some rows"):
        numbers([["x"], [], ["z"]])
    with pytest.raises(benison.DataError, match="the row_key id is missing in some rows"):
        numbers([7.0, np.nan])
    with pytest.raises(benison.DataError, match="column 'id' of the row_key is list"):
        numbers([["x", "y"], [], ["z"]])
