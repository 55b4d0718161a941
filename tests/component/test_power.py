# SPDX-License-Identifier: Apache-2.0
"""What falls the slices of a result, or of data before any model, can show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.results.sample_sizes import of_churn


def test_power_says_how_many_rows_a_fall_needs() -> None:
    """Rows for 80 % power of a fall of two points, over 100 slices, at three churns."""
    asked = ["power", "--slices", "100", "--fall", "0.02", "--rows", "1000", "--json", "--churn"]
    churns = [0.02, 0.06, 0.12]
    printed = [CliRunner().invoke(app, [*asked, str(churn)]).output for churn in churns]
    needed = [json.loads(output)[0]["needed_examples"] for output in printed]
    distance = (stats.norm.isf(0.05 / 100) + stats.norm.isf(0.2)) / 0.02
    assert needed == [int(np.ceil((churn - 0.02**2) * distance**2)) for churn in churns]


def test_power_says_what_slices_can_show(tmp_path: Path) -> None:
    label, scores = np.tile([1.0, 0.0], 200), np.random.default_rng(0).random(400)
    data = pa.table({"label": label, "p": scores, "q": np.roll(label, 1), "hour": label})
    made = {
        "model_specs": [
            {"name": "a", "label_key": "label", "prediction_key": "p"},
            {"name": "b", "label_key": "label", "prediction_key": "q", "is_baseline": True},
        ],
        "slicing_specs": [{}, {"feature_keys": ["hour"]}],
        "metrics_specs": [{"metrics": ["MeanSquaredError", "BinaryAccuracy"]}],
        "options": {"confidence": {"level": 0.95}},
    }
    benison.evaluate(data, made, output=tmp_path / "out")
    more = ["--metric", "mean_squared_error", "--fall", "0.1"]
    printed = CliRunner().invoke(app, ["power", str(tmp_path / "out"), *more, "--json"])
    rows = json.loads(printed.output)
    assert [row["examples"] for row in rows] == [400, 200, 200]
    assert all(row["needed_examples"] > 0 and row["detectable"] > 0 for row in rows)
    _hold_power_against_a_threshold(data, made, rows, tmp_path / "gated")
    refused = CliRunner().invoke(app, ["power", str(tmp_path / "out"), "--metric", "auc"])
    assert refused.exit_code == 2


def _hold_power_against_a_threshold(
    data: pa.Table, made: dict[str, Any], rows: list[dict[str, Any]], out: Path
) -> None:
    """A rise that a threshold allows is added to what can be seen without it."""
    bound = {"change_threshold": {"absolute": 0.05, "direction": "LOWER_IS_BETTER"}}
    gated = {"class_name": "MeanSquaredError", "threshold": {**bound, "evidence": "worse"}}
    benison.evaluate(data, {**made, "metrics_specs": [{"metrics": [gated]}]}, output=out)
    for rise, factor in (("0.15", 1), ("0.05", None), ("0.050000001", None)):
        command = ["power", str(out), "--metric", "mean_squared_error", "--fall", rise]
        again = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
        for row, free in zip(again, rows, strict=True):
            assert row["detectable"] == pytest.approx(free["detectable"] + 0.05)
            if factor:  # 0.15 beyond 0.05 is as far as 0.1 beyond 0
                assert row["needed_examples"] == pytest.approx(free["needed_examples"], abs=1)
    assert (
        "more than 1,000,000,000" in CliRunner().invoke(app, command, env={"COLUMNS": "120"}).output
    )


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--fall", "0"], "above 0"),
        (["--fall", "1e-200"], "above 0"),
        (["--fall", "0.3"], "no fall is larger"),
        (["--churn", "0"], "never differ"),
    ],
)
def test_a_fall_that_cannot_be_is_refused(more: list[str], sentence: str) -> None:
    done = CliRunner().invoke(app, ["power", "--rows", "500", "--churn", "0.06", *more])
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())


def test_power_plans_for_data_before_there_is_a_model(in_folder: Path) -> None:
    """As many rows as the sizes of the slices, over as many checks as there are slices."""
    company = np.repeat(["Blue", "Red"], [2_400, 100])
    pq.write_table(pa.table({"company": company, "fare": np.ones(2_500)}), "trips.parquet")
    Path("eval.yaml").write_text("slicing_specs: [{}, {feature_keys: [company]}]\n")
    asked = ["power", "trips.parquet", "--churn", "0.06", "--fall", "0.02", "--json"]
    rows = json.loads(CliRunner().invoke(app, [*asked, "--config", "eval.yaml"]).output)
    sizes = [(row["slice"], row["examples"]) for row in rows]
    assert sizes == [("Overall", 2_500), ("company=Blue", 2_400), ("company=Red", 100)]
    expected = of_churn([2_500, 2_400, 100], 0.06, 3, 0.02)
    assert [{**row, "slice": ""} for row in rows] == expected
    assert len(json.loads(CliRunner().invoke(app, asked).output)) == 1  # Overall alone
    few = "slicing_specs: [{feature_keys: [company]}]\noptions: {min_slice_size: 3000}\n"
    Path("few.yaml").write_text(few)
    refused = CliRunner().invoke(app, [*asked, "--config", "few.yaml"])
    assert refused.exit_code == 2
    assert "No slice has 3,000 rows" in " ".join(refused.output.split())
    for more in (["--rows", "5"], ["--slices", "3"], ["--metric", "auc"]):
        assert CliRunner().invoke(app, [*asked, *more]).exit_code == 2


def _falls(allowed: float) -> dict[str, Any]:
    """A threshold on a fall."""
    return {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": -allowed}}


LOW = {"value_threshold": {"lower_bound": 0.01}, "evidence": "worse"}
"""What a model that is never right on n rows fails at a chance of 0.99^n."""


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (
            {"evidence": "not_worse", "value_threshold": {"lower_bound": 0.99}},
            "1 of 3 slices has not the 299 rows that could show binary_accuracy to be within its bound 0.99, "
            "however good the model is",  # 0.99^299 is below 0.05, and 0.99^298 is not
        ),
        (LOW, "1 of 3 slices has not the 408 rows"),  # 0.99^408 is below 0.05 / 3
        (LOW, "There it refuses nothing unless other checks fail too."),
        (
            {"evidence": "not_worse", **_falls(0.0001)},
            "no slice of 3 has the 27,053 rows that could show binary_accuracy to be within its bound "
            "-0.0001, where both models are right on the same rows",
        ),
        ({"evidence": "not_worse", **_falls(-0.01)}, ""),  # all rows won show a rise of a point
        ({"evidence": "worse", **_falls(0.01)}, ""),
        ({"evidence": "not_worse", "value_threshold": {"lower_bound": 0.9}}, ""),
    ],
)
def test_check_config_names_gates_that_slices_are_too_small_for(
    in_folder: Path, threshold: dict[str, Any], sentence: str
) -> None:
    notes = _gate_notes([{"class_name": "BinaryAccuracy", "threshold": threshold}])
    assert len(notes) == bool(sentence)
    assert all(sentence in note for note in notes), notes


def test_check_config_takes_the_share_of_alpha_that_a_gate_may_have(in_folder: Path) -> None:
    gate = {"class_name": "BinaryAccuracy", "threshold": {**LOW, "weight": 9}}
    weighted = _gate_notes([gate, {"class_name": "Precision", "threshold": LOW}])[0]
    assert "the 418 rows" in weighted  # 0.99^418 is below 0.05 * 9 / (3 * 9 + 3)
    gate = {"class_name": "BinaryAccuracy", "threshold": LOW}
    (note,) = _gate_notes([gate], {"confidence": {"correction": "bh"}})
    assert "the 299 rows" in note  # where all three fail each may have all of alpha
    assert note.endswith("There it refuses nothing.")


def _gate_notes(metrics: list[Any], options: dict[str, Any] | None = None) -> list[str]:
    """What `check-config` says of gates on slices of 2,500, 2,400 and 100 rows."""
    columns = {"company": np.repeat(["Blue", "Red"], [2_400, 100]), "y": np.ones(2_500)}
    pq.write_table(pa.table({**columns, "n": np.ones(2_500), "o": np.ones(2_500)}), "trips.parquet")
    made = {
        "model_specs": [
            {"name": "new", "label_key": "y", "prediction_key": "n"},
            {"name": "old", "label_key": "y", "prediction_key": "o", "is_baseline": True},
        ],
        "slicing_specs": [{}, {"feature_keys": ["company"]}],
        "metrics_specs": [{"metrics": metrics}],
        "options": options or {},
    }
    Path("eval.json").write_text(json.dumps(made))
    asked = ["check-config", "eval.json", "--examples", "trips.parquet", "--json"]
    notes: list[str] = json.loads(CliRunner().invoke(app, asked).output)["notes"]
    return notes


def test_power_tells_candidates_apart(in_folder: Path) -> None:
    rng = np.random.default_rng(3)
    y = np.tile([1.0, 0.0], 60)
    scores = {name: rng.random(120) for name in ("new", "rival", "old")}
    specs = [{"name": name, "label_key": "y", "prediction_key": name} for name in scores]
    specs[2]["is_baseline"] = True  # type: ignore[assignment]
    metrics = [{"metrics": ["BinaryAccuracy"]}]
    made = {"model_specs": specs, "metrics_specs": metrics, "options": {"confidence": {}}}
    benison.evaluate(pa.table({"y": y, **scores}), made, output="out")
    asked = ["power", "out", "--metric", "binary_accuracy"]
    rows = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert sorted((row["slice"], row["model"]) for row in rows) == [
        ("Overall", "new"),
        ("Overall", "rival"),
    ]
    shown = CliRunner().invoke(app, [*asked, "--fall", "0.01"])
    assert "rival" in shown.output
    refused = CliRunner().invoke(app, [*asked, "--rows", "500", "--churn", "0.06"])
    assert refused.exit_code == 2
    assert "either an output and --metric" in " ".join(refused.output.split())


def test_power_sees_what_the_gate_of_the_same_output_sees(in_folder: Path) -> None:
    """With all checks of the run in the family, weights, relative bounds, and evidence not_worse."""
    rng = np.random.default_rng(5)
    y, shop = np.tile([1.0, 0.0], 200), np.repeat(["a", "b"], [100, 300])
    scores = {name: np.abs(y - (rng.random(400) < 0.2) * 0.9) for name in ("new", "old")}
    specs = [{"name": name, "label_key": "y", "prediction_key": name} for name in scores]
    specs[1]["is_baseline"] = True  # type: ignore[assignment]
    fall = {"direction": "HIGHER_IS_BETTER", "absolute": -0.01}
    rise = {"direction": "LOWER_IS_BETTER", "relative": 0.02}
    gates = {
        "BinaryAccuracy": {"change_threshold": fall, "evidence": "worse", "weight": 3},
        "MeanSquaredError": {"change_threshold": rise, "evidence": "worse"},
        "Recall": {"change_threshold": fall, "evidence": "not_worse"},
    }
    metrics = [{"class_name": name, "threshold": gate} for name, gate in gates.items()]
    slices = [{}, {"feature_keys": ["shop"]}]
    made = {"model_specs": specs, "slicing_specs": slices, "metrics_specs": [{"metrics": metrics}]}
    data = pa.table({"y": y, "shop": shop, **scores})
    checks = benison.evaluate(data, made, output="out").verdict.checks
    for name, metric, family in (
        ("BinaryAccuracy", "binary_accuracy", 6),
        ("MeanSquaredError", "mean_squared_error", 6),
        ("Recall", "recall", 1),
    ):
        asked = ["power", "out", "--metric", name, "--fall", "0.01"]
        rows = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
        seen = {
            check.slice: check.detectable
            * (abs(check.baseline) if "relative" in check.check else 1)
            for check in checks
            if check.metric == metric
        }
        assert {row["slice"]: row["detectable"] for row in rows} == pytest.approx(seen)
        assert {row["family_size"] for row in rows} == {family}
        assert {row["evidence"] for row in rows} == {gates[name]["evidence"]}
        text = " ".join(CliRunner().invoke(app, asked, env={"COLUMNS": "120"}).output.split())
        assert f"Corrected over {family} check" in text
        allows = "A fall of 0.01 has no rows (-) where a threshold allows it."
        assert (allows in text) == any(row["needed_examples"] is None for row in rows)
        assert (allows in text) == (name != "MeanSquaredError")
    _hold_the_plan_against_the_gate(data, made)


def _hold_the_plan_against_the_gate(data: pa.Table, made: dict[str, Any]) -> None:
    """Before there is a model: what the thresholds allow, over all checks of the config, by weight."""
    asked = ["power", "trips.parquet", "--churn", "0.3", "--fall", "0.05", "--config", "eval.json"]
    pq.write_table(data, "trips.parquet")
    Path("eval.json").write_text(json.dumps(made))
    planned = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    reached = stats.norm.isf(0.05 * 3 / 12) + stats.norm.isf(0.2)  # 3 of accuracy weigh 3 each
    for row in planned:
        error = np.sqrt((0.3 - 0.05**2) / row["examples"])
        assert (row["family_size"], row["allowed"]) == (6, 0.01)
        assert row["detectable"] == pytest.approx(reached * error + 0.01)
        assert row["needed_examples"] == np.ceil((0.3 - 0.05**2) * (reached / 0.04) ** 2)
    assert len(planned) == 3


@pytest.mark.parametrize("bound", [-0.01, -0.02])
def test_power_says_how_many_rows_bless_an_equal_model(bound: float, in_folder: Path) -> None:
    """As many that 80 % of equal models are shown to be within the bound, drawn from the normal law."""
    churn = 0.06
    fall = {"direction": "HIGHER_IS_BETTER", "absolute": bound}
    gate = {"change_threshold": fall, "evidence": "not_worse"}
    made = {
        "model_specs": [{"label_key": "y", "prediction_key": "p"}],
        "metrics_specs": [{"metrics": [{"class_name": "BinaryAccuracy", "threshold": gate}]}],
    }
    Path("eval.json").write_text(json.dumps(made))
    pq.write_table(pa.table({"y": [1.0, 0.0] * 50, "p": [0.6, 0.4] * 50}), "data.parquet")
    asked = ["power", "data.parquet", "--config", "eval.json", "--churn", str(churn)]
    (row,) = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    error = np.sqrt(churn / row["needed_to_bless"])
    lower = np.random.default_rng(0).normal(0, error, 20_000) - stats.norm.isf(0.05) * error
    assert (lower > bound).mean() == pytest.approx(0.8, abs=0.02)
    printed = CliRunner().invoke(app, asked, env={"COLUMNS": "120"}).output
    assert "rows to bless an equal model" in " ".join(printed.split())
