# SPDX-License-Identifier: Apache-2.0
"""Means of a few labels, made narrower by what a judge says of many rows that have none.

Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, "Prediction-powered inference", Science 382, 2023: the mean
of what the judge says of the rows without labels, and with it the mean of its errors on those with labels.
It is right however wrong the judge is; a good judge makes it narrow. The judge counts as much as makes the
interval narrowest (Angelopoulos, Duchi and Zrnic, "PPI++", 2023), which is never wider than that of the
labels alone but for chance.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array
from benison.errors import DataError
from benison.evidence.tails import student_quantile

LEAST_LABELS = 50
"""With fewer labels the interval would be wrong."""


@dataclasses.dataclass(frozen=True)
class PoweredMeans:
    """Means of D numbers a row, and the covariance of their errors: float64[D] and float64[D, D]."""

    means: Array
    covariance: Array

    @classmethod
    def of(cls, labels: Array, judged: Array, unlabelled: Array, weights: Weights) -> PoweredMeans:
        """Of L labelled rows, float64[D, L], what is judged of them, and of U others: float64[D, U]."""
        of_labelled, of_others = weights
        covariance = np.atleast_2d(np.cov(labels, judged, fweights=of_labelled))
        size = len(labels)
        rows = int(of_labelled.sum()), int(of_others.sum())
        share = _shares(covariance, size, rows)
        error = labels - share[:, None] * judged
        spread = np.atleast_2d(np.cov(error, fweights=of_labelled)) / rows[0]
        means = np.average(error, axis=1, weights=of_labelled)
        if rows[1]:
            means = means + share * np.average(unlabelled, axis=1, weights=of_others)
            others = np.atleast_2d(np.cov(unlabelled, fweights=of_others))
            spread = spread + others * np.outer(share, share) / rows[1]
        return cls(means, spread)


Weights = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""How many rows each labelled and each other column stands for."""


def _shares(covariance: Array, size: int, rows: tuple[int, int]) -> Array:
    """By how much each judgement counts, from 0 to 1: float64[D]."""
    if not rows[1]:
        return np.zeros(size)
    variance = np.diag(covariance)[size:]
    with np.errstate(all="ignore"):
        best = np.diag(covariance[:size, size:]) / (variance * (1 + rows[0] / rows[1]))
    return np.asarray(np.clip(np.nan_to_num(best), 0, 1))


@dataclasses.dataclass(frozen=True)
class PoweredMean:
    """A mean with its interval, from so many labels and so many rows that were only judged."""

    value: float
    lower: float
    upper: float
    labelled: int
    judged: int


def prediction_powered_mean(
    labels: Any, judged: Any, unlabelled: Any, *, confidence: float = 0.95
) -> PoweredMean:
    """The mean of a number over all rows, of which few have a label and all a judgement.

    Rows with labels must be a random sample of all rows.

    Args:
        labels: Of the labelled rows: [L] numbers.
        judged: What the judge, such as a language model or a calibrated score, says of the same rows: [L].
        unlabelled: What it says of the other rows: [U].
        confidence: Of the interval, between 0.5 and 1.

    Raises:
        DataError: There are fewer than 50 labels, or numbers that are missing.

    >>> generator = np.random.default_rng(3)
    >>> right = (generator.random(20_300) < 0.8).astype(float)
    >>> judge = np.where(generator.random(20_300) < 0.9, right, 1 - right)
    >>> mean = prediction_powered_mean(right[:300], judge[:300], judge[300:])
    >>> round(mean.lower, 2), round(mean.value, 2), round(mean.upper, 2)
    (0.77, 0.79, 0.82)
    """
    rows, judgements, others = (np.asarray(of, np.float64) for of in (labels, judged, unlabelled))
    if rows.shape != judgements.shape or rows.ndim != 1 or others.ndim != 1:
        raise DataError("Give one judgement for each label, and one for each other row.")
    if len(rows) < LEAST_LABELS:
        raise DataError(f"{len(rows)} labels are too few for an interval; give {LEAST_LABELS}.")
    if not all(np.isfinite(of).all() for of in (rows, judgements, others)):
        raise DataError("A label or a judgement is missing or infinite; leave out its row.")
    each = np.ones(len(rows), np.int64), np.ones(len(others), np.int64)
    known = PoweredMeans.of(rows[None], judgements[None], others[None], each)
    error = np.sqrt(known.covariance[0, 0])
    degrees = np.array([len(rows) - 1.0])
    reach = float(student_quantile((1 - confidence) / 2, degrees)[0] * error)
    value = float(known.means[0])
    return PoweredMean(value, value - reach, value + reach, len(rows), len(others))
