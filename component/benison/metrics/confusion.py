# SPDX-License-Identifier: Apache-2.0
"""The metrics of the binary confusion matrix at given thresholds: one line each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.cells import Cells
from benison.metrics.statistics.histogram import ThresholdCells


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Weights of the four cells, each float64[S, T]; the rates that formulas are made of."""

    tp: Array
    fp: Array
    tn: Array
    fn: Array

    @property
    def total(self) -> Array:
        """All rows."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def tpr(self) -> Array:
        """Recall."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def tnr(self) -> Array:
        """Specificity."""
        return ratio(self.tn, self.tn + self.fp)

    @property
    def fpr(self) -> Array:
        """Fall-out."""
        return ratio(self.fp, self.fp + self.tn)

    @property
    def fnr(self) -> Array:
        """Miss rate."""
        return ratio(self.fn, self.fn + self.tp)

    @property
    def ppv(self) -> Array:
        """Precision."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def npv(self) -> Array:
        """Negative predictive value."""
        return ratio(self.tn, self.tn + self.fn)


def matrix_of(cells: Cells) -> Matrix:
    """The matrices of a `ThresholdCells` state, thresholds ascending: [S, T].

    A slice in which a prediction is missing is NaN throughout.
    """
    by_place = cells.dense().reshape(cells.size, -1, 2)
    by_place = by_place + 0 * by_place.sum(axis=(1, 2), keepdims=True)
    above = np.cumsum(by_place[:, ::-1], axis=1)[:, ::-1]
    below = np.cumsum(by_place, axis=1)
    positive, negative = above[:, 1:], below[:, :-1]
    return Matrix(positive[..., 1], positive[..., 0], negative[..., 0], negative[..., 1])


def prevalence_threshold(m: Matrix) -> Array:
    """(sqrt(TPR FPR) - FPR) / (TPR - FPR), after Balayla, "Prevalence threshold", 2020.

    Reduced by sqrt(TPR) - sqrt(FPR), so that it is defined where the two are equal.
    """
    return ratio(np.sqrt(m.fpr), np.sqrt(m.tpr) + np.sqrt(m.fpr))


def matthews(m: Matrix) -> Array:
    """(TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN))."""
    # The square root of each factor, as their product overflows at 10^77 rows' weight.
    roots = [np.sqrt(x) for x in (m.tp + m.fp, m.tp + m.fn, m.tn + m.fp, m.tn + m.fn)]
    return ratio(m.tp * m.tn - m.fp * m.fn, np.prod(roots, axis=0))


@dataclasses.dataclass(frozen=True)
class Rate:
    """A formula over the matrix, and what it is."""

    formula: Callable[[Matrix], Array]
    sentence: str
    higher_is_better: bool | None = None
    low: float = 0.0
    high: float = 1.0

    @property
    def about(self) -> About:
        """For the registry."""
        return About(self.sentence, self.higher_is_better, self.low, self.high)


# fmt: off
RATES: dict[str, Rate] = {
    "TruePositives": Rate(lambda m: m.tp, "Weight of the positives that are predicted positive.", HIGHER, 0, inf),
    "TrueNegatives": Rate(lambda m: m.tn, "Weight of the negatives that are predicted negative.", HIGHER, 0, inf),
    "FalsePositives": Rate(lambda m: m.fp, "Weight of the negatives that are predicted positive.", LOWER, 0, inf),
    "FalseNegatives": Rate(lambda m: m.fn, "Weight of the positives that are predicted negative.", LOWER, 0, inf),
    "BinaryAccuracy": Rate(lambda m: ratio(m.tp + m.tn, m.total), "Share of right predictions.", HIGHER),
    "Precision": Rate(lambda m: m.ppv, "Share of positives among what is predicted positive.", HIGHER),
    "Recall": Rate(lambda m: m.tpr, "Share of the positives that are predicted positive.", HIGHER),
    "Specificity": Rate(lambda m: m.tnr, "Share of the negatives that are predicted negative.", HIGHER),
    "FallOut": Rate(lambda m: m.fpr, "Share of the negatives that are predicted positive.", LOWER),
    "MissRate": Rate(lambda m: m.fnr, "Share of the positives that are predicted negative.", LOWER),
    "NegativePredictiveValue": Rate(lambda m: m.npv, "Share of negatives among what is predicted negative.", HIGHER),
    "FalseDiscoveryRate": Rate(lambda m: ratio(m.fp, m.fp + m.tp), "Share of negatives among what is predicted positive.", LOWER),
    "FalseOmissionRate": Rate(lambda m: ratio(m.fn, m.fn + m.tn), "Share of positives among what is predicted negative.", LOWER),
    "Prevalence": Rate(lambda m: ratio(m.tp + m.fn, m.total), "Share of positives."),
    "PrevalenceThreshold": Rate(prevalence_threshold, "Prevalence below which precision falls steeply."),
    "ThreatScore": Rate(lambda m: ratio(m.tp, m.tp + m.fn + m.fp), "True positives among all that is or is predicted positive.", HIGHER),
    "BalancedAccuracy": Rate(lambda m: (m.tpr + m.tnr) / 2, "Mean of recall and specificity.", HIGHER),
    "F1Score": Rate(lambda m: ratio(2 * m.tp, 2 * m.tp + m.fp + m.fn), "Harmonic mean of precision and recall.", HIGHER),
    "MatthewsCorrelationCoefficient": Rate(matthews, "Correlation of label and prediction.", HIGHER, -1),
    "FowlkesMallowsIndex": Rate(lambda m: np.sqrt(m.ppv * m.tpr), "Geometric mean of precision and recall.", HIGHER),
    "Informedness": Rate(lambda m: m.tpr + m.tnr - 1, "Recall plus specificity, less 1.", HIGHER, -1),
    "Markedness": Rate(lambda m: m.ppv + m.npv - 1, "Precision plus negative predictive value, less 1.", HIGHER, -1),
    "PositiveLikelihoodRatio": Rate(lambda m: ratio(m.tpr, m.fpr), "Recall over fall-out.", HIGHER, 0, inf),
    "NegativeLikelihoodRatio": Rate(lambda m: ratio(m.fnr, m.tnr), "Miss rate over specificity.", LOWER, 0, inf),
    "DiagnosticOddsRatio": Rate(lambda m: ratio(ratio(m.tp, m.fn), ratio(m.fp, m.tn)), "Odds of a positive prediction among positives over those among negatives.", HIGHER, 0, inf),
    "PredictedPositiveRate": Rate(lambda m: ratio(m.tp + m.fp, m.total), "Share of what is predicted positive."),
}
# fmt: on

ALIASES = {
    "TP": "TruePositives",
    "TN": "TrueNegatives",
    "FP": "FalsePositives",
    "FN": "FalseNegatives",
    "PPV": "Precision",
    "TPR": "Recall",
    "TNR": "Specificity",
    "FPR": "FallOut",
    "FNR": "MissRate",
    "NPV": "NegativePredictiveValue",
}


@dataclasses.dataclass(frozen=True)
class ConfusionRate(Metric):
    """A formula over the confusion matrix in which a prediction above the threshold is positive.

    A list of several thresholds gives a list of values. NaN where a denominator is 0.

    >>> ConfusionRate("Precision", "precision").of(Inputs.of([1, 0, 1], [0.9, 0.8, 0.1]))
    0.5
    """

    rate: str
    name: str
    thresholds: tuple[float, ...] = (0.5,)
    accepts = frozenset({"binary"})

    @property
    def empty_value(self) -> float:  # type: ignore[override]
        """The formula's value on nothing: 0 for counts, NaN for rates."""
        nothing = np.zeros((1, 1))
        with np.errstate(all="ignore"):
            return float(RATES[self.rate].formula(Matrix(*[nothing] * 4))[0, 0])

    @property
    def needs_prediction(self) -> bool:  # type: ignore[override]
        """All rates but the share of positive labels look at predictions."""
        return self.rate != "Prevalence"

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (ThresholdCells(ascending(self.thresholds)),)

    def result(self, cells: Cells) -> Array:
        values = RATES[self.rate].formula(matrix_of(cells))
        if len(self.thresholds) == 1:
            return values[:, 0]
        return values[:, np.searchsorted(ascending(self.thresholds), self.thresholds)]


@dataclasses.dataclass(frozen=True)
class ConfusionMatrixAtThresholds(Metric):
    """The confusion matrix at each of some thresholds.

    Columns `threshold`, `true_positives`, `false_positives`, `true_negatives` and `false_negatives`,
    in the order of the thresholds.

    >>> matrix = ConfusionMatrixAtThresholds([0.5, 0.85]).of(Inputs.of([1, 0, 1], [0.9, 0.8, 0.1]))
    >>> matrix["false_positives"]
    [1.0, 0.0]
    """

    thresholds: float | Sequence[float]
    name: str = "confusion_matrix_at_thresholds"
    accepts = frozenset({"binary"})
    empty_value = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", as_thresholds(self.thresholds))

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (ThresholdCells(ascending(self.thresholds)),)

    def result(self, cells: Cells) -> dict[str, Array]:
        at = np.searchsorted(ascending(self.thresholds), self.thresholds)
        matrix = matrix_of(cells)
        thresholds = np.broadcast_to(np.array(self.thresholds), (cells.size, len(at)))
        columns = {RATE_COLUMNS[field]: getattr(matrix, field)[:, at] for field in RATE_COLUMNS}
        return {"threshold": thresholds, **columns}


RATE_COLUMNS = {
    "tp": "true_positives",
    "fp": "false_positives",
    "tn": "true_negatives",
    "fn": "false_negatives",
}


def as_thresholds(thresholds: float | Sequence[float]) -> tuple[float, ...]:
    """One threshold or several as a tuple; raises ValueError for none or for NaN.

    >>> as_thresholds(0.5), as_thresholds([0.1, 0.9])
    ((0.5,), (0.1, 0.9))
    """
    try:
        found = np.atleast_1d(np.asarray(thresholds, np.float64))
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 1 or not found.size or np.isnan(found).any():
        raise ValueError(f"thresholds must be numbers, at least one, not {thresholds!r}")
    return tuple(found.tolist())


def ascending(thresholds: float | Sequence[float]) -> tuple[float, ...]:
    """The distinct thresholds, as `ThresholdCells` takes them."""
    return tuple(sorted(set(as_thresholds(thresholds))))


def snake_case(class_name: str) -> str:
    """TFMA's default metric name of a class.

    >>> snake_case("F1Score"), snake_case("PPV"), snake_case("FallOut")
    ('f1_score', 'ppv', 'fall_out')
    """
    if class_name.isupper():
        return class_name.lower()
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in class_name).lstrip("_")


def _rate(
    rate: str,
    default_name: str,
    /,
    name: str | None = None,
    thresholds: float | Sequence[float] = 0.5,
) -> ConfusionRate:
    return ConfusionRate(rate, name or default_name, as_thresholds(thresholds))


def _accuracy(name: str = "binary_accuracy", threshold: float = 0.5) -> ConfusionRate:
    return ConfusionRate("BinaryAccuracy", name, as_thresholds(threshold))


def _max_recall(name: str = "max_recall") -> ConfusionRate:
    return ConfusionRate("Recall", name, (1e-12,))


for _class_name in [*RATES, *ALIASES]:
    _rate_name = ALIASES.get(_class_name, _class_name)
    _named = partial(_rate, _rate_name, snake_case(_class_name))
    _is_accuracy = _class_name == "BinaryAccuracy"
    register(_class_name, _accuracy if _is_accuracy else _named, RATES[_rate_name].about)
register("MaxRecall", _max_recall, About("Recall at a threshold just above 0.", HIGHER, 0, 1))
register("ConfusionMatrixAtThresholds", ConfusionMatrixAtThresholds)
