# SPDX-License-Identifier: Apache-2.0
"""Counts of examples: how many rows a slice has, or how much they weigh.

Both are sums over the rows of a slice, in examples or in the unit of the weights. `example_count` is one
of TFMA's default metrics, because a value on 12 rows means less than one on 12,000.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import ANY_ROWS, Metric, Statistic
from benison.metrics.registry import register
from benison.metrics.statistics.sums import Arrays, Total


def ones(inputs: Inputs) -> Array:
    """1 for each row, so that the weighted sum is the sum of the weights: float64[N]."""
    return np.ones(len(inputs))


@dataclasses.dataclass(frozen=True)
class ExampleCount(Metric):
    """Number of examples, or the sum of their weights when the metrics are weighted.

    From 0 up, neither end is good; 0 for a slice without examples. Labels and predictions play no
    part. It has no interval, because it describes the data and not the model.

    >>> ExampleCount().of(Inputs.of([1, 0], [0.7, 0.2]))
    2.0
    """

    name: str = "example_count"
    accepts = ANY_ROWS
    needs_label = False
    needs_prediction = False
    empty_value = 0.0
    has_interval = False

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        return (Total(ones),)

    def result(self, count: Arrays) -> Array:
        return count[0]


@dataclasses.dataclass(frozen=True)
class WeightedExampleCount(ExampleCount):
    """Sum of the example weights; the number of examples when the metrics are not weighted.

    From 0 up, neither end is good; 0 for a slice without examples. The same as ExampleCount, under
    the name by which TFMA tells the two apart.

    >>> WeightedExampleCount().of(Inputs.of([1, 0], [0.7, 0.2], [0.5, 3.0]))
    3.5
    """

    name: str = "weighted_example_count"


@dataclasses.dataclass(frozen=True)
class LabelCount(ExampleCount):
    """Number of examples with a label, or the sum of their weights when the metrics are weighted.

    From 0 up, neither end is good; 0 for a slice without labels. Beside ExampleCount it tells whether
    labels are late. It has no interval, because it describes the data and not the model.

    >>> LabelCount().of(Inputs.of([1, 0], [0.7, 0.2]))
    2.0
    """

    name: str = "label_count"
    needs_label = True


register("ExampleCount", ExampleCount)
register("LabelCount", LabelCount)
register("WeightedExampleCount", WeightedExampleCount)
