# SPDX-License-Identifier: Apache-2.0
"""The whole job through its public names: values, slices, splits, engines, thresholds."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as sk

import benison
from benison.testing import example_config
from tests.conftest import config, taxi_like
from tests.test_laws import build

METRICS = (
    "ExampleCount",
    "AUC",
    "AUCPrecisionRecall",
    "BinaryAccuracy",
    "Precision",
    "MeanPrediction",
)
SLICES = (
    {},
    {"feature_keys": ["hour"]},
    {"feature_keys": ["company", "hour"]},
    {"feature_keys": ["tags"]},
)


def compare_config(**threshold: Any) -> dict[str, Any]:
    made = config({"class_name": "AUC", **threshold}, "ExampleCount", slices=SLICES)
    new = {"name": "new", "label_key": "label", "prediction_key": "prediction"}
    old = {
        "name": "old",
        "label_key": "label",
        "prediction_key": "old_prediction",
        "is_baseline": True,
    }
    return {**made, "model_specs": [new, old]}


def change(**bounds: Any) -> dict[str, Any]:
    return {"threshold": {"change_threshold": {"direction": "HIGHER_IS_BETTER", **bounds}}}


def at_least(bound: float) -> dict[str, Any]:
    return {"threshold": {"value_threshold": {"lower_bound": bound}}}


def test_values_are_those_of_the_rows_of_the_slice(trips: pa.Table) -> None:
    result = benison.evaluate(trips, config(*METRICS, slices=SLICES))
    frame = trips.to_pandas()
    for hour, rows in frame.groupby("hour"):
        where = {"hour": hour}
        assert result.value("example_count", slice=where) == len(rows)
        assert result.value("mean_prediction", slice=where) == pytest.approx(rows.prediction.mean())
        exact = sk.roc_auc_score(rows.label, rows.prediction)
        assert result.value("auc", slice=where) == pytest.approx(exact, abs=1e-3)
    assert result.value("example_count") == len(frame)


def test_a_row_is_once_in_each_of_its_values_and_not_in_missing_ones(trips: pa.Table) -> None:
    result = benison.evaluate(trips, config("ExampleCount", slices=SLICES))
    frame = trips.to_pandas()
    for tag in ("t0", "t1", "t2"):
        assert result.value("example_count", slice={"tags": tag}) == sum(
            tag in tags for tags in frame.tags
        )
    crossed = frame[(frame.company == "company 1") & (frame.hour == 3)]
    assert result.value("example_count", slice={"company": "company 1", "hour": 3}) == len(crossed)
    assert not [name for name in result.slices() if "None" in name]


def test_fixed_values_narrow_and_repeat_no_row(trips: pa.Table) -> None:
    slices = (
        {"feature_keys": ["hour"]},
        {"feature_values": {"hour": "5"}},
        {"feature_values": {"hour": "5.0"}, "feature_keys": ["company"]},
    )
    result = benison.evaluate(trips, config("ExampleCount", slices=slices))
    frame = trips.to_pandas()
    assert result.value("example_count", slice={"hour": 5}) == (frame.hour == 5).sum()
    both = ((frame.hour == 5) & (frame.company == "company 2")).sum()
    names = [name for name in result.slices() if "company 2" in name]
    assert result.value("example_count", slice=names[0]) == both
    assert "Overall" not in result.slices()


def test_weights(trips: pa.Table) -> None:
    spec = {"example_weights": {"weighted": True, "unweighted": True}}
    made = config(
        "MeanPrediction", "ExampleCount", spec=spec, model={"example_weight_key": "weight"}
    )
    result = benison.evaluate(trips, made)
    frame = trips.to_pandas()
    assert result.value("example_count", weighted=True) == frame.weight.sum()
    assert result.value("example_count", weighted=False) == len(frame)
    expected = np.average(frame.prediction, weights=frame.weight)
    assert result.value("mean_prediction", weighted=True) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(benison.DataError, match="has 2 values; say which weighted"):
        result.value("mean_prediction")


def test_difference_is_candidate_minus_baseline(trips: pa.Table) -> None:
    result = benison.evaluate(trips, compare_config())
    for where in ("Overall", {"hour": 4}):
        difference = result.value("auc", where) - result.value("auc", where, model="old")
        assert result.value("auc_diff", where) == difference


def test_a_missing_label_takes_a_row_out_of_what_looks_at_labels_alone(trips: pa.Table) -> None:
    frame = trips.to_pandas()
    frame.loc[:499, "label"] = np.nan
    metrics = ("MeanPrediction", "ExampleCount", "MeanSquaredError")
    result = benison.evaluate(frame, config(*metrics))
    assert result.value("mean_prediction") == pytest.approx(frame.prediction.mean(), rel=1e-12)
    assert result.value("example_count") == len(frame)
    errors = (frame.label - frame.prediction)[500:] ** 2
    assert result.value("mean_squared_error") == pytest.approx(errors.mean(), rel=1e-12)
    rests_on = dict(
        zip(*(result.metrics[c].to_pylist() for c in ("metric", "evaluated")), strict=True)
    )
    assert rests_on == dict(zip(("mean_prediction", "example_count"), [2_000] * 2, strict=True)) | {
        "mean_squared_error": 1_500
    }
    assert result.manifest["missing"] == {"labels": 500, "predictions": 0}


def test_what_weighs_nothing_may_have_any_prediction(trips: pa.Table) -> None:
    frame = trips.to_pandas()
    frame.loc[:99, ["label", "prediction"]] = np.nan
    frame.loc[100:199, "prediction"] = np.nan
    frame.loc[100:199, "weight"] = 0.0
    result = benison.evaluate(
        frame, config("MeanSquaredError", "AUC", model={"example_weight_key": "weight"})
    )
    kept = frame[200:]
    expected = np.average((kept.label - kept.prediction) ** 2, weights=kept.weight)
    assert result.value("mean_squared_error") == pytest.approx(expected, rel=1e-12)
    assert not np.isnan(result.value("auc"))


def split(table: pa.Table, folder: Path, parts: int) -> str:
    folder.mkdir()
    order = np.random.default_rng(parts).permutation(parts)
    edges = np.linspace(0, len(table), parts + 1).astype(int)
    for i in range(parts):
        pq.write_table(
            table.slice(edges[i], edges[i + 1] - edges[i]), folder / f"{order[i]:03}.parquet"
        )
    return str(folder)


def same_results(a: benison.EvalResult, b: benison.EvalResult, tolerance: float = 1e-12) -> None:
    for field in a.metrics.schema:
        ours, theirs = a.metrics[field.name], b.metrics[field.name]
        if pa.types.is_floating(field.type):
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
        else:
            assert ours.to_pylist() == theirs.to_pylist()


@pytest.mark.parametrize("engine", ["local", "beam"])
@pytest.mark.parametrize("parts", [1, 2, 7, 100])
def test_any_split_on_any_engine_gives_the_same(
    trips: pa.Table, tmp_path: Path, parts: int, engine: str
) -> None:
    made = config(
        *METRICS,
        "SquaredPearsonCorrelation",
        "CalibrationPlot",
        slices=SLICES,
        model={"example_weight_key": "weight"},
    )
    expected = benison.evaluate(trips, made)
    data = split(trips, tmp_path / "data", parts)
    options = ["--runner=FnApiRunner"] if engine == "beam" else []
    evaluated = benison.evaluate(data, made, engine=engine, engine_options=options)
    same_results(expected, evaluated)
    assert evaluated.plots.num_rows == expected.plots.num_rows


def columns_of(name: str) -> set[str]:
    columns = {column for s in build(name).statistics() for column in s.columns()}
    return columns.union(build(name).label_names())


def catalogue(trips: pa.Table) -> dict[str, Any]:
    """A config of every registered metric that trips have the columns of."""
    names = [name for name in benison.registered() if build(name).accepts & {"binary", "real"}]
    of_classes = ("Accuracy", "ExactMatch")  # which no score equals
    names = [n for n in names if n not in of_classes]
    names = [n for n in names if not build(n).needs_groups and not build(n).needs_baseline]
    names = [n for n in names if columns_of(n) <= {*trips.column_names}]  # without images and boxes
    metrics = [{"class_name": name, "config": example_config(name)} for name in names]
    return config(*metrics, slices=SLICES)


def test_every_registered_metric_is_the_same_through_beam(trips: pa.Table, tmp_path: Path) -> None:
    made = catalogue(trips)
    data = split(trips, tmp_path / "data", 3)  # of other files a sample is another one
    expected = benison.evaluate(data, made)
    evaluated = benison.evaluate(data, made, engine="beam", engine_options=["--runner=FnApiRunner"])
    same_results(expected, evaluated)
    assert len(expected.metric_names()) > 60


def test_beam_options_are_checked(
    trips: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = split(trips, tmp_path / "data", 1)
    with pytest.raises(benison.ConfigError, match="no pipeline option --runer"):
        benison.evaluate(data, config("AUC"), engine="beam", engine_options=["--runer=FnApiRunner"])
    with pytest.raises(benison.ConfigError, match="--dry_run runs nothing"):
        benison.evaluate(data, config("AUC"), engine="beam", engine_options=["--dry_run=True"])
    with pytest.raises(benison.ConfigError, match="reads files"):
        benison.evaluate(trips, config("AUC"), engine="beam")
    monkeypatch.setattr("sys.executable", "/with a space/python")
    forking = ["--direct_running_mode=multi_processing"]
    with pytest.raises(benison.ConfigError, match="has a space, so that none would start"):
        benison.evaluate(data, config("AUC"), engine="beam", engine_options=forking)


def test_small_slices_are_left_out_and_not_evaluated(trips: pa.Table) -> None:
    made = config(
        {"class_name": "AUC", **at_least(0.0)}, slices=SLICES, options={"min_slice_size": 60}
    )
    result = benison.evaluate(trips, made)
    counted = result.metrics.to_pandas()
    assert counted[counted.slice != "Overall"].examples.min() >= 60
    (skipped,) = [c for c in result.verdict.checks if c.outcome == "not_evaluated"]
    assert "too few examples" in skipped.reason
    assert result.verdict.blessed


def test_cross_slices_can_pass(trips: pa.Table) -> None:
    cross = {
        "baseline_spec": {"feature_values": {"hour": "1"}},
        "slicing_specs": [{"feature_keys": ["hour"]}],
    }
    bounds = {"value_threshold": {"lower_bound": -1, "upper_bound": 1}}
    threshold = {"cross_slice_thresholds": [{"cross_slicing_specs": [cross], "threshold": bounds}]}
    made = config({"class_name": "AUC", **threshold}, cross_slicing_specs=[cross])
    result = benison.evaluate(trips, made)
    assert result.verdict.blessed
    assert len(result.verdict.checks) == 2 * 23  # two bounds
    difference = result.value("auc", slice="hour=1") - result.value("auc", slice="hour=2")
    assert result.value("auc", slice="hour=1 vs hour=2") == difference


def test_custom_stages(trips: pa.Table, tmp_path: Path) -> None:
    class Longest:
        stage_name, run_after = "EvaluateLongest", "ExtractSliceKeys"

        def zero(self) -> int:
            return 0

        def add(self, state: int, extracts: Any) -> int:
            return max(state, extracts["features"].num_rows)

        def merge(self, state: int, other: int) -> int:
            return max(state, other)

        def result(self, state: int) -> dict[str, Any]:
            return {"longest": {"rows": state}}

    from benison.output.writers import JsonWriter

    writers = [*benison.default_writers(), JsonWriter("WriteLongest", "longest", "longest.json")]
    benison.evaluate(
        trips, config("AUC"), evaluators=[Longest()], writers=writers, output=tmp_path / "out"
    )
    assert json.loads((tmp_path / "out" / "longest.json").read_text()) == {"rows": 2000}
    Longest.run_after = "ExtractSlices"
    with pytest.raises(benison.ConfigError, match="Did you mean 'ExtractSliceKeys'"):
        benison.evaluate(trips, config("AUC"), evaluators=[Longest()])


def test_results_are_looked_up_and_compared(trips: pa.Table) -> None:
    a = benison.evaluate(trips, config("AUC", slices=SLICES))
    b = benison.evaluate(taxi_like(2_000, seed=1), config("AUC", slices=SLICES))
    compared = a.compare(b)
    assert len(compared) >= len(a.metrics)
    assert a.to_pandas().shape == (a.metrics.num_rows, a.metrics.num_columns)
    with pytest.raises(benison.DataError, match="no metric 'acu'. Did you mean 'auc'"):
        a.value("acu")
    with pytest.raises(benison.DataError, match="no slice 'hour=99'"):
        a.value("auc", slice={"hour": 99})


def test_ratios_of_slices_have_thresholds_of_their_own(trips: pa.Table) -> None:
    cross = {
        "baseline_spec": {"feature_values": {"hour": "1"}},
        "slicing_specs": [{"feature_values": {"hour": "2"}}],
    }
    bounds = {"value_threshold": {"lower_bound": 0.8, "upper_bound": 1.25}}
    thresholds = {
        "auc_ratio": {"thresholds": [{"cross_slicing_specs": [cross], "threshold": bounds}]}
    }
    made = config("AUC", cross_slicing_specs=[cross], spec={"cross_slice_thresholds": thresholds})
    result = benison.evaluate(trips, made)
    ratio = result.value("auc", slice="hour=1") / result.value("auc", slice="hour=2")
    assert result.value("auc_ratio", slice="hour=1 vs hour=2") == ratio
    assert [check.name for check in result.verdict.checks] == ["ratio of auc"] * 2
    assert [check.outcome for check in result.verdict.checks] == ["pass"] * 2


def test_two_metrics_of_one_name_are_refused(trips: pa.Table) -> None:
    both = [{"class_name": "AUC"}, {"class_name": "AUC", "config": {"curve": "PR"}}]
    specs = [{"metrics": [metric]} for metric in both]
    with pytest.raises(benison.ConfigError, match="'auc'"):
        benison.evaluate(trips, {**config(), "metrics_specs": specs})


@pytest.mark.parametrize("stage", ["extract", "add"])
def test_a_run_that_fails_leaves_no_threads(trips: pa.Table, stage: str) -> None:
    """They would be joined by a garbage collection, which can be while another thread starts: a deadlock."""
    missing = pa.array([None] * len(trips), pa.float64())
    location = trips.schema.get_field_index("prediction")
    asked = config("AUC", slices=({},))
    if stage == "add":
        trips = trips.set_column(location, "prediction", pa.array([[0.1, 0.9]] * len(trips)))
        asked["metrics_specs"][0]["binarize"] = {"class_ids": [3]}
    else:
        trips = trips.set_column(location, "prediction", missing.cast(pa.string()))
    with pytest.raises(benison.DataError) as caught:
        benison.evaluate(trips, asked)
    assert caught.tb is not None  # which keeps every frame
    assert not [t for t in threading.enumerate() if t.name.startswith("benison-read")]


def test_a_run_that_fails_leaves_no_threads_of_tfrecords(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    number = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
    text = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"high"]))
    features = tf.train.Features(feature={"label": number, "prediction": text})
    record = tf.train.Example(features=features).SerializeToString()
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for _ in range(2**17):
            writer.write(record)
    with pytest.raises(benison.DataError, match="'prediction' hold text") as caught:
        benison.evaluate(str(tmp_path / "a.tfrecord"), config("AUC", slices=({},)))
    assert caught.tb is not None
    assert not [t for t in threading.enumerate() if t.name.startswith("benison-read")]
