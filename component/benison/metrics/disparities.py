# SPDX-License-Identifier: Apache-2.0
"""How differently a model treats the groups of a sensitive feature, as one number for each slice.

The names and values are Fairlearn's. The groups are counted inside of every slice in the same pass, so
there is a number for Overall and for each slice of another feature. Where Fairlearn takes 0 for the rate of a
group that has none, such as the true positive rate without positives, the value is undefined.

Source: Weerts et al., "Fairlearn: assessing and improving fairness of AI systems", JMLR 24, 2023.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

import numpy as np

from benison.data.batch import Array, Index, Inputs  # noqa: F401 - Inputs is for the example
from benison.metrics.base import Metric, Statistic, ratio
from benison.metrics.confusion import as_thresholds, snake_case
from benison.metrics.parameters import check_choice
from benison.metrics.registry import HIGHER, LOWER, About, register
from benison.metrics.statistics.group_cells import GroupCells, Groups

Rates: TypeAlias = tuple[Callable[[Array], Array], ...]

METHODS = ("between_groups", "to_overall")
AGGREGATIONS = ("worst_case", "mean")


def selection_rate(cells: Array) -> Array:
    """The share that is predicted positive: float64[M] of sums float64[M, 4]."""
    return ratio(cells[:, 2] + cells[:, 3], cells.sum(axis=1))


def true_positive_rate(cells: Array) -> Array:
    """The share of positives that are predicted positive: float64[M]."""
    return ratio(cells[:, 3], cells[:, 1] + cells[:, 3])


def false_positive_rate(cells: Array) -> Array:
    """The share of negatives that are predicted positive: float64[M]."""
    return ratio(cells[:, 2], cells[:, 0] + cells[:, 2])


@dataclasses.dataclass(frozen=True)
class DemographicParityDifference(Metric):
    """Largest difference between the shares of groups that are predicted positive; from 0 (best) to 1.

    NaN for a slice without rows, or with a row without a prediction. A slice of one group has the value 0.
    Fairlearn's demographic_parity_difference.

    Attributes:
        sensitive_features: The column whose values are the groups, or a list of columns whose combinations
            are. A row without a value is in no group.
        threshold: A prediction above it is positive.
        method: between_groups compares the two most different groups, to_overall each group with all rows.
        name: The metric's name in the results.

    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"sex": ["f", "f", "m", "m"]})
    >>> rows = dataclasses.replace(Inputs.of([0, 1, 0, 1], [0.2, 0.9, 0.8, 0.7]), batch=batch)
    >>> DemographicParityDifference("sex").of(rows)
    0.5
    """

    sensitive_features: str | Sequence[str]
    threshold: float = 0.5
    method: str = "between_groups"
    name: str = ""
    accepts = frozenset({"binary"})
    needs_label = False
    rates: ClassVar[Rates] = (selection_rate,)
    is_ratio: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sensitive_features", _columns(self.sensitive_features))
        as_thresholds(self.threshold)
        check_choice("method", self.method, METHODS)
        object.__setattr__(self, "name", self.name or snake_case(type(self).__name__))

    def statistics(self) -> tuple[Statistic[Groups], ...]:
        of = GroupCells(tuple(self.sensitive_features), self.threshold, self.needs_label)
        overall = dataclasses.replace(of, features=())
        return (of,) if self.method == "between_groups" else (of, overall)

    def result(self, groups: Groups, *overall: Groups) -> Array:
        slices, cells = groups.occupied()
        distances = []
        for rate in self.rates:
            rates = rate(cells)
            if not overall:
                distances.append(_between(rates, slices, groups.size, self.is_ratio))
                continue
            whole = np.full(groups.size, np.nan)
            known, sums = overall[0].occupied()
            whole[known] = rate(sums)
            distances.append(_to(rates, whole[slices], slices, groups.size, self.is_ratio))
        return self._combined(np.stack(distances))

    def _combined(self, distances: Array) -> Array:
        """One number of those of several rates: float64[S] of float64[R, S]."""
        worst: Array = distances.min(axis=0) if self.is_ratio else distances.max(axis=0)
        return worst


def _columns(given: str | Sequence[str]) -> tuple[str, ...]:
    """The distinct names of columns, sorted; raises ValueError for none."""
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"sensitive_features must be a column or a list of some, not {given!r}")
    return tuple(sorted(set(names)))


def _between(rates: Array, slices: Index, size: int, is_ratio: bool) -> Array:
    """How far the most different groups of each slice are apart: float64[S] of rates float64[M]."""
    low = _reduced(np.minimum, rates, slices, size)
    high = _reduced(np.maximum, rates, slices, size)
    return ratio(low, high) if is_ratio else high - low


def _to(rates: Array, whole: Array, slices: Index, size: int, is_ratio: bool) -> Array:
    """How far the most different group is from the rate of all rows of its slice, `whole`: float64[S]."""
    if not is_ratio:
        return _reduced(np.maximum, np.abs(rates - whole), slices, size)
    low, high = np.minimum(rates, whole), np.maximum(rates, whole)
    return _reduced(np.minimum, ratio(low, high), slices, size)


def _reduced(ufunc: np.ufunc, values: Array, slices: Index, size: int) -> Array:
    """The least or largest value of each slice, NaN where it has none: float64[S]."""
    reduced = np.full(size, np.nan)
    begin = np.flatnonzero(np.diff(slices, prepend=-1))
    if len(begin):
        reduced[slices[begin]] = ufunc.reduceat(values, begin)
    return reduced


@dataclasses.dataclass(frozen=True)
class DemographicParityRatio(DemographicParityDifference):
    """Smallest ratio of the shares of groups that are predicted positive; from 0 to 1 (best).

    NaN also where no group has a row that is predicted positive. Parameters are those of
    DemographicParityDifference; Fairlearn's demographic_parity_ratio. The "80 % rule" is a bound of 0.8.
    """

    is_ratio = True


@dataclasses.dataclass(frozen=True)
class EqualOpportunityDifference(DemographicParityDifference):
    """Largest difference between the true positive rates of groups; from 0 (best) to 1.

    NaN also where a group has no positives. Parameters are those of DemographicParityDifference; Fairlearn's
    equal_opportunity_difference.
    """

    needs_label = True
    rates: ClassVar[Rates] = (true_positive_rate,)


@dataclasses.dataclass(frozen=True)
class EqualOpportunityRatio(EqualOpportunityDifference):
    """Smallest ratio of the true positive rates of groups; from 0 to 1 (best).

    NaN also where a group has no positives, or none has a true one. Parameters are those of
    DemographicParityDifference; Fairlearn's equal_opportunity_ratio.
    """

    is_ratio = True


@dataclasses.dataclass(frozen=True)
class EqualizedOddsDifference(EqualOpportunityDifference):
    """Largest difference between groups of their true or false positive rates; from 0 (best) to 1.

    NaN also where a group has no positives or no negatives. Parameters are those of
    DemographicParityDifference, and Fairlearn's equalized_odds_difference has this one:

    Attributes:
        agg: worst_case is the larger of the two differences, mean their mean.
    """

    agg: str = "worst_case"
    rates: ClassVar[Rates] = (true_positive_rate, false_positive_rate)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("agg", self.agg, AGGREGATIONS)

    def _combined(self, distances: Array) -> Array:
        if self.agg == "worst_case":
            return super()._combined(distances)
        return np.asarray(distances.mean(axis=0))


@dataclasses.dataclass(frozen=True)
class EqualizedOddsRatio(EqualizedOddsDifference):
    """Smallest ratio between groups of their true or false positive rates; from 0 to 1 (best).

    As EqualizedOddsDifference; `agg` is of the two ratios. NaN also where one of them is 0 / 0. Fairlearn's
    equalized_odds_ratio.
    """

    is_ratio = True


def _register_all() -> None:
    for metric in (
        DemographicParityDifference,
        DemographicParityRatio,
        EqualOpportunityDifference,
        EqualOpportunityRatio,
        EqualizedOddsDifference,
        EqualizedOddsRatio,
    ):
        better = HIGHER if metric.is_ratio else LOWER
        register(metric.__name__, metric, About.of(metric, better, 0, 1))


_register_all()
