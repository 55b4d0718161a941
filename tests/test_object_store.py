# SPDX-License-Identifier: Apache-2.0
"""An evaluation whose every path is on an object store, and what a kill leaves there."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.data.dataset import Dataset
from benison.errors import OutputError
from benison.output import blessing, directory, upload
from benison.paths import RemotePath, locate
from tests.conftest import config
from tests.google_store import GoogleBucket
from tests.object_store import Bucket

ACCURATE = {
    "class_name": "BinaryAccuracy",
    "threshold": {"value_threshold": {"lower_bound": {"value": 0.5}}},
}
BLESSED = config(ACCURATE, "AUC", "ConfusionMatrixPlot", slices=[{}, {"feature_keys": ["hour"]}])
REJECTED = config({**ACCURATE, "threshold": {"value_threshold": {"lower_bound": {"value": 2.0}}}})


@pytest.fixture
def stored(bucket: Bucket, trips: pa.Table, tmp_path: Path) -> Bucket:
    """A bucket with data and a config."""
    pq.write_table(trips, tmp_path / "a.parquet")
    (tmp_path / "eval.json").write_text(json.dumps(BLESSED))
    bucket.upload(tmp_path / "a.parquet", "eval/a.parquet")
    bucket.upload(tmp_path / "eval.json", "eval.json")
    return bucket


ON_EACH_STORE = pytest.mark.parametrize("bucket", ["s3", "gs"], indirect=True)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


@ON_EACH_STORE
def test_every_path_may_be_on_an_object_store(stored: Bucket, in_folder: Path) -> None:
    at = stored.address
    words = ["-e", f"{at}/eval", "-c", f"{at}/eval.json", "-o", f"{at}/runs/1", "--gate"]
    done = run("evaluate", *words, "--junit", f"{at}/ci/out.xml", "--summary", f"{at}/ci/out.md")
    assert done.exit_code == 0, done.output
    assert f"Report: {at}/runs/1/report.html" in done.output
    assert b'failures="0"' in stored.read("ci/out.xml")
    assert "Benison: blessed" in stored.read("ci/out.md").decode()
    assert "BLESSED" in stored.names("runs/1")
    for command in ("show", "verify", "gate"):
        assert run(command, f"{at}/runs/1").exit_code == 0
    assert run("report", f"{at}/runs/1", "-o", f"{at}/page.html").exit_code == 0
    assert b"<html" in stored.read("page.html")
    spec = {"examples": f"{at}/eval", "config": f"{at}/eval.json", "output": f"{at}/runs/2"}
    stored.write("spec.json", json.dumps(spec).encode())
    assert run("evaluate", "--spec", f"{at}/spec.json").exit_code == 0
    assert run("report", f"{at}/runs/1", f"{at}/runs/2", "-o", f"{at}/all.html").exit_code == 0
    assert not [*in_folder.glob("s3*"), *in_folder.glob("gs*")]


def test_the_next_row_group_is_fetched_while_one_is_in_use(
    bucket: Bucket, trips: pa.Table, tmp_path: Path
) -> None:
    pq.write_table(trips, tmp_path / "a.parquet", row_group_size=-(-trips.num_rows // 3))
    footer = pq.read_metadata(tmp_path / "a.parquet")
    firsts = [footer.row_group(group).column(0) for group in range(footer.num_row_groups)]
    begins = [
        f"a.parquet bytes={first.dictionary_page_offset or first.data_page_offset}-"
        for first in firsts
    ]
    dataset = Dataset.open(bucket.upload(tmp_path / "a.parquet", "a.parquet"))
    with bucket.recorded() as ranges, closing(dataset.batches()) as batches:
        first = next(batches)
        assert is_soon(lambda: any(each.startswith(begins[1]) for each in ranges())), ranges()
        assert not any(each.startswith(begins[2]) for each in ranges())
        rest = [*batches]
        assert len(ranges()) == 1 + len(begins), "the footer, and each row group once"
    read = pa.Table.from_batches([first, *rest]).cast(trips.schema)
    assert read.drop_columns("tags").equals(trips.drop_columns("tags"))


def test_the_next_file_is_fetched_while_one_is_in_use(stored: Bucket, trips: pa.Table) -> None:
    for name in "bc":
        stored.write(f"eval/{name}.parquet", stored.read("eval/a.parquet"))
    dataset = Dataset.open(f"{stored.address}/eval")
    with stored.recorded() as ranges, closing(dataset.batches()) as batches:
        next(batches)
        assert is_soon(lambda: any(each.startswith("b.parquet") for each in ranges())), ranges()
        assert not any(each.startswith("c.parquet") for each in ranges())
        assert sum(batch.num_rows for batch in batches) == 2 * trips.num_rows


def is_soon(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether something becomes true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@ON_EACH_STORE
def test_a_folder_has_files_and_folders(bucket: Bucket) -> None:
    for key in ("models/b/1/m", "models/a.txt", "models/b/2/m", "models-2/m"):
        bucket.write(key, b"x")
    folder = locate(f"{bucket.address}/models")
    assert [path.name for path in folder.iterdir()] == ["a.txt", "b"]
    assert [path.name for path in (folder / "b").iterdir() if path.is_dir()] == ["1", "2"]
    assert [*(folder / "none").iterdir()] == []


@ON_EACH_STORE
def test_a_result_on_an_object_store_is_what_it_is_here(stored: Bucket, tmp_path: Path) -> None:
    data, at = f"{stored.address}/eval", f"{stored.address}/out{stored.query}"
    here = benison.evaluate(data, BLESSED, output=tmp_path / "out", tfma=True)
    there = benison.evaluate(data, BLESSED, output=at, tfma=True)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert stored.names("out") == names
    loaded = benison.load_result(at)
    assert str(loaded.path) == str(there.path) == at
    assert str(loaded.metrics.to_pydict()) == str(here.metrics.to_pydict())
    plots = benison.load_result(tmp_path / "out").plots
    assert str(loaded.plots.to_pydict()) == str(plots.to_pydict())
    report = f"{stored.address}/out/report.html{stored.query}"
    assert f"<code>{html.escape(report)}</code>" in loaded.view.html()
    for name in ("manifest.json", "metrics.parquet", "plots.parquet", "BLESSED", "verdict.json"):
        stored.delete(f"out/{name}")
    assert benison.load_result(at).metrics.num_rows  # now an output of TFMA


@ON_EACH_STORE
def test_an_output_on_a_store_is_only_overwritten_when_asked(stored: Bucket) -> None:
    data, at = f"{stored.address}/eval", f"{stored.address}/out"
    benison.evaluate(data, BLESSED, output=at)
    with pytest.raises(OutputError, match=r"://.*/out exists already"):
        benison.evaluate(data, REJECTED, output=at)
    stored.write("out/old.txt", b"of the older run")
    benison.evaluate(data, REJECTED, output=at, overwrite=True)
    assert "old.txt" not in stored.names("out")
    assert blessing.verify(locate(at))["verdict"] == "not_blessed"
    stored.write("mine/notes.txt", b"")
    with pytest.raises(OutputError, match="is not a result of Benison"):
        benison.evaluate(data, BLESSED, output=f"{stored.address}/mine", overwrite=True)
    assert stored.names("mine") == ["notes.txt"]


@ON_EACH_STORE
def test_each_changed_file_on_a_store_is_noticed(stored: Bucket) -> None:
    at = f"{stored.address}/out"
    benison.evaluate(f"{stored.address}/eval", BLESSED, output=at)
    metrics = stored.read("out/metrics.parquet")
    stored.write("out/metrics.parquet", metrics[:-9] + b"x" + metrics[-8:])
    stored.write("out/more.txt", b"")
    with pytest.raises(OutputError) as error:
        blessing.verify(locate(at))
    assert f"{at}/metrics.parquet was changed" in str(error.value)
    assert f"{at}/more.txt was added" in str(error.value)
    with pytest.raises(OutputError, match="not as it was written"):
        benison.load_result(at)


@pytest.mark.parametrize("bucket", ["gs"], indirect=True)
def test_a_connection_that_is_lost_leaves_no_blessing(stored: GoogleBucket) -> None:
    """While it is read, and at each file that is written; then it is made whole."""
    data, at = f"{stored.address}/eval{stored.query}", f"{stored.address}/out{stored.query}"
    for requests in ("GET .*a.parquet", "POST /upload.*"):
        stored.lose(requests)
        with pytest.raises(benison.BenisonError, match="gs://"):
            benison.evaluate(data, BLESSED, output=at)
        stored.lose("")
        assert not {"BLESSED", "NOT_BLESSED"} & {*stored.names("out")}
    benison.evaluate(data, BLESSED, output=at, overwrite=True)
    assert blessing.verify(locate(at))["verdict"] == "blessed"


class Killed(BaseException):
    pass


class Writes:
    """Counts the writes to stores, and ends the process, as it were, at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = self.count = 10_000
        for name in ("upload", "write_bytes", "unlink"):
            monkeypatch.setattr(RemotePath, name, self.counted(getattr(RemotePath, name)))

    def counted(self, method: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return method(*arguments, **options)

        return call


def write_output(address: str, verdict: str, overwrite: bool) -> None:
    data = {"format": "memory", "files": [], "digest": None}
    judged = {
        "created": "",
        "verdict": verdict,
        "rows": 0,
        "models": [],
        "config": "",
        "data": data,
    }
    with directory.output_directory(locate(address), overwrite) as folder:
        (folder / "metrics.parquet").write_text(verdict)
        (folder / "analysis").mkdir()
        (folder / "analysis" / "rows.parquet").write_text("rows")
        blessing.seal(folder, judged)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("verdict", ["not_blessed", "not_evaluated"])
def test_a_kill_at_any_write_leaves_no_blessing_and_a_rerun_completes_it(
    overwrite: bool, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pytest.importorskip("fsspec").filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    writes = Writes(monkeypatch)
    monkeypatch.setattr(upload, "_THREADS", 1)
    write_output("memory://whole", verdict, overwrite)
    in_all = writes.count - writes.left
    assert in_all > len(store.find("/whole"))
    for last in range(in_all):
        at = f"memory://out-{last}"
        writes.left = writes.count
        if overwrite:
            write_output(at, "blessed", overwrite)
        writes.left = last
        with pytest.raises(Killed):
            write_output(at, verdict, overwrite)
        names = [path.rpartition("/")[2] for path in store.find(f"/out-{last}")]
        assert "NOT_BLESSED" not in names
        if last > 0:
            assert "BLESSED" not in names
            with pytest.raises(OutputError):
                blessing.check_whole(locate(at))
        writes.left = writes.count
        write_output(at, verdict, overwrite)
        assert blessing.verify(locate(at))["verdict"] == verdict
        assert len(store.find(f"/out-{last}")) == len(store.find("/whole"))
