# SPDX-License-Identifier: Apache-2.0
"""Turns accumulated states into tables: metrics, plots, and the slices that are left out."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config import CrossSlicingSpec, EvalConfig
from benison.data.batch import Array, Extracts, Index, Mask
from benison.engine.accumulator import Accumulator, States, check_rows
from benison.engine.intervals import Estimate, settled
from benison.engine.metric_failures import naming
from benison.engine.plan import Computation, Plan
from benison.engine.samplings import PlotSampling, ends_of, interval_of, part_keys
from benison.engine.views import Average
from benison.evidence.estimators import Evidenced
from benison.metrics.averages import weighted_mean
from benison.metrics.base import AXES
from benison.slicing.keys import SliceKey, are_apart, matches
from benison.table.key import CHANGE, SLICE_DIFFERENCE, SLICE_RATIO, VALUE, Key
from benison.table.schema import METRICS_SCHEMA
from benison.table.slice_columns import Ends, Interval, SliceColumns
from benison.table.slices import is_compared, slice_id
from benison.table.words import slice_text

# Plots are made for this many slices at a time, so that memory does not grow with the slices.
PLOT_BLOCK = 256


@dataclasses.dataclass(frozen=True)
class Row:
    """A key with its estimate over all slices, how exact it is, and the rows that it rests on."""

    key: Key
    estimate: Estimate
    resolution: Array
    evaluated: Index


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The results of one pass.

    `order` holds the numbers of the slices that are reported, Overall first and then by feature and
    value; `small` are the slices with fewer than `min_slice_size` examples, which no output shows; without
    any, a slice is not there.
    """

    config: EvalConfig
    accumulator: Accumulator
    order: Index
    small: tuple[SliceKey, ...]

    @classmethod
    def of(cls, config: EvalConfig, accumulator: Accumulator) -> Outcome:
        """Choose and order the slices to report."""
        table, examples = accumulator.table, accumulator.examples
        large = examples >= (config.options.min_slice_size or 1)
        large[table.overall()] = True
        order = table.order()
        small = table.keys(np.flatnonzero(~large & (examples > 0)))
        return cls(config, accumulator, order[large[order]], tuple(small))

    def check(self) -> None:
        """Refuse what no metric should be computed of, seen over all rows, and what no memory holds."""
        self.accumulator.check_budget(self._total)
        for computation in self.accumulator.plan.computations:
            computation.metric.check(*self._total.of(computation))

    def metrics(self) -> pa.Table:
        """The rows of metrics.parquet: values, differences from the baseline, and cross slices."""
        batches = [batch for row in self._rows() for batch in self._batches(row)]
        return pa.Table.from_batches(batches, METRICS_SCHEMA)

    def _batches(self, row: Row) -> Iterator[pa.RecordBatch]:
        resampling, pairs = self.accumulator.plan.resampling, self._pairs
        estimate = row.estimate.pick(self.order)
        numbers = row.resolution[self.order], row.evaluated[self.order]
        interval = estimate.interval(resampling) or self._interval(row.key, estimate)
        ends = self._ends(row.key, estimate)
        yield self._columns.metric_rows(row.key, estimate.value, interval, *numbers, ends=ends)
        if not len(pairs) or row.estimate.is_sample:
            return
        base, compared = (row.estimate.pick(pairs[:, side]) for side in (0, 1))
        exact = row.resolution[pairs].sum(axis=1)
        rests_on = row.evaluated[pairs].min(axis=1)
        kinds = [(row.key.kind if row.key.kind == CHANGE else SLICE_DIFFERENCE, base.minus)]
        if row.estimate.is_number and row.key.kind != CHANGE:
            kinds.append((SLICE_RATIO, base.over))
        for kind, combined in kinds:
            between = combined(compared)
            key = row.key.as_kind(kind)
            known = None if kind == CHANGE else self._interval(key, between)
            interval = between.interval(resampling) or known
            numbers = exact, rests_on
            ends = None if kind == CHANGE else self._ends(key, between)
            yield self._compared.metric_rows(key, between.value, interval, *numbers, ends=ends)

    def _interval(self, key: Key, estimate: Estimate) -> Interval | None:
        """The interval in closed form, where there is one."""
        known = self.evidence.get(key)
        if known is None:
            return None
        level = self.config.options.certainty.level
        return interval_of(known.value, level, estimate.low, estimate.high)

    def _ends(self, key: Key, estimate: Estimate) -> Ends | None:
        """The intervals of the points of a list or a table, where they are known."""
        columns = self._parts.get(key.as_kind(VALUE), {})
        known = [
            self.evidence.get(of.as_kind(key.kind)) for keys in columns.values() for of in keys
        ]
        spreads = [each.value for each in known if each is not None]
        if not columns or len(spreads) < len(known):
            return None
        level = self.config.options.certainty.level
        starts = np.cumsum([len(keys) for keys in columns.values()])[:-1]
        lower, upper = (
            dict(zip(columns, np.split(end.T, starts, axis=1), strict=True))
            for end in ends_of(spreads, level, estimate.low, estimate.high)
        )
        if not isinstance(estimate.value, dict):
            return lower[""], upper[""]
        axes = {name: of for name, of in estimate.value.items() if name in AXES}
        return axes | lower, axes | upper

    @functools.cached_property
    def _parts(self) -> dict[Key, dict[str, list[Key]]]:
        """The keys of the numbers that the value of each key is made of."""
        return {c.key: part_keys(c.key, c.metric) for c in self.accumulator.plan.computations}

    @functools.cached_property
    def evidence(self) -> dict[Key, Evidenced]:
        """How far the true values may be from those of each key, in the order of its rows."""
        plan = self.accumulator.plan
        evidence: dict[Key, Evidenced] = {}
        for sampling in plan.samplings:
            known = self._total.evidenced(sampling)
            evidence |= {key: each.take(self.order) for key, each in known.items()}
            if len(self._pairs):
                evidence |= self._between(known)
        for sampling in plan.pair_samplings:
            evidence |= self._between(self._total.evidenced(sampling))
        return evidence

    def _between(self, known: Mapping[Key, Evidenced]) -> Iterator[tuple[Key, Evidenced]]:
        """The same of the comparisons of slices."""
        from benison.evidence.slice_pairs import compared  # of use to comparisons alone

        for key, each in known.items():
            if key.kind == VALUE:
                both = compared(each, self._pairs, self._are_apart)
                yield from zip(map(key.as_kind, (SLICE_DIFFERENCE, SLICE_RATIO)), both, strict=True)

    @functools.cached_property
    def _are_apart(self) -> Mask:
        """Which of the compared pairs of slices share no row: bool[P]."""
        kinds, several = self._kinds, self.accumulator.multivalent
        keys = [tuple(pair for pair in key if pair[0] not in several) for key in self._keys]
        apart = [are_apart(keys[i], keys[j], kinds[i], kinds[j]) for i, j in self._pairs]
        return np.array(apart, np.bool_)

    def plots(self) -> Iterator[pa.RecordBatch]:
        """The rows of plots.parquet, made while they are taken."""
        plots = [c for c in self.accumulator.plan.computations if c.metric.is_plot]
        for start in range(0, len(self.order) if plots else 0, PLOT_BLOCK):
            block = self.order[start : start + PLOT_BLOCK]
            columns = self._columns.block(start, len(block))
            samplings = {each.key: each for each in self.accumulator.plan.plot_samplings}
            states = self._total.gather_for([*plots, *samplings.values()], block)
            for plot in plots:
                value = states.value(plot)
                assert isinstance(value, dict)
                limits = self._limits(states, plot, samplings.get(plot.key))
                yield columns.plot_rows(plot.key, value | limits)

    def _limits(
        self, states: States, plot: Computation, sampling: PlotSampling | None
    ) -> dict[str, Array]:
        """The columns of the limits of a plot's points, where they are known."""
        if sampling is None:
            return {}
        alpha = (1 - self.config.options.certainty.level) / 2
        beside = [states.states[slot] for slot in sampling.slots]
        with np.errstate(all="ignore"):
            return sampling.limits.columns(states.of(plot), beside, alpha)

    def notes(self) -> dict[tuple[Key, str], str]:
        """Why values are undefined, by key and slice, where it is known."""
        keys = self.accumulator.table.keys
        return {
            (c.key, slice_id(keys(np.array([i]))[0])): text
            for c in self.accumulator.plan.computations
            for i, text in c.metric.notes(*self._total.of(c)).items()
        }

    @functools.cached_property
    def _columns(self) -> SliceColumns:
        known = self.accumulator
        names, keys = known.table.texts(self.order)
        return SliceColumns.of_slices(names, keys, known.examples[self.order])

    @functools.cached_property
    def _total(self) -> States:
        total, plan = self.accumulator.total(), self.accumulator.plan
        readers = Counter(slot for each in plan.computations for slot in each.slots)
        for slot, count in readers.items():
            if count > 1:
                plan.slots[slot][1].prepare(total.states[slot])
        return total

    def _rows(self) -> Iterator[Row]:
        """Every metric over all slices, and its difference from the baseline's."""
        plan = self.accumulator.plan
        rows = self._values()
        for row in rows.values():
            if row.key.metric.startswith("_"):
                continue
            yield row
            base = plan.comparison and rows.get(plan.comparison.base_of(row.key) or row.key)
            if base and base is not row and not row.estimate.is_sample:
                yield self._change(row, base)

    def _values(self) -> dict[Key, Row]:
        scalars = [c for c in self.accumulator.plan.computations if not c.metric.is_plot]
        replicates = self._replicates([c for c in scalars if c.metric.has_interval])
        none = np.empty((0, len(self.accumulator.table)))
        rows = {c.key: self._row(c, replicates.get(c.key, none)) for c in scalars}
        shown = {c.key for c in scalars if c.shown}
        averages = self.accumulator.plan.averages
        means = {average.key: mean for average in averages if (mean := _mean(average, rows))}
        return {key: row for key, row in (rows | means).items() if key in shown or key in means}

    def _row(self, computation: Computation, replicates: Array) -> Row:
        states = self._total.of(computation)
        with np.errstate(all="ignore"), naming([computation.metric]):
            value, resolution = computation.metric.result_and_resolution(*states)
        ends = self.accumulator.plan.ranges.get(computation.key.metric, (-np.inf, np.inf))
        estimate = Estimate(settled(value, *ends), replicates, *ends)
        size = len(self.accumulator.table)
        exact = np.broadcast_to(np.asarray(resolution, np.float64), (size,))
        return Row(computation.key, estimate, exact, self.accumulator.evaluated(computation.view))

    def _change(self, row: Row, base: Row) -> Row:
        views = {c.key: c.view for c in self.accumulator.plan.computations}
        both = views.get(row.key), views.get(base.key)
        evaluated = np.minimum(row.evaluated, base.evaluated)
        if both[0] is not None and both[1] is not None:
            evaluated = self.accumulator.evaluated(both[0], both[1])
        return Row(
            row.key.as_kind(CHANGE),
            row.estimate.minus(base.estimate),
            row.resolution + base.resolution,
            evaluated,
        )

    def _replicates(self, computations: Sequence[Computation]) -> dict[Key, Array]:
        """The values of each metric that is a number on the replicates: float64[R, S]."""
        values: dict[Key, list[Array]] = {}
        for states in self.accumulator.replicates():
            for computation in computations:
                value = states.value(computation)
                if not isinstance(value, dict) and value.ndim == 1:
                    values.setdefault(computation.key, []).append(value)
        return {key: np.stack(rows) for key, rows in values.items()}

    @functools.cached_property
    def _pairs(self) -> Index:
        """The numbers of the slices to compare, int64[P, 2]: baseline slice and comparison slice."""
        pairs = [p for spec in self.config.cross_slicing_specs for p in self._pairs_of(spec)]
        return np.array(list(dict.fromkeys(pairs)), np.int64).reshape(-1, 2)

    def _pairs_of(self, spec: CrossSlicingSpec) -> Iterator[tuple[int, int]]:
        keys, kinds = self._keys, self._kinds
        base = [i for i in self.order if matches(spec.baseline_spec, keys[i], kinds[i])]
        for i in base:
            for j in self.order:
                if j not in base and is_compared(spec, keys[j], kinds[j]):
                    yield int(i), int(j)

    @functools.cached_property
    def _compared(self) -> SliceColumns:
        """The columns of the comparisons; the examples are those of the smaller side."""
        fewer = self.accumulator.examples[self._pairs].min(axis=1)
        names = [slice_text(self._keys[i], self._keys[j]) for i, j in self._pairs]
        texts = self.accumulator.table.texts
        keys, others = (texts(self._pairs[:, side])[1] for side in (0, 1))
        return SliceColumns(pa.array(names, pa.string()), keys, others, pa.array(fewer, pa.int64()))

    @functools.cached_property
    def _keys(self) -> list[SliceKey]:
        return self.accumulator.table.keys()

    @functools.cached_property
    def _kinds(self) -> list[Mapping[str, str]]:
        return self.accumulator.table.kinds()


def _mean(average: Average, rows: dict[Key, Row]) -> Row | None:
    """The row of an average; None where one of its values is no number."""
    parts = [rows[key] for key in average.of if key in rows]
    if len(parts) < len(average.of) or not all(part.estimate.is_number for part in parts):
        return None
    weighing = [rows[key] for key in average.weighted_by]
    values = np.stack([np.asarray(part.estimate.value) for part in parts])
    weights = np.array(average.weights)[:, None] * np.ones_like(values)
    for i, row in enumerate(weighing):
        weights[i] *= row.estimate.value
    return Row(
        average.key,
        Estimate(
            weighted_mean(values, weights),
            _mean_replicates(average, parts, weighing),
            min(part.estimate.low for part in parts),
            max(part.estimate.high for part in parts),
        ),
        np.max([part.resolution for part in parts], axis=0),
        np.max([part.evaluated for part in parts], axis=0),
    )


def _mean_replicates(average: Average, parts: list[Row], weighing: list[Row]) -> Array:
    replicates = [part.estimate.replicates for part in parts]
    fewest = min(map(len, replicates))
    means = []
    for r in range(fewest):
        values = np.stack([part[r] for part in replicates])
        weights = np.array(average.weights)[:, None] * np.ones_like(values)
        for i, row in enumerate(weighing):
            own = row.estimate.replicates
            weights[i] *= own[r] if len(own) else row.estimate.value
        means.append(weighted_mean(values, weights))
    return np.stack(means) if means else np.empty((0, len(parts[0].evaluated)))


class MetricsEvaluator:
    """The evaluator of metrics and plots, which every evaluation has."""

    stage_name = "EvaluateMetricsAndPlots"
    run_after = "ExtractSliceKeys"
    outputs = ("metrics", "plots", "small_slices", "notes", "rows", "missing", "evidence")
    concurrent = True

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the data that slices, queries and metrics read."""
        return tuple(sorted(self.plan.feature_columns))

    def zero(self) -> Accumulator:
        """An accumulator that has seen no rows."""
        return Accumulator(self.plan)

    def add(self, state: Accumulator, extracts: Extracts) -> Accumulator:
        """The accumulator, with one more batch."""
        state.add(extracts)
        return state

    def merge(self, state: Accumulator, other: Accumulator) -> Accumulator:
        """The first accumulator, with all that the other has seen."""
        state.merge(other)
        return state

    def finish(self, state: Accumulator) -> Accumulator:
        """The accumulator with what waited added up, which each thread does for itself."""
        state.compact()
        return state

    def split(self, state: Accumulator) -> list[Accumulator]:
        """The accumulator in parts that merge apart, each of a range of slices."""
        return state.split()

    def result(self, state: Accumulator) -> dict[str, Any]:
        """The tables, and the slices that are too small to be shown.

        Raises:
            DataError: No row was read, a label or prediction is missing in every row, or a metric does not
                fit what labels and predictions hold.
        """
        check_rows(state)
        outcome = Outcome.of(self.plan.config, state)
        outcome.check()
        return {
            "metrics": outcome.metrics(),
            "plots": outcome.plots(),
            "small_slices": outcome.small,
            "notes": outcome.notes(),
            "rows": state.rows,
            "missing": state.missing,
            "evidence": outcome.evidence,
        }
