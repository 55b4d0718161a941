# SPDX-License-Identifier: Apache-2.0
"""Metrics of rows that are ranked within queries, which a query_key groups.

A query may be split over batches, files and workers, so every row is kept until the end: about 40 bytes for
each row in each of its slices. Rows with equal scores have no order; a value is the mean over all orders.

Ranks count from 1, the row with the highest score first. A query weighs what its rows weigh on average,
so that long queries count no more than short ones. A query in which a prediction is missing makes its
slices NaN.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import cached_property

import numpy as np

from benison.data.batch import Array, Index, Inputs
from benison.errors import DataError
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.binary import heavy
from benison.metrics.statistics.kept import kept
from benison.metrics.statistics.kept_rows import KeptRows, Rows
from benison.slicing.codes import SliceCodes


@dataclasses.dataclass(frozen=True)
class QueryRows(Rows):
    """The rows of each slice with their queries; labels are the column `gain_key` if there is one.

    Attributes:
        limit: The most rows of a slice; none, because a value of some of the rows would be another value.
        gain_key: A column of numbers, the gain of each row.
    """

    limit: int = sys.maxsize
    gain_key: str = ""

    def columns(self) -> tuple[str, ...]:
        return (self.gain_key,) if self.gain_key else ()

    def add(self, inputs: Inputs, codes: SliceCodes) -> KeptRows:
        inputs, codes = heavy(inputs, codes)
        if self.gain_key and inputs.features is not None:
            gains = inputs.features.column(self.gain_key).to_numpy(zero_copy_only=False)
            inputs = dataclasses.replace(inputs, labels=np.asarray(gains, np.float64))
        _check_rankable(inputs.labels, inputs.predictions)
        return super().add(inputs, codes)


def _check_rankable(labels: Array, predictions: Array) -> None:
    """Refuse what has no order or no best one.

    Raises:
        DataError: Rows have several labels or scores, or a gain is below 0.
    """
    if labels.ndim != 1 or predictions.ndim != 1:
        raise DataError(
            "A ranking needs one label and one score in each row, and there are several. For several "
            "classes, choose them with binarize.class_ids in metrics_specs."
        )
    if np.fmin.reduce(labels, initial=0.0) < 0:
        raise DataError(
            f"A ranking needs gains from 0 up, and a label is {np.nanmin(labels):g}: the best order would "
            f"not have the largest sum. Add to all labels what makes them 0 or more."
        )


@dataclasses.dataclass(frozen=True)
class Ranked:
    """Rows in the order of slice, query and falling score: M rows of Q queries in S slices.

    A query whose rows lie in several slices is a query of each, of the rows that are in that slice.

    Attributes:
        size: The number of slices S.
        labels: The label or gain of each row, float64[M].
        scores: Its prediction, float64[M], falling within a query.
        weights: Its weight, float64[M].
        codes: Its query, int64[M], ascending.
        starts: Where each query begins, int64[Q].
        slices: The slice of each query, int64[Q].
    """

    size: int
    labels: Array
    scores: Array
    weights: Array
    codes: Index
    starts: Index
    slices: Index

    @classmethod
    def of(cls, rows: KeptRows) -> Ranked:
        """The queries of kept rows; rows without a query_key are one query."""
        size, total = len(rows.counts), int(rows.offsets[-1])
        if not total:
            nothing, none = np.zeros(0), np.zeros(0, np.int64)
            return cls(size, nothing, nothing, nothing, none, none, none)
        groups = np.zeros(total, np.int64)
        if rows.groups is not None:
            groups = rows.groups.dictionary_encode().indices.to_numpy().astype(np.int64)
        queries = rows.slices * (groups.max() + 1) + groups
        order = np.lexsort((-rows.predictions, queries))
        starts = np.flatnonzero(np.diff(queries[order], prepend=-1))
        codes = np.repeat(np.arange(len(starts)), np.diff(starts, append=total))
        weights = np.ones(total) if rows.weights is None else rows.weights
        labels, scores, weights = (x[order] for x in (rows.labels, rows.predictions, weights))
        return cls(size, labels, scores, weights, codes, starts, rows.slices[order][starts])

    @cached_property
    def lengths(self) -> Index:
        """The rows of each query: int64[Q]."""
        return np.diff(self.starts, append=len(self.codes))

    @cached_property
    def ranks(self) -> Index:
        """The rank of each row in its query, counted from 1: int64[M]."""
        return np.arange(len(self.codes)) - self.starts[self.codes] + 1

    @cached_property
    def ties(self) -> Index:
        """Where each run of equal scores within a query begins: int64[R]."""
        new_query = np.diff(self.codes, prepend=-1) != 0
        return np.flatnonzero(new_query | (np.diff(self.scores, prepend=np.inf) != 0))

    def sums(self, values: Array) -> Array:
        """The sum of float64[M] over the rows of each query: float64[Q]."""
        return np.asarray(np.bincount(self.codes, values, len(self.starts)), np.float64)

    def mean(self, values: Array, weighing: Array) -> Array:
        """The mean of float64[Q] over the queries of each slice: float64[S], NaN without weight.

        A query weighs what its rows weigh on average, times `weighing`; one without a score is NaN.
        """
        weights = weighing * self.sums(self.weights) / np.maximum(self.lengths, 1)
        undefined = self.sums(np.isnan(self.scores).astype(np.float64)) > 0
        values = np.where(undefined, np.nan, np.where(weights > 0, values, 0.0))
        total = np.bincount(self.slices, weights * values, minlength=self.size)
        return ratio(total, np.bincount(self.slices, weights, minlength=self.size))


ranked_rows = kept(Ranked.of)
"""The queries of kept rows, which are sorted once for all metrics that read them."""


@dataclasses.dataclass(frozen=True)
class NDCG(Metric):
    """Mean over queries of the discounted gain of the ranking over that of the best one; from 0 to 1.

        DCG / ideal DCG,  DCG = sum over ranks r <= top_k of gain_r / log2(1 + r)

    Higher is better. The gain is the label, or the column `gain_key`, as it is: not 2^gain - 1. The ideal DCG
    is that of the rows by falling gain. Queries without a positive gain do not count; NaN without others.
    scikit-learn's `ndcg_score` has the same value for a single query.

    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM Transactions on
    Information Systems 20, 2002; ties as in McSherry and Najork, "Computing information retrieval performance
    measures efficiently in the presence of tied scores", ECIR 2008.

    Attributes:
        gain_key: The column that holds the gains; "" for the label.
        top_k: The last rank that counts, from 1 up; None for all.
        name: The metric's name in the results.

    >>> round(NDCG().of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1])), 4)
    0.6934
    """

    gain_key: str = ""
    top_k: int | None = None
    name: str = "ndcg"
    accepts = frozenset({"real", "binary"})
    needs_groups = True

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be a rank from 1 up, not {self.top_k!r}")

    def statistics(self) -> tuple[Statistic[KeptRows], ...]:
        return (QueryRows(gain_key=self.gain_key),)

    def result(self, rows: KeptRows) -> Array:
        ranked = ranked_rows(rows)
        discounts = self._discounts(ranked.ranks)
        best = ranked.labels[np.lexsort((-ranked.labels, ranked.codes))]
        ideal = ranked.sums(best * discounts)
        starts = ranked.ties
        if len(starts):
            lengths = np.diff(starts, append=len(discounts))
            gains = np.add.reduceat(ranked.labels, starts) / lengths
            discounts = np.repeat(np.add.reduceat(discounts, starts) / lengths, lengths)
            gain = ranked.sums(np.repeat(gains, lengths) * discounts)
            return ranked.mean(ratio(gain, ideal), (ideal > 0).astype(np.float64))
        return np.full(ranked.size, np.nan)

    def _discounts(self, ranks: Index) -> Array:
        kept = ranks <= (self.top_k or sys.maxsize)
        return np.where(kept, 1.0 / np.log2(1.0 + ranks), 0.0)


@dataclasses.dataclass(frozen=True)
class MinLabelPosition(Metric):
    """Mean over queries of the rank of the first positive, counted from 1; lower is better.

    From 1 (best) up, in ranks. Queries without a positive do not count; NaN where none has one. A row is
    positive if its label is above 0. TFMA's metric of that name; the mean of 1 / rank, which is called
    the mean reciprocal rank, is another one.

    Among n rows of one score of which m are positive the first stands at (n + 1) / (m + 1) on average, the
    expectation of the least of m numbers drawn from 1 to n.

    Attributes:
        label_key: The column that says which rows are positive; "" for the label.
        name: The metric's name in the results.

    >>> MinLabelPosition().of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1]))
    2.0
    """

    label_key: str = ""
    name: str = "min_label_position"
    accepts = frozenset({"binary"})
    needs_groups = True

    def statistics(self) -> tuple[Statistic[KeptRows], ...]:
        return (QueryRows(gain_key=self.label_key),)

    def result(self, rows: KeptRows) -> Array:
        ranked = ranked_rows(rows)
        starts = ranked.ties
        if not len(starts):
            return np.full(ranked.size, np.nan)
        positives = np.add.reduceat((ranked.labels > 0).astype(np.float64), starts)
        lengths = np.diff(starts, append=len(ranked.codes))
        expected = ranked.ranks[starts] - 1 + (lengths + 1) / (positives + 1)
        first = np.full(len(ranked.starts), np.inf)
        np.minimum.at(first, ranked.codes[starts], np.where(positives > 0, expected, np.inf))
        known = np.isfinite(first)
        return ranked.mean(np.where(known, first, 0.0), known.astype(np.float64))


register("NDCG", NDCG, About.of(NDCG, HIGHER, 0, 1))
register("MinLabelPosition", MinLabelPosition, About.of(MinLabelPosition, LOWER, 1))
