# SPDX-License-Identifier: Apache-2.0
"""How many queries there are, and how many rows they have.

    total_queries    sum over queries of the mean weight of their rows
    total_documents  sum of the weights of all rows
    min_documents    least sum of the weights of the rows of a query
    max_documents    largest such sum

Weighted, a row counts as much as it weighs, and a query as much as its rows weigh on average. Rows without
weight are in no query.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from benison.data.batch import Array, Inputs  # noqa: F401 - Inputs is for the example
from benison.metrics.base import Metric, Statistic
from benison.metrics.confusion import snake_case
from benison.metrics.ranking import QueryRows, Ranked, ranked_rows
from benison.metrics.registry import About, register
from benison.metrics.statistics.kept_rows import KeptRows


class Count(NamedTuple):
    """One line of `COUNTS`: how the values of queries become that of a slice, and what is said of it."""

    of: Callable[[Ranked], Array]
    """What each query counts: float64[Q]."""
    ufunc: np.ufunc
    empty: float
    sentence: str


def _rows(ranked: Ranked) -> Array:
    return ranked.sums(ranked.weights)


def _queries(ranked: Ranked) -> Array:
    return _rows(ranked) / np.maximum(ranked.lengths, 1)


COUNTS = {
    "TotalQueries": Count(_queries, np.add, 0.0, "Number of queries."),
    "TotalDocuments": Count(_rows, np.add, 0.0, "Number of rows of all queries."),
    "MinDocuments": Count(_rows, np.minimum, np.inf, "Number of rows of the smallest query."),
    "MaxDocuments": Count(_rows, np.maximum, -np.inf, "Number of rows of the largest query."),
}


@dataclasses.dataclass(frozen=True)
class QueryStatistic(Metric):
    """A line of `COUNTS`; from 0 up.

    Without queries totals are 0, and least and most are NaN.

    Attributes:
        count: The key of the line in `COUNTS`.
        name: The metric's name in the results.

    >>> QueryStatistic("TotalDocuments", "total_documents").of(Inputs.of([0, 1, 1], [0.9, 0.8, 0.1]))
    3.0
    """

    count: str
    name: str
    accepts = frozenset({"binary", "real"})
    needs_label = False
    needs_prediction = False
    needs_groups = True
    has_interval = False

    @property
    def empty_value(self) -> float:  # type: ignore[override]
        """0 for totals, NaN for the smallest and the largest query."""
        return 0.0 if COUNTS[self.count].ufunc is np.add else np.nan

    def statistics(self) -> tuple[Statistic[KeptRows], ...]:
        return (QueryRows(),)

    def result(self, rows: KeptRows) -> Array:
        ranked, line = ranked_rows(rows), COUNTS[self.count]
        values = np.full(ranked.size, line.empty)
        if len(ranked.starts):
            line.ufunc.at(values, ranked.slices, line.of(ranked))
        return np.where(np.isinf(values), np.nan, values)


def _count(count: str, default_name: str, /, name: str | None = None) -> QueryStatistic:
    return QueryStatistic(count, name or default_name)


def _register_all() -> None:
    for class_name, line in COUNTS.items():
        counted = partial(_count, class_name, snake_case(class_name))
        register(class_name, counted, About(line.sentence, None, 0))


_register_all()
