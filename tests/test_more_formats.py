# SPDX-License-Identifier: Apache-2.0
"""ORC, Avro, score files, databases, and tables of other libraries: the numbers of the same rows in Parquet."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

import benison
from benison.output import blessing
from tests.conftest import config, taxi_like

TRIPS = taxi_like(600).select(["label", "prediction", "company", "hour"])
MADE = config(
    "AUC", "ExampleCount", slices=({}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]})
)


TYPES = {"float": ("float", "REAL"), "double": ("double", "REAL"), "string": ("string", "TEXT"),
         "int64": ("long", "INTEGER")}  # fmt: skip
"""Of each type of Arrow that of Avro, and that of SQLite."""


def as_orc(table: pa.Table, folder: Path) -> Any:
    orc.write_table(table, folder / "eval.orc", stripe_size=4096)
    return folder / "eval.orc"


def as_avro(table: pa.Table, folder: Path) -> Any:
    fastavro = pytest.importorskip("fastavro")
    fields = [{"name": f.name, "type": ["null", TYPES[str(f.type)][0]]} for f in table.schema]
    schema = {"type": "record", "name": "Trip", "fields": fields}
    with (folder / "eval.avro").open("wb") as file:
        fastavro.writer(file, schema, table.to_pylist(), codec="deflate")
    return folder / "eval.avro"


def as_scores(table: pa.Table, folder: Path) -> Any:
    """As lm-evaluation-harness writes samples, whose metrics are what stands beside its own fields."""
    path = folder / "samples_trips_2026-01-31T12-00-00.000001.jsonl"
    own = {"doc": {}, "target": "", "filtered_resps": [""]}
    path.write_text("\n".join(json.dumps({**row, **own}) for row in table.to_pylist()))
    return path


def as_duckdb_file(table: pa.Table, folder: Path) -> Any:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(folder / "eval.duckdb")) as connection:
        connection.register("trips", table)
        connection.execute("CREATE TABLE kept AS SELECT * FROM trips")
    return f"duckdb://{folder}/eval.duckdb#SELECT * FROM kept WHERE $$;$$ = ';';"


def as_relation(table: pa.Table, folder: Path) -> Any:
    duckdb = pytest.importorskip("duckdb")
    return duckdb.from_arrow(table)


def as_sqlite_file(table: pa.Table, folder: Path) -> Any:
    pytest.importorskip("adbc_driver_sqlite")
    columns = ", ".join(f"{field.name} {TYPES[str(field.type)][1]}" for field in table.schema)
    marks = ", ".join("?" * table.num_columns)
    with sqlite3.connect(folder / "eval.db") as connection:
        connection.execute(f"CREATE TABLE kept ({columns})")
        rows = [tuple(row.values()) for row in table.to_pylist()]
        connection.executemany(f"INSERT INTO kept VALUES ({marks})", rows)
    connection.close()
    return f"sqlite://{folder}/eval.db#SELECT * FROM kept WHERE 'it''s;' != '' -- all; really\n ; "


def as_dataset(table: pa.Table, folder: Path) -> Any:
    pq.write_table(table, folder / "eval.parquet")
    return pa.dataset.dataset(folder / "eval.parquet")


def as_lazy_frame(table: pa.Table, folder: Path) -> Any:
    return pl.from_arrow(table).lazy().filter(pl.col("hour") >= 0)  # type: ignore[union-attr]


def as_hugging_face_folder(table: pa.Table, folder: Path) -> Any:
    saved = folder / "saved"
    saved.mkdir()
    names = [f"data-0000{number}-of-00002.arrow" for number in (0, 1)]
    half = len(table) // 2
    for number, name in enumerate(names):
        with pa.ipc.new_stream(str(saved / name), table.schema) as stream:
            stream.write_table(table.slice(number * half, half))
    (saved / "dataset_info.json").write_text("{}")
    (saved / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": name} for name in names]})
    )
    return saved


FORMS: Sequence[Callable[[pa.Table, Path], Any]] = (
    as_orc, as_avro, as_scores, as_duckdb_file, as_relation, as_sqlite_file, as_dataset, as_lazy_frame,
    as_hugging_face_folder,
)  # fmt: skip
EXPECTED = benison.evaluate(TRIPS, MADE).metrics.select(["metric", "slice", "value"])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form: Callable[[pa.Table, Path], Any], tmp_path: Path) -> None:
    result = benison.evaluate(form(TRIPS, tmp_path), MADE, output=tmp_path / "out")
    assert result.metrics.select(["metric", "slice", "value"]) == EXPECTED
    blessing.verify(tmp_path / "out")


def test_a_saved_dataset_that_names_no_files_is_called_damaged(tmp_path: Path) -> None:
    saved = as_hugging_face_folder(TRIPS, tmp_path)
    (saved / "state.json").write_text('{"_data_files": [{}]}')
    with pytest.raises(benison.DataError, match="state.json does not name the files"):
        benison.evaluate(saved, MADE)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("duckdb://no.duckdb#SELECT 1", "There is no database no.duckdb"),
        ("sqlite://no.db#SELECT 1", "There is no database no.db"),
        ("duckdb://#SELECT * FROM nothing", "refuses the query"),
        ("duckdb://eval.duckdb", "needs a query behind #"),
        ("duckdb://#SELECT 1 AS a; SELECT 2 AS a", "more than one statement"),
        ("sqlite://no.db#SELECT 'it''s;' AS a;;/* ; */ SELECT 2 AS a;", "more than one statement"),
        ("postgresql://host/db#SELECT $$;$$ ; DELETE FROM kept", "more than one statement"),
        ("postgresql://ada:secret@host/db#SELECT 1", "holds a password"),
    ],
)
def test_an_address_that_gives_no_rows(address: str, sentence: str) -> None:
    pytest.importorskip("duckdb")
    with pytest.raises(benison.DataError, match=sentence):
        benison.evaluate(address, MADE)


@pytest.mark.parametrize("name", ["eval.orc", "eval.avro"])
def test_a_damaged_file(name: str, tmp_path: Path) -> None:
    pytest.importorskip("fastavro")
    {"eval.orc": as_orc, "eval.avro": as_avro}[name](TRIPS, tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(benison.DataError, match="cannot be read"):
        benison.evaluate(path, MADE)


def test_a_folder_of_splits_asks_for_one(tmp_path: Path) -> None:
    as_hugging_face_folder(TRIPS, tmp_path)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["saved", "other"]}')
    with pytest.raises(benison.DataError, match="the splits saved, other. Give the folder of one"):
        benison.evaluate(tmp_path, MADE)
