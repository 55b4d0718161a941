# SPDX-License-Identifier: Apache-2.0
"""The tests of `benison show`: the numbers of a result as tables, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

import benison
from benison import EvalResult
from benison.cli import app
from benison.config.debugging_options import PROBES
from benison.results import query
from benison.table.check_words import of_probe_or_slice
from benison.terminal import plain, result_tables
from benison.terminal.result_tables import histogram, sparkline
from tests.conftest import config, taxi_like

MODELS = [
    {"name": "new", "label_key": "label", "prediction_key": "prediction"},
    {"name": "old", "label_key": "label", "prediction_key": "old_prediction", "is_baseline": True},
]
AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.85}}}
RUNS = 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[EvalResult]:
    folder = tmp_path_factory.mktemp("show")
    slices = ({}, {"feature_keys": ["hour"]}, {"feature_keys": ["company"]})
    loss = {"class_name": "BinaryCrossEntropy"}
    made = {**config(AUC, loss, "ExampleCount", slices=slices), "model_specs": MODELS}
    data = [taxi_like(2_000, seed) for seed in range(RUNS)]
    data[2] = data[2].filter(pa.array(np.asarray(data[2]["hour"]) != 7))
    return [
        benison.evaluate(table, made, output=folder / f"run-{i}") for i, table in enumerate(data)
    ]


def show(*arguments: Any, **environment: str) -> str:
    done = CliRunner(env=environment).invoke(app, ["show", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def table_of(text: str) -> list[list[str]]:
    """The cells of the rows of the tables in a text."""
    return [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in text.splitlines()
        if "│" in line
    ]


def test_worst_slices_with_baseline_change_and_failure(runs: list[EvalResult]) -> None:
    text = show(runs[0].path, "--metric", "auc", "--worst", "3")
    assert "NOT BLESSED" in text
    assert "auc: its 3 worst slices" in text
    for cells, row in zip(table_of(text), runs[0].worst("auc", 3).to_pylist(), strict=True):
        base = runs[0].value("auc", row["slice"], model="old")
        numbers = [f"{row['value']:.5g}", f"{base:.5g}", f"{row['value'] - base:+.5g}"]
        assert cells == [row["slice"], f"{row['examples']:,}", *numbers, "✗"]


def test_values_that_are_no_numbers_are_shown_of_the_largest_slices(tmp_path: Path) -> None:
    sample = {"sampled_key": "hour", "size": 2}
    metrics = [{"class_name": "FixedSizeSample", "config": sample}, "AUC"]
    slices = ({}, {"feature_keys": ["hour"]})
    result = benison.evaluate(
        taxi_like(200), config(*metrics, slices=slices), output=tmp_path / "out"
    )
    expected = {r["slice"]: r["structured"] for r in result.rows("fixed_size_sample").to_pylist()}
    for arguments in (("--metric", "fixed_size_sample"), ("--slice", "Overall")):
        text = show(tmp_path / "out", *arguments)
        assert expected["Overall"] in {cell for cells in table_of(text) for cell in cells}
    document = json.loads(show(tmp_path / "out", "--metric", "fixed_size_sample", "--json"))
    rows = document["worst"]["fixed_size_sample"]
    assert [row["slice"] for row in rows][0] == "Overall"
    assert {row["slice"]: json.dumps(row["structured"]) for row in rows}.items() <= expected.items()


def test_names_the_file_that_has_the_failures_that_are_not_listed(
    runs: list[EvalResult], capsys: pytest.CaptureFixture[str]
) -> None:
    many = dataclasses.replace(runs[0].verdict, known_counts={"fail": 4_241})
    result_tables.show(dataclasses.replace(runs[0], verdict=many), ["auc"], 3)
    assert "... and 4,221 more in checks.parquet" in capsys.readouterr().out


def test_a_metric_without_rows_has_no_table(
    runs: list[EvalResult], capsys: pytest.CaptureFixture[str]
) -> None:
    result_tables.show(runs[0], ["auc"], 0)
    assert "auc: its" not in capsys.readouterr().out


def test_how_a_metric_is_spread_over_slices(runs: list[EvalResult]) -> None:
    text = show(runs[0].path, "--metric", "auc")
    values = [runs[0].value("auc", name) for name in runs[0].slices() if name != "Overall"]
    assert f"{len(values)} slices beside Overall: {min(values):.5g} " in text
    assert f"{histogram(values)} {max(values):.5g}" in text


def test_the_classes_of_a_metric_are_told_apart(tmp_path: Path) -> None:
    table = pa.table({"label": [0, 1, 1], "prediction": [[0.7, 0.3], [0.4, 0.6], [0.8, 0.2]]})
    made = config("Recall")
    made["metrics_specs"][0]["binarize"] = {"class_ids": {"values": [0, 1]}}
    benison.evaluate(table, made, output=tmp_path / "out")
    rows = table_of(show(tmp_path / "out", "--metric", "recall"))
    assert [cells[:2] for cells in rows] == [["Overall", "classId:1"], ["Overall", "classId:0"]]


def test_what_has_no_threshold_is_shown_when_it_is_asked_for(runs: list[EvalResult]) -> None:
    assert "binary_crossentropy" not in show(runs[0].path)
    assert "binary_crossentropy: its 5 worst slices" in show(
        runs[0].path, "--metric", "binary_crossentropy"
    )


def test_all_metrics_of_a_slice(runs: list[EvalResult]) -> None:
    text = show(runs[0].path, "--slice", "company=company 1")
    assert (
        f"company=company 1: {runs[0].value('example_count', 'company=company 1'):.0f} ex" in text
    )
    cells = {row[0]: row[1] for row in table_of(text)}
    names = ("auc", "binary_crossentropy", "example_count")
    assert cells == {name: f"{runs[0].value(name, 'company=company 1'):.5g}" for name in names}
    assert table_of(show(runs[0].path, "--slice", "Overall", "--metric", "auc"))[0][0] == "auc"


def test_changes_are_the_largest_first(runs: list[EvalResult]) -> None:
    new, old = runs[1], runs[0]
    text = show(new.path, "--compare", old.path, "--worst", "4")
    change = {name: new.value("auc", name) - old.value("auc", name) for name in new.slices()}
    order = sorted(change, key=lambda name: -abs(change[name]))
    for cells, name in zip(table_of(text), order[:4], strict=True):
        assert cells[0] == name
        assert cells[4] == f"{change[name]:+.5g}"
        assert cells[5:] == (["lower"] if change[name] < 0 else [""])[: len(cells) - 5]
    assert f"{old.path}: NOT BLESSED" in text


def test_lower_is_better_where_it_is(runs: list[EvalResult]) -> None:
    given = json.loads(
        show(runs[1].path, "--compare", runs[0].path, "--metric", "binary_crossentropy", "--json")
    )
    for row in given["changes"]:
        assert row["bad_way"] == ("higher" if row["change"] > 0 else "")
        assert row["worse"] is False  # no intervals were asked for


@pytest.mark.parametrize(("shift", "mark"), [(0.004, "lower"), (0.2, "worse")])
def test_worse_is_what_the_intervals_show(tmp_path: Path, shift: float, mark: str) -> None:
    """Intervals that lie apart show a fall, whatever the two runs have in common."""
    rng = np.random.default_rng(4)
    label, draw = rng.integers(0, 2, 2_000), rng.random(2_000)
    made = {
        "model_specs": [{"label_key": "label", "prediction_key": "p"}],
        "metrics_specs": [{"metrics": ["BinaryAccuracy"]}],
        "options": {"confidence": {"level": 0.95}},
    }
    for name, errors in (("old", 0.1), ("new", 0.1 + shift)):
        scores = np.where(draw < errors, 1 - label, label).astype(float)
        data = pa.table({"label": label, "p": scores})
        benison.evaluate(data, made, output=tmp_path / name)
    pair = ("--compare", tmp_path / "old")
    (row,) = json.loads(show(tmp_path / "new", *pair, "--json"))["changes"]
    assert (row["bad_way"], row["worse"]) == ("lower", row["is_upper"] < row["was_lower"])
    assert table_of(show(tmp_path / "new", *pair))[0][-1] == mark
    back = json.loads(show(tmp_path / "old", "--compare", tmp_path / "new", "--json"))["changes"]
    assert (back[0]["bad_way"], back[0]["worse"]) == ("", False)


def test_a_slice_over_several_runs(runs: list[EvalResult]) -> None:
    others = [part for run in (runs[1], runs[0]) for part in ("--compare", run.path)]
    given = json.loads(show(runs[2].path, *others, "--slice", "Overall", "--json"))
    in_order = sorted(runs, key=lambda run: run.manifest["created"])
    by_metric = {row["metric"]: row for row in given["changes"]}
    assert set(by_metric) == {"auc", "binary_crossentropy", "example_count"}
    values = [run.value("auc") for run in in_order]
    assert sorted(by_metric["auc"]["runs"]) == pytest.approx(sorted(values))
    text = show(runs[2].path, *others, "--slice", "Overall", "--metric", "auc")
    assert "over runs" in text
    assert sparkline(by_metric["auc"]["runs"]) in text


def test_a_slice_that_is_gone(runs: list[EvalResult]) -> None:
    text = show(runs[2].path, "--compare", runs[0].path, "--metric", "auc")
    assert "1 values are defined only in the older run" in text
    rows = json.loads(show(runs[2].path, "--compare", runs[0].path, "--json"))["changes"]
    (gone,) = (row for row in rows if row["slice"] == "hour=7" and row["metric"] == "auc")
    assert (gone["is"], gone["change"]) == (None, None)


def test_json_has_what_is_shown(runs: list[EvalResult]) -> None:
    whole = json.loads(show(runs[0].path, "--json", "--worst", "2"))
    assert whole["verdict"]["status"] == "not_blessed"
    worst = runs[0].worst("auc", 2)
    assert [row["slice"] for row in whole["worst"]["auc"]] == worst["slice"].to_pylist()
    assert [row["value"] for row in whole["worst"]["auc"]] == worst["value"].to_pylist()
    assert {row["outcome"] for row in whole["worst"]["auc"]} == {"fail"}
    slice_ = json.loads(show(runs[0].path, "--slice", "hour=5", "--json"))
    assert slice_["slice"] == "hour=5"
    assert slice_["metrics"][0]["value"] == runs[0].value("auc", "hour=5")
    assert slice_["metrics"][0]["baseline"] == runs[0].value("auc", "hour=5", model="old")


def test_json_is_strict_where_values_are_undefined(tmp_path: Path) -> None:
    trips = pa.table(
        {"label": [1.0, 1.0, 0.0], "prediction": [0.9, 0.2, 0.4], "f": ["a", "a", "b"]}
    )
    benison.evaluate(
        trips, config("AUC", slices=({}, {"feature_keys": ["f"]})), output=tmp_path / "out"
    )

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = show(tmp_path / "out", "--slice", "f=a", "--json")
    (row,) = json.loads(text, parse_constant=refuse)["metrics"]
    assert row["value"] is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--slice", "hour=55"), "no slice 'hour=55'. Did you mean 'hour=5'?"),
        (("--metric", "acu"), "no metric 'acu'. Did you mean 'auc'?"),
        (("--slice", "hour=5", "--metric", "acu"), "no metric 'acu'. Did you mean 'auc'?"),
        (("--compare", "nowhere"), "There is no result at nowhere."),
    ],
)
def test_what_is_not_there(
    runs: list[EvalResult], arguments: tuple[str, ...], sentence: str
) -> None:
    done = CliRunner().invoke(app, ["show", str(runs[0].path), *arguments])
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())


def test_a_narrow_terminal_loses_nothing(runs: list[EvalResult]) -> None:
    text = show(runs[0].path, "--metric", "auc", "--slice", "company=company 1", COLUMNS="48")
    shown = [line for line in text.splitlines() if "│" in line or "┃" in line]
    assert max(map(len, shown)) <= 48
    assert f"{runs[0].value('auc', 'company=company 1'):.5g}" in text


def test_intervals_of_values_and_of_changes_where_a_run_has_them(tmp_path: Path) -> None:
    made = {**config(AUC), "model_specs": MODELS, "options": {"compute_confidence_intervals": True}}
    result = benison.evaluate(taxi_like(2_000), made, output=tmp_path / "sure")
    (row,) = json.loads(show(result.path, "--json"))["worst"]["auc"]
    changes = result.metrics.filter(pc.equal(result.metrics["kind"], "change"))
    assert changes["lower"].to_pylist() == [row["change_lower"]]
    assert row["lower"] < row["value"] < row["upper"]
    assert row["change_lower"] < row["change"] < row["change_upper"]
    text = show(result.path, COLUMNS="200")
    for low, high in (("lower", "upper"), ("change_lower", "change_upper")):
        assert f"{row[low]:.4g} to {row[high]:.4g}" in text
    (change,) = json.loads(show(result.path, "--compare", result.path, "--json"))["changes"]
    assert (change["was_lower"], change["is_upper"]) == (row["lower"], row["upper"])


def test_results_without_a_metric_in_common_say_so(runs: list[EvalResult], tmp_path: Path) -> None:
    made = {**config("ExampleCount"), "model_specs": MODELS[:1]}
    other = benison.evaluate(taxi_like(100), made, output=tmp_path / "other")
    done = CliRunner().invoke(app, ["show", str(runs[0].path), "--compare", str(other.path)])
    assert done.exit_code == 2
    assert "has none of the metrics auc. There are: example_count." in " ".join(done.output.split())


def test_nothing_changed(runs: list[EvalResult]) -> None:
    text = show(runs[0].path, "--compare", runs[0].path)
    assert "auc: nothing changed" in text
    assert "━" not in text


def test_no_colour_where_nobody_looks(runs: list[EvalResult]) -> None:
    assert "\x1b" not in show(runs[0].path)
    assert "\x1b" not in show(runs[1].path, "--compare", runs[0].path)


def test_hostile_names_command_no_terminal(tmp_path: Path) -> None:
    names = ["\x1b[2Jgone", "[red]not markup[/]", "\u202ereversed", "two\nlines", "x" * 10_000]
    trips = pa.table(
        {"label": [1.0, 0, 1, 0, 1], "prediction": [0.9, 0.2, 0.7, 0.4, 0.5], "f": names}
    )
    low = {"class_name": "BinaryAccuracy", "threshold": {"value_threshold": {"lower_bound": 2.0}}}
    made = config(low, slices=({}, {"feature_keys": ["f"]}))
    result = benison.evaluate(trips, made, output=tmp_path / "out")
    text = show(result.path, "--worst", "9")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "[red]not markup[/]" in text
    assert r"\x1b[2Jgone" in text
    missing = CliRunner().invoke(app, ["show", str(result.path), "--slice", "none"])
    assert missing.exit_code == 2
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", missing.output)
    assert "x" * 2_000 not in text.replace("\n", "")


def test_long_names_that_differ_in_their_middle_stay_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    names = [f"{'x' * 400}{letter}{'y' * 400}" for letter in "ab"]
    trips = pa.table({"label": [1.0, 0], "prediction": [0.9, 0.2], "f": names})
    low = {"class_name": "BinaryAccuracy", "threshold": {"value_threshold": {"lower_bound": 2.0}}}
    made = config(low, slices=({}, {"feature_keys": ["f"]}))
    result = benison.evaluate(trips, made, output=tmp_path / "out")
    checks = CliRunner().invoke(app, ["checks", str(result.path)]).output
    for text in (show(result.path, "--worst", "9"), checks):
        shown = set(re.findall(r"f=x+…y+(?: \(\d\))?", text))
        assert len(shown) == 2
        assert max(map(len, shown)) < 300


def test_an_infinite_value_is_in_no_histogram(
    runs: list[EvalResult], capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = runs[0].metrics
    first = pc.and_(pc.equal(metrics["slice"], "hour=3"), pc.equal(metrics["metric"], "auc"))
    values = pc.if_else(first, np.inf, metrics["value"])
    odd = metrics.set_column(metrics.schema.get_field_index("value"), "value", values)
    result_tables.show(dataclasses.replace(runs[0], metrics=odd), ["auc"], 3)
    (count,) = re.findall(r"(\d+) slices beside Overall: ", capsys.readouterr().out)
    assert int(count) == len(query.distribution(runs[0], "auc")) - 1


def test_bars() -> None:
    assert histogram([1.0, 1.0]).strip() == "█"
    assert sparkline([]) == ""
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([0.0, None, 1.0]) == "▁·█"
    assert plain("a\x07b") == r"a\x07b"


@pytest.mark.parametrize("name", PROBES)
def test_what_the_value_of_a_probe_is_can_be_explained(name: str) -> None:
    assert of_probe_or_slice(f"{name}(fare)").endswith(".")
