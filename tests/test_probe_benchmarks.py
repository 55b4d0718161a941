# SPDX-License-Identifier: Apache-2.0
"""Benchmarks and residuals of predictions that are in the data, and the baseline as a benchmark."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

import benison
from benison.errors import ConfigError
from benison.probes.counted_labels import CountedLabels
from benison.probes.subject import Gain, WholeRows
from tests.test_probes import sound, trips

BESIDE = (
    *("better_than_prior", "better_than_majority", "better_than_linear"),
    {"name": "better_than_slice_mean", "features": ["company"]},
    {"name": "residuals_by_feature", "features": ["fare", "company"]},
    *("residuals_by_prediction", "residual_normality"),
    {"name": "residual_autocorrelation", "features": ["fare"]},
)


def asked(*probes: Any, **spec: Any) -> dict[str, Any]:
    return {
        "model_specs": [{"label_key": "tip", **spec}],
        "metrics_specs": [{"metrics": ["AUC", "MeanSquaredError"]}],
        "debugging": {"probes": [*probes]},
    }


def test_predictions_in_the_data_are_held_against_benchmarks_as_those_of_the_model() -> None:
    table = trips(6)
    scored = table.append_column("score", pa.array(sound(table.to_pandas())))
    of_model = benison.evaluate(table, asked(*BESIDE), model=sound).probes.to_pylist()
    in_data = benison.evaluate(scored, asked(*BESIDE, prediction_key="score")).probes.to_pylist()
    assert [row["sentence"] for row in in_data] == [row["sentence"] for row in of_model]
    assert not any(np.isnan(row["value"]) for row in in_data)
    with pytest.raises(ConfigError, match="better_than_prior"):
        benison.evaluate(scored, asked(*BESIDE, "noise_flips", prediction_key="score"))


@pytest.mark.parametrize(("bound", "status"), [(0.1, "blessed"), (0.4, "not_blessed")])
def test_the_baseline_is_a_benchmark_on_all_rows(bound: float, status: str) -> None:
    table = trips(6)
    probe = {"name": "better_than_baseline", "metric": "auc", "at_least": bound}
    config = asked(probe)
    config["model_specs"] = [
        {"name": "new", "label_key": "tip"},
        {"name": "old", "label_key": "tip", "is_baseline": True},
    ]
    config["debugging"]["rows"] = 20
    config["options"] = {"confidence": {"level": 0.95}}
    result = benison.evaluate(table, config, model=sound, baseline=lambda frame: frame["fare"])
    (row,) = result.probes.to_pylist()
    labels = table["tip"].to_numpy()
    own = roc_auc_score(labels, sound(table.to_pandas()))
    gain = own - roc_auc_score(labels, table["fare"].to_numpy())
    assert row["value"] == pytest.approx(gain)
    assert row["lower"] < gain < row["upper"]
    assert (row["rows"], result.verdict.status) == (table.num_rows, status)


def test_what_is_undefined_of_a_model_is_said_to_be_that() -> None:
    table = trips(6).append_column("p", pa.array([np.nan, *np.ones(trips(6).num_rows - 1)]))
    config = asked({"name": "better_than_baseline", "metric": "auc", "at_least": 0})
    config["model_specs"] = [
        {"name": "new", "label_key": "tip", "prediction_key": "p"},
        {"name": "old", "label_key": "tip", "prediction_key": "fare", "is_baseline": True},
    ]
    result = benison.evaluate(table, config)
    (row,) = result.probes.to_pylist()
    assert (row["outcome"], result.verdict.status) == ("not_evaluated", "not_evaluated")
    assert "auc is undefined of the model or of the baseline" in row["sentence"]


@pytest.mark.parametrize("bound", [{"at_least": 2}, {"at_most": -1.5}])
def test_bounds_that_no_gain_reaches_are_refused(bound: dict[str, float]) -> None:
    probe = {"name": "better_than_prior", "metric": "auc", **bound}
    with pytest.raises(ConfigError, match="two values are never more than 1 apart"):
        benison.evaluate(trips(6), asked(probe), model=sound)


def test_a_first_model_passes_without_a_baseline() -> None:
    probe = {"name": "better_than_baseline", "at_least": 0}
    result = benison.evaluate(trips(6), asked(probe), model=sound)
    (check,) = result.verdict.checks
    assert (check.outcome, result.verdict.status) == ("rubber_stamped", "blessed")
    assert result.verdict.rubber_stamped


def labelled(kind: str, rows: int = 12_000) -> pa.Table:
    """Labels that are 0 and 1, numbers, or one of three classes, with predictions and weights."""
    rng = np.random.default_rng(8)
    city, fare = rng.choice(["a", "b", "c"], rows), rng.normal(size=rows)
    near = fare + (city == "a")
    weight = np.where(rng.random(rows) < 0.1, 0.0, rng.random(rows))
    columns = {"city": city, "fare": fare, "weight": weight}
    if kind == "numbers":
        return pa.table({**columns, "tip": near + rng.normal(500, 1, rows), "score": near + 500})
    if kind == "classes":
        shares = rng.dirichlet([1, 1, 1], rows)
        label = np.array([rng.choice(3, p=each) for each in shares])
        return pa.table({**columns, "tip": label, "score": shares.tolist()})
    score = 1 / (1 + np.exp(-near))
    return pa.table({**columns, "tip": (rng.random(rows) < score).astype(int), "score": score})


METRICS = {
    "yes": ["AUC", "BinaryAccuracy", "BinaryCrossEntropy"],
    "numbers": ["MeanSquaredError", "MeanAbsoluteError"],
    "classes": ["SparseCategoricalAccuracy", "SparseCategoricalCrossentropy"],
}
COUNTED = (
    "better_than_prior", "better_than_majority",
    {"name": "better_than_slice_mean", "features": ["city"]},
    {"name": "better_than_slice_mean", "features": ["city", "fare"]},
)  # fmt: skip


def held(kind: str, rows: int, *probes: Any, **options: Any) -> list[dict[str, Any]]:
    spec = {"label_key": "tip", "prediction_key": "score", "example_weight_key": "weight"}
    both = {"weighted": True, "unweighted": True}
    config = {
        "model_specs": [spec],
        "metrics_specs": [{"metrics": METRICS[kind], "example_weights": both}],
        "debugging": {"rows": rows, "probes": [*probes]},
    }
    data = options.pop("data", labelled(kind))
    found: list[dict[str, Any]] = benison.evaluate(data, config, **options).probes.to_pylist()
    return found


@pytest.mark.parametrize("kind", METRICS)
def test_benchmarks_of_counts_are_held_against_the_model_on_all_rows(kind: str) -> None:
    """As they are where all rows are kept, but for the folds; the interval reaches about as far."""
    all_kept, few_kept = held(kind, 12_000, *COUNTED), held(kind, 1_500, *COUNTED)
    assert len(few_kept) == len(COUNTED) * 2 * len(METRICS[kind])
    for ours, theirs in zip(few_kept, all_kept, strict=True):
        assert (ours["detail"], ours["rows"]) == (theirs["detail"], theirs["rows"])
        is_exact = "slice_mean" not in ours["probe"]
        close = {"rel": 1e-5} if is_exact else {"abs": 0.006}
        assert ours["value"] == pytest.approx(theirs["value"], **close)
        reach = [row["upper"] - row["lower"] for row in (ours, theirs)]
        # What is learned from few rows differs more from row to row.
        assert (
            reach[0] == pytest.approx(reach[1], rel=0.25) if is_exact else reach[0] < 3 * reach[1]
        )


def test_benchmarks_on_all_rows_are_those_of_scikit_learn() -> None:
    table = labelled("yes")
    label, score, weight = (table[name].to_numpy() for name in ("tip", "score", "weight"))
    rows = held("yes", 100, *COUNTED[:2])
    values = {(row["probe"], row["detail"]): row["value"] for row in rows}
    for name, strategy in (("prior", "prior"), ("majority", "most_frequent")):
        for own, suffix in ((None, ""), (weight, " weighted")):
            dummy = DummyClassifier(strategy=strategy).fit(label, label, own)
            theirs = dummy.predict_proba(label)[:, 1]
            found = values[f"better_than_{name}", f"binary_accuracy{suffix}"]
            right = [accuracy_score(label, s > 0.5, sample_weight=own) for s in (score, theirs)]
            assert found == pytest.approx(right[0] - right[1])
    dummy = DummyClassifier(strategy="prior").fit(label, label, weight)
    loss = [
        log_loss(label, each, sample_weight=weight)
        for each in (dummy.predict_proba(label)[:, 1], score)
    ]
    found = values["better_than_prior", "binary_crossentropy weighted"]
    assert found == pytest.approx(loss[0] - loss[1], abs=1e-6)


def test_what_counts_do_not_say_is_of_the_rows_of_probes_and_says_so() -> None:
    """A linear model, and a metric of which the counts give another value than the rows."""
    for row in held("yes", 500, "better_than_linear"):
        assert f"{row['rows']:,} of 12,000 rows)" in row["sentence"]
        assert row["rows"] <= 500
    gain = Gain("odd", 0.5, 0.4, 0.1, 0.0, 0.2, rows=100)
    whole = WholeRows(900, {}, {"odd": (0.6, 900)}, lambda *_: {})
    assert whole.gain(gain, {"odd": 0.3}, {"odd": 0.35}) == dataclasses.replace(gain, of=900)
    lifted = whole.gain(gain, {"odd": 0.4}, {"odd": 0.35})
    ends = (lifted.gain, lifted.lower, lifted.upper)
    assert ends == pytest.approx((0.25, 0.25 - 0.1 / 3, 0.25 + 0.1 / 3))


def test_without_overall_what_is_of_all_rows_is_refused_or_says_that_it_is_not() -> None:
    spec = {"label_key": "tip", "prediction_key": "score"}
    config = {
        "model_specs": [spec],
        "slicing_specs": [{"feature_keys": ["city"]}],
        "metrics_specs": [{"metrics": ["AUC"]}],
        "debugging": {"rows": 500, "probes": ["better_than_prior"]},
    }
    (row,) = benison.evaluate(labelled("yes"), config).probes.to_pylist()
    assert "500 of 12,000 rows)" in row["sentence"]
    config["debugging"] = {"probes": ["better_than_baseline"]}
    with pytest.raises(ConfigError, match=r"all rows, which are no slice here; add \{\} to"):
        benison.evaluate(labelled("yes"), config)


@pytest.mark.parametrize("kind", ["yes", "numbers"])
def test_counts_are_the_same_on_every_engine(kind: str, tmp_path: Path) -> None:
    found = []
    for size, engine in ((5_000, "local"), (1_700, "beam")):
        file = tmp_path / str(size) / "data.parquet"
        file.parent.mkdir()
        pq.write_table(labelled(kind), file, row_group_size=size)
        found.append(held(kind, 100, *COUNTED, data=file, engine=engine))
    local, beam = found
    for one, other in zip(local, beam, strict=True):
        assert one["value"] == pytest.approx(other["value"], rel=1e-9)
        assert one["sentence"] == other["sentence"]


def of_many_values(kind: str, rows: int = 200_000) -> tuple[pa.Table, str]:
    """Rows with more combinations of values than are counted, and the metric of them."""
    rng = np.random.default_rng(3)
    share, (a, b) = rng.random(rows), rng.lognormal(size=(2, rows))
    if kind == "narrow":  # the last bits of a feature say all, of which the model has a part
        tip = (rng.random(rows) < share).astype(int)
        columns = {"a": 1_000 + share, "b": b, "tip": tip, "score": 0.2 + 0.6 * share}
        return pa.table(columns), "BrierScore"
    tip = rng.normal(10, 3, rows)
    if kind == "apart":  # most labels are near each other, others are of any size
        tip = np.where(rng.random(rows) < 0.6, 1_000 + share, np.exp(-700 * share))
    score = np.full(rows, np.median(tip))
    name = "MeanAbsoluteError" if kind == "apart" else "MeanSquaredError"
    return pa.table({"a": a, "b": b, "tip": tip, "score": score}), name


@pytest.mark.parametrize(
    ("kind", "features", "gain", "bound"),
    [("narrow", ["a", "b"], -0.0125, 0), ("idle", ["a", "b"], 0.1125, 0), ("apart", [], 0, -0.01)],
)
def test_values_too_many_to_count_are_not_rounded(
    kind: str, features: list[str], gain: float, bound: float
) -> None:
    """Cells of rounded numbers took a feature for one value, and labels in them for their mean."""
    table, metric = of_many_values(kind)
    name = "better_than_slice_mean" if features else "better_than_majority"
    probe = {"name": name, "features": features, "at_least": bound}
    config = asked(probe, prediction_key="score")
    config["metrics_specs"] = [{"metrics": [metric]}]
    config["debugging"]["rows"] = 10_000
    result = benison.evaluate(table, config)
    (row,) = result.probes.to_pylist()
    assert "10,000 of 200,000 rows)" in row["sentence"]
    assert row["lower"] <= gain <= row["upper"]
    assert result.verdict.status == ("not_blessed" if gain < bound else "blessed")


@pytest.mark.parametrize("features", [(), ("fare",), ("fare", "city")], ids=str)
def test_counts_of_parts_are_those_of_all(features: tuple[str, ...]) -> None:
    """However rows are split; all rows and weights stay."""
    table = labelled("numbers", 3_000).combine_chunks()
    label, weight = (table[name].to_numpy().round(1) for name in ("tip", "weight"))
    folds = np.arange(3_000) % 5

    def cells(part: slice) -> CountedLabels:
        own = {name: table[name].combine_chunks()[part] for name in features}
        if features:
            own["fare"] = pa.array(
                [None if of > 1 else round(of, 1) for of in own["fare"].to_pylist()]
            )
        return CountedLabels.of(own, folds[part], label[part], weight[part])

    def known(of: CountedLabels) -> dict[tuple[Any, ...], tuple[float, ...]]:
        keys = zip(*(c.to_pylist() for c in of.features.values()), of.folds, strict=True)
        rounded = zip(of.labels.round(6), of.rows, of.weights.round(9), strict=True)
        found = {(*key, row[0]): row for key, row in zip(keys, rounded, strict=True)}
        assert len(found) == len(of.labels) < 3_000
        return found

    parts = [cells(slice(a, b)) for a, b in itertools.pairwise([0, 10, 1_200, 1_201, 3_000])]
    whole = cells(slice(0, 3_000))
    for order in (parts, parts[::-1]):
        assert known(functools.reduce(CountedLabels.merge, order)) == known(whole)
    assert (whole.rows.sum(), whole.weights.sum()) == (3_000, pytest.approx(weight.sum()))
    assert (whole.rows * whole.labels).sum() == pytest.approx(label.sum())
