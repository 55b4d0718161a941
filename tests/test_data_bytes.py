# SPDX-License-Identifier: Apache-2.0
"""A blessing names the content of its data: other content is noticed, whatever its size and its time."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.data import content, identity
from benison.data.buffers import plain_buffers
from benison.data.dataset import Dataset
from benison.data.identity import Identity
from benison.errors import DataError, OutputError
from benison.output import blessing
from benison.paths import locate
from tests.conftest import config, taxi_like
from tests.object_store import Bucket

CONFIG = config("BinaryAccuracy", slices=[{}, {"feature_keys": ["hour"]}])
TRIPS = taxi_like(2_000).drop_columns(["tags"])
READ = ["hour", "label", "prediction"]


def flipped(table: pa.Table = TRIPS, column: str = "label") -> pa.Table:
    index = table.schema.get_field_index(column)
    return table.set_column(index, column, [pa.array(1 - np.asarray(table[column]))])


def write_csv(table: pa.Table, path: Path) -> None:
    pa.csv.write_csv(table, path)


def write_json(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


def write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, use_dictionary=False, compression="none", write_statistics=False)


def write_arrow(table: pa.Table, path: Path) -> None:
    pa.feather.write_feather(table, str(path), compression="uncompressed")


def write_stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, 300)


FILES: dict[str, Callable[[pa.Table, Path], None]] = {
    "a.parquet": write_parquet,
    "a.csv": write_csv,
    "a.jsonl": write_json,
    "a.feather": write_arrow,
    "a.arrow": write_stream,
}


def record(source: Any) -> Any:
    return benison.evaluate(source, CONFIG).manifest["data"]


@pytest.mark.parametrize("name", FILES)
def test_flipped_labels_in_a_file_of_the_same_size_are_other_data(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    FILES[name](TRIPS, path)
    size, times = path.stat().st_size, (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    benison.evaluate(path, CONFIG, output=tmp_path / "out")
    blessing.verify(tmp_path / "out", examples=[str(path)])
    first = record(path)
    FILES[name](flipped(), path)
    assert path.stat().st_size == size
    os.utime(path, ns=times)
    assert record(path)["digest"] != first["digest"]
    with pytest.raises(OutputError, match=rf"{name} was changed since the data were evaluated\."):
        blessing.verify(tmp_path / "out", examples=[str(path)])
    FILES[name](TRIPS, path)
    assert record(path)["digest"] == first["digest"]
    blessing.verify(tmp_path / "out", examples=[str(tmp_path / name)])


@pytest.mark.parametrize(
    "convert", [lambda t: t, lambda t: t.to_pandas(), lambda t: t.to_batches()[0]]
)
def test_flipped_labels_in_a_table_of_the_same_shape_are_other_data(convert: Any) -> None:
    first, same, other = (record(convert(t)) for t in (TRIPS, TRIPS.slice(0), flipped()))
    assert first["digest"] == same["digest"] != other["digest"]
    assert first["column_digests"]["hour"] == other["column_digests"]["hour"]
    assert first["column_digests"]["label"] != other["column_digests"]["label"]
    assert first["covers"] == "SHA-256 of the values of the columns that were read"


def test_how_a_table_is_cut_is_not_its_content() -> None:
    cut = pa.concat_tables([TRIPS.slice(0, 7), TRIPS.slice(7, 1), TRIPS.slice(8)])
    assert len(cut["label"].chunks) == 3
    assert record(cut)["digest"] == record(TRIPS)["digest"]


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow"])
def test_columns_that_are_not_read_do_not_matter(name: str, tmp_path: Path) -> None:
    FILES[name](TRIPS, tmp_path / name)
    first = record(tmp_path / name)
    assert first["columns"] == READ
    (tmp_path / "other").mkdir()
    FILES[name](flipped(column="old_prediction"), tmp_path / "other" / name)
    assert record(tmp_path / "other" / name)["digest"] == first["digest"]
    FILES[name](flipped(column="hour"), tmp_path / "other" / name)
    assert record(tmp_path / "other" / name)["digest"] != first["digest"]


def test_a_small_file_has_the_digest_that_everyone_computes(tmp_path: Path) -> None:
    write_csv(TRIPS, tmp_path / "a.csv")
    (file,) = record(tmp_path / "a.csv")["files"]
    assert file["sha256"] == hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest()
    assert file["name"] == "a.csv"
    assert file["bytes"] == (tmp_path / "a.csv").stat().st_size


def test_a_digest_is_one_of_its_pieces_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_PIECE_BYTES", 1_000)
    write_csv(TRIPS, tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_bytes()
    parts = [text[i : i + 1_000] for i in range(0, len(text), 1_000)]
    expected = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts))
    (file,) = record(tmp_path / "a.csv")["files"]
    assert file["sha256"] == expected.hexdigest()


def test_every_byte_of_the_chunks_that_were_read_and_of_the_footer_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(TRIPS.slice(0, 50), path, row_group_size=20)
    spans = list(content._spans_of_parquet(pa.OSFile(str(path)), READ))
    covered = np.zeros(path.stat().st_size, bool)
    for start, end, _ in spans:
        covered[start:end] = True
    metadata = pq.read_metadata(path)
    for group in range(metadata.num_row_groups):
        for i in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(i)
            first = chunk.dictionary_page_offset or chunk.data_page_offset
            part = covered[first : first + chunk.total_compressed_size]
            assert part.all() == part.any() == (chunk.path_in_schema in READ)
    assert covered[-metadata.serialized_size - 8 :].all()


NESTED = pa.table(
    {
        "list": [[1, None], None, [], [2]],
        "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 2, "b": None}],
        "text": ["a", None, "", "b"],
        "flag": [True, None, False, True],
        "when": pa.array([1, None, 2, 3], pa.timestamp("us", "UTC")),
        "bytes": pa.array([b"12", None, b"34", b"56"], pa.binary(2)),
        "code": pa.array(["a", None, "b", "a"]).dictionary_encode(),
        "money": pa.array([1, None, 2, 3], pa.decimal128(9, 2)),
        "map": pa.array([[("a", 1)], None, [], [("b", 2)]], pa.map_(pa.string(), pa.int64())),
        "none": pa.nulls(4),
        "view": pa.array(["a", None, "", "b"], pa.string_view()),
        "views": pa.array([[1, None], None, [], [2]], pa.list_view(pa.int64())),
        "runs": pc.run_end_encode(pa.array([1, None, 2, 3])),
        "span": pa.array([pa.MonthDayNano([1, 2, 3]), None, pa.MonthDayNano([1, 2, 4]), None]),
    }
)


def picked(array: pa.Array, *rows: int) -> pa.Array:
    return pa.concat_arrays([array.slice(row, 1) for row in rows])


@pytest.mark.parametrize("name", NESTED.column_names)
def test_the_bytes_of_an_array_are_those_of_its_values(name: str) -> None:
    def digest(array: pa.Array) -> str:
        return hashlib.sha256(b"".join(map(bytes, plain_buffers(array)))).hexdigest()

    array = NESTED[name].chunk(0)
    padded = pa.concat_arrays([array.slice(2, 1), array, array.slice(0, 1)]).slice(1, 4)
    assert padded.equals(array)
    if name not in ("code", "map", "views"):  # of which the same values have several forms
        assert digest(padded) == digest(array)
    others = [picked(array, 0, 1, 3, 2), array.slice(0, 3), picked(array, 0, 1, 2, 2)]
    if name != "none":
        assert len({digest(other) for other in (array, *others)}) == 4
    assert digest(array) != digest(pa.nulls(4, array.type)) or name == "none"


def test_what_stands_behind_a_null_is_not_content() -> None:
    values = pa.py_buffer(np.array([1.0, 5.0, 2.0]).tobytes())
    others = pa.py_buffer(np.array([1.0, 7.0, 2.0]).tobytes())
    valid = pa.py_buffer(b"\x05")
    arrays = [pa.Array.from_buffers(pa.float64(), 3, [valid, v]) for v in (values, others)]
    assert arrays[0].equals(arrays[1])
    assert [*map(bytes, plain_buffers(arrays[0]))] == [*map(bytes, plain_buffers(arrays[1]))]


# Runs that are repeated, and data that change meanwhile.


def is_kept(result: benison.EvalResult, first: benison.EvalResult) -> bool:
    """Whether a result is what was written at first, and not evaluated anew."""
    return all(result.manifest[key] == value for key, value in first.manifest.items())


def again(source: Any, folder: Path, **more: Any) -> benison.EvalResult:
    return benison.evaluate(source, CONFIG, output=folder / "out", pipeline="p", run="r", **more)


def test_the_same_run_with_equal_fingerprints_reads_no_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(TRIPS, tmp_path / "a.csv")
    first = again(tmp_path / "a.csv", tmp_path)
    monkeypatch.setattr(Identity, "digest", None)
    monkeypatch.setattr(Identity, "start", None)
    assert is_kept(again(tmp_path / "a.csv", tmp_path), first)


def test_the_same_run_with_a_new_time_compares_contents(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(TRIPS, path)
    first = again(path, tmp_path)
    os.utime(path, ns=(1, 1))
    assert is_kept(again(path, tmp_path), first)
    write_csv(flipped(), path)
    with pytest.raises(OutputError, match="but of other data, models or config than now"):
        again(path, tmp_path)
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_the_same_run_with_a_file_of_the_same_size_and_time_compares_contents(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    write_csv(TRIPS, path)
    first, stat = again(path, tmp_path), path.stat()
    for table in (TRIPS, flipped()):
        write_csv(table, tmp_path / "copy.csv")
        (tmp_path / "copy.csv").rename(path)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert path.stat().st_size == stat.st_size
        if table is TRIPS:
            assert is_kept(again(path, tmp_path), first)
    with pytest.raises(OutputError, match="but of other data, models or config than now"):
        again(path, tmp_path)


def test_the_same_run_with_another_table_is_refused(tmp_path: Path) -> None:
    first = again(TRIPS, tmp_path)
    assert is_kept(again(TRIPS.to_pandas(), tmp_path), first)
    with pytest.raises(OutputError, match="but of other data, models or config than now"):
        again(flipped(), tmp_path)


@pytest.mark.parametrize("restore", [False, True])
def test_data_that_change_while_they_are_evaluated_are_not_judged(
    restore: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    write_csv(TRIPS, path)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    before = path.read_bytes()

    def progress(stage: str, rows: int, total: int | None) -> None:
        if stage == "load":
            write_csv(flipped(), path)
        if stage == "results" and restore:
            path.write_bytes(before)
            os.utime(path, ns=times)

    with pytest.raises(DataError, match=r"a\.csv was changed while it was evaluated"):
        benison.evaluate(path, CONFIG, output=tmp_path / "out", progress=progress)
    assert not (tmp_path / "out").exists()


def test_digests_of_an_evaluation_that_fails_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_PIECE_BYTES", 100)
    done = []
    digest_span = content._digest_span

    def counted(*arguments: Any) -> bytes:
        done.append(arguments)
        time.sleep(0.001)  # so that not all are done on a machine where this thread has to wait
        return digest_span(*arguments)

    monkeypatch.setattr(content, "_digest_span", counted)
    monkeypatch.setattr(Dataset, "batches", lambda *a, **k: iter([1]))
    write_csv(taxi_like(50_000).drop_columns(["tags"]), tmp_path / "a.csv")
    with pytest.raises(AttributeError):
        benison.evaluate(tmp_path / "a.csv", CONFIG)
    count = len(done)
    assert count < (tmp_path / "a.csv").stat().st_size / 100
    assert count == len(done)


# Names, and verification.


def test_files_are_named_from_the_folder_that_holds_them(tmp_path: Path) -> None:
    for day in (1, 2):
        folder = tmp_path / f"day={day}"
        folder.mkdir()
        write_parquet(TRIPS.slice(day * 10, 10), folder / "part-0.parquet")
    result = benison.evaluate(tmp_path, CONFIG, output=tmp_path / "out")
    names = [file["name"] for file in result.manifest["data"]["files"]]
    assert names == ["day=1/part-0.parquet", "day=2/part-0.parquet"]
    blessing.verify(tmp_path / "out", examples=[str(tmp_path / "day=*")])
    (tmp_path / "day=2").rename(tmp_path / "day=3")
    with pytest.raises(OutputError) as error:
        blessing.verify(tmp_path / "out", examples=[str(tmp_path / "day=*")])
    assert "day=3/part-0.parquet was added since" in str(error.value)
    assert "day=2/part-0.parquet is missing since" in str(error.value)


def test_the_command_compares_data_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(TRIPS, path)
    benison.evaluate(path, CONFIG, output=tmp_path / "out")

    def verify(*words: str) -> Any:
        return CliRunner().invoke(app, ["verify", str(tmp_path / "out"), *words])

    assert "The data were not compared; name them with --examples." in verify().output
    assert verify("--examples", str(path)).exit_code == verify().exit_code
    assert "not compared" not in verify("--examples", str(path)).output
    path.rename(tmp_path / "renamed.csv")
    assert verify("--examples", str(tmp_path / "renamed.csv")).exit_code == verify().exit_code
    write_csv(flipped(), path)
    done = verify("--examples", str(path), "--json")
    assert done.exit_code == 2
    assert "was changed since the data were evaluated" in json.loads(done.output)["error"]
    benison.evaluate(TRIPS, CONFIG, output=tmp_path / "out", overwrite=True)
    assert "were a table in memory" in " ".join(verify("--examples", str(path)).output.split())


def test_data_on_an_object_store_have_a_fingerprint_and_no_digest(
    bucket: Bucket, tmp_path: Path
) -> None:
    write_csv(TRIPS, tmp_path / "a.csv")
    address = bucket.upload(tmp_path / "a.csv", "eval/a.csv")
    result = benison.evaluate(
        address, CONFIG, output=f"{bucket.address}/out", pipeline="p", run="r"
    )
    data = result.manifest["data"]
    assert data["digest"] is None
    assert data["covers"].startswith("no content: on object stores a fingerprint")
    assert "fingerprint" in (bucket.read("out/report.html").decode())
    (file,) = data["files"]
    assert file.keys() == {"name", "rows", "bytes", "version"}
    blessing.verify(locate(f"{bucket.address}/out"), examples=[address])
    more = {"output": f"{bucket.address}/out", "pipeline": "p", "run": "r"}
    assert is_kept(benison.evaluate(address, CONFIG, **more), result)
    with pytest.raises(OutputError, match="cannot be compared with a fingerprint"):
        blessing.verify(locate(f"{bucket.address}/out"), examples=[str(tmp_path / "a.csv")])
    write_csv(flipped(), tmp_path / "a.csv")
    bucket.upload(tmp_path / "a.csv", "eval/a.csv")
    with pytest.raises(OutputError, match="other data"):
        benison.evaluate(address, CONFIG, **more)
    with pytest.raises(OutputError, match=r"a\.csv was changed since the data were evaluated"):
        blessing.verify(locate(f"{bucket.address}/out"), examples=[address])


def test_data_that_were_here_are_compared_with_a_copy_on_a_store(
    bucket: Bucket, tmp_path: Path
) -> None:
    write_parquet(TRIPS, tmp_path / "a.parquet")
    benison.evaluate(tmp_path / "a.parquet", CONFIG, output=tmp_path / "out")
    address = bucket.upload(tmp_path / "a.parquet", "eval/a.parquet")
    blessing.verify(tmp_path / "out", examples=[address])
    write_parquet(flipped(), tmp_path / "b.parquet")
    address = bucket.upload(tmp_path / "b.parquet", "eval/a.parquet")
    with pytest.raises(OutputError, match=r"s3://.*/a\.parquet was changed since"):
        blessing.verify(tmp_path / "out", examples=[address])


def test_names_do_not_depend_on_where_the_data_are(bucket: Bucket, tmp_path: Path) -> None:
    at = bucket.address
    assert identity.names_of([f"{at}/x/a", f"{at}/x/y/b"]) == ["a", "y/b"]
    assert identity.names_of(["x/a", str(Path("x/y/b").absolute())]) == ["a", "y/b"]
    assert identity.names_of([f"{at}/a", "/x/b"]) == [f"{at}/a", "/x/b"]
