# SPDX-License-Identifier: Apache-2.0
"""Areas under the ROC and the precision-recall curve of each slice, with what lies between their points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benison.data.batch import Array
from benison.metrics.base import ratio
from benison.metrics.statistics.curve import Curve

HEIGHTS: dict[str, Callable[[Array, Array], Array]] = {
    "interpolation": lambda a, b: (a + b) / 2,
    "minoring": np.minimum,
    "majoring": np.maximum,
}
"""The height of the area between two points, by Keras' and TFMA's names of ways to sum up."""


def area(curve: Curve, is_roc: bool, method: str) -> Array:
    """The area of each slice of a block, float64[n]; NaN where a class is missing that it needs.

    Args:
        curve: The points of n slices.
        is_roc: Under the ROC curve, else under the precision-recall curve.
        method: How it is summed up, a key of `HEIGHTS`. The interpolation under the precision-recall curve is
            that of Davis and Goadrich.
    """
    if not is_roc and method == "interpolation":
        under = _davis_goadrich(curve, curve.fp[:, 1:], curve.fp[:, :-1])
        return _where_defined(curve, is_roc, under)
    x, y = _axes(curve, is_roc)
    heights = HEIGHTS[method](y[:, :-1], y[:, 1:])
    return _where_defined(curve, is_roc, ((x[:, :-1] - x[:, 1:]) * heights).sum(axis=1))


def trapezoid(curve: Curve) -> tuple[Array, Array]:
    """The area under the ROC curve of straight lines, and how far it may be from that of all scores.

    Positives x and negatives y whose order is not known make a rectangle x y, which the line halves: so the
    distance is at most half the sum of these rectangles.
    """
    x, y = _axes(curve, is_roc=True)
    across = x[:, :-1] - x[:, 1:]
    heights = HEIGHTS["interpolation"](y[:, :-1], y[:, 1:])
    middle = _where_defined(curve, True, (across * heights).sum(axis=1))
    across *= y[:, :-1] - y[:, 1:]
    across[curve.equal] = 0.0
    half: Array = across.sum(axis=1) / 2
    return middle, np.nan_to_num(half)


def _where_defined(curve: Curve, is_roc: bool, values: Array) -> Array:
    positives, negatives = curve.positives[:, 0], curve.negatives[:, 0]
    # A missing prediction has made both sums NaN, and then no comparison holds.
    enough = negatives > 0 if is_roc else negatives >= 0
    return np.where((positives > 0) & enough, values, np.nan)


def _axes(curve: Curve, is_roc: bool) -> tuple[Array, Array]:
    if is_roc:
        return curve.fall_out, curve.recall
    # Where nothing is predicted positive precision is 0, as Keras has it.
    return curve.recall, np.nan_to_num(curve.precision)


def interpolated_extremes(curve: Curve) -> tuple[Array, Array]:
    """The least and the largest area under the precision-recall curve of any order of scores between points.

    At worst all negatives between two points have higher scores than all positives, at best lower ones. What
    true positives rise by while false positives stay is then all that counts, as in `Curve.worst` and `best`.
    """
    fp, ahead = curve.fp[:, 1:], curve.fp[:, :-1]
    least = _davis_goadrich(curve, np.where(curve.equal, fp, ahead), ahead)
    largest = _davis_goadrich(curve, fp, np.where(curve.equal, ahead, fp))
    low, high = (_where_defined(curve, False, area) for area in (least, largest))
    return low, high


def _davis_goadrich(curve: Curve, fp: Array, ahead: Array) -> Array:
    """The area under the precision-recall curve between its points: float64[n].

    Between two points true positives grow linearly with what is predicted positive, TP = slope D + intercept
    with D = TP + FP, so precision is slope + intercept / D. Its integral over recall from D0 to D1 is
    slope (D1 - D0 + intercept ln(D1 / D0)) / P, up to the factor that Keras' `AUC` has too.

    Args:
        curve: The true positives.
        fp: The false positives from where they rise, float64[n, P - 1].
        ahead: Those up to where.
    """
    tp, predicted, later = curve.tp[:, 1:], curve.tp[:, 1:] + fp, curve.tp[:, :-1] + ahead
    rise, run = curve.tp[:, :-1] - tp, later - predicted
    with np.errstate(all="ignore"):
        slope = np.where(run > 0, rise / run, 0.0)
        growth = np.where(predicted > 0, later / predicted, 1.0)
    intercept = tp - slope * predicted
    under = (slope * (rise + intercept * np.log(growth))).sum(axis=1, keepdims=True)
    return ratio(under, curve.positives)[:, 0]
