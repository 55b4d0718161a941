# SPDX-License-Identifier: Apache-2.0
"""What TFMA's own tests of evaluators and slices expect of whole runs, and those of Fairness Indicators.

The inputs and numbers are facts of github.com/tensorflow/model-analysis and of
github.com/tensorflow/fairness-indicators. TFMA's tests call models; here their predictions are in the data.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import benison
from benison.config import EvalConfig
from benison.evaluation.compiled import with_compiled

KEYS = {"label_key": "label", "prediction_key": "prediction"}
OF_MODELS = {
    "label": [1.0, 0.0],
    "prediction": [0.0, 0.0],
    "old": [0.0, 1.0],
    "example_weight": [1.0, 0.5],
}


def metrics(*names: str) -> list[dict[str, Any]]:
    return [{"class_name": name} for name in names]


@pytest.mark.parametrize("options", [{}, {"compute_confidence_intervals": True}], ids=str)
def test_changes_of_a_model_are_those_of_tfmas_test(options: Any) -> None:
    """The candidate says 0, the baseline what its input is; intervals are around the same values."""
    keys = {**KEYS, "example_weight_key": "example_weight"}
    old = {**keys, "name": "baseline", "is_baseline": True, "prediction_key": "old"}
    named = metrics("WeightedExampleCount", "MeanLabel", "MeanPrediction")
    config = {
        "model_specs": [{**keys, "name": "candidate"}, old],
        "metrics_specs": [{"metrics": named}],
        "options": options,
    }
    result = benison.evaluate(pa.table(OF_MODELS), config)
    changes = [
        result.value(name, kind="change")
        for name in ("weighted_example_count", "mean_label", "mean_prediction")
    ]
    assert changes == pytest.approx([0, 0, -0.5 / 1.5])


def test_a_metric_may_be_weighted_and_not() -> None:
    specs = [
        {
            "metrics": metrics("MeanLabel"),
            "example_weights": {"weighted": True, "unweighted": True},
        },
        {"metrics": metrics("ExampleCount"), "example_weights": {"unweighted": True}},
        {"metrics": metrics("WeightedExampleCount"), "example_weights": {"weighted": True}},
    ]
    model = {**KEYS, "example_weight_key": "example_weight"}
    rows = benison.evaluate(pa.table(OF_MODELS), {"model_specs": [model], "metrics_specs": specs})
    made = {(row["metric"], row["weighted"]): row["value"] for row in rows.metrics.to_pylist()}
    assert made == pytest.approx(
        {
            ("mean_label", True): 1 / 1.5,
            ("mean_label", False): 1 / 2,
            ("example_count", False): 2,
            ("weighted_example_count", True): 1.5,
        }
    )


ROWS = {"a": [1, None, 2], "b": [2, 2, None], "c": [3, None, None], "label": [0.0] * 3, "prediction": [0.0] * 3}  # fmt: skip


def slices_of(table: Any, specs: Any, crossed: Any = ()) -> list[str]:
    config = {
        "model_specs": [KEYS],
        "slicing_specs": specs,
        "cross_slicing_specs": list(crossed),
        "metrics_specs": [{"metrics": metrics("ExampleCount")}],
    }
    return sorted({*benison.evaluate(pa.table(table), config).metrics["slice"].to_pylist()})


# The compared slices, and the comparisons that are made of them.
CROSSED: list[tuple[Any, Any, list[str]]] = [
    ({}, [{"feature_values": {"b": "2"}}], ["Overall vs b=2"]),
    ({"feature_values": {"a": "1"}}, [{"feature_values": {"b": "2"}}], ["a=1 vs b=2"]),
    ({"feature_keys": ["a"]}, [{"feature_values": {"b": "2"}}], ["a=1 vs b=2", "a=2 vs b=2"]),
    ({"feature_values": {"a": "1"}}, [{"feature_keys": ["b"]}], ["a=1 vs b=2"]),
    (
        {"feature_values": {"a": "1"}},
        [{"feature_keys": ["b"]}, {"feature_keys": ["c"]}],
        ["a=1 vs b=2", "a=1 vs c=3"],
    ),
    ({}, [], ["Overall vs a=1", "Overall vs a=2"]),  # no slices: all that are computed
]


@pytest.mark.parametrize("case", CROSSED, ids=str)
def test_slices_are_compared_as_in_tfma(case: Any) -> None:
    baseline, others, expected = case
    crossed = [{"baseline_spec": baseline, "slicing_specs": others}]
    made = slices_of(ROWS, [{}, {"feature_keys": ["a"]}], crossed)
    assert [name for name in made if " vs " in name] == expected


def test_slices_without_specs_and_of_bytes() -> None:
    """TFMA ends in a ValueError at bytes that are no text."""
    assert slices_of(ROWS, []) == ["Overall"]
    table = {"f": [b"\xff", b"a", b"a"], "label": [0.0] * 3, "prediction": [0.0] * 3}
    with pytest.raises(benison.BenisonError, match="'f'"):
        slices_of(table, [{"feature_keys": ["f"]}])


FAIRNESS = {
    "slice": ["slice1"] * 3 + ["slice2"] * 2 + ["slice3"] * 4 + ["slice1", "slice3", "slice1"],
    "label": [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    "prediction": [0.01] * 12,
}
COMMENTS: dict[str, Any] = {
    "slicing_specs": [{}, {"feature_keys": ["slice"]}],
    "metrics_specs": [{"metrics": metrics("ExampleCount", "FairnessIndicators")}],
}


def test_fairness_indicators_of_the_example_model() -> None:
    """Its model, which was trained for one epoch, scores all texts below 0.1."""
    result = benison.evaluate(pa.table(FAIRNESS), {"model_specs": [KEYS], **COMMENTS})
    assert result.slices() == ["Overall", "slice=slice1", "slice=slice2", "slice=slice3"]
    rates = {
        "false_positive": 0.0,
        "false_negative": 1.0,
        "true_positive": 0.0,
        "true_negative": 1.0,
    }
    for rate, value in rates.items():
        name = f"fairness_indicators_metrics/{rate}_rate@0.1"
        assert result.value(name, slice="slice=slice1") == value
    assert result.value("example_count", slice="slice=slice1") == 5


def test_the_config_of_the_fairness_tutorial(tmp_path: Path) -> None:
    """Nine thresholds, intervals, no analysis; Accuracy of scores is what Benison refuses, so that it is left out."""
    thresholds = [0.4, 0.4125, 0.425, 0.4375, 0.45, 0.4675, 0.475, 0.4875, 0.5]
    indicators = {"class_name": "FairnessIndicators", "config": {"thresholds": thresholds}}
    config = {
        "model_specs": [KEYS],
        "metrics_specs": [{"metrics": [*metrics("AUC", "ExampleCount"), indicators]}],
        "slicing_specs": [{"feature_keys": ["slice"]}, {}],
        "options": {
            "compute_confidence_intervals": True,
            "disabled_outputs": {"values": ["analysis"]},
        },
    }
    result = benison.evaluate(pa.table(FAIRNESS), config, output=tmp_path / "out")
    names = {name for name in result.metric_names() if name.startswith("fairness_indicators")}
    assert len(names) % len(thresholds) == 0
    assert {name.partition("@")[2] for name in names} == {str(t) for t in thresholds}
    assert not (tmp_path / "out" / "analysis").exists()


@pytest.mark.parametrize(
    ("slice_", "baseline", "expected"),
    [
        ("gender=female", "Overall", 0.125),
        ("Overall", "gender=female", -1 / 9),
        ("gender=female", "gender=female", 0.0),
    ],
)
def test_relative_gaps_between_slices(slice_: str, baseline: str, expected: float) -> None:
    """What weight_utils computes of a result: how much larger a rate is than the baseline's, as a share of it."""
    female = [1.0] * 9 + [0.0] * 91
    others = [1.0] * 7 + [0.0] * 93  # so that Overall has 16 in 200, 0.08
    table = {"label": female + others, "prediction": [0.0] * 200, "gender": ["female"] * 100 + [None] * 100}  # fmt: skip
    specs = [{}, {"feature_keys": ["gender"]}]
    config = {"model_specs": [KEYS], "slicing_specs": specs, "metrics_specs": [{"metrics": metrics("MeanLabel")}]}  # fmt: skip
    result = benison.evaluate(pa.table(table), config)
    base = result.value("mean_label", slice=baseline)
    assert (result.value("mean_label", slice=slice_) - base) / base == pytest.approx(expected)
    with pytest.raises(benison.BenisonError, match="nonexistent"):
        result.value("mean_label", slice="nonexistent=slice")
    with pytest.raises(benison.BenisonError, match="nonexistent_metric"):
        result.value("nonexistent_metric", slice=slice_)
    assert not math.isnan(base)


def entry(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


LOSS = entry("BinaryCrossentropy", reduction="auto", name="loss", axis=-1, fn="binary_crossentropy")
ACCURACY = entry("BinaryAccuracy", name="binary_accuracy", dtype="float32", threshold=0.5)
BY_NAME = entry("MeanMetricWrapper", name="accuracy", dtype="float32", fn="binary_accuracy")
# What Keras 2 writes into keras_metadata.pb, and the metrics by output, class and name.
COMPILED: list[tuple[Any, list[tuple[tuple[str, ...], str, str]]]] = [
    (
        {"loss": LOSS, "metrics": [[ACCURACY, BY_NAME]], "weighted_metrics": None},
        [
            ((), "BinaryAccuracy", "binary_accuracy"),
            ((), "BinaryAccuracy", "accuracy"),
            ((), "BinaryCrossentropy", "loss"),
        ],
    ),
    (
        {
            "loss": {"a": "binary_crossentropy", "b": "mse"},
            "metrics": [[entry("AUC", name="a_auc", num_thresholds=200)], [BY_NAME]],
        },
        [
            (("a",), "AUC", "a_auc"),
            (("a",), "BinaryCrossentropy", "loss"),
            (("b",), "BinaryAccuracy", "accuracy"),
            (("b",), "MeanSquaredError", "loss"),
        ],
    ),
    (None, []),
]


@pytest.mark.parametrize(("training", "expected"), COMPILED, ids=["one", "outputs", "none"])
def test_metrics_of_a_keras_saved_model_are_found(
    tmp_path: Path, training: Any, expected: Any
) -> None:
    """TFMA 0.52 finds none: it loads such a model with a Keras 3 that cannot read it."""
    (tmp_path / "saved_model.pb").write_bytes(b"")
    text = json.dumps({"name": "model", "training_config": training}).encode()
    head = b'\n\x85{\x1a\x04root"\x10_tf_keras_model*\x85{'  # with bytes that look like an object
    (tmp_path / "keras_metadata.pb").write_bytes(head + text + b"\n\x07{" + text)
    given = {
        "model_specs": [{"label_key": "label"}],
        "metrics_specs": [{"metrics": metrics("ExampleCount")}],
        "options": {"include_default_metrics": True},
    }
    config = EvalConfig.load(given).with_defaults(False)
    if not expected:
        with pytest.raises(benison.ConfigError, match="no model here is one of Keras that was"):
            with_compiled(config, {"": str(tmp_path)})
        return
    full = with_compiled(config, {"": str(tmp_path)})
    specs = full.metrics_specs[1:]
    made = [
        (spec.output_names, m.class_name, m.config["name"]) for spec in specs for m in spec.metrics
    ]
    assert made == expected


@pytest.mark.parametrize(
    ("chosen", "columns"),
    [({"columns": ["a"]}, ["a"]), ({"exclude": ["a"]}, ["b"]), ({"exclude": []}, ["a", "b"]), ({"columns": []}, [])],
)  # fmt: skip
def test_columns_of_the_analysis_are_included_or_excluded(chosen: Any, columns: list[str]) -> None:
    """Without either, TFMA takes all keys but the serialized input; here the labels and predictions alone."""
    config = {"model_specs": [KEYS], "metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]}
    rows = {"label": [1.0, 0.0], "prediction": [0.0, 0.5], "a": [1, 2], "b": [3, 4]}
    evaluator = benison.AnalysisEvaluator(**{"columns": (), **chosen})
    table = benison.evaluate(pa.table(rows), config, evaluators=[evaluator]).analysis()
    assert [name for name in table.column_names if name in ("a", "b")] == columns
    assert table["labels"].to_pylist() == rows["label"]
