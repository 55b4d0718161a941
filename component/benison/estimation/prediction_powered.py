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

from benison.data.batch import Array
from benison.errors import ConfigError, DataError
from benison.evidence.tails import student_quantile

LEAST_LABELS = 50
"""With fewer labels the interval would be wrong."""
_LEAST_OTHERS = 2
_LARGEST = 1e100  # the squares of larger ones overflow in sums
_ROUNDING = (
    1e-12  # a variance that is no more; a judge that says the same of all rows knows nothing
)


@dataclasses.dataclass(frozen=True)
class JudgedRows:
    """D numbers of labelled rows, what is judged of them, and how many rows each column stands for.

    Attributes:
        labels: float64[D, L].
        judged: float64[D, L].
        weights: float64[L].
    """

    labels: Array
    judged: Array
    weights: Array

    def joined(self, other: JudgedRows) -> JudgedRows:
        """These rows and others."""
        return JudgedRows(
            np.hstack([self.labels, other.labels]),
            np.hstack([self.judged, other.judged]),
            np.concatenate([self.weights, other.weights]),
        )


@dataclasses.dataclass(frozen=True)
class PoweredMeans:
    """Means of D numbers a row, and the covariance of their errors: float64[D] and float64[D, D]."""

    means: Array
    covariance: Array

    @classmethod
    def of(cls, rows: JudgedRows, others: Array, weights: Array) -> PoweredMeans:
        """Of labelled rows, and what is judged of others, float64[D, U], each standing for so many rows."""
        size, labelled, unlabelled = len(rows.labels), rows.weights.sum(), weights.sum()
        share = np.zeros(size)
        if unlabelled >= _LEAST_OTHERS:
            covariance = _covariance(np.vstack([rows.labels, rows.judged]), rows.weights)
            share = _shares(covariance, size, labelled / unlabelled)
        error = rows.labels - share[:, None] * rows.judged
        means = np.average(error, axis=1, weights=rows.weights)
        spread = _covariance(error, rows.weights) / labelled
        if share.any():
            means = means + share * np.average(others, axis=1, weights=weights)
            spread = spread + _covariance(others, weights) * np.outer(share, share) / unlabelled
        return cls(means, spread)


def _covariance(columns: Array, weights: Array) -> Array:
    """Of float64[D, N] with how many rows each column stands for: float64[D, D]."""
    centred = columns - np.average(columns, axis=1, weights=weights)[:, None]
    return np.asarray((centred * weights) @ centred.T / (weights.sum() - 1))


def _shares(covariance: Array, size: int, ratio: float) -> Array:
    """By how much each judgement counts, from 0 to 1: float64[D]."""
    variance = np.diag(covariance)[size:]
    with np.errstate(all="ignore"):
        best = np.diag(covariance[:size, size:]) / (variance * (1 + ratio))
    best = np.where(variance > _ROUNDING, best, 0.0)
    return np.asarray(np.clip(np.nan_to_num(best), 0, 1))


def check_confidence(confidence: float) -> None:
    """Refuse what is no confidence; raises ConfigError."""
    if not 0.5 < confidence < 1:
        raise ConfigError(f"A confidence is between 0.5 and 1, such as 0.95, not {confidence}.")


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

    Rows with labels must be a random sample of all rows. Where labels are 0 and 1, the interval is as if two
    more had been of each (Agresti and Coull, 1998): that a few labels agree is no certainty.

    Args:
        labels: Of the labelled rows: [L] numbers.
        judged: What the judge, such as a language model or a calibrated score, says of the same rows: [L].
        unlabelled: What it says of the other rows: [U].
        confidence: Of the interval, between 0.5 and 1.

    Raises:
        ConfigError: The confidence is none.
        DataError: There are fewer than 50 labels, numbers are missing, or labels but 0 and 1 are alike.

    >>> generator = np.random.default_rng(3)
    >>> right = (generator.random(20_300) < 0.8).astype(float)
    >>> judge = np.where(generator.random(20_300) < 0.9, right, 1 - right)
    >>> mean = prediction_powered_mean(right[:300], judge[:300], judge[300:])
    >>> round(mean.lower, 2), round(mean.value, 2), round(mean.upper, 2)
    (0.76, 0.79, 0.82)
    """
    check_confidence(confidence)
    known, judgements, others = (_numbers(of) for of in (labels, judged, unlabelled))
    _check(known, judgements, others)
    rows = JudgedRows(known[None], judgements[None], np.ones(len(known)))
    each = others[None], np.ones(len(others))
    means = centre = PoweredMeans.of(rows, *each)
    if set(known.tolist()) <= {0.0, 1.0}:
        label, judge = np.array([[0.0, 0.0, 1.0, 1.0]]), np.full((1, 4), judgements.mean())
        centre = PoweredMeans.of(rows.joined(JudgedRows(label, judge, np.ones(4))), *each)
    error = float(np.sqrt(centre.covariance[0, 0]))
    if not error:
        raise DataError(
            "All labels are off by the same, which says nothing of how sure their mean is."
        )
    degrees = np.array([len(known) - 1.0])
    reach = float(student_quantile((1 - confidence) / 2, degrees)[0]) * error
    value, middle = float(means.means[0]), float(centre.means[0])
    lower, upper = min(value, middle - reach), max(value, middle + reach)
    return PoweredMean(value, lower, upper, len(known), len(others))


def _numbers(values: Any) -> Array:
    try:
        return np.asarray(values, np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"Labels and judgements are numbers: {error}.") from error


def _check(labels: Array, judged: Array, others: Array) -> None:
    if labels.shape != judged.shape or labels.ndim != 1 or others.ndim != 1:
        raise DataError("Give one judgement for each label, and one for each other row.")
    if len(labels) < LEAST_LABELS:
        raise DataError(f"{len(labels)} labels are too few for an interval; give {LEAST_LABELS}.")
    if not all(np.isfinite(of).all() for of in (labels, judged, others)):
        raise DataError("A label or a judgement is missing or infinite; leave out its row.")
    if max(float(np.abs(of).max(initial=0)) for of in (labels, judged, others)) > _LARGEST:
        raise DataError(f"A label or a judgement is beyond {_LARGEST:g}; divide all by a number.")
