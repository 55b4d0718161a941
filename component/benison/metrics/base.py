# SPDX-License-Identifier: Apache-2.0
"""The contract of statistics and metrics, and its laws.

A *statistic* adds up over rows; a *metric* is a formula over statistics. Both are frozen dataclasses
whose fields are parameters, so equal statistics are one and are computed once.

The laws, tested for every registered metric:

* zero: `merge(zero(S), state) == state`
* order and batching: any split of the rows into batches, in any order, merges to the same state
* grouping: a slice's value is the value of its rows alone
* purity: `add`, `merge` and `result` leave their arguments as they were
* no rows, no value: a slice without rows is NaN (counts and sums are 0)

`benison.testing.check_metric` holds the same laws against a metric of yours.

In shapes N is the rows of a batch, S the slices, C the classes, T the thresholds of a metric, P the points of
a curve, and M the rows in slices: a row that is in three slices counts three times.
"""

from __future__ import annotations

import abc
import math
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index, Inputs
from benison.slicing.codes import SliceCodes

__all__ = ["ANY_ROWS", "AXES", "Index", "Metric", "Statistic", "Value", "ratio"]

AXES = frozenset({"threshold", "lower", "upper", "actual_class_id", "predicted_class_id"})
"""The columns of structured values and plots that say where a point lies, not what is there."""

ANY_ROWS = frozenset({"binary", "real", "classes", "text", "ragged", "boxes"})
"""What a metric accepts that looks at neither labels nor predictions, or at whether they are there."""

StateT = TypeVar("StateT")
Value: TypeAlias = "Array | dict[str, Array]"


class Statistic(abc.ABC, Generic[StateT]):
    """Something that adds up over rows, for S slices at once. States are never changed in place.

    An evaluation calls `add` for each batch and merges the states; which batches there are, and in which
    order they are merged, depends on files, threads and workers. Slices are numbered as they come up, so a
    batch may know more of them than an earlier one, and another worker may number them otherwise: `scatter`
    moves a state to other numbers before it is merged. `gather` picks the slices whose values are wanted.

    A state can be pickled, because workers send theirs to where they are merged.
    """

    @abc.abstractmethod
    def zero(self, size: int) -> StateT:
        """The state of `size` slices without rows; `merge` with it changes nothing.

        Args:
            size: The number of slices S, which may be 0.
        """

    @abc.abstractmethod
    def add(self, inputs: Inputs, codes: SliceCodes) -> StateT:
        """The state of one batch, over `codes.size` slices.

        Args:
            inputs: The N rows; of weight 0 they may hold anything, and must not change the state.
            codes: The slices that each row is in, which may be none or several.

        Raises:
            DataError: The statistic is not defined for such labels or predictions.
        """

    @abc.abstractmethod
    def merge(self, a: StateT, b: StateT) -> StateT:
        """The state of both; associative and commutative up to rounding."""

    def scatter(self, state: StateT, index: Index, size: int) -> StateT:
        """The state of `size` slices in which slice `index[i]` is slice i of `state`.

        The others are as in `zero`. No two slices become one, so `index`, int64[S], repeats nothing.
        """
        if type(self).place is Statistic.place:
            raise NotImplementedError(f"{type(self).__name__} lacks the method scatter.")
        return self.place(state, index, size)

    def gather(self, state: StateT, index: Index) -> StateT:
        """The state of the slices `index` of `state`, in that order.

        A slice may be there more than once, as the base of several comparisons is.
        """
        if type(self).take is Statistic.take:
            raise NotImplementedError(f"{type(self).__name__} lacks the method gather.")
        return self.take(state, index)

    def prepare(self, state: StateT) -> None:  # noqa: B027 - most states are read as they are
        """Get ready for several metrics that read a state; it is called before the first one."""

    def place(self, state: StateT, index: Index, size: int) -> StateT:
        """The name of `scatter` in version 0.1, kept for one release."""
        return self.scatter(state, index, size)

    def take(self, state: StateT, index: Index) -> StateT:
        """The name of `gather` in version 0.1, kept for one release."""
        return self.gather(state, index)

    def columns(self) -> tuple[str, ...]:
        """The columns of the data that it reads through `Inputs.features`.

        Only columns that somebody names are read from files, so a column that is missing here is missing in
        `Inputs.features` too.
        """
        return ()

    def optional_columns(self) -> tuple[str, ...]:
        """The columns that it reads where the data have them."""
        return ()

    def label_columns(self) -> tuple[str, ...]:
        """What it reads by `Inputs.label_column`: fields of a column of structs, or columns of the data."""
        return ()

    def prediction_columns(self) -> tuple[str, ...]:
        """What it reads by `Inputs.prediction_column`: outputs of the model, or columns if none is called."""
        return ()


class Metric(abc.ABC):
    """A formula over statistics. Subclasses are frozen dataclasses with a field `name`.

    The fields are the parameters that a config can give, under their names. The first line of the docstring
    is what reports say of the metric.

    >>> import dataclasses
    >>> from benison.metrics.statistics.sums import Mean
    >>> def is_too_high(inputs):
    ...     return (inputs.predictions > inputs.labels).astype(float)
    >>> @dataclasses.dataclass(frozen=True)
    ... class ShareTooHigh(Metric):
    ...     '''Weighted share of rows whose prediction is above the label, from 0 to 1.'''
    ...
    ...     name: str = "share_too_high"
    ...
    ...     def statistics(self):
    ...         return (Mean(is_too_high),)
    ...
    ...     def result(self, mean):
    ...         return ratio(*mean)
    >>> ShareTooHigh().of(Inputs.of([1.0, 2.0], [1.5, 1.0]))
    0.5
    """

    name: str
    accepts: ClassVar[frozenset[str]] = frozenset({"binary", "real"})
    """What labels and predictions may be: `binary` (labels in [0, 1] and a score), `real` (a number each),
    `classes` (a score for each class), `class_numbers` (whole numbers from 0), `text` (Arrow strings),
    `ragged` (lists of any length), `boxes` (lists of the boxes of an image)."""
    needs_label: ClassVar[bool] = True
    """Whether it looks at labels, so that a row without one is not among its rows."""
    needs_prediction: ClassVar[bool] = True
    """Whether it looks at predictions, so that one that is missing makes the value undefined."""
    needs_groups: ClassVar[bool] = False
    """Whether it looks at the queries of rows, `Inputs.groups`, which need a query_key."""
    needs_baseline: ClassVar[bool] = False
    """Whether it looks at the baseline's predictions of the same rows, `Inputs.baseline`."""
    needs_row_numbers: ClassVar[bool] = False
    """Whether it is a sample of rows, which are drawn by `Inputs.numbers`."""
    takes_weights: ClassVar[bool] = True
    """Whether it can be computed with example weights."""
    empty_value: ClassVar[float] = math.nan
    """The value of a slice without rows: NaN, or 0 for counts and sums."""
    predicts_by_columns: ClassVar[bool] = False
    """Whether predictions are what its parameters name: outputs of the model, or columns of the data, which
    are the same for every model."""
    prediction_column: ClassVar[str | None] = None
    """The column whose values are the predictions where the data have it; elsewhere the model makes them."""
    class_id: ClassVar[int | None] = None
    """The one class of which it is, by a parameter of its own."""
    taken: ClassVar[str] = ""
    """The sub key of the classes that it takes itself, such as `k:2`, by a parameter of its own."""
    top_k_scores: ClassVar[int | None] = None
    """How many of the highest scores of a row can be positive, by a parameter of its own."""
    is_plot: ClassVar[bool] = False
    """Whether its columns are the points of a plot, which go to plots.parquet and have no thresholds."""
    has_interval: ClassVar[bool] = True
    """Whether another sample would have another value; a number of examples is what it is."""
    slope_of_area: ClassVar[float] = 0.0
    """How much it rises with the area under the ROC curve of all scores, evenly; 0 if it does not."""
    is_share: ClassVar[bool] = False
    """Whether it is the mean of a number that is 0 or 1 in each row, and so a share of rows."""

    higher_is_better: ClassVar[bool | None] = None
    """Which end of its range is good, for what shows results; None if neither is, or nobody says."""

    @abc.abstractmethod
    def statistics(self) -> tuple[Statistic[Any], ...]:
        """What must add up; equal statistics of different metrics are computed once."""

    @abc.abstractmethod
    def result(self, *states: Any) -> Value:
        """The value of each slice from the states, in the order of `statistics()`.

        float64[S] for a number, float64[S, T] for a list of numbers, or a dict of float64[S, T]
        columns for a structured value or a plot. Undefined is NaN. A sample of rows is a masked
        object[S, T] of what JSON has, from which what is masked is left out.
        """

    def resolution(self, *states: Any) -> Array | float:
        """How far a value may be from the exact one, float64[S] or one number for all; 0 is exact.

        A bound that lies within value +- resolution can be neither reached nor missed: the check is
        undecided.
        """
        return 0.0

    def result_and_resolution(self, *states: Any) -> tuple[Value, Array | float]:
        """Both at once; override it where they need the same work."""
        return self.result(*states), self.resolution(*states)

    def check(self, *states: Any) -> None:  # noqa: B027 - most metrics fit any data
        """Refuse data on which the value would mislead; `states` are those of all rows, in any slices.

        It is called once, after the last row. What a batch alone shows is refused in `add`; what only all
        rows show, such as whether any score is no probability, is a statistic like others and judged here,
        so that neither batches nor their order nor the engine make a difference.

        Raises:
            DataError: With what is wrong, and the cure.
        """

    def points(self) -> dict[str, tuple[Metric, ...]]:
        """The metrics of one number that a list, under "", or the columns of a table are made of.

        Their intervals are those of the points, in the order of the list or of the rows of the table. What is
        not made of such metrics has none.
        """
        return {}

    def label_names(self) -> tuple[str, ...]:
        """What it reads of labels by name; a row that lacks one is not among its rows."""
        names = (name for each in self.statistics() for name in each.label_columns())
        return tuple(dict.fromkeys(names))

    def prediction_names(self) -> tuple[str, ...]:
        """What it reads of predictions by name; a row that lacks one makes the value undefined."""
        names = (name for each in self.statistics() for name in each.prediction_columns())
        return tuple(dict.fromkeys(names))

    def notes(self, *states: Any) -> dict[int, str]:
        """Why values are undefined, by the number of the slice, where the states alone know the reason."""
        return {}

    def of(self, inputs: Inputs) -> Any:
        """The value over all rows of one batch; the form that examples and tests use.

        A float for a number, a list for several thresholds, a dict of lists for a structured value.
        """
        codes = SliceCodes.of(np.zeros(len(inputs)), size=1)
        with np.errstate(all="ignore"):
            states = [s.add(inputs, codes) for s in self.statistics()]
            self.check(*states)
            value = self.result(*states)
        if isinstance(value, dict):
            return {key: column[0].tolist() for key, column in value.items()}
        return value[0].tolist()


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Array:
    """`numerator / denominator`, NaN where the denominator is 0; broadcasts as NumPy does.

    Nothing warns, because an undefined value of a small slice is a result and no accident.

    >>> ratio([1.0, 1.0], [2.0, 0.0])
    array([0.5, nan])
    """
    top, bottom = np.asarray(numerator, float), np.asarray(denominator, float)
    with np.errstate(all="ignore"):
        quotient = np.asarray(top / bottom)
    if not bottom.all():
        np.copyto(quotient, np.nan, where=bottom == 0)
    return quotient
