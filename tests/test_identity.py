# SPDX-License-Identifier: Apache-2.0
"""What tells values, slices and outputs apart, whatever their names say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import benison
from benison import Inputs, Metric, register
from benison.cli import app
from benison.metrics.base import ratio
from benison.metrics.statistics import Mean
from benison.results import query
from tests.conftest import config, taxi_like

LOOKALIKES = pa.table(
    {
        "label": [1.0, 0.0, 1.0, 0.0],
        "prediction": [0.9, 0.1, 0.2, 0.8],
        "a": ["1, b=2", "1, b=2", "1", "1"],
        "b": ["2", "2", "2", "2"],
    }
)
SLICES = ({}, {"feature_keys": ["a"]}, {"feature_keys": ["a", "b"]})


def label(inputs: Inputs) -> np.ndarray:
    return np.asarray(inputs.labels)


def test_slices_of_one_name_are_told_apart(tmp_path: Path) -> None:
    made = config({"class_name": "MeanLabel", "threshold": BOUND}, slices=SLICES)
    result = benison.evaluate(LOOKALIKES, made, output=tmp_path / "out")
    assert sorted(result.slices()) == sorted(
        ["Overall", "a=1, b=2", "a=1", "a=1, b=2", "a=1, b=2, b=2"]
    )
    assert result.value("mean_label", {"a": "1, b=2"}) == 0.5
    assert result.value("mean_label", {"a": "1", "b": "2"}) == 0.5
    with pytest.raises(benison.DataError, match="features and values of the slice"):
        result.value("mean_label", "a=1, b=2")


BOUND = {"value_threshold": {"lower_bound": 0.0}}


def test_a_run_compared_with_itself_has_not_changed(tmp_path: Path) -> None:
    made = config({"class_name": "MeanPrediction", "threshold": BOUND}, slices=SLICES)
    result = benison.evaluate(LOOKALIKES, made, output=tmp_path / "out")
    compared = result.compare(benison.load_result(tmp_path / "out"))
    assert compared.num_rows == result.metrics.num_rows
    assert compared["difference"].to_pylist() == [0.0] * result.metrics.num_rows
    changes = query.changes(result, [result], ["mean_prediction"], None)
    assert {row["change"] for row in changes} == {0.0}


def test_the_gate_judges_slices_of_one_name(tmp_path: Path) -> None:
    made = config({"class_name": "MeanPrediction", "threshold": BOUND}, slices=SLICES)
    benison.evaluate(LOOKALIKES, made, output=tmp_path / "out")
    run = CliRunner().invoke(app, ["gate", str(tmp_path / "out"), "--summary", str(tmp_path / "s")])
    assert run.exit_code == 0, run.output


def test_a_metric_called_like_a_change_is_a_metric_of_its_own(trips: pa.Table) -> None:
    spec = {"label_key": "label"}
    models = [
        {"name": "new", "prediction_key": "prediction", **spec},
        {"name": "old", "prediction_key": "old_prediction", "is_baseline": True, **spec},
    ]
    odd = {"class_name": "MeanLabel", "config": {"name": "auc_diff"}, "threshold": BOUND}
    result = benison.evaluate(trips, {**config("AUC", odd), "model_specs": models})
    (check,) = result.verdict.checks
    assert check.value == result.value("auc_diff") == pytest.approx(np.mean(trips["label"]))
    change = result.value("auc", kind="change")
    assert change == result.value("auc") - result.value("auc", model="old") != check.value


class Doubled:
    """An evaluator whose output key is that of the metrics."""

    stage_name, run_after, columns, outputs = "Doubled", "ExtractSliceKeys", (), ("metrics",)

    def zero(self) -> int:
        return 0

    def add(self, state: int, extracts: Any) -> int:
        return state

    def merge(self, state: int, other: int) -> int:
        return state

    def result(self, state: int) -> dict[str, Any]:
        return {"metrics": None}


class Undeclared(Doubled):
    outputs = ()


@pytest.mark.parametrize("evaluator", [Doubled(), Undeclared()])
def test_an_output_key_has_one_owner(trips: pa.Table, evaluator: Any) -> None:
    with pytest.raises(benison.ConfigError, match="has the output key 'metrics', which Evaluate"):
        benison.evaluate(trips, config("AUC"), evaluators=[evaluator])


def test_a_function_made_anew_each_time_is_computed_once() -> None:
    @dataclasses.dataclass(frozen=True)
    class Anew(Metric):
        """Mean label, by a function made anew each time."""

        name: str = "anew"

        def statistics(self) -> tuple[Any, ...]:
            return (Mean(lambda inputs: inputs.labels),)

        def result(self, mean: Any) -> Any:
            return ratio(*mean)

    register("Anew", Anew)
    result = benison.evaluate(LOOKALIKES, config("Anew", "MeanLabel"))
    assert result.value("anew") == result.value("mean_label")


def test_a_metric_says_that_it_needs_no_label() -> None:
    @dataclasses.dataclass(frozen=True)
    class Certainty(Metric):
        """Mean distance of the predictions from a half."""

        name: str = "certainty"
        needs_label = False

        def statistics(self) -> tuple[Any, ...]:
            return (Mean(distance),)

        def result(self, mean: Any) -> Any:
            return ratio(*mean)

    register("Certainty", Certainty)
    made = config("Certainty", "ExampleCount")
    made["model_specs"] = [{"prediction_key": "prediction"}]
    assert benison.evaluate(LOOKALIKES, made).value("certainty") == pytest.approx(0.35)


def distance(inputs: Inputs) -> np.ndarray:
    return np.abs(inputs.predictions - 0.5)


def test_labels_may_be_text() -> None:
    table = pa.table({"label": ["yes", "no", None, "no"], "prediction": ["yes", "yes", "no", "no"]})
    result = benison.evaluate(table, config("ExactMatch", "ExampleCount"))
    assert result.value("exact_match") == pytest.approx(2 / 3)
    assert result.metrics["evaluated"].to_pylist() == [3, 4]
    with pytest.raises(benison.DataError, match="auc takes numbers, and 'label' and 'prediction'"):
        benison.evaluate(table, config("AUC"))


class Perturbed:
    """An extractor that writes the predictions of a second model."""

    stage_name, columns = "Perturbed", ()

    def extract(self, extracts: Any) -> Any:
        ours = extracts["predictions"]["", ""]
        return {**extracts, "predictions": {**extracts["predictions"], ("perturbed", ""): 1 - ours}}


def test_predictions_that_nothing_looks_at_are_refused(trips: pa.Table) -> None:
    full = benison.EvalConfig.load(config("AUC")).with_defaults(False)
    stages = benison.default_extractors(full)
    with pytest.raises(
        benison.ConfigError, match="predictions of the model 'perturbed', which the"
    ):
        benison.evaluate(trips, config("AUC"), extractors=[*stages[:-1], Perturbed(), stages[-1]])


def test_a_hundred_thousand_checks_are_columns(tmp_path: Path) -> None:
    many = taxi_like(20_000).append_column("n", pa.array(np.arange(20_000)))
    mean = {"class_name": "MeanPrediction", "threshold": BOUND}
    made = config(mean, slices=({"feature_keys": ["n"]},))
    benison.evaluate(many, made, output=tmp_path / "out", writers=benison.default_writers())
    assert (tmp_path / "out" / "verdict.json").stat().st_size < 10_000
    verdict = benison.load_result(tmp_path / "out").verdict
    assert verdict.counts["pass"] == 20_000
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["checks"] == []


def test_a_verdict_has_under_a_megabyte_however_many_checks_fail(tmp_path: Path) -> None:
    rows = 20_000
    names = pa.array([f"{i:06d}" + "é" * 600 for i in range(rows)])
    many = taxi_like(rows).append_column("name", names)
    high = {"value_threshold": {"lower_bound": 2.0}}
    made = config(
        {"class_name": "MeanPrediction", "threshold": high}, slices=({"feature_keys": ["name"]},)
    )
    result = benison.evaluate(many, made, output=tmp_path / "out")
    written = tmp_path / "out" / "verdict.json"
    assert 400_000 < written.stat().st_size < 1_000_000
    verdict = json.loads(written.read_text(encoding="utf-8"))
    assert verdict["counts"]["fail"] == rows == verdict["left"] + len(verdict["checks"])
    assert verdict["reasons"][0] == result.verdict.first_reasons(1)[0]
    assert benison.load_result(tmp_path / "out").verdict.counts["fail"] == rows
