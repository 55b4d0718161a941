# SPDX-License-Identifier: Apache-2.0
"""Means of a metric over classes, ranks or outputs, and what weighs them.

A macro average is the mean of a metric's values for each class: every class counts the same, however rare. A
weighted macro average weighs each class by its positives, as scikit-learn does with `average="weighted"`. A
micro average needs nothing of this: it computes the metric once over the rows of all classes.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.statistics.sums import Arrays, Total


def weighted_mean(values: Array, weights: Array) -> Array:
    """The mean of float64[n, S] along the first axis, with weights float64[n, S]: float64[S].

        sum_i w_i v_i / sum_i w_i

    NaN where one of the values is NaN, even one of weight 0: a class without positives makes a macro average
    of recalls undefined, where scikit-learn counts it as 0 and warns. NaN too where the weights add up to 0.

    >>> weighted_mean(np.array([[1.0], [0.0]]), np.array([[3.0], [1.0]]))
    array([0.75])
    """
    return ratio((values * weights).sum(axis=0), weights.sum(axis=0))


def label_weight(inputs: Inputs) -> Array:
    """The label, whose weighted sum is the weight of the positives."""
    return np.asarray(inputs.labels, np.float64)


@dataclasses.dataclass(frozen=True)
class PositiveWeight(Metric):
    """Weighted sum of the labels of a class, which weighs it in a weighted macro average; from 0 up.

        sum w y

    0 for a slice without rows. It is computed beside the metric that is averaged and shown nowhere.

    >>> PositiveWeight().of(Inputs.of([1, 0, 1], [0.7, 0.2, 0.1]))
    2.0
    """

    name: str = "positive_weight"
    needs_prediction = False
    empty_value = 0.0

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Total(label_weight),)

    def result(self, total: Arrays) -> Array:
        return total[0]
