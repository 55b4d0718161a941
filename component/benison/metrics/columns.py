# SPDX-License-Identifier: Apache-2.0
"""Metrics of a column of the data itself, whatever labels and predictions are.

They tell what a slice consists of, in the unit of the column: the mean age, the sum of fares. `Mean` is
TFMA's and Keras', `Sum` is Keras'.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Inputs, check_weights
from benison.data.values import floats_of, is_list, is_number, undictionary, unlisted
from benison.errors import DataError
from benison.metrics.base import ANY_ROWS, Metric, Statistic, ratio
from benison.metrics.parameters import MOST, MOST_VALUES, check_count, check_single
from benison.metrics.registry import register
from benison.metrics.statistics.sums import Arrays, ArraysStatistic
from benison.slicing.codes import SliceCodes


def column_floats(
    inputs: Inputs, name: str, element: int | None = None, rank: int | None = None
) -> Array:
    """A column as float64[N]; NaN where it has no value.

    Args:
        inputs: The rows.
        name: The column.
        element: Of a column of lists, which value, counted from 0; None where they have one at most.
        rank: Which value instead from the highest down, counted from 1.

    Raises:
        DataError: It holds no numbers, or several in a row and it is not said which.
    """
    assert inputs.features is not None
    column = undictionary(inputs.features.column(name))
    if not is_list(column.type):
        if element is not None or rank is not None:
            raise DataError(f"The column {name!r} has one value in a row; take out which is meant.")
        return _floats(column, name)
    values, lengths = unlisted(column)
    if element is None and rank is None and lengths.max(initial=0) > 1:
        raise DataError(
            f"The column {name!r} has several values in a row; name one with one, or of attributions the "
            "class that is meant (class_id, or binarize.class_ids)."
        )
    floats = _floats(values, name)
    if rank is not None:  # in each row from the highest down
        floats = floats[np.lexsort((-floats, np.repeat(np.arange(len(lengths)), lengths)))]
    at = (element or 0) if rank is None else rank - 1
    present, starts = lengths > at, np.cumsum(lengths) - lengths
    numbers = np.full(len(column), np.nan)
    numbers[present] = floats[starts[present] + at]
    return numbers


def _floats(column: pa.Array, name: str) -> Array:
    column = undictionary(column)
    if not is_number(column.type):
        raise DataError(f"The column {name!r} holds {column.type}; name one that holds numbers.")
    return np.asarray(floats_of(column).to_numpy(zero_copy_only=False), np.float64)


@dataclasses.dataclass(frozen=True)
class ColumnSums(ArraysStatistic):
    """The two sums of a weighted mean of a column: the state is (sum w x, sum w), each float64[S].

    Rows without a value do not count.

    Attributes:
        column: The column x, of numbers or of lists of one number.
        weights: The column that weighs; "" takes the example weights.
        absolute: Whether signs are left out.
        element: Of a column of lists, which value.
        rank: Which of them from the highest down.
    """

    column: str
    weights: str = ""
    absolute: bool = False
    element: int | None = None
    rank: int | None = None

    def columns(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.column, self.weights)))

    def add(self, inputs: Inputs, codes: SliceCodes) -> Arrays:
        values = column_floats(inputs, self.column, self.element, self.rank)
        values = np.abs(values) if self.absolute else values
        known = ~np.isnan(values)
        if self.weights:
            weights = column_floats(inputs, self.weights)
            check_weights(weights, self.weights)
            inputs = dataclasses.replace(inputs, weights=weights)
        totals = (inputs.weighted(x) for x in (np.where(known, values, 0.0), known.astype(float)))
        total, weight = (codes.sum(x) for x in totals)
        return total, weight


@dataclasses.dataclass(frozen=True)
class ColumnMean(Metric):
    """Weighted mean of a column of the data.

    It has no range and no better end. Rows without a value do not count; NaN where none has one.

    Attributes:
        feature_key_path: Where the column is, as TFMA writes it: ["features", "age"], or ["age"].
        example_weights_key_path: The column that weighs the rows, finite numbers from 0 up; by default the
            example weights do.
        name: The metric's name in the results; mean_features.age by default.
        absolute: Whether the signs of values are left out.
        element: Of lists, as of attributions by class, which value, from 0; by default lists must have one.
        k: Which value of a list instead, from the highest down, counted from 1.
        highest: How many of the highest values of a list, each of which has a mean: then it is a list.

    >>> batch = pa.record_batch({"age": [20, 40, None], "share": [[0.5, 0.25], [0.0, 1.0], None]})
    >>> rows = dataclasses.replace(Inputs.of([1, 0, 0], [1, 0, 0]), batch=batch)
    >>> ColumnMean(["features", "age"]).of(rows), ColumnMean(["share"], element=0).of(rows)
    (30.0, 0.25)
    >>> ColumnMean(["share"], highest=2).of(rows), ColumnMean(["share"], k=2).of(rows)
    ([0.75, 0.125], 0.125)
    """

    feature_key_path: Sequence[str]
    example_weights_key_path: Sequence[str] | None = None
    name: str = ""
    absolute: bool = False
    element: int | None = None
    k: int | None = None
    highest: int | None = None
    accepts = ANY_ROWS
    needs_label = False
    needs_prediction = False

    def __post_init__(self) -> None:
        check_single({"element": self.element, "k": self.k, "highest": self.highest})
        check_count("element", self.element, MOST, least=0)
        check_count("k", self.k, MOST, least=1)
        check_count("highest", self.highest, MOST_VALUES, least=1)
        path = _path("feature_key_path", self.feature_key_path)
        object.__setattr__(self, "feature_key_path", path)
        if weights := self.example_weights_key_path or None:
            weights = _path("example_weights_key_path", weights)
        object.__setattr__(self, "example_weights_key_path", weights)
        prefix = type(self).__name__.removeprefix("Column").lower()
        prefix += "_absolute" if self.absolute else ""
        object.__setattr__(self, "name", self.name or f"{prefix}_{'.'.join(path)}")

    def statistics(self) -> tuple[Statistic[Arrays], ...]:
        weights = _column(self.example_weights_key_path or ())
        column = _column(self.feature_key_path)
        ranks = [self.k] if self.highest is None else range(1, self.highest + 1)
        more = (self.absolute, self.element)
        return tuple(ColumnSums(column, weights, *more, rank) for rank in ranks)

    @property
    def taken(self) -> str:  # type: ignore[override]
        """The sub key of the classes of which the value is, as in TFMA."""
        named = {"classId": self.element, "k": self.k, "topK": self.highest}
        return next((f"{name}:{n}" for name, n in named.items() if n is not None), "")

    def result(self, *states: Arrays) -> Array:
        values = [ratio(*sums) for sums in states]
        return values[0] if self.highest is None else np.stack(values, axis=1)


def _path(parameter: str, way: Sequence[str]) -> tuple[str, ...]:
    """The way to a column; raises ValueError where it leads to none."""
    if isinstance(way, str):
        raise ValueError(f"a way to a column is a list, not the text {way!r}; write [{way}]")
    if not _column(way):
        raise ValueError(
            f"{parameter} must be the way to a column, such as [features, age], not {list(way)}"
        )
    return tuple(way)


def _column(path: Sequence[str]) -> str:
    """The column at the end of a path; "" if the path leads nowhere."""
    return path[-1] if len(path) == 1 or len(path) == 2 and path[0] == "features" else ""


@dataclasses.dataclass(frozen=True)
class ColumnSum(ColumnMean):
    """Weighted sum of a column of the data; 0 without rows.

        sum w x, over the rows that have a value x

    It has no range and no better end. Rows without a value do not count. The parameters are those of Mean;
    the default name is such as sum_features.fare.

    >>> batch = pa.record_batch({"fare": [20, 40, None]})
    >>> rows = dataclasses.replace(Inputs.of([1, 0, 0], [1, 0, 0]), batch=batch)
    >>> ColumnSum(["features", "fare"]).of(rows)
    60.0
    """

    empty_value = 0.0

    def result(self, *states: Arrays) -> Array:
        values = [total for total, _ in states]
        return values[0] if self.highest is None else np.stack(values, axis=1)


register("Mean", ColumnMean)
register("Sum", ColumnSum)
