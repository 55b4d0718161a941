# SPDX-License-Identifier: Apache-2.0
"""Probes from data to verdict: each names the fault that was planted for it, and no other does."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.data.values import is_measured
from benison.errors import ConfigError
from benison.probes import changes

Model: TypeAlias = "Callable[[Any], Any]"
ROWS = 400
NUMBERS = ("fare", "miles", "stops")


def trips(seed: int = 5, rows: int = ROWS) -> pa.Table:
    """Three numbers that matter alike, a company that does not, and a label with noise."""
    rng = np.random.default_rng(seed)
    numbers = {name: rng.normal(size=rows) for name in NUMBERS}
    company = rng.choice(["Blue", "Red", "Green"], rows)
    score = sum(numbers.values()) + rng.logistic(size=rows)
    return pa.table({**numbers, "company": company, "tip": (score > 0).astype(int)})


def sound(frame: Any) -> Any:
    """Takes any number."""
    known = frame[[*NUMBERS]].astype(float).clip(-1e3, 1e3).fillna(0.0)
    return 1 / (1 + np.exp(-known.sum(axis=1).to_numpy().clip(-30, 30)))


def failing(frame: Any) -> Any:
    if frame["miles"].isna().any():
        raise ZeroDivisionError("miles is missing\nmore that nobody needs")
    return sound(frame)


def hanging(frame: Any) -> Any:
    return sound(frame.assign(fare=40 * frame["fare"]))


def bent(frame: Any) -> Any:
    """A higher fare lowers the score where the fare is high."""
    return sound(frame.assign(fare=np.where(frame["fare"] > 1, 2 - frame["fare"], frame["fare"])))


def partial(frame: Any) -> Any:
    """One company is another."""
    return sound(frame.assign(stops=frame["stops"] + 0.5 * (frame["company"] == "Red")))


def overfitted(frame: Any) -> Any:
    known = frame[[*NUMBERS]].astype(float).clip(-1e3, 1e3).fillna(0.0)
    return _forest().predict_proba(known.to_numpy())[:, 1]


@functools.cache
def _forest() -> RandomForestClassifier:
    table = trips()
    points = np.stack([table[name].to_numpy() for name in NUMBERS], axis=1)
    return RandomForestClassifier(10, random_state=0).fit(points, table["tip"].to_numpy())


def config(*probes: Any, **options: Any) -> dict[str, Any]:
    return {
        "model_specs": [{"label_key": "tip"}],
        "metrics_specs": [{"metrics": ["AUC"]}],
        "debugging": {**({"probes": [*probes]} if probes else {}), **options},
    }


def findings(model: Any, *probes: Any, data: Any = None, **options: Any) -> list[dict[str, Any]]:
    table = trips(6) if data is None else data
    rows: list[dict[str, Any]] = benison.evaluate(
        table, config(*probes, **options), model=model
    ).probes.to_pylist()
    return rows


ALL = (
    *("hostile_values", "missing_flips", "permutation_flips", "random_attack"),
    {"name": "monotone", "features": ["fare"]},
    {"name": "feature_swaps", "features": ["company"]},
    "membership",
)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (sound, set()),
        (failing, {("hostile_values", "miles")}),
        (hanging, {("permutation_flips", "fare")}),
        (bent, {("monotone", "fare")}),
        (partial, {("feature_swaps", "company")}),
        (overfitted, {("membership", "")}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_fault_is_named_by_its_probe_alone(
    model: Model, named: set[tuple[str, str]], tmp_path: Path
) -> None:
    pq.write_table(trips(), tmp_path / "train.parquet")
    chosen = ALL
    if model is overfitted:  # which is not monotone either
        chosen = tuple(each for each in ALL if not isinstance(each, dict))
    rows = findings(model, *chosen, training_examples=str(tmp_path / "train.parquet"))
    assert {(row["probe"], row["feature"]) for row in rows if row["notable"]} == named
    if model is failing:
        (sentence,) = [row["sentence"] for row in rows if row["notable"]]
        assert sentence.endswith("ZeroDivisionError: miles is missing.")
    if model is bent:
        (sentence,) = [row["sentence"] for row in rows if row["notable"]]
        mean, most = re.search(r"rows, by (\S+) on average and (\S+) at most", sentence).groups()
        assert 0.01 < float(mean) < float(most) < 1
    if model is overfitted:
        (area,) = [row["value"] for row in rows if row["probe"] == "membership"]
        assert area >= 0.7


def test_a_bound_is_a_check_with_an_interval_and_a_sentence(tmp_path: Path) -> None:
    bounded = {"name": "permutation_flips", "features": ["fare", "company"], "at_most": 0.05}
    result = benison.evaluate(trips(6), config(bounded), model=sound, output=tmp_path / "out")
    loaded = benison.load_result(tmp_path / "out")
    assert str(loaded.probes.to_pylist()) == str(result.probes.to_pylist())
    fails, passes = loaded.verdict.checks
    assert (fails.outcome, passes.outcome) == ("fail", "pass")
    assert fails.reason.endswith("decisions flip when fare is permuted; 5 % is allowed.")
    row = result.probes.to_pylist()[0]
    exact = stats.binomtest(row["count"], row["rows"]).proportion_ci(method="wilson")
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(exact), abs=1e-9)
    assert loaded.verdict.status == "not_blessed"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<section id="probes"' in page
    assert "what probes say is of a part of them" in page
    assert "decisions flip when fare is permuted" in page
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "out")], env={"COLUMNS": "120"})
    assert "permutation_flips" in shown.output
    only = config({**bounded, "features": ["company"]})
    assert benison.evaluate(trips(6), only, model=sound).verdict.status == "blessed"


def test_a_probe_beyond_the_budget_is_not_begun() -> None:
    calls: list[int] = []

    def counted(frame: Any) -> Any:
        calls.append(len(frame))
        return sound(frame)

    probe = {"name": "permutation_flips", "features": [*NUMBERS], "at_most": 1}
    result = benison.evaluate(
        trips(6), config("hostile_values", probe, budget=1_550, rows=100), model=counted
    )
    assert result.verdict.status == "blessed"
    spent = sum(calls)
    calls.clear()
    result = benison.evaluate(
        trips(6), config("hostile_values", probe, budget=900, rows=100), model=counted
    )
    (row,) = [each for each in result.probes.to_pylist() if each["probe"] == "permutation_flips"]
    assert "300 rows predicted" in row["sentence"]
    assert (row["outcome"], result.verdict.status) == ("not_evaluated", "not_evaluated")
    assert sum(calls) == spent - 300


def test_predictions_in_the_data_are_refused() -> None:
    data = trips().append_column("score", pa.array(np.zeros(ROWS)))
    asked = config("noise_flips")
    asked["model_specs"] = [{"label_key": "tip", "prediction_key": "score"}]
    with pytest.raises(ConfigError, match="predictions in the data cannot change"):
        benison.evaluate(data, asked)


@pytest.mark.parametrize(
    ("debugging", "words"),
    [
        ({"probes": ["noise_flip"]}, "noise_flips"),
        ({"probes": ["monotone"]}, "needs the features"),
        ({"probes": ["membership"]}, "trained on"),
        ({"probes": [{"name": "directional", "features": ["fare"]}]}, "by how much"),
        ({"probes": [{"name": "noise_flips", "at_most": 1, "at_least": 0}]}, "at_least"),
        ({"probes": []}, "no probe"),
        ({"probes": ["shap"]}, "What is nearest to it here is permutation_importance"),
        ({"probes": ["PDP"]}, "partial_dependence"),
        ({"probes": ["zzz"]}, "There are: better_than_baseline, .*, residuals_by_prediction[.]"),
        ({"probes": [{"name": "noise_flips", "at_most": -1}]}, "from 0 to 1, and -1 is not"),
        ({"probes": [{"name": "membership", "at_least": 2}]}, "from 0 to 1, and 2 is not"),
        ({"probes": [{"name": "partial_dependence", "at_least": -1}]}, "0 or more"),
        ({"probes": [{"name": "noise_flips", "by": 1e308}]}, "1,000 are the most"),
        ({"probes": [{"name": "missing_flips", "by": 1}]}, "missing_flips has no by"),
        ({"probes": [{"name": "noise_flips", "direction": "down"}]}, "has no direction"),
        ({"probes": [{"name": "invariant", "features": ["fare"], "metric": "auc"}]}, "no metric"),
        ({"probes": [{"name": "better_than_prior", "features": ["fare"]}]}, "has no features"),
        ({"training_examples": "train.parquet"}, "only membership"),
        ({"rows": 10**7}, "at most 1000000"),
        ({"budget": 10**12}, "at most 1000000000"),
        ({"probes": ["noise_flips"] * 1_001}, "1,000 are the most"),
        ({"probes": [{"name": "permutation_importance", "metric": "AUC"}]}, "Did you mean 'auc'"),
        ({"probes": [{"name": "better_than_prior", "metric": "example_count"}]}, "There are: auc."),
    ],
)
def test_a_config_that_cannot_be_is_refused(debugging: dict[str, Any], words: str) -> None:
    asked = {
        **config(),
        "debugging": debugging,
        "metrics_specs": [{"metrics": ["AUC", "ExampleCount"]}],
    }
    with pytest.raises(ConfigError, match=words):
        benison.evaluate(trips(), asked, model=sound)


def test_an_unknown_feature_is_refused() -> None:
    with pytest.raises(ConfigError, match="fair"):
        findings(sound, {"name": "monotone", "features": ["fair"]})


def test_every_engine_probes_the_same_rows(tmp_path: Path) -> None:
    table = trips(7).select([*NUMBERS, "tip"])
    frame = table.to_pandas()
    joblib.dump(
        LogisticRegression().fit(frame[[*NUMBERS]], frame["tip"]), tmp_path / "model.joblib"
    )
    probes = ("missing_flips", "noise_flips", "permutation_importance", "residuals_by_feature")
    asked, seen = config(*probes, rows=100), []
    for size, engine in ((37, "local"), (150, "beam")):
        folder = tmp_path / str(size)
        folder.mkdir()
        pq.write_table(table, folder / "data.parquet", row_group_size=size)
        result = benison.evaluate(
            folder, asked, model=tmp_path / "model.joblib", engine=engine, trust_pickle=True
        )
        seen.append(result.probes.to_pylist())
    summed = [[row for row in rows if row["probe"] == probes[-1]] for rows in seen]
    changed = [[row for row in rows if row["probe"] != probes[-1]] for rows in seen]
    assert str(changed[0]) == str(changed[1])
    assert changed[0][-1]["value"] > 0
    for local, beam in zip(*summed, strict=True):
        assert (local["sentence"], local["rows"]) == (beam["sentence"], ROWS)
        assert local["value"] == pytest.approx(beam["value"], rel=1e-12)


def test_a_model_must_be_better_than_a_benchmark_by_so_much() -> None:
    bounded = {"name": "better_than_prior", "metric": "auc", "at_least": 0.2}
    result = benison.evaluate(trips(6), config(bounded), model=sound)
    (check,) = result.verdict.checks
    assert (check.outcome, result.verdict.status) == ("pass", "blessed")
    assert check.reason.endswith(
        "than that of the mean of all labels (0.5, 400 rows); 0.2 is required."
    )
    constant = benison.evaluate(trips(6), config(bounded), model=lambda frame: 0 * frame["fare"])
    assert constant.verdict.status == "not_blessed"


def test_numbers_and_classes_are_probed_too() -> None:
    def number(frame: Any) -> Any:
        return frame["fare"].fillna(0.0) * 10

    def classes(frame: Any) -> Any:
        fare = frame["fare"].fillna(0.0).to_numpy()
        return np.stack([-fare, 0 * fare, fare], axis=1)

    table = trips(6)
    real = table.set_column(4, "tip", pa.array(table["fare"].to_numpy() * 10))
    asked = ("better_than_prior", "better_than_linear", "permutation_flips", "boundary_distance")
    for model, data, metric in (
        (number, real, "MeanSquaredError"),
        (classes, table, "SparseCategoricalAccuracy"),
    ):
        rows = benison.evaluate(
            data,
            {
                **config(*asked),
                "metrics_specs": [{"metrics": [metric]}],
            },
            model=model,
        ).probes.to_pylist()
        values = {row["feature"]: row["value"] for row in rows if row["probe"] == asked[2]}
        assert values["fare"] > 0.3
        assert values["miles"] == 0
        better = {row["probe"]: row["value"] for row in rows if row["probe"] in asked[:2]}
        assert better["better_than_prior"] > 0 or model is classes
        assert not math.isnan(better["better_than_linear"])
        boundary = rows[-1]
        assert math.isnan(boundary["value"]) == (model is number)


COLUMNS = [
    pa.array([1.5, None, 3.0]),
    pa.array([1, None, 3], pa.int64()),
    pa.array([1, None, 3], pa.uint8()),
    pa.array(["a", None, "b"]),
    pa.array([b"a", None, b"b"]),
    pa.array([b"a", None, b"b"], pa.binary(1)),
    pa.array(["a", None, "b"], pa.string_view()),
    pa.array([["a"], [], ["b"]], pa.list_(pa.string_view())),
    pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3]), pa.array([1.5, None, 3.0])),
    pa.array([True, None, False]),
    pa.array(["a", None, "b"]).dictionary_encode(),
    pa.array([[1.5], [], [3.0]]),
    pa.array([[1.5], None, [3.0]], pa.large_list(pa.float32())),
    pa.array([[1.5, 2], None, [3.0, 4]], pa.list_(pa.float64(), 2)),
    pa.array(np.array([1.5, 0, 3.0], np.float16), mask=np.array([False, True, False])),
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
def test_every_type_of_column_is_changed(column: pa.Array) -> None:
    plain = changes.undictionary(column)
    assert changes.rolled(column).to_pylist() == [plain[2].as_py(), *plain.to_pylist()[:2]]
    assert changes.emptied(column).null_count == 3
    for value in changes.hostile_values(column.type).values():
        filled = changes.filled(column, value)
        assert (filled.type, len(filled)) == (plain.type, 3)
        assert value is not None or filled.null_count == 3
    if is_measured(column.type):
        raised = changes.with_numbers(column, lambda known: known + 2)
        assert raised.type == plain.type
        flat = [each[0] if isinstance(each, list) and each else each for each in raised.to_pylist()]
        assert flat[2] == 5
        assert not flat[1]
