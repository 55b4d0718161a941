# SPDX-License-Identifier: Apache-2.0
"""Which states of a plan say how far values may be from the true ones, and what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from benison.config import EvalConfig
from benison.data.batch import Array
from benison.engine.pairs import ClassOf, Pairs
from benison.engine.views import Comparison, View
from benison.evidence.estimators import Estimator, Evidenced, is_number
from benison.evidence.spread import Spread, limits_of_each
from benison.metrics.base import Metric, Statistic
from benison.table.key import CHANGE, Key
from benison.table.slice_columns import Interval

if TYPE_CHECKING:
    from benison.evidence.cell_errors import CellsEstimator
    from benison.evidence.point_limits import PointLimits


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How the error of the values of a key is known, and in which slots."""

    key: Key
    estimator: Estimator
    slots: tuple[int, ...]

    def evidenced(
        self, states: Sequence[Any], comparison: Comparison | None
    ) -> dict[Key, Evidenced]:
        """What states of some slices say of the key's values, of their change and of the baseline's."""
        if not self.estimator.paired or comparison is None:
            return {self.key: Evidenced(self.estimator.spread(*states))}
        paired = self.estimator.compared(*states)
        base = self.key.of_model(comparison.baseline)
        return {
            self.key: Evidenced(paired.candidate, paired),
            base: Evidenced(paired.baseline),
            self.key.as_kind(CHANGE): Evidenced(paired.change, paired),
        }


@dataclasses.dataclass(frozen=True)
class ListSampling(Sampling):
    """How the errors of all numbers of a list are known, of which each is at a threshold of its own.

    The key is that of the first.
    """

    estimator: CellsEstimator
    keys: tuple[Key, ...] = ()
    places: tuple[int, ...] = ()
    """Which of the estimator's thresholds each is at."""

    def evidenced(
        self, states: Sequence[Any], comparison: Comparison | None
    ) -> dict[Key, Evidenced]:
        (statistic,), size = self.estimator.statistics(), len(states[0].rows)
        step, evidence = max(1, _AT_ONCE // max(1, size)), {}
        for start in range(0, len(self.estimator.among), step):
            chosen = range(start, min(start + step, len(self.estimator.among)))
            of_all = super().evidenced([statistic.at_each(states[0], chosen)], comparison)
            for own, threshold in zip(self.keys, self.places, strict=True):
                index = np.arange(size) + (threshold - start) * size
                for key, each in of_all.items() if threshold in chosen else ():
                    evidence[dataclasses.replace(key, metric=own.metric)] = each.take(index)
        return evidence


PART = "\0"
"""What stands behind the name of a metric in the keys of its parts, before the column and the place there."""
_AT_ONCE = 1 << 16
"""As many values have their errors found at once, so that memory does not grow with the points."""
_MOST_PARTS = 100
"""Lists and columns of more points have no intervals: each point is as much work as a metric of one."""


@dataclasses.dataclass(frozen=True)
class PlotSampling:
    """How the limits of the points of a plot are known, and in which slots."""

    key: Key
    limits: PointLimits
    slots: tuple[int, ...]


def part_keys(key: Key, metric: Metric) -> dict[str, list[Key]]:
    """The keys of the numbers that a list or a table is made of, by column; none where they are too many."""
    parts = metric.points()
    if not 0 < sum(map(len, parts.values())) <= _MOST_PARTS * len(parts):
        return {}
    return {
        column: [
            dataclasses.replace(key, metric=PART.join((key.metric, column, str(i))))
            for i in range(len(of))
        ]
        for column, of in parts.items()
    }


def _numbers(key: Key, metric: Metric) -> Iterator[tuple[list[Key], tuple[Metric, ...]]]:
    """A value that is a number, or the lists of those that it is made of."""
    if is_number(metric):
        yield [key], (metric,)
        return
    parts = metric.points()
    yield from ((keys, parts[column]) for column, keys in part_keys(key, metric).items())


def _are_alike(metrics: Sequence[Any]) -> bool:
    """Whether metrics are one formula at a threshold each."""
    thresholds = [getattr(each, "thresholds", ()) for each in metrics]
    return len(metrics) > 1 and all(
        len(at) == 1 and dataclasses.replace(metrics[0], thresholds=at) == each
        for each, at in zip(metrics, thresholds, strict=True)
    )


@dataclasses.dataclass(frozen=True)
class Samplings:
    """Chooses how errors are known, and asks for the slots that this takes.

    `by_blocks` is in the way that says how slices vary together that share rows.
    """

    config: EvalConfig
    comparison: Comparison | None
    slot_of: Callable[[View, Statistic[Any]], int]
    by_blocks: bool = False

    def across(
        self, values: Iterable[tuple[Key, Metric, View]], asked: Set[Key]
    ) -> Iterator[Sampling]:
        """By blocks, how the values of some keys vary together in slices that share rows."""
        bases = {self._base(key) for key in asked}
        beside = [value for value in values if value[0] in asked or value[0] in bases]
        yield from dataclasses.replace(self, by_blocks=True).of(beside)

    def of(self, values: Iterable[tuple[Key, Metric, View]]) -> Iterator[Sampling]:
        """The samplings of shown values; the candidate's are of the baseline too."""
        values = [*values]
        keys = {key for key, _, _ in values}
        covered: set[Key] = set()
        for key, metric, view in values:
            base = None if metric.needs_baseline else self._base(key)
            if base is not None and base in keys:
                covered.add(base)
                for parts, metrics in _numbers(key, metric):
                    yield from self._both(parts, base.model, metrics, view)
        for key, metric, view in values:
            if key not in covered and (metric.needs_baseline or self._base(key) not in keys):
                for parts, metrics in _numbers(key, metric):
                    yield from self._of_each(parts, metrics, view, paired=False)

    def _of_each(
        self, keys: Sequence[Key], metrics: Sequence[Metric], view: View, paired: bool
    ) -> Iterator[Sampling]:
        """The samplings of numbers; those of one formula at many thresholds are one."""
        from benison.evidence.cell_errors import CellsEstimator

        first = self._estimator(keys[0], metrics[0], view, paired)
        if not isinstance(first, CellsEstimator) or not _are_alike(metrics):
            for key, metric in zip(keys, metrics, strict=True):
                yield self._sampling(key, self._estimator(key, metric, view, paired), view)
            return
        at: list[float] = [each.thresholds[0] for each in metrics]  # type: ignore[attr-defined]
        known = dataclasses.replace(first, among=tuple(sorted(set(at))))
        slots = self._sampling(keys[0], known, view).slots
        places = tuple(map(known.among.index, at))
        yield ListSampling(keys[0], known, slots, tuple(keys), places)

    def of_plots(self, plots: Iterable[tuple[Key, Metric, View]]) -> Iterator[PlotSampling]:
        """How the limits of points are known, of plots of rows that are independent."""
        for key, metric, view in plots:
            if not metric.is_plot:
                continue
            from benison.evidence.point_limits import limits_of  # of use to plots alone

            limits = limits_of(metric, view.weighted)
            if limits is not None and self._are_independent(view):
                slots = tuple(self.slot_of(view, each) for each in limits.statistics())
                yield PlotSampling(key, limits, slots)

    def _are_independent(self, view: View) -> bool:
        """Whether what a view shows are examples, each of which is evidence of its own."""
        are_examples = isinstance(view.pairs, ClassOf) or type(view.pairs) is Pairs
        return are_examples and not self.config.options.certainty.cluster_key

    def _base(self, key: Key) -> Key | None:
        """The baseline's key of a candidate's."""
        return None if self.comparison is None else self.comparison.base_of(key)

    def _both(
        self, keys: Sequence[Key], baseline: str, metrics: Sequence[Metric], view: View
    ) -> Iterator[Sampling]:
        """The samplings of a candidate's values and the baseline's."""
        if metrics[0].needs_prediction or not self._same_rows(keys[0], keys[0].of_model(baseline)):
            yield from self._of_each(keys, metrics, view, paired=True)
            return
        for own in (keys, [key.of_model(baseline) for key in keys]):
            # The same rows have the same value.
            yield from self._of_each(own, metrics, view, paired=False)

    def _same_rows(self, key: Key, base: Key) -> bool:
        """Whether both models' values rest on the same labels and weights."""
        specs = {spec.name: spec for spec in self.config.model_specs}
        own, other = (
            (spec.label_key_for(key.output), spec.example_weight_key_for(key.output))
            for spec in (specs[key.model], specs[base.model])
        )
        return own == other

    def _sampling(self, key: Key, estimator: Estimator, view: View) -> Sampling:
        beside, views = view, [view]
        if estimator.paired and self.comparison is not None:
            name = self.comparison.baseline
            beside = dataclasses.replace(view, baseline=name)
            views = [view, dataclasses.replace(view, model=name)]
        slots = [self.slot_of(beside, statistic) for statistic in estimator.statistics()]
        slots += [self.slot_of(each, s) for each in views for s in estimator.alone()]
        return Sampling(key, estimator, tuple(slots))

    def _estimator(self, key: Key, metric: Metric, view: View, paired: bool) -> Estimator:
        """In closed form where rows are independent, and the two models' are the same; else by blocks."""
        from benison.evidence.choice import estimator_of  # many modules, of use to few runs

        cluster_key = self.config.options.certainty.cluster_key
        closed = None
        if not self.by_blocks and self._are_independent(view) and not metric.needs_groups:
            closed = estimator_of(metric, paired, view.weighted)
        if closed is not None and paired:
            base = self._base(key)
            if base is None or view.variant or not self._same_rows(key, base):
                closed = None
        if closed is not None:
            return closed
        from benison.evidence.block_errors import BlocksEstimator

        return BlocksEstimator(metric, paired, cluster_key)


def interval_of(spread: Spread, level: float, low: float, high: float) -> Interval:
    """The two-sided interval of values, inside of the range from `low` to `high`."""
    lower, upper = (end[0] for end in ends_of([spread], level, low, high))
    return Interval(lower, upper, spread.std_error, spread.df, tuple(spread.method))


def ends_of(
    spreads: Sequence[Spread], level: float, low: float, high: float
) -> tuple[Array, Array]:
    """Both ends of the same intervals of several spreads of N values each, float64[len(spreads), N]."""
    with np.errstate(all="ignore"):
        lower, upper = limits_of_each(spreads, (1 - level) / 2)
    value = np.stack([spread.value for spread in spreads])
    return np.maximum(lower, np.minimum(low, value)), np.minimum(upper, np.maximum(high, value))
