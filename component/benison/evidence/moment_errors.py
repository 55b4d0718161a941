# SPDX-License-Identifier: Apache-2.0
"""The error of metrics that are formulas over sums, from the moments of what each row contributes.

The variance of a formula f of sums is g' V g, where V is the covariance of the sums and g the slopes of f,
taken from values of f close by (the delta method). Of a plain mean the third moment is known too, and its
skewness is corrected for.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.evidence.estimators import Estimator
from benison.evidence.paired_spread import Paired
from benison.evidence.row_moments import PairedMoments, RowMoments
from benison.evidence.skewed import Skewed, skew_of_means
from benison.evidence.spread import PairedShares, Share, Spread, Student
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.statistics.extremes import Largest
from benison.metrics.statistics.sums import ArraysStatistic, RowFunction

_NOISE = 1e-14
"""The share of the products that rounding leaves where they cancel."""
_MOST = 6
_STEP = 1e-6
"""How far slopes are taken, relative to a sum: errors of both the step and of rounding are below 1e-9."""


@dataclasses.dataclass(frozen=True)
class MomentsEstimator(Estimator):
    """A metric of sums over rows.

    Attributes:
        metric: All of its statistics are sums of functions of the row.
        weighted: Whether rows have weights.
    """

    metric: Metric
    paired: bool
    weighted: bool

    name = "moments"

    @classmethod
    def fits(cls, metric: Metric) -> bool:
        """Whether all statistics are such sums, and few: of K there are K^2 products in each slice."""
        summands = summands_of(metric)
        return summands is not None and len(set(summands)) <= _MOST

    def statistics(self) -> tuple[PairedMoments]:
        functions = [f for f in summands_of(self.metric) or () if f is not None]
        unique = tuple(dict.fromkeys(functions))
        return (PairedMoments(unique, self.paired, self.weighted),)

    @property
    def _statistic(self) -> PairedMoments:
        return self.statistics()[0]

    def spread(self, *states: RowMoments) -> Spread:
        return self._spread(states[0], 0)

    def compared(self, *states: RowMoments) -> Paired:
        state = states[0]
        own, other = (self._gradient(state, side) for side in (0, 1))
        covariance = _variance(state, own[1], other[1])
        spreads = self._spread(state, 0), self._spread(state, 1)
        if self.metric.is_share and not self.weighted:
            won, lost = _discordant(state)
            total = np.where(np.isnan(won), np.nan, state.rows)
            same = state.differing == 0
            return Paired(*spreads, PairedShares(won, lost, total), covariance, won, lost, same)
        slopes = own[1] - other[1]
        change = self._tested(state, own[0] - other[0], slopes, 2)
        return Paired(*spreads, change, covariance)

    def _spread(self, state: RowMoments, side: int) -> Spread:
        if self.metric.is_share and not self.weighted:
            hits = np.rint(state.rows * state.mean[:, side])
            return Share(hits, np.where(np.isnan(hits), np.nan, state.rows))
        return self._tested(state, *self._gradient(state, side), side)

    def _tested(self, state: RowMoments, value: Array, slopes: Array, cube: int) -> Spread:
        """Values with these slopes; `cube` is the column of the third moments of a plain mean."""
        error = np.sqrt(np.maximum(_variance(state, slopes, slopes), 0.0))
        degrees = self._degrees(state)
        if not (self._statistic.cubes and is_mean(self.metric)):
            return Student(value, error, degrees)
        skew = skew_of_means(state.third[:, cube], state.rows, error)
        return Skewed(value, error, degrees, skew=skew)

    def _degrees(self, state: RowMoments) -> Array:
        """(sum w)^2 / sum w^2 - 1, which is n - 1 without weights, float64[S]."""
        if not self.weighted:
            return state.rows - 1
        total = state.rows * state.mean[:, -1]
        squares = state.second[:, -1, -1] + state.rows * state.mean[:, -1] ** 2
        return np.minimum(ratio(total**2, squares), state.rows) - 1

    def _gradient(self, state: RowMoments, side: int) -> tuple[Array, Array]:
        """The value of a model, float64[S], and its slope along each column, float64[S, K]."""
        sums, alike = state.rows[:, None] * _means(state), _are_alike(state)
        columns = self._columns(side)
        slopes = np.zeros_like(sums)
        spread = np.sqrt(np.einsum("sii->si", state.second))
        for at in columns:
            step = _STEP * np.maximum(np.abs(sums[:, at]), spread[:, at])
            step = np.where(step > 0, step, 1.0)
            above, below = sums.copy(), sums.copy()
            above[:, at] += step
            below[:, at] -= step
            reach = above[:, at] - below[:, at]
            rise = self._value(state, above, columns) - self._value(state, below, columns)
            # A root has no slope at 0, where all rows are 0 and add no error.
            slopes[:, at] = np.where(np.isnan(rise) & alike[:, at], 0.0, rise / reach)
        return self._value(state, sums, columns), slopes

    def _columns(self, side: int) -> Index:
        """The columns of a model: one for each function of the statistic, and that of the weight."""
        statistic = self._statistic
        own, models = len(statistic.own), 1 + statistic.paired
        at = {f: side * own + i for i, f in enumerate(statistic.own)}
        at |= {f: models * own + i for i, f in enumerate(statistic.common)}
        weight = [statistic.width - 1] * statistic.weighted
        return np.array([at[f] for f in statistic.functions] + weight, np.int64)

    def _value(self, state: RowMoments, sums: Array, columns: Index) -> Array:
        """The value of a model whose columns have these sums, float64[S, K]."""
        functions = self._statistic.functions
        known: dict[RowFunction | None, Array] = {
            f: sums[:, at] for f, at in zip(functions, columns, strict=False)
        }
        known[None] = sums[:, -1] if self.weighted else state.rows
        with np.errstate(all="ignore"):
            return np.asarray(self.metric.result(*_states_of(self.metric, known)))


def summands_of(metric: Metric) -> list[RowFunction | None] | None:
    """The functions of the row whose sums a metric is made of, None for 1; None if it is more than sums.

    What all rows have, such as a largest value, is left out: no value depends on it.
    """
    functions: list[RowFunction | None] = []
    for statistic in metric.statistics():
        if isinstance(statistic, Largest):
            continue
        summands = statistic.summands() if isinstance(statistic, ArraysStatistic) else None
        if summands is None:
            return None
        functions += summands
    return functions


def _states_of(metric: Metric, sums: dict[RowFunction | None, Array]) -> list[Any]:
    """The states of a metric from the sums of its functions."""
    return [_state_of(statistic, sums) for statistic in metric.statistics()]


def _state_of(statistic: Statistic[Any], sums: dict[RowFunction | None, Array]) -> Any:
    if not isinstance(statistic, ArraysStatistic):
        return statistic.zero(len(sums[None]))
    return statistic.of_sums([sums[f] for f in statistic.summands() or ()])


@functools.lru_cache(maxsize=256)
def is_mean(metric: Metric) -> bool:
    """Whether a metric of one function is the mean of that, and no other formula."""
    summands = summands_of(metric)
    if summands is None or len(summands) != 2 or summands[1] is not None:  # noqa: PLR2004 - sum, weight
        return False
    totals, rows = np.array([1.0, 3.0, 10.0]), np.array([2.0, 9.0, 5.0])
    with np.errstate(all="ignore"):
        value = metric.result(*_states_of(metric, {summands[0]: totals, None: rows}))
    return bool(np.allclose(np.asarray(value), totals / rows))


def _means(state: RowMoments) -> Array:
    """The means of columns, float64[S, K], 0 where they are but for rounding, which may be below 0."""
    return np.where(np.abs(state.mean) <= _NOISE * _largest(state.mean), 0.0, state.mean)


def _are_alike(state: RowMoments) -> Mask:
    """Where a column is the same in all rows of a slice, but for rounding: bool[S, K]."""
    squares = ratio(np.einsum("sii->si", state.second), state.rows[:, None])
    return np.asarray(squares <= _NOISE * _largest(squares + state.mean**2))


def _largest(columns: Array) -> Array:
    """The largest finite size in each column over all slices: float64[K]."""
    sizes = np.abs(columns)
    return np.asarray(np.where(np.isfinite(sizes), sizes, 0.0).max(axis=0, initial=0.0))


def _variance(state: RowMoments, slopes: Array, others: Array) -> Array:
    """The covariance of two values with these slopes, float64[S]."""
    factors = slopes[:, :, None] * others[:, None, :]
    deviations = np.sqrt(state.noise)
    unsure = deviations[:, :, None] * deviations[:, None, :]
    # What the one model misses says nothing of the other, in which it has no slope.
    products, unsure = (np.where(factors == 0, 0.0, factors * x) for x in (state.second, unsure))
    noise = (_NOISE * np.abs(products) + np.abs(unsure)).sum(axis=(1, 2))
    total = products.sum(axis=(1, 2))
    return np.where(np.abs(total) < noise, 0.0, total) * ratio(state.rows, state.rows - 1)


def _discordant(state: RowMoments) -> tuple[Array, Array]:
    """Of two columns of 0 and 1 the rows in which only the first, and only the second is 1."""
    n, mean = state.rows, state.mean
    both = state.second[:, 0, 1] + n * mean[:, 0] * mean[:, 1]
    return np.rint(n * mean[:, 0] - both), np.rint(n * mean[:, 1] - both)
