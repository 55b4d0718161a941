# SPDX-License-Identifier: Apache-2.0
"""What an accumulator ends in: the tables of metrics and plots, and the slices left out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benison.config import CrossSlicingSpec, EvalConfig
from benison.data.batch import Array, Extracts
from benison.engine.accumulator import Accumulator, States, check_rows
from benison.engine.intervals import Estimate
from benison.engine.plan import Computation, Plan
from benison.engine.views import View
from benison.metrics.base import Index
from benison.slicing.keys import SliceKey, matches
from benison.table.schema import METRICS_SCHEMA, RATIO, SliceColumns

# Plots are made for this many slices at a time, so that memory does not grow with the slices.
PLOT_BLOCK = 256


"""What a metric's name ends in when it is the ratio of two slices; their difference has its own name."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The results of one pass.

    `order` holds the numbers of the slices that are reported, Overall first and then by feature and
    value; `small` are the slices with fewer than `min_slice_size` examples, which no output shows.
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
        small = table.keys(np.flatnonzero(~large))
        return cls(config, accumulator, order[large[order]], tuple(small))

    def metrics(self) -> pa.Table:
        """The rows of metrics.parquet: values, differences from the baseline, and cross slices."""
        pairs = self._pairs()
        crossed = self._crossed_columns(pairs) if len(pairs) else self._columns
        batches: list[pa.RecordBatch] = []
        for view, name, estimate in self._estimates():
            rows = functools.partial(self._rows, view)
            batches.append(rows(self._columns, name, estimate.pick(self.order)))
            if len(pairs):
                base, compared = (estimate.pick(pairs[:, side]) for side in (0, 1))
                batches.append(rows(crossed, name, base.minus(compared)))
                if estimate.is_number:
                    batches.append(rows(crossed, name + RATIO, base.over(compared)))
        return pa.Table.from_batches(batches, METRICS_SCHEMA)

    def _rows(
        self, view: View, columns: SliceColumns, name: str, estimate: Estimate
    ) -> pa.RecordBatch:
        bounds = estimate.bounds(self.accumulator.plan.resampling)
        return columns.metric_rows(view, name, estimate.value, bounds)

    def plots(self) -> Iterator[pa.RecordBatch]:
        """The rows of plots.parquet, made while they are taken."""
        plots = [c for c in self.accumulator.plan.computations if c.metric.is_plot]
        for start in range(0, len(self.order) if plots else 0, PLOT_BLOCK):
            block = self.order[start : start + PLOT_BLOCK]
            columns = self._columns.block(start, len(block))
            for plot in plots:
                value = self._total.value(plot, block)
                assert isinstance(value, dict)
                yield columns.plot_rows(plot.view, plot.metric.name, value)

    @functools.cached_property
    def _columns(self) -> SliceColumns:
        found = self.accumulator
        return SliceColumns.of_table(found.table, self.order, found.examples[self.order])

    @functools.cached_property
    def _total(self) -> States:
        return self.accumulator.total()

    def _estimates(self) -> Iterator[tuple[View, str, Estimate]]:
        """Every metric over all slices, and its difference from the baseline's."""
        plan = self.accumulator.plan
        scalars = [c for c in plan.computations if not c.metric.is_plot]
        replicates = self._replicates([c for c in scalars if c.metric.has_interval])
        none = np.empty((0, len(self.accumulator.table)))
        estimates = {c: Estimate(self._total.value(c), replicates.get(c, none)) for c in scalars}
        for computation, estimate in estimates.items():
            yield computation.view, computation.metric.name, estimate
            base = _baseline_of(computation, plan.baseline)
            if base in estimates:
                difference = estimate.minus(estimates[base])
                yield computation.view, f"{computation.metric.name}_diff", difference

    def _replicates(self, computations: Sequence[Computation]) -> dict[Computation, Array]:
        """The values of each metric that is a number on the replicates: float64[R, S]."""
        found: dict[Computation, list[Array]] = {}
        for states in self.accumulator.replicates():
            for computation in computations:
                value = states.value(computation)
                if not isinstance(value, dict) and value.ndim == 1:
                    found.setdefault(computation, []).append(value)
        return {computation: np.stack(values) for computation, values in found.items()}

    def _pairs(self) -> Index:
        """The numbers of the slices to compare, int64[P, 2]: baseline slice and comparison slice."""
        pairs = [p for spec in self.config.cross_slicing_specs for p in self._pairs_of(spec)]
        return np.array(list(dict.fromkeys(pairs)), np.int64).reshape(-1, 2)

    def _pairs_of(self, spec: CrossSlicingSpec) -> Iterator[tuple[int, int]]:
        keys = self._keys
        base = [i for i in self.order if matches(spec.baseline_spec, keys[i])]
        for i in base:
            for j in self.order:
                if j not in base and _compared(spec, keys[j]):
                    yield int(i), int(j)

    def _crossed_columns(self, pairs: Index) -> SliceColumns:
        examples = self.accumulator.examples
        fewer = np.minimum(examples[pairs[:, 0]], examples[pairs[:, 1]])
        return SliceColumns([(self._keys[i], self._keys[j]) for i, j in pairs], fewer)

    @functools.cached_property
    def _keys(self) -> list[SliceKey]:
        return self.accumulator.table.keys()


def _compared(spec: CrossSlicingSpec, key: SliceKey) -> bool:
    return not spec.slicing_specs or any(matches(other, key) for other in spec.slicing_specs)


def _baseline_of(computation: Computation, baseline: str | None) -> Computation | None:
    if baseline is None or computation.view.model == baseline:
        return None
    return dataclasses.replace(
        computation, view=dataclasses.replace(computation.view, model=baseline)
    )


class MetricsEvaluator:
    """The evaluator behind the output keys `metrics`, `plots`, `small_slices`, `rows` and `missing`."""

    stage_name = "EvaluateMetricsAndPlots"
    run_after = "ExtractSliceKeys"

    def __init__(self, config: EvalConfig, plan: Plan) -> None:
        self.config = config
        self.plan = plan

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

    def result(self, state: Accumulator) -> dict[str, Any]:
        """The tables, and the slices that are too small to be shown.

        Raises:
            DataError: No row was read, or a label or prediction is missing in every row.
        """
        check_rows(state)
        outcome = Outcome.of(self.config, state)
        return {
            "metrics": outcome.metrics(),
            "plots": outcome.plots(),
            "small_slices": outcome.small,
            "rows": state.rows,
            "missing": state.missing,
        }
