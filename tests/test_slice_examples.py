# SPDX-License-Identifier: Apache-2.0
"""The rows of failed slices on which a model is worst: which they are, and when they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
import benison.beam
from benison.data import identity
from benison.output import blessing
from tests.conftest import config, taxi_like

TRIPS = taxi_like(900).append_column("trip", pa.array(range(900)))
BY_COMPANY: Any = ({}, {"feature_keys": ["company"]}, {"feature_keys": ["tags"]})
MOST = 3
FACTS = {"per_slice": MOST, "slices": 0, "left": 0, "rows": 0}


def too_high(metric: str = "AUC") -> dict[str, Any]:
    """A bound that every company fails and no tag."""
    spec = [{"feature_keys": ["company"]}]
    bound = {"value_threshold": {"lower_bound": 0.999}}
    return {
        "class_name": metric,
        "per_slice_thresholds": [{"slicing_specs": spec, "threshold": bound}],
    }


def run(data: Any, made: dict[str, Any], engine: str = "local", **more: Any) -> benison.EvalResult:
    options = ["--runner=FnApiRunner"] if engine == "beam" else []
    return benison.evaluate(data, made, engine=engine, engine_options=options, **more)


@pytest.fixture
def files(tmp_path: Path) -> str:
    """The trips in two files, of which the second has its rows in several groups."""
    pq.write_table(TRIPS.slice(0, 400), tmp_path / "a.parquet")
    pq.write_table(TRIPS.slice(400), tmp_path / "b.parquet", row_group_size=100)
    return str(tmp_path / "*.parquet")


@pytest.mark.parametrize("engine", ["local", "beam"])
def test_the_worst_rows_of_each_failed_slice(files: str, tmp_path: Path, engine: str) -> None:
    made = config(too_high(), slices=BY_COMPANY)
    run(files, made, engine, output=tmp_path / "out", examples_per_slice=MOST)
    result = benison.load_result(tmp_path / "out")
    rows = result.analysis("failed_slices").to_pylist()
    failed = {check.slice for check in result.verdict.failures}
    assert {row["slice"] for row in rows} == failed == {f"company=company {c}" for c in range(4)}
    errors = np.abs(TRIPS["label"].to_numpy() - TRIPS["prediction"].to_numpy())
    for name in failed:
        own = [row for row in rows if row["slice"] == name]
        of = np.flatnonzero([f"company={c}" == name for c in TRIPS["company"].to_pylist()])
        worst = of[np.argsort(-errors[of], kind="stable")][:MOST]
        assert [row["example"]["trip"] for row in own] == worst.tolist()
        assert [row["rank"] for row in own] == [1, 2, 3]
        assert [row["error"] for row in own] == pytest.approx(errors[worst])
        assert own[0]["example"] == TRIPS.slice(worst[0], 1).to_pylist()[0]
        assert own[0]["predictions"] == TRIPS["prediction"][int(worst[0])].as_py()
    assert result.manifest["slice_examples"] == {**FACTS, "slices": 4, "rows": 12}
    assert result.config.options.examples_per_slice == MOST


MODELS = [
    {"name": "new", "label_key": "label", "prediction_key": "prediction"},
    {"name": "old", "label_key": "label", "prediction_key": "old_prediction", "is_baseline": True},
]
NOT_WORSE = {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": 0.5}}


def increases(table: pa.Table) -> Any:
    """How much more the candidate is wrong than the baseline."""
    label, new, old = (table[n].to_numpy() for n in ("label", "prediction", "old_prediction"))
    return np.abs(label - new) - np.abs(label - old)


@pytest.mark.parametrize("engine", ["local", "beam"])
@pytest.mark.parametrize("metric", ["BinaryAccuracy", "SymmetricFlipRate"])
def test_of_a_change_that_failed_the_rows_that_were_lost(
    files: str, tmp_path: Path, engine: str, metric: str
) -> None:
    bound = NOT_WORSE if metric == "BinaryAccuracy" else {"value_threshold": {"upper_bound": 0}}
    made = config({"class_name": metric, "threshold": bound}, slices=BY_COMPANY[1:2])
    made["model_specs"] = MODELS
    run(files, made, engine, output=tmp_path / "out", examples_per_slice=MOST)
    rows = benison.load_result(tmp_path / "out").analysis("failed_slices").to_pylist()
    assert len({row["slice"] for row in rows}) == 4
    grown = increases(TRIPS)
    for company in range(4):
        name = f"company {company}"
        of = np.flatnonzero(np.array(TRIPS["company"].to_pylist()) == name)
        lost = of[np.argsort(-grown[of], kind="stable")][:MOST]
        own = [row for row in rows if row["slice"] == f"company={name}"]
        assert [row["example"]["trip"] for row in own] == lost.tolist()
        assert [row["increase"] for row in own] == pytest.approx(grown[lost])
        assert {row["ranked_by"] for row in own} == {"increase"}
        for row in own:
            error = abs(row["example"]["label"] - row["predictions/new"])
            before = abs(row["example"]["label"] - row["predictions/old"])
            assert (error, error - before) == pytest.approx((row["error"], row["increase"]))


def test_a_slice_that_failed_both_ways_has_the_hard_rows_and_the_lost_ones(
    files: str, caplog: pytest.LogCaptureFixture
) -> None:
    both = {"value_threshold": {"lower_bound": 0.999}, **NOT_WORSE}
    made = {**config({"class_name": "AUC", "threshold": both}), "model_specs": MODELS}
    result = run(files, made, examples_per_slice=MOST)
    rows = result.analysis("failed_slices").to_pylist()
    assert [(row["ranked_by"], row["rank"]) for row in rows] == [
        *(("error", rank) for rank in (1, 2, 3)),
        *(("increase", rank) for rank in (1, 2, 3)),
    ]
    assert [row["increase"] for row in rows[:3]] == [None] * 3
    assert result.manifest["slice_examples"] == {**FACTS, "slices": 1, "rows": 6}
    words = "the largest error (1 slice) and with the largest increase of error from old (1 slice)"
    assert f"for the 3 of each failed slice with {words}." in caplog.text


def test_rows_whose_error_did_not_grow_are_not_lost() -> None:
    label, new, old = ["a", "b", "c", "d"], ["a", "x", "c", "y"], ["z", "b", "c", "y"]
    table = pa.table({"label": label, "prediction": new, "old_prediction": old})
    made = {**config({"class_name": "ExactMatch", "threshold": NOT_WORSE}), "model_specs": MODELS}
    rows = run(table, made, examples_per_slice=4).analysis("failed_slices").to_pylist()
    assert [row["example"]["label"] for row in rows] == ["b"]


def test_no_rows_are_kept_unless_they_are_asked_for(files: str, tmp_path: Path) -> None:
    made = config(too_high(), slices=BY_COMPANY)
    assert not run(files, made, output=tmp_path / "out").verdict.blessed
    assert not (tmp_path / "out" / "analysis").exists()
    asked = {**config("AUC"), "options": {"examples_per_slice": MOST}}
    assert run(files, asked).manifest["slice_examples"] == FACTS


def test_verify_covers_the_rows(files: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(files, config(too_high(), slices=BY_COMPANY), output=out, examples_per_slice=MOST)
    (kept,) = (out / "analysis").iterdir()
    blessing.verify(out)
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    with pytest.raises(benison.OutputError, match="failed_slices"):
        blessing.verify(out)


class Counting:
    """A model in memory that counts on how many rows it was called."""

    rows = 0

    def __call__(self, frame: Any) -> Any:
        Counting.rows += len(frame)
        return frame["prediction"].to_numpy()


def test_a_model_is_called_again_on_rows_of_failed_slices_alone(
    files: str, caplog: pytest.LogCaptureFixture
) -> None:
    Counting.rows = 0
    one = too_high()
    one["per_slice_thresholds"][0]["slicing_specs"] = [{"feature_values": {"company": "company 1"}}]
    made = {**config(one, slices=BY_COMPANY), "model_specs": [{"label_key": "label"}]}
    result = run(files, made, model=Counting(), examples_per_slice=MOST)
    of_company = TRIPS["company"].to_pylist().count("company 1")
    assert TRIPS.num_rows < Counting.rows <= TRIPS.num_rows + of_company + 16  # and no empty batch
    assert result.analysis("failed_slices").num_rows == MOST
    words = "for the 3 of each failed slice with the largest error (1 slice)."
    assert f"read a second time, {words}" in caplog.text


def scores_of_classes() -> tuple[pa.Table, list[int]]:
    scores = [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.9, 0.1, 0.0], [0.2, 0.7, 0.1]]
    return pa.table({"label": [0, 0, 1, 1], "prediction": scores}), [2, 1, 0, 3]


def amounts() -> tuple[pa.Table, list[int]]:
    table = {"label": [10.0, 0.0, None, 5.0], "prediction": [12.0, 9.0, 50.0, float("nan")]}
    return pa.table(table), [3, 1, 0]


def texts() -> tuple[pa.Table, list[int]]:
    labels, predictions = ["a", "b", "a"], ["a", "c", "a"]
    return pa.table({"label": labels, "prediction": predictions}), [1]


def logits() -> tuple[pa.Table, list[int]]:
    return pa.table({"label": [1.0, 0.0, 1.0, 0.0], "prediction": [4.0, 3.0, -5.0, -2.0]}), [2, 1]


@pytest.mark.parametrize(
    ("data", "metric"),
    [
        (scores_of_classes, "SparseCategoricalAccuracy"),
        (amounts, "MeanSquaredError"),
        (texts, "ExactMatch"),
        (logits, "AUC"),
    ],
)
def test_what_is_worst_of_other_predictions(data: Any, metric: str) -> None:
    table, wanted = data()
    table = table.append_column("row", pa.array(range(table.num_rows)))
    bound = {"value_threshold": {"lower_bound": 1e9}}
    made = config({"class_name": metric, "threshold": bound})
    rows = run(table, made, examples_per_slice=len(wanted)).analysis("failed_slices")
    assert [row["row"] for row in rows["example"].to_pylist()] == wanted


def test_rows_are_not_those_of_other_data(files: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = identity.Identity.digest
    digests = iter(["as judged", "and again"])
    monkeypatch.setattr(identity.Identity, "digest", lambda self: known(self) and next(digests))
    with pytest.raises(benison.DataError, match="changed after they were judged"):
        run(files, config(too_high(), slices=BY_COMPANY), examples_per_slice=MOST)


def test_rows_are_refused_where_they_would_show_small_slices_or_are_gone() -> None:
    made = {**config("AUC"), "options": {"examples_per_slice": 1, "min_slice_size": 5}}
    with pytest.raises(benison.ConfigError, match=r"options.examples_per_slice.*slices they are"):
        run(TRIPS, made)
    made["options"].pop("min_slice_size")
    with pytest.raises(benison.ConfigError, match=r"gone after the first; write them to files"):
        benison.beam.Evaluate(config=made)
