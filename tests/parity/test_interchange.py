# SPDX-License-Identifier: Apache-2.0
"""TFMA at our files and we at TFMA's: its loaders and views read ours, and ours read its."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

import benison
from benison.table.words import metric_text
from tests.component.test_interchange import FILES, config, one_model, table

pytestmark = pytest.mark.parity

tfma = pytest.importorskip("tensorflow_model_analysis")
from google.protobuf import json_format  # noqa: E402
from scipy import stats  # noqa: E402
from tensorflow_model_analysis.metrics import (  # noqa: E402
    metric_types,
    sample_metrics,  # noqa: F401 - TFMA's package does not import it, which registers it
)
from tensorflow_model_analysis.proto import config_pb2  # noqa: E402
from tensorflow_model_analysis.view import util, widget_view  # noqa: E402

HOUR_2 = (("hour", 2),)
INTERVALS = {"compute_confidence_intervals": True}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ours") / "out"
    benison.evaluate(table(), config(), output=path, tfma=True)
    return path


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ours") / "out"
    made = config()
    metrics = [m for m in made["metrics_specs"][0]["metrics"] if m["class_name"] != "AUC"]
    spec = {"label_key": "label", "prediction_key": "new"}
    made |= {
        "model_specs": [spec],
        "metrics_specs": [{"metrics": [*metrics, {"class_name": "AUC"}]}],
    }
    benison.evaluate(table(), made, output=path, tfma=True)
    return path


def test_every_value_and_key(output: Path) -> None:
    """Each value of ours is in TFMA's records, under the key that TFMA would give it."""
    ours = benison.load_result(output)
    values = {}
    for message in tfma.load_metrics(str(output)):
        for pair in message.metric_keys_and_values:
            key = metric_types.MetricKey.from_proto(pair.key)
            if pair.value.WhichOneof("type") == "double_value":
                values[_slice(message), key] = pair.value.double_value.value
    expected = {}
    for row in ours.metrics.to_pylist():
        is_ratio = row["kind"] == "slice_ratio"
        name = metric_text(row["metric"], row["kind"]) if is_ratio else row["metric"]
        is_diff = row["kind"] == "change"
        key = metric_types.MetricKey(
            name, row["model"], example_weighted=row["weighted"], is_diff=is_diff
        )
        if row["structured"] is None:
            expected[row["slice"], key] = row["value"]
    assert values.keys() == expected.keys()
    assert all(v == expected[k] or math.isnan(v) for k, v in values.items())
    assert {key.is_diff for _, key in values} == {True, False}


def _slice(message: Any) -> str:
    if message.HasField("cross_slice_key"):
        cross = message.cross_slice_key
        return " vs ".join(map(_name, (cross.baseline_slice_key, cross.comparison_slice_key)))
    return _name(message.slice_key)


def _name(key: Any) -> str:
    values = [
        (pair.column, getattr(pair, pair.WhichOneof("kind"))) for pair in key.single_slice_keys
    ]
    texts = [
        f"{column}={value.decode() if isinstance(value, bytes) else f'{value:.6g}'}"
        for column, value in values
    ]
    return ", ".join(texts) or "Overall"


def test_eval_result(single: Path) -> None:
    theirs, ours = tfma.load_eval_result(str(single)), benison.load_result(single)
    actual = theirs.get_metrics_for_slice(HOUR_2)
    assert actual["auc"]["doubleValue"] == ours.value("auc", {"hour": 2})
    assert actual["example_count"]["doubleValue"] == ours.value("example_count", {"hour": 2})
    matrix = actual["confusion_matrix_at_thresholds"]["confusionMatrixAtThresholds"]["matrices"]
    assert [first["threshold"] for first in matrix] == [0.25, 1.5]
    assert matrix[1]["precision"] == 1.0
    assert actual["precision"]["arrayValue"]["float64Values"][1] == "NaN"
    names = {str(key) for key in theirs.get_slice_names() if len(key) < 2}
    assert {"()", "(('fare', 0.5),)", "(('hour', 0),)"} <= names
    assert theirs.config.model_specs[0].label_key == "label"


def test_intervals(tmp_path: Path) -> None:
    made = one_model(value_threshold={"lower_bound": 0.0})
    made |= {"slicing_specs": [{}, {"feature_keys": ["hour"]}], "options": INTERVALS}
    ours = benison.evaluate(table(), made, output=tmp_path / "out", tfma=True)
    wanted = {row["slice"]: row for row in ours.metrics.to_pylist()}
    actual = tfma.load_eval_result(str(tmp_path / "out")).get_metrics_for_slice(HOUR_2)["auc"]
    names = {"value": "value", "lower": "lowerBound", "upper": "upperBound"}
    bounded = {name: actual["boundedValue"][theirs] for name, theirs in names.items()}
    assert bounded == {name: wanted["hour=2"][name] for name in names}
    for message in tfma.load_metrics(str(tmp_path / "out")):
        (pair,) = message.metric_keys_and_values
        interval, row = pair.confidence_interval, wanted[_slice(message)]
        error, degrees = interval.standard_error.double_value.value, interval.degrees_of_freedom
        assert degrees.value == 19
        end = row["value"] + stats.t.ppf(0.975, 19) * error
        assert row["upper"] == pytest.approx(min(1.0, end))


def test_the_intervals_of_what_tfma_wrote(tmp_path: Path) -> None:
    made = one_model(value_threshold={"lower_bound": 0.9}) | {"options": INTERVALS}
    theirs = _run_tfma(made, tmp_path / "theirs", "tfrecord")
    (message,) = tfma.load_metrics(str(theirs))
    (pair,) = message.metric_keys_and_values
    bounds = (pair.confidence_interval.lower_bound, pair.confidence_interval.upper_bound)
    result = benison.load_result(theirs)
    (row,) = result.metrics.to_pylist()
    assert (row["lower"], row["upper"]) == tuple(bound.double_value.value for bound in bounds)
    assert row["value"] == pair.value.double_value.value
    assert f"95 % interval {row['lower']:.4g} to {row['upper']:.4g}" in result.verdict.reasons[0]


def test_models(output: Path) -> None:
    ours = benison.load_result(output)
    assert len(tfma.load_eval_results(str(output)).get_results()) == 3
    for name in ("new", "other", "old"):
        result = tfma.load_eval_result(str(output), model_name=name)
        actual = result.get_metrics_for_slice(HOUR_2)
        expected = [ours.value("auc", {"hour": 2}, model=name, weighted=w) for w in (True, False)]
        assert actual["auc"]["doubleValue"] in expected


def test_views(single: Path) -> None:
    result = tfma.load_eval_result(str(single))
    assert [row["slice"] for row in util.get_slicing_metrics(result.slicing_metrics, "hour")] == [
        "hour:0",
        "hour:1",
        "hour:2",
    ]
    spec = tfma.slicer.SingleSliceSpec(features=HOUR_2)
    data, _ = util.get_plot_data_and_config(result.plots, spec)
    assert len(data["calibrationHistogramBuckets"]["buckets"]) == 12
    assert len(data["confusionMatrixAtThresholds"]["matrices"]) == 12
    assert widget_view.render_slicing_metrics(result, slicing_column="hour") is not None
    assert widget_view.render_plot(result, slicing_spec=spec) is not None
    assert tfma.view.render_slicing_metrics(result, slicing_column="hour") is not None
    series = tfma.make_eval_results([result, result], tfma.MODEL_CENTRIC_MODE)
    assert tfma.view.render_time_series(series) is not None


def test_data_frames(single: Path, tmp_path: Path) -> None:
    benison.evaluate(
        table(), one_model(), output=tmp_path / "out", tfma=True
    )  # TFMA fails on arrays
    frames = tfma.dataframe.metrics_as_dataframes(tfma.load_metrics(str(tmp_path / "out")))
    assert len(frames.double_value) == 1
    plots = tfma.dataframe.plots_as_dataframes(tfma.load_plots(str(single)))
    assert len(plots.calibration_histogram_buckets) > 100


def test_validation_result(output: Path) -> None:
    actual = tfma.load_validation_result(str(output))
    ours = benison.load_result(output).verdict
    failures = [
        failure for part in actual.metric_validations_per_slice for failure in part.failures
    ]
    assert not actual.validation_ok
    assert not actual.rubber_stamp
    assert len(failures) == len(ours.failures)
    assert {failure.message for failure in failures} == set(ours.reasons)
    assert [dict(spec.feature_values) for spec in actual.missing_slices] == [{"hour": "9"}]
    changes = [f for f in failures if f.metric_threshold.HasField("change_threshold")]
    assert changes
    assert all(failure.metric_key.is_diff for failure in changes)
    assert any(part.HasField("cross_slice_key") for part in actual.metric_validations_per_slice)


@pytest.mark.parametrize("lower", [0.0, 0.9])
def test_validation_of_one(tmp_path: Path, lower: float) -> None:
    made = one_model(value_threshold={"lower_bound": lower})
    benison.evaluate(table(), made, output=tmp_path / "out", tfma=True)
    actual = tfma.load_validation_result(str(tmp_path / "out"))
    theirs = _run_tfma(made, tmp_path / "theirs", "tfrecord")
    expected = tfma.load_validation_result(str(theirs))
    assert actual.validation_ok == expected.validation_ok == (lower == 0.0)
    for ours, others in itertools.zip_longest(
        actual.metric_validations_per_slice, expected.metric_validations_per_slice
    ):
        for failure in (*ours.failures, *others.failures):
            failure.ClearField("message")
            failure.ClearField("metric_value")
        assert ours == others
    assert actual.validation_details == expected.validation_details


def _with_json_parameters(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_json_parameters(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: json.dumps(item) if key == "config" else _with_json_parameters(item)
        for key, item in value.items()
    }


def _run_tfma(made: dict[str, Any], output: Path, format_: str) -> Path:
    """TFMA's own evaluation of the same table, written by its own writers."""
    import apache_beam as beam
    from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator as m
    from tensorflow_model_analysis.extractors import (
        example_weights_extractor,
        features_extractor,
        labels_extractor,
        materialized_predictions_extractor,
        slice_key_extractor,
        unbatch_extractor,
    )

    parsed = json_format.ParseDict(_with_json_parameters(made), config_pb2.EvalConfig())
    compared = any(spec.is_baseline for spec in parsed.model_specs)
    wanted = tfma.utils.update_eval_config_with_defaults(parsed, has_baseline=compared)
    extractors = [
        features_extractor.FeaturesExtractor(wanted),
        labels_extractor.LabelsExtractor(wanted),
        example_weights_extractor.ExampleWeightsExtractor(wanted),
        materialized_predictions_extractor.MaterializedPredictionsExtractor(wanted),
        unbatch_extractor.UnbatchExtractor(),
        slice_key_extractor.SliceKeyExtractor(eval_config=wanted),
    ]
    evaluators = [m.MetricsPlotsAndValidationsEvaluator(wanted)]
    keys = ("metrics", "plots", "attributions", "validations")
    writers = [
        tfma.writers.EvalConfigWriter(str(output), wanted, data_location="data"),
        tfma.writers.MetricsPlotsAndValidationsWriter(
            {key: str(output / key) for key in keys}, wanted, output_file_format=format_
        ),
    ]
    import pyarrow as pa

    columns = [pa.array([[value] for value in column.to_pylist()]) for column in table().columns]
    batch = pa.RecordBatch.from_arrays(columns, table().column_names)
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create([batch])
            | tfma.BatchedInputsToExtracts()
            | tfma.ExtractAndEvaluate(extractors=extractors, evaluators=evaluators)
            | tfma.WriteResults(writers=writers)
        )
    return output


@pytest.mark.parametrize("format_", ["tfrecord", "parquet"])
def test_what_tfma_wrote(tmp_path: Path, format_: str) -> None:
    """TFMA and we evaluate the same; its files and ours then say the same."""
    nowhere = {"feature_values": {"hour": "9"}}
    hours = {"feature_keys": ["hour"]}
    made = config(
        slicing_specs=[{}, hours, nowhere],
        cross_slicing_specs=[{"baseline_spec": {}, "slicing_specs": [hours]}],
    )
    metrics = made["metrics_specs"][0]["metrics"]
    metrics[1]["cross_slice_thresholds"] = []  # they never pass in TFMA
    # TFMA cannot weigh a sample where there are several models; it fails on the dict of weights
    metrics[:] = [metric for metric in metrics if metric["class_name"] != "FixedSizeSample"]
    theirs = benison.load_result(_run_tfma(made, tmp_path / "theirs", format_))
    ours = benison.evaluate(table(), made)
    assert theirs.provenance.endswith("by TFMA 0.52.0")
    keys = ("model", "metric", "weighted", "slice", "kind")
    actual, expected = (
        {tuple(row[key] for key in keys): row for row in result.metrics.to_pylist()}
        for result in (theirs, ours)
    )
    common = actual.keys() & expected.keys()
    assert len(common) > 150
    for key in common:
        value, structured = expected[key]["value"], expected[key]["structured"]
        assert actual[key]["value"] == pytest.approx(value, abs=1e-3, nan_ok=True)
        if not key[1].startswith("confusion_matrix_at_thresholds") or key[4] != "change":
            assert (actual[key]["structured"] is None) == (structured is None)
        assert actual[key]["examples"] == expected[key]["examples"], key
    reasons = [
        sorted(check.reason for check in result.verdict.failures if check.kind != "missing")
        for result in (theirs, ours)
    ]
    assert reasons[0] == reasons[1]
    assert "TFMA found nothing to check in hour=9." in theirs.verdict.reasons
    assert theirs.verdict.status == ours.verdict.status == "not_blessed"
    names = ("model", "weighted", "slice", "plot")
    assert {tuple(row[n] for n in names) for row in theirs.plots.to_pylist()} == {
        tuple(row[n] for n in names) for row in ours.plots.to_pylist()
    }


def test_the_samples_that_tfma_wrote(tmp_path: Path) -> None:
    """A sample of more values than there are rows holds each of them, in TFMA's files as in ours.

    TFMA's writer fails on text beyond ASCII, and keeps each value as a list of one.
    """
    names = ("hour", "fare")
    samples = [
        {"class_name": "FixedSizeSample", "config": {"name": n, "sampled_key": n, "size": 99}}
        for n in names
    ]
    made = one_model() | {"metrics_specs": [{"metrics": samples}]}
    theirs = benison.load_result(_run_tfma(made, tmp_path / "theirs", "tfrecord"))
    ours = benison.evaluate(table(), made)
    for name in names:
        actual, expected = (
            {row["metric"]: row["structured"] for row in result.metrics.to_pylist()}
            for result in (theirs, ours)
        )
        values = sorted(json.loads(expected[name]))
        assert len(values) == 90
        assert sorted(itertools.chain(*json.loads(actual[name]))) == values


def test_the_files_have_tfmas_names(output: Path, tmp_path: Path) -> None:
    theirs = _run_tfma(one_model(), tmp_path / "theirs", "tfrecord")
    assert {path.name for path in theirs.iterdir()} == set(FILES)
    assert {path.name for path in output.iterdir()} >= set(FILES)
