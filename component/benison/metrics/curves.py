# SPDX-License-Identifier: Apache-2.0
"""The areas under the ROC curve and the precision-recall curve.

The ROC curve is recall over fall-out, TP / P over FP / N; the precision-recall curve is TP / (TP + FP) over
TP / P. Both run over all thresholds, a prediction above the threshold being positive.

Between two points of the ROC curve lies a straight line, as in scikit-learn's `roc_auc_score`. Between two of
the precision-recall curve lies the curve of Davis and Goadrich, because a straight line is above what any
threshold reaches; scikit-learn's `average_precision_score` is the area below steps instead, another number.

Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic
(ROC) curve", Radiology 143, 1982; Davis and Goadrich, "The relationship between precision-recall and ROC
curves", ICML 2006.
"""

from __future__ import annotations

import dataclasses

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.areas import HEIGHTS, area, interpolated_extremes, trapezoid
from benison.metrics.curve_metric import CurveMetric, Thresholds
from benison.metrics.parameters import check_choice
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.curve import Curve


@dataclasses.dataclass(frozen=True)
class AUC(CurveMetric):
    """Area under the ROC curve, or under the precision-recall curve.

    From 0 to 1, higher is better. For ROC it is the probability that a positive row scores higher than a
    negative one, ties counting half: 0.5 is chance. For PR chance is the share of positives. NaN without
    positives, and for ROC also without negatives, and where a prediction is missing.

    Interpolation is the trapezoid for ROC, and that of Davis and Goadrich (2006) for PR. Parameters and
    values are those of Keras and TFMA.

    Attributes:
        num_thresholds: How many evenly spaced thresholds the curve goes through; None for every score.
        curve: "ROC" or "PR".
        summation_method: The height between two points: "interpolation", the lower one ("minoring") or the
            higher one ("majoring").
        name: The metric's name in the results.
        thresholds: The curve goes through these and the two ends.

    >>> rows = Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    >>> AUC().of(rows), AUC(summation_method="minoring").of(rows)
    (0.875, 0.75)
    """

    num_thresholds: int | None = None
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: str = "auc"
    thresholds: Thresholds = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("curve", self.curve, _CURVES, any_case=True)
        check_choice("summation_method", self.summation_method, HEIGHTS, any_case=True)

    def at(self, curve: Curve) -> Array:
        return area(curve, self._is_roc, self.summation_method.lower())

    def extremes(self, curve: Curve) -> tuple[Array, Array]:
        low, high = _outer_methods(self.summation_method.lower())
        if not self._is_roc and low == high:
            return interpolated_extremes(curve)
        return area(curve.worst, self._is_roc, low), area(curve.best, self._is_roc, high)

    def _value(self, curve: Curve) -> Array:
        return self.at(curve) if self._is_trapezoid else super()._value(curve)

    def _both(self, curve: Curve) -> tuple[Array, Array]:
        is_midway = self._is_trapezoid and not curve.is_exact
        return trapezoid(curve) if is_midway else super()._both(curve)

    @property
    def slope_of_area(self) -> float:  # type: ignore[override]
        """It is the area itself where every score is a threshold."""
        every = self.num_thresholds is None and self.thresholds is None
        return 1.0 if every and self._is_trapezoid else 0.0

    @property
    def _is_trapezoid(self) -> bool:
        """Whether the value lies midway: the diagonal halves the pairs of unknown order, a rectangle."""
        return self._is_roc and self.summation_method.lower() == "interpolation"

    @property
    def _is_roc(self) -> bool:
        return self.curve.upper() == "ROC"


def _outer_methods(method: str) -> tuple[str, str]:
    """The summation below and above all that a curve between points of unknown order would have.

    There a sum of the other rectangles may miss some of it, and the interpolation does not.
    """
    low = "interpolation" if method == "majoring" else method
    return low, "interpolation" if method == "minoring" else method


_CURVES = ("ROC", "PR")  # Keras' and TFMA's, upper or lower case


@dataclasses.dataclass(frozen=True)
class AUCPrecisionRecall(AUC):
    """Area under the precision-recall curve; from 0 to 1, higher is better; NaN without positives.

    AUC with `curve="PR"` under TFMA's name. For rare positives it says more than the ROC area, which hardly
    changes when a few negatives in a thousand score too high.

    >>> round(AUCPrecisionRecall().of(Inputs.of([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])), 4)
    0.7973
    """

    curve: str = dataclasses.field(default="PR", init=False)
    name: str = "auc_precision_recall"


register("AUC", AUC, About.of(AUC, HIGHER, 0, 1))
register("AUCPrecisionRecall", AUCPrecisionRecall, About.of(AUCPrecisionRecall, HIGHER, 0, 1))
