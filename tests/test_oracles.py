# SPDX-License-Identifier: Apache-2.0
"""The oracles: every registered metric against an implementation that is not ours."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics as sk

from benison.data.batch import Inputs
from benison.metrics import registered
from benison.metrics.base import AXES
from benison.testing import WAYS, example_images, example_inputs, value_of
from tests import coco
from tests.fairness_oracles import FAIRNESS, groups
from tests.rate_oracles import (
    HALF,
    RATES,
    Oracle,
    calibration_plot,
    cells,
    concordance,
    confusion_plot,
    davis_goadrich,
    discrimination,
    on_hard,
    pearson,
    point,
    squared_pearson,
    threshold_at_recall,
)
from tests.row_oracles import (
    COMPARISONS,
    average_precision,
    categorical_hinge,
    class_matrix,
    distribution_plot,
    in_top,
    jaccard,
    kl_divergence,
    label_matrix,
    likeliest,
    mean_of,
    min_label_position,
    own_scores,
    pixel_cells,
    tied,
)
from tests.test_laws import build
from tests.text_oracles import TEXTS, texts

KERAS: dict[str, Oracle] = {
    "Hinge": lambda y, p, w: sk.hinge_loss(y, p, sample_weight=w),
    "SquaredHinge": mean_of(lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0) ** 2),
    "LogCosh": mean_of(lambda y, p: np.log(np.cosh(p - y))),
    "LogCoshError": mean_of(lambda y, p: np.log(np.cosh(p - y))),
    "Huber": mean_of(lambda y, p: scipy.special.huber(1.0, y - p)),
    "Poisson": mean_of(lambda y, p: p - y * np.log(p + 1e-7)),
    "MeanRelativeError": mean_of(lambda y, p: np.abs(y - p) / 0.5),
    "BinaryFocalCrossentropy": mean_of(
        lambda y, p: -np.where(y == 1, (1 - p) ** 2 * np.log(p + 1e-15), p**2 * np.log(1 - p))
    ),
    "CategoricalFocalCrossentropy": mean_of(
        lambda y, p: -0.25 * (1 - own_scores(y, p)) ** 2 * np.log(own_scores(y, p))
    ),
    "CategoricalGeneralizedCrossEntropy": mean_of(
        lambda y, p: (1 - np.sqrt(own_scores(y, p))) / HALF
    ),
    "CategoricalHinge": categorical_hinge,
    "KLDivergence": kl_divergence,
    "CosineSimilarity": mean_of(lambda y, p: own_scores(y, p) / np.linalg.norm(p, axis=1)),
    "TopKCategoricalAccuracy": in_top(5),
    "SparseTopKCategoricalAccuracy": in_top(5),
    "IoU": jaccard([0, 2]),
    "MeanIoU": jaccard([0, 1, 2]),
    "OneHotIoU": likeliest(jaccard([0, 2])),
    "OneHotMeanIoU": likeliest(jaccard([0, 1, 2])),
    "BinaryIoU": lambda y, p, w: jaccard([0, 1])(y, p >= HALF, w),
    "FBetaScore": on_hard(sk.fbeta_score, beta=1.0),
    "Dice": lambda y, p, w: 1 - 2 * np.sum(w * y * p) / np.sum(w * (y + p)),
    "Tversky": lambda y, p, w: 1 - 2 * np.sum(w * y * p) / np.sum(w * (y + p)),
    "Mean": mean_of(lambda y, p: 2 * y + 1),
    "Sum": lambda y, p, w: np.sum(w * (2 * y + 1)),
}


def same_text(y: Any, p: Any, w: np.ndarray) -> float:
    return float(np.average(np.equal(y.to_pylist(), p.to_pylist()), weights=w))


def sure(inputs: Inputs) -> Inputs:
    """With a score of 1 for each class."""
    assert inputs.batch is not None
    classes = inputs.batch.column("classes")
    batch = pa.record_batch({"classes": classes, "scores": np.ones(len(inputs))})
    return dataclasses.replace(inputs, batch=batch)


# Sets of one each; larger ones are in the tests of these metrics.
SETS: dict[str, Oracle] = {"SetMatchPrecision": same_text, "SetMatchRecall": same_text}

SIMULATED: dict[str, Oracle] = {
    "MinLabelPosition": lambda y, p, w: min_label_position(y[w > 0], p[w > 0], w),
    "PrecisionAtK": tied(lambda hits: hits[:3].mean()),
    "RecallAtK": tied(lambda hits: hits[:3].sum() / hits.sum()),
    "HitRateAtK": tied(lambda hits: float(hits[:3].any())),
    "MeanReciprocalRank": tied(lambda hits: 1 / (1 + np.argmax(hits))),
    "MRR": tied(lambda hits: 1 / (1 + np.argmax(hits))),
    "MeanAveragePrecision": tied(average_precision),
    "MAP": tied(average_precision),
}

SAMPLES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "FixedSizeSample": lambda y, p: y >= 0,
    "FalsePositiveFeatureSampler": lambda y, p: (y == 0) & (p > HALF),
    "FalseNegativeFeatureSampler": lambda y, p: (y == 1) & (p <= HALF),
}

PIXELS: dict[str, Oracle] = {
    "PixelConfusionMatrix": lambda y, p, w: pixel_cells(y, p, w),
    "PixelTruePositives": lambda y, p, w: pixel_cells(y, p, w)[0],
    "PixelFalsePositives": lambda y, p, w: pixel_cells(y, p, w)[1],
}

ORACLES: dict[str, Oracle] = {
    **PIXELS,
    **SIMULATED,
    **SETS,
    **coco.ORACLES,
    "MultiClassConfusionMatrixAtThresholds": class_matrix(0.5),
    "MultiClassConfusionMatrixPlot": class_matrix(0.0),
    "MultiLabelConfusionMatrixPlot": label_matrix,
    "ScoreDistributionPlot": distribution_plot,
    **KERAS,
    **COMPARISONS,
    **TEXTS,
    **FAIRNESS,
    **dict.fromkeys(SAMPLES, lambda y, p, w: np.full(5, 7.0)),
    "ExactMatch": lambda y, p, w: np.average(y == p, weights=w),
    "NDCG": lambda y, p, w: sk.ndcg_score([y[w > 0]], [p[w > 0]]),
    **RATES,
    "PPV": RATES["Precision"],
    "NPV": RATES["NegativePredictiveValue"],
    "TPR": RATES["Recall"],
    "TNR": RATES["Specificity"],
    "FPR": RATES["FallOut"],
    "FNR": RATES["MissRate"],
    "TP": RATES["TruePositives"],
    "FP": RATES["FalsePositives"],
    "TN": RATES["TrueNegatives"],
    "FN": RATES["FalseNegatives"],
    "ConfusionMatrixAtThresholds": lambda y, p, w: np.array(
        [[0.3, *cells(y, p, w, 0.3)], [0.5, *cells(y, p, w, 0.5)], [0.8, *cells(y, p, w, 0.8)]]
    ).T.ravel(),
    "AUC": lambda y, p, w: sk.roc_auc_score(y, p, sample_weight=w),
    "AUCPrecisionRecall": davis_goadrich,
    "MaxRecall": lambda y, p, w: sk.recall_score(y, p > 1e-12, sample_weight=w),
    "SensitivityAtSpecificity": point("recall", "specificity"),
    "SpecificityAtSensitivity": point("specificity", "recall"),
    "PrecisionAtRecall": point("precision", "recall"),
    "RecallAtPrecision": point("recall", "precision"),
    "RecallAtFalsePositiveRate": point("recall", "-fall_out", -HALF),
    "ThresholdAtRecall": threshold_at_recall,
    "ConfusionMatrixPlot": confusion_plot,
    "CalibrationPlot": calibration_plot,
    "ExampleCount": lambda y, p, w: w.sum(),
    "LabelCount": lambda y, p, w: w.sum(),
    "WeightedExampleCount": lambda y, p, w: w.sum(),
    "MeanLabel": lambda y, p, w: np.average(y, weights=w),
    "MeanPrediction": lambda y, p, w: np.average(p, weights=w),
    "Calibration": lambda y, p, w: np.average(p, weights=w) / np.average(y, weights=w),
    "MeanSquaredError": lambda y, p, w: sk.mean_squared_error(y, p, sample_weight=w),
    "RootMeanSquaredError": lambda y, p, w: sk.root_mean_squared_error(y, p, sample_weight=w),
    "MeanAbsoluteError": lambda y, p, w: sk.mean_absolute_error(y, p, sample_weight=w),
    "MeanAbsolutePercentageError": lambda y, p, w: (
        100 * sk.mean_absolute_percentage_error(y[y != 0], p[y != 0], sample_weight=w[y != 0])
    ),
    "MeanSquaredLogarithmicError": lambda y, p, w: sk.mean_squared_log_error(y, p, sample_weight=w),
    "R2Score": lambda y, p, w: sk.r2_score(y, p, sample_weight=w),
    "SquaredPearsonCorrelation": squared_pearson,
    "PearsonCorrelation": pearson,
    "ConcordanceCorrelation": concordance,
    "CoefficientOfDiscrimination": lambda y, p, w: np.subtract(*discrimination(y, p, w)),
    "RelativeCoefficientOfDiscrimination": lambda y, p, w: np.divide(*discrimination(y, p, w)),
    "BinaryCrossEntropy": lambda y, p, w: sk.log_loss(
        y, np.clip(p, 1e-7, 1 - 1e-7), sample_weight=w
    ),
    "BinaryCrossentropy": lambda y, p, w: sk.log_loss(
        y, np.clip(p, 1e-7, 1 - 1e-7), sample_weight=w
    ),
    "CategoricalCrossEntropy": lambda y, p, w: sk.log_loss(y, p, sample_weight=w, labels=[0, 1, 2]),
    "SparseCategoricalCrossentropy": lambda y, p, w: np.average(
        -np.log(p[np.arange(len(p)), y.astype(int)]), weights=w
    ),
    "CategoricalCrossentropy": lambda y, p, w: sk.log_loss(y, p, sample_weight=w, labels=[0, 1, 2]),
    "Accuracy": lambda y, p, w: sk.accuracy_score(y.astype(str), p.astype(str), sample_weight=w),
    "CategoricalAccuracy": lambda y, p, w: sk.top_k_accuracy_score(y, p, k=1, sample_weight=w),
    "SparseCategoricalAccuracy": lambda y, p, w: sk.top_k_accuracy_score(
        y, p, k=1, sample_weight=w
    ),
}

REGRESSION = {
    "MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanSquaredLogarithmicError",
    "MeanAbsolutePercentageError", "R2Score", "SquaredPearsonCorrelation", "PearsonCorrelation",
    "ConcordanceCorrelation",
    "MeanLabel", "MeanPrediction", "Calibration", "SpearmanCorrelation", "KendallTau",
}  # fmt: skip


def data(name: str, weighted: bool, centre: float) -> Inputs:
    if name in SETS:
        return sure(example_inputs(build(name), 300, 11, weighted))
    inputs = without_baseline(name, weighted, centre)
    if not build(name).needs_baseline:
        return inputs
    return dataclasses.replace(inputs, baseline=inputs.predictions[::-1])


def without_baseline(name: str, weighted: bool, centre: float) -> Inputs:
    rng = np.random.default_rng(11)
    if name in coco.ORACLES:
        return example_inputs(build(name), 300, 11, weighted)
    weights = rng.integers(0, 5, 300) / 2 if weighted else None
    if name in TEXTS:
        return texts(rng, 300, weights)
    if build(name).accepts == {"classes"}:
        scores = rng.random((300, 3)) + 0.01
        return Inputs(
            rng.integers(0, 3, 300).astype(float), scores / scores.sum(1, keepdims=True), weights
        )
    if name in REGRESSION:
        labels = rng.normal(centre, 1, 300)
        return Inputs(np.abs(labels), np.abs(labels + rng.normal(0, 0.5, 300)), weights)
    if build(name).accepts == {"class_numbers"}:
        return Inputs(*rng.integers(0, 3, (2, 300)).astype(float), weights)
    labels = rng.integers(0, 2, 300).astype(float)
    # Two decimals: buckets of a ten-thousandth hold them exactly, and there are ties.
    scores = np.round(0.3 * labels + 0.7 * rng.random(300), 2)
    hours = groups(scores) if name in FAIRNESS else 2 * labels + 1
    if name in SAMPLES:  # of which the rows that are meant have 7
        hours = np.where(SAMPLES[name](labels, scores), 7.0, 1.0)
    batch = pa.record_batch({"hour": hours})
    if name in PIXELS:
        batch = example_images(np.random.default_rng(11), 300)
    return Inputs(labels, scores, weights, batch)


def numbers(value: Any) -> np.ndarray:
    if isinstance(value, np.ma.MaskedArray):
        return value[0].compressed().astype(float)
    if isinstance(value, dict):
        kept = [
            v
            for k, v in value.items()
            if k not in AXES - {"threshold"} and not (k == "threshold" and v.shape[1] > 3)
        ]
        return np.concatenate([column[0] for column in kept])
    return value[0]


@functools.cache
def expected_value(name: str, weighted: bool) -> Any:
    """What the oracle says, which no way in which rows arrive changes."""
    inputs = data(name, weighted, 0.0)
    weights = np.ones(300) if inputs.weights is None else inputs.weights
    return ORACLES[name](inputs.labels, inputs.predictions, weights)


def test_every_metric_has_an_oracle() -> None:
    assert sorted(ORACLES) == sorted(registered())


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ORACLES)
def test_value(name: str, weighted: bool, way: Any) -> None:
    actual = numbers(value_of(build(name), data(name, weighted, 0.0), np.zeros(300), 1, way))
    tolerance = 0.02 if name in SIMULATED else 1e-9
    np.testing.assert_allclose(actual, expected_value(name, weighted), rtol=tolerance, atol=1e-9)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    "name", ["R2Score", "SquaredPearsonCorrelation", "MeanSquaredError", "MeanLabel"]
)
def test_far_from_zero(name: str, way: Any) -> None:
    inputs = data(name, True, 1e9)
    assert inputs.weights is not None
    # The oracle works on centred data where the shift does not matter.
    y, p = inputs.labels - 1e9, inputs.predictions - 1e9
    shift = 1e9 if name == "MeanLabel" else 0.0
    expected = shift + ORACLES[name](y, p, inputs.weights)
    actual = numbers(value_of(build(name), inputs, np.zeros(300), 1, way))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["AUC", "Precision", "BinaryAccuracy", "MeanLabel", "AUCPrecisionRecall"]
)
def test_fractional_labels_split_rows(name: str) -> None:
    rng = np.random.default_rng(5)
    y, p = rng.integers(0, 11, 100) / 10, np.round(rng.random(100), 2)
    both = Inputs(np.r_[np.zeros(100), np.ones(100)], np.r_[p, p], np.r_[1 - y, y])
    split = value_of(build(name), both, np.zeros(200), 1)
    np.testing.assert_allclose(
        value_of(build(name), Inputs(y, p), np.zeros(100), 1), split, rtol=1e-12
    )
