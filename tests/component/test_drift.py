# SPDX-License-Identifier: Apache-2.0
"""Drift: distances against SciPy, no alarms where nothing drifted, and the cells in which values are counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy import spatial, special, stats
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.drift import compare
from benison.drift.distances import DISTANCES

RNG = np.random.default_rng(11)


def test_distances_are_those_of_scipy() -> None:
    p, q = RNG.dirichlet(np.ones(7), 2)
    assert DISTANCES["jensen_shannon"].of(p, q) == pytest.approx(
        spatial.distance.jensenshannon(p, q)
    )
    entropies = special.rel_entr(p, q).sum() + special.rel_entr(q, p).sum()
    assert DISTANCES["psi"].of(p, q) == pytest.approx(entropies)
    expected = np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2)
    assert DISTANCES["hellinger"].of(p, q) == pytest.approx(expected)


def test_kolmogorovs_statistic_is_that_of_scipy() -> None:
    before, now = RNG.normal(size=500).round(1), RNG.normal(0.2, size=300).round(1)
    (check,) = compare(pa.table({"x": before}), pa.table({"x": now})).checks
    assert check.ks == pytest.approx(stats.ks_2samp(before, now).statistic)


@pytest.mark.parametrize("measure", sorted(DISTANCES))
@pytest.mark.parametrize("rows", [200, 2000])
def test_nothing_is_called_drift_where_nothing_drifted(measure: str, rows: int) -> None:
    """Ten features, half of them text; 20 runs with one alarm in 100 allowed have two once in 60 suites."""
    alarms = 0
    for _ in range(20):
        tables = [columns_of(size) for size in (2000, rows)]
        alarms += bool(compare(*tables, measure=measure).drifted)
    assert alarms <= 1


def columns_of(rows: int) -> pa.Table:
    names = RNG.choice([f"v{i}" for i in range(30)], (5, rows))
    numbers = {f"number{i}": RNG.normal(size=rows) for i in range(5)}
    return pa.table({**{f"text{i}": of for i, of in enumerate(names)}, **numbers})


@pytest.mark.parametrize("measure", sorted(DISTANCES))
def test_what_drifted_is_named_and_nothing_else(measure: str) -> None:
    """A true Jensen-Shannon distance of .16, above the threshold, in one column; and its mirror, missing values."""
    before, now = columns_of(20_000), columns_of(20_000)
    shifted = now.set_column(0, "text0", pa.array(RNG.choice(["v0", "v1"], 20_000)))
    gone = pa.array(np.where(RNG.random(20_000) < 0.3, np.nan, 0.5))
    shifted = shifted.set_column(9, "number4", gone)
    assert {*compare(before, shifted, measure=measure).drifted} == {"text0", "number4"}
    (check,) = compare(before, shifted, columns=["number4"]).checks
    assert check.missing == (0.0, pytest.approx(0.3, abs=0.02))


def test_what_is_above_the_reference_is_apart_from_its_infinity() -> None:
    inf = float("inf")
    before = pa.table({"x": [*range(800), *[inf] * 200]})
    (check,) = compare(before, pa.table({"x": [*range(800), *[1000.0] * 200]})).checks
    assert check.outcome == "drift"
    (check,) = compare(before, pa.table({"x": [*range(800)]})).checks
    assert (check.outcome, check.cell) == ("drift", "inf")


def test_a_trifle_is_no_drift_however_many_rows_there_are() -> None:
    tables = [pa.table({"x": RNG.normal(shift, size=300_000)}) for shift in (0.0, 0.05)]
    assert stats.ks_2samp(*(of["x"].to_numpy() for of in tables)).pvalue < 1e-20
    assert compare(*tables).drifted == []
    assert compare(*tables, threshold=0.0).drifted == ["x"]


def test_integers_booleans_dictionaries_and_empty_columns() -> None:
    table = pa.table(
        {
            "whole": pa.array([1, 2, 3, None] * 50),
            "flag": pa.array([True, False, None, True] * 50),
            "code": pa.array(["a", "b", "a", None] * 50).dictionary_encode(),
            "empty": pa.nulls(200),
            "day": pa.array([1, 2, 3, 4] * 50, pa.date32()),
            "list": pa.array([[1], [2], [], None] * 50),
        }
    )
    report = compare(table, table)
    assert {check.feature for check in report.checks} == {"whole", "flag", "code", "empty", "day"}
    assert all(check.distance == 0 for check in report.checks)
    assert {check.feature: check.missing[0] for check in report.checks}["flag"] == 0.25


@pytest.mark.parametrize(
    ("changed", "given", "sentence"),
    [
        ({"x": ["a"]}, {"columns": ["x"]}, "is of numbers in the reference and of text"),
        ({"y": [1.0]}, {}, "no column in common"),
        ({"x": [1.0]}, {"columns": ["z"]}, "has no column 'z'"),
        ({"x": [1.0]}, {"measure": "psy"}, "Did you mean 'psi'"),
        (
            {"x": [1.0]},
            {"measure": "x"},
            "measure 'x'. There are: hellinger, jensen_shannon, psi.$",
        ),
        ({"x": [1.0]}, {"threshold": -1.0}, "a number from 0 up"),
        ({"x": [1.0]}, {"level": 1.0}, "between 0.5 and 1"),
        ({"x": pa.array([], pa.float64())}, {}, "no rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    changed: dict[str, Any], given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(benison.BenisonError, match=sentence):
        compare(pa.table({"x": [1.0, 2.0]}), pa.table(changed), **given)


def test_the_command_says_it_and_ends_with_1_as_a_gate(tmp_path: Path) -> None:
    table = pa.table({"fare": list(range(1000)), "cash": ["yes", "no"] * 500})
    pq.write_table(table, tmp_path / "before.parquet")
    moved = table.set_column(0, "fare", pa.array(range(500, 1500)))
    pyarrow.csv.write_csv(moved, tmp_path / "now.csv")
    files = [str(tmp_path / name) for name in ("before.parquet", "now.csv")]
    done = CliRunner().invoke(app, ["drift", *files, "--gate"])
    assert done.exit_code == 1
    assert "1 of 2 columns drifted (1,000 rows of the reference, 1,000 now)." in done.output
    done = CliRunner().invoke(app, ["drift", *files, "--json", "-c", "cash"])
    assert done.exit_code == 0
    assert json.loads(done.output)["checks"][0]["ks"] is None


@pytest.mark.parametrize(
    ("before", "now"),
    [([0] * 2000, [1] * 2000), ([0, 1] * 1000, [0, 2] * 1000), ([1.0, 2.0] * 1000, [None] * 2000)],
)
def test_what_no_row_of_the_reference_had_is_drift(before: list[Any], now: list[Any]) -> None:
    """Above all numbers of the reference, and where no row has a number any more."""
    assert compare(pa.table({"x": before}), pa.table({"x": now})).drifted == ["x"]
    assert compare(pa.table({"x": now}), pa.table({"x": before})).drifted == ["x"]


def test_a_text_column_without_a_value_is_compared() -> None:
    before, now = pa.table({"x": ["a", ""] * 500}), pa.table({"x": pa.nulls(1000)})
    (check,) = compare(before, now).checks
    assert (check.outcome, check.missing) == ("drift", (0.0, 1.0))
    assert "rows with " in check.reason


def test_columns_of_bytes_are_left_out() -> None:
    raw = pa.array([b"\xff", b"\xfe"], pa.large_binary())
    table = pa.table({"x": [1.0, 2.0], "raw": raw})
    assert [check.feature for check in compare(table, table).checks] == ["x"]
