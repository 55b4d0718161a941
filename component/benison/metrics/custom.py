# SPDX-License-Identifier: Apache-2.0
"""Metrics of any function of labels and predictions, such as those of scikit-learn.

A function sees all rows of a slice at once, so nothing of it can be added up batch by batch: the rows are
kept, and the function is called once for each slice after the pass. For data of any size write a `Metric`
whose statistics add up.
"""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benison.data.batch import Array, Inputs
from benison.metrics.base import Metric, Statistic
from benison.metrics.confusion import as_thresholds
from benison.metrics.registry import About, register
from benison.metrics.statistics.kept_rows import KeptRows, Rows

DEFAULT_LIMIT = 100_000
"""Rows of a slice, which take about 2 MB with their weights."""


@dataclasses.dataclass(frozen=True)
class FunctionMetric(Metric):
    """The value of `function(y_true, y_pred, sample_weight)` on the rows of each slice.

    Every row of a slice is kept until the end, up to `limit`; a slice with more has no value. Range and
    unit are the function's. NaN for a slice without rows, for one with a missing prediction, and where
    the function raises ValueError, as those of scikit-learn do when a class is missing. Functions without
    a parameter `sample_weight` are refused where the rows are weighted.

    Attributes:
        function: Takes NumPy arrays (y_true, y_pred), and returns a number.
        name: The metric's name in the results.
        limit: The most rows of a slice, from 1 up.
        threshold: A score above it is the class 1, else 0; None hands the predictions on as they are.

    >>> from sklearn.metrics import balanced_accuracy_score
    >>> metric = FunctionMetric(balanced_accuracy_score, "balanced_accuracy", threshold=0.5)
    >>> metric.of(Inputs.of([0, 0, 1], [0.2, 0.8, 0.9]))
    0.75
    """

    function: Callable[..., Any]
    name: str
    limit: int = DEFAULT_LIMIT
    threshold: float | None = None
    accepts = frozenset({"binary", "real", "classes", "text"})

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"limit must be a number of rows from 1 up, not {self.limit!r}")
        if self.threshold is not None:
            as_thresholds(self.threshold)

    @property
    def takes_weights(self) -> bool:  # type: ignore[override]
        """Whether the function has the parameter `sample_weight`."""
        return "sample_weight" in inspect.signature(self.function).parameters

    def statistics(self) -> tuple[Statistic[KeptRows], ...]:
        return (Rows(self.limit),)

    def result(self, rows: KeptRows) -> Array:
        values = np.full(len(rows.counts), np.nan)
        for i in np.flatnonzero(np.diff(rows.offsets)):  # the function takes one slice at a time
            values[i] = _value_of(self.function, rows.of_slice(int(i)), self.threshold)
        return values

    def notes(self, rows: KeptRows) -> dict[int, str]:
        over = np.flatnonzero(rows.counts > self.limit)
        reason = f"its function is given at most {self.limit:,} rows of a slice (limit)"
        return {int(i): f"the slice has {rows.counts[i]:,} rows and {reason}" for i in over}


def _value_of(function: Callable[..., Any], rows: Inputs, threshold: float | None) -> float:
    """What a function says of some rows; NaN where one has no prediction or the function refuses them."""
    predictions = rows.predictions
    if isinstance(predictions, np.ndarray) and np.isnan(predictions).any():
        return np.nan
    if threshold is not None:
        predictions = (predictions > threshold).astype(np.float64)
    more = {} if rows.weights is None else {"sample_weight": rows.weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is undefined is NaN here, and needs no warning
        try:
            return float(function(_plain(rows.labels), _plain(predictions), **more))
        except ValueError:
            return np.nan


def _plain(column: Any) -> Any:
    return column if isinstance(column, np.ndarray) else np.asarray(column.to_pylist())


def from_function(
    function: Callable[..., Any],
    name: str | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    threshold: float | None = None,
    about: About | None = None,
) -> None:
    """Make `function` known as a metric, under its own name or `name`.

    Args:
        function: Takes (y_true, y_pred), and `sample_weight` where the metric is weighted; returns a number.
        name: The `class_name` in configs, and the metric's name in results.
        limit: The most rows of a slice that are kept; a slice with more has no value, never a sample.
        threshold: Of scores, above which a prediction is the class 1; None hands scores on.
        about: What it is; its docstring says so otherwise.

    Raises:
        ConfigError: The name is taken.

    Registering is for this process. A command or a worker learns of the metric when the config names the
    module in which this is called.
    """
    default_name = name or function.__name__

    def factory(name: str = default_name, limit: int = limit) -> FunctionMetric:
        return FunctionMetric(function, name, limit, threshold)

    register(default_name, factory, about or About.of(function))
