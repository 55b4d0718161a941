# SPDX-License-Identifier: Apache-2.0
"""The types of a dataset are those of all of its rows, whatever the first of them held."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.data import reading, tf_examples
from tests.component.test_formats import write_examples
from tests.conftest import config

Rows = list[dict[str, Any]]


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are a block, from the first of which types are inferred."""
    for module in ("csv_files", "json_lines"):
        monkeypatch.setattr(f"benison.data.{module}.BLOCK_BYTES", 400)
    monkeypatch.setattr(tf_examples, "_SCHEMA_ROWS", 5)


def csv_text(rows: Rows) -> str:
    names = dict.fromkeys(name for row in rows for name in row)
    lines = [",".join(str(row.get(name, "")) for name in names) for row in rows]
    return "\n".join([",".join(names), *lines, ""])


def write(rows: Rows, folder: Path, form: str, name: str = "a") -> str:
    path = folder / f"{name}.{form}"
    if form == "csv":
        path.write_text(csv_text(rows))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        write_examples(rows, path)
    return str(path)


def scored(values: Iterable[dict[str, Any]]) -> Rows:
    return [{"label": i % 2, "prediction": 0.5, **value} for i, value in enumerate(values)]


def counts(examples: Any, feature: str = "v", **options: Any) -> dict[str, float]:
    made = config("ExampleCount", slices=[{"feature_keys": [feature]}], options=options)
    metrics = benison.evaluate(examples, made).metrics
    names = [name.removeprefix(f"{feature}=") for name in metrics["slice"].to_pylist()]
    return dict(zip(names, metrics["value"].to_pylist(), strict=True))


# What comes after the first block.


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("form", ["csv", "jsonl", "tfrecord"])
@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        (None, 7, {"7": 1}),
        (None, "x", {"x": 1}),
        (3, 2.5, {"3": 99, "2.5": 1}),
        (3, "x", {"3": 99, "x": 1}),
        (2.5, "x", {"2.5": 99, "x": 1}),
        (2.5, 3, {"2.5": 99, "3": 1}),
        ("x", 3, {"x": 99, "3": 1}),
    ],
)
def test_a_later_row_widens_the_type(
    form: str, first: Any, later: Any, expected: dict[str, float], tmp_path: Path
) -> None:
    if form == "tfrecord" and later == "x" and first is None:
        pytest.importorskip("tfx_bsl")
    rows = scored([{"v": first}] * 99 + [{"v": later}])
    if form != "csv":
        rows = [{k: v for k, v in row.items() if v is not None} for row in rows]
    elif first is None:
        rows = [{**row, "v": "" if row["v"] is None else row["v"]} for row in rows]
    assert counts(write(rows, tmp_path, form)) == expected


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("form", ["csv", "jsonl", "tfrecord"])
def test_a_field_that_no_early_row_has_is_a_label_too(form: str, tmp_path: Path) -> None:
    rows: Rows = [{"prediction": 0.25}] * 98 + [{"prediction": 0.25, "label": 1.0}] * 2
    path = write(
        rows if form != "csv" else [{**r, "label": r.get("label", "")} for r in rows],
        tmp_path,
        form,
    )
    result = benison.evaluate(path, config("MeanLabel"))
    assert result.value("mean_label") == 1.0
    assert result.manifest["missing"]["labels"] == 98


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "tfrecord"])
@pytest.mark.parametrize("last", ["x", "\ud800"])  # the second is no text for Arrow
def test_a_field_that_no_row_has_is_refused(form: str, last: str, tmp_path: Path) -> None:
    if last != "x" and form != "jsonl":
        pytest.skip("it is no text of this format")
    path = write(scored([{"shop": "x"}] * 99 + [{"shop": "x", "odd": last}]), tmp_path, form)
    slices = (
        {"feature_keys": ["shpo"]},
        {"feature_values": {"shpo": "x"}},
        {"where": {"x": "shpo = 'x'"}},
    )
    for wrong in slices:
        with pytest.raises(benison.ConfigError, match="Did you mean 'shop'"):
            benison.evaluate(path, config("ExampleCount", slices=[wrong]))
    for key in ("label_key", "example_weight_key"):
        with pytest.raises(benison.ConfigError, match="the data have no column 'lable'"):
            benison.evaluate(path, config("ExampleCount", model={key: "lable"}))


@pytest.mark.usefixtures("short_blocks")
def test_reading_again_is_said_once_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(scored([{"v": 3}] * 99 + [{"v": "x"}]), tmp_path, "csv")
    stages: list[str] = []
    made = config("ExampleCount", slices=[{"feature_keys": ["v"]}])
    with caplog.at_level(logging.WARNING, "benison"):
        benison.evaluate(path, made, progress=lambda stage, rows, total: stages.append(stage))
    (record,) = caplog.records
    assert "a.csv: column 'v' is int64 in the rows before" in record.getMessage()
    assert "options.column_types" in record.getMessage()
    assert stages.count("types") == 1
    caplog.clear()
    made["options"] = {"column_types": {"v": "string"}}
    benison.evaluate(path, made)
    assert not caplog.records


@pytest.mark.usefixtures("short_blocks")
def test_what_is_not_read_is_not_looked_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for form in ("csv", "jsonl", "tfrecord"):
        rows = scored([{"v": 3, "w": 1}] * 99 + [{"v": 3, "w": "x"}])
        assert counts(write(rows, tmp_path, form)) == {"3": 100}
    assert not caplog.records


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_beam_infers_types_from_all_rows(form: str, tmp_path: Path) -> None:
    pytest.importorskip("apache_beam")
    write(scored([{"v": 3}] * 30 + [{"v": 2.5}]), tmp_path, form, "a")
    write(scored([{"v": "03"}]), tmp_path, form, "b")
    made = config("ExampleCount", slices=[{"feature_keys": ["v"]}])
    options = ["--runner=FnApiRunner"]
    result = benison.evaluate(str(tmp_path), made, engine="beam", engine_options=options)
    assert result.slices() == ["v=2.5", "v=03", "v=3"]


# Text that looks like numbers.


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("ahead", [0, 99])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["01234", "1234"], {"01234": 1, "1234": 1}),
        (["3.1", "3.10"], {"3.1": 1, "3.10": 1}),
        (["1234567890123456789", "0.5"], {"1234567890123456789": 1, "0.5": 1}),
        (["1e5", "5.0", "5", "NA", ""], {"5": 2, "100000": 1}),
        (["+5", "5", "NaN"], {"+5": 1, "5": 1}),
        (["99999999999999999999", "1"], {"99999999999999999999": 1, "1": 1}),
        (["NA", "05"], {"05": 1}),
    ],
)
def test_csv_cells_are_sliced_as_they_are_written_if_one_does_not_print_back(
    ahead: int, cells: list[str], expected: dict[str, float], tmp_path: Path
) -> None:
    actual = counts(
        write(scored([{"v": 7}] * ahead + [{"v": cell} for cell in cells]), tmp_path, "csv")
    )
    assert actual == {**({"7": ahead} if ahead else {}), **expected}


def test_files_agree_on_how_cells_are_sliced(tmp_path: Path) -> None:
    write(scored([{"v": "5.0"}, {"v": "6"}]), tmp_path, "csv", "a")
    assert counts(str(tmp_path)) == {"5": 1, "6": 1}
    write(scored([{"v": "06"}]), tmp_path, "csv", "b")
    assert counts(str(tmp_path)) == {"5.0": 1, "6": 1, "06": 1}
    assert counts(str(tmp_path), column_types={"v": "float64"}) == {"5": 1, "6": 2}
    assert counts(str(tmp_path), column_types={"v": "string"}) == {"5.0": 1, "6": 1, "06": 1}


def test_a_column_sliced_as_text_is_a_number_for_everything_else(tmp_path: Path) -> None:
    path = write(
        [{"label": "01", "prediction": "0.50"}, {"label": "NA", "prediction": "1.0"}],
        tmp_path,
        "csv",
    )
    slices = [{}, {"feature_keys": ["label"]}, {"feature_keys": ["prediction"]}]
    result = benison.evaluate(path, config("MeanLabel", "MeanPrediction", slices=slices))
    assert result.value("mean_label") == 1.0
    assert result.value("mean_prediction", slice={"label": "01"}) == 0.5
    assert set(result.slices()) == {"Overall", "label=01", "prediction=0.50", "prediction=1.0"}


def test_words_for_missing_values(tmp_path: Path) -> None:
    cells = ["NA", "null", "nan", "", '""', "-", "x"]
    path = write(scored([{"v": cell} for cell in cells]), tmp_path, "csv")
    assert counts(path) == {"NA": 1, "null": 1, "nan": 1, "-": 1, "x": 1}
    assert counts(path, null_values=["-", "NA"]) == {"null": 1, "nan": 1, "x": 1}
    numbers = write(scored([{"v": cell} for cell in ["NA", "null", "-", "5"]]), tmp_path, "csv")
    assert counts(numbers) == {"NA": 1, "null": 1, "-": 1, "5": 1}
    assert counts(numbers, null_values=["-"]) == {"5": 1}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_times_are_sliced_as_they_are_written(form: str, tmp_path: Path) -> None:
    times = ["2024-01-31", "2024-01-31 10:00", "10:30", "2024-01-31T10:00:00Z"]
    for time in times:
        assert counts(write(scored([{"v": time}]), tmp_path, form)) == {time: 1}


def test_an_empty_text_is_a_value_but_in_csv(tmp_path: Path) -> None:
    rows = scored([{"v": ""}, {"v": "a"}])
    for form in ("jsonl", "parquet", "tfrecord"):
        assert counts(write(rows, tmp_path, form)) == {"": 1, "a": 1}
    assert counts(pa.Table.from_pylist(rows)) == {"": 1, "a": 1}


# Files that differ.


@pytest.mark.parametrize("form", ["csv", "jsonl", "tfrecord", "csv.gz", "jsonl.gz"])
def test_an_empty_shard_is_no_rows(form: str, tmp_path: Path) -> None:
    rows = scored([{"v": "x"}])
    path = Path(write(rows, tmp_path, form.removesuffix(".gz"), "b"))
    if form.endswith("gz"):
        (tmp_path / f"b.{form}").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        (tmp_path / f"a.{form}").write_bytes(gzip.compress(b""))
    else:
        (tmp_path / f"a.{form}").touch()
    (tmp_path / f"c.{form}").touch()
    assert counts(str(tmp_path)) == {"x": 1}
    for file in tmp_path.glob("b.*"):
        file.unlink()
    with pytest.raises(benison.DataError, match="there are no r(ecords|ows)"):
        counts(str(tmp_path))


SHARDS: list[tuple[Any, Any, dict[str, float]]] = [
    (pa.array(["x"]), pa.array(["x"], pa.large_string()), {"x": 2}),
    (pa.array(["x"]), pa.array(["x"]).dictionary_encode(), {"x": 2}),
    (pa.array(["x"]), pa.array([5]), {"x": 1, "5": 1}),
    (pa.array([b"x"]), pa.array(["x"]), {"x": 2}),
    (pa.nulls(1), pa.array(["x"]), {"x": 1}),
    (pa.array([5]), pa.array([5.0]), {"5": 2}),
    (pa.array([5], pa.int8()), pa.array([5], pa.uint16()), {"5": 2}),
    (pa.array([2**53 + 1]), pa.array([0.5]), {"9007199254740993": 1, "0.5": 1}),
    (pa.array([2**64 - 1], pa.uint64()), pa.array([-1]), {"18446744073709551615": 1, "-1": 1}),
    (pa.array([True]), pa.array([1]), {"1": 2}),
    (pa.array([0.5], pa.float32()), pa.array([0.5]), {"0.5": 2}),
    (pa.array([[]], pa.list_(pa.null())), pa.array([["x"]]), {"x": 1}),
    (pa.array([["x"]]), pa.array([["x"]], pa.large_list(pa.large_string())), {"x": 2}),
    (pa.array([["x", "y"]], pa.list_(pa.string(), 2)), pa.array([["x"]]), {"x": 2, "y": 1}),
    (pa.array([[1]]), pa.array([[0.5, 1.0]]), {"1": 2, "0.5": 1}),
    (
        pa.array([Decimal("1.50")], pa.decimal128(5, 2)),
        pa.array([Decimal("1.5")], pa.decimal128(9, 1)),
        {"1.5": 2},
    ),
    (pa.array([Decimal("2.00")], pa.decimal128(5, 2)), pa.array([2]), {"2": 2}),
    (
        pa.array([0], pa.timestamp("us")),
        pa.array([0], pa.timestamp("ns")),
        {"1970-01-01 00:00:00": 2},
    ),
    (pa.array([0], pa.date32()), pa.array([0], pa.date64()), {"1970-01-01": 2}),
    (pa.array([0], pa.time32("s")), pa.array([0], pa.time64("ns")), {"00:00:00": 2}),
]


@pytest.mark.parametrize(
    ("first", "second", "expected"), SHARDS, ids=[f"{a.type}-{b.type}" for a, b, _ in SHARDS]
)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_files_whose_types_differ_are_one_dataset(
    first: pa.Array, second: pa.Array, expected: dict[str, float], form: str, tmp_path: Path
) -> None:
    for swapped in (False, True):
        for name, values in zip("ba" if swapped else "ab", (first, second), strict=True):
            table = pa.table({"label": [1.0], "prediction": [0.5], "v": values})
            path = tmp_path / f"{name}.{form}"
            if form == "parquet":
                pq.write_table(table, path)
            else:
                with pa.ipc.new_file(path, table.schema) as writer:
                    writer.write_table(table)
        assert counts(str(tmp_path)) == expected


def test_types_that_nothing_unifies_matter_only_where_they_are_read(tmp_path: Path) -> None:
    for name, value in (("a", {"x": 1}), ("b", [1])):
        pq.write_table(
            pa.Table.from_pylist(scored([{"v": "s", "w": value}])), tmp_path / f"{name}.parquet"
        )
    assert counts(str(tmp_path)) == {"s": 2}
    with pytest.raises(
        benison.DataError, match=r"'w' is struct<x: int64> in .*a\.parquet and list<"
    ):
        counts(str(tmp_path), "w")


@pytest.mark.parametrize("values", [["x", 5, None, True, 2.5], [["x"], [5, None], [], None, [2.5]]])
def test_json_values_of_several_types(values: list[Any], tmp_path: Path) -> None:
    path = write(scored([{"v": value} for value in values]), tmp_path, "jsonl")
    expected = {"x": 1, "5": 1, "2.5": 1} | ({} if isinstance(values[0], list) else {"true": 1})
    assert counts(path) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, 5], {"1": 1, "5": 1}),
        ([2**53 + 1, 0.5], {"9007199254740993": 1, "0.5": 1}),
        ([2**70, 5], {str(2**70): 1, "5": 1}),
        ([float("nan"), 5.0], {"5": 1}),
        ([None, None], {}),
    ],
)
def test_json_numbers(values: list[Any], expected: dict[str, float], tmp_path: Path) -> None:
    assert counts(write(scored([{"v": value} for value in values]), tmp_path, "jsonl")) == expected


def test_examples_of_one_feature_in_several_types(tmp_path: Path) -> None:
    path = write(scored([{"v": "x"}, {"v": 5}, {"v": 2.5}, {}, {"v": "y"}]), tmp_path, "tfrecord")
    assert counts(path) == {"x": 1, "5": 1, "2.5": 1, "y": 1}


def test_the_block_is_large_enough_to_tell_types() -> None:
    assert reading.BLOCK_BYTES >= 2**24
