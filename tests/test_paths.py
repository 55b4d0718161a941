# SPDX-License-Identifier: Apache-2.0
"""Every path of an evaluation, on this machine and on an object store."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import benison
from benison.data.dataset import Dataset
from benison.errors import BenisonError, DataError
from benison.paths import RemotePath, absolute, locate, write
from tests.conftest import config
from tests.object_store import Bucket


def values(result: Any) -> dict[tuple[str, str], float]:
    table = result.metrics.to_pydict()
    return dict(zip(zip(table["slice"], table["metric"], strict=True), table["value"], strict=True))


CONFIG = config("BinaryAccuracy", "ExampleCount", slices=[{}, {"feature_keys": ["company"]}])


def write_csv(table: pa.Table, path: Path) -> None:
    pa.csv.write_csv(table, path)


def write_gz(table: pa.Table, path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "gzip") as file:
        pa.csv.write_csv(table, file)


def write_json(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


def write_stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


FILES: dict[str, Callable[[pa.Table, Path], None]] = {
    "a.parquet": pq.write_table,
    "a.csv": write_csv,
    "a.csv.gz": write_gz,
    "a.jsonl": write_json,
    "a.feather": lambda table, path: pa.feather.write_feather(table, str(path)),
    "a.arrow": write_stream,
}


@pytest.fixture
def flat(trips: pa.Table) -> pa.Table:
    """Trips as every format holds them: no lists, and no missing text."""
    company = trips["company"].fill_null("none")
    named = trips.set_column(trips.schema.get_field_index("company"), "company", company)
    return named.drop_columns(["tags"])


@pytest.mark.parametrize("name", FILES)
def test_data_on_an_object_store_are_what_they_are_here(
    name: str, flat: pa.Table, bucket: Bucket, tmp_path: Path
) -> None:
    FILES[name](flat, tmp_path / name)
    address = bucket.upload(tmp_path / name, f"eval set/{name}")
    expected = values(benison.evaluate(flat, CONFIG))
    assert values(benison.evaluate(address, CONFIG)) == expected
    assert values(benison.evaluate((tmp_path / name).as_uri(), CONFIG)) == expected


def test_tfrecords_on_an_object_store(bucket: Bucket, tmp_path: Path) -> None:
    tf_records = pytest.importorskip("benison.data.tf_records")
    pytest.importorskip("google_crc32c")
    igzip = pytest.importorskip("isal.igzip")
    framed = b"".join(map(tf_records.framed, [b"a", b"bc", b""]))
    for name, content in (("plain", framed), ("packed", igzip.compress(framed))):
        bucket.write(name, content)
        read = tf_records.records(f"{bucket.address}/{name}", 2)
        assert [list(part) for part in read] == [[b"a", b"bc"], [b""]]


def test_folders_and_patterns_of_an_object_store(
    flat: pa.Table, bucket: Bucket, tmp_path: Path
) -> None:
    pq.write_table(flat, tmp_path / "x.parquet")
    for key in (
        "day=1/a.parquet",
        "day=1/b.parquet",
        "day=2/a.parquet",
        "day=2/_SUCCESS",
        "_tmp/c.parquet",
    ):
        bucket.upload(tmp_path / "x.parquet", key)

    def names(source: str) -> list[str]:
        return [file.path.removeprefix(bucket.address) for file in Dataset.open(source).files]

    assert names(bucket.address) == ["/day=1/a.parquet", "/day=1/b.parquet", "/day=2/a.parquet"]
    assert names(f"{bucket.address}/day=2/") == ["/day=2/a.parquet"]
    assert names(f"{bucket.address}/day=*/a.parquet") == ["/day=1/a.parquet", "/day=2/a.parquet"]
    assert names(f"{bucket.address}/**/b.parquet") == ["/day=1/b.parquet"]
    assert names(f"{bucket.address}/day=1/[!a].parquet") == ["/day=1/b.parquet"]
    assert len(names(f"{bucket.address}/*/?.parquet")) == 4
    for missing in ("/nowhere", "/day=3/*.parquet"):
        with pytest.raises(DataError, match=r"s3://.*(does not exist|matches no file)\."):
            Dataset.open(bucket.address + missing)
    with pytest.raises(DataError, match=r"s3://no-such-bucket-here/x .*\."):
        Dataset.open("s3://no-such-bucket-here/x")


def test_an_address_may_say_how_its_store_is_reached(
    flat: pa.Table, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    pq.write_table(flat, tmp_path / "x.parquet")
    address = bucket.upload(tmp_path / "x.parquet", "a/x.parquet") + bucket.query
    assert Dataset.open(address).files[0].path == address
    assert values(benison.evaluate(address, CONFIG)) == values(benison.evaluate(flat, CONFIG))


def test_what_fsspec_knows_is_opened(flat: pa.Table, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    pq.write_table(flat, tmp_path / "x.parquet")
    memory = fsspec.filesystem("memory")
    memory.pipe("/kept/x.parquet", (tmp_path / "x.parquet").read_bytes())
    address = "memory://kept/x.parquet"
    assert values(benison.evaluate(address, CONFIG)) == values(benison.evaluate(flat, CONFIG))
    kept = locate("memory://kept/new/y")
    kept.write_bytes(b"1")
    assert memory.cat("/kept/new/y") == b"1"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("foo://bucket/x", r"nothing here opens foo:// addresses"),
        ("FOO+bar://bucket/x", r"nothing here opens foo\+bar:// addresses"),
        ("s3:/bucket/x", r"lost a slash.*s3://"),
        (Path("gs://bucket/x"), r"lost a slash.*gs://"),
        ("/work/s3:/bucket/x", r"lost a slash"),
        ("file://elsewhere/x", r"file:///absolute"),
        ("s3://key:secret@bucket/x", r"holds a password or a key"),
        ("s3://bucket/x?access_key=k&secret_key=s", r"holds a password or a key"),
        ("https://ada:secret@host/x", r"holds a password or a key"),
        ("a\0b", r"null character"),
    ],
)
def test_what_cannot_be_opened_is_refused_and_never_taken_for_a_local_name(
    address: Any, sentence: str, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BenisonError, match=sentence) as error:
        locate(address)
    assert "secret" not in str(error.value).replace("AWS_SECRET_ACCESS_KEY", "")
    with pytest.raises(BenisonError, match=sentence):
        benison.evaluate(address, CONFIG)
    assert not list(in_folder.iterdir())


@pytest.mark.parametrize("address", ["s3://bucket/x", "gs://bucket/x?retry_limit_seconds=1"])
def test_a_store_that_is_out_of_reach_is_said_with_its_address(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=rf"{address[:11]}\S* cannot be (opened|read): .+\."):
        Dataset.open(address)


def test_without_fsspec_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(BenisonError, match=r"install fsspec and its package for sftp\."):
        locate("sftp://host/x")


def test_other_colons_are_part_of_a_local_name(flat: pa.Table, in_folder: Path) -> None:
    name = "manual__2030-01-31T00:00:00+00:00:x/eval set.parquet"
    Path(name).parent.mkdir()
    pq.write_table(flat, name)
    assert locate(name) == Path(name)
    assert absolute(name) == str(in_folder / name)
    assert values(benison.evaluate(name, CONFIG)) == values(benison.evaluate(flat, CONFIG))


def test_file_urls_are_local_names(tmp_path: Path) -> None:
    folder = tmp_path / "a b%:ü"
    folder.mkdir()
    for url in (folder.as_uri(), f"file://localhost{folder.as_uri().removeprefix('file://')}"):
        assert locate(url) == folder
        assert absolute(url) == str(folder)


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)  # bytes of two each, of at most 255
    for content in (b"1", b"2"):
        write(path, content)
        assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_a_remote_path_has_the_methods_of_a_path(bucket: Bucket) -> None:
    path = locate(f"{bucket.address}/a b/c+d%:ü.json{bucket.query}")
    assert isinstance(path, RemotePath)
    assert (path.name, path.suffix) == ("c+d%:ü.json", ".json")
    assert str(path) == f"{bucket.address}/a b/c+d%:ü.json{bucket.query}"
    assert str(path.parent / "x/y") == f"{bucket.address}/a b/x/y{bucket.query}"
    assert path == path.parent / path.name
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        path.stat()
    path.write_bytes("ü".encode())
    assert (path.exists(), path.is_file(), path.is_dir()) == (True, True, False)
    assert (path.parent.exists(), path.parent.is_file(), path.parent.is_dir()) == (
        True,
        False,
        True,
    )
    assert path.stat().st_size == 2
    assert path.read_text() == "ü"
    version = path.version()
    path.write_bytes(b"xx")
    assert path.version() != version
    assert list(path.parent.iterdir()) == path.parent.files() == [path]
    path.unlink()
    path.unlink(missing_ok=True)
    assert not path.exists()
