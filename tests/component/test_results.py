# SPDX-License-Identifier: Apache-2.0
"""The tests of results: looked up, compared, and refused when they are not whole."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from benison.config import EvalConfig
from benison.engine.plan import Plan
from benison.errors import DataError, MissingExtraError, OutputError
from benison.output import blessing
from benison.results import query
from benison.results.result import EvalResult, load_result
from benison.slicing.keys import SliceKey
from benison.validation.judge import validate
from benison.validation.verdict import Verdict
from tests.component.judging import FLASH, OVERALL, Versus, bounds, change, rows, table
from tests.conftest import config, taxi_like

HOUR: SliceKey = (("hour", "5"),)
LATE: SliceKey = (("hour", "23"),)
TRUE: SliceKey = (("paid", "true"),)
NAN = math.nan


def result(metrics: pa.Table, names: tuple[str, ...] = ("",), **auc: Any) -> EvalResult:
    """A result of models by these names; one that is named "old" is the baseline."""
    specs = [{"name": n, "label_key": "l", "is_baseline": n == "old"} for n in names]
    made = {
        "model_specs": specs,
        "metrics_specs": [{"metrics": [{"class_name": "AUC", **auc}]}],
    }
    full = EvalConfig.load(made).with_defaults("old" in names)
    return EvalResult(metrics, validate(full, Plan.of(full).judged, metrics), full, {})


SLICES = {OVERALL: 0.8, FLASH: 0.7, HOUR: 0.9, LATE: NAN, TRUE: 0.6, Versus(HOUR, LATE): -1.0}


def test_a_result_of_a_baseline_alone() -> None:
    of_baseline = result(table(rows(SLICES, model="old")), ("old",))
    alone = [
        spec.model_copy(update={"is_baseline": True}) for spec in of_baseline.config.model_specs
    ]
    config = of_baseline.config.model_copy(update={"model_specs": tuple(alone[:1])})
    of_baseline = dataclasses.replace(of_baseline, config=config)
    assert of_baseline.worst("auc").num_rows == 0
    assert query.worst(of_baseline, "auc", 3) == []


def test_values_are_found_by_name_key_or_features() -> None:
    actual = result(table(rows(SLICES)))
    assert actual.value("auc") == actual.value("auc", ()) == actual.value("auc", {}) == 0.8
    for slice_ in ("hour=5", HOUR, {"hour": "5"}, {"hour": 5}, {"hour": 5.0}):
        assert actual.value("auc", slice_) == 0.9
    assert actual.value("auc", {"paid": True}) == 0.6
    assert math.isnan(actual.value("auc", LATE))
    assert actual.value("auc", "hour=5 vs hour=23") == -1.0


@pytest.mark.parametrize(
    ("arguments", "keys", "sentence"),
    [
        (("acu",), {}, "The results have no metric 'acu'. Did you mean 'auc'?"),
        (("auc", "hour=55"), {}, "The results have no slice 'hour=55'. Did you mean 'hour=5'?"),
        (("auc", {"hour": 7}), {}, "The results have no slice 'hour=7'."),
        (
            ("auc",),
            {"modle": "a"},
            "'modle' does not tell one value from another. Did you mean 'mo",
        ),
        (("auc",), {"model": "b"}, "The results have no model 'b'."),
        (("auc",), {"weighted": True}, "The results have no weighted True. There are: False."),
    ],
)
def test_a_value_that_is_not_there(
    arguments: tuple[Any, ...], keys: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError) as error:
        result(table(rows(SLICES))).value(*arguments, **keys)
    assert sentence in str(error.value)


def test_the_candidate_is_meant_unless_there_are_several() -> None:
    metrics = table(rows({OVERALL: 0.8}, "new"), rows({OVERALL: 0.7}, "old"))
    pair = result(metrics, ("new", "old"))
    assert (pair.value("auc"), pair.value("auc", model="old")) == (0.8, 0.7)
    with pytest.raises(DataError, match="auc of Overall has 2 values; say which model."):
        result(metrics, ("new", "other")).value("auc")
    three = table(*(rows({OVERALL: 0.8}, name) for name in ("new", "other", "old")))
    with pytest.raises(DataError, match="auc of Overall has 3 values; say which model."):
        result(three, ("new", "other", "old")).value("auc")
    classes = table(
        rows({OVERALL: 0.8}, sub_key="classId:0"), rows({OVERALL: 0.7}, sub_key="classId:1")
    )
    with pytest.raises(DataError, match="say which sub_key"):
        result(classes).value("auc")
    assert result(classes).value("auc", sub_key="classId:1") == 0.7


def test_names() -> None:
    actual = result(table(rows(SLICES), rows(SLICES, metric="loss")))
    assert actual.metric_names() == ["auc", "loss"]
    assert actual.slices()[:2] == ["Overall", "company=Flash Cab"]
    assert repr(actual) == "<EvalResult not_evaluated, 5 slices, 1 comparison, 12 values, None>"


@pytest.mark.parametrize(
    ("auc", "slices"),
    [
        ({}, ["paid=true", "company=Flash Cab"]),
        ({"threshold": bounds(0.5)}, ["paid=true", "company=Flash Cab"]),
        ({"threshold": bounds(0.5, 0.95)}, ["paid=true", "company=Flash Cab"]),
        ({"threshold": bounds(None, 0.95)}, ["hour=5", "Overall"]),
        ({"threshold": change("LOWER_IS_BETTER", absolute=0.1)}, ["hour=5", "Overall"]),
        (
            {"threshold": change("HIGHER_IS_BETTER", absolute=0.1)},
            ["paid=true", "company=Flash Cab"],
        ),
    ],
)
def test_the_worst_slices(auc: dict[str, Any], slices: list[str]) -> None:
    actual = result(table(rows(SLICES)), **auc)
    assert actual.worst("auc", 2)["slice"].to_pylist() == slices
    assert actual.worst("auc").num_rows == 4
    with pytest.raises(DataError, match="no metric 'acu'"):
        actual.worst("acu")


def test_the_worst_slices_are_those_of_the_candidate() -> None:
    metrics = table(rows({OVERALL: 0.8}, "new"), rows({OVERALL: 0.7}, "old"))
    assert result(metrics, ("new", "old")).worst("auc")["model"].to_pylist() == ["new"]


def test_compare() -> None:
    before = result(table(rows({OVERALL: 0.5, FLASH: 0.7})))
    after = result(
        table(rows({OVERALL: 0.75, HOUR: 0.9}, "new"), rows({OVERALL: 0.1}, "old")), ("new", "old")
    )
    actual = before.compare(after)
    shown = actual.select(["model", "slice", "value", "value_other", "difference"]).to_pylist()
    assert [tuple(row.values()) for row in shown] == [
        ("", "Overall", 0.5, 0.75, 0.25),
        ("", "company=Flash Cab", 0.7, None, None),
        ("", "hour=5", None, 0.9, None),
        ("old", "Overall", None, 0.1, None),
    ]


def test_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    actual = result(table(rows(SLICES)))
    assert list(actual.to_pandas().columns) == actual.metrics.column_names
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'benison\[pandas\]'"):
        actual.to_pandas()


# Loaded from disk.


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "out"
    auc = {"class_name": "AUC", "threshold": bounds(0.5)}
    slices = ({}, {"feature_keys": ["hour"]})
    benison.evaluate(taxi_like(500), config(auc, "CalibrationPlot", slices=slices), output=path)
    return path


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "out")
    return tmp_path / "out"


def test_what_is_loaded_is_what_was_found(written: Path) -> None:
    auc = {"class_name": "AUC", "threshold": bounds(0.5)}
    slices = ({}, {"feature_keys": ["hour"]})
    evaluated = benison.evaluate(taxi_like(500), config(auc, "CalibrationPlot", slices=slices))
    loaded = load_result(written)
    keys = ["slice", "slice_key", "metric", "value", "structured", "examples"]
    assert loaded.metrics.select(keys).equals(evaluated.metrics.select(keys))
    assert (loaded.verdict, loaded.config, loaded.path) == (
        evaluated.verdict,
        evaluated.config,
        written,
    )
    assert loaded.plots.num_rows == evaluated.plots.num_rows > 0
    assert loaded.manifest["rows"] == 500


def seal_again(directory: Path) -> None:
    """As a program would that writes such directories itself."""
    manifest = blessing.read_manifest(directory)
    for name in ("manifest.json", "BLESSED", "NOT_BLESSED"):
        (directory / name).unlink(missing_ok=True)
    blessing.seal(directory, {k: v for k, v in manifest.items() if k != "files"})


def damaged(directory: Path, name: str) -> None:
    content = bytearray((directory / name).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / name).write_bytes(content)


@pytest.mark.parametrize(
    "name", ["metrics.parquet", "verdict.json", "config.json", "checks.parquet"]
)
def test_one_wrong_bit(copy: Path, name: str) -> None:
    damaged(copy, name)
    with pytest.raises(OutputError, match=f"{name} is missing or not as it was written; evaluate"):
        load_result(copy)


def test_one_wrong_bit_in_the_plots_is_found_when_they_are_read(copy: Path) -> None:
    damaged(copy, "plots.parquet")
    loaded = load_result(copy)
    with pytest.raises(OutputError, match="plots.parquet is missing or not as it was written"):
        _ = loaded.plots


@pytest.mark.parametrize("name", ["plots.parquet", "config.json", "manifest.json"])
def test_a_missing_file(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(OutputError, match=name):
        load_result(copy)


def test_a_missing_marker(copy: Path) -> None:
    (copy / "BLESSED").unlink(missing_ok=True)
    (copy / "NOT_BLESSED").unlink(missing_ok=True)
    with pytest.raises(OutputError, match=r"has the markers \[\], but its verdict is"):
        load_result(copy)


def test_what_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="There is no result at .*nowhere."):
        load_result(tmp_path / "nowhere")
    with pytest.raises(OutputError, match=r"is not an output of Benison: it has no manifest.json"):
        load_result(tmp_path)


def test_a_newer_verdict(copy: Path) -> None:
    text = (copy / "verdict.json").read_text()
    (copy / "verdict.json").write_text(text.replace('"version": 2', '"version": 3'))
    seal_again(copy)
    with pytest.raises(OutputError, match="^The verdict was written by a newer Benison"):
        load_result(copy)


@pytest.mark.parametrize("text", ["{}", "[]", '{"version": 2}', "?"])
def test_a_verdict_that_is_none(copy: Path, text: str) -> None:
    (copy / "verdict.json").write_text(text)
    seal_again(copy)
    with pytest.raises(OutputError, match="The result in .* cannot be read"):
        load_result(copy)


def _filled(name: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    def damage(table: pa.Table) -> pa.Table:
        column = pa.array((values * table.num_rows)[: table.num_rows])
        return table.set_column(table.schema.get_field_index(name), name, column)

    return damage


@pytest.mark.parametrize("file", ["metrics.parquet", "checks.parquet", "plots.parquet"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda table: table.drop_columns(["sub_key", "slice"]),
        _filled("slice", [None]),
        _filled("slice_key", [[None]]),
        _filled("slice_key", [[{"feature": None, "value": "a", "type": None}]]),
        _filled("examples", [[0.5]]),
        _filled("weighted", ["x"]),
        lambda table: table.append_column("slice", table["slice"]),
    ],
)
def test_a_table_that_is_damaged_and_sealed_again(
    copy: Path, file: str, damage: Callable[[pa.Table], pa.Table]
) -> None:
    table = pq.read_table(copy / file)
    pq.write_table(damage(table), copy / file)
    seal_again(copy)
    with pytest.raises(OutputError, match=r"cannot be read|lacks the columns"):
        load_result(copy).plots  # noqa: B018 - reads them


def test_plots_that_are_no_parquet(copy: Path) -> None:
    (copy / "plots.parquet").write_bytes(b"PAR1")
    seal_again(copy)
    with pytest.raises(OutputError, match="The result in .* cannot be read"):
        load_result(copy).plots  # noqa: B018 - reads them


@pytest.mark.parametrize(
    "change",
    [
        {"status": ["blessed"]},
        {"counts": 5},
        {"checks": [5]},
        {"rubber_stamped": None},
        {"version": "2"},
    ],
)
def test_a_verdict_whose_fields_are_of_other_types(copy: Path, change: dict[str, Any]) -> None:
    verdict = json.loads((copy / "verdict.json").read_text())
    (copy / "verdict.json").write_text(json.dumps(verdict | change))
    seal_again(copy)
    with pytest.raises(
        OutputError, match=f"cannot be read: the verdict is none: {next(iter(change))}"
    ):
        load_result(copy)


def test_a_document_that_is_nested_too_deep(copy: Path) -> None:
    (copy / "verdict.json").write_text("[" * 100_000)
    seal_again(copy)
    with pytest.raises(OutputError, match="nested too deep"):
        load_result(copy)


def test_a_document_with_half_a_character(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"created": "\ud800"}))
    with pytest.raises(OutputError, match=r"it holds '\\ud800', which is no character"):
        load_result(copy)


def test_metrics_with_other_columns(copy: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), copy / "metrics.parquet")
    seal_again(copy)
    with pytest.raises(OutputError, match=r"metrics.parquet lacks the columns model, output"):
        load_result(copy)


def test_verdict_json_is_strict(written: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    data = json.loads((written / "verdict.json").read_text(), parse_constant=refuse)
    assert Verdict.from_dict(data).total > 0


def test_a_bound_on_a_comparison_of_slices_says_nothing_of_the_slices_themselves() -> None:
    """A difference of at most 0.01 does not make a high accuracy the worst."""
    bound = {"value_threshold": {"upper_bound": 0.01}}
    between = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["company"]}]}
    made = config("BinaryAccuracy")
    made["slicing_specs"] = [{}, {"feature_keys": ["company"]}]
    made["cross_slicing_specs"] = [between]
    (metric,) = made["metrics_specs"][0]["metrics"]
    threshold = {"cross_slicing_specs": [between], "threshold": bound}
    made["metrics_specs"][0]["metrics"] = [{**metric, "cross_slice_thresholds": [threshold]}]
    result = benison.evaluate(taxi_like(600), made)
    assert result.is_bad_when_high("binary_accuracy") is False
    values = result.worst("binary_accuracy", 3)["value"].to_pylist()
    assert values == sorted(values)
