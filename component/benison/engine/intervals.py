# SPDX-License-Identifier: Apache-2.0
"""Computes confidence intervals from the values of resampled data, of which each group of rows has a state.

Both methods are TFMA's, with 20 replicates and Student's t. The interval is around the value itself.
Which rows are in which group depends on a file's name and the number of a row in it, so that it is the
same for every engine and every rerun, and for both models: an interval of a change is one of pairs.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from benison.config import ConfidenceIntervalMethod, Options
from benison.data.batch import Array
from benison.data.mixing import Numbers, mixed
from benison.evidence.blocks import T, leave_out_each, merged
from benison.metrics.base import AXES, Index, Value, ratio
from benison.table.slice_columns import QUANTILE, Interval

REPLICATES = 20

_POISSON_MOST = 12  # a row is drawn more often than that once in ten billion draws
_ROUNDING = 1e-12  # to which values are the same, however rows are split and ordered


class Resampling(abc.ABC):
    """Which groups the rows are added up in, and what the groups' states say in the end."""

    groups: int
    draws = 1
    """How many groups a row is in, about."""
    copies = 0
    """How many states of all rows there are beside the groups', while replicates are made."""
    method = ""
    """The name in the column `interval_method`."""

    @abc.abstractmethod
    def rows(self, numbers: Numbers | None) -> Iterator[Index | None]:
        """The rows of each group, int64[n]; None is all. `numbers` are the rows' own: uint64[N]."""

    @abc.abstractmethod
    def total(self, groups: Sequence[T]) -> T:
        """The state of all rows."""

    @abc.abstractmethod
    def replicates(self, groups: Sequence[T]) -> Iterator[T]:
        """One state for each resampled data set."""

    @abc.abstractmethod
    def error(self, replicates: Array) -> Array:
        """The standard error from the values of the replicates: float64[R, S] to float64[S]."""


@dataclasses.dataclass(frozen=True)
class NoResampling(Resampling):
    """One group of all rows, when no intervals are asked for."""

    groups = 1

    def rows(self, numbers: Numbers | None) -> Iterator[Index | None]:
        yield None

    def total(self, groups: Sequence[T]) -> T:
        return groups[0]

    def replicates(self, groups: Sequence[T]) -> Iterator[T]:
        return iter(())

    def error(self, replicates: Array) -> Array:
        return np.full(replicates.shape[1:], np.nan)


@dataclasses.dataclass(frozen=True)
class Jackknife(Resampling):
    """Rows fall into 20 groups at random; a replicate is all rows but those of one group.

    Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982, section 3.1, with groups.
    """

    groups = REPLICATES
    copies = 6
    method = "jackknife"

    def rows(self, numbers: Numbers | None) -> Iterator[Index | None]:
        group = (mixed(_given(numbers)) % np.uint64(self.groups)).astype(np.uint8)
        order = np.argsort(group, kind="stable")
        yield from np.split(order, np.searchsorted(group[order], np.arange(1, self.groups)))

    def total(self, groups: Sequence[T]) -> T:
        return merged(groups)

    def replicates(self, groups: Sequence[T]) -> Iterator[T]:
        """In the order of the groups; half of them shares what lies outside of it."""
        half = len(groups) // 2
        yield from leave_out_each(groups[:half], merged(groups[half:]))
        yield from leave_out_each(groups[half:], merged(groups[:half]))

    def error(self, replicates: Array) -> Array:
        return np.asarray(np.sqrt(len(replicates) - 1) * _deviation(replicates, 0))


@dataclasses.dataclass(frozen=True)
class PoissonBootstrap(Resampling):
    """In each of 20 replicates a row is there as often as a draw of Poisson's with mean 1 says.

    Chamandy, Muralidharan, Najmi, Naidu, "Estimating Uncertainty for Massive Data Streams", 2012.
    """

    groups = draws = 1 + REPLICATES  # the first has all rows once
    method = "poisson_bootstrap"

    def rows(self, numbers: Numbers | None) -> Iterator[Index | None]:
        yield None
        own = mixed(_given(numbers))
        steps = np.cumsum(np.exp(-1) / np.cumprod([1.0, *range(1, _POISSON_MOST)]))
        for replicate in range(REPLICATES):
            uniform = mixed(own + np.uint64(replicate)) / 2.0**64
            yield np.repeat(np.arange(len(own)), np.searchsorted(steps, uniform, side="right"))

    def total(self, groups: Sequence[T]) -> T:
        return groups[0]

    def replicates(self, groups: Sequence[T]) -> Iterator[T]:
        return iter(groups[1:])

    def error(self, replicates: Array) -> Array:
        return _deviation(replicates, 1)


def _deviation(replicates: Array, ddof: int) -> Array:
    """The standard deviation, float64[R, S] to float64[S], made in a unit in which squares are floats."""
    _, powers = np.frexp(np.abs(replicates).max(axis=0))
    with np.errstate(invalid="ignore"):
        deviation = np.std(np.ldexp(replicates, -powers), axis=0, ddof=ddof)
        return np.asarray(np.ldexp(deviation, powers))


def _given(numbers: Numbers | None) -> Numbers:
    if numbers is None:
        raise ValueError("Confidence intervals need the numbers of the rows.")
    return numbers


def resampling_of(options: Options) -> Resampling:
    """What a config's options ask for."""
    if not options.compute_confidence_intervals:
        return NoResampling()
    if options.confidence_intervals.method == ConfidenceIntervalMethod.POISSON_BOOTSTRAP:
        return PoissonBootstrap()
    return Jackknife()


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric's value on S slices, and where it is a number, its replicates: float64[R, S].

    `low` and `high` are the ends of the range of values.
    """

    value: Value
    replicates: Array
    low: float = -math.inf
    high: float = math.inf

    def pick(self, index: Index) -> Estimate:
        """The slices `index`."""
        value = self.value
        if isinstance(value, dict):
            return dataclasses.replace(self, value={k: of[index] for k, of in value.items()})
        replicates = self.replicates[:, index]
        return dataclasses.replace(self, value=value[index], replicates=replicates)

    @property
    def is_number(self) -> bool:
        """Whether a slice has one number, and no list or structure."""
        return not isinstance(self.value, dict) and self.value.ndim == 1

    @property
    def is_sample(self) -> bool:
        """Whether it is values of rows, between which there are no differences."""
        return isinstance(self.value, np.ma.MaskedArray)

    def minus(self, other: Estimate) -> Estimate:
        """The difference; it varies as the replicates of both, which are of the same rows, say."""
        with np.errstate(all="ignore"):  # the change of infinite values is undefined
            difference = _difference(self.value, other.value)
            replicates = self.replicates - other.replicates
        return Estimate(difference, replicates, self.low - other.high, self.high - other.low)

    def over(self, other: Estimate) -> Estimate:
        """The ratio of two numbers, NaN where the divisor is 0."""
        assert not isinstance(self.value, dict)
        assert not isinstance(other.value, dict)
        low = 0.0 if self.low >= 0 and other.low >= 0 else -math.inf
        replicates = ratio(self.replicates, other.replicates)
        return Estimate(ratio(self.value, other.value), replicates, low)

    def interval(self, resampling: Resampling) -> Interval | None:
        """The 95 % interval around the value, inside of its range; None for no interval.

        NaN where a replicate is, and where all are equal, as of a share of 0 or 1: that no resampled data
        differ does not make the value certain.
        """
        if not self.is_number or not len(self.replicates):
            return None
        same = (self.replicates == self.replicates[0]).all(axis=0)
        error = np.where(same, np.nan, resampling.error(self.replicates))
        value, reach = np.asarray(self.value), QUANTILE * error
        lower = np.maximum(value - reach, np.minimum(self.low, value))
        upper = np.minimum(value + reach, np.maximum(self.high, value))
        df = np.where(np.isnan(error), np.nan, REPLICATES - 1)
        return Interval(lower, upper, error, df, resampling.method)


def settled(value: Value, low: float, high: float) -> Value:
    """A value with 0 in place of what only the order of rows may have put beside it.

    A correlation and other numbers below and above 0 with an upper end are differences of sums. A bound of 0,
    and a share of such a number, would be judged by their rounding.

    >>> settled(np.array([1e-17, 0.25]), -1, 1)
    array([0.  , 0.25])

    Args:
        value: Of a metric.
        low: The lower end of its range.
        high: The upper end of its range.
    """
    if isinstance(value, dict) or not low < 0 < high < math.inf:
        return value
    return np.where(np.abs(value) < _ROUNDING * high, 0.0, value)


def _difference(a: Value, b: Value) -> Value:
    """Where values are structured, a point of the difference lies where both points lie."""
    if isinstance(a, dict) and isinstance(b, dict):
        return {key: a[key] if key in AXES else a[key] - b[key] for key in a}
    assert not isinstance(a, dict)
    assert not isinstance(b, dict)
    return a - b
