# SPDX-License-Identifier: Apache-2.0
"""What files of one dataset make of each other's types: the same rows have the same slices in every form."""

from __future__ import annotations

import collections
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, orc

import benison
from benison.data.dataset import Dataset
from tests.conftest import config

BIG = 2**53 + 1


def counts(path: Path, column: str = "s") -> dict[str, float]:
    """How many rows each slice of a column has."""
    made = config("ExampleCount", slices=({"feature_keys": [column]},))
    metrics = benison.evaluate(path, made).metrics
    keys = [key[0]["value"] for key in metrics["slice_key"].to_pylist()]
    return dict(zip(keys, metrics["value"].to_pylist(), strict=True))


def rows_of(values: list[Any]) -> list[dict[str, Any]]:
    """Rows with predictions that are not written as numbers print: .9 in CSV."""
    return [{"label": i % 2, "prediction": 0.9, "s": value} for i, value in enumerate(values)]


def write_csv(path: Path, values: list[Any]) -> None:
    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "prediction", "s"])
        writer.writerows([row["label"], ".9", row["s"]] for row in rows_of(values))


def write_json(path: Path, values: list[Any]) -> None:
    lines = (json.dumps(row) + "\n" for row in rows_of(values))
    path.with_suffix(".jsonl").write_text("".join(lines))


def write_parquet(path: Path, values: list[Any]) -> None:
    pq.write_table(pa.Table.from_pylist(rows_of(values)), path.with_suffix(".parquet"))


@pytest.mark.parametrize(
    "spellings",
    [[["True", "true"]], [["true", "false"]], [["true", "false"], ["TRUE", "FALSE", "False"]]],
    ids=str,
)
def test_spellings_of_truth_values_are_one_value(
    spellings: list[list[str]], tmp_path: Path
) -> None:
    for i, values in enumerate(spellings):
        write_csv(tmp_path / f"{i}", values)
    frames = [pd.read_csv(path) for path in tmp_path.iterdir()]
    wanted = collections.Counter(pd.concat(frames)["s"].astype(str).str.lower())
    assert counts(tmp_path) == wanted


def test_truth_values_beside_numbers_are_sliced_as_they_are_written(tmp_path: Path) -> None:
    write_csv(tmp_path / "a", ["true", "True"])
    write_csv(tmp_path / "b", ["3", "4", "3"])
    assert counts(tmp_path) == {"true": 1, "True": 1, "3": 2, "4": 1}


@pytest.mark.parametrize("write", [write_csv, write_json, write_parquet])
@pytest.mark.parametrize(
    "files", [([BIG, BIG + 1], [0.5, 1.5, BIG]), ([BIG, 7], [0.5, 1.5])], ids=str
)
def test_large_integers_of_one_file_and_fractions_of_another_are_slices(
    write: Callable[[Path, list[Any]], None], files: tuple[list[Any], ...], tmp_path: Path
) -> None:
    if write is write_parquet and any(len({*map(type, each)}) > 1 for each in files):
        pytest.skip("a column of Parquet has one type")
    for i, values in enumerate(files):
        write(tmp_path / f"{i}", values)
    assert counts(tmp_path) == collections.Counter(
        str(value) for values in files for value in values
    )


@pytest.mark.parametrize("write", [write_csv, write_json, write_parquet])
def test_large_integers_that_nothing_slices_are_the_nearest_floats(
    write: Callable[[Path, list[Any]], None], tmp_path: Path
) -> None:
    for i, values in enumerate(([0.5, 1.5], [BIG, BIG + 1], [True, True])):
        write(tmp_path / f"{i}", values)
    made = config("MeanLabel", model={"label_key": "s"})
    wanted = sum(map(float, (0.5, 1.5, BIG, BIG + 1, 1, 1))) / 6
    assert benison.evaluate(tmp_path, made).value("mean_label") == pytest.approx(wanted, rel=1e-15)


@pytest.mark.parametrize("name", ["NA", "null", "nan", "NULL"])
def test_a_folder_is_text_whether_it_is_alone_or_not(name: str, tmp_path: Path) -> None:
    for others in ((), ("DE",)):
        for value in (name, *others):
            folder = tmp_path / f"{len(others)}" / f"region={value}"
            folder.mkdir(parents=True)
            write_parquet(folder / "d", ["x", "y"])
        assert counts(tmp_path / f"{len(others)}", "region") == dict.fromkeys((name, *others), 2.0)


def test_a_folder_of_missing_values_alone_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "region=__HIVE_DEFAULT_PARTITION__"
    folder.mkdir()
    write_parquet(folder / "d", ["x"])
    assert counts(tmp_path, "region") == {}


def write_avro(table: pa.Table, path: str) -> None:
    fastavro = pytest.importorskip("fastavro")
    names = {pa.int64(): "long", pa.float64(): "double", pa.string(): "string"}
    fields = [{"name": field.name, "type": names[field.type]} for field in table.schema]
    with Path(path).open("wb") as file:
        schema = {"type": "record", "name": "row", "fields": fields}
        fastavro.writer(file, schema, table.to_pylist())


WRITERS: dict[str, Callable[[pa.Table, str], None]] = {
    "parquet": pq.write_table,
    "arrow": lambda table, path: feather.write_feather(table, path, "uncompressed"),
    "orc": orc.write_table,
    "avro": write_avro,
}


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("empty", ["a", "z"])
def test_a_file_without_rows_changes_no_type(ending: str, empty: str, tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows_of([1, 2, 2]))
    nothing = pa.table({name: pa.array([], pa.string()) for name in [*table.column_names, "more"]})
    WRITERS[ending](table, str(tmp_path / f"m.{ending}"))
    WRITERS[ending](nothing, str(tmp_path / f"{empty}.{ending}"))
    data = Dataset.open(tmp_path)
    kinds = {field.name: field.type for field in data.schema}
    assert kinds == {**{f.name: f.type for f in table.schema}, "more": pa.string()}
    assert counts(tmp_path) == {"1": 1, "2": 2}
