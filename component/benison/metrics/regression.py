# SPDX-License-Identifier: Apache-2.0
"""The metrics of a real-valued prediction: means, errors, calibration and correlation."""

from __future__ import annotations

import dataclasses
from functools import partial
from math import inf

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.confusion import snake_case
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.histogram import check_binary
from benison.metrics.statistics.sums import Arrays, Mean, Moments, RowFunction, spread


def label(inputs: Inputs) -> Array:
    """The label."""
    return np.asarray(inputs.labels)


def prediction(inputs: Inputs) -> Array:
    """The prediction."""
    return np.asarray(inputs.predictions)


def pairs(inputs: Inputs) -> tuple[Array, Array]:
    """Labels and predictions, one of each in a pair: float64[N] or float64[N, C].

    Raises:
        DataError: Their shapes differ.
    """
    if inputs.labels.shape != inputs.predictions.shape:
        raise DataError(
            f"There must be a label for each prediction; labels have the shape {inputs.labels.shape} "
            f"and predictions {inputs.predictions.shape}. For several classes, choose them with "
            f"binarize.class_ids in metrics_specs."
        )
    return inputs.labels, inputs.predictions


def error(inputs: Inputs) -> Array:
    """The value of y - p."""
    labels, predictions = pairs(inputs)
    return labels - predictions


def squared_error(inputs: Inputs) -> Array:
    """The value of (y - p)^2."""
    return np.square(error(inputs))


def absolute_error(inputs: Inputs) -> Array:
    """The value of |y - p|."""
    return np.abs(error(inputs))


def absolute_percentage_error(inputs: Inputs) -> Array:
    """100 |y - p| / |y|, and 0 for the label 0, where it is undefined."""
    divisor = np.where(inputs.labels == 0, inf, np.abs(inputs.labels))
    return 100 * absolute_error(inputs) / divisor


def has_label(inputs: Inputs) -> Array:
    """1 unless the label is 0."""
    return np.asarray(inputs.labels != 0, np.float64)


def squared_logarithmic_error(inputs: Inputs) -> Array:
    """(ln(1 + y) - ln(1 + p))^2; NaN below -1."""
    labels, predictions = pairs(inputs)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((np.log1p(labels) - np.log1p(predictions)) ** 2)


@dataclasses.dataclass(frozen=True)
class Line:
    """A weighted mean of a function of the row: of what, over which rows, and what it is."""

    of: RowFunction
    sentence: str
    higher_is_better: bool | None = LOWER
    low: float = 0.0
    where: RowFunction | None = None


MEANS: dict[str, Line] = {
    "MeanLabel": Line(label, "Mean of the labels.", None, -inf),
    "MeanPrediction": Line(prediction, "Mean of the predictions.", None, -inf),
    "MeanSquaredError": Line(squared_error, "Mean squared distance of prediction and label."),
    "MeanAbsoluteError": Line(
        absolute_error, "Mean distance of prediction and label, in the unit of the label."
    ),
    "MeanAbsolutePercentageError": Line(
        absolute_percentage_error,
        "Mean distance in percent of the label, over labels other than 0.",
        where=has_label,
    ),
    "MeanSquaredLogarithmicError": Line(
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

    @property
    def needs_label(self) -> bool:  # type: ignore[override]
        """All but the mean of the predictions look at labels."""
        return self.mean != "MeanPrediction"

    @property
    def needs_prediction(self) -> bool:  # type: ignore[override]
        """All but the mean of the labels look at predictions."""
        return self.mean != "MeanLabel"

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
        n, mean_y, mean_p, yy, yp, pp = moments
        squared = ratio(yp, spread(n, mean_y, yy)) * ratio(yp, spread(n, mean_p, pp))
        return np.minimum(squared, 1.0)


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
        n, mean_y, _, yy, _, _ = moments
        return 1 - ratio(errors[0], spread(n, mean_y, yy))


def positive_prediction(inputs: Inputs) -> Array:
    """The product y p."""
    check_binary(inputs)
    return np.asarray(inputs.labels * inputs.predictions)


def negative_prediction(inputs: Inputs) -> Array:
    """The value of (1 - y) p."""
    return np.asarray((1 - inputs.labels) * inputs.predictions)


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


for _class_name, _line in MEANS.items():
    _factory = partial(_mean, _class_name, snake_case(_class_name))
    register(_class_name, _factory, About(_line.sentence, _line.higher_is_better, _line.low))
register("RootMeanSquaredError", RootMeanSquaredError, About.of(RootMeanSquaredError, LOWER, 0))
register("Calibration", Calibration)
register(
    "SquaredPearsonCorrelation",
    SquaredPearsonCorrelation,
    About.of(SquaredPearsonCorrelation, HIGHER, 0, 1),
)
register("R2Score", R2Score, About.of(R2Score, HIGHER, high=1))
register(
    "CoefficientOfDiscrimination",
    CoefficientOfDiscrimination,
    About.of(CoefficientOfDiscrimination, HIGHER, -1, 1),
)
register(
    "RelativeCoefficientOfDiscrimination",
    RelativeCoefficientOfDiscrimination,
    About.of(RelativeCoefficientOfDiscrimination, HIGHER, 0),
)
