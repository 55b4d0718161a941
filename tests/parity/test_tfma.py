# SPDX-License-Identifier: Apache-2.0
"""The comparison with TFMA itself: the same data and config, value for value.

Where the two differ TFMA is wrong, and each such difference is listed with what it does wrong:

* undefined: TFMA answers 0 where a class has no rows (AUC) or where no point of the curve is good enough.
* accumulators: TFMA adds the first accumulator of a merge to itself, so that errors and cross-entropies are
  wrong as soon as two bundles are merged. One bundle is right, which is what runs here.
* clipping: TFMA's cross-entropy is infinite or NaN for a prediction of exactly 0 or 1.
* missing predictions: TFMA counts one as an error of 0; ours makes the values of its slices NaN.
* cancellation: TFMA's correlation is made of raw sums, which lose their digits far from zero.
* bins: TFMA ranks scores in 10,000 bins of [0, 1], so that all scores below 0, or from 1 up, are one, and the
  threshold that it finds lies up to a bin below the score. The scores here have a bin each.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

import benison
from benison.slicing.keys import slice_name

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RATES = [
    "TruePositives",
    "TP",
    "TrueNegatives",
    "TN",
    "FalsePositives",
    "FP",
    "FalseNegatives",
    "FN",
    "BinaryAccuracy",
    "Precision",
    "PPV",
    "Recall",
    "TPR",
    "Specificity",
    "TNR",
    "FallOut",
    "FPR",
    "MissRate",
    "FNR",
    "NegativePredictiveValue",
    "NPV",
    "FalseDiscoveryRate",
    "FalseOmissionRate",
    "Prevalence",
    "PrevalenceThreshold",
    "ThreatScore",
    "BalancedAccuracy",
    "F1Score",
    "MatthewsCorrelationCoefficient",
    "FowlkesMallowsIndex",
    "Informedness",
    "Markedness",
    "PositiveLikelihoodRatio",
    "NegativeLikelihoodRatio",
    "DiagnosticOddsRatio",
    "PredictedPositiveRate",
    "MaxRecall",
]
CURVES: dict[str, dict[str, Any]] = {
    "AUC": {},
    "AUCPrecisionRecall": {},
    "SensitivityAtSpecificity": {"specificity": 0.6},
    "SpecificityAtSensitivity": {"sensitivity": 0.6},
    "PrecisionAtRecall": {"recall": 0.6},
    "RecallAtPrecision": {"precision": 0.6},
    "RecallAtFalsePositiveRate": {"false_positive_rate": 0.4},
    "ThresholdAtRecall": {"recall": 0.6},
}
SHARED = ("ExampleCount", "WeightedExampleCount", "MeanLabel", "MeanPrediction", "Calibration")
DISCRIMINATION = ("CoefficientOfDiscrimination", "RelativeCoefficientOfDiscrimination")
ERRORS = (
    "MeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
)


def metric(name: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    import json

    return {"class_name": name, **({"config": json.dumps(config)} if config else {})}


BINARY = [
    *map(metric, (*RATES, *SHARED, *DISCRIMINATION, "BinaryCrossEntropy")),
    *(metric(name, config) for name, config in CURVES.items()),
]
VARIANTS = [
    metric(
        "AUC",
        {
            "name": f"auc_{curve}_{method}",
            "curve": curve,
            "summation_method": method,
            "num_thresholds": 200,
        },
    )
    for curve in ("ROC", "PR")
    for method in ("interpolation", "majoring", "minoring")
]
REGRESSION = [*map(metric, (*SHARED, *ERRORS, "SquaredPearsonCorrelation"))]


def both(
    frame: pd.DataFrame, metrics: list[dict[str, Any]], weighted: bool = False
) -> dict[Any, tuple[float, float]]:
    """{(slice, metric): (TFMA's value, ours)} overall and by group."""
    tfma = pytest.importorskip("tensorflow_model_analysis")
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2

    spec = {"label_key": "label", "prediction_key": "prediction"}
    made = {
        "model_specs": [spec | ({"example_weight_key": "weight"} if weighted else {})],
        "slicing_specs": [{}, {"feature_keys": ["group"]}],
        "metrics_specs": [{"metrics": metrics}],
    }
    theirs = tfma.analyze_raw_data(frame, json_format.ParseDict(made, config_pb2.EvalConfig()))
    ours = benison.evaluate(frame, made)
    values = {}
    for key, outputs in theirs.slicing_metrics:
        name = slice_name(tuple((k, str(v)) for k, v in key))
        for label, value in outputs[""][""].items():
            number = float(value.get("doubleValue", math.nan))
            values[name, label] = (number, ours.value(label, slice=name))
    return values


CURVE_NAMES = {
    "auc",
    "auc_precision_recall",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "precision_at_recall",
    "recall_at_precision",
    "recall_at_false_positive_rate",
    "threshold_at_recall",
}
UNREACHED = {
    "recall_at_precision",
    "precision_at_recall",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
}


def agree(actual: dict[Any, tuple[float, float]], *known: str) -> None:
    """All values are the same to 1e-6, but for the metrics whose difference is known."""
    assert actual
    wrong = {}
    for (where, name), (theirs, ours) in actual.items():
        undefined = name in UNREACHED and theirs == 0.0 and math.isnan(ours)
        bin_of_threshold = 2e-4 if name == "threshold_at_recall" else 1e-9
        same = np.isclose(theirs, ours, rtol=1e-6, atol=bin_of_threshold, equal_nan=True)
        if not (same or undefined or name in known):
            wrong[where, name] = (theirs, ours)
    assert not wrong


@pytest.mark.parametrize("method", ["JACKKNIFE", "POISSON_BOOTSTRAP"])
def test_intervals_are_as_wide_as_tfmas(method: str) -> None:
    """TFMA draws its samples anew in each run, so that widths agree on average, and not one by one.

    Of 20 samples a standard error is known to a sixth. TFMA's interval is around the mean of the samples,
    ours around the value; errors and cross-entropies are left out, which merging spoils in TFMA.
    """
    names = ("BinaryAccuracy", "AUC", "Precision", "MeanLabel", "MeanPrediction")
    theirs, ours = intervals(binary_frame(rows=600), [*map(metric, names)], method)
    assert len(ours) == 4 * len(names)
    assert theirs.keys() == ours.keys()
    ratios = []
    for key, (lower, value, upper) in ours.items():
        their_lower, their_value, their_upper = theirs[key]
        assert value == pytest.approx(their_value, rel=1e-6)
        width = their_upper - their_lower
        assert (lower + upper) / 2 == pytest.approx(value)
        assert abs((their_lower + their_upper) / 2 - value) < 0.35 * width
        ratios.append((upper - lower) / width)
    assert 1 / 1.4 < math.exp(np.mean(np.log(ratios))) < 1.4


def intervals(
    frame: pd.DataFrame, metrics: list[dict[str, Any]], method: str
) -> tuple[dict[Any, tuple[float, ...]], dict[Any, tuple[float, ...]]]:
    """TFMA's lower bound, value and upper bound by slice and metric, and ours."""
    tfma = pytest.importorskip("tensorflow_model_analysis")
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2

    made = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["group"]}],
        "metrics_specs": [{"metrics": metrics}],
        "options": {
            "compute_confidence_intervals": True,
            "confidence_intervals": {"method": method},
        },
    }
    result = tfma.analyze_raw_data(frame, json_format.ParseDict(made, config_pb2.EvalConfig()))
    theirs = {
        (slice_name(tuple((k, str(v)) for k, v in key)), label): tuple(
            value["boundedValue"][end] for end in ("lowerBound", "value", "upperBound")
        )
        for key, outputs in result.slicing_metrics
        for label, value in outputs[""][""].items()
    }
    ours = {
        (row["slice"], row["metric"]): (row["lower"], row["value"], row["upper"])
        for row in benison.evaluate(frame, made).metrics.to_pylist()
    }
    return theirs, ours


def in_bins(scores: np.ndarray) -> np.ndarray:
    """In the middle of a bin that is next to no threshold of a plot, where no rounding of the two differs."""
    return (np.floor(1e3 * np.clip(scores, 0.001, 0.998)) + 0.55) / 1e3


def binary_frame(seed: int = 0, rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows).astype(float)
    return pd.DataFrame(
        {
            "label": label,
            "prediction": in_bins(0.3 * label + 0.7 * rng.random(rows)),
            "weight": rng.integers(1, 6, rows) / 2,
            "group": [f"g{g}" for g in rng.integers(0, 3, rows)],
        }
    )


def test_binary() -> None:
    agree(both(binary_frame(), BINARY))


def test_weighted() -> None:
    agree(both(binary_frame(), [*BINARY, *VARIANTS], weighted=True))


def test_fractional_labels() -> None:
    frame = binary_frame()
    frame["label"] = np.random.default_rng(1).integers(0, 11, len(frame)) / 10
    agree(both(frame, BINARY, weighted=True))


# Refused of other scores, whose values would be outside of the metric's own range.
OF_PROBABILITIES = (
    *("BinaryCrossEntropy", "Calibration"),
    *("CoefficientOfDiscrimination", "RelativeCoefficientOfDiscrimination"),
)


def test_scores_outside_0_and_1() -> None:
    frame = binary_frame()
    frame["prediction"] = 3 * frame["prediction"] - 1
    actual = both(frame, [m for m in BINARY if m["class_name"] not in OF_PROBABILITIES])
    agree(actual, *CURVE_NAMES)
    _, ours = actual["Overall", "auc"]
    assert ours == pytest.approx(sk.roc_auc_score(frame.label, frame.prediction), rel=1e-9)


def test_regression() -> None:
    frame = binary_frame()
    rng = np.random.default_rng(2)
    frame["label"] = rng.gamma(2.0, 2.0, len(frame))
    frame["prediction"] = frame["label"] * rng.uniform(0.5, 1.5, len(frame))
    frame.loc[:9, "label"] = 0.0
    agree(both(frame, REGRESSION))
    agree(both(frame, REGRESSION, weighted=True))


def test_far_from_zero() -> None:
    frame = binary_frame()
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, len(frame))
    frame["label"] = 1.7e9 + noise
    frame["prediction"] = frame["label"] + rng.normal(0, 1, len(frame))
    actual = both(frame, REGRESSION)
    agree(actual, "squared_pearson_correlation")
    theirs, ours = actual["Overall", "squared_pearson_correlation"]
    exact = np.corrcoef(noise, frame["prediction"] - 1.7e9)[0, 1] ** 2
    assert ours == pytest.approx(exact, rel=1e-6)
    assert not np.isclose(theirs, exact, rtol=1e-3)  # cancellation


def test_a_slice_with_one_class() -> None:
    frame = binary_frame()
    frame.loc[frame.group == "g1", "label"] = 1.0
    points = (
        "specificity_at_sensitivity",
        "sensitivity_at_specificity",
        "recall_at_false_positive_rate",
    )
    known = ("auc", "auc_precision_recall", *points)
    actual = both(frame, BINARY)
    agree({key: pair for key, pair in actual.items() if key[0] != "group=g1"})
    agree({key: pair for key, pair in actual.items() if key[0] == "group=g1"}, *known)
    theirs, ours = actual["group=g1", "auc"]
    assert theirs == 0.0  # undefined
    assert math.isnan(ours)
    first = frame[frame.group == "g1"]
    with pytest.raises(ValueError, match="Only one class present"):
        sk.roc_auc_score(first.label, first.prediction)


def test_a_prediction_of_exactly_0_or_1() -> None:
    frame = binary_frame()
    frame.loc[:4, "prediction"] = 1.0 - frame.loc[:4, "label"]
    actual = both(frame, BINARY)
    agree(actual, "binary_crossentropy")
    theirs, ours = actual["Overall", "binary_crossentropy"]
    assert not math.isfinite(theirs)  # clipping
    clipped = np.clip(frame.prediction, 1e-7, 1 - 1e-7)
    assert ours == pytest.approx(sk.log_loss(frame.label, clipped), rel=1e-9)


def test_a_prediction_that_is_missing() -> None:
    """TFMA counts a missing prediction as a perfect one; a model that answers nothing is not better for it."""
    frame = binary_frame()
    frame.loc[3, "prediction"] = math.nan
    actual = both(frame, [metric("MeanSquaredError"), metric("ExampleCount")])
    theirs, ours = actual["Overall", "mean_squared_error"]
    answered = frame.drop(index=3)
    errors = (answered.label - answered.prediction) ** 2
    assert theirs == pytest.approx(errors.sum() / len(frame), rel=1e-9)
    assert math.isnan(ours)
    assert actual["Overall", "example_count"] == (300.0, 300.0)


def test_a_slice_without_weight() -> None:
    frame = binary_frame()
    frame.loc[frame.group == "g2", "weight"] = 0.0
    actual = both(frame, BINARY, weighted=True)
    agree({key: pair for key, pair in actual.items() if key[0] != "group=g2"})
    empty = {key: pair for key, pair in actual.items() if key[0] == "group=g2"}
    # TFMA's curves are 0 where there is nothing at all; ours are undefined like everything else there.
    curves = {snake for snake in UNREACHED} | {
        "auc",
        "auc_precision_recall",
        "recall_at_false_positive_rate",
    }
    agree({key: pair for key, pair in empty.items() if key[1] not in curves}, "threshold_at_recall")
    assert all(math.isnan(ours) for (_, name), (_, ours) in empty.items() if name in curves)


def test_what_only_keras_has() -> None:
    actual = both(binary_frame(), [metric("RootMeanSquaredError")])
    agree(actual)  # Keras sums in float32, which is why no more than 1e-6 is asked


@pytest.mark.parametrize("name", ["R2Score", "CategoricalCrossEntropy"])
def test_what_tfma_cannot_compute(name: str) -> None:
    """TFMA hands Keras' R2Score five weights where it has one, and normalises predictions that it may not write.

    Ours are held to scikit-learn's by the oracles.
    """
    rng = np.random.default_rng(0)
    frame = binary_frame(rows=60)
    if name == "CategoricalCrossEntropy":
        scores = rng.random((60, 3))
        frame["prediction"] = list(scores / scores.sum(axis=1, keepdims=True))
        frame["label"] = list(np.eye(3)[rng.integers(0, 3, 60)])
    with pytest.raises((ValueError, RuntimeError), match=r"set_weights|add_input failed"):
        both(frame, [metric(name)])
    spec = {"label_key": "label", "prediction_key": "prediction"}
    ours = benison.evaluate(
        frame, {"model_specs": [spec], "metrics_specs": [{"metrics": [metric(name)]}]}
    )
    assert math.isfinite(ours.metrics["value"][0].as_py())
