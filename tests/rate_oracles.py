# SPDX-License-Identifier: Apache-2.0
"""The oracles of metrics of one score in a row: rates at thresholds, areas, correlations, and plots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics as sk

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
