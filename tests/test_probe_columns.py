# SPDX-License-Identifier: Apache-2.0
"""Probes of columns and files of every kind, of models that end the program, and what a check says of rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, feather

from tests.test_probe_bounds import ROWS, by_fare, evaluated, on, rides

VIEWS = {
    "text": pa.array([*"ab"] * (ROWS // 2), pa.string_view()),
    "bytes": pa.array([b"a", None] * (ROWS // 2), pa.binary_view()),
    "code": pa.array([b"a", b"b"] * (ROWS // 2), pa.binary(1)),
    "words": pa.array([[*"ab"]] * ROWS, pa.list_(pa.string_view())),
    "box": pa.array([{"x": "a"}] * ROWS, pa.struct({"x": pa.string_view()})),
    "runs": pa.RunEndEncodedArray.from_arrays(
        pa.array([20, ROWS]), pa.array(["a", "b"], pa.string_view())
    ),
    "named": pa.DictionaryArray.from_arrays(
        pa.array([0, 1] * (ROWS // 2)), pa.array(["a", "b"], pa.string_view())
    ),
    "deep": pa.StructArray.from_arrays(
        [pa.RunEndEncodedArray.from_arrays(pa.array([ROWS]), pa.array([1]))], ["x"]
    ),
}


def test_columns_of_any_arrow_type_are_probed_or_left_alone() -> None:
    data = pa.table({**{name: rides()[name] for name in ("fare", "tip")}, **VIEWS})
    rows = evaluated("hostile_values", data=data).probes.to_pylist()
    assert [row["feature"] for row in rows] == [
        "fare",
        *("text", "bytes", "code", "words"),
        "runs",
        "named",
    ]
    assert not any(row["count"] for row in rows)


def test_decimals_meet_hostile_values_as_floats_do() -> None:
    def failing(frame: Any) -> Any:
        if (frame["fare"].astype(float) == 0).any():
            raise ValueError("a fare of 0")
        return by_fare(frame.astype({"fare": float}))

    fares = pc.add(rides()["fare"], 1).cast(pa.decimal128(12, 2), safe=False)
    data = pa.table({"fare": fares, "tip": rides()["tip"]})
    (row,) = evaluated(on("hostile_values", "fare"), data=data, model=failing).probes.to_pylist()
    assert row["detail"] == "0"
    assert row["count"] > 0


def test_a_model_that_ends_the_program_on_a_changed_row_fails_on_it() -> None:
    def quitting(frame: Any) -> Any:
        if frame["fare"].isna().any():
            sys.exit(3)
        return by_fare(frame)

    data = rides().select(["fare", "tip"])
    (row,) = evaluated(on("hostile_values", "fare"), data=data, model=quitting).probes.to_pylist()
    assert row["detail"] == "NaN"
    assert row["sentence"].endswith("ended the program with sys.exit(3); 0 % is allowed.")


@pytest.mark.parametrize("code", [143, 130])
def test_a_signal_that_the_program_handles_ends_a_probe(code: int) -> None:
    def stopped(frame: Any) -> Any:
        if frame["fare"].isna().any():
            sys.exit(code)
        return by_fare(frame)

    with pytest.raises(SystemExit) as end:
        evaluated("missing_flips", model=stopped)
    assert end.value.code == code


@pytest.mark.parametrize(
    ("bound", "end"), [({}, "is NaN."), ({"at_most": 1}, "is NaN; 100 % is allowed.")]
)
def test_a_sentence_has_one_full_stop(bound: Any, end: str) -> None:
    def failing(frame: Any) -> Any:
        if frame["fare"].isna().any():
            raise ValueError("fare is NaN.")
        return by_fare(frame)

    probe = {"name": "hostile_values", "features": ["fare"], **bound}
    (sentence,) = evaluated(probe, model=failing).probes["sentence"].to_pylist()
    assert sentence.endswith(f"ValueError: fare {end}")


def test_a_check_says_on_how_many_rows_a_gain_rests() -> None:
    unlabelled = [None if i < 7 else i % 2 for i in range(ROWS)]
    data = rides().select(["fare"]).append_column("tip", pa.array(unlabelled))
    for probe in ("better_than_prior", "residual_normality"):
        result = evaluated({"name": probe, "at_least": -1}, "AUC", data=data)
        (check,) = [each for each in result.verdict.checks if each.check == "probe"]
        assert check.evaluated == ROWS - 7
    assert (
        "(0.5, 53 rows)"
        in evaluated("better_than_prior", "AUC", data=data).probes["sentence"][0].as_py()
    )


@pytest.mark.parametrize("name", ["prior", "majority", "slice_mean", "linear"])
@pytest.mark.parametrize("column", ["tip", "fare"])
def test_a_row_of_weight_0_is_in_no_gain(name: str, column: str) -> None:
    weights = np.where(np.arange(ROWS) == 5, 0.0, 1.0)
    rows = rides().select(["fare", "stops"])
    rows = rows.append_column("tip", pa.array(np.cos(np.arange(ROWS))))
    rows = rows.append_column("weight", pa.array(weights))
    features = {"features": ["stops"]} if name in ("slice_mean", "linear") else {}
    seen = []
    for value in (0.0, np.inf):
        values = np.where(np.arange(ROWS) == 5, value, rows[column])
        index = rows.schema.get_field_index(column)
        result = evaluated(
            {"name": f"better_than_{name}", **features},
            "MeanSquaredError",
            data=rows.set_column(index, column, pa.array(values)),
            model=lambda frame: frame["fare"],
            model_specs=[{"label_key": "tip", "example_weight_key": "weight"}],
        )
        (row,) = [r for r in result.probes.to_pylist() if "mean_squared" in r["detail"]]
        seen.append((row["value"], row["lower"], row["upper"]))
    assert np.isfinite(seen).all()
    assert seen[0] == pytest.approx(seen[1])


def test_texts_that_look_like_one_number_are_two_values() -> None:
    versions = pa.array(["3.1", "3.10"] * (ROWS // 2))
    data = rides().select(["fare", "tip"]).append_column("version", versions)

    def by_version(frame: Any) -> Any:
        return np.where(frame["version"] == "3.10", 0.9, 0.1)

    swaps, gaps = (
        evaluated({"name": name, "features": ["version"]}, data=data, model=by_version)
        for name in ("feature_swaps", "residuals_by_feature")
    )
    (swap,), (gap,) = swaps.probes.to_pylist(), gaps.probes.to_pylist()
    assert swap["value"] == 1
    assert {point["at"] for point in swap["curve"]} == {"3.1", "3.10"}
    assert {point["at"] for point in gap["curve"]} == {"3.1", "3.10"}


def test_integers_beyond_2_to_the_53_are_swapped_exactly() -> None:
    ids = np.where(np.arange(ROWS) % 2, 2**62 + 1, 2**62)
    data = rides().select(["fare", "tip"]).append_column("id", pa.array(ids))

    def odd(frame: Any) -> Any:
        return (frame["id"] % 2).astype(float)

    for name in ("feature_swaps", "permutation_flips"):
        (row,) = evaluated(
            {"name": name, "features": ["id"]}, data=data, model=odd
        ).probes.to_pylist()
        assert row["value"] > 0.3


def _as_csv(table: pa.Table, path: Path) -> None:
    csv.write_csv(table, path)


def _as_lines(table: pa.Table, path: Path) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in table.to_pylist()))


def _as_feather(table: pa.Table, path: Path) -> None:
    feather.write_feather(table, path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("t.csv", _as_csv), ("t.jsonl", _as_lines), ("t.arrow", _as_feather), ("t-*.parquet", None)],
    ids=["csv", "jsonl", "arrow", "pattern"],
)
def test_training_examples_are_of_any_kind_of_file(tmp_path: Path, name: str, write: Any) -> None:
    trained = rides().select(["fare", "tip"])
    pq.write_table(trained, tmp_path / "t-0.parquet")
    if write:
        write(trained, tmp_path / name)
    seen = []
    for address in ("t-0.parquet", name):
        asked = {"probes": ["membership"], "training_examples": str(tmp_path / address)}
        (row,) = evaluated(None, data=trained.slice(9), debugging=asked).probes.to_pylist()
        seen.append((row["value"], row["rows"]))
    assert seen[0] == pytest.approx(seen[1])
    assert np.isfinite(seen[0][0])


def test_residuals_of_classes_need_not_be_normal() -> None:
    (row,) = evaluated("residual_normality").probes.to_pylist()
    assert row["value"] < 0.98
    assert not row["notable"]
    assert "as those of classes never are" in row["sentence"]
