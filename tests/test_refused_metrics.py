# SPDX-License-Identifier: Apache-2.0
"""What is refused of weights, metrics, thresholds and evidence before data are read, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
from tests.conftest import config
from tests.test_refusals import CROSSED, CROSSING, FALL, LOW, TRIPS, checked, faults_of, words_of

# Weights.

TWO = [
    {"name": "new", "label_key": "label", "prediction_key": "prediction", "example_weight_key": "weight"},
    {"name": "old", "label_key": "label", "prediction_key": "old_prediction", "is_baseline": True},
]  # fmt: skip
OUTPUTS = {
    "label_keys": {"a": "label", "b": "label"},
    "prediction_keys": {"a": "prediction", "b": "old_prediction"},
    "example_weight_keys": {"a": "weight"},
    "label_key": "",
    "prediction_key": "",
}


def test_weighted_values_need_weights() -> None:
    asked = {"example_weights": {"weighted": True}}
    (fault,) = faults_of(config("AUC", spec=asked)).items()
    assert fault == (
        "metrics_specs[0].example_weights.weighted",
        "the model has no weight column. Name it with example_weight_key in model_specs, or ask for "
        "unweighted values.",
    )
    (fault,) = faults_of({**config("AUC", spec=asked), "model_specs": TWO}).items()
    assert "the model 'old' has no weight column" in fault[1]
    (fault,) = faults_of(config("AUC", spec=asked, model=OUTPUTS)).items()
    assert "the output 'b' has no weight column" in fault[1]


def test_weighted_values_are_not_compared_with_unweighted_ones() -> None:
    (fault,) = faults_of({**config("AUC"), "model_specs": TWO}).items()
    assert fault[0] == "metrics_specs[0].example_weights"
    assert "and the model 'old' has none. Name one for each, or say example_weights:" in fault[1]


@pytest.mark.parametrize("model", [{}, {"example_weight_key": "weight"}, OUTPUTS])
def test_unweighted_values_can_always_be_asked_for(model: Any) -> None:
    asked = {"example_weights": {"unweighted": True}}
    assert not any(benison.evaluate(TRIPS, config("AUC", spec=asked, model=model)).metrics["weighted"].to_pylist())  # fmt: skip


# Metrics and thresholds.


def test_thresholds_on_metrics_that_no_model_was_compiled_with_are_refused() -> None:
    named = {"thresholds": {"accuracy": LOW, "loss": LOW, "binary_acuracy": LOW}}
    actual = faults_of(config("BinaryAccuracy", spec=named))
    not_run = "Nor was a Keras model compiled with it. To compute it, add to metrics"
    accuracy = actual["metrics_specs[0].thresholds.accuracy"]
    assert not_run in accuracy
    assert "{class_name: BinaryAccuracy, config: {name: accuracy}}" in accuracy
    assert "{class_name: ..., config: {name: loss}}" in actual["metrics_specs[0].thresholds.loss"]
    near = actual["metrics_specs[0].thresholds.binary_acuracy"]
    assert near.endswith("Did you mean 'binary_accuracy'?")
    alone = {"model_specs": [{"label_key": "label", "prediction_key": "prediction"}], "metrics_specs": [named]}  # fmt: skip
    assert not_run in faults_of(alone)["metrics_specs[0].thresholds.accuracy"]


def test_default_metrics_of_a_model_are_refused_or_off() -> None:
    (fault,) = faults_of(config("AUC", options={"include_default_metrics": True})).items()
    assert fault[0] == "options.include_default_metrics"
    assert "that was compiled with metrics. Set this to false" in fault[1]
    assert benison.evaluate(TRIPS, config("AUC", options={"include_default_metrics": False}))


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ({"class_name": "Recall", "config": {"thresholds": [0.2, 0.5]}}, "recall is a list of 2 values and not a number"),
        ({"class_name": "PrecisionAtRecall", "config": {"recall": [0.5, 1]}}, "precision_at_recall is a list of 2 values"),
        ({"class_name": "ConfusionMatrixAtThresholds", "config": {"thresholds": [0.5]}}, "confusion_matrix_at_thresholds is a table and not a number"),
        ({"class_name": "ConfusionMatrixPlot"}, "confusion_matrix_plot is a table and not a number"),
    ],
)  # fmt: skip
def test_a_bound_is_on_one_number(tmp_path: Path, metric: Any, sentence: str) -> None:
    (fault,) = faults_of(config({**metric, "threshold": LOW})).items()
    assert fault[0] == "metrics_specs[0].metrics[0].threshold"
    assert sentence in fault[1]
    name = fault[1].partition(" ")[0]
    by_name = config(metric, spec={"thresholds": {name: LOW}})
    assert sentence in faults_of(by_name)[f"metrics_specs[0].thresholds.{name}"]
    assert sentence in words_of(checked(tmp_path, config({**metric, "threshold": LOW})))
    assert benison.evaluate(TRIPS, config(metric))


WIDE = pa.table({"label": [1.0, 0.0, 1.0], "prediction": [[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]})


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float64(), 2), pa.large_list(pa.float32())])  # fmt: skip
@pytest.mark.parametrize("name", ["AUC", "Recall", "BinaryAccuracy", "CalibrationPlot"])
def test_several_scores_in_a_row_are_known_before_they_are_read(
    tmp_path: Path, name: str, kind: pa.DataType
) -> None:
    table = WIDE.set_column(1, "prediction", WIDE["prediction"].cast(kind))
    (fault,) = faults_of(config(name), table).items()
    assert fault[0] == "metrics_specs[0].metrics[0]"
    assert "the predictions in 'prediction' are several numbers in each row." in fault[1]
    assert "class_ids" in fault[1]
    pq.write_table(table, tmp_path / "eval.parquet")
    assert checked(tmp_path, config(name), "--examples", tmp_path / "eval.parquet").exit_code == 2


def test_several_scores_that_are_taken_apart() -> None:
    assert benison.evaluate(WIDE, config("CategoricalAccuracy")).value("categorical_accuracy") == 1
    asked = {"binarize": {"class_ids": [1]}}
    assert benison.evaluate(WIDE, config("AUC", spec=asked)).value("auc") == 1
    one_hot = WIDE.set_column(0, "label", pa.array([[0.0, 1], [1, 0], [0, 1]]))
    assert benison.evaluate(one_hot, config("MeanSquaredError"))
    single = WIDE.set_column(1, "prediction", pa.array([[0.9], [0.2], None]))
    assert benison.evaluate(single, config("AUC"))


@pytest.mark.parametrize("spec", [{"binarize": {"class_ids": [1]}}, {"aggregate": {"micro_average": True}}])  # fmt: skip
def test_one_score_has_no_classes(spec: Any) -> None:
    (fault,) = faults_of(config("AUC", spec=spec)).items()
    assert fault[0] == f"metrics_specs[0].{next(iter(spec))}"
    assert "one number in each row, not one for each class. Take this out." in fault[1]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("OneHotMeanIoU", {"num_classes": 3}),
        ("MeanRelativeError", {"normalizer": [1.0, 2.0, 3.0]}),
        ("CategoricalFocalCrossentropy", {"alpha": [0.2, 0.3, 0.5]}),
    ],
)
def test_parameters_may_be_about_more_than_two_classes(name: str, parameters: Any) -> None:
    rows = pa.table({"label": [[1.0, 0, 0], [0, 0, 1.0]], "prediction": [[0.6, 0.2, 0.2]] * 2})
    result = benison.evaluate(rows, config({"class_name": name, "config": parameters}))
    assert result.metrics["evaluated"].to_pylist() == [2]


def test_variants_without_a_model_that_is_called() -> None:
    made = {**config("AUC"), "variants": [{"name": "v", "set_to": {"company": "a"}}]}
    with pytest.raises(benison.ConfigError, match=r"variants: .*need a model that is called"):
        benison.evaluate(TRIPS, made)


def test_a_query_key_that_groups_nothing() -> None:
    (fault,) = faults_of(config("AUC", spec={"query_key": "company"})).items()
    assert fault[0] == "metrics_specs[0].query_key"
    assert "none of these metrics looks at queries" in fault[1]


def test_evidence_that_no_pass_could_give_is_refused() -> None:
    made = config(
        {"class_name": "Precision", "threshold": {**LOW, "evidence": "worse"}},
        spec={"aggregate": {"macro_average": True, "class_weights": {0: 1.0, 1: 1.0}}},
    )
    fault = faults_of(made)["metrics_specs[0].metrics[0].threshold.evidence"]
    assert (
        fault == "how far precision may be from its true value is not known; say evidence: point."
    )


@pytest.mark.parametrize(
    ("metric", "of_spec", "of_metric", "sentence"),
    [
        (
            "MeanLabel",
            {},
            {"threshold": {**FALL}},
            "mean_label is the same for both models, as it looks at no predictions; say evidence: point.",
        ),
        (
            "MeanLabel",
            {"cross_slice_thresholds": {"mean_label_ratio": {"thresholds": [CROSSED]}}},
            {},
            "mean_label is the same for both models, as it looks at no predictions; say evidence: point.",
        ),
    ],
)
def test_evidence_is_refused_of_what_has_none(
    metric: str, of_spec: Any, of_metric: dict[str, Any], sentence: str
) -> None:
    """Of changes of what looks at labels alone, in a slice and between two."""
    for threshold in of_metric.values():
        threshold["evidence"] = "worse"
    slices = ({}, {"feature_keys": ["hour"]})
    crossed = [] if of_metric else [CROSSING]
    made = config(
        {"class_name": metric, **of_metric},
        spec=of_spec,
        slices=slices,
        cross_slicing_specs=crossed,
    )
    spec = {"label_key": "label", "prediction_key": "prediction"}
    made["model_specs"] = [
        {"name": "new", **spec},
        {"name": "old", **spec, "is_baseline": True},
    ]
    assert [*faults_of(made).values()] == [sentence]


def test_ranks_and_clusters_have_evidence_by_blocks() -> None:
    made = config({"class_name": "SpearmanCorrelation", "threshold": {**LOW, "evidence": "worse"}})
    made["options"] = {"confidence": {"cluster_key": "hour"}}
    result = benison.evaluate(TRIPS, made)
    row = next(r for r in result.metrics.to_pylist() if r["metric"] == "spearman_correlation")
    assert row["interval_method"] == "blocks"
