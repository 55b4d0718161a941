# SPDX-License-Identifier: Apache-2.0
"""The contract of what knows the sampling error of a metric from one pass over the rows."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import numpy as np

from benison.data.batch import Index
from benison.evidence.paired_spread import Paired
from benison.evidence.spread import Spread
from benison.metrics.base import Metric, Statistic


class Estimator(abc.ABC):
    """How the error of a metric is known: a frozen dataclass with the metric and `paired`.

    It names statistics, which are added up over the rows beside those of the metric, and reads their states.
    """

    name: ClassVar[str]
    compares_slices: ClassVar[bool] = False
    """Whether it knows how slices vary together that share rows, or what rows belong to."""
    paired: bool
    """Whether there are two models."""

    @property
    def needs_row_numbers(self) -> bool:
        """Whether it looks at `Inputs.numbers`."""
        return False

    def statistics(self) -> tuple[Statistic[Any], ...]:
        """What must add up over rows that have the predictions of both models, `Inputs.baseline`."""
        return ()

    def alone(self) -> tuple[Statistic[Any], ...]:
        """What must add up over the rows of each model by itself."""
        return ()

    @abc.abstractmethod
    def spread(self, *states: Any) -> Spread:
        """The values of the candidate, or of the only model."""

    @abc.abstractmethod
    def compared(self, *states: Any) -> Paired:
        """Both models and the change, where there is a baseline.

        Args:
            states: Those of `statistics()`, then those of `alone()` of the candidate and of the baseline.
        """


@dataclasses.dataclass(frozen=True)
class Evidenced:
    """How far the true values of a key may be from the measured ones, in the order of its rows.

    Attributes:
        value: Of the rows of that key.
        paired: Both models and the change, where the key's value has one.
    """

    value: Spread
    paired: Paired | None = None

    def take(self, index: Index) -> Evidenced:
        """Of the slices `index`."""
        paired = None if self.paired is None else self.paired.take(index)
        return Evidenced(self.value.take(index), paired)


def is_number(metric: Metric) -> bool:
    """Whether a slice has one number, which another sample would have otherwise."""
    if metric.is_plot or not metric.has_interval or metric.needs_row_numbers:
        return False
    with np.errstate(all="ignore"):
        value = metric.result(*(statistic.zero(1) for statistic in metric.statistics()))
    return not isinstance(value, dict) and value.ndim == 1
