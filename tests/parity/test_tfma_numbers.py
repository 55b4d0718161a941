# SPDX-License-Identifier: Apache-2.0
"""The numbers that TFMA's own tests of metrics expect, file by file, asked of Benison.

The inputs and numbers are facts of github.com/tensorflow/model-analysis; TFMA itself does not run. Where the
right value is another, the case has it, with what TFMA does wrong and where the value is from.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

import benison
from tests.parity.tfma_rows import DATA, NAN


class Case(NamedTuple):
    """A metric of some data, and the value that a test of TFMA expects."""

    file: str
    data: str
    class_name: str
    expected: float
    config: dict[str, Any] = {}
    spec: dict[str, Any] = {}
    right: tuple[Callable[[Any], float], str] | None = None
    """Where TFMA is wrong: an oracle of the data, and what TFMA does."""


def confusion(data: str, values: dict[str, float]) -> list[Case]:
    return [Case("confusion_matrix_metrics", data, name, value) for name, value in values.items()]


def at(data: str, points: list[tuple[str, str, float, float]]) -> list[Case]:
    return [
        Case("confusion_matrix_metrics", data, name, value, {parameter: bound})
        for name, parameter, bound, value in points
    ]


def rates(tp: float, tn: float, fp: float, fn: float) -> dict[str, float]:
    """The counts and rates as TFMA's test writes them down."""
    tpr, tnr, ppv, npv = tp / (tp + fn), tn / (tn + fp), tp / (tp + fp), tn / (tn + fn)
    every = tp + tn + fp + fn
    values = {
        "TruePositives TP": tp,
        "FalsePositives FP": fp,
        "TrueNegatives TN": tn,
        "FalseNegatives FN": fn,
        "BinaryAccuracy": (tp + tn) / every,
        "Precision PPV": ppv,
        "Recall TPR": tpr,
        "Specificity TNR": tnr,
        "FallOut FPR": 1 - tnr,
        "MissRate FNR": 1 - tpr,
        "NegativePredictiveValue NPV": npv,
        "FalseDiscoveryRate": 1 - ppv,
        "FalseOmissionRate": 1 - npv,
        "Prevalence": (tp + fn) / every,
        "PrevalenceThreshold": (math.sqrt(tpr * (1 - tnr)) + tnr - 1) / (tpr + tnr - 1),
        "ThreatScore": tp / (tp + fn + fp),
        "BalancedAccuracy": (tpr + tnr) / 2,
        "F1Score": 2 * tp / (2 * tp + fp + fn),
        "MatthewsCorrelationCoefficient": (tp * tn - fp * fn)
        / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
        "FowlkesMallowsIndex": math.sqrt(ppv * tpr),
        "Informedness": tpr + tnr - 1,
        "Markedness": ppv + npv - 1,
        "PositiveLikelihoodRatio": tpr / (1 - tnr),
        "NegativeLikelihoodRatio": (1 - tpr) / tnr,
        "PredictedPositiveRate": (tp + fp) / every,
    }
    if fn:
        values["DiagnosticOddsRatio"] = (tp / fn) / (fp / tn)
    return {name: value for names, value in values.items() for name in names.split()}


CLASS = {c: {"binarize": {"class_ids": [c]}} for c in (1, 3)}
EMPTY_OF_NEGATIVE = "Precision Recall MissRate FalseDiscoveryRate ThreatScore F1Score MatthewsCorrelationCoefficient"
EMPTY_OF_POSITIVE = "Specificity FallOut NegativePredictiveValue FalseOmissionRate"
FIRST_TWO = {"binarize": {"top_k_list": [2]}}

CASES = [
    *confusion("ten rows", rates(1.0, 2.0, 3.0, 4.0)),
    *confusion("ten rows", {"AUC": 0.26, "AUCPrecisionRecall": 0.36205}),
    *at(
        "ten rows",
        [
            ("SpecificityAtSensitivity", "sensitivity", 0.5, 0.2),
            ("SensitivityAtSpecificity", "specificity", 0.5, 0.0),
            ("PrecisionAtRecall", "recall", 0.5, 0.5),
            ("RecallAtPrecision", "precision", 0.5, 1.0),
            ("RecallAtFalsePositiveRate", "false_positive_rate", 0.6, 0.4),
        ],
    ),
    Case(
        "confusion_matrix_metrics",
        "ten rows",
        "ThresholdAtRecall",
        0.29993,
        {"recall": 0.5},
        right=(lambda _: 0.3, "gives an edge of its 10,000 bins below the score"),
    ),
    *confusion("weighted", rates(0.7, 0.9, 0.5, 0.0)),
    *confusion("weighted", {"AUC": 0.64286, "AUCPrecisionRecall": 0.37467}),
    *at(
        "weighted",
        [
            ("SpecificityAtSensitivity", "sensitivity", 0.5, 0.642857),
            ("SensitivityAtSpecificity", "specificity", 0.5, 1.0),
            ("PrecisionAtRecall", "recall", 0.5, 0.58333),
            ("RecallAtPrecision", "precision", 0.5, 1.0),
            ("RecallAtFalsePositiveRate", "false_positive_rate", 0.5 / 1.4, 1.0),
        ],
    ),
    *confusion(
        "fractional",
        {
            "AUC": 0.8571428,
            "AUCPrecisionRecall": 0.77369833,
            "TruePositives": 1.4,
            "FalsePositives": 0.6,
            "TrueNegatives": 1.0,
            "FalseNegatives": 0.0,
        },
    ),
    *confusion("negative", dict.fromkeys(EMPTY_OF_NEGATIVE.split(), NAN)),
    *confusion("positive", dict.fromkeys(EMPTY_OF_POSITIVE.split(), NAN)),
    *(
        Case("confusion_matrix_metrics", "classes", name, value, config, spec)
        for name, value, config, spec in [
            ("Precision", 1.6 / 4.8, {"top_k": 2}, {}),
            ("Recall", 1.6 / 2.4, {"top_k": 2}, {}),
            ("Precision", 1.6 / 4.8, {}, FIRST_TWO),
            ("Recall", 1.6 / 2.4, {}, FIRST_TWO),
            ("Precision", 1.9 / 7.2, {}, {"binarize": {"top_k_list": [3]}}),
            ("Recall", 1.9 / 2.4, {}, {"binarize": {"top_k_list": [3]}}),
        ]
    ),
    *(
        Case("confusion_matrix_metrics", "one class of the first two", name, value, config, spec)
        for name, value, config, spec in [
            ("Precision", 0.5 / 2.1, {"thresholds": [0.1], "top_k": 2}, CLASS[1]),
            ("Precision", 0.5 / 2.1, {"thresholds": [0.1], "class_id": 1}, FIRST_TWO),
            ("Recall", 0.7 / 1.6, {"thresholds": [0.1], "top_k": 2}, CLASS[3]),
            ("Recall", 0.7 / 1.6, {"thresholds": [0.1], "class_id": 3, "top_k": 2}, {}),
            ("Recall", 0.7 / 1.6, {"class_id": 3, "top_k": 2}, {}),
        ]
    ),
    *(
        Case("confusion_matrix_metrics", "one class", name, value, config, spec)
        for name, value, config, spec in [
            ("Precision", 0.5 / 2.1, {"thresholds": [0.1]}, CLASS[1]),
            ("Precision", 0.5 / 2.1, {"thresholds": [0.1], "class_id": 1}, {}),
            ("Recall", 0.7 / 1.6, {"thresholds": [0.1]}, CLASS[3]),
            ("Recall", 0.7 / 1.6, {"thresholds": [0.1], "class_id": 3}, {}),
        ]
    ),
    *(
        Case("calibration", data, name, value)
        for data, name, value in [
            ("three rows", "MeanLabel", 2 / 3),
            ("three rows", "MeanPrediction", 0.4),
            ("three rows", "Calibration", 0.6),
            ("weighted", "MeanLabel", 0.7 / 2.1),
            ("weighted", "MeanPrediction", 1.44 / 2.1),
            ("weighted", "Calibration", 1.44 / 0.7),
        ]
    ),
    *(
        Case("cross_entropy_metrics", data, name, value, config)
        for data, name, value, config in [
            ("entropy", "BinaryCrossEntropy", 0.736083, {}),
            ("logits", "BinaryCrossEntropy", 0.865457, {"from_logits": True}),
            ("entropy", "BinaryCrossEntropy", 0.733831, {"label_smoothing": 0.1}),
            ("one-hot", "CategoricalCrossEntropy", 1.176939, {}),
            ("one-hot weighted", "CategoricalCrossEntropy", 1.627198, {}),
            ("one-hot logits", "CategoricalCrossEntropy", 2.258058, {"from_logits": True}),
            (
                "one-hot logits",
                "CategoricalCrossEntropy",
                2.489725,
                {"from_logits": True, "label_smoothing": 0.1},
            ),
        ]
    ),
    *(
        Case("mean_regression_error", "errors", name, value)
        for name, value in [
            ("MeanAbsoluteError", 1.292857),
            ("MeanSquaredError", 2.07607),
            ("MeanAbsolutePercentageError", 120.238095),
            ("MeanSquaredLogarithmicError", 0.20117),
        ]
    ),
    *(
        Case("squared_pearson_correlation", data, "SquaredPearsonCorrelation", value)
        for data, value in [
            ("correlated", 0.4),
            ("correlated weighted", 0.06667),
            ("one row", NAN),
        ]
    ),
    *(
        Case("tjur_discrimination", data, f"{kind}CoefficientOfDiscrimination", value)
        for data, kind, value in [
            ("tjur", "", 0.6 - 0.8),
            ("tjur", "Relative", 0.6 / 0.8),
            ("tjur weighted", "", 0.66 - 0.32),
            ("tjur weighted", "Relative", 0.66 / 0.32),
            ("one row", "", NAN),
            ("one row", "Relative", NAN),
        ]
    ),
    Case("exact_match", "texts", "ExactMatch", 1 / 3),
    Case("exact_match", "texts as JSON", "ExactMatch", 2 / 3, {"convert_to": "json"}),
    Case("exact_match", "texts weighted", "ExactMatch", 0.75),
    Case("example_count", "counted", "ExampleCount", 2.2),
    Case(
        "example_count",
        "counted",
        "ExampleCount",
        4.0,
        {},
        {"example_weights": {"unweighted": True}},
    ),
    Case("ndcg", "queries", "NDCG", 0.9166667, {"gain_key": "gain", "top_k_list": [1]}),
    Case("ndcg", "queries", "NDCG", 0.9766198, {"gain_key": "gain", "top_k_list": [2]}),
    Case("min_label_position", "three queries", "MinLabelPosition", 1.166666),
    Case(
        "min_label_position",
        "three queries",
        "MinLabelPosition",
        2.333333,
        {"label_key": "custom_label"},
    ),
    Case("min_label_position", "a query without weight", "MinLabelPosition", NAN),
    *(
        Case("query_statistics", "three queries", name, value, {}, spec)
        for spec, values in (
            ({"example_weights": {"weighted": True}}, (6.0, 11.0, 2.0, 6.0)),
            ({"example_weights": {"unweighted": True}}, (3.0, 6.0, 1.0, 3.0)),
        )
        for name, value in zip(
            ("TotalQueries", "TotalDocuments", "MinDocuments", "MaxDocuments"), values, strict=True
        )
    ),
    *(
        Case("flip_metrics", "flips", name, value)
        for name, value in [
            ("SymmetricFlipRate", 0.3),
            ("NegToNegFlipRate", 0.3),
            ("NegToPosFlipRate", 0.1),
            ("PosToNegFlipRate", 0.2),
            ("PosToPosFlipRate", 0.4),
        ]
    ),
    Case(
        "prediction_difference_metrics",
        "differences",
        "SymmetricPredictionDifference",
        (0.2 / 0.3 + 0.4 / 0.5 + 0.6 / 1.7) / 6,
    ),
    Case("prediction_difference_metrics", "no difference", "SymmetricPredictionDifference", 0.0),
    Case("model_cosine_similarity", "no change", "ModelCosineSimilarity", 1.0),
    Case("model_cosine_similarity", "small change", "ModelCosineSimilarity", 0.8666666666666666),
    Case("model_cosine_similarity", "large change", "ModelCosineSimilarity", 0.7928003084313229),
    *(
        Case("tf_metric_wrapper", "four rows", name, value, {"num_thresholds": 200, **config})
        for name, value, config in [
            ("AUC", 0.75, {}),
            ("AUC", 0.79727, {"curve": "PR"}),
            ("SpecificityAtSensitivity", 1.0, {"sensitivity": 0.5}),
            ("SensitivityAtSpecificity", 1.0, {"specificity": 0.5}),
        ]
    ),
    *(
        Case("tf_metric_wrapper", "four rows", name, value)
        for name, value in [("Precision", 1.0), ("Recall", 0.5), ("TrueNegatives", 2.0)]
    ),
    Case("tf_metric_wrapper", "four rows", "MeanSquaredError", 0.1875),
    Case("tf_metric_wrapper", "four rows", "BinaryCrossentropy", 0.50061995),
    Case("tf_metric_wrapper", "keras sparse", "SparseCategoricalCrossentropy", 0.51083),
    Case("tf_metric_wrapper", "keras class", "MeanSquaredError", 0.1875, {}, CLASS[1]),
    Case(
        "tf_metric_wrapper",
        "keras class weights",
        "MeanSquaredError",
        0.521,
        {},
        {
            "aggregate": {
                "micro_average": True,
                "class_weights": {"0": 0.1, "1": 0.2, "2": 0.3, "3": 0.4},
            }
        },
    ),
    Case("tf_metric_wrapper", "no weight in a row", "MeanSquaredError", 0.1875),
    Case("tf_metric_wrapper", "no weight in a row", "MeanPrediction", 1.7 / 4),
    # Of the classes the mean label is 1/3, 2/3 and 1, so that their shares of the labels are 1 : 2 : 3.
    *(
        Case(
            "aggregation",
            "multi-label",
            "MeanLabel",
            value,
            {},
            {"aggregate": {kind: True, "class_weights": weights}},
        )
        for kind, weights, value in [
            ("macro_average", {"0": 1.0, "1": 1.0, "2": 1.0}, 2 / 3),
            ("macro_average", {"0": 0.2, "1": 0.3, "2": 0.5}, 0.2 / 3 + 0.6 / 3 + 0.5),
            ("weighted_macro_average", {"0": 1.0, "1": 1.0, "2": 1.0}, (1 / 3 + 4 / 3 + 3) / 6),
        ]
    ),
]


@functools.cache
def values(data: str, spec: str) -> list[float]:
    """The value of each case of some data and spec, of one evaluation."""
    columns = DATA[data]
    mine = [case for case in CASES if (case.data, json.dumps(case.spec)) == (data, spec)]
    metrics = [
        {"class_name": case.class_name, "config": {"name": f"m{i}", **case.config}}
        for i, case in enumerate(mine)
    ]
    model = {"label_key": "label", "prediction_key": "prediction"}
    if "weight" in columns:
        model["example_weight_key"] = "weight"
    models = [model]
    if "old" in columns:
        old = {**model, "name": "old", "is_baseline": True, "prediction_key": "old"}
        models = [{**model, "name": "new"}, old]
    query = {"query_key": "query"} if "query" in columns else {}
    config = {
        "model_specs": models,
        "metrics_specs": [{"metrics": metrics, **query, **json.loads(spec)}],
    }
    result = benison.evaluate(pa.table(columns), config)
    return [result.value(f"m{i}") for i in range(len(mine))]


def named(case: Case) -> str:
    return f"{case.file}-{case.data}-{case.class_name}-{json.dumps({**case.config, **case.spec})}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_value_is_that_of_tfmas_test(case: Case) -> None:
    mine = [c for c in CASES if (c.data, c.spec) == (case.data, case.spec)]
    value = values(case.data, json.dumps(case.spec))[mine.index(case)]
    expected = case.right[0](DATA[case.data]) if case.right else case.expected
    assert value == pytest.approx(expected, abs=5e-6, nan_ok=True)
    if case.right:
        assert abs(case.expected - expected) > 5e-6
