# SPDX-License-Identifier: Apache-2.0
"""What is said of a metric that there is not: what was meant, or whose it is, and never another one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benison.errors import ConfigError
from benison.metrics import from_config, registered


def said_of(name: str, config: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        from_config(name, config or {})
    return str(raised.value)


def is_computed(name: str) -> bool:
    squashed = re.sub(r"\W|_", "", name).lower()
    return squashed in {ours.lower() for ours in registered()}


LEADS = {
    "accuracy": "BinaryAccuracy",
    "accuracy_score": "BinaryAccuracy",
    "acuracy": "BinaryAccuracy",
    "f1": "F1Score",
    "f1_score": "F1Score",
    "roc_auc": "AUC",
    "roc_auc_score": "AUC",
    "auc": "AUC",
    "rmse": "RootMeanSquaredError",
    "root_mean_squared_error": "RootMeanSquaredError",
    "neg_root_mean_squared_error": "RootMeanSquaredError",
    "log_loss": "BinaryCrossEntropy",
    "logloss": "BinaryCrossEntropy",
    "mean_squared_error": "MeanSquaredError",
    "brier_score_loss": "BrierScore",
    "matthews_corrcoef": "MatthewsCorrelationCoefficient",
    "mcc": "MatthewsCorrelationCoefficient",
    "jaccard_score": "ThreatScore",
    "balanced_accuracy_score": "BalancedAccuracy",
    "precision_score": "Precision",
    "sensitivity": "Recall",
    "BinaryAccurcy": "BinaryAccuracy",
    "MeanSquareError": "MeanSquaredError",
    "PRECISION": "Precision",
}


@pytest.mark.parametrize(("name", "ours"), LEADS.items())
def test_names_of_other_libraries_lead_to_ours(name: str, ours: str) -> None:
    assert f"Did you mean {ours!r}?" in said_of(name)


@pytest.mark.parametrize(("name", "ours"), LEADS.items())
def test_what_a_name_leads_to_is_computed(name: str, ours: str) -> None:
    assert ours in registered()


def test_accuracy_of_scores_is_told_from_accuracy_of_labels() -> None:
    assert "Accuracy is the share of predictions that equal the label" in said_of("accuracy")


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("SetMatchPrecision", "TFMA"),
        ("set_match_precision", "TFMA"),
        ("Tversky", "Keras"),
        ("cohen_kappa_score", "scikit-learn"),
        ("f1_samples", "scikit-learn"),
        ("fowlkes_mallows_score", "scikit-learn"),
    ],
)
def test_what_is_not_computed_is_called_that(name: str, library: str) -> None:
    if is_computed(name):
        pytest.skip(f"{name} is computed by now")
    message = said_of(name)
    assert f"is a metric of {library} that Benison does not compute" in message
    assert "Did you mean" not in message


@pytest.mark.parametrize("name", ["CTC", "Circle", "MeanTensor", "MeanMetricWrapper", "Metric"])
def test_what_is_no_metric_of_rows_says_what_there_is_instead(name: str) -> None:
    assert re.search("is not computed.* Ask for", said_of(name))


def test_scikit_learn_is_known_by_every_name() -> None:
    """A function of its metrics, or a scorer, leads to the same number of ours or is called its own."""
    metrics = pytest.importorskip("sklearn.metrics")
    ending = re.compile(
        r"(_score|_error|_loss|_deviance|corrcoef|_curve|_report|confusion_matrix)$"
    )
    functions = {name for name in metrics.__all__ if ending.search(name)}
    for name in {*functions, *metrics.get_scorer_names()}:
        message = said_of(name)
        assert (
            "Did you mean" in message
            or "scikit-learn that Benison does not" in message
            or ("is not computed" in message)
            or ("class_name: " in message or "CategoricalAccuracy" in message)
        ), message


def test_a_name_of_several_metrics_is_known() -> None:
    assert "Did you mean 'FairnessIndicators'?" in said_of("fairness_indicators")


def test_a_list_that_is_cut_says_so() -> None:
    assert re.search(r"There are: (\w+, ){12}and \d+ more\.$", said_of("Zyxwvu"))


@pytest.mark.parametrize(
    ("class_name", "config", "sentence"),
    [
        ("AUC", {"num_thresholds": 10**9}, "num_thresholds is 1000000000; it can be at most 1,000,000."),
        ("ConfusionMatrixPlot", {"num_thresholds": 10**8}, "it can be at most 1,000,000."),
        ("CalibrationPlot", {"num_buckets": 10**8}, "num_buckets is 100000000; it can be at most 1,000,000."),
        ("CalibrationPlot", {"left": -1e308}, "left is the number -1e+308; numbers are from -1e+300 to 1e+300."),
        ("CalibrationPlot", {"num_buckets": True}, "num_buckets must be a whole number, not true."),
        ("CalibrationPlot", {"left": "a"}, "left must be a number, not the text 'a'."),
        ("Recall", {"thresholds": [0.5] * 10_001}, "thresholds has 10,001 values; there can be 10,000."),
        ("Recall", {"thresholds": 10**400}, "numbers are from -1e+300 to 1e+300."),
        ("BinaryAccuracy", {"threshold": [0.1, 0.2]}, "threshold must be a number, not a list."),
        ("BinaryCrossEntropy", {"from_logits": "no"}, "from_logits must be true or false, not the text 'no'."),
        ("AUC", {"name": 5}, "name must be a word for the results, not the number 5."),
        ("AUC", {"name": " "}, "name must be a word for the results, not the text ' '."),
        ("AUC", {"name": "a\nb"}, r"name must be a word for the results, not the text 'a\nb'."),
        ("AUC", {"curv": "PR", "num_thresholds": 10**9}, "has no parameter 'curv'. Did you mean 'curve'? AUC: num_thresholds is"),
    ],
)  # fmt: skip
def test_parameters_are_refused_before_anything_is_made_of_them(
    class_name: str, config: dict[str, Any], sentence: str
) -> None:
    assert sentence in said_of(class_name, config)
