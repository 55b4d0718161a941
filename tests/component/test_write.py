# SPDX-License-Identifier: Apache-2.0
"""The tests of writing: all files or none, whatever happens while they are written."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benison
from benison.errors import OutputError
from benison.output.directory import check_output, output_directory
from benison.output.writers import Evaluation, run, table_writers, write_json
from benison.table.schema import CHECKS_SCHEMA, METRICS_SCHEMA, PLOTS_SCHEMA
from tests.component.judging import FLASH, OVERALL, rows, table
from tests.conftest import config

CHECKS = CHECKS_SCHEMA.empty_table()


def evaluation(**more: Any) -> Evaluation:
    metrics = table(rows({OVERALL: 0.8, FLASH: float("nan")}))
    return {
        "metrics": metrics,
        "plots": iter([]),
        "verdict": {},
        "config": {},
        "checks": CHECKS,
        **more,
    }


def write(path: Path, overwrite: bool = False, **more: Any) -> None:
    with output_directory(path, overwrite) as directory:
        run(table_writers(), evaluation(**more), directory)
        (directory / "manifest.json").write_text("{}")


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_every_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "a" / "out")
    names = {
        "metrics.parquet",
        "checks.parquet",
        "plots.parquet",
        "verdict.json",
        "config.json",
        "manifest.json",
    }
    assert set(os.listdir(tmp_path / "a" / "out")) == names
    assert os.listdir(tmp_path / "a") == ["out"]


def test_tables_are_read_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "out")
    actual = pq.read_table(tmp_path / "out" / "metrics.parquet")
    assert actual.schema.equals(METRICS_SCHEMA)
    assert actual.schema.metadata[b"schema_version"] == b"2"
    assert actual["slice"].to_pylist() == ["Overall", "company=Flash Cab"]
    np.testing.assert_array_equal(actual["value"], [0.8, np.nan])
    file = pq.ParquetFile(tmp_path / "out" / "metrics.parquet")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_plots_are_written_while_they_are_made(tmp_path: Path) -> None:
    alive = []

    def batches() -> Any:
        for name in ("a", "b", "c"):
            keys = {"model": "", "output": "", "sub_key": "", "aggregation": "", "weighted": False}
            plot = {"slice": name, "slice_key": [], "plot": "roc", "columns": {}, "examples": 1}
            alive.append(name)
            yield pa.RecordBatch.from_pylist([{**keys, **plot}], schema=PLOTS_SCHEMA)

    write(tmp_path / "out", plots=batches())
    file = pq.ParquetFile(tmp_path / "out" / "plots.parquet")
    assert file.num_row_groups == len(alive) == 3


plain = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(values=st.dictionaries(st.text(), plain))
def test_json_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "values.json"
    write_json(path, values)
    assert json.loads(path.read_text(encoding="utf-8")) == values


def test_json_has_a_record_a_line(tmp_path: Path) -> None:
    write_json(tmp_path / "v.json", {"status": "é", "checks": [{"a": 1}, {"a": None}], "none": []})
    assert (tmp_path / "v.json").read_text(encoding="utf-8").splitlines() == [
        "{",
        '  "status": "é",',
        '  "checks": [',
        '    {"a": 1},',
        '    {"a": null}',
        "  ],",
        '  "none": []',
        "}",
    ]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "v.json", {"a": float("nan")})


# What is there already.


def test_an_output_that_exists_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "out")
    with pytest.raises(OutputError, match="out exists already. Choose another, or say --overwrite"):
        write(tmp_path / "out")
    write(tmp_path / "out", overwrite=True)
    assert hidden(tmp_path) == []


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_only_results_are_overwritten(tmp_path: Path, kind: str) -> None:
    precious = tmp_path / "precious"
    if kind == "directory":
        precious.mkdir()
    (precious / "file" if kind == "directory" else precious).write_text("kept")
    with pytest.raises(OutputError, match="precious is not a result of Benison .* not overwritten"):
        write(precious, overwrite=True)
    assert (precious / "file" if kind == "directory" else precious).read_text() == "kept"
    with pytest.raises(OutputError):
        check_output(precious, overwrite=True)


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="The results cannot be written to .*file/a/out"):
        write(tmp_path / "file" / "a" / "out")


def test_a_failure_leaves_nothing_and_keeps_the_old(tmp_path: Path) -> None:
    write(tmp_path / "out", verdict={"old": True})
    with (  # noqa: PT012 - the failure comes after something was written
        pytest.raises(RuntimeError),
        output_directory(tmp_path / "out", True) as directory,
    ):
        (directory / "metrics.parquet").touch()
        raise RuntimeError
    assert "old" in (tmp_path / "out" / "verdict.json").read_text()
    assert os.listdir(tmp_path) == ["out"]


def test_two_runs_of_one_output(tmp_path: Path) -> None:
    with (  # noqa: PT012 - the second run ends within the first
        pytest.raises(OutputError, match="another run has written there in the meantime"),
        output_directory(tmp_path / "out") as slow,
    ):
        (slow / "slow").touch()
        write(tmp_path / "out")
        assert slow.is_dir()
    assert not (tmp_path / "out" / "slow").exists()
    assert os.listdir(tmp_path) == ["out"]


def test_what_killed_runs_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    host = socket.gethostname()
    dead, alive = f"{host}.{done.pid}.0.partial", f"{host}.{os.getpid()}.0.partial"
    kept = [f".out.{alive}", f".other.{dead}", f".out.elsewhere.{done.pid}.0.partial"]
    for name in (*kept, f".out.{dead}"):
        (tmp_path / name).mkdir()
    write(tmp_path / "out")
    assert hidden(tmp_path) == sorted(kept)
    (tmp_path / f".[o]ut.{dead}").mkdir()
    write(tmp_path / "[o]ut")
    assert hidden(tmp_path) == sorted(kept)


# A disk that is full, and a process that is killed.


class OnFullDisk:
    """Puts a device that is always full where a file will be written."""

    stage_name = "FillTheDisk"

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, _: Evaluation, directory: Path) -> None:
        (directory / self.name).symlink_to("/dev/full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
@pytest.mark.parametrize("name", ["metrics.parquet", "plots.parquet", "verdict.json"])
def test_a_full_disk(tmp_path: Path, name: str) -> None:
    big = evaluation(verdict={"text": "x" * 100_000})
    with (
        pytest.raises(OutputError, match=r"out: the disk is full \([\d,]+ bytes are free\). Free"),
        output_directory(tmp_path / "out") as directory,
    ):
        run([OnFullDisk(name), *table_writers()], big, directory)
    assert os.listdir(tmp_path) == []


FAILED_RENAME = """
import os, sys
from pathlib import Path
import benison
from benison.errors import OutputError
from tests.component.test_write import write

target = Path(sys.argv[1])
write(target, verdict={"old": True})
renames = []

def hook(event, arguments):
    if event == "os.rename":
        renames.append(arguments)
        if len(renames) == 2:
            raise OSError(5, "Input/output error")

sys.addaudithook(hook)
try:
    write(target, overwrite=True)
except OutputError as error:
    print(error)
assert len(renames) == 3 and os.listdir(target.parent) == [target.name]
assert "old" in (target / "verdict.json").read_text()
"""


def python(script: str, *arguments: str) -> str:
    """What a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_old_result_is_put_back_when_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    message = python(FAILED_RENAME, str(tmp_path / "outputs" / "out"))
    assert "out: [Errno 5] Input/output error." in message


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from benison.output import blessing
from benison.output.directory import output_directory
from benison.output.writers import table_writers, run
import benison
from benison.errors import OutputError
from tests.component.test_write import evaluation

target = Path(sys.argv[1])
data = {"format": "table", "files": [], "digest": None}
manifest = {
    "verdict": "blessed", "created": "", "rows": 0, "models": [], "config": "", "data": data
}

def write(overwrite):
    with output_directory(target, overwrite) as directory:
        run(table_writers(), evaluation(), directory)
        blessing.seal(directory, manifest)

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid

def whole():
    if not target.exists():
        return False
    blessing.check_whole(target, "metrics.parquet")
    blessing.verify(target)
    return (target / "BLESSED").is_file()

def killed_at(step, overwrite):
    seen = 0
    def hook(event, _):
        nonlocal seen
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.scandir"):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
    def work():
        sys.addaudithook(hook)
        write(overwrite)
    return os.waitpid(child(work), 0)[1] == signal.SIGKILL

def clean():
    import shutil
    for path in target.parent.iterdir():
        shutil.rmtree(path)

for overwrite in (False, True):
    step, found = 1, []
    while True:
        clean()
        if overwrite:
            write(False)
        killed = killed_at(step, overwrite)
        found.append(whole())
        if not killed:
            break
        write(True)
        assert whole() and os.listdir(target.parent) == [target.name], os.listdir(target.parent)
        step += 1
    print(step, found.count(True), flush=True)

def forever():
    while True:
        write(True)

clean()
for _ in range(20):
    pid = child(forever)
    time.sleep(random.uniform(0, 0.05))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    whole()
write(True)
assert whole() and os.listdir(target.parent) == [target.name]
print("done")
"""


def test_a_kill_at_any_moment_leaves_a_whole_result_or_none(tmp_path: Path) -> None:
    """At each file operation in turn, and then twenty times at random."""
    target = tmp_path / "outputs" / "out"
    target.parent.mkdir()
    *counts, last = python(KILLED, str(target)).splitlines()
    assert last == "done"
    for steps in counts:
        tried, survived = map(int, steps.split())
        assert tried > 10
        assert survived > 0


def test_disabled_outputs_hold_nothing_and_the_verdict_stays(tmp_path: Path) -> None:
    named = [{"class_name": "AUC"}, {"class_name": "ConfusionMatrixPlot"}]
    bound = {"value_threshold": {"lower_bound": 0.5}}
    made = config({**named[0], "threshold": bound}, named[1])
    made["options"] = {
        "disabled_outputs": ["metrics", "plots", "analysis", "eval_config.json"],
        "analysis_columns": ["label"],
    }
    data = pa.table({"label": [1.0, 0.0], "prediction": [0.9, 0.2]})
    benison.evaluate(data, made, output=tmp_path / "out", tfma=True)
    loaded = benison.load_result(tmp_path / "out")
    assert (loaded.verdict.status, loaded.verdict.total) == ("blessed", 1)
    assert (loaded.metrics.num_rows, loaded.plots.num_rows) == (0, 0)
    assert not {"analysis", "eval_config.json"} & {*os.listdir(tmp_path / "out")}
