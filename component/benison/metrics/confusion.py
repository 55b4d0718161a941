# SPDX-License-Identifier: Apache-2.0
"""Metrics of the binary confusion matrix at given thresholds, as a table with one line for each.

A prediction *above* a threshold is positive; one that is equal to it is negative, as in Keras and TFMA. The
default threshold is 0.5. Formulas use the weights of the four cells and their sums:

* TP, FP, TN, FN: true and false positives, true and false negatives
* P = TP + FN, the positives, and N = FP + TN, the negatives
* TPR = TP / P (recall), FPR = FP / N (fall-out), TNR = TN / N (specificity), FNR = FN / P (miss rate)
* PPV = TP / (TP + FP) (precision), NPV = TN / (TN + FN)

A rate is NaN where its denominator is 0, and where a prediction is missing; Keras and scikit-learn have 0
there for many. Labels are in [0, 1]; a label of 0.3 counts as 0.3 of a positive and 0.7 of a negative row.

The names and formulas are those of Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27,
2006, and Powers, "Evaluation: from precision, recall and F-measure to ROC, informedness, markedness and
correlation", Journal of Machine Learning Technologies 2, 2011, where the table names no other source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.binarized import Binarized
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.binary import LabelCells, ThresholdCells
from benison.metrics.statistics.cells import Cells


@dataclasses.dataclass(frozen=True)
class Matrix:
    """The confusion matrices of S slices at T thresholds, and the rates from which formulas are made.

    Attributes:
        tp: Weight of the true positives, float64[S, T].
        fp: Weight of the false positives.
        tn: Weight of the true negatives.
        fn: Weight of the false negatives.

    >>> m = Matrix(*np.array([[[3.0]], [[1.0]], [[4.0]], [[0.0]]]))
    >>> m.total, m.ppv, m.tpr
    (array([[8.]]), array([[0.75]]), array([[1.]]))
    """

    tp: Array
    fp: Array
    tn: Array
    fn: Array

    @property
    def total(self) -> Array:
        """The weight of all rows, P + N."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def tpr(self) -> Array:
        """Recall, TP / P."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def tnr(self) -> Array:
        """Specificity, TN / N."""
        return ratio(self.tn, self.tn + self.fp)

    @property
    def fpr(self) -> Array:
        """Fall-out, FP / N."""
        return ratio(self.fp, self.fp + self.tn)

    @property
    def fnr(self) -> Array:
        """Miss rate, FN / P."""
        return ratio(self.fn, self.fn + self.tp)

    @property
    def ppv(self) -> Array:
        """Precision, TP / (TP + FP)."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def npv(self) -> Array:
        """Negative predictive value, TN / (TN + FN)."""
        return ratio(self.tn, self.tn + self.fn)


def matrix_of(cells: Cells) -> Matrix:
    """The matrices of a `ThresholdCells` state, thresholds ascending: [S, T].

    Bin i of the state holds the predictions between the thresholds i - 1 and i. So what is above threshold
    i is the sum of the bins from i + 1 on. A slice in which a prediction is missing is NaN throughout.
    """
    by_bin = cells.dense().reshape(cells.size, cells.width // 2, 2)
    missing = np.isnan(by_bin).any(axis=(1, 2), keepdims=True)
    by_bin = np.where(missing, np.nan, by_bin)
    above = np.cumsum(by_bin[:, ::-1], axis=1)[:, ::-1]
    below = np.cumsum(by_bin, axis=1)
    positive, negative = above[:, 1:], below[:, :-1]
    return Matrix(positive[..., 1], positive[..., 0], negative[..., 0], negative[..., 1])


def prevalence_threshold(m: Matrix) -> Array:
    """The prevalence below which precision falls steeply; from 0 to 1.

        (sqrt(TPR FPR) - FPR) / (TPR - FPR) = sqrt(FPR) / (sqrt(TPR) + sqrt(FPR))

    The right side is the left one reduced by sqrt(TPR) - sqrt(FPR), and is defined where TPR and FPR are
    equal too. NaN without positives or negatives, and where nothing is predicted positive.

    Source: Balayla, "Prevalence threshold and the geometry of screening curves", PLoS ONE 15, 2020.
    """
    return ratio(np.sqrt(m.fpr), np.sqrt(m.tpr) + np.sqrt(m.fpr))


def matthews(m: Matrix) -> Array:
    """The correlation of label and decision; from -1 to 1, 0 is chance.

        (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN))

    NaN where one of the four sums is 0: one class alone, or one decision for all rows.

    Source: Matthews, "Comparison of the predicted and observed secondary structure of T4 phage lysozyme",
    Biochimica et Biophysica Acta 405, 1975.
    """
    # Of shares, because products of weights overflow, and so does that of the four factors.
    tp, fp, tn, fn = (ratio(x, m.total) for x in (m.tp, m.fp, m.tn, m.fn))
    roots = [np.sqrt(x) for x in (tp + fp, tp + fn, tn + fp, tn + fn)]
    return ratio(tp * tn - fp * fn, np.prod(roots, axis=0))


@dataclasses.dataclass(frozen=True)
class Rate:
    """One line of `RATES`: a formula over the matrix, and what the registry says of it.

    A formula is written with the sums of cells, not with rounded rates, wherever the two could differ in
    where they are defined: F1 as 2 TP / (2 TP + FP + FN) has a value without positive predictions.

    Attributes:
        formula: The value at each threshold: float64[S, T].
        text: The formula in the notation of the module's docstring.
        sentence: What it is.
        higher_is_better: Which values are better; None if neither.
        low: The lower end of the range.
        high: The upper end of the range.
    """

    formula: Callable[[Matrix], Array]
    text: str
    sentence: str
    higher_is_better: bool | None = None
    low: float = 0.0
    high: float = 1.0

    @property
    def about(self) -> About:
        """The description for the registry."""
        return About(self.sentence, self.higher_is_better, self.low, self.high, self.text)


# fmt: off
RATES: dict[str, Rate] = {
    "TruePositives": Rate(lambda m: m.tp, "TP", "Weight of the positives that are predicted positive.", HIGHER, 0, inf),
    "TrueNegatives": Rate(lambda m: m.tn, "TN", "Weight of the negatives that are predicted negative.", HIGHER, 0, inf),
    "FalsePositives": Rate(lambda m: m.fp, "FP", "Weight of the negatives that are predicted positive.", LOWER, 0, inf),
    "FalseNegatives": Rate(lambda m: m.fn, "FN", "Weight of the positives that are predicted negative.", LOWER, 0, inf),
    "BinaryAccuracy": Rate(lambda m: ratio(m.tp + m.tn, m.total), "(TP + TN) / (P + N)", "Share of right predictions.", HIGHER),
    "Precision": Rate(lambda m: m.ppv, "TP / (TP + FP)", "Share of positives among what is predicted positive.", HIGHER),
    "Recall": Rate(lambda m: m.tpr, "TP / P", "Share of the positives that are predicted positive.", HIGHER),
    "Specificity": Rate(lambda m: m.tnr, "TN / N", "Share of the negatives that are predicted negative.", HIGHER),
    "FallOut": Rate(lambda m: m.fpr, "FP / N", "Share of the negatives that are predicted positive.", LOWER),
    "MissRate": Rate(lambda m: m.fnr, "FN / P", "Share of the positives that are predicted negative.", LOWER),
    "NegativePredictiveValue": Rate(lambda m: m.npv, "TN / (TN + FN)", "Share of negatives among what is predicted negative.", HIGHER),
    "FalseDiscoveryRate": Rate(lambda m: ratio(m.fp, m.fp + m.tp), "FP / (TP + FP)", "Share of negatives among what is predicted positive.", LOWER),
    "FalseOmissionRate": Rate(lambda m: ratio(m.fn, m.fn + m.tn), "FN / (TN + FN)", "Share of positives among what is predicted negative.", LOWER),
    "Prevalence": Rate(lambda m: ratio(m.tp + m.fn, m.total), "P / (P + N)", "Share of positives."),
    "PrevalenceThreshold": Rate(prevalence_threshold, "sqrt(FPR) / (sqrt(TPR) + sqrt(FPR))", "Prevalence below which precision falls steeply."),
    "ThreatScore": Rate(lambda m: ratio(m.tp, m.tp + m.fn + m.fp), "TP / (TP + FN + FP)", "True positives among all that is or is predicted positive.", HIGHER),
    "BalancedAccuracy": Rate(lambda m: (m.tpr + m.tnr) / 2, "(TPR + TNR) / 2", "Mean of recall and specificity.", HIGHER),
    "F1Score": Rate(lambda m: ratio(2 * m.tp, 2 * m.tp + m.fp + m.fn), "2 TP / (2 TP + FP + FN)", "Harmonic mean of precision and recall.", HIGHER),
    "MatthewsCorrelationCoefficient": Rate(matthews, "(TP TN - FP FN) / sqrt((TP + FP) P N (TN + FN))", "Correlation of label and prediction.", HIGHER, -1),
    "FowlkesMallowsIndex": Rate(lambda m: np.sqrt(m.ppv * m.tpr), "sqrt(PPV TPR)", "Geometric mean of precision and recall.", HIGHER),
    "Informedness": Rate(lambda m: m.tpr + m.tnr - 1, "TPR + TNR - 1", "Recall plus specificity, less 1.", HIGHER, -1),
    "Markedness": Rate(lambda m: m.ppv + m.npv - 1, "PPV + NPV - 1", "Precision plus negative predictive value, less 1.", HIGHER, -1),
    "PositiveLikelihoodRatio": Rate(lambda m: ratio(m.tpr, m.fpr), "TPR / FPR", "Recall over fall-out.", HIGHER, 0, inf),
    "NegativeLikelihoodRatio": Rate(lambda m: ratio(m.fnr, m.tnr), "FNR / TNR", "Miss rate over specificity.", LOWER, 0, inf),
    "DiagnosticOddsRatio": Rate(lambda m: ratio(ratio(m.tp, m.fn), ratio(m.fp, m.tn)), "(TP / FN) / (FP / TN)", "Odds of a positive prediction among positives over those among negatives.", HIGHER, 0, inf),
    "PredictedPositiveRate": Rate(lambda m: ratio(m.tp + m.fp, m.total), "(TP + FP) / (P + N)", "Share of what is predicted positive."),
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
"""TFMA's short class names, and the lines of `RATES` that they mean."""


@dataclasses.dataclass(frozen=True)
class ConfusionRate(Binarized):
    """A formula of `RATES` at one threshold, or at several, which gives a list of values.

    Range and undefined cases are those of the line in `RATES`. Counts are weights: of rows that weigh 0.5
    each, three true positives count 1.5.

    Attributes:
        rate: The key of the line in `RATES`.
        name: The metric's name in the results.
        thresholds: A prediction above it is positive.

    >>> ConfusionRate("Precision", "precision").of(Inputs.of([1, 0, 1], [0.9, 0.8, 0.1]))
    0.5
    >>> ConfusionRate("Recall", "recall", (0.05, 0.5)).of(Inputs.of([1, 0, 1], [0.9, 0.8, 0.1]))
    [1.0, 0.5]
    >>> ConfusionRate("Precision", "precision").of(Inputs.of([1, 0], [0.2, 0.1]))
    nan
    """

    rate: str
    name: str
    thresholds: tuple[float, ...] = (0.5,)

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
        cells = ThresholdCells if self.needs_prediction else LabelCells
        return (cells(ascending(self.thresholds)),)

    def result(self, cells: Cells) -> Array:
        values = RATES[self.rate].formula(matrix_of(cells))
        if len(self.thresholds) == 1:
            return values[:, 0]
        return values[:, np.searchsorted(ascending(self.thresholds), self.thresholds)]

    def points(self) -> dict[str, tuple[Metric, ...]]:
        """One for each threshold, where there are several."""
        each = (dataclasses.replace(self, thresholds=(above,)) for above in self.thresholds)
        return {"": tuple(each)} if len(self.thresholds) > 1 else {}


@dataclasses.dataclass(frozen=True)
class ConfusionMatrixAtThresholds(Binarized):
    """The confusion matrix at each of some thresholds.

    A structured value with the columns `threshold`, `true_positives`, `false_positives`, `true_negatives`
    and `false_negatives`, in the order of the thresholds. Counts are weights, from 0 up; 0 for a slice without
    rows, NaN where a prediction is missing.

    Attributes:
        thresholds: One threshold or a list of them.
        name: The metric's name in the results.

    >>> matrix = ConfusionMatrixAtThresholds([0.5, 0.85]).of(Inputs.of([1, 0, 1], [0.9, 0.8, 0.1]))
    >>> matrix["false_positives"]
    [1.0, 0.0]
    """

    thresholds: float | Sequence[float]
    name: str = "confusion_matrix_at_thresholds"
    empty_value = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "thresholds", as_thresholds(self.thresholds))

    def statistics(self) -> tuple[Statistic[Cells], ...]:
        return (ThresholdCells(ascending(self.thresholds)),)

    def result(self, cells: Cells) -> dict[str, Array]:
        positions = np.searchsorted(ascending(self.thresholds), self.thresholds)
        matrix = matrix_of(cells)
        thresholds = np.broadcast_to(np.array(self.thresholds), (cells.size, len(positions)))
        columns = {
            RATE_COLUMNS[field]: getattr(matrix, field)[:, positions] for field in RATE_COLUMNS
        }
        return {"threshold": thresholds, **columns}

    def points(self) -> dict[str, tuple[Metric, ...]]:
        """The counts of each cell at each threshold."""
        above = as_thresholds(self.thresholds)
        names = {column: column.title().replace("_", "") for column in RATE_COLUMNS.values()}
        return {
            column: tuple(ConfusionRate(rate, column, (each,)) for each in above)
            for column, rate in names.items()
        }


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
        values = np.atleast_1d(np.asarray(thresholds, np.float64))
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.ndim != 1 or not values.size or np.isnan(values).any():
        raise ValueError(f"thresholds must be numbers, at least one, not {thresholds!r}")
    return tuple(values.tolist())


def ascending(thresholds: float | Sequence[float]) -> tuple[float, ...]:
    """The distinct thresholds, as `ThresholdCells` takes them.

    >>> ascending([0.9, 0.1, 0.9])
    (0.1, 0.9)
    """
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
    thresholds: float | Sequence[float] | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> ConfusionRate:
    if thresholds is None:
        # Of the k highest scores all are positive, and the others are -inf.
        thresholds = 0.5 if top_k is None else -inf
    above = as_thresholds(thresholds)
    return ConfusionRate(rate, name or default_name, above, class_id=class_id, top_k=top_k)


def _accuracy(
    name: str = "binary_accuracy",
    threshold: float | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> ConfusionRate:
    return _rate("BinaryAccuracy", name, None, threshold, top_k, class_id)


def _max_recall(
    name: str = "max_recall", top_k: int | None = None, class_id: int | None = None
) -> ConfusionRate:
    # Not 0, so that predictions of 0, which stand for "not at all", are negative; as in TFMA.
    return _rate("Recall", name, None, 1e-12, top_k, class_id)


def _register_rates() -> None:
    for class_name in [*RATES, *ALIASES]:
        rate = ALIASES.get(class_name, class_name)
        named = partial(_rate, rate, snake_case(class_name))
        # Keras' BinaryAccuracy has the parameter `threshold`, the other rates have `thresholds`.
        factory = _accuracy if class_name == "BinaryAccuracy" else named
        register(class_name, factory, RATES[rate].about)


_register_rates()
register("MaxRecall", _max_recall, About("Recall at a threshold just above 0.", HIGHER, 0, 1))
_ABOUT = About.of(ConfusionMatrixAtThresholds, low=0.0)
register("ConfusionMatrixAtThresholds", ConfusionMatrixAtThresholds, _ABOUT)
