# SPDX-License-Identifier: Apache-2.0
"""The contract of statistics and metrics, its laws, and the registry of names.

A *statistic* adds up over rows; a *metric* is a formula over statistics. Both are frozen dataclasses
whose fields are parameters, so equal statistics are one and are computed once.

The laws, tested for every registered metric:

* zero: `merge(zero(S), state) == state`
* order and batching: any split of the rows into batches, in any order, merges to the same state
* grouping: a slice's value is the value of its rows alone
* purity: `add`, `merge` and `result` leave their arguments as they were
* no rows, no value: a slice without rows is NaN (counts and sums are 0)
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Inputs
from benison.slicing.codes import SliceCodes

StateT = TypeVar("StateT")
Index: TypeAlias = npt.NDArray[np.int64]
Value: TypeAlias = "Array | dict[str, Array]"


class Statistic(abc.ABC, Generic[StateT]):
    """Something that adds up over rows, for S slices at once. States are never changed in place."""

    @abc.abstractmethod
    def zero(self, size: int) -> StateT:
        """The state of `size` slices without rows; `merge` with it changes nothing."""

    @abc.abstractmethod
    def add(self, inputs: Inputs, codes: SliceCodes) -> StateT:
        """The state of one batch, over `codes.size` slices."""

    @abc.abstractmethod
    def merge(self, a: StateT, b: StateT) -> StateT:
        """The state of both; associative and commutative up to rounding."""

    @abc.abstractmethod
    def place(self, state: StateT, index: Index, size: int) -> StateT:
        """The state of `size` slices in which slice `index[i]` is slice i of `state`."""

    @abc.abstractmethod
    def take(self, state: StateT, index: Index) -> StateT:
        """The state of the slices `index` of `state`, in that order."""


class Metric(abc.ABC):
    """A formula over statistics. Subclasses are frozen dataclasses with a field `name`."""

    name: str
    is_plot: ClassVar[bool] = False
    has_interval: ClassVar[bool] = True
    """Whether another sample would have another value; a number of examples is what it is."""

    @abc.abstractmethod
    def statistics(self) -> tuple[Statistic[Any], ...]:
        """What must add up; equal statistics of different metrics are computed once."""

    @abc.abstractmethod
    def result(self, *states: Any) -> Value:
        """The value of each slice from the states, in the order of `statistics()`.

        float64[S] for a number, float64[S, T] for a list of numbers, or a dict of float64[S, T]
        columns for a structured value or a plot. Undefined is NaN.
        """

    def of(self, inputs: Inputs) -> Any:
        """The value over all rows of one batch; the form that examples and tests use."""
        codes = SliceCodes.of(np.zeros(len(inputs)), size=1)
        value = self.result(*(s.add(inputs, codes) for s in self.statistics()))
        if isinstance(value, dict):
            return {key: column[0].tolist() for key, column in value.items()}
        return value[0].tolist()


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Array:
    """`numerator / denominator`, NaN where the denominator is 0.

    >>> ratio([1.0, 1.0], [2.0, 0.0])
    array([0.5, nan])
    """
    top, bottom = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    quotient: Array = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return quotient
