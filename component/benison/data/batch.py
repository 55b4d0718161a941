# SPDX-License-Identifier: Apache-2.0
"""The data contract: what one batch of examples holds on its way through the stages.

Letters in shapes: N rows of the batch, C classes, S slices, T thresholds, K slicing specs, Q queries.

============================  ======================================================  ==============
key                           value                                                   written by
============================  ======================================================  ==============
``input``                     Arrow binary[N], the serialized tf.Examples; absent     reader
                              when the data are not tf.Examples
``features``                  Arrow RecordBatch, N rows; multivalent features are     reader
                              Arrow lists; missing is null (or an empty list)
``row_numbers``               Arrow uint64[N], the same however rows are read; absent  reader
                              unless confidence intervals or samples are asked for
``slice_texts``               {column: Arrow string[N]}, numbers as they are written, for   reader
                              columns of which slices see that and not the numbers
``transformed_features``      {model: Arrow RecordBatch}, as `features`               extractor
``labels``                    {(model, output): a column, see below}; missing is      extractor
                              NaN, or null where it is text
``label_classes``             {(model, output): classes}, in which labels are         extractor
                              positions; absent where a model names none
``predictions``               as `labels`                                             extractor
``variants``                  {variant: predictions}, of models called on changed     extractor
                              features; absent unless the config has variants
``parts``                     {(role, model, output, variant): Arrow RecordBatch, N    extractor
                              rows}: the outputs of a model that metrics ask for by
                              name, and the fields of a column of structs; absent
                              without any. The role is "labels", "predictions" or,
                              of a model that was called, "outputs", with "" as output
``example_weights``           {(model, output): float64[N], or float64[N, C]}, finite  extractor
                              and >= 0; a model without a weight column has no entry
``slice_codes``               a `SpecCodes` for each slicing spec, later numbered as  extractor
                              one `SliceCodes`
``dataset``                   the name of the data set, "" where there is one         reader
``attributions``              {model: {feature: float64[N]}}                          extractor
============================  ======================================================  ==============

The model's name is "" when the config has one model; the output's name is "" when the model has one.
A column of labels or predictions is float64[N], float64[N, C] for C classes, an Arrow string array [N], or
`Ragged` where rows have different numbers of values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benison.data.values import floats_of, is_number, lacks_value, single_values
from benison.errors import DataError

Array: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Target: TypeAlias = tuple[str, str]  # (model name, output name)
Parts: TypeAlias = "dict[tuple[str, str, str, str], pa.RecordBatch]"
"""By role, names of model and output, and variant."""


def joined_name(*names: str) -> str:
    """One name of several, of which those that are "" say nothing.

    >>> joined_name("predictions", "candidate", ""), joined_name("", "")
    ('predictions/candidate', '')
    """
    return "/".join(filter(None, names))


class Extracts(TypedDict, total=False):
    """The columns of one batch; the module's table says what each key holds."""

    input: pa.Array
    row_numbers: pa.Array
    features: pa.RecordBatch
    slice_texts: dict[str, pa.Array]
    transformed_features: dict[str, pa.RecordBatch]
    labels: dict[Target, Any]
    label_classes: dict[Target, Any]
    predictions: dict[Target, Any]
    variants: dict[str, dict[Target, Any]]
    parts: Parts
    example_weights: dict[Target, Array]
    slice_codes: Any
    attributions: dict[str, dict[str, Array]]
    dataset: str


# Of smaller and larger weights, products with values and their sums overflow or fall below 2e-308, where
# float64 has fewer digits.
_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-300, 1e300


def check_weights(weights: Array, column: str) -> None:
    """Refuse what could not weigh rows or classes; raises DataError unless all are finite and >= 0.

    >>> check_weights(np.array([1.0, -1.0]), "weight")
    Traceback (most recent call last):
    benison.errors.DataError: Weight column 'weight' must hold one finite number from 0 up in each row; it \
holds -1. Fill missing weights, for example with 1.
    """
    must = f"Weight column {column!r} must hold one finite number from 0 up in each row; "
    fits = (weights >= _LEAST_WEIGHT) & (weights <= _LARGEST_WEIGHT)
    wrong = weights[~(fits | (weights == 0))]
    if not len(wrong):
        return
    if 0 < wrong[0] < np.inf:
        raise DataError(
            f"Weight column {column!r} holds {wrong[0]:g}; weights are from {_LEAST_WEIGHT:g} to "
            f"{_LARGEST_WEIGHT:g}, or 0, because sums of others would lose digits. Weights of another unit "
            f"weigh the same."
        )
    raise DataError(f"{must}it holds {wrong[0]:g}. Fill missing weights, for example with 1.")


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Rows of different numbers of values: row i has `values[offsets[i]:offsets[i + 1]]`.

    `values` is float64[M] or float64[M, k] for k numbers in a value, or an Arrow array [M]; `offsets` is
    int64[N + 1], ascending from 0.
    """

    values: Any
    offsets: Index

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Index:
        """The number of values in each row: int64[N]."""
        return np.diff(self.offsets)

    def take(self, rows: Index) -> Ragged:
        """The rows `rows`.

        >>> Ragged(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 3])).take(np.array([1, 0])).values
        array([2., 3., 1.])
        """
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        within = np.arange(int(lengths.sum())) - np.repeat(ends - lengths, lengths)
        values = take_rows(self.values, np.repeat(self.offsets[:-1][rows], lengths) + within)
        return Ragged(values, np.concatenate([[0], ends]))


def take_rows(column: Any, rows: Index) -> Any:
    """The rows `rows` of a column of labels or predictions."""
    if isinstance(column, Ragged):
        return column.take(rows)
    if isinstance(column, pa.Array):
        return column.take(pa.array(rows))
    return column[rows]


def missing_rows(column: Any) -> Mask:
    """Where a column of labels or predictions has no value, or not all: bool[N]."""
    if isinstance(column, Ragged):
        return _missing_lists(column)
    if isinstance(column, pa.Array):
        return np.asarray(pc.is_null(column).to_numpy(zero_copy_only=False), np.bool_)
    missing: Mask = np.isnan(column)
    return missing if missing.ndim == 1 else np.asarray(missing.any(axis=1))


def _missing_lists(column: Ragged) -> Mask:
    """A list of numbers is never missing; of lists of numbers, as boxes are, one that holds NaN is."""
    missing = np.zeros(len(column), np.bool_)
    if getattr(column.values, "ndim", 1) == 2:  # noqa: PLR2004 - lists of lists
        undefined = np.isnan(column.values).any(axis=1)
        missing[np.repeat(np.arange(len(column)), column.lengths)[undefined]] = True
    return missing


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a statistic sees of a batch: one model and output, binarized, with or without weights.

    `labels` and `predictions` are float64[N] (float64[N, C] for metrics over classes, an Arrow string array
    or `Ragged` for metrics that accept those), `weights` is float64[N] or None, which means that every row
    weighs 1; before the rows of a metric are made also float64[N, C], where each class of a row has its own.
    `groups` is the query of each row, an Arrow string array [N], or None without a query_key.
    """

    labels: Any
    predictions: Any
    weights: Array | None = None
    batch: pa.RecordBatch | None = None
    rows: Index | None = None
    """Which rows of `batch` these are, or None for all."""
    groups: pa.Array | None = None
    baseline: Any = None
    """The baseline's predictions, as `predictions` are, for metrics that compare two models."""
    batch_numbers: npt.NDArray[np.uint64] | None = None
    """The numbers of the rows of `batch`; None where nobody asked for them."""
    label_parts: pa.RecordBatch | None = None
    """What labels have by name, beside `batch`: its rows are those of `batch`."""
    prediction_parts: pa.RecordBatch | None = None
    """What predictions have by name, such as the outputs of a model."""
    is_called: bool = False
    """Whether a model was called, of whose predictions columns of the data are none."""

    @classmethod
    def of(cls, labels: Any, predictions: Any, weights: Any = None) -> Inputs:
        """Build from plain sequences; the form that doctests and tests use."""
        weighting = None if weights is None else np.asarray(weights, np.float64)
        return cls(_column(labels), _column(predictions), weighting)

    def __len__(self) -> int:
        return len(self.predictions)

    def take(self, rows: Index) -> Inputs:
        """The rows `rows`, of which some may be there more than once."""
        return Inputs(
            take_rows(self.labels, rows),
            take_rows(self.predictions, rows),
            None if self.weights is None else self.weights[rows],
            self.batch,
            rows if self.rows is None else self.rows[rows],
            None if self.groups is None else self.groups.take(pa.array(rows)),
            None if self.baseline is None else take_rows(self.baseline, rows),
            self.batch_numbers,
            self.label_parts,
            self.prediction_parts,
            self.is_called,
        )

    def floats(self, name: str) -> Array:
        """A column of the data as float64[N], NaN where a row has no value: numbers of any type.

        Raises:
            DataError: There is none, it holds no numbers, or several in a row.

        >>> batch = pa.record_batch({"miles": pa.array([2, None], pa.int32()), "day": ["Mo", "Tu"]})
        >>> rows = dataclasses.replace(Inputs.of([1.0, 1.0], [1.0, 1.0]), batch=batch)
        >>> rows.floats("miles")
        array([ 2., nan])
        """
        column = self._column(None, name)
        values = single_values(column)
        if values is None or not is_number(values.type):
            raise DataError(
                f"The column {name!r} holds {column.type}, which is not one number a row."
            )
        return np.asarray(floats_of(values).to_numpy(zero_copy_only=False), np.float64)

    def block(self, at: slice) -> Inputs:
        """Rows that stand together, of one label and one prediction each; nothing is copied."""
        columns = _OF_ROWS if self.rows is not None else (*_OF_ROWS, *_OF_BATCH)
        cut = {name: _cut(getattr(self, name), at) for name in columns}
        block = dataclasses.replace(self, **cut)
        # What holds for all rows, and was found out, holds for these.
        vars(block).update({name: True for name in _OF_ALL if vars(self).get(name)})
        return block

    def label_column(self, name: str) -> pa.Array:
        """The part `name` of the labels, else the column of the data: N rows.

        Raises:
            DataError: There is neither.
        """
        return self._column(self.label_parts, name)

    def prediction_column(self, name: str) -> pa.Array:
        """The part `name` of the predictions, as an output of the model; the column if none is called.

        Raises:
            DataError: There is neither, or a model was called that has no such output.

        >>> outputs = pa.record_batch({"boxes": [1.0, 2.0]})
        >>> rows = Inputs(np.zeros(2), np.zeros(2), prediction_parts=outputs).take(np.array([1]))
        >>> rows.prediction_column("boxes").to_pylist()
        [2.0]
        """
        parts = self.prediction_parts
        if self.is_called and (parts is None or name not in parts.schema.names):
            raise DataError(f"The model has no output {name!r}, which a metric reads.")
        return self._column(parts, name)

    @functools.cached_property
    def are_labels_whole(self) -> bool:
        """Whether every label is 0 or 1, which all binary metrics ask; made once for all of them."""
        return bool(np.all((self.labels == 0) | (self.labels == 1)))

    def lacks_labels(self, names: Iterable[str]) -> Mask:
        """Where one of the labels that are read by name is missing: bool[N]; an empty list is not."""
        return self._lacks(names, self.label_column)

    def lacks_predictions(self, names: Iterable[str]) -> Mask:
        """Where one of the predictions that are read by name is missing: bool[N]; an empty list is not.

        >>> rows = Inputs.of([0.0, 0.0], [0.0, 0.0])
        >>> parts = pa.record_batch({"classes": [["a"], ["b"]], "scores": [[0.5], None]})
        >>> dataclasses.replace(rows, prediction_parts=parts).lacks_predictions(["classes", "scores"])
        array([False,  True])
        """
        return self._lacks(names, self.prediction_column)

    def _lacks(self, names: Iterable[str], column_of: Callable[[str], pa.Array]) -> Mask:
        lacking = np.zeros(len(self), np.bool_)
        for name in names:
            with contextlib.suppress(DataError):  # what reads it refuses that, or does without
                lacking |= lacks_value(column_of(name))
        return lacking

    def _column(self, parts: pa.RecordBatch | None, name: str) -> pa.Array:
        of = [batch for batch in (parts, self.batch) if batch is not None]
        for batch in of:
            if name in batch.schema.names:
                column = batch.column(name)
                return column if self.rows is None else column.take(pa.array(self.rows))
        source = "The data" if parts is None else "With what labels or predictions hold, the data"
        names = [other for batch in of for other in batch.schema.names]
        raise DataError.from_missing_column(name, names, source)

    @functools.cached_property
    def features(self) -> pa.RecordBatch | None:
        """The columns that were read, N rows; they are picked only for a metric that looks at them."""
        if self.batch is None or self.rows is None:
            return self.batch
        return self.batch.take(pa.array(self.rows))

    @property
    def numbers(self) -> npt.NDArray[np.uint64] | None:
        """The numbers of the rows, uint64[N], the same however they are read; None where none were read."""
        if self.batch_numbers is None or self.rows is None:
            return self.batch_numbers
        return self.batch_numbers[self.rows]

    @functools.cached_property
    def differing(self) -> Mask:
        """Where the baseline's prediction is not this one, or where that is not looked at: bool[N]."""
        own, other = self.predictions, self.baseline
        if isinstance(own, pa.Array):
            return np.asarray(pc.fill_null(pc.not_equal(own, other), True), np.bool_)
        if not isinstance(own, np.ndarray) or not len(own):
            return np.ones(len(self), np.bool_)
        unequal: Mask = own != other
        return unequal if unequal.ndim == 1 else np.asarray(unequal.any(axis=1))

    def weighted(self, values: Array) -> Array:
        """`values` times the weights: float64[N]; 0 where the weight is 0, whatever the value is."""
        if self.weights is None:
            return values
        if self._all_weigh:
            return values * self.weights
        weighted: Array = np.multiply(
            values, self.weights, out=np.zeros(len(self.weights)), where=self.weights != 0
        )
        return weighted

    @functools.cached_property
    def _all_weigh(self) -> bool:
        return self.weights is None or bool(self.weights.all())


_OF_ROWS = ("labels", "predictions", "weights", "rows", "groups", "baseline")
_OF_BATCH = ("batch", "batch_numbers", "label_parts", "prediction_parts")
_OF_ALL = ("are_labels_whole", "_all_weigh")


def _cut(column: Any, at: slice) -> Any:
    return None if column is None else column[at]


def _column(values: Any) -> Any:
    """A column of plain values: texts become an Arrow array, lists of different lengths `Ragged`."""
    if values is None or isinstance(values, (Ragged, pa.Array)):
        return values
    rows = list(values)
    if any(isinstance(row, str) for row in rows):
        return pa.array(rows, pa.string())
    if any(hasattr(row, "__len__") for row in rows) and len({len(row) for row in rows}) > 1:
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        return Ragged(np.asarray([x for row in rows for x in row], np.float64), offsets)
    return np.asarray(values, np.float64)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a view makes of a batch.

    `origin` is the batch row behind each row of `inputs`, int64[M], or None where they are the rows of the
    batch in order. `evaluated` are the batch rows that enter a value, ascending, or None for all.
    """

    inputs: Inputs
    origin: Index | None = None
    evaluated: Index | None = None
