# SPDX-License-Identifier: Apache-2.0
"""Metrics of what stands first in a query: precision, recall and hits of the top k, and means of ranks.

A row is positive if its label is above 0. Rows with equal scores have no order; a value is the expectation
over all orders of them, in closed form, as in McSherry and Najork, "Computing information retrieval
performance measures efficiently in the presence of tied scores", ECIR 2008. So no value depends on how rows
arrive. Queries weigh as in `benison.metrics.ranking`, which has NDCG and MinLabelPosition.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial

import numpy as np

from benison.data.batch import Array, Index, Inputs  # noqa: F401 - Inputs is for the examples
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.confusion import snake_case
from benison.metrics.parameters import MOST, check_count
from benison.metrics.ranking import QueryRows, Ranked, ranked_rows
from benison.metrics.registry import HIGHER, About, register
from benison.metrics.statistics.kept import kept
from benison.metrics.statistics.kept_rows import KeptRows


@dataclasses.dataclass(frozen=True)
class Runs:
    """Runs of equal scores within queries, R of them, in the order of query and falling score.

    Attributes:
        ranked: The rows.
        starts: The row with which each run begins, int64[R].
        queries: Its query, int64[R].
        lengths: Its rows, int64[R].
        positives: How many of these are positive, int64[R].
        ahead: The rows of the query with higher scores, int64[R].
        positives_ahead: How many of those are positive, int64[R].
    """

    ranked: Ranked
    starts: Index
    queries: Index
    lengths: Index
    positives: Index
    ahead: Index
    positives_ahead: Index

    @classmethod
    def of(cls, rows: KeptRows) -> Runs:
        """The runs of kept rows."""
        ranked = ranked_rows(rows)
        starts = ranked.ties
        lengths = np.diff(starts, append=len(ranked.codes))
        so_far = np.concatenate([[0], np.cumsum(ranked.labels > 0)])
        queries = ranked.codes[starts]
        first = ranked.starts[queries]
        positives = so_far[starts + lengths] - so_far[starts]
        ahead = starts - first
        return cls(
            ranked, starts, queries, lengths, positives, ahead, so_far[starts] - so_far[first]
        )

    @property
    def of_row(self) -> Index:
        """The run of each row: int64[M]."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)

    def sums(self, values: Array) -> Array:
        """The sum of float64[R] over the runs of each query: float64[Q]."""
        return np.asarray(np.bincount(self.queries, values, len(self.ranked.starts)), np.float64)

    @property
    def relevant(self) -> Array:
        """The positives of each query: float64[Q]."""
        return self.sums(self.positives.astype(np.float64))

    def slots(self, top_k: int) -> Index:
        """How many of the first `top_k` ranks each run takes: int64[R]."""
        return np.clip(top_k - self.ahead, 0, self.lengths)

    def hits(self, top_k: int) -> Array:
        """The expected positives among the first `top_k` ranks of each query: float64[Q]."""
        return self.sums(self.slots(top_k) * self.positives / np.maximum(self.lengths, 1))

    @property
    def first(self) -> Index:
        """The runs that hold the first positives of their queries: int64[R'], one for each such query."""
        return np.flatnonzero((self.positives > 0) & (self.positives_ahead == 0))


runs_of = kept(Runs.of)
"""The runs of kept rows, which are made once for all metrics that read them."""


def _log_factorials(runs: Runs) -> Array:
    """Ln n! for n from 0 to the length of the longest run."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, runs.lengths.max(initial=0) + 1)))])


def _chance_of_none(runs: Runs, run: Index, drawn: Index) -> Array:
    """The chance that none of some rows of a run, drawn without putting back, is positive: float64[n].

        C(n - m, d) / C(n, d), of n rows of which m are positive, and d drawn

    Args:
        runs: The runs.
        run: The number of a run, int64[n].
        drawn: How many of its rows are drawn, int64[n].
    """
    log, n = _log_factorials(runs), runs.lengths[run]
    others = n - runs.positives[run]
    left = np.maximum(others - drawn, 0)
    chance = np.exp(log[others] - log[left] - log[n] + log[n - drawn])
    return np.where(drawn > others, 0.0, chance)


class TopRanks(Metric):
    """The mean over queries of a function of their ranks; subclasses give `of_queries` and `counting`.

    A query weighs what its rows weigh on average. NaN for a slice in which no query counts, or a score is
    missing.
    """

    accepts = frozenset({"binary", "real"})
    needs_groups = True

    def statistics(self) -> tuple[Statistic[KeptRows], ...]:
        return (QueryRows(),)

    def result(self, rows: KeptRows) -> Array:
        runs = runs_of(rows)
        values = np.nan_to_num(self.of_queries(runs))
        return runs.ranked.mean(values, self.counting(runs).astype(np.float64))

    def of_queries(self, runs: Runs) -> Array:
        """The value of each query: float64[Q]; whatever it is where the query does not count."""
        raise NotImplementedError

    def counting(self, runs: Runs) -> Array:
        """Whether a query counts: those with a positive, [Q]."""
        return np.asarray(runs.relevant > 0)


@dataclasses.dataclass(frozen=True)
class PrecisionAtK(TopRanks):
    """Mean over queries of the share of positives among the first `top_k` rows; from 0 to 1.

        positives among the first k / k

    Higher is better. A query of fewer than k rows is divided by k all the same, as in trec_eval and Spark.
    Queries without a positive count, with 0. NaN without queries, and where a prediction is missing.

    Attributes:
        top_k: How many rows of each query count, from 1 up.
        name: The metric's name in the results; `precision_at_3` for 3 rows unless it is given.

    >>> round(PrecisionAtK(2).of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1])), 4)
    0.5
    """

    top_k: int
    name: str = ""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k, MOST, least=1)
        stem = snake_case(type(self).__name__).removesuffix("_k")
        object.__setattr__(self, "name", self.name or f"{stem}_{self.top_k}")

    def of_queries(self, runs: Runs) -> Array:
        return runs.hits(self.top_k) / self.top_k

    def counting(self, runs: Runs) -> Array:
        return np.ones(len(runs.ranked.starts))


@dataclasses.dataclass(frozen=True)
class RecallAtK(PrecisionAtK):
    """Mean over queries of the share of their positives that is among the first `top_k` rows; from 0 to 1.

        positives among the first k / positives

    Higher is better. Queries without a positive do not count; NaN without others, and where a prediction is
    missing.

    Attributes:
        top_k: How many rows of each query count, from 1 up.
        name: The metric's name in the results; `recall_at_3` for 3 rows unless it is given.

    >>> round(RecallAtK(2).of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1])), 4)
    0.5
    """

    def of_queries(self, runs: Runs) -> Array:
        return ratio(runs.hits(self.top_k), runs.relevant)

    def counting(self, runs: Runs) -> Array:
        return TopRanks.counting(self, runs)


@dataclasses.dataclass(frozen=True)
class HitRateAtK(RecallAtK):
    """Share of queries with a positive among the first `top_k` rows; from 0 to 1, higher is better.

    Of rows of one score that end beyond the k-th it is the chance that one of those before is positive.
    Queries without a positive do not count; NaN without others, and where a prediction is missing.

    Attributes:
        top_k: How many rows of each query count, from 1 up.
        name: The metric's name in the results; `hit_rate_at_3` for 3 rows unless it is given.

    >>> HitRateAtK(1).of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1]))
    0.0
    """

    def of_queries(self, runs: Runs) -> Array:
        first, hit = runs.first, np.zeros(len(runs.ranked.starts))
        hit[runs.queries[first]] = 1 - _chance_of_none(runs, first, runs.slots(self.top_k)[first])
        return hit


@dataclasses.dataclass(frozen=True)
class MeanReciprocalRank(TopRanks):
    """Mean over queries of 1 / rank of the first positive, counted from 1; from 0 to 1, higher is better.

    With `top_k` it is 0 for a query whose first positive stands behind the k-th row. Queries without a
    positive do not count; NaN without others, and where a prediction is missing.

    Attributes:
        top_k: The last rank that counts, from 1 up; None for all.
        name: The metric's name in the results.

    >>> MeanReciprocalRank().of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1]))
    0.5
    """

    top_k: int | None = None
    name: str = "mean_reciprocal_rank"

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k, MOST, least=1)

    def of_queries(self, runs: Runs) -> Array:
        row, run = np.arange(len(runs.ranked.codes)), runs.of_row
        within = row - runs.starts[run]
        leads = np.isin(run, runs.first) & (runs.ranked.ranks <= (self.top_k or sys.maxsize))
        row, run, within = row[leads], run[leads], within[leads]
        chance = _chance_of_none(runs, run, within) - _chance_of_none(runs, run, within + 1)
        values = np.zeros(len(runs.ranked.codes))
        values[row] = chance / runs.ranked.ranks[row]
        return runs.ranked.sums(values)


@dataclasses.dataclass(frozen=True)
class MeanAveragePrecision(MeanReciprocalRank):
    """Mean over queries of the precision at the ranks of their positives; from 0 to 1, higher is better.

        sum over positives of rank r of (positives up to r / r) / positives

    With `top_k` positives behind the k-th row add nothing, and the sum is divided by at most k, as in Spark.
    Queries without a positive do not count; NaN without others, and where a prediction is missing. Not the
    metric of that name of object detection, nor the area under a precision-recall curve.

    Among the rows of one score a positive is equally likely at every rank, and the other ones are spread
    evenly over the rest.

    Attributes:
        top_k: The last rank that counts, from 1 up; None for all.
        name: The metric's name in the results.

    >>> round(MeanAveragePrecision().of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1])), 6)
    0.583333
    """

    name: str = "mean_average_precision"

    def of_queries(self, runs: Runs) -> Array:
        ranked, run = runs.ranked, runs.of_row
        before = np.arange(len(run)) - runs.starts[run]
        others = np.maximum(runs.lengths - 1, 1)
        density = ((runs.positives - 1) / others)[run]
        up_to = runs.positives_ahead[run] + 1 + before * density
        share = (runs.positives / np.maximum(runs.lengths, 1))[run]
        kept = ranked.ranks <= (self.top_k or sys.maxsize)
        precisions = ranked.sums(np.where(kept, share * up_to / ranked.ranks, 0.0))
        return ratio(precisions, np.minimum(runs.relevant, self.top_k or np.inf))


def _named(
    of: type[MeanReciprocalRank],
    default_name: str,
    /,
    top_k: int | None = None,
    name: str | None = None,
) -> MeanReciprocalRank:
    return of(top_k, name or default_name)


def _register_all() -> None:
    for at_k in (PrecisionAtK, RecallAtK, HitRateAtK):
        register(at_k.__name__, at_k, About.of(at_k, HIGHER, 0, 1))
    for alias, mean in (("MAP", MeanAveragePrecision), ("MRR", MeanReciprocalRank)):
        about = About.of(mean, HIGHER, 0, 1)
        register(mean.__name__, mean, about)
        register(alias, partial(_named, mean, alias.lower()), about)


_register_all()
