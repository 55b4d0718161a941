# SPDX-License-Identifier: Apache-2.0
"""This file is the metrics of a real-valued prediction: means, errors, calibration and correlation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np

from benison.extracts import Array, Inputs
from benison.metrics.base import Metric, Statistic, ratio, register
from benison.metrics.confusion import snake_case
from benison.metrics.states import Arrays, Mean, Moments, RowFunction


def label(inputs: Inputs) -> Array:
    """The label."""
    return inputs.labels


def prediction(inputs: Inputs) -> Array:
    """The prediction."""
    return inputs.predictions


def squared_error(inputs: Inputs) -> Array:
    """The value of (y - p)^2."""
    return (inputs.labels - inputs.predictions) ** 2


def absolute_error(inputs: Inputs) -> Array:
    """The value of |y - p|."""
    return np.abs(inputs.labels - inputs.predictions)


def absolute_percentage_error(inputs: Inputs) -> Array:
    """100 |y - p| / |y|, and 0 for the label 0, where it is undefined."""
    divisor = np.where(inputs.labels == 0, np.inf, np.abs(inputs.labels))
    return 100 * absolute_error(inputs) / divisor


def has_label(inputs: Inputs) -> Array:
    """1 unless the label is 0."""
    return np.asarray(inputs.labels != 0, np.float64)


def squared_logarithmic_error(inputs: Inputs) -> Array:
    """(ln(1 + y) - ln(1 + p))^2; NaN below -1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (np.log1p(inputs.labels) - np.log1p(inputs.predictions)) ** 2


@dataclasses.dataclass(frozen=True)
class Means:
    """A weighted mean of a function of the row: which, over which rows, and what it says."""

    of: RowFunction
    sentence: str
    where: RowFunction | None = None


MEANS: dict[str, Means] = {
    "MeanLabel": Means(label, "Mean of the labels."),
    "MeanPrediction": Means(prediction, "Mean of the predictions."),
    "MeanSquaredError": Means(squared_error, "Mean squared distance of prediction and label."),
    "MeanAbsoluteError": Means(absolute_error, "Mean distance of prediction and label."),
    "MeanAbsolutePercentageError": Means(
        absolute_percentage_error,
        "Mean distance in percent of the label, over rows whose label is not 0.",
        has_label,
    ),
    "MeanSquaredLogarithmicError": Means(
        squared_logarithmic_error, "Mean squared distance of ln(1 + prediction) and ln(1 + label)."
    ),
}


@dataclasses.dataclass(frozen=True)
class MeanMetric(Metric):
    """The weighted mean of a line of `MEANS`; NaN without weight.

    >>> MeanMetric("MeanSquaredError", "mse").of(Inputs.of([3.0, -0.5], [2.5, 0.0]))
    0.25
    """

    mean: str
    name: str

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        line = MEANS[self.mean]
        return (Mean(line.of, line.where),)

    def result(self, mean: Arrays) -> Array:
        return ratio(*mean)


@dataclasses.dataclass(frozen=True)
class RootMeanSquaredError(Metric):
    """Square root of the mean squared error, in the unit of the label; from 0 (best) up.

    >>> RootMeanSquaredError().of(Inputs.of([3.0, -0.5], [2.5, 0.0]))
    0.5
    """

    name: str = "root_mean_squared_error"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Mean(squared_error),)

    def result(self, mean: Arrays) -> Array:
        return np.sqrt(ratio(*mean))


@dataclasses.dataclass(frozen=True)
class Calibration(Metric):
    """Sum of predictions over sum of labels; 1 is calibrated, above 1 predicts too much.

    NaN when the labels sum up to 0.

    >>> Calibration().of(Inputs.of([1.0, 0.0], [0.6, 0.6]))
    1.2
    """

    name: str = "calibration"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return Mean(prediction), Mean(label)

    def result(self, predictions: Arrays, labels: Arrays) -> Array:
        return ratio(predictions[0], labels[0])


@dataclasses.dataclass(frozen=True)
class SquaredPearsonCorrelation(Metric):
    """Squared correlation of label and prediction, from 0 to 1; NaN when either does not vary.

        r^2 = M_yp^2 / (M_yy M_pp)

    >>> SquaredPearsonCorrelation().of(Inputs.of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]))
    1.0
    """

    name: str = "squared_pearson_correlation"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Moments(),)

    def result(self, moments: Arrays) -> Array:
        _, _, _, yy, yp, pp = moments
        return ratio(yp, yy) * ratio(yp, pp)


@dataclasses.dataclass(frozen=True)
class R2Score(Metric):
    """Coefficient of determination: 1 - sum of squared errors / sum of squares about the mean label.

    1 is best; 0 is as good as predicting the mean; there is no lower end. NaN when the labels do not
    vary.

    >>> R2Score().of(Inputs.of([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]))
    0.5
    """

    name: str = "r2_score"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return Mean(squared_error), Moments()

    def result(self, errors: Arrays, moments: Arrays) -> Array:
        return 1 - ratio(errors[0], moments[3])


def positive_prediction(inputs: Inputs) -> Array:
    """The product y p."""
    return inputs.labels * inputs.predictions


def negative_prediction(inputs: Inputs) -> Array:
    """The value of (1 - y) p."""
    return (1 - inputs.labels) * inputs.predictions


@dataclasses.dataclass(frozen=True)
class CoefficientOfDiscrimination(Metric):
    """Mean prediction on positives less mean prediction on negatives; from -1 to 1, higher is better.

    Tjur, "Coefficients of determination in logistic regression models", 2009. NaN when a class has
    no rows.

    >>> round(CoefficientOfDiscrimination().of(Inputs.of([1.0, 0.0], [0.75, 0.25])), 6)
    0.5
    """

    name: str = "coefficient_of_discrimination"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return Mean(positive_prediction), Mean(negative_prediction), Mean(label)

    def result(self, positive: Arrays, negative: Arrays, labels: Arrays) -> Array:
        on_positives = ratio(positive[0], labels[0])
        return self.compare(on_positives, ratio(negative[0], labels[1] - labels[0]))

    def compare(self, on_positives: Array, on_negatives: Array) -> Array:
        """What is made of the two means."""
        return on_positives - on_negatives


@dataclasses.dataclass(frozen=True)
class RelativeCoefficientOfDiscrimination(CoefficientOfDiscrimination):
    """Mean prediction on positives over mean prediction on negatives; from 0 up, higher is better.

    >>> RelativeCoefficientOfDiscrimination().of(Inputs.of([1.0, 0.0], [0.75, 0.25]))
    3.0
    """

    name: str = "relative_coefficient_of_discrimination"

    def compare(self, on_positives: Array, on_negatives: Array) -> Array:
        return ratio(on_positives, on_negatives)


def _mean(mean: str, default_name: str, /, name: str | None = None) -> MeanMetric:
    return MeanMetric(mean, name or default_name)


_CLASSES: tuple[Callable[..., Metric], ...] = (
    RootMeanSquaredError,
    Calibration,
    SquaredPearsonCorrelation,
    R2Score,
    CoefficientOfDiscrimination,
    RelativeCoefficientOfDiscrimination,
)

for _class_name in MEANS:
    register(_class_name, partial(_mean, _class_name, snake_case(_class_name)))
for _class in _CLASSES:
    register(_class.__name__, _class)
