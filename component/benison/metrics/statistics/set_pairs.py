# SPDX-License-Identifier: Apache-2.0
"""Pairs of a set of labels and a set of predicted classes: hits, missed labels, and classes too many."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa

from benison.data.batch import Array, Index, Inputs, Mask, Ragged, check_weights
from benison.data.values import (
    floats_of,
    is_list,
    is_missing,
    is_number,
    text_of,
    undictionary,
    unlisted,
    without,
)
from benison.errors import DataError
from benison.metrics.statistics.binary import ThresholdCells, heavy
from benison.metrics.statistics.cells import Cells
from benison.slicing.codes import SliceCodes


@dataclasses.dataclass(frozen=True)
class Members:
    """The values of N rows, each of which has any number of them: M in all.

    Attributes:
        rows: The row of each value, int64[M], ascending.
        values: The values.
    """

    rows: Index
    values: pa.Array

    @classmethod
    def of_column(cls, column: pa.Array) -> Members:
        """Of a column of lists or of single values; a row that is null or NaN has none."""
        column = undictionary(column)
        if is_list(column.type):
            values, lengths = unlisted(column)
            return cls(np.repeat(np.arange(len(lengths)), lengths), undictionary(values))
        present = ~is_missing(column)
        return cls(np.flatnonzero(present), column.filter(pa.array(present)))

    @classmethod
    def of_labels(cls, inputs: Inputs) -> Members:
        """Of the labels: texts, numbers, or lists of either."""
        labels = inputs.labels
        if isinstance(labels, Ragged):
            rows = np.repeat(np.arange(len(labels)), labels.lengths)
            return cls(rows, pa.array(labels.values))
        if isinstance(labels, pa.Array):
            return cls(np.arange(len(labels)), labels)
        width = labels.shape[1] if labels.ndim > 1 else 1
        numbers = pa.array(labels.ravel(), from_pandas=True)
        return cls(np.repeat(np.arange(len(labels)), width), numbers)

    @property
    def places(self) -> Index:
        """The place of each value in its row, from 0: int64[M]."""
        return np.arange(len(self.rows)) - np.searchsorted(self.rows, self.rows)

    def fits(self, other: Members) -> bool:
        """Whether all rows of both have as many values."""
        return np.array_equal(self.rows, other.rows)

    def numbers(self, name: str) -> Array:
        """The values as float64[M]; raises DataError for others than numbers."""
        if not is_number(self.values.type):
            raise DataError(f"Column {name!r} holds {self.values.type}, not lists of numbers.")
        return np.asarray(floats_of(self.values).to_numpy(zero_copy_only=False), np.float64)


@dataclasses.dataclass(frozen=True)
class SetPairs(ThresholdCells):
    """Counts between thresholds of hits and missed labels, as positives, and of other classes, as negatives.

    A row without labels is left out. A missed label scores -inf, so that no threshold makes it a hit. Of a
    class that stands twice in a row the last score counts. A row without classes or scores lacks its
    prediction, which makes its slices NaN, as a class without a score does; an empty list of classes is none.

    Attributes:
        classes: The predicted classes: an output of the model, or a column of the data.
        scores: Their scores, in the same order, likewise; "" for 1 each.
        top_k: How many of a row's classes count, the first ones; None for all.
        weighed: The column of the classes that weights are of; "" for the labels as they stand.
        weights: The column of these weights; "" for 1 each.
    """

    classes: str = "classes"
    scores: str = "scores"
    top_k: int | None = None
    weighed: str = ""
    weights: str = ""

    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.weighed, self.weights) if name)

    def prediction_columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.classes, self.scores) if name)

    def add(self, inputs: Inputs, codes: SliceCodes) -> Cells:
        inputs, codes = heavy(inputs, codes)
        pairs, rows = self._pairs(inputs)
        return super().add(pairs, codes.take(rows))

    def _pairs(self, inputs: Inputs) -> tuple[Inputs, Index]:
        """A row for each pair, and which row of the batch it is of."""
        labels = Members.of_labels(inputs)
        lacking = inputs.lacks_predictions(self.prediction_columns())
        classes = Members.of_column(without(inputs.prediction_column(self.classes), lacking))
        weighed, weights = self._weights(inputs, labels)
        keys, width = _keys([labels, classes, weighed])
        truth = np.unique(keys[0][keys[0] >= 0])
        predicted, scores = self._predicted(inputs, classes, keys[1], lacking)
        labelled = np.isin(predicted // width, truth // width)
        predicted, scores = predicted[labelled], scores[labelled]
        missed = truth[~np.isin(truth, predicted)]
        of_pairs = np.concatenate([predicted, missed])
        positive = np.isin(of_pairs, truth).astype(np.float64)
        scores = np.concatenate([scores, np.full(len(missed), -np.inf)])
        rows = of_pairs // width
        scores[lacking[rows]] = np.nan
        factors = _looked_up(of_pairs, keys[2], weights)
        factors = factors if inputs.weights is None else factors * inputs.weights[rows]
        return Inputs(positive, scores, factors), rows

    def _predicted(
        self, inputs: Inputs, classes: Members, keys: Index, lacking: Mask
    ) -> tuple[Index, Array]:
        """The predicted classes that count, each once, and their scores.

        Args:
            inputs: N rows.
            classes: Their predicted classes.
            keys: What `_keys` makes of these.
            lacking: The rows without a prediction.

        Raises:
            DataError: There is not one score for each class, or the scores are no numbers.
        """
        scores = np.ones(len(keys))
        if self.scores:
            column = Members.of_column(without(inputs.prediction_column(self.scores), lacking))
            if not column.fits(classes):
                raise DataError(
                    f"The columns {self.classes!r} and {self.scores!r} hold different numbers of values in a "
                    f"row; there must be a score for each class."
                )
            scores = column.numbers(self.scores)
        counts = (keys >= 0) & (classes.places < (self.top_k or np.inf))
        backwards = np.flatnonzero(counts)[::-1]
        distinct, last = np.unique(keys[backwards], return_index=True)
        return distinct, scores[backwards[last]]

    def _weights(self, inputs: Inputs, labels: Members) -> tuple[Members, Array]:
        """The classes of which there are weights, and the weights.

        Raises:
            DataError: There is not one weight for each class, or one is negative.
        """
        if not self.weights:
            return Members(labels.rows[:0], labels.values[:0]), np.zeros(0)
        weighed = labels
        if self.weighed:
            weighed = Members.of_column(inputs.label_column(self.weighed))
        given = undictionary(inputs.label_column(self.weights))
        if is_number(given.type):  # else one that is NaN would be one too few
            check_weights(floats_of(given.drop_null()).to_numpy(zero_copy_only=False), self.weights)
        column = Members.of_column(given)
        if not column.fits(weighed):
            raise DataError(
                f"The column {self.weights!r} must hold a weight for each of the classes in "
                f"{self.weighed or 'the labels'!r}; in a row their numbers differ."
            )
        weights = column.numbers(self.weights)
        check_weights(weights, self.weights)
        return weighed, weights


def _keys(of: list[Members]) -> tuple[list[Index], int]:
    """`row * width + class` of each value, -1 for one that is null, with classes numbered for all alike."""
    texts = [text_of(members.values).cast(pa.large_string()) for members in of]
    encoded = pa.concat_arrays(texts).dictionary_encode()
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    width = max(len(encoded.dictionary), 1)
    parts = np.split(numbers, np.cumsum([len(text) for text in texts])[:-1])
    keys = [
        np.where(part < 0, -1, members.rows * width + part)
        for members, part in zip(of, parts, strict=True)
    ]
    return keys, width


def _looked_up(keys: Index, known: Index, weights: Array) -> Array:
    """The weight of each key, the last one where it is known twice, and 1 where it is not.

    >>> _looked_up(np.array([4, 5, 6]), np.array([5, 4, 5]), np.array([0.1, 0.2, 0.3]))
    array([0.2, 0.3, 1. ])
    """
    distinct, last = np.unique(known[::-1], return_index=True)
    if not len(distinct):
        return np.ones(len(keys))
    at = np.minimum(np.searchsorted(distinct, keys), len(distinct) - 1)
    return np.where(distinct[at] == keys, weights[::-1][last][at], 1.0)
