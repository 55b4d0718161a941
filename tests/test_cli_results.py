# SPDX-License-Identifier: Apache-2.0
"""The commands that look into results: compare, explain, checks."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from tests.conftest import config

NO_LESS = {"value_threshold": {"lower_bound": 0.6}}
AT_LEAST = {"class_name": "BinaryAccuracy", "threshold": NO_LESS}
NOT_WORSE = {
    "class_name": "AUC",
    "threshold": {"change_threshold": {"direction": "HIGHER_IS_BETTER", "relative": -0.1}},
}
GOOD, BAD = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3], [0.9, 0.1, 0.8, 0.9, 0.1, 0.3]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})


def evaluate(
    output: str,
    scores: list[float],
    rival: list[float] | None = None,
    slices: tuple[dict[str, Any], ...] = ({}, {"feature_keys": ["shop"]}),
    more: tuple[dict[str, Any], ...] = (),
) -> None:
    label, shop = [1, 0, 1, 0, 1, 0], ["a", "a", "a", "b", "b", "b"]
    table = pa.table(
        {"label": label, "prediction": scores, "old": [0.9, 0.1, 0.8, 0.2, 0.7, 0.3], "shop": shop}
    )
    made = config(AT_LEAST, NOT_WORSE, *more, slices=slices)
    made["model_specs"] = [
        {"name": "new", "label_key": "label", "prediction_key": "prediction"},
        {"name": "old", "label_key": "label", "prediction_key": "old", "is_baseline": True},
    ]
    if rival is not None:
        table = table.append_column("rival", pa.array(rival))
        made["model_specs"].append(
            {"name": "rival", "label_key": "label", "prediction_key": "rival"}
        )
    benison.evaluate(table, made, output=output)


@pytest.fixture
def outputs(in_folder: Path) -> None:
    evaluate("good", GOOD)
    evaluate("bad", BAD)


def test_explain_puts_the_numbers_into_the_formula(outputs: None) -> None:
    shown = run("explain", "bad", "--slice", "shop=b").output
    assert "binary_accuracy of shop=b: fail" in shown
    assert "must hold binary_accuracy >= 0.6" in shown
    assert "numbers   0.333333 >= 0.6 does not hold" in shown
    assert "must hold (candidate - baseline) / |baseline| >= -0.1" in shown
    assert "numbers   (0 - 1) / |1| = -1 >= -0.1 does not hold" in shown
    assert "rests on  3 of 3 examples" in shown
    assert "Area under the ROC curve" in shown


@pytest.mark.parametrize(
    ("slice_", "line"),
    [
        ("Overall", "numbers   1 >= 0.6 holds, but that is not shown"),
        ("Overall", "numbers   1 - 1 = 0 >= -0.02 holds, but that is not shown"),
        ("label=1", "numbers   (undefined - undefined) / |undefined| >= -0.1 is undefined"),
    ],
)
def test_explain_compares_the_numbers_whatever_is_shown(
    in_folder: Path, slice_: str, line: str
) -> None:
    not_worse: dict[str, Any] = {"threshold": {**NO_LESS, "evidence": "not_worse"}}
    fall = {"direction": "HIGHER_IS_BETTER", "absolute": -0.02}
    worse = {"threshold": {"change_threshold": fall, "evidence": "worse"}}
    more = ({"class_name": "Recall", **not_worse}, {"class_name": "Precision", **worse})
    evaluate("out", GOOD, slices=({}, {"feature_keys": ["label"]}), more=more)
    lines = [text.strip() for text in run("explain", "out", "--slice", slice_).output.splitlines()]
    assert line in lines


def test_explain_knows_the_slices(outputs: None) -> None:
    refused = run("explain", "bad", "--slice", "shop=c")
    assert refused.exit_code == 2
    assert "The results have no slice 'shop=c'" in refused.output


def test_what_only_checks_have_is_explained_and_listed(in_folder: Path) -> None:
    nowhere = {"slicing_specs": [{"feature_values": {"shop": "c"}}], "threshold": NO_LESS}
    evaluate("out", GOOD, more=({"class_name": "Recall", "per_slice_thresholds": [nowhere]},))
    (check,) = [c for c in benison.load_result("out").verdict.checks if c.check == "missing"]
    for command in ("explain", "checks"):
        only = ["--slice", check.slice, "--metric", check.metric]
        shown = run(command, "out", *only)
        assert shown.exit_code == 0
        assert [
            c["slice"] for c in json.loads(run(command, "out", *only, "--json").stdout)["checks"]
        ] == [check.slice]


def test_checks_are_a_table_for_a_spreadsheet(outputs: None) -> None:
    rows = list(csv.DictReader(io.StringIO(run("checks", "bad", "--csv").stdout)))
    result = benison.load_result("bad")
    assert len(rows) == result.verdict.total
    failed = [row["reason"] for row in rows if row["outcome"] == "fail"]
    assert failed == list(result.verdict.reasons)
    assert rows[0]["outcome"] == "fail"
    only = json.loads(run("checks", "bad", "--outcome", "pass", "--json").stdout)["checks"]
    assert {check["outcome"] for check in only} == {"pass"}
    assert "There are: fail," in run("checks", "bad", "--outcome", "failed").output
    assert "binary_accuracy >= 0.6" in run("checks", "bad").output


def test_compare_goes_from_the_first_to_the_second(outputs: None) -> None:
    forth = json.loads(run("compare", "good", "bad", "--json").stdout)
    back = json.loads(run("compare", "bad", "good", "--json").stdout)
    assert ("pass", "fail") in {(row["was"], row["is"]) for row in forth["checks"]}
    assert {(row["was"], row["is"]) for row in back["checks"]} == {("fail", "pass")}
    by_slice = {row["slice"]: row["change"] for row in forth["changes"] if row["metric"] == "auc"}
    assert by_slice["shop=b"] == -1
    text = " ".join(run("compare", "good", "bad").output.split())
    assert "pass -> fail: binary_accuracy of shop=b is 0.333333" in text
    assert "Each check has the outcome that it had." in run("compare", "good", "good").output


def test_compare_tells_candidates_apart(in_folder: Path) -> None:
    evaluate("two", GOOD, rival=BAD)
    evaluate("worse", BAD, rival=BAD)
    assert "Each check has the outcome that it had." in run("compare", "two", "two").output
    rows = json.loads(run("compare", "two", "worse", "--json").stdout)["checks"]
    shown = run("checks", "two").output
    assert "auc (model new)" in shown
    assert "auc (model rival)" in shown
    assert rows
    assert all("model new" in row["metric"] for row in rows)


def test_compare_takes_what_is_asked_for_in_the_order_of_the_arguments(outputs: None) -> None:
    only = ["--slice", "shop=b", "--metric", "auc"]
    rows = json.loads(run("compare", "good", "bad", *only, "--json").stdout)["checks"]
    assert {(row["slice"], row["metric"]) for row in rows} == {("shop=b", "auc")}
    text = run("compare", "bad", "good").output
    assert text.index("bad: NOT BLESSED") < text.index("good: BLESSED")


def test_compare_says_which_checks_are_gone(outputs: None) -> None:
    evaluate("fewer", GOOD, slices=({},))
    rows = json.loads(run("compare", "bad", "fewer", "--json").stdout)["checks"]
    gone = {(row["slice"], row["was"]) for row in rows if row["is"] is None}
    assert gone == {("shop=a", "pass"), ("shop=b", "fail")}
    assert "fail -> not there: auc of shop=b" in run("compare", "bad", "fewer").output


@pytest.mark.parametrize("command", ["show bad", "explain bad", "checks bad", "compare good bad"])
def test_metrics_are_named_by_class_too(outputs: None, command: str) -> None:
    by_class, by_name = (
        run(*command.split(), "--metric", metric)
        for metric in ("BinaryAccuracy", "binary_accuracy")
    )
    assert (by_class.exit_code, by_class.output) == (0, by_name.output)
