# SPDX-License-Identifier: Apache-2.0
"""The right values where TFMA 0.52 has others, or none: each case says what TFMA does, and has an oracle.

What needs whole runs is elsewhere: merged sums in test_laws, blessings and first models in the tests of TFX,
files and loaded names in test_interchange, slices of SQL and thresholds between slices in test_tfma_gate.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import sacrebleu
import sklearn.metrics as sk

import benison
import benison.config
from benison.errors import ConfigError

FOUR = {"label": [0.0, 1.0, 1.0, 0.0], "prediction": [0.2, 0.5, 0.9, 0.7]}
Y, P = np.array(FOUR["label"]), np.array(FOUR["prediction"])
CLASSES = {
    "label": [0, 1, 2, 1],
    "prediction": [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.5, 0.3, 0.2], [0.3, 0.4, 0.3]],
}
C, S = np.array(CLASSES["label"]), np.array(CLASSES["prediction"])
RECALLS = sk.recall_score(
    C, np.where(S.max(1) > 0.5, S.argmax(1), -1), labels=[0, 1, 2], average=None
)
SHARES = np.bincount(C) / len(C)
LOGITS = {"label": [1, 1], "prediction": [[-3.0, -1.0, -2.0], [-1.0, -2.0, -3.0]]}
WEIGHTS = {"0": 1.0, "1": 1.0, "2": 1.0}
FAILS = {"value_threshold": {"lower_bound": 1e9}}


def metric(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


class Case(NamedTuple):
    """What TFMA does, data and metrics, and the right values by name."""

    tfma: str
    data: dict[str, Any]
    metrics: list[dict[str, Any]]
    right: dict[str, float]
    spec: dict[str, Any] = {}
    more: dict[str, Any] = {}


CASES = [
    Case(
        "an area over thresholds of one's own has no ends, and is 0.25",
        FOUR,
        [metric("AUC", thresholds=[0.25, 0.5, 0.75])],
        {"auc": float(sk.roc_auc_score(Y, P))},
    ),
    Case(
        "a whole number as an operating point is a TypeError",
        FOUR,
        [
            metric("PrecisionAtRecall", recall=1),
            metric("ThresholdAtRecall", recall=1),
            metric("RecallAtPrecision", precision=1),
        ],
        {"precision_at_recall": 2 / 3, "threshold_at_recall": 0.5, "recall_at_precision": 0.5},
    ),
    Case(
        "scores below 0 are in one bin with those that are not among the first k, for 1/3 and 1",
        LOGITS,
        [metric("Precision", top_k=1), metric("Recall", top_k=1)],
        dict.fromkeys(
            ("precision", "recall"),
            float(sk.accuracy_score(LOGITS["label"], np.argmax(LOGITS["prediction"], axis=1))),
        ),
    ),
    Case(
        "a prediction of 0 or 1 makes a cross-entropy infinite",
        {"label": [1.0, 0.0], "prediction": [0.0, 0.5]},
        [metric("BinaryCrossEntropy")],
        {
            "binary_crossentropy": float(
                sk.log_loss([1.0, 0.0], np.clip([0.0, 0.5], 1e-7, 1 - 1e-7))
            )
        },
    ),
    Case(
        "a missing label is an error of 0, and its prediction is missing in a mean that keeps its weight",
        {"label": [0.0, 1.0, None], "prediction": [0.2, 0.5, 0.9], "weight": [1.0, 1.0, 1.0]},
        [metric("MeanSquaredError"), metric("MeanPrediction")],
        {
            "mean_squared_error": float(sk.mean_squared_error([0.0, 1.0], [0.2, 0.5])),
            "mean_prediction": float(np.mean([0.2, 0.5, 0.9])),
        },
    ),
    Case(
        "a mean over the first k scores is an IndexError",
        CLASSES,
        [metric("MeanLabel"), metric("MeanPrediction"), metric("Calibration")],
        {
            "mean_label": 3 / 8,
            "mean_prediction": float(np.sort(S)[:, 1:].mean()),
            "calibration": float(np.sort(S)[:, 1:].sum() / 3),
        },
        {"aggregate": {"micro_average": True, "top_k_list": [2]}},
    ),
    Case(
        "a correlation and a discrimination of one class are those of all",
        CLASSES,
        [metric("SquaredPearsonCorrelation"), metric("CoefficientOfDiscrimination")],
        {
            "squared_pearson_correlation": float(np.corrcoef(C == 1, S[:, 1])[0, 1] ** 2),
            "coefficient_of_discrimination": float(S[C == 1, 1].mean() - S[C != 1, 1].mean()),
        },
        {"binarize": {"class_ids": [1]}},
    ),
    Case(
        "a fixed slice of a text that looks like a number has no rows",
        {**FOUR, "f": ["1", "1", "2", "2"]},
        [metric("ExampleCount")],
        {"example_count": 2.0},
        more={"slicing_specs": [{"feature_values": {"f": "1"}}]},
    ),
    Case(
        "a text of bytes cannot be scored by BLEU",
        {
            "label": [b"the cat sat on the mat", b"a dog"],
            "prediction": [b"the cat sat on a mat", b"a dog"],
        },
        [metric("Bleu")],
        {
            "BLEU": sacrebleu.corpus_bleu(
                ["the cat sat on a mat", "a dog"], [["the cat sat on the mat", "a dog"]]
            ).score
        },
    ),
]


def evaluated(case: Case) -> benison.EvalResult:
    model = {"label_key": "label", "prediction_key": "prediction"}
    if "weight" in case.data:
        model["example_weight_key"] = "weight"
    config = {
        "model_specs": [model],
        "metrics_specs": [{"metrics": case.metrics, **case.spec}],
        **case.more,
    }
    return benison.evaluate(pa.table(case.data), config)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.tfma)
def test_the_value_is_right(case: Case) -> None:
    result = evaluated(case)
    made = dict(
        zip(result.metrics["metric"].to_pylist(), result.metrics["value"].to_pylist(), strict=True)
    )
    assert made == pytest.approx(case.right, rel=1e-6)


AVERAGES = {
    "weighted_macro_average": ("Recall", float((SHARES * RECALLS).sum())),
    "micro_average": ("MeanLabel", 1 / 3),
}


@pytest.mark.parametrize("average", AVERAGES)
def test_a_threshold_holds_on_an_average_over_classes(average: str) -> None:
    """TFMA writes the one average under another's name and the other under none, and finds neither."""
    class_name, value = AVERAGES[average]
    exact = {"value_threshold": {"lower_bound": value, "upper_bound": value}}
    options = {average: True, **({"class_weights": WEIGHTS} if "macro" in average else {})}
    gate = {"class_name": class_name, "threshold": exact}
    assert evaluated(Case("", CLASSES, [gate], {}, {"aggregate": options})).verdict.blessed


def matrix(columns: dict[str, Any]) -> dict[tuple[float, int, int], float]:
    names = ("threshold", "actual_class_id", "predicted_class_id", "num_weighted_examples")
    rows = zip(*(columns[name] for name in names), strict=True)
    return {(t, int(a), int(p)): w for t, a, p, w in rows if w}


def expected_matrix(*thresholds: float) -> dict[tuple[float, int, int], float]:
    cells: dict[tuple[float, int, int], float] = {}
    for t in thresholds:
        for actual, scores in zip(C, S, strict=True):
            predicted = int(scores.argmax()) if scores.max() > t else -1
            key = (t, int(actual), predicted)
            cells[key] = cells.get(key, 0.0) + 1
    return cells


def test_thresholds_of_a_matrix_may_come_in_any_order() -> None:
    """TFMA keeps that no class was predicted from one threshold to the next."""
    made = evaluated(
        Case(
            "",
            CLASSES,
            [metric("MultiClassConfusionMatrixAtThresholds", thresholds=[0.55, 0.1])],
            {},
        )
    )
    assert matrix(json.loads(made.metrics["structured"][0].as_py())) == expected_matrix(0.1, 0.55)


def test_a_matrix_and_a_plot_have_thresholds_of_their_own() -> None:
    """TFMA takes the two for one, and shows the matrix of the first."""
    both = [
        metric("MultiClassConfusionMatrixAtThresholds", thresholds=[0.55]),
        metric("MultiClassConfusionMatrixPlot", thresholds=[0.1]),
    ]
    made = evaluated(Case("", CLASSES, both, {}))
    assert matrix(json.loads(made.metrics["structured"][0].as_py())) == expected_matrix(0.55)
    assert matrix(dict(made.plots["columns"][0].as_py())) == expected_matrix(0.1)


def test_one_metric_of_the_first_k_and_of_all_has_two_values() -> None:
    """TFMA shares one matrix between the two."""
    alone = [metric("Recall", name="first", top_k=1), metric("Recall", name="first_2", top_k=2)]
    result = evaluated(Case("", CLASSES, alone, {}))
    top = sk.top_k_accuracy_score
    assert result.value("first") == pytest.approx(top(C, S, k=1))
    assert result.value("first_2") == pytest.approx(top(C, S, k=2))


def test_small_slices_are_neither_compared_nor_failed() -> None:
    """TFMA ends in an IndexError with a comparison, and fails each small slice with a threshold."""
    table = {**FOUR, "f": ["a", "a", "a", "b"]}
    crossed = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["f"]}]}
    more = {
        "slicing_specs": [{}, {"feature_keys": ["f"]}],
        "cross_slicing_specs": [crossed],
        "options": {"min_slice_size": 2},
    }
    least = {"value_threshold": {"lower_bound": 1.0}}
    result = evaluated(
        Case("", table, [{"class_name": "ExampleCount", "threshold": least}], {}, {}, more)
    )
    assert result.verdict.blessed
    assert "f=b" not in str(result.metrics.to_pylist())
    assert result.value("example_count", "Overall vs f=a", kind="slice_difference") == 1.0


def test_a_threshold_on_a_list_is_refused_before_the_data_are_read() -> None:
    """TFMA ends in a TypeError after the pass."""
    gate = {**metric("Precision", thresholds=[0.3, 0.6]), "threshold": FAILS}
    with pytest.raises(ConfigError, match="is a list of 2 values and not a number"):
        evaluated(Case("", FOUR, [gate], {}))


def test_a_fall_below_a_negative_baseline_is_a_fall() -> None:
    """TFMA divides by the signed value: from -0.5 to -0.575 is a rise to it."""
    base = {"label_key": "label", "prediction_key": "old", "name": "old", "is_baseline": True}
    new = {"label_key": "label", "prediction_key": "prediction", "name": "new"}
    threshold = {"change_threshold": {"direction": "HIGHER_IS_BETTER", "relative": 0.0}}
    config = {
        "model_specs": [new, base],
        "metrics_specs": [{"metrics": [{"class_name": "MeanPrediction", "threshold": threshold}]}],
    }
    table = pa.table({"label": [0.0], "prediction": [-0.575], "old": [-0.5]})
    assert not benison.evaluate(table, config).verdict.blessed


def test_metrics_of_two_kinds_of_one_name_are_not_one() -> None:
    """TFMA computes one of its cross-entropy and Keras', which have one name."""
    both = [metric("BinaryCrossEntropy", label_smoothing=0.1), metric("BinaryCrossentropy")]
    with pytest.raises(ConfigError, match="binary_crossentropy"):
        evaluated(Case("", FOUR, both, {}))


def test_an_interval_is_around_the_value_and_of_a_level_that_is_kept() -> None:
    """TFMA's is around the mean of 20 samples, which another run draws anew."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {"label": rng.integers(0, 2, 400).astype(float), "prediction": rng.random(400)}
    )
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "metrics_specs": [{"metrics": [metric("BinaryAccuracy")]}],
        "options": {"compute_confidence_intervals": True},
    }
    first, other = (benison.evaluate(table, config).metrics.to_pylist()[0] for _ in range(2))
    assert first == other
    assert math.isclose((first["lower"] + first["upper"]) / 2, first["value"], rel_tol=1e-9)


PARTS = """
    AggregationOptions BinarizationOptions ConfidenceIntervalOptions CrossSliceMetricThreshold
    CrossSliceMetricThresholds CrossSlicingSpec EvalConfig ExampleWeightOptions GenericChangeThreshold
    GenericValueThreshold MetricConfig MetricDirection MetricThreshold MetricsSpec ModelSpec Options
    PaddingOptions PerSliceMetricThreshold PerSliceMetricThresholds SlicingSpec
"""


def test_the_parts_of_a_config_have_names_that_can_be_imported() -> None:
    """TFMA's package lists them, and has but nine of them, and these where TFX was imported before."""
    assert not set(PARTS.split()) - {*dir(benison.config)}
    assert not set(benison.__all__) - {*dir(benison)}


NEW_AND_OLD = [
    {"name": name, "label_key": "label", "prediction_key": column, "example_weight_key": "weight"}
    for name, column in (("new", "prediction"), ("old", "old_prediction"))
]


def test_texts_and_means_have_weights_and_a_value_for_each_model() -> None:
    """TFMA refuses a weight column for them, and gives the values of two models one name."""
    table = {
        "label": ["a b", "c d"],
        "prediction": ["a b", "c c"],
        "old_prediction": ["a a", "c d"],
        "weight": [1.0, 3.0],
        "f": [1.0, 2.0],
    }
    mean = metric("Mean", feature_key_path=["features", "f"])
    metrics = [metric("Rouge", rouge_type="rouge1"), mean]
    config = {"model_specs": NEW_AND_OLD, "metrics_specs": [{"metrics": metrics}]}
    result = benison.evaluate(pa.table(table), config)
    recalls = [result.value("rouge1/recall", model=name) for name in ("new", "old")]
    assert recalls == pytest.approx([np.average(r, weights=[1, 3]) for r in ([1, 0.5], [0.5, 1])])
    assert result.value("mean_features.f", model="old") == pytest.approx(7 / 4)


def test_weights_are_no_images() -> None:
    """TFMA puts the weight in the place of the images, so that nothing is counted."""
    truth, seen = [[[1, 2], [1, 1]]] * 2, [[[1, 1], [1, 2]]] * 2
    keys = {"ground_truth_key": "truth", "prediction_key": "seen", "class_ids": [1]}
    named = metric("SemanticSegmentationTruePositive", decode_ground_truth=False, **keys)
    config = {
        "model_specs": [{"example_weight_key": "weight"}],
        "metrics_specs": [{"metrics": [named]}],
    }
    table = pa.table({"truth": truth, "seen": seen, "weight": [0.5, 2.0]})
    (row,) = benison.evaluate(table, config).metrics.to_pylist()
    assert row["value"] == 2 * 0.5 + 2 * 2.0


@pytest.mark.parametrize("disabled", ["metrics", "plots"])
def test_an_output_is_left_out_by_itself(disabled: str, tmp_path: Path) -> None:
    """TFMA writes both unless both are listed, and the attributions with them."""
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "metrics_specs": [{"metrics": [metric("ConfusionMatrixPlot"), metric("AUC")]}],
        "options": {"disabled_outputs": [disabled]},
    }
    benison.evaluate(pa.table(FOUR), config, output=tmp_path / "out")
    written = benison.load_result(tmp_path / "out")
    rows = {"metrics": written.metrics.num_rows, "plots": written.plots.num_rows}
    assert {name for name, count in rows.items() if count} == {*rows} - {disabled}


def test_metrics_come_in_the_order_of_the_config() -> None:
    """The keys of TFMA have no order, so that its files list them by chance."""
    names = ["Recall", "AUC", "MeanLabel", "ExampleCount", "BinaryAccuracy"]
    result = evaluated(Case("", FOUR, [metric(name) for name in names], {}))
    assert result.metrics["metric"].to_pylist() == [
        *("recall", "auc", "mean_label", "example_count", "binary_accuracy")
    ]


AVERAGED = {
    "outputs": {"output_names": ["a", "b"], "output_weights": {"a": 0.5, "b": 0.5}},
    "classes": {"aggregate": {"macro_average": True, "class_weights": {"0": 1.0, "1": 1.0}}},
}


@pytest.mark.parametrize("of", AVERAGED)
def test_a_list_has_no_mean(of: str) -> None:
    """TFMA fails in the mean over outputs; a list that is left out would be missed by nobody."""
    model = {"label_key": "label", "prediction_key": "prediction"}
    if of == "outputs":
        keys = {name: {"a": "label", "b": "label"} for name in ("label_keys", "prediction_keys")}
        model = keys  # type: ignore[assignment]
    spec = {"metrics": [metric("Precision", thresholds=[0.3, 0.6])], **AVERAGED[of]}
    table = pa.table(FOUR if of == "outputs" else CLASSES)
    with pytest.raises(ConfigError, match=f"no mean over {of}"):
        benison.evaluate(table, {"model_specs": [model], "metrics_specs": [spec]})
