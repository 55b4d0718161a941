# SPDX-License-Identifier: Apache-2.0
"""Folders: tables whose log says which files count, and values in the names of folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.dataset import Dataset
from benison.data.formats import FORMATS
from benison.output import blessing
from benison.paths import locate
from tests.component.test_reading import counts, scored, write
from tests.conftest import config

TABLE = pa.table(
    {
        "label": [1.0, 0.0, 1.0],
        "prediction": [0.5, 0.25, 0.75],
        "region": ["a", "b", "a"],
        "n": [1, 2, 3],
    }
)


# Delta.


@pytest.fixture
def delta(tmp_path: Path) -> str:
    """A table of three rows whose folder holds twelve: one write was replaced, one row deleted."""
    deltalake = pytest.importorskip("deltalake")
    path = str(tmp_path / "delta")
    for rows in (TABLE, TABLE, pa.concat_tables([TABLE, TABLE.slice(1, 1)])):
        deltalake.write_deltalake(path, rows, mode="overwrite", partition_by=["region"])
    deltalake.DeltaTable(path).delete("n = 3")
    return path


def test_a_delta_table_is_what_its_log_says(delta: str) -> None:
    assert counts(delta, "region") == {"a": 1, "b": 2}
    assert counts(delta, "n") == {"1": 1, "2": 2}
    dataset = Dataset.open(delta)
    assert (dataset.num_rows, dataset.format) == (3, "delta")
    assert sum(batch.num_rows for batch in dataset.batches()) == 3


def test_a_delta_table_is_read_as_it_was_when_it_was_opened(delta: str) -> None:
    deltalake = pytest.importorskip("deltalake")
    dataset = Dataset.open(delta)
    deltalake.write_deltalake(delta, TABLE, mode="append")
    assert sum(batch.num_rows for batch in dataset.batches(["n"])) == 3
    assert Dataset.open(delta).num_rows == 6


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_the_content_of_a_table_is_that_of_the_files_that_count(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = request.getfixturevalue(kind)
    asked = config("ExampleCount")
    first = benison.evaluate(path, asked, output=tmp_path / "out")
    blessing.verify(tmp_path / "out", examples=[path])
    data = first.manifest["data"]
    again = benison.evaluate(path, asked).manifest["data"]
    assert (again["digest"], again["fingerprint"]) == (data["digest"], data["fingerprint"])
    assert "the log says" in data["covers"]
    (file, *_) = FORMATS[kind].log(Dataset.open(path).files[0].path).files
    data_file = locate(file)
    content = bytearray(data_file.read_bytes())
    content[6] ^= 1
    data_file.write_bytes(content)
    with pytest.raises(benison.OutputError, match="was changed since the data were evaluated"):
        blessing.verify(tmp_path / "out", examples=[path])


def test_a_delta_table_through_beam(delta: str) -> None:
    pytest.importorskip("apache_beam")
    made = config("ExampleCount", slices=[{"feature_keys": ["region"]}])
    result = benison.evaluate(delta, made, engine="beam", engine_options=["--runner=FnApiRunner"])
    assert result.value("example_count", slice={"region": "b"}) == 2


@pytest.mark.parametrize("pattern", ["{}/*/*.parquet", "{}/region=a", "{}/../*/region=*"])
def test_loose_files_of_a_delta_table_are_refused(delta: str, pattern: str) -> None:
    with pytest.raises(
        benison.DataError, match="files of a Delta table, of which only its log says"
    ):
        counts(pattern.format(delta), "n")


def test_a_table_within_a_folder_is_refused(delta: str) -> None:
    with pytest.raises(benison.DataError, match="Give the folder of the table itself"):
        counts(os.path.dirname(delta), "n")


def test_a_table_without_its_library_says_what_to_install(
    delta: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(benison.MissingExtraError, match=r"pip install 'benison\[delta\]'"):
        counts(delta, "n")


# Iceberg.


@pytest.fixture
def iceberg(tmp_path: Path) -> str:
    memory = pytest.importorskip("pyiceberg.catalog.memory")
    catalog = memory.InMemoryCatalog("test", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("eval")
    table = catalog.create_table("eval.rows", schema=TABLE.schema)
    table.append(TABLE)
    for _ in range(10):  # so that the tenth version sorts before the second as text
        table.overwrite(TABLE)
    table.append(TABLE.slice(1, 1))
    table.delete("n = 3")
    with table.update_schema() as update:
        update.rename_column("region", "area")
    return str(tmp_path / "eval" / "rows")


def test_an_iceberg_table_is_what_its_metadata_say(iceberg: str) -> None:
    assert counts(iceberg, "area") == {"a": 1, "b": 2}
    dataset = Dataset.open(iceberg)
    assert (dataset.num_rows, dataset.format) == (3, "iceberg")
    with pytest.raises(benison.ConfigError, match="'region' is not a column of the data"):
        counts(iceberg, "region")


def test_a_hudi_table_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / ".hoodie").mkdir()
    pq.write_table(TABLE, tmp_path / "a.parquet")
    with pytest.raises(benison.DataError, match="is a Hudi table, which Benison does not read"):
        counts(str(tmp_path), "n")


# Values in the names of folders.


def in_folders(root: Path, form: str, *folders: str) -> None:
    for i, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        write(scored([{"v": i}]), root / folder, form)


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "tfrecord"])
def test_names_of_folders_are_columns(form: str, tmp_path: Path) -> None:
    in_folders(
        tmp_path,
        form,
        "region=a/month=01",
        "region=S%C3%BCd/month=12",
        "region=__HIVE_DEFAULT_PARTITION__/month=1",
        "_temporary/month=3",
    )
    assert counts(str(tmp_path), "region") == {"a": 1, "Süd": 1}
    assert counts(str(tmp_path), "month") == {"01": 1, "1": 1, "12": 1}
    assert counts(str(tmp_path), "month", column_types={"month": "int64"}) == {"1": 2, "12": 1}
    assert counts(f"{tmp_path}/region=*/month=1*/*", "month") == {"1": 1, "12": 1}
    assert counts(f"{tmp_path}/region=*", "month") == {"01": 1, "1": 1, "12": 1}
    assert counts(str(tmp_path), "v") == {"0": 1, "1": 1, "2": 1}


def test_numbers_in_names_of_folders_are_numbers(tmp_path: Path) -> None:
    in_folders(tmp_path, "parquet", "score=0.5", "score=0.25")
    made = config(
        "MeanPrediction",
        slices=[{}, {"feature_keys": ["score"]}],
        model={"prediction_key": "score"},
    )
    result = benison.evaluate(str(tmp_path), made)
    assert result.value("mean_prediction") == 0.375
    assert result.slices() == ["Overall", "score=0.25", "score=0.5"]


def test_a_column_of_the_files_is_not_taken_from_their_folders(tmp_path: Path) -> None:
    in_folders(tmp_path, "parquet", "v=7")
    assert counts(str(tmp_path), "v") == {"0": 1}


def test_folders_through_beam(tmp_path: Path) -> None:
    pytest.importorskip("apache_beam")
    in_folders(tmp_path, "parquet", "month=01", "month=1")
    made: Any = config("ExampleCount", slices=[{"feature_keys": ["month"]}])
    result = benison.evaluate(
        str(tmp_path), made, engine="beam", engine_options=["--runner=FnApiRunner"]
    )
    assert result.slices() == ["month=01", "month=1"]


def test_each_file_is_read_once_however_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_folders(tmp_path, "csv", "region=a", "region=b")
    (file, _) = sorted(tmp_path.glob("*/*.csv"))
    monkeypatch.chdir(tmp_path)
    other = file.parent / ".." / "region=a" / file.name
    ways = [
        str(tmp_path),
        str(file),
        f"region=a/{file.name}",
        str(other),
        "region=*",
        "*/*",
        "**",
        file.as_uri(),
    ]
    for examples in (ways, ways[::-1]):
        assert counts(examples, "region") == {"a": 1, "b": 1}
    for one_by_itself in ways[1:4]:
        assert counts([one_by_itself, str(file)]) == {"0": 1}


@pytest.mark.parametrize("pattern", ["", "**/*.csv", "*"])
def test_links_to_folders_are_followed_and_end(pattern: str, tmp_path: Path) -> None:
    in_folders(tmp_path, "csv", "data/region=a", "elsewhere/x")
    data = tmp_path / "data"
    (data / "region=b").symlink_to(tmp_path / "elsewhere")
    (data / "region=a" / "up").symlink_to(data)
    if pattern != "**/*.csv":  # which glob follows to its end
        assert counts(str(data / pattern), "region") == {"a": 1, "b": 1}
    (data / "region=a" / "up").unlink()
    assert counts(str(data / pattern), "region") == {"a": 1, "b": 1}


def test_a_link_to_what_is_not_there_is_no_file_less(tmp_path: Path) -> None:
    in_folders(tmp_path, "csv", "region=a")
    (tmp_path / "region=a" / "b.csv").symlink_to(tmp_path / "gone")
    for examples in (tmp_path, tmp_path / "*", tmp_path / "**"):
        with pytest.raises(benison.DataError, match=r"b\.csv.* not there"):
            counts(str(examples), "region")
    (tmp_path / "region=a" / "b.csv").rename(tmp_path / "region=a" / ".b.csv")
    assert counts(str(tmp_path), "region") == {"a": 1}


def test_two_stars_are_any_number_of_folders(tmp_path: Path) -> None:
    in_folders(tmp_path, "csv", "region=a", "y/region=b", "y/z/region=c")
    assert counts(str(tmp_path / "**" / "*.csv"), "region") == {"a": 1, "b": 1, "c": 1}
