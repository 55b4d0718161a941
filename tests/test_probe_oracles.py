# SPDX-License-Identifier: Apache-2.0
"""Probes whose values are those of scikit-learn, or of geometry."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

import benison
from benison.config import ProbeSpec
from benison.probes.boundary import BoundaryDistance
from benison.probes.subject import Subject
from tests.test_probes import NUMBERS, ROWS, config, findings, hanging, overfitted, sound, trips


def test_partial_dependence_is_that_of_scikit_learn() -> None:
    table = trips(8).select([*NUMBERS, "tip"])
    steps = np.round(table["fare"].to_numpy())
    table = table.set_column(0, "fare", pa.array(np.clip(steps, -1, 1)))
    frame = table.to_pandas()
    model = LogisticRegression().fit(frame[[*NUMBERS]], frame["tip"])
    (row,) = findings(model, {"name": "partial_dependence", "features": ["fare"]}, data=table)
    theirs = partial_dependence(model, frame[[*NUMBERS]], ["fare"], method="brute")
    assert [float(point["at"]) for point in row["curve"]] == theirs["grid_values"][0].tolist()
    assert [point["value"] for point in row["curve"]] == pytest.approx(theirs["average"][0])
    assert row["value"] == pytest.approx(np.ptp(theirs["average"][0]))


def test_importance_is_that_of_scikit_learn_but_for_chance() -> None:
    table = trips(9, 1_000).select([*NUMBERS, "tip"])
    frame = table.to_pandas()
    model = LogisticRegression().fit(frame[[*NUMBERS]], frame["tip"])
    rows = findings(model, "permutation_importance", data=table)
    features = frame[[*NUMBERS]]
    theirs = permutation_importance(
        model, features, frame["tip"], scoring="roc_auc", n_repeats=10, random_state=0
    )
    assert [row["feature"] for row in rows] == [*NUMBERS]
    assert [row["value"] for row in rows] == pytest.approx(theirs.importances_mean, abs=0.02)


def test_importance_is_above_0_where_a_metric_becomes_worse_whichever_end_is_good() -> None:
    table = trips(9, 1_000).select([*NUMBERS, "tip"])
    frame = table.to_pandas()
    model = LogisticRegression().fit(frame[[*NUMBERS]], frame["tip"])
    asked = config("permutation_importance")
    metrics = ["ExampleCount", "MeanLabel", "BrierScore", "MeanPrediction"]
    asked["metrics_specs"] = [{"metrics": metrics}]
    rows = benison.evaluate(table, asked, model=model).probes.to_pylist()
    assert {row["detail"] for row in rows} == {"brier_score", "mean_prediction"}
    theirs = permutation_importance(
        model,
        frame[[*NUMBERS]],
        frame["tip"],
        scoring="neg_brier_score",
        n_repeats=10,
        random_state=0,
    )
    brier = [row for row in rows if row["detail"] == "brier_score"]
    assert [row["value"] for row in brier] == pytest.approx(theirs.importances_mean, abs=0.01)
    assert max(row["value"] for row in brier) > 0
    assert all("rises" in row["sentence"] for row in brier if row["value"] > 0.01)


def test_distances_are_those_of_a_plane_or_a_little_more() -> None:
    table = trips(10).select(["fare", "miles"]).combine_chunks()

    def plane(rows: pa.RecordBatch) -> Any:
        return 1.0 * (rows["fare"].to_numpy() + rows["miles"].to_numpy() > 0.3)

    subject = Subject(plane, table.to_batches()[0], ("fare", "miles"), None, 0.5)
    measured = BoundaryDistance(ProbeSpec(name="boundary_distance")).distances(subject)
    fare, miles = (table[name].to_numpy() for name in ("fare", "miles"))
    slope = math.hypot(fare.std(), miles.std())
    exact = (np.abs(fare + miles - 0.3) / slope)[: len(measured)]
    assert (measured >= exact * (1 - 1e-6)).all()
    assert np.median(measured / exact) < 1.1


def test_membership_is_the_area_of_scikit_learn(tmp_path: Path) -> None:
    pq.write_table(trips(), tmp_path / "train.parquet")
    train, rest = trips(), trips(6)
    (row,) = findings(overfitted, "membership", training_examples=str(tmp_path / "train.parquet"))
    losses = []
    for table in (train, rest):
        scores = np.clip(overfitted(table.to_pandas()), 0, 1)
        right = np.where(table["tip"].to_numpy() > 0, scores, 1 - scores)
        losses.append(-np.log(np.clip(right, 1e-7, 1)))
    members = np.repeat([1, 0], [len(each) for each in losses])
    assert row["value"] == pytest.approx(roc_auc_score(members, -np.concatenate(losses)))
    assert row["lower"] < row["value"] < row["upper"]


BETTER = ("better_than_prior", "better_than_majority", "better_than_linear")


def test_benchmarks_are_those_of_scikit_learn() -> None:
    table = trips(11)
    asked = config(*BETTER, {"name": "better_than_slice_mean", "features": ["company"]})
    asked["model_specs"] = [{"name": name, "label_key": "tip"} for name in ("one", "other")]
    asked["metrics_specs"] = [{"metrics": ["AUC", "BinaryAccuracy", "BinaryCrossEntropy"]}]
    models = {"one": sound, "other": hanging}
    rows = benison.evaluate(table, asked, model=models).probes.to_pylist()
    gains = {(row["model"], row["probe"], row["detail"]): row for row in rows}
    frame = table.to_pandas()
    points, labels = frame[[*NUMBERS, "company"]], frame["tip"]
    folds = PredefinedSplit(np.arange(ROWS) % 5)
    own = sound(frame)
    right = float(((own > 0.5) == labels).mean())
    for name, dummy in (("prior", "prior"), ("majority", "most_frequent")):
        theirs = DummyClassifier(strategy=dummy).fit(points, labels).predict_proba(points)[:, 1]
        accuracy = gains["one", f"better_than_{name}", "binary_accuracy"]["value"]
        assert accuracy == pytest.approx(right - ((theirs > 0.5) == labels).mean())
        loss = gains["one", f"better_than_{name}", "binary_crossentropy"]["value"]
        clipped = np.clip(theirs, 1e-7, 1 - 1e-7)
        assert loss == pytest.approx(log_loss(labels, clipped) - log_loss(labels, own), abs=1e-4)
    linear = LogisticRegression(max_iter=1000)
    theirs = cross_val_predict(
        linear, points[[*NUMBERS]], labels, cv=folds, method="predict_proba"
    )[:, 1]
    area = gains["one", "better_than_linear", "auc"]
    gain = roc_auc_score(labels, own) - roc_auc_score(labels, theirs)
    assert area["value"] == pytest.approx(gain, abs=0.01)
    assert area["lower"] < area["value"] < area["upper"]
    assert area["notable"]
    assert area["sentence"].endswith("which so few rows do not show.") == (gain > 0)
    by_company = gains["other", "better_than_slice_mean", "auc"]
    assert by_company["lower"] > 0
