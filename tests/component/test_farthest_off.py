# SPDX-License-Identifier: Apache-2.0
"""The checks that are shown first, and the files that a writer finds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benison.output import writers
from benison.table.schema import CHECKS_SCHEMA, METRICS_SCHEMA
from benison.validation.misses import farthest_off


def checks(rows: int, metrics: int) -> pa.Table:
    rng = np.random.default_rng(0)
    columns = {field.name: pa.nulls(rows, field.type) for field in CHECKS_SCHEMA}
    columns |= {
        "metric": pa.array([f"metric {i}" for i in rng.integers(0, metrics, rows)]),
        "kind": pa.repeat("value", rows),
        "check": pa.repeat("value_lower", rows),
        "side": pa.repeat("lower", rows),
        "bound": pa.repeat(5.0, rows),
        "value": pa.array(rng.integers(0, 9, rows).astype(np.float64)),  # with ties
        "outcome": pa.array(rng.choice(["fail", "pass"], rows)),
        "examples": pa.array(np.arange(rows)),
    }
    return pa.table(columns)


@pytest.mark.parametrize("metrics", [1, 3, 40])
def test_the_farthest_off_are_the_first_of_all_in_their_order(metrics: int) -> None:
    table = checks(400, metrics)
    rows = sorted(
        (row for row in table.to_pylist() if row["outcome"] == "fail"),
        key=lambda row: (row["metric"], row["value"], row["examples"]),
    )
    shown = farthest_off(table, ("fail",), 7).to_pylist()
    names = {row["metric"] for row in rows}
    values = {name: [r["value"] for r in rows if r["metric"] == name] for name in names}
    taken = {name: [r["value"] for r in shown if r["metric"] == name] for name in names}
    assert len(shown) == 7
    assert all(values[name][: len(own)] == own for name, own in taken.items())
    sizes = [len(own) for name, own in taken.items() if len(own) < len(values[name])]
    assert max(sizes) - min(sizes) <= 1


def test_a_writer_of_ones_own_finds_the_tables_that_were_written_before_it(tmp_path: Path) -> None:
    class Reader:
        stage_name = "Read"

        def write(self, evaluation: dict[str, Any], directory: Path) -> None:
            seen.extend(sorted(path.name for path in directory.iterdir()))

    class Slow(writers.TableWriter):
        def write(self, evaluation: dict[str, Any], directory: Path) -> None:
            time.sleep(0.05)
            super().write(evaluation, directory)

    seen: list[str] = []
    tables = {"metrics": METRICS_SCHEMA.empty_table(), "checks": CHECKS_SCHEMA.empty_table()}
    slow = [Slow(name, name, f"{name}.parquet", tables[name].schema) for name in tables]
    writers.run([*slow, Reader()], tables, tmp_path)
    assert seen == ["checks.parquet", "metrics.parquet"]


def test_a_table_that_cannot_be_written_ends_the_writing(tmp_path: Path) -> None:
    chosen = [writers.TableWriter("WriteChecks", "checks", "no/such/folder", CHECKS_SCHEMA)]
    with pytest.raises(FileNotFoundError):
        writers.run(chosen, {"checks": checks(2, 1)}, tmp_path)
