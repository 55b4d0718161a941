# SPDX-License-Identifier: Apache-2.0
"""The oracles: every registered metric against an implementation that is not ours."""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics as sk
from PIL import Image

from benison.data.batch import Inputs
from benison.metrics import registered
from benison.metrics.base import AXES
from benison.testing import WAYS, example_images, example_inputs, value_of
from tests import coco
from tests.fairness_oracles import FAIRNESS, groups
from tests.test_laws import build
from tests.text_oracles import TEXTS, texts

Oracle = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
HALF = 0.5


def cells(
    y: np.ndarray, p: np.ndarray, w: np.ndarray, t: float = HALF
) -> tuple[float, float, float, float]:
    tn, fp, fn, tp = sk.confusion_matrix(y, p > t, sample_weight=w, labels=[0, 1]).ravel()
    return tp, fp, tn, fn


def rate(f: Callable[..., float]) -> Oracle:
    return lambda y, p, w: f(*cells(y, p, w))


def tpr(tp: float, fp: float, tn: float, fn: float) -> float:
    return tp / (tp + fn)


def tnr(tp: float, fp: float, tn: float, fn: float) -> float:
    return tn / (tn + fp)


def prevalence_threshold(tp: float, fp: float, tn: float, fn: float) -> float:
    sensitivity, fall_out = tp / (tp + fn), fp / (fp + tn)
    return (np.sqrt(sensitivity * fall_out) - fall_out) / (sensitivity - fall_out)


def on_hard(f: Any, **more: Any) -> Oracle:
    return lambda y, p, w: f(y, p > HALF, sample_weight=w, **more)


def best(
    y: np.ndarray, p: np.ndarray, w: np.ndarray, wanted: str, limit: str, at_least: float
) -> float:
    """The best value of a rate over all thresholds at which another is good enough."""
    values = []
    for t in [-1.0, *np.unique(p)]:
        tp, fp, tn, fn = cells(y, p, w, t)
        rates = {
            "recall": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "precision": tp / (tp + fp) if tp + fp else np.nan,
            "-fall_out": -fp / (fp + tn),
        }
        if rates[limit] >= at_least:
            values.append(rates[wanted])
    return float(np.nanmax(values))


def point(wanted: str, limit: str, at_least: float = HALF) -> Oracle:
    return lambda y, p, w: best(y, p, w, wanted, limit, at_least)


def threshold_at_recall(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """The largest score that leaves half of the positives from there up."""
    _, recall, thresholds = sk.precision_recall_curve(y, p, sample_weight=w)
    return float(thresholds[recall[:-1] >= HALF].max())


def davis_goadrich(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    area, total = 0.0, (w * y).sum()
    points = [((w * y * (p > t)).sum(), (w * (p > t)).sum()) for t in [-1.0, *np.unique(p)]]
    for (tp0, all0), (tp1, all1) in zip(points, points[1:], strict=False):
        if all0 == all1:
            continue
        slope = (tp0 - tp1) / (all0 - all1)
        intercept = tp1 - slope * all1
        growth = np.log(all0 / all1) if all1 > 0 else 0.0
        area += slope * (tp0 - tp1 + intercept * growth)
    return area / total


def concordance(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    (yy, yp), (_, pp) = np.cov(y, p, aweights=w, ddof=0)
    apart = np.average(y, weights=w) - np.average(p, weights=w)
    return float(2 * yp / (yy + pp + apart**2))


def pearson(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    repeated = np.repeat(np.stack([y, p]), np.round(w * 2).astype(int), axis=1)
    return float(scipy.stats.pearsonr(*repeated).statistic)


def squared_pearson(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    return pearson(y, p, w) ** 2


def discrimination(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    return np.average(p[y == 1], weights=w[y == 1]), np.average(p[y == 0], weights=w[y == 0])


def calibration_plot(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
    bucket = np.searchsorted(np.arange(1001) / 1000, p, side="right")
    sums = [[(w * x)[bucket == i].sum() for i in range(1002)] for x in (y, p, np.ones_like(p))]
    return np.concatenate(sums)


def confusion_plot(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
    # At 0 what counts as above is 0 and more, as in TFMA.
    at = [cells(y, p, w, t) for t in [-1.0, -1e-12, *(np.arange(1, 1001) / 1000)]]
    return np.array(at).T.ravel()


RATES: dict[str, Oracle] = {
    "TruePositives": rate(lambda tp, fp, tn, fn: tp),
    "FalsePositives": rate(lambda tp, fp, tn, fn: fp),
    "TrueNegatives": rate(lambda tp, fp, tn, fn: tn),
    "FalseNegatives": rate(lambda tp, fp, tn, fn: fn),
    "BinaryAccuracy": on_hard(sk.accuracy_score),
    "Precision": on_hard(sk.precision_score),
    "Recall": on_hard(sk.recall_score),
    "Specificity": on_hard(sk.recall_score, pos_label=0),
    "FallOut": rate(lambda *m: 1 - tnr(*m)),
    "MissRate": rate(lambda *m: 1 - tpr(*m)),
    "NegativePredictiveValue": on_hard(sk.precision_score, pos_label=0),
    "FalseDiscoveryRate": rate(lambda tp, fp, tn, fn: fp / (fp + tp)),
    "FalseOmissionRate": rate(lambda tp, fp, tn, fn: fn / (fn + tn)),
    "Prevalence": lambda y, p, w: np.average(y, weights=w),
    "PrevalenceThreshold": rate(prevalence_threshold),
    "ThreatScore": on_hard(sk.jaccard_score),
    "BalancedAccuracy": on_hard(sk.balanced_accuracy_score),
    "F1Score": on_hard(sk.f1_score),
    "MatthewsCorrelationCoefficient": on_hard(sk.matthews_corrcoef),
    "FowlkesMallowsIndex": rate(lambda tp, fp, tn, fn: tp / np.sqrt((tp + fp) * (tp + fn))),
    "Informedness": on_hard(sk.balanced_accuracy_score, adjusted=True),
    "Markedness": rate(lambda tp, fp, tn, fn: tp / (tp + fp) + tn / (tn + fn) - 1),
    "PositiveLikelihoodRatio": lambda y, p, w: sk.class_likelihood_ratios(
        y, p > HALF, sample_weight=w
    )[0],
    "NegativeLikelihoodRatio": lambda y, p, w: sk.class_likelihood_ratios(
        y, p > HALF, sample_weight=w
    )[1],
    "DiagnosticOddsRatio": rate(lambda tp, fp, tn, fn: tp * tn / (fp * fn)),
    "PredictedPositiveRate": lambda y, p, w: np.average(p > HALF, weights=w),
}


def min_label_position(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    """The mean place of the first positive over orders of what is tied, by shuffling."""
    rng = np.random.default_rng(0)
    tied = p == p[y == 1].max()
    places = [np.argmax(rng.permutation(y[tied])) + 1 for _ in range(40_000)]
    return float((p > p[tied][0]).sum() + np.mean(places))


def tied(of: Callable[[np.ndarray], float]) -> Oracle:
    """The mean of a function of ranked labels over orders of what is tied, by shuffling."""

    def mean(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
        rng, heavy = np.random.default_rng(0), w > 0
        orders = [np.lexsort((rng.random(heavy.sum()), -p[heavy])) for _ in range(200)]
        return float(np.mean([of(y[heavy][order]) for order in orders]))

    return mean


def average_precision(hits: np.ndarray) -> float:
    ranks = np.flatnonzero(hits) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def own_scores(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return p[np.arange(len(p)), y.astype(int)]


def categorical_hinge(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    others = np.where(np.eye(3)[y.astype(int)] == 1, -np.inf, p).max(axis=1)
    return np.average(np.maximum(1 + others - own_scores(y, p), 0), weights=w)


def kl_divergence(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    labels = np.clip(np.eye(3)[y.astype(int)], 1e-7, 1)
    return np.average(scipy.special.rel_entr(labels, p).sum(axis=1), weights=w)


def in_top(k: int) -> Oracle:
    return lambda y, p, w: np.average(
        [np.sum(row > row[int(label)]) < k for label, row in zip(y, p, strict=True)], weights=w
    )


def jaccard(labels: list[int]) -> Oracle:
    return lambda y, p, w: sk.jaccard_score(
        y, p, labels=labels, average="macro", sample_weight=w, zero_division=0
    )


def likeliest(oracle: Oracle) -> Oracle:
    return lambda y, p, w: oracle(y, p.argmax(axis=1), w)


def mean_of(function: Callable[[np.ndarray, np.ndarray], Any]) -> Oracle:
    return lambda y, p, w: np.average(function(y, p), weights=w)


def class_matrix(threshold: float) -> Oracle:
    def matrix(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
        predicted = np.where(p.max(axis=1) > threshold, p.argmax(axis=1), -1)
        return sk.confusion_matrix(y, predicted, labels=[-1, 0, 1, 2], sample_weight=w)[1:].ravel()

    return matrix


def label_matrix(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
    above = p > HALF
    pairs = [(y == a, j, y == j) for a in range(3) for j in range(3)]
    tp = [w[rows & own & above[:, j]].sum() for rows, j, own in pairs]
    fp = [w[rows & ~own & above[:, j]].sum() for rows, j, own in pairs]
    tn = [w[rows & ~own & ~above[:, j]].sum() for rows, j, own in pairs]
    fn = [w[rows & own & ~above[:, j]].sum() for rows, j, own in pairs]
    return np.array([*tp, *fp, *tn, *fn])


def distribution_plot(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
    thresholds = np.array([-1e-6, *(np.arange(1001) / 1000)])
    above = np.array([w[p > t].sum() for t in thresholds])
    return np.concatenate([above, 0 * above, w.sum() - above, 0 * above])


def flips(counts: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Oracle:
    """Of the baseline that predicts for each row what the candidate does for its mirror image."""
    return lambda y, p, w: np.average(counts(p > HALF, p[::-1] > HALF), weights=w)


def cosine(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    distances = [scipy.spatial.distance.cosine(a, b) for a, b in zip(p, p[::-1], strict=True)]
    return np.average(1 - np.array(distances), weights=w)


def expected_calibration_error(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    bucket = np.digitize(p, np.arange(1, 10) / 10)
    distances = [abs((w * (p - y))[bucket == i].sum()) for i in range(10)]
    return sum(distances) / w.sum()


def brier_terms(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> tuple[float, ...]:
    """Reliability, resolution and uncertainty bucket by bucket, and the two terms within buckets."""
    bucket, share = np.digitize(p, np.arange(1, 10) / 10), w / w.sum()
    base = np.average(y, weights=w)
    terms = np.zeros(4)
    for k in np.unique(bucket[w > 0]):
        rows = bucket == k
        labels, scores, weights = y[rows], p[rows], share[rows]
        o, mean = np.average(labels, weights=weights), np.average(scores, weights=weights)
        terms[:2] += weights.sum() * (mean - o) ** 2, weights.sum() * (o - base) ** 2
        crossed = (scores - mean) ** 2 - 2 * (labels - o) * (scores - mean)
        terms[3] += (weights * crossed).sum()
    terms[2] = base * (1 - base)
    return tuple(terms)


def kolmogorov_smirnov(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    often = np.round(w * 2).astype(int)
    labels, scores = np.repeat(y, often), np.repeat(p, often)
    return scipy.stats.ks_2samp(scores[labels == 1], scores[labels == 0]).statistic


def repeated(correlation: Callable[..., Any]) -> Oracle:
    """A correlation of scipy's, in which a row of weight 1.5 is there three times."""
    return lambda y, p, w: correlation(*np.repeat([y, p], np.round(2 * w).astype(int), 1)).statistic


COMPARISONS: dict[str, Oracle] = {
    "SpearmanCorrelation": repeated(scipy.stats.spearmanr),
    "KendallTau": repeated(scipy.stats.kendalltau),
    "BrierScore": lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w),
    "BrierReliability": lambda y, p, w: brier_terms(y, p, w)[0],
    "BrierResolution": lambda y, p, w: brier_terms(y, p, w)[1],
    "BrierUncertainty": lambda y, p, w: brier_terms(y, p, w)[2],
    "BrierWithinBuckets": lambda y, p, w: brier_terms(y, p, w)[3],
    "ExpectedCalibrationError": expected_calibration_error,
    "Gini": lambda y, p, w: 2 * sk.roc_auc_score(y, p, sample_weight=w) - 1,
    "KolmogorovSmirnov": kolmogorov_smirnov,
    "MarginDensity": lambda y, p, w: np.average(np.abs(2 * p - 1) < HALF, weights=w),
    "SymmetricFlipRate": flips(lambda p, q: p != q),
    "NegToNegFlipRate": flips(lambda p, q: ~p & ~q),
    "NegToPosFlipRate": flips(lambda p, q: p & ~q),
    "PosToNegFlipRate": flips(lambda p, q: ~p & q),
    "PosToPosFlipRate": flips(lambda p, q: p & q),
    "SymmetricPredictionDifference": lambda y, p, w: np.average(
        2 * np.abs(p - p[::-1]) / (p + p[::-1]), weights=w
    ),
    "ModelCosineSimilarity": cosine,
    # Without a query_key all rows are one query.
    "TotalQueries": lambda y, p, w: w[w > 0].mean(),
    "TotalDocuments": lambda y, p, w: w.sum(),
    "MinDocuments": lambda y, p, w: w.sum(),
    "MaxDocuments": lambda y, p, w: w.sum(),
}


def pixel_cells(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The counts of class 1 in the images of `data`, whatever labels and predictions are."""
    batch = example_images(np.random.default_rng(11), 300)
    truth = [np.asarray(Image.open(io.BytesIO(file.as_py()))).ravel() for file in batch.column(0)]
    values = [np.concatenate(image.as_py()) for image in batch.column(1)]
    weights = np.repeat(w, [len(image) for image in truth])
    first = [np.concatenate(images) == 1 for images in (truth, values)]
    tn, fp, fn, tp = sk.confusion_matrix(*first, sample_weight=weights).ravel()
    return np.array([tp, fp, tn, fn])


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
