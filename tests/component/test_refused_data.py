# SPDX-License-Identifier: Apache-2.0
"""Data that cannot be read are refused by a sentence that names the file or the column."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import benison
from benison.data import csv_files
from benison.data.dataset import Dataset
from benison.evaluation.column_facts import facts_of_columns
from benison.models.arrays import as_frame
from tests.conftest import config

GOOD = {"label": [1.0, 0.0], "prediction": [0.75, 0.25]}


def evaluate(examples: Any, feature: str | None = None, **more: Any) -> benison.EvalResult:
    slices = [{}] if feature is None else [{"feature_keys": [feature]}]
    return benison.evaluate(examples, config("ExampleCount", slices=slices), **more)


def refusal(examples: Any, feature: str | None = None, **more: Any) -> str:
    with pytest.raises(benison.BenisonError) as raised:
        evaluate(examples, feature, **more)
    return str(raised.value)


# Columns of data frames.


ODD: dict[str, Any] = {
    "mixed": [1, "a"],
    "uuid": [uuid.UUID(int=1), uuid.UUID(int=2)],
    "ragged tuples": [(1, "a"), (2,)],
    "complex": [1 + 2j, 3j],
    "sparse": pd.arrays.SparseArray([0.0, 1.0]),
    "70 bits": [2**70, 1],
    "objects": [object(), object()],
    "long doubles": np.array([0.5, 1.0], np.longdouble),
    "swapped bytes": np.array([0.5, 1.0], ">f8"),
    "periods": pd.period_range("2024", periods=2, freq="D"),
    "intervals": pd.interval_range(0, 2),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_column_matters_only_where_it_is_read(name: str) -> None:
    frame = pd.DataFrame({**GOOD, name: pd.Series(ODD[name])})
    assert evaluate(frame).value("example_count") == 2
    assert f"Column {name!r}" in refusal(frame, name)


def test_lists_of_scores_in_a_frame_are_those_of_classes() -> None:
    frame = pd.DataFrame({"label": [0, 1, 1], "prediction": [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]})
    asked = config("AUC", slices=[{}])
    asked["metrics_specs"][0]["binarize"] = {"class_ids": [0, 1]}
    keys = {"sub_key", "value"}
    values = benison.evaluate(frame, asked).metrics.to_pylist()
    assert [{k: row[k] for k in keys} for row in values] == [
        {"sub_key": f"classId:{i}", "value": 1.0} for i in (0, 1)
    ]


def test_an_odd_column_of_polars() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {**GOOD, "odd": polars.Series([object(), object()], dtype=polars.Object)}
    )
    assert evaluate(frame).value("example_count") == 2
    assert "Column 'odd' cannot be converted to Arrow: Python objects" in refusal(frame, "odd")


def test_a_name_for_two_columns_matters_only_where_it_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1.0, 0.5, 1, 2]], columns=["label", "prediction", "twice", "twice"])
    table = pa.table([[1.0], [0.5], [1], [2]], names=list(frame.columns))
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("label,prediction,twice,twice\n1,0.5,1,2\n")
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    files = [str(tmp_path / f"a.{ending}") for ending in ("parquet", "csv", "arrow")]
    for examples in (frame, table, *files):
        assert evaluate(examples).value("example_count") == 1
        assert "several columns named 'twice'. Rename all but one." in refusal(examples, "twice")


def test_names_that_are_no_text_do_not_matter() -> None:
    frame = pd.DataFrame({**GOOD, 5: [1, 2], ("a", "b"): [1, 2], "\ud800": [1, 2]})
    assert evaluate(frame).value("example_count") == 2
    assert evaluate(frame, "5").slices() == ["5=1", "5=2"]


@pytest.mark.parametrize(
    ("examples", "kind"),
    [([{"label": 1}], "a list of dict"), (GOOD, "dict"), (np.eye(2), "ndarray")],
)
def test_rows_and_columns_of_python_are_refused_with_the_cure(examples: Any, kind: str) -> None:
    message = refusal(examples)
    assert f"Examples are paths or a table, not {kind}. " in message
    assert "pyarrow.Table.from_pylist" in message


# Files.


def test_names_of_columns_that_are_no_text(tmp_path: Path) -> None:
    latin = "né".encode("latin-1")
    table = pa.table({**GOOD, "n__": [1, 2]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "a.csv").write_text("label,prediction,n__\n1,0.5,1\n")
    (tmp_path / "a.jsonl").write_text(json.dumps({"label": 1, "prediction": 0.5, "n__": 1}) + "\n")
    for ending in ("parquet", "arrow", "csv", "jsonl"):
        path = tmp_path / f"a.{ending}"
        path.write_bytes(path.read_bytes().replace(b"n__", latin + b"_"))
        message = refusal(str(path))
        assert f"a.{ending}" in message


def test_csv_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("label,prediction,v,w\n1,0.5,a,é\n".encode("latin-1"))
    assert evaluate(str(path), "v").slices() == ["v=a"]
    message = refusal(str(path), "w")
    assert "a.csv: column 'w' is not UTF-8 text. Save the file as UTF-8." in message


def test_parquet_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({**GOOD, "v": ["a", "n__"]}), path, compression="none", write_statistics=False
    )
    path.write_bytes(path.read_bytes().replace(b"n__", b"n\xe9_"))
    assert evaluate(str(path)).value("example_count") == 2
    assert "Column 'v' cannot be sliced: " in refusal(str(path), "v")
    batch = pq.read_table(path).to_batches()[0]
    with pytest.raises(benison.DataError, match="Feature 'v' holds text that is not UTF-8"):
        as_frame(batch, ["v"])


def test_damaged_lines_are_named(tmp_path: Path) -> None:
    good = '{"label": 1, "prediction": 0.5}\n'
    path = tmp_path / "a.jsonl"
    for bad, sentence in (
        ('{"label": 1, ', "a.jsonl: line 3 is not JSON: "),
        ("[1]", "a.jsonl: line 3 is a list, and an example is an object."),
        ("null", "a.jsonl: line 3 is a null, and an example is an object."),
        (" null", "a.jsonl: line 3 is a null, and an example is an object."),
        ('{"label": 1} null', "a.jsonl: line 3 is not JSON: Extra data"),
        ('{"label": 1}{"label": 0}', "a.jsonl: line 3 is not JSON: Extra data"),
        ('{"label": 1, "n": 2, "label": 0}', "a.jsonl: line 3 has the field 'label' twice"),
        (
            '{"label": ' + "[" * 200_000 + "]" * 200_000 + "}",
            "a.jsonl: line 3 is nested more than 200",
        ),
        ('{"a":' * 200_000 + "1" + "}" * 200_000, "a.jsonl: line 3 is nested more than 200 deep."),
        ("[[]," * 200_000, "a.jsonl: line 3 is nested more than 200 deep."),
    ):
        path.write_text(good * 2 + bad + "\n" + good)
        assert sentence in refusal(str(path))
        path.write_text(bad + "\n" + good)
        assert sentence.replace("line 3", "line 1") in refusal(str(path))
    path.write_text(f"\n  {good}\r\n \n{good}")
    assert evaluate(str(path)).value("example_count") == 2
    path.write_text(good * 2 + json.dumps({"label": 1, "prediction": 0.5, "v": "[" * 999}) + "\n")
    assert evaluate(str(path)).value("example_count") == 3


def test_the_causes_of_a_refusal_come_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 64)  # so that the first block has no fault
    path = tmp_path / "a.csv"
    path.write_text("label,prediction\n" + "1,0.5\n" * 100 + "27\n")
    error: BaseException | None = None
    try:
        list(Dataset.open(str(path)).batches(["label", "prediction"]))
    except benison.DataError as raised:
        error = raised
    causes = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__
    assert error is None
    assert causes


def test_a_row_of_csv_that_is_longer_than_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "_READ_BYTES", 1_000)
    path = tmp_path / "trips.csv"
    path.write_text(
        "label,prediction,note\n" + "1,0.5,short\n" * 200 + f"0,0.5,{'x' * 4_000}\n" * 2
    )
    with pytest.raises(benison.DataError, match="a row has more than 1,000 bytes.*as Parquet"):
        benison.evaluate(path, config("ExampleCount", slices=[{"feature_keys": ["note"]}]))


def test_rows_of_csv_that_are_longer_than_the_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("label,prediction\n1,0.5\n1,0.5,3\n")
    assert "a.csv" in refusal(str(path))
    assert "Expected 2 columns, got 3" in refusal(str(path))


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_an_empty_file_that_should_have_a_footer(form: str, tmp_path: Path) -> None:
    (tmp_path / f"a.{form}").touch()
    assert "is empty (0 bytes)" in refusal(str(tmp_path))


DAMAGE = """
import sys, warnings
import numpy as np
import benison
from tests.conftest import config
path, folder, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = open(path, "rb").read()
rng = np.random.default_rng(seed)
asked = config("ExampleCount", "AUC", slices=[{}, {"feature_keys": ["text"]}, {"feature_keys": ["lists"]}])
damaged = f"{folder}/damaged-{seed}." + path.rpartition(".")[2]
refused = 0
for trial in range(int(sys.argv[4])):
    mutated = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(data)))
        mutated[at] = int(rng.integers(256))
    if trial % 5 == 0:
        del mutated[int(rng.integers(len(data))):]
    open(damaged, "wb").write(mutated)
    try:
        benison.evaluate(damaged, asked)
    except benison.BenisonError:
        refused += 1
print(refused)
"""


@pytest.mark.parametrize("form", ["file", "stream", "parquet"])
def test_a_damaged_file_is_refused_and_ends_no_process(form: str, tmp_path: Path) -> None:
    n = 50
    table = pa.table(
        {
            "label": [1.0, 0.0] * n,
            "prediction": [0.75, 0.25] * n,
            "text": ["a", None] * n,
            "lists": [["x", "y"], []] * n,
            "encoded": pa.array(["p", "q"] * n).dictionary_encode(),
        }
    )
    path = tmp_path / ("a.parquet" if form == "parquet" else "a.arrow")
    if form == "parquet":
        pq.write_table(table, path)
    else:
        make = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
        with make(path, table.schema) as writer:
            writer.write_table(table)
    command = [sys.executable, "-c", DAMAGE, str(path), str(tmp_path), "0", "150"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout) > 30


def test_a_file_that_asks_for_more_memory_than_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"label": [1.0], "prediction": [0.5]}), path)

    def damaged(*arguments: Any, **options: Any) -> Any:
        raise pa.ArrowMemoryError("malloc of size 72057594037927936 failed")

    monkeypatch.setattr(pq, "ParquetFile", damaged)
    sentence = (
        r"data.parquet cannot be read as parquet: it asks for more memory than there is \(malloc"
    )
    with pytest.raises(benison.DataError, match=sentence):
        benison.evaluate(str(path), config("ExampleCount"))


def test_objects_are_named_by_what_they_are_and_not_by_where() -> None:
    frame = pd.DataFrame({"label": [1.0], "prediction": [0.5], "c": [object()]})
    with pytest.raises(
        benison.DataError, match="Could not convert <object object> with type object"
    ):
        benison.evaluate(frame, config("ExampleCount", slices=[{"feature_keys": ["c"]}]))


# Sentences that say what is there, and what to do.


SENTENCES = {
    "lists.jsonl": ('{"s": ["a"]}\n{"s": "b"}\n', "holds lists in some lines and texts or numbers in others"),
    "nested.jsonl": ('{"s": [1, [2]]}\n', "column 's' holds lists with values of several kinds"),
    "objects.jsonl": ('{"s": {"a": 1}}\n{"s": "b"}\n', "holds objects in some lines and texts or numbers in others"),
    "surrogate.jsonl": ('{"s": "a"}\n{"s": "x\\ud83d"}\n', r"holds 'x\ud83d', with one half of a character"),
    "empty.csv": ("", "empty.csv: there are no rows."),
    "empty.jsonl": ("", "empty.jsonl: there are no rows."),
    "semicolons.csv": ("label;s\n0,5;1\n", "the separator looks like ';': the header is 'label;s'"),
    "tabs.csv": ("label\ts\n0,5\t1\n", r"the separator looks like '\t'"),
    "bars.csv": ("label|s\n0,5|1\n", "the separator looks like '|'"),
}  # fmt: skip


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_names_what_is_there(name: str, tmp_path: Path) -> None:
    text, sentence = SENTENCES[name]
    path = tmp_path / name
    path.write_text(text.replace('{"s"', '{"label": 1, "prediction": 0.5, "s"'))
    assert sentence in refusal(path, "s")


def test_a_header_of_one_word_has_no_separator(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label\n1,2\n")
    assert "Expected 1 columns, got 2" in refusal(tmp_path / "a.csv")


def test_nothing_is_guessed_of_no_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table(GOOD).slice(0, 0), tmp_path / "a.parquet")
    with pytest.raises(benison.BenisonError, match="has no rows"):
        facts_of_columns(Dataset.open(tmp_path / "a.parquet"))


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.bool_(), pa.float64()], ids=str)
def test_runs_are_the_values_that_they_stand_for(
    kind: pa.DataType, in_file: bool, tmp_path: Path
) -> None:
    plain = pa.array([1, 1, 0, None, 0]).cast(kind)
    table = pa.table({"label": [1, 0, 1, 0, 1], "prediction": [0.5] * 5, "s": plain})
    values = []
    for each in (plain, pc.run_end_encode(plain)):
        examples: Any = table.set_column(2, "s", each)
        if in_file:
            with pa.ipc.new_file(tmp_path / "a.arrow", examples.schema) as file:
                file.write_table(examples)
            examples = tmp_path / "a.arrow"
        metrics = evaluate(examples, "s").metrics.select(["slice_key", "value"])
        values.append(metrics.to_pylist())
    assert values[0] == values[1]
    assert len(values[0]) == 2
