# SPDX-License-Identifier: Apache-2.0
"""The oracles of metrics of classes, of queries, of pixels, and of two models."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics as sk
from PIL import Image

from benison.testing import example_images
from tests.rate_oracles import HALF, Oracle


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
