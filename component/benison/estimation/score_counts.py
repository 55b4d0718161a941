# SPDX-License-Identifier: Apache-2.0
"""Counts the rows of each slice by cells of the score and by label, in one pass over data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benison.config import SlicingSpec
from benison.data.batch import Array, Index
from benison.data.dataset import Dataset
from benison.data.reading import TEXT
from benison.data.values import is_number, single_values
from benison.data.widening import MisfitError, convert
from benison.errors import DataError
from benison.slicing.bin_edges import DistinctNumbers, places
from benison.slicing.encode import ColumnCodes, SpecCodes
from benison.slicing.spec_columns import columns_of, written_columns
from benison.slicing.table import SliceTable

CELLS = 500
"""Into how many cells of equally many rows of the reference scores go."""

# Labels are 0 and 1; a row without one is of the kind 2.
_UNLABELLED, _KINDS = 2, 3

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class ScoreCells:
    """The cells of a score.

    Attributes:
        edges: Where cells meet, ascending: float64[K - 1]; an edge is in the cell above it. The outermost
            cells are below and above all scores of the reference.
        is_above: For each cell whether its scores are above the decision threshold: bool[K].
    """

    edges: Array
    is_above: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, scores: DistinctNumbers, decision_threshold: float) -> ScoreCells:
        """The cells of the scores of a reference, each on one side of the threshold."""
        with np.errstate(over="ignore"):  # above the largest number is infinity
            above = np.nextafter([float(scores.numbers[-1]), decision_threshold], np.inf)
        edges = np.unique([*scores.edges(CELLS), float(scores.numbers[0]), *above])
        return cls(edges, np.append(-np.inf, edges) > decision_threshold)


@dataclasses.dataclass(frozen=True)
class ScoreCounts:
    """The rows of S slices in K cells.

    Attributes:
        negative: Rows whose label is 0: int64[S, K].
        positive: Rows whose label is 1: int64[S, K].
        unlabelled: Rows without a label: int64[S, K].
        unscored: Rows without a score: int64[S].
    """

    negative: Index
    positive: Index
    unlabelled: Index
    unscored: Index

    @classmethod
    def of(cls, counts: Index) -> ScoreCounts:
        """Of int64[S, (K + 1) * 3], whose last cell is of rows without a score."""
        table = counts.reshape(len(counts), -1, _KINDS)
        negative, positive, unlabelled = np.moveaxis(table[:, :-1], 2, 0)
        return cls(negative, positive, unlabelled, table[:, -1].sum(axis=1))

    def padded(self, slices: int) -> ScoreCounts:
        """With slices of no rows behind these, up to so many."""
        missing = slices - len(self.unscored)
        fields = (self.negative, self.positive, self.unlabelled)
        negative, positive, unlabelled = (np.pad(of, ((0, missing), (0, 0))) for of in fields)
        return ScoreCounts(negative, positive, unlabelled, np.pad(self.unscored, (0, missing)))

    @property
    def labelled(self) -> Index:
        """Rows with a label: int64[S, K]."""
        return np.asarray(self.negative + self.positive)

    @property
    def scored(self) -> Index:
        """Rows with a score: int64[S, K]."""
        return np.asarray(self.labelled + self.unlabelled)


@dataclasses.dataclass(frozen=True)
class ScoreColumns:
    """Where labels, scores and slices are: columns, and specs of which the first is Overall."""

    label: str
    prediction: str
    slices: tuple[SlicingSpec, ...]

    def cells_of(self, dataset: Dataset, decision_threshold: float) -> ScoreCells:
        """The cells of the scores of a reference.

        Raises:
            DataError: No row has a score, or scores are no numbers.
        """
        scores = _read(dataset, [self.prediction], self._distinct)
        if not len(scores.numbers):
            text = f"Column {self.prediction!r} of {dataset.describe()} has no score in any row."
            raise DataError(text)
        return ScoreCells.of(scores, decision_threshold)

    def _distinct(self, batches: Iterable[pa.RecordBatch]) -> DistinctNumbers:
        columns = (_numbers(batch, self.prediction) for batch in batches)
        name = self.prediction
        parts = (DistinctNumbers.of(name, pa.array(numbers)) for numbers in columns)
        return reduce(lambda a, b: DistinctNumbers.merged(name, [a, b]), parts)

    def counts(self, dataset: Dataset, cells: ScoreCells, table: SliceTable) -> ScoreCounts:
        """The rows of each slice by cell and label; `table` grows by slices that it does not know.

        Data without a column of labels have none.

        Raises:
            DataError: A column is missing, a label is neither 0 nor 1, or there are no rows.
        """
        labels = [self.label] if self.label in dataset.knowing([self.label]).names else []
        columns = [*dict.fromkeys([self.prediction, *labels, *sorted(columns_of(self.slices))])]

        def summed(batches: Iterable[pa.RecordBatch]) -> Index:
            parts = (self._of_batch(batch, cells, table) for batch in batches)
            return reduce(_added, parts)

        return ScoreCounts.of(_read(dataset, columns, summed, written_columns(self.slices)))

    def _of_batch(self, batch: pa.RecordBatch, cells: ScoreCells, table: SliceTable) -> Index:
        names = batch.schema.names
        texts = {n.removeprefix(TEXT): batch.column(n) for n in names if n.startswith(TEXT)}
        columns = ColumnCodes(batch, texts)
        codes = table.number([SpecCodes.of(spec, columns) for spec in self.slices])
        scores = _numbers(batch, self.prediction)
        width = len(cells.is_above)
        held = np.where(np.isnan(scores), width, places(scores, cells.edges.tolist()))
        return codes.tabulate(held * _KINDS + self._kinds(batch), (width + 1) * _KINDS)

    def _kinds(self, batch: pa.RecordBatch) -> Index:
        """What is known of the label of each row: int64[N]."""
        if self.label not in batch.schema.names:
            return np.full(batch.num_rows, _UNLABELLED)
        labels = _numbers(batch, self.label)
        wrong = labels[~(np.isnan(labels) | (labels == 0) | (labels == 1))]
        if len(wrong):
            raise DataError(
                f"Column {self.label!r} has the label {wrong[0]:g}. Estimates are of labels that are 0 or 1."
            )
        return np.where(np.isnan(labels), _UNLABELLED, labels).astype(np.int64)


def _numbers(batch: pa.RecordBatch, name: str) -> Array:
    """A column of one number a row: float64[N], NaN where it is missing."""
    column = batch.column(name)
    values = single_values(column)
    if values is None or not is_number(values.type):
        kind = f"{column.type}" if values is not None else "several values a row"
        raise DataError(
            f"Column {name!r} holds {kind}. Estimates need one score a row, and labels that are 0 or 1; make "
            "numbers of it in the data."
        )
    try:
        return np.asarray(convert(values, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"Column {name!r} has whole numbers beyond 2^53, which would be rounded: {error}. Make them "
            "smaller, or floating-point numbers."
        ) from error


def _added(total: Index, more: Index) -> Index:
    """The sum where the later one has more slices."""
    summed = np.asarray(more.copy())
    summed[: len(total)] += total
    return summed


def _read(
    dataset: Dataset,
    columns: Sequence[str],
    summed: Callable[[Iterable[pa.RecordBatch]], T],
    sliced: Iterable[str] = (),
) -> T:
    """What a function makes of all batches; a second time if a later value does not fit the first ones."""
    known = dataset.prepared(columns, sliced)
    try:
        return summed(_some(known, columns))
    except MisfitError as misfit:
        return summed(_some(known.refitted(misfit.column, columns), columns))


def _some(dataset: Dataset, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The batches, of which there is at least one."""
    batches = dataset.batches(columns)
    first = next(batches, None)
    if first is None:
        raise DataError(f"{dataset.describe()} holds no rows, so there is nothing to estimate.")
    yield first
    yield from batches
