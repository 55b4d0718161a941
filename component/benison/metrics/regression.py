# SPDX-License-Identifier: Apache-2.0
"""Metrics of a real-valued prediction: means, errors and calibration.

In formulas y is the label, p the prediction and w the weight of a row; sums run over the rows of a slice that
have a label. A value is NaN where its slice has no weight, and where a prediction is missing. With several
outputs in a row, float64[N, C], an error is averaged over the outputs first, each with the same weight.

Errors are in the unit of the label, squared errors in its square, ratios have no unit. A
metric that divides by how much labels vary is undefined on a slice of equal labels, however good the model.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from math import inf
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.confusion import snake_case
from benison.metrics.pairing import (
    EXCESSES,
    ROUNDING,
    WIDTHS,
    check_probabilities,
    check_widths,
    label,
    pairs,
    prediction,
)
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.binary import check_binary
from benison.metrics.statistics.squares import (
    SquaresMean,
    mean_of_squares,
    over,
    root_of,
    sum_of,
)
from benison.metrics.statistics.sums import Arrays, Mean, Moments, RowFunction, spread


def error(inputs: Inputs) -> Array:
    """The error y - p: float64[N] or float64[N, C]."""
    labels, predictions = pairs(inputs)
    return labels - predictions


def absolute_error(inputs: Inputs) -> Array:
    """The absolute error |y - p|: float64[N] or float64[N, C]."""
    return np.abs(error(inputs))


def absolute_percentage_error(inputs: Inputs) -> Array:
    """100 |y - p| / |y|; 0 for the label 0, where it is undefined and `has_label` leaves the row out.

    TFMA leaves such rows out too; Keras divides by 1e-7 there, so that one of them decides the whole mean.
    """
    labels, predictions = pairs(inputs)
    with np.errstate(invalid="ignore", divide="ignore"):
        percentages = 100 * (np.abs(labels - predictions) / np.abs(labels))
    np.copyto(percentages, 0.0, where=(labels == 0) & ~np.isnan(predictions))
    return np.asarray(percentages)


def has_label(inputs: Inputs) -> Array:
    """1 unless the label is 0: float64[N] or float64[N, C]; whether there is a percentage error."""
    return np.asarray(pairs(inputs)[0] != 0, np.float64)


def logarithmic_error(inputs: Inputs) -> Array:
    """ln(1 + y) - ln(1 + p); NaN where a label or prediction is below -1.

    About a relative error, so that 1 for 2 costs as much as 1,000 for 2,000.
    """
    labels, predictions = pairs(inputs)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.log1p(labels) - np.log1p(predictions))


@dataclasses.dataclass(frozen=True)
class RowMean:
    """One line of `ROW_MEANS`: the weighted mean of a function of the row.

    Attributes:
        of: The function, float64[N] or float64[N, C] of a batch.
        text: The formula in the notation of the module's docstring.
        sentence: What it is.
        higher_is_better: Which values are better; None if neither.
        low: The lower end of the range, which has no upper end.
        where: 1 for the rows that count and 0 for others; None counts all.
        squared: Whether the mean is that of the squares of the function.
    """

    of: RowFunction
    text: str
    sentence: str
    higher_is_better: bool | None = LOWER
    low: float = 0.0
    where: RowFunction | None = None
    squared: bool = False


ROW_MEANS: dict[str, RowMean] = {
    "MeanLabel": RowMean(label, "sum w y / sum w", "Mean of the labels.", None, -inf),
    "MeanPrediction": RowMean(
        prediction, "sum w p / sum w", "Mean of the predictions.", None, -inf
    ),
    "MeanSquaredError": RowMean(
        error,
        "sum w (y - p)^2 / sum w",
        "Mean squared distance of prediction and label; of a probability, the Brier score.",
        squared=True,
    ),
    "MeanAbsoluteError": RowMean(
        absolute_error,
        "sum w |y - p| / sum w",
        "Mean distance of prediction and label, in the unit of the label.",
    ),
    "MeanAbsolutePercentageError": RowMean(
        absolute_percentage_error,
        "100 sum w |y - p| / |y| / sum w, over rows with y != 0",
        "Mean distance in percent of the label, over labels other than 0.",
        where=has_label,
    ),
    "MeanSquaredLogarithmicError": RowMean(
        logarithmic_error,
        "sum w (ln(1 + y) - ln(1 + p))^2 / sum w",
        "Mean squared distance of ln(1 + prediction) and ln(1 + label).",
        squared=True,
    ),
}
"""The metrics that are weighted means over rows, by `class_name`."""


@dataclasses.dataclass(frozen=True)
class MeanMetric(Metric):
    """The weighted mean of a line of `ROW_MEANS`; its range is that of the line; NaN without weight.

        sum w f / sum w, over the rows for which `where` is 1

    The values are TFMA's, and those of Keras' metrics of the same names but for percentages of labels of 0. A
    mean of squares that no float holds, as that of errors of 1e-170 or 1e160, is NaN.

    Attributes:
        mean: The key of the line in `ROW_MEANS`.
        name: The metric's name in the results.

    >>> MeanMetric("MeanSquaredError", "mse").of(Inputs.of([3.0, -0.5], [2.5, 0.0]))
    0.25
    >>> MeanMetric("MeanAbsolutePercentageError", "mape").of(Inputs.of([10.0, 0.0], [8.0, 1.0]))
    20.0
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

    def statistics(self) -> tuple[Statistic[Any], ...]:
        row_mean = ROW_MEANS[self.mean]
        if row_mean.squared:
            return (SquaresMean(row_mean.of),)
        widths = (WIDTHS,) if self.mean == "MeanPrediction" else ()
        return (Mean(row_mean.of, row_mean.where), *widths)

    def check(self, mean: Arrays, widths: Array | None = None) -> None:
        if widths is not None:
            check_widths(self.name, widths)

    def result(self, mean: Arrays, widths: Array | None = None) -> Array:
        return mean_of_squares(*mean) if ROW_MEANS[self.mean].squared else ratio(*mean)


@dataclasses.dataclass(frozen=True)
class RootMeanSquaredError(Metric):
    """Square root of the mean squared error, in the unit of the label; from 0 (best) up.

        sqrt(sum w (y - p)^2 / sum w)

    Never less than the mean absolute error, and equal to it when all errors have one size. NaN without
    weight.

    >>> RootMeanSquaredError().of(Inputs.of([3.0, -0.5], [2.5, 0.0]))
    0.5
    """

    name: str = "root_mean_squared_error"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (SquaresMean(error),)

    def result(self, mean: Arrays) -> Array:
        sums, weight = mean
        return root_of(over(sum_of(sums), weight))


@dataclasses.dataclass(frozen=True)
class Calibration(Metric):
    """Sum of predictions over sum of labels; 1 is calibrated, above 1 predicts too much.

        sum w p / sum w y

    From 0 up for labels and predictions that are not negative; neither end is good. NaN where the labels sum
    up to 0. TFMA's metric of that name. It is calibration in the large: 1 says that the predictions are right
    in sum, while CalibrationPlot shows whether they are right at each height. Any
    real numbers will do, but where all labels are in [0, 1] predictions must be too, or they are no
    probabilities.

    >>> Calibration().of(Inputs.of([1.0, 0.0], [0.6, 0.6]))
    1.2
    """

    name: str = "calibration"

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return Mean(prediction), Mean(label), WIDTHS, EXCESSES

    def check(self, predictions: Arrays, labels: Arrays, widths: Array, excesses: Array) -> None:
        check_widths(self.name, widths)
        if excesses[0] <= ROUNDING < excesses[1]:
            raise DataError(
                f"{self.name} needs probabilities where all labels are in [0, 1], and a prediction lies "
                f"{excesses[1]:g} outside of that. Let the model return probabilities and not logits, or "
                f"take out this metric."
            )

    def result(self, predictions: Arrays, labels: Arrays, widths: Array, excesses: Array) -> Array:
        return ratio(predictions[0], labels[0])


@dataclasses.dataclass(frozen=True)
class R2Score(Metric):
    """Coefficient of determination: the share of the labels' variance that the predictions explain.

        R^2 = 1 - sum w (y - p)^2 / sum w (y - mean y)^2

    1 is best; 0 is as good as predicting the mean label of the slice; there is no lower end. NaN where the
    labels do not vary: scikit-learn's `r2_score` has 1 or 0 there, by whether the predictions are exact.

    >>> R2Score().of(Inputs.of([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]))
    0.5
    """

    name: str = "r2_score"

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return SquaresMean(error), Moments()

    def result(self, errors: Arrays, moments: Arrays) -> Array:
        n, mean_y, _, yy, _, _ = moments
        return 1 - np.ldexp(*over(sum_of(errors[0]), spread(n, mean_y, yy)))


def positive_prediction(inputs: Inputs) -> Array:
    """The product y p, the prediction of a positive row: float64[N].

    Raises:
        DataError: A label lies outside [0, 1].
    """
    check_binary(inputs)
    return np.asarray(inputs.labels * inputs.predictions)


def negative_prediction(inputs: Inputs) -> Array:
    """The product (1 - y) p, the prediction of a negative row: float64[N]."""
    return np.asarray((1 - inputs.labels) * inputs.predictions)


@dataclasses.dataclass(frozen=True)
class CoefficientOfDiscrimination(Metric):
    """Mean prediction on positives less mean prediction on negatives; from -1 to 1, higher is better.

        sum w y p / sum w y - sum w (1 - y) p / sum w (1 - y)

    1 is a model that is sure and right, 0 one that does not tell the classes apart, as is a constant. NaN
    where a class has no rows; scores outside of [0, 1] are refused.

    Source: Tjur, "Coefficients of determination in logistic regression models: a new proposal", The American
    Statistician 63, 2009.

    >>> round(CoefficientOfDiscrimination().of(Inputs.of([1.0, 0.0], [0.75, 0.25])), 6)
    0.5
    """

    name: str = "coefficient_of_discrimination"

    def statistics(self) -> tuple[Statistic[Any], ...]:
        return Mean(positive_prediction), Mean(negative_prediction), Mean(label), EXCESSES

    def check(self, positive: Arrays, negative: Arrays, labels: Arrays, excesses: Array) -> None:
        check_probabilities(self.name, excesses, "AUC")

    def result(self, positive: Arrays, negative: Arrays, labels: Arrays, excesses: Array) -> Array:
        on_positives = ratio(positive[0], labels[0])
        return self.compare(on_positives, ratio(negative[0], labels[1] - labels[0]))

    def compare(self, on_positives: Array, on_negatives: Array) -> Array:
        """The value of each slice from the two mean predictions, float64[S]."""
        return on_positives - on_negatives


@dataclasses.dataclass(frozen=True)
class RelativeCoefficientOfDiscrimination(CoefficientOfDiscrimination):
    """Mean prediction on positives over mean prediction on negatives; from 0 up, higher is better.

        (sum w y p / sum w y) / (sum w (1 - y) p / sum w (1 - y))

    1 is a model that does not tell the classes apart. NaN where a class has no rows, and where the negatives
    have a mean prediction of 0. TFMA's metric of that name; for rare positives it says more than the
    difference, which is small whatever the model.

    >>> RelativeCoefficientOfDiscrimination().of(Inputs.of([1.0, 0.0], [0.75, 0.25]))
    3.0
    """

    name: str = "relative_coefficient_of_discrimination"

    def compare(self, on_positives: Array, on_negatives: Array) -> Array:
        return ratio(on_positives, on_negatives)


def _mean(mean: str, default_name: str, /, name: str | None = None) -> MeanMetric:
    return MeanMetric(mean, name or default_name)


def _register_row_means() -> None:
    for class_name, mean in ROW_MEANS.items():
        about = About(mean.sentence, mean.higher_is_better, mean.low, formula=mean.text)
        register(class_name, partial(_mean, class_name, snake_case(class_name)), about)


_register_row_means()
register("RootMeanSquaredError", RootMeanSquaredError, About.of(RootMeanSquaredError, LOWER, 0))
register("Calibration", Calibration)
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
