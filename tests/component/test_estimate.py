# SPDX-License-Identifier: Apache-2.0
"""The tests of what an evaluation would read and cost, said without reading a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.evaluation.estimate import estimate
from benison.evaluation.job import Job
from tests.conftest import config

MADE = config(
    "AUC",
    "Recall",
    slices=[{}, {"feature_keys": ["company"]}],
    model={"example_weight_key": "weight"},
)


def test_columns_and_slices_are_said_and_no_row_is_read(trips: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "trips.parquet"
    pq.write_table(trips, path, compression="none")
    whole = path.read_bytes()
    at = whole.index(b"company 1")  # within the rows; what reads them would refuse the file
    path.write_bytes(whole[:at] + b"\xff" * 9 + whole[at + 9 :])
    (tmp_path / "eval.json").write_text(json.dumps(MADE))
    command = [
        "evaluate",
        "-e",
        str(path),
        "-c",
        str(tmp_path / "eval.json"),
        "-o",
        str(tmp_path / "out"),
    ]
    run = CliRunner().invoke(app, [*command, "--dry-run", "--threads", "2"])
    assert run.exit_code == 0, run.output
    text = " ".join(run.output.split())
    assert "Reads company, label, prediction, weight of 2,000 rows." in text
    assert "Slices: Overall; company." in text
    assert " s on 2 threads and " in text
    assert not (tmp_path / "out").exists()
    said = json.loads(CliRunner().invoke(app, [*command, "--dry-run", "--json"]).output)
    assert said["columns"] == ["company", "label", "prediction", "weight"]
    assert (said["rows"], said["models"]) == (2000, [])


def test_more_rows_slices_and_metrics_cost_more_and_threads_take_more_memory(
    trips: pa.Table, tmp_path: Path
) -> None:
    base = {"examples": trips, "config": MADE, "threads": 1}
    cost = estimate(base)
    more = pa.concat_tables([trips] * 3)
    assert estimate({**base, "examples": more}).seconds == pytest.approx(3 * cost.seconds)
    fewer = config("Recall", model={"example_weight_key": "weight"})
    assert estimate({**base, "config": fewer}).seconds < cost.seconds
    on_two = estimate({**base, "threads": 2})
    assert on_two.megabytes > cost.megabytes
    path = tmp_path / "trips.csv"
    pyarrow.csv.write_csv(trips.drop_columns("tags"), path)
    unknown = estimate({**base, "examples": str(path)})
    assert unknown.rows is None
    assert unknown.seconds > 0


def test_a_search_for_weak_slices_is_in_the_columns_and_the_cost(trips: pa.Table) -> None:
    plain = config("Recall", model={"example_weight_key": "weight"})
    without = estimate({"examples": trips, "config": plain})
    asked = estimate({"examples": trips, "config": {**plain, "weak_slices": {}}})
    assert without.columns is not None
    assert asked.columns == sorted({*without.columns, *asked.weak_slice_features})
    assert {"company"} <= {*asked.weak_slice_features}
    assert asked.seconds > without.seconds
    assert asked.megabytes > without.megabytes
    assert any(text.startswith("Looks for weak slices of ") for text in asked.sentences())
    change = {**plain, "weak_slices": {"loss": "change"}}  # without a baseline nothing is searched
    assert estimate({"examples": trips, "config": change}).weak_slice_features == []


def test_what_does_not_fit_is_refused_as_by_a_run(trips: pa.Table) -> None:
    with pytest.raises(benison.ConfigError, match="AUCC"):
        estimate({"examples": trips, "config": config("AUCC")})
    with pytest.raises(benison.ConfigError, match="baseline"):
        estimate({"examples": trips, "config": MADE, "baseline": "latest-blessed"})


def test_rows_that_probes_have_predicted_are_said_against_the_budget() -> None:
    """As many as are predicted; feature swaps have as many as they have where no feature has few values."""
    rows = np.random.default_rng(0).normal(size=(300, 2))
    company = [f"company {i % 12}" for i in range(300)]
    table = pa.table(
        {"fare": rows[:, 0], "company": company, "label": (rows[:, 1] > 0).astype(int)}
    )
    calls: list[int] = []

    def model(frame: Any) -> Any:
        calls.append(len(frame))
        return 1 / (1 + np.exp(-frame["fare"].fillna(0.0).to_numpy(float)))

    swaps = {"name": "feature_swaps", "features": ["company"]}
    names = ["hostile_values", "permutation_flips", swaps, "noise_flips"]
    debugging = {"rows": 100, "budget": 1_700, "probes": names}
    asked = {**config("AUC"), "model_specs": [{"label_key": "label"}], "debugging": debugging}
    (cost,) = estimate({"examples": table, "config": asked, "model": model}).probes
    assert not calls
    benison.evaluate(table, asked, model=model)
    predicted = sum(calls) - 300  # for the metrics
    assert cost.total - cost.probes["noise_flips"] == predicted
    assert f"{predicted + cost.probes['noise_flips']:,} rows predicted, of 1,700" in cost.sentence
    assert cost.sentence.endswith("Beyond it, and not begun: noise_flips.")


@pytest.mark.parametrize(
    "probe",
    [
        "residuals_by_feature",
        {"name": "residuals_by_feature", "features": ["hour"]},
        "residuals_by_prediction",
        {"name": "residual_autocorrelation", "features": ["hour"]},
        {"name": "better_than_slice_mean", "features": ["company", "hour"]},
        "better_than_linear",
        "better_than_prior",
    ],
    ids=str,
)
def test_the_columns_of_probes_are_those_that_a_run_reads(
    probe: Any, trips: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are more than those of the metrics, which a run without probes reads."""
    read: list[Any] = []
    columns = Job.columns

    def recorded(job: Job) -> Any:
        read.append(columns(job))
        return read[-1]

    table = trips.drop_columns("tags")
    asked = {**config("Recall"), "debugging": {"probes": [probe]}}
    said = estimate({"examples": table, "config": asked}).columns
    monkeypatch.setattr(Job, "columns", recorded)
    benison.evaluate(table, asked)
    assert said == read[-1]
    named = {*probe["features"]} if isinstance(probe, dict) else set()
    assert named <= {*(table.column_names if said is None else said)}
    assert (said is None) == (probe in ("residuals_by_feature", "better_than_linear"))


def test_the_default_probes_have_about_fifty_thousand_rows_predicted() -> None:
    """Of a model of 20 features; all others are asked for by name."""
    rng = np.random.default_rng(0)
    table = pa.table({f"x{i}": rng.normal(size=3_000) for i in range(20)})
    table = table.append_column("label", pa.array(np.arange(3_000) % 2))
    asked = {**config("AUC"), "model_specs": [{"label_key": "label"}], "debugging": {}}

    def model(frame: Any) -> Any:
        return frame["x0"].fillna(0.0)

    (cost,) = estimate({"examples": table, "config": asked, "model": model}).probes
    flips = ["missing_flips", "permutation_flips"]
    assert [*cost.probes] == ["hostile_values", *flips, "better_than_prior"]
    assert 45_000 <= cost.total <= 60_000
    assert cost.probes["better_than_prior"] == 0


@pytest.mark.parametrize("name", ["partial_dependence", "residuals_by_feature", "hostile_values"])
def test_lists_of_lists_are_no_feature_that_a_probe_changes(trips: pa.Table, name: str) -> None:
    table = trips.select(["label", "hour"]).append_column("boxes", pa.array([[[1.0]]] * len(trips)))
    debugging = {"probes": [name]}
    asked = {**config("AUC"), "model_specs": [{"label_key": "label"}], "debugging": debugging}
    (cost,) = estimate({"examples": table, "config": asked, "model": by_hour}).probes
    rows = benison.evaluate(table, asked, model=by_hour).probes.to_pylist()
    assert {row["feature"] for row in rows} <= {"hour", ""}
    assert "not measured" not in str(rows)
    assert cost.probes[name] > 0 or name == "residuals_by_feature"


def by_hour(frame: Any) -> Any:
    return frame["hour"].fillna(0).to_numpy(float) / 24
