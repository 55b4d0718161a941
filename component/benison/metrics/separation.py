# SPDX-License-Identifier: Apache-2.0
"""How far the scores of positives lie from those of negatives, in the terms of credit scoring."""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.curve_metric import CurveMetric, Thresholds
from benison.metrics.curves import AUC
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.curve import Curve


@dataclasses.dataclass(frozen=True)
class Gini(AUC):
    """Twice the area under the ROC curve, less 1; from -1 to 1, higher is better, 0 is chance.

        2 AUC - 1

    Also called accuracy ratio. NaN where a class has no rows, and where a prediction is missing.

    Source: Hand and Till, "A simple generalisation of the area under the ROC curve for multiple class
    classification problems", Machine Learning 45, 2001.

    Attributes:
        num_thresholds: How many evenly spaced thresholds the curve goes through; None for every score.
        thresholds: The curve goes through these and the two ends.
        name: The metric's name in the results.

    >>> Gini().of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.5
    """

    curve: str = dataclasses.field(default="ROC", init=False)
    summation_method: str = dataclasses.field(default="interpolation", init=False)
    name: str = "gini"

    @property
    def slope_of_area(self) -> float:  # type: ignore[override]
        return 2 * super().slope_of_area

    def _value(self, curve: Curve) -> Array:
        return 2 * super()._value(curve) - 1

    def _both(self, curve: Curve) -> tuple[Array, Array]:
        area, resolution = super()._both(curve)
        return 2 * area - 1, 2 * resolution


@dataclasses.dataclass(frozen=True)
class KolmogorovSmirnov(CurveMetric):
    """Largest distance between recall and fall-out over all thresholds; from 0 to 1, higher is better.

        max |TPR - FPR|

    The two-sample statistic of Kolmogorov and Smirnov of the scores of positives and of negatives. NaN where
    a class has no rows, and where a prediction is missing.

    Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of
    Mathematical Statistics 19, 1948.

    Attributes:
        num_thresholds: How many evenly spaced thresholds are tried; None for every score.
        thresholds: The thresholds that are tried.
        name: The metric's name in the results.

    >>> KolmogorovSmirnov().of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.5
    """

    num_thresholds: int | None = None
    thresholds: Thresholds = None
    name: str = "kolmogorov_smirnov"

    def at(self, curve: Curve) -> Array:
        return _furthest(curve.recall - curve.fall_out)

    def extremes(self, curve: Curve) -> tuple[Array, Array]:
        # The points themselves are certain; between two of them either order may reach further.
        least, unknown = self.at(curve), ~curve.equal
        up_first = (curve.recall[:, :-1] - curve.fall_out[:, 1:]) * unknown
        right_first = (curve.recall[:, 1:] - curve.fall_out[:, :-1]) * unknown
        return least, np.maximum.reduce([least, _furthest(up_first), _furthest(right_first)])


def _furthest(apart: Array) -> Array:
    """The largest distance of each row; changes them."""
    return np.asarray(np.abs(apart, out=apart).max(axis=1, initial=0.0))


register("Gini", Gini, About.of(Gini, HIGHER, -1, 1))
register("KolmogorovSmirnov", KolmogorovSmirnov, About.of(KolmogorovSmirnov, HIGHER, 0, 1))
