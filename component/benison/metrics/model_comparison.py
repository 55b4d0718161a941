# SPDX-License-Identifier: Apache-2.0
"""How far a candidate's predictions differ from the baseline's on the same rows, whatever the labels.

In formulas p is the candidate's prediction and q the baseline's. Each value is the weighted mean over the
rows of a slice; NaN without weight, and where a prediction of either model is missing. Without a baseline
there is no value, and thresholds on it are not judged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from benison.data.batch import Array, Inputs, Mask
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.class_means import cosine
from benison.metrics.confusion import as_thresholds, snake_case
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.row_means import PerRowMean
from benison.metrics.statistics.sums import Arrays, Mean

_SMALL = 1e-7  # TFMA's: two predictions as small as this do not differ


def both(inputs: Inputs) -> tuple[Array, Array]:
    """The predictions of candidate and baseline: both float64[N] or both float64[N, C].

    Raises:
        DataError: Their shapes differ.
    """
    candidate, baseline = inputs.predictions, inputs.baseline
    if baseline is None or candidate.shape != baseline.shape:
        shape = getattr(baseline, "shape", None)
        raise DataError(
            f"Candidate and baseline must predict as many numbers in each row; the candidate's predictions "
            f"have the shape {candidate.shape}, the baseline's {shape}."
        )
    return candidate, baseline


class Flip(NamedTuple):
    """One line of `FLIPS`: whether a row counts, and what is said of the metric."""

    counts: Callable[[Mask, Mask], Mask]
    sentence: str
    higher_is_better: bool | None = None


FLIPS = {
    "SymmetricFlipRate": Flip(
        lambda p, q: p != q,
        "Share of rows on which candidate and baseline decide differently.",
        LOWER,
    ),
    "NegToNegFlipRate": Flip(lambda p, q: ~q & ~p, "Share of rows that both models call negative."),
    "NegToPosFlipRate": Flip(
        lambda p, q: ~q & p,
        "Share of rows that the baseline calls negative and the candidate positive.",
    ),
    "PosToNegFlipRate": Flip(
        lambda p, q: q & ~p,
        "Share of rows that the baseline calls positive and the candidate negative.",
    ),
    "PosToPosFlipRate": Flip(lambda p, q: q & p, "Share of rows that both models call positive."),
}


@dataclasses.dataclass(frozen=True)
class FlipOf:
    """1 where a row counts by a line of `FLIPS`, else 0; NaN without a prediction: as predictions are."""

    flip: str
    threshold: float

    def __call__(self, inputs: Inputs) -> Array:
        """Of each row, float64[N], or of each output, float64[N, C]."""
        p, q = both(inputs)
        counts = FLIPS[self.flip].counts(p > self.threshold, q > self.threshold)
        return np.where(np.isnan(p) | np.isnan(q), np.nan, counts)


@dataclasses.dataclass(frozen=True)
class FlipRate(Metric):
    """The weighted share of rows that count by a line of `FLIPS`; from 0 to 1.

    A prediction above the threshold is a positive decision. NaN without weight, and where a prediction of
    either model is missing.

    Attributes:
        flip: The key of the line in `FLIPS`.
        name: The metric's name in the results.
        threshold: What divides negative from positive decisions.

    >>> rows = dataclasses.replace(Inputs.of([0, 0], [0.9, 0.2]), baseline=np.array([0.4, 0.3]))
    >>> FlipRate("NegToPosFlipRate", "neg_to_pos_flip_rate").of(rows)
    0.5
    """

    flip: str
    name: str
    threshold: float = 0.5
    needs_label = False
    needs_baseline = True
    is_share = True

    def __post_init__(self) -> None:
        as_thresholds(self.threshold)

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Mean(FlipOf(self.flip, self.threshold)),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


def _flip(
    flip: str, default_name: str, /, threshold: float = 0.5, name: str | None = None
) -> FlipRate:
    return FlipRate(flip, name or default_name, threshold)


@dataclasses.dataclass(frozen=True)
class SymmetricPredictionDifference(PerRowMean):
    """Mean of 2 |p - q| / |p + q|; from 0 for equal models up, to 2 where predictions are not negative.

    0 where both are below 1e-7, as in TFMA; NaN where they add up to 0 otherwise.

    >>> rows = dataclasses.replace(Inputs.of([0, 0], [0.3, 0.2]), baseline=np.array([0.1, 0.2]))
    >>> round(SymmetricPredictionDifference().of(rows), 6)
    0.5
    """

    name: str = "symmetric_prediction_difference"
    needs_label = False
    needs_baseline = True

    def __call__(self, inputs: Inputs) -> Array:
        p, q = both(inputs)
        small = (np.abs(p) < _SMALL) & (np.abs(q) < _SMALL)
        return np.where(small, 0.0, ratio(2 * np.abs(p - q), np.abs(p + q)))


@dataclasses.dataclass(frozen=True)
class ModelCosineSimilarity(PerRowMean):
    """Mean cosine of the candidate's and the baseline's predictions of a row; from -1 to 1.

    0 where the predictions of a row are all zero.

    >>> rows = Inputs.of([0], [[3.0, 4.0]])
    >>> rows = dataclasses.replace(rows, baseline=np.array([[4.0, 3.0]]))
    >>> round(ModelCosineSimilarity().of(rows), 6)
    0.96
    """

    name: str = "model_cosine_similarity"
    accepts = frozenset({"classes"})
    needs_label = False
    needs_baseline = True

    def __call__(self, inputs: Inputs) -> Array:
        p, q = both(inputs)
        return cosine(p.reshape(len(p), -1), q.reshape(len(q), -1)) if len(p) else np.zeros(0)


def _register_all() -> None:
    for class_name, line in FLIPS.items():
        register(
            class_name,
            partial(_flip, class_name, snake_case(class_name)),
            About(line.sentence, line.higher_is_better, 0, 1),
        )


_register_all()
register(
    "SymmetricPredictionDifference",
    SymmetricPredictionDifference,
    About.of(SymmetricPredictionDifference, LOWER, 0),
)
register(
    "ModelCosineSimilarity", ModelCosineSimilarity, About.of(ModelCosineSimilarity, HIGHER, -1, 1)
)
